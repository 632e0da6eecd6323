"""A folder that a hospital writes to, and what the adapter does in it.

Whoever owns the folder may put anything there at any moment, links to our own files too: so nothing is
reached by a path, all by open folders, and no link is followed.
"""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

__all__ = ["DONE", "REFUSED", "DropFolder", "DroppedContent", "PutAwayFolder", "open_drop_folder"]

DONE: Final = "done"
REFUSED: Final = "refused"

_UNFINISHED: Final = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
_MOST_LISTED: Final = 10_000
_CHUNK: Final = 4_000_000
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class DroppedContent:
    """A file's content, as far as it may be read, and what it was when it was read."""

    data: bytes | None  # None: it is too large
    digest: str  # SHA-256
    state: tuple[int, int, int]
    age: float  # seconds since somebody wrote to it
    changed: int = 0  # when it was last written, named or moved: nanoseconds, by the clock of the file system


@dataclass(frozen=True, slots=True)
class PutAwayFolder:
    """`done` or `refused`, open."""

    number: int

    def names(self) -> list[str]:
        """The plain files in it."""
        return sorted(one for one in os.listdir(self.number) if self._modified(one) is not None)

    def forget_before(self, moment: float) -> None:
        """Delete what was put away before that moment (seconds of the epoch)."""
        for name in self.names():
            modified = self._modified(name)
            if modified is not None and modified < moment:
                self.delete(name)

    def delete(self, name: str) -> None:
        """Delete one."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.number)

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of one, piece by piece."""
        with os.fdopen(os.open(name, _FILE, dir_fd=self.number), "rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk

    def write(self, name: str, text: str) -> None:
        """A text of ours, whole or not at all."""
        draft = f".{name}.tmp"
        self.delete(draft)
        number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=self.number)
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(draft, name, src_dir_fd=self.number, dst_dir_fd=self.number)

    def written(self, name: str) -> int | None:
        """When a file was written, in nanoseconds; None where there is no plain file of that name."""
        with suppress(FileNotFoundError):
            found = os.stat(name, dir_fd=self.number, follow_symlinks=False)
            return found.st_mtime_ns if stat.S_ISREG(found.st_mode) else None
        return None

    def _modified(self, name: str) -> float | None:
        written = self.written(name)
        return None if written is None else written / 1e9


@dataclass(frozen=True, slots=True)
class DropFolder:
    """The folder, open, and what is below it."""

    number: int
    done: PutAwayFolder
    refused: PutAwayFolder

    def waiting(self) -> list[str]:
        """The plain files in it that are not said to be unfinished, the oldest first."""
        found = []
        with os.scandir(self.number) as entries:
            for _, entry in zip(range(_MOST_LISTED), entries, strict=False):
                hidden = entry.name.startswith(".") or entry.name.casefold().endswith(_UNFINISHED)
                if not hidden and (state := self.state(entry.name)) is not None:
                    found.append((state[2], entry.name))
        return [name for _, name in sorted(found)]

    def state(self, name: str) -> tuple[int, int, int] | None:
        """What changes when somebody writes to a file; None where there is no plain file of that name."""
        try:
            found = os.stat(name, dir_fd=self.number, follow_symlinks=False)
        except OSError:
            return None
        return _state(found) if stat.S_ISREG(found.st_mode) else None

    def read(self, name: str, most: int) -> DroppedContent | None:
        """Its content, where it has at most so many bytes; None where it is no plain file by now. Raises
        OSError where it cannot be read.
        """
        with os.fdopen(os.open(name, _FILE, dir_fd=self.number), "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                return None
            digest, kept = sha256(), bytearray()
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                if len(kept) <= most:
                    kept += chunk
        data = bytes(kept) if len(kept) <= most else None
        age = time.time() - found.st_mtime
        return DroppedContent(data, digest.hexdigest(), _state(found), age, found.st_ctime_ns)

    def place_of(self, content: DroppedContent) -> PutAwayFolder | None:
        """Where a file belongs that was looked at before and could not be moved: its receipt is younger than
        whatever happened to the file. None of any other: it is new, or was put here again.
        """
        for target in (self.done, self.refused):
            written = target.written(f"{content.digest}.txt")
            if written is not None and written > content.changed:
                return target
        return None

    def put_away(self, name: str, target: PutAwayFolder, digest: str, suffix: str = ".xml") -> None:
        """Move a file under the name of its content; it is kept from now on. Raises OSError."""
        moved = f"{digest}{suffix}"
        os.replace(name, moved, src_dir_fd=self.number, dst_dir_fd=target.number)
        os.utime(moved, dir_fd=target.number, follow_symlinks=False)

    def delete(self, name: str) -> None:
        """Delete a file that waits."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.number)


@contextmanager
def open_drop_folder(path: Path) -> Iterator[DropFolder]:
    """The folder, with `done` and `refused` made where they are not there. Raises OSError: it is not there,
    or what should be a folder of ours is a link.
    """
    with ExitStack() as stack:

        def opened(name: str | Path, above: int | None) -> int:
            flags = _FOLDER if above is not None else _FOLDER & ~os.O_NOFOLLOW  # who set it may use a link
            number = os.open(name, flags, dir_fd=above)
            stack.callback(os.close, number)
            return number

        folder = opened(path, None)
        for name in (DONE, REFUSED):
            with suppress(FileExistsError):
                os.mkdir(name, 0o750, dir_fd=folder)
        yield DropFolder(folder, PutAwayFolder(opened(DONE, folder)), PutAwayFolder(opened(REFUSED, folder)))


def _state(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns
