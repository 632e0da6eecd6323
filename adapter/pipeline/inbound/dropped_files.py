"""The folder into which a hospital puts the insurer's XML: by a share, or by SFTP.

A file is read, stored, and then moved to `done` or `refused` under the SHA-256 of its content, with a receipt
beside it that says what became of it; its own name may be a person's and is kept as a hash alone. What was
stored and not moved, since the process was killed, is found again, and known by its content: nothing is lost
or there twice.
"""

import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from adapter.errors import SettingsError
from adapter.national_xml.sheet_texts import sheet_texts
from adapter.pipeline.inbound.national_xml_reception import FileReception, FileReply
from adapter.records.hidden_words import HiddenWords
from adapter.settings import Settings
from adapter.telemetry import get_logger
from adapter.texts import say

__all__ = ["DONE", "REFUSED", "PickedUp", "drop_folder", "forget_dropped", "pick_up"]

DONE: Final = "done"
REFUSED: Final = "refused"

_UNFINISHED: Final = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
_SETTLED_SECONDS: Final = 30  # that nobody wrote to it
_CUT_SECONDS: Final = 3_600  # until one whose end is missing is no longer waited for
_MOST_FILES: Final = 200  # of one beat
_MOST_LISTED: Final = 10_000
_CHUNK: Final = 4_000_000
_OVERLAP: Final = 4_096
_DAY: Final = 86_400
_ROOT: Final = re.compile(rb"<([A-Za-z_][\w.:-]*)")

_log = get_logger("national_xml")


@dataclass(slots=True)
class PickedUp:
    """How many files of one beat were taken in, refused, or left alone: still being written, no files."""

    taken: int = 0
    refused: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file's content, as far as it may be read, and what it was when it was read."""

    data: bytes | None  # None: it is too large
    content: str  # SHA-256
    state: tuple[int, int, int]
    age: float


def drop_folder(settings: Settings, hospital: str) -> Path | None:
    """A hospital's folder; None where it has none."""
    folder = settings.hospital(hospital).national_xml.folder
    return None if folder is None else (settings.folder / folder).absolute()


def pick_up(reception: FileReception, hospital: str) -> PickedUp:
    """Take in what lies in the folder and is whole, the oldest first; forget what was kept long enough.
    Raises SettingsError where the folder is not there: it may be a share that is away.
    """
    settings = reception.adapter.settings
    folder = drop_folder(settings, hospital)
    if folder is None or not folder.is_dir():
        raise SettingsError("settings.no_drop_folder", hospital=hospital)
    for name in (DONE, REFUSED):
        (folder / name).mkdir(mode=0o750, exist_ok=True)
    picked = PickedUp()
    for path in _waiting(folder)[:_MOST_FILES]:
        _take(reception, hospital, path, picked)
    _forget_old(folder, settings.hospital(hospital).national_xml.kept_days)
    return picked


def _waiting(folder: Path) -> list[Path]:
    found = []
    with os.scandir(folder) as entries:
        for _, entry in zip(range(_MOST_LISTED), entries, strict=False):
            hidden = entry.name.startswith(".") or entry.name.casefold().endswith(_UNFINISHED)
            if not hidden and entry.is_file(follow_symlinks=False):
                found.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
    return [Path(path) for _, path in sorted(found)]


def _take(reception: FileReception, hospital: str, path: Path, picked: PickedUp) -> None:
    opened = _opened(path, reception.adapter.settings.max_body_bytes)
    if opened is None or opened.age < _SETTLED_SECONDS or _is_cut(opened):
        picked.left += 1
        return
    if opened.data is None:
        limit = reception.adapter.settings.max_body_bytes
        reply, why = None, say("national_xml.file_too_large", limit=f"{limit:,}")
    else:
        reply = reception.receive(hospital, opened.data)
        why = reply.issues[0].text if reply.issues else ""
    if reply is not None and reply.taken is not None:
        picked.taken += 1
    else:
        picked.refused += 1
    if _state(path) != opened.state:  # somebody wrote to it meanwhile: what it is now is taken later
        return
    _put_away(path, opened.content, reply, why)


def _opened(path: Path, most: int) -> _Opened | None:
    """None where it is gone, cannot be read, or is no plain file."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        _log.warning("national_xml.unreadable", error=type(error).__name__)
        return None
    with os.fdopen(number, "rb") as stream:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            return None
        name, kept = sha256(), bytearray()
        while chunk := stream.read(_CHUNK):
            name.update(chunk)
            if len(kept) <= most:
                kept += chunk
    age = time.time() - found.st_mtime
    data = bytes(kept) if len(kept) <= most else None
    return _Opened(data, name.hexdigest(), (found.st_ino, found.st_size, found.st_mtime_ns), age)


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _is_cut(opened: _Opened) -> bool:
    """Whether its end may still come: its outermost element is open, and it is not old."""
    if opened.data is None or opened.age >= _CUT_SECONDS or b"\0" in opened.data[:4]:
        return False
    root = _ROOT.search(opened.data)
    return root is None or not opened.data.rstrip().endswith(b"</" + root[1] + b">")


def _put_away(path: Path, content: str, reply: FileReply | None, why: str) -> None:
    is_taken = reply is not None and reply.taken is not None
    if reply is not None and reply.hidden:  # nothing of it may be kept, not even that it came
        path.unlink(missing_ok=True)
        return
    target = path.parent / (DONE if is_taken else REFUSED)
    said = [say("national_xml.receipt_taken" if is_taken else "national_xml.receipt_refused", why=why)]
    if not is_taken:
        said.append(say("national_xml.receipt_twice"))
    name = sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()
    said.append(say("national_xml.receipt_name", content=content, name=name))
    receipt = target / f"{content}.txt"
    draft = target / f".{content}.tmp"
    draft.write_text("".join(f"{line}\n" for line in said), "utf-8")
    draft.replace(receipt)
    moved = target / f"{content}.xml"
    try:
        path.replace(moved)
        os.utime(moved)  # kept from now on
    except OSError as error:  # taken by hand, or not ours to touch
        _log.warning("national_xml.not_moved", error=type(error).__name__)


def _forget_old(folder: Path, days: int) -> None:
    before = time.time() - days * _DAY
    for path in _put_away_files(folder):
        state = path.lstat()
        if state.st_mtime < before:
            path.unlink(missing_ok=True)


def _put_away_files(folder: Path) -> Iterator[Path]:
    for name in (DONE, REFUSED):
        if (folder / name).is_dir():
            yield from sorted(one for one in (folder / name).iterdir() if one.is_file())


def forget_dropped(settings: Settings, words: HiddenWords) -> None:
    """Delete every file that was put away and tells of people who may no longer be kept."""
    for hospital in settings.hospitals:
        folder = drop_folder(settings, hospital)
        for path in _put_away_files(folder) if folder is not None else ():
            if any(words.look(text) or words.look(sheet_texts(text)) for text in _texts(path)):
                path.unlink(missing_ok=True)


def _texts(path: Path) -> Iterator[str]:
    with path.open("rb") as stream:
        before = b""
        while chunk := stream.read(_CHUNK):
            yield (before + chunk).decode("utf-8", "replace")
            before = chunk[-_OVERLAP:]
