"""The folder that a hospital drops PDFs into: each is taken in, then moved to `done` or `refused` under the
SHA-256 of its content, with the reason beside it. A file is moved after it is stored, so one that was
stored and not moved is known again.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final

from adapter.errors import PdfRefused, SettingsError
from adapter.pdf.limits import LONGEST_PDF
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.drop_folder import DropFolder, DroppedContent, open_drop_folder
from adapter.pipeline.inbound.pdf_documents import TakenPdf
from adapter.pipeline.inbound.pdf_reception import receive_pdf
from adapter.settings.pdf import PdfFolderSettings
from adapter.texts import say

__all__ = ["FolderBeat", "take_folder"]

_MOST: Final = 50  # files of one beat
_DAY: Final = 86_400


@dataclass(slots=True)
class FolderBeat:
    """What became of the files of one beat; `known` came before, and was only moved. `stuck` could not be
    read or moved, and is tried again.
    """

    taken: int = 0
    known: int = 0
    refused: int = 0
    stuck: int = 0


def take_folder(adapter: Adapter, hospital: str, now: datetime) -> FolderBeat:
    """Take in what rests in the folder of a hospital, the oldest first. Raises SettingsError where the folder
    is not there: it may be a share that is away.
    """
    section = adapter.settings.hospital(hospital).pdf
    if section.folder is None:
        return FolderBeat()
    try:
        with open_drop_folder(adapter.settings.folder / section.folder) as folder:
            visit = _Visit(adapter, hospital, section, folder, now)
            for name in folder.waiting()[:_MOST]:
                visit.look_at(name)
            folder.done.forget_before(time.time() - section.done_days * _DAY)
            folder.refused.forget_before(time.time() - section.refused_days * _DAY)
    except OSError:
        raise SettingsError("pdf.no_folder", hospital=hospital) from None
    return visit.beat


@dataclass(frozen=True, slots=True)
class _Visit:
    """One beat at one folder. Nothing says the name of a file, which may be a person's."""

    adapter: Adapter
    hospital: str
    section: PdfFolderSettings
    folder: DropFolder
    now: datetime
    beat: FolderBeat = field(default_factory=FolderBeat)

    def look_at(self, name: str) -> None:
        """Take in a file, if it rests. One that cannot be read or moved stops no other."""
        try:
            opened = self.folder.read(name, LONGEST_PDF)
            if opened is None or abs(opened.age) < self.section.quiet_seconds:  # a clock may be ahead of ours
                return
            if self.folder.state(name) == opened.state:
                self._take(name, opened)
        except OSError:
            self.beat.stuck += 1

    def _take(self, name: str, opened: DroppedContent) -> None:
        if (target := self.folder.place_of(opened)) is not None:
            self.folder.put_away(name, target, opened.digest, ".pdf")
            self.beat.known += 1
            return
        try:
            taken = self._receive(opened.data)
        except PdfRefused as error:
            self.beat.refused += 1
            if error.why != "not_kept":
                self._put_away(name, opened, str(error))
            elif self.folder.state(name) == opened.state:  # nothing of it may stay, not even that it came
                self.folder.delete(name)
            return
        if self.section.done_days:
            self._put_away(name, opened)
        elif self.folder.state(name) == opened.state:
            self.folder.delete(name)
        self.beat.taken += taken.is_new
        self.beat.known += not taken.is_new

    def _receive(self, data: bytes | None) -> TakenPdf:
        if data is None:
            raise PdfRefused("too_large", most=LONGEST_PDF // 1_000_000)
        by = f"folder:{self.hospital}"
        return receive_pdf(
            self.adapter, self.hospital, data, is_final=self.section.final, by=by, now=self.now
        )

    def _put_away(self, name: str, opened: DroppedContent, why: str = "") -> None:
        """The reason first: a file in `refused` has one. What was written to meanwhile is taken later."""
        if self.folder.state(name) != opened.state:
            return
        target = self.folder.refused if why else self.folder.done
        hashed = sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        said = (
            say("pdf.reason", why=why) if why else say("pdf.taken_in"),
            say("pdf.receipt_name", name=hashed),
        )
        target.write(f"{opened.digest}.txt", "".join(f"{line}\n" for line in said))
        self.folder.put_away(name, target, opened.digest, ".pdf")
