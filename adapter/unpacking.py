"""Unpacking what strangers packed, within a bound: a few kilobytes can be gigabytes before anybody may say
that it is too much.
"""

import zlib
from typing import Any, Final

__all__ = [
    "DEFLATE",
    "GZIP",
    "BadPackingError",
    "BoundedUnpacker",
    "TooManyMembersError",
    "UnpackedTooLongError",
]

GZIP: Final = 16 + zlib.MAX_WBITS  # windows as zlib has them
DEFLATE: Final = zlib.MAX_WBITS
_MAX_MEMBERS: Final = 1_000  # of a gzip file: some writers make one for every block (RFC 1952, 2.2)


class UnpackedTooLongError(Exception):
    """More comes out of it than may."""


class BadPackingError(Exception):
    """It does not unpack."""


class TooManyMembersError(BadPackingError):
    """It is packed in very many parts, of which each costs more to begin than it takes to send."""


class BoundedUnpacker:
    """Unpacks chunks, at most `limit` bytes in all. `window` is GZIP or DEFLATE; deflate may come without its
    frame, as some servers write it.
    """

    def __init__(self, window: int, limit: int) -> None:
        self._window, self._left, self._members = window, limit, 1
        self._inner: Any = zlib.decompressobj(window)
        self.has_begun = False

    @property
    def is_whole(self) -> bool:
        """Whether what came so far ends where it may."""
        return bool(self._inner.eof)

    def unpack(self, chunk: bytes) -> bytes:
        """Raises UnpackedTooLongError and BadPackingError."""
        unpacked = bytearray()
        while chunk:
            if self._inner.eof:
                chunk = chunk.lstrip(b"\0")  # some writers fill up with them
                if not chunk:
                    break
                self._next_member()
            try:
                unpacked += self._inner.decompress(chunk, self._left - len(unpacked) + 1)
            except zlib.error as error:
                if self._window != DEFLATE or self.has_begun:
                    raise BadPackingError from error
                self._window = -DEFLATE
                self._inner = zlib.decompressobj(self._window)
                continue
            self.has_begun = True
            if len(unpacked) > self._left or self._inner.unconsumed_tail:
                raise UnpackedTooLongError
            chunk = self._inner.unused_data
        self._left -= len(unpacked)
        return bytes(unpacked)

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise TooManyMembersError
        self._inner = zlib.decompressobj(self._window)
