"""The body of an answer, within bounds: unpacked as it arrives, counted before it is parsed.

httpx unpacks whatever layers a server names, each chunk as far as it goes: a few kilobytes can be gigabytes
before anybody may say that it is too much.
"""

import re
import zlib
from typing import Any, Final

import httpx

from adapter.fhir import codec

__all__ = [
    "ACCEPTED_ENCODING",
    "MAX_ANSWER",
    "AnswerTooLarge",
    "LayeredAnswer",
    "parse_answer",
    "read_answer",
]

MAX_ANSWER: Final = 20_000_000  # bytes, as they arrive and unpacked: an endless or exploding body ends here
MAX_VALUES: Final = 1_000_000  # of one answer's JSON; FHIR has some twenty bytes a value
MAX_DEPTH: Final = 100  # of one answer's JSON: what walks through it must come back
ACCEPTED_ENCODING: Final = "gzip"
_UNPACKED_BY: Final = {
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}
_SURROGATE: Final = rb"u[dD][%s][0-9a-fA-F]{2}"
_HIGH, _LOW = _SURROGATE % b"89abAB", _SURROGATE % b"c-fC-F"
_ESCAPE: Final = re.compile(rb"\\(?:%s\\%s|(?P<half>%s|%s)|.)" % (_HIGH, _LOW, _HIGH, _LOW))
_MAX_MEMBERS: Final = 1_000  # of a gzip file: some servers write one for every block


class AnswerTooLarge(httpx.HTTPError):
    """A body that is longer than may be, packed or unpacked."""


class LayeredAnswer(httpx.HTTPError):
    """A body that is packed more than once, or in a way that was not asked for."""


def read_answer(response: httpx.Response, limit: int = MAX_ANSWER) -> bytes:
    """The body of a streamed response, unpacked if it is packed once; holds at most `limit` bytes of it.

    Raises AnswerTooLarge, LayeredAnswer, httpx.DecodingError for what does not unpack, and what httpx does.
    """
    layers = _layers(response.headers.get_list("content-encoding", split_commas=True))
    if len(layers) > 1 or not set(layers) <= set(_UNPACKED_BY):
        raise LayeredAnswer("packed more than once, or in a way that was not asked for")
    unpacker = _Unpacker(_UNPACKED_BY[layers[0]], limit) if layers else None
    body, arrived = bytearray(), 0
    for chunk in response.stream:  # type: ignore[union-attr]  # of a synchronous client
        arrived += len(chunk)
        if arrived > limit:
            raise AnswerTooLarge("longer than may be")
        body += unpacker.unpack(chunk) if unpacker else chunk
    if unpacker:
        unpacker.end()
    return bytes(body)


def _layers(named: list[str]) -> list[str]:
    return [one for name in named if (one := name.strip().lower()) and one != "identity"]


class _Unpacker:
    """Unpacks chunks, at most `limit` bytes in all."""

    def __init__(self, window: int, limit: int) -> None:
        self._window, self._left, self._members = window, limit, 1
        self._inner: Any = zlib.decompressobj(window)
        self._begun = False

    def unpack(self, chunk: bytes) -> bytes:
        """Raises AnswerTooLarge, httpx.DecodingError."""
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
                if self._window != zlib.MAX_WBITS or self._begun:
                    raise httpx.DecodingError("does not unpack") from error
                self._window = -zlib.MAX_WBITS  # deflate without its frame, as some servers write it
                self._inner = zlib.decompressobj(self._window)
                continue
            self._begun = True
            if len(unpacked) > self._left or self._inner.unconsumed_tail:
                raise AnswerTooLarge("unpacks to more than may be")
            chunk = self._inner.unused_data
        self._left -= len(unpacked)
        return bytes(unpacked)

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise AnswerTooLarge("packed in too many parts")
        self._inner = zlib.decompressobj(self._window)

    def end(self) -> None:
        """Raises httpx.DecodingError where the packed body ends too early; one without anything is empty."""
        if self._begun and not self._inner.eof:
            raise httpx.DecodingError("ends too early")


def parse_answer(content: bytes, max_values: int = MAX_VALUES) -> Any:
    """The JSON of a body, None where it is none that can be worked with: not JSON in UTF-8, or deeper than
    MAX_DEPTH. Half a surrogate pair, which nobody can store or show, becomes U+FFFD. Raises AnswerTooLarge
    for more than `max_values` values, before any is made.
    """
    opened = content.count(b"{") + content.count(b"[")
    if opened + content.count(b",") > max_values:
        raise AnswerTooLarge("of more values than may be")
    try:
        body = codec.loads(_ESCAPE.sub(_whole, content).decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    return body if opened <= MAX_DEPTH or _depth_is_bounded(body) else None


def _whole(found: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if found["half"] else found[0]


def _depth_is_bounded(value: object) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return True
    return False
