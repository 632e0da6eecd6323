"""Answers that would fill memory or keep us busy: limits are lowered here, so that all of it is small."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
import respx

from adapter.delivery.http.answer_body import (
    MAX_DEPTH,
    AnswerTooLarge,
    LayeredAnswer,
    parse_answer,
    read_answer,
)
from adapter.delivery.http.client import HospitalClient, NoResponse, post_json

BASE = "http://hospital.test/fhir"
TEXT = b'{"resourceType":"Bundle"}'


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # the same in every process that collects


class _Arriving(httpx.SyncByteStream):
    """A body as it arrives, in these pieces."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = iter(pieces)

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces


def _answer(*pieces: bytes, packed: str | None = None, status: int = 200) -> httpx.Response:
    headers = {"Content-Encoding": packed} if packed is not None else {}
    return httpx.Response(status, stream=_Arriving(pieces), headers=headers)


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": _gzip(TEXT),
    "X-GZIP": _gzip(TEXT),
    "deflate": zlib.compress(TEXT),
    "identity": TEXT,
    "": TEXT,
    "identity, gzip": _gzip(TEXT),
}


@pytest.mark.parametrize(("packed", "body"), PACKED.items(), ids=PACKED)
def test_one_layer_is_unpacked_however_it_arrives(packed: str, body: bytes) -> None:
    for pieces in ([body], [bytes([one]) for one in body], [b"", body, b""]):
        assert read_answer(_answer(*pieces, packed=packed), 100) == TEXT


def test_deflate_without_its_frame_is_unpacked() -> None:
    assert read_answer(_answer(_raw_deflate(TEXT), packed="deflate")) == TEXT


def test_gzip_in_several_members_and_filled_up_with_zeros_is_unpacked() -> None:
    body = _gzip(TEXT[:10]) + _gzip(TEXT[10:]) + b"\0\0\0"
    for pieces in ([body], [bytes([one]) for one in body]):
        assert read_answer(_answer(*pieces, packed="gzip")) == TEXT


def test_members_without_end_are_refused() -> None:
    with pytest.raises(AnswerTooLarge):
        read_answer(_answer(_gzip(b"") * 1_100, packed="gzip"))


@pytest.mark.parametrize(
    "packed", ["gzip, gzip", "gzip,deflate", "identity, gzip, x-gzip", "br", "zstd", "compress", "gzip, br"]
)
def test_more_than_one_layer_is_refused_before_anything_is_unpacked(packed: str) -> None:
    def never() -> Iterator[bytes]:
        raise AssertionError("was read")
        yield b""

    with pytest.raises(LayeredAnswer):
        read_answer(httpx.Response(200, stream=_Arriving(never()), headers={"Content-Encoding": packed}))


def test_layers_named_in_two_headers_are_counted_together() -> None:
    named = [("Content-Encoding", "gzip"), ("Content-Encoding", "gzip")]
    twice = _gzip(_gzip(TEXT))
    with pytest.raises(LayeredAnswer):
        read_answer(httpx.Response(200, stream=_Arriving([twice]), headers=named))


@pytest.mark.parametrize("packed", [None, "gzip", "deflate"])
def test_nothing_beyond_the_limit_is_ever_held(packed: str | None) -> None:
    plain = bytes(2_000_000)
    body = _gzip(plain) if packed == "gzip" else zlib.compress(plain) if packed else plain
    step = len(body) if packed else 1_000
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    answer = _answer(*pieces, packed=packed)
    tracemalloc.start()
    with pytest.raises(AnswerTooLarge):
        read_answer(answer, 10_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000
    assert packed is not None or sum(1 for _ in answer.stream.pieces) > 1_900  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [9_999, 10_000, 10_001])
@pytest.mark.parametrize("packed", [None, "gzip"])
def test_the_limit_is_exact(size: int, packed: str | None) -> None:
    body = _gzip(bytes(size)) if packed else bytes(size)
    if size > 10_000:
        with pytest.raises(AnswerTooLarge):
            read_answer(_answer(body, packed=packed), 10_000)
    else:
        assert len(read_answer(_answer(body, packed=packed), 10_000)) == size


def test_packed_bytes_that_unpack_to_nothing_end_too() -> None:
    packer = zlib.compressobj(wbits=31)
    empty_blocks = packer.compress(b"x") + packer.flush(zlib.Z_FULL_FLUSH) * 1 + b"\0\0\0\xff\xff" * 3_000
    with pytest.raises(AnswerTooLarge):
        read_answer(_answer(empty_blocks, packed="gzip"), 10_000)


@pytest.mark.parametrize("body", [b"no gzip", _gzip(TEXT)[:-3], _gzip(TEXT) + b"more"])
def test_what_does_not_unpack_is_no_answer(body: bytes) -> None:
    with pytest.raises(httpx.DecodingError):
        read_answer(_answer(body, packed="gzip"))


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"{}," * 200 + b"{}]",
        b'{"a":' + b"[0," * 200,
        b'{"entry":[' + b'{"resource":{"resourceType":"A"}},' * 100,
        b",".join(b'"a":1' for _ in range(202)),
    ],
)
def test_more_values_than_may_be_are_refused_before_they_are_made(body: bytes) -> None:
    with pytest.raises(AnswerTooLarge):
        parse_answer(body, 200)


def test_what_is_deeper_than_anything_walks_is_no_json() -> None:
    def nested(depth: int) -> bytes:
        return b'{"a":[' * (depth // 2) + b"]}" * (depth // 2)

    assert parse_answer(nested(MAX_DEPTH)) is not None
    assert parse_answer(nested(MAX_DEPTH + 2)) is None
    assert parse_answer(b"[" * 200_000) is None
    assert parse_answer(b"[" + b"[]," * 5_000 + b"[]]") is not None  # many, and none is deep


@pytest.mark.parametrize(
    ("body", "parsed"),
    [
        (rb'"\ud83d\ude00"', "😀"),
        (rb'"a\ud800b"', "a\ufffdb"),
        (rb'"\uDFFF\uD800"', "\ufffd\ufffd"),
        (rb'"\\ud800"', r"\ud800"),
        (b'"\xed\xa0\x80"', None),
        (b'\xef\xbb\xbf"x"', "x"),
        (b"NaN", None),
        (b"\xff", None),
    ],
)
def test_what_is_parsed_can_be_stored_and_shown(body: bytes, parsed: Any) -> None:
    assert parse_answer(body) == parsed


@respx.mock
@pytest.mark.parametrize(
    ("packed", "body", "why"),
    [
        ("gzip, gzip", _gzip(_gzip(TEXT)), "layered"),
        ("gzip", _gzip(TEXT)[:-3], "dropped"),
        (None, b"[" + b"{}," * 1_000_001 + b"{}]", "too-large"),
    ],
)
def test_a_client_says_why_there_is_no_answer(packed: str | None, body: bytes, why: str) -> None:
    respx.get(f"{BASE}/Patient/1").mock(side_effect=lambda _: _answer(body, packed=packed))
    with HospitalClient(BASE) as client:
        assert client.get("Patient/1") == NoResponse(may_have_arrived=True, why=why)  # type: ignore[arg-type]


@respx.mock
def test_only_gzip_is_asked_for() -> None:
    route = respx.get(f"{BASE}/Patient/1").respond(200, json={})
    with HospitalClient(BASE) as client:
        client.get("Patient/1")
    assert route.calls[0].request.headers["accept-encoding"] == "gzip"


@respx.mock
def test_a_search_that_finds_more_than_was_asked_for_is_given_up() -> None:
    entries = [{"resource": {"resourceType": "Patient", "id": str(one)}} for one in range(6)]
    page = {
        "resourceType": "Bundle",
        "entry": entries,
        "link": [{"relation": "next", "url": f"{BASE}/Patient?p"}],
    }
    route = respx.get(url__startswith=f"{BASE}/Patient").respond(200, json=page)
    with HospitalClient(BASE) as client:
        *good, last = client.pages("Patient?identifier=a", max_pages=20, max_matches=20)
    assert [len(one.body) for one in good if not isinstance(one, NoResponse)] == [6, 6, 6]
    assert last == NoResponse(may_have_arrived=True, why="too-large")
    assert route.call_count == 4


@respx.mock
@pytest.mark.parametrize(("packed", "body"), [("gzip, gzip", b""), ("gzip", _gzip(bytes(1_000_001)))])
def test_what_a_webhook_answers_is_bounded_too(packed: str, body: bytes) -> None:
    respx.post("http://hook.test/").mock(side_effect=lambda _: _answer(body, packed=packed))
    assert post_json("http://hook.test/", b"{}", None, 5) == (0, b"")
