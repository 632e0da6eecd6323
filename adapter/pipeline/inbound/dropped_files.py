"""What hospitals put into their folders, by a share or by SFTP: the insurer's XML.

A file is read, stored, and then moved to `done` or `refused` under the SHA-256 of its content, with a receipt
beside it that says what became of it; its own name may be a person's and is kept as a hash alone. What was
stored and not moved, since the process was killed, is found again, and known by its content: nothing is lost
or there twice.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from adapter.errors import SettingsError
from adapter.national_xml.sheet_texts import sheet_texts
from adapter.pipeline.inbound.drop_folder import (
    DropFolder,
    DroppedContent,
    PutAwayFolder,
    open_drop_folder,
)
from adapter.pipeline.inbound.national_xml_reception import FileReception, FileReply
from adapter.records.hidden_words import HiddenWords
from adapter.settings import Settings
from adapter.telemetry import get_logger
from adapter.texts import say

__all__ = ["PickedUp", "drop_path", "forget_dropped", "pick_up"]

_SETTLED_SECONDS: Final = 30  # that nobody wrote to it
_CUT_SECONDS: Final = 3_600  # until one whose end is missing is no longer waited for
_MOST_FILES: Final = 200  # of one beat
_OVERLAP: Final = 4_096  # bytes of a piece that the next one is read with
_DAY: Final = 86_400
_ROOT: Final = re.compile(rb"<([A-Za-z_][\w.:-]*)")

_log = get_logger("national_xml")


@dataclass(slots=True)
class PickedUp:
    """How many files of one beat were taken in, refused, or left alone, since they may not be whole or were
    taken in before and could not be moved.
    """

    taken: int = 0
    refused: int = 0
    left: int = 0


def drop_path(settings: Settings, hospital: str) -> Path | None:
    """Where a hospital's folder is; None where it has none."""
    folder = settings.hospital(hospital).national_xml.folder
    return None if folder is None else (settings.folder / folder).absolute()


def pick_up(reception: FileReception, hospital: str) -> PickedUp:
    """Take in what lies in the folder and is whole, the oldest first; forget what was kept long enough.
    Raises SettingsError where the folder cannot be used: it may be a share that is away.
    """
    settings = reception.adapter.settings
    path, picked = drop_path(settings, hospital), PickedUp()
    if path is None:
        return picked
    try:
        with open_drop_folder(path) as folder:
            for name in folder.waiting()[:_MOST_FILES]:
                _take(reception, hospital, folder, name, picked)
            before = time.time() - settings.hospital(hospital).national_xml.kept_days * _DAY
            for kept in (folder.done, folder.refused):
                kept.forget_before(before)
    except OSError as error:
        raise SettingsError("settings.no_drop_folder", hospital=hospital) from error
    return picked


def _take(reception: FileReception, hospital: str, folder: DropFolder, name: str, picked: PickedUp) -> None:
    most = reception.adapter.settings.max_body_bytes
    try:
        content = folder.read(name, most)
    except OSError as error:
        _log.warning("national_xml.unreadable", hospital=hospital, error=type(error).__name__)
        picked.left += 1
        return
    if content is None or content.age < _SETTLED_SECONDS or _is_cut(content):
        picked.left += 1
        return
    if (target := folder.place_of(content)) is not None:
        picked.left += 1
        _move(folder, name, target, content.digest)
        return
    reply = None if content.data is None else reception.receive(hospital, content.data)
    if reply is not None and reply.taken is not None:
        picked.taken += 1
    else:
        picked.refused += 1
    if folder.state(name) != content.state:  # somebody wrote to it meanwhile: that is taken later
        return
    if reply is not None and reply.hidden:  # nothing of it may be kept, not even that it came
        folder.delete(name)
        return
    _put_away(folder, name, content, reply, most)


def _is_cut(content: DroppedContent) -> bool:
    """Whether its end may still come: its outermost element is open, and it is not old."""
    data = content.data
    if data is None or content.age >= _CUT_SECONDS or b"\0" in data[:4]:
        return False
    root = _ROOT.search(data)
    return root is None or not data.rstrip().endswith(b"</" + root[1] + b">")


def _put_away(
    folder: DropFolder, name: str, content: DroppedContent, reply: FileReply | None, most: int
) -> None:
    if reply is None:
        why = say("national_xml.file_too_large", limit=f"{most:,}")
    else:
        why = reply.issues[0].text if reply.issues else ""
    is_taken = reply is not None and reply.taken is not None
    said = [say("national_xml.receipt_taken" if is_taken else "national_xml.receipt_refused", why=why)]
    if not is_taken:
        said.append(say("national_xml.receipt_twice"))
    if reply is not None and reply.taken is not None and reply.taken.strangers:
        said.append(say("national_xml.strangers", count=reply.taken.strangers))
    own = sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    said.append(say("national_xml.receipt_name", content=content.digest, name=own))
    target = folder.done if is_taken else folder.refused
    target.write(f"{content.digest}.txt", "".join(f"{line}\n" for line in said))
    _move(folder, name, target, content.digest)


def _move(folder: DropFolder, name: str, target: PutAwayFolder, digest: str) -> None:
    try:
        folder.put_away(name, target, digest)
    except OSError as error:  # taken away by hand, or not ours to touch
        _log.warning("national_xml.not_moved", error=type(error).__name__)


def forget_dropped(settings: Settings, words: HiddenWords) -> None:
    """Delete every file that was put away and tells of people who may no longer be kept."""
    for hospital in settings.hospitals:
        path = drop_path(settings, hospital)
        if path is None or not path.is_dir():
            continue
        with open_drop_folder(path) as folder:
            for kept in (folder.done, folder.refused):
                for name in kept.names():
                    if any(words.look(f"{text}\n{sheet_texts(text)}") for text in _texts(kept, name)):
                        kept.delete(name)


def _texts(kept: PutAwayFolder, name: str) -> Iterator[str]:
    before = b""
    for chunk in kept.chunks(name):
        yield (before + chunk).decode("utf-8", "replace")
        before = chunk[-_OVERLAP:]
