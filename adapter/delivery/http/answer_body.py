"""The body of an answer, within bounds: unpacked as it arrives, counted before it is parsed.

httpx unpacks whatever layers a server names, each chunk as far as it goes: a few kilobytes can be gigabytes
before anybody may say that it is too much.
"""

import re
from typing import Any, Final

import httpx

from adapter.fhir import codec
from adapter.unpacking import (
    DEFLATE,
    GZIP,
    BadPackingError,
    BoundedUnpacker,
    TooManyMembersError,
    UnpackedTooLongError,
)

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
    "gzip": GZIP,
    "x-gzip": GZIP,
    "deflate": DEFLATE,
}
_SURROGATE: Final = rb"u[dD][%s][0-9a-fA-F]{2}"
_HIGH, _LOW = _SURROGATE % b"89abAB", _SURROGATE % b"c-fC-F"
_ESCAPE: Final = re.compile(rb"\\(?:%s\\%s|(?P<half>%s|%s)|.)" % (_HIGH, _LOW, _HIGH, _LOW))


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
    unpacker = BoundedUnpacker(_UNPACKED_BY[layers[0]], limit) if layers else None
    body, arrived = bytearray(), 0
    for chunk in response.stream:  # type: ignore[union-attr]  # of a synchronous client
        arrived += len(chunk)
        if arrived > limit:
            raise AnswerTooLarge("longer than may be")
        body += _unpacked(unpacker, chunk) if unpacker else chunk
    if unpacker and unpacker.has_begun and not unpacker.is_whole:  # one without anything is empty
        raise httpx.DecodingError("ends too early")
    return bytes(body)


def _unpacked(unpacker: BoundedUnpacker, chunk: bytes) -> bytes:
    try:
        return unpacker.unpack(chunk)
    except (UnpackedTooLongError, TooManyMembersError) as error:
        raise AnswerTooLarge("unpacks to more, or from more parts, than may be") from error
    except BadPackingError as error:
        raise httpx.DecodingError("does not unpack") from error


def _layers(named: list[str]) -> list[str]:
    return [one for name in named if (one := name.strip().lower()) and one != "identity"]


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
