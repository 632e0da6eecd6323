"""The folder that a hospital drops PDFs into: each is taken in, then moved to `done`, or with a reason to
`refused`. A file is moved after it is stored, so one that was stored and not moved is known again.
"""

import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Final

from adapter.errors import PdfRefused
from adapter.pdf.limits import LONGEST_PDF
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.pdf_reception import receive_pdf
from adapter.settings.pdf import PdfFolderSettings
from adapter.texts import say

__all__ = ["FolderBeat", "take_folder"]

DONE: Final = "done"
REFUSED: Final = "refused"
_MOST: Final = 50  # files of one beat
_UNFINISHED: Final = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".swp")
_REASON: Final = ".txt"
_DAY: Final = 86_400
_LONGEST_STEM: Final = 200  # bytes: a name has 255, and the reason's is longer
_LONGEST_SUFFIX: Final = 10


@dataclass(frozen=True, slots=True)
class FolderBeat:
    """What became of the files of one beat; `known` came before, and was only moved."""

    taken: int = 0
    known: int = 0
    refused: int = 0


def take_folder(adapter: Adapter, hospital: str, now: datetime) -> FolderBeat:
    """Take in what lies in the folder of a hospital, the oldest first. Raises OSError where it is not there
    or a file may not be moved; what is not done then is done at the next beat.
    """
    section = adapter.settings.hospital(hospital).pdf
    if section.folder is None:
        return FolderBeat()
    folder = adapter.settings.folder / section.folder
    for name in (DONE, REFUSED):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    outcomes, failed = [], None
    for file in _resting(folder, section):
        try:
            outcomes.append(_take(adapter, hospital, section, file, now))
        except OSError as error:
            failed = error  # the others are taken in all the same
    _forget(folder / DONE, section.done_days)
    if failed is not None:  # without the file's name, which may be a person's
        raise OSError(failed.errno, failed.strerror) from None
    return FolderBeat(*(outcomes.count(word) for word in ("taken", "known", "refused")))


def _resting(folder: Path, section: PdfFolderSettings) -> Sequence[Path]:
    """Files that nobody seems to write any more. A clock that is not ours may have set their times ahead."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            hidden = entry.name.startswith((".", "~")) or entry.name.casefold().endswith(_UNFINISHED)
            if hidden or not entry.is_file(follow_symlinks=False):
                continue
            changed = entry.stat(follow_symlinks=False).st_mtime
            if abs(time.time() - changed) >= section.quiet_seconds:
                found.append((changed, entry.name))
    return [folder / name for _, name in sorted(found)[:_MOST]]


def _take(adapter: Adapter, hospital: str, section: PdfFolderSettings, file: Path, now: datetime) -> str:
    data = _read(file)
    if data is None:
        return ""
    try:
        taken = receive_pdf(adapter, hospital, data, is_final=section.final, by=f"folder:{hospital}", now=now)
    except PdfRefused as error:
        _refuse(file, str(error))
        return REFUSED
    if section.done_days:
        _move(file, file.parent / DONE)
    else:
        file.unlink()
    return "taken" if taken.is_new else "known"


def _read(file: Path) -> bytes | None:
    """Its bytes, as many as a PDF may have and one more; None where it is gone, no file, or was being written
    meanwhile.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return None
        data = stream.read(LONGEST_PDF + 1)
        after = os.fstat(descriptor)
    return data if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns) else None


def _refuse(file: Path, why: str) -> None:
    """The reason first: a file in `refused` always has one."""
    target = _free(file.parent / REFUSED, file.name)
    target.with_name(target.name + _REASON).write_text(say("pdf.reason", why=why) + "\n", "utf-8")
    file.rename(target)


def _move(file: Path, folder: Path) -> None:
    target = _free(folder, file.name)
    file.rename(target)
    os.utime(target)  # it stays in `done` from now on


def _free(folder: Path, name: str) -> Path:
    """Where nothing lies yet; nobody else moves files there meanwhile."""
    return next(one for one in _names(folder, name) if not one.exists())


def _names(folder: Path, name: str) -> Iterator[Path]:
    suffix = Path(name).suffix[:_LONGEST_SUFFIX]
    stem = name.removesuffix(suffix).encode("utf-8", "surrogateescape")[:_LONGEST_STEM]
    plain = stem.decode("utf-8", "ignore")
    yield folder / f"{plain}{suffix}"
    for number in count(2):
        yield folder / f"{plain}-{number}{suffix}"


def _forget(folder: Path, days: float) -> None:
    """Remove what was taken in so long ago: the database has it, whole."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                is_old = time.time() - entry.stat(follow_symlinks=False).st_mtime > days * _DAY
                if is_old and entry.is_file(follow_symlinks=False):
                    os.unlink(entry.path)
