"""MLLP's frames (HL7 v2 Transport Specification: MLLP, Release 1): <VT> message <FS><CR>. Pure, and
bounded.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Frame", "FrameScanner", "framed"]

_START: Final = b"\x0b"
_END: Final = b"\x1c"
_KEPT: Final = 4_000  # bytes of what is too long: enough for its header


@dataclass(frozen=True, slots=True)
class Frame:
    """A message, or (`is_too_long`) its beginning."""

    data: bytes
    is_too_long: bool = False


@dataclass(slots=True)
class FrameScanner:
    """Finds the frames in what arrives. It holds at most `max_bytes` and what it was last fed. What stands
    between frames is passed over; a frame that begins anew was broken off, and never acknowledged.
    """

    max_bytes: int
    _held: bytearray = field(default_factory=bytearray)
    _is_inside: bool = False
    _is_too_long: bool = False

    @property
    def is_inside(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._is_inside

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that end in `data`."""
        while data:
            if not self._is_inside:
                _, mark, data = data.partition(_START)
                if mark:
                    self._begin()
                continue
            end, start = data.find(_END), data.find(_START)
            if start >= 0 and (end < 0 or start < end):
                data = data[start + 1 :]
                self._begin()
            elif end >= 0:
                self._hold(data[:end])
                data = data[end + 1 :]
                yield self._ended()
            else:
                self._hold(data)
                data = b""

    def _begin(self) -> None:
        self._held.clear()
        self._is_inside, self._is_too_long = True, False

    def _hold(self, data: bytes) -> None:
        if not self._is_too_long:
            self._held += data
            if len(self._held) > self.max_bytes:
                self._is_too_long = True
                del self._held[_KEPT:]

    def _ended(self) -> Frame:
        found = Frame(bytes(self._held), self._is_too_long)
        self._held = bytearray()  # lets go of the memory, too
        self._is_inside = self._is_too_long = False
        return found


def framed(message: bytes) -> bytes:
    """The message in a frame."""
    return _START + message + _END + b"\r"
