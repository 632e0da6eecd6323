"""What a server says goes into the ledger, whatever it says: on both databases, and nothing is dropped."""

import re
from collections.abc import Callable

import httpx
import pytest
from integration.test_delivery import NAME, Site, family, observation
from sqlalchemy import Engine

from adapter.fhir.bundle import normalised_etag, server_id
from adapter.ledger.schema.states import EntryState
from adapter.testing import drops


@pytest.fixture
def site(engine: Engine) -> Site:
    return Site(engine)


def garbled(site: Site, change: Callable[[bytes], bytes]) -> None:
    """Every answer of the hospital is changed so before it leaves."""
    handle = site.hospital.handle

    def handled(request: httpx.Request) -> httpx.Response:
        answer = handle(request)
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return httpx.Response(answer.status_code, content=change(answer.content), headers=headers)

    site.hospital.handle = handled  # type: ignore[method-assign]


@pytest.mark.parametrize("said", ["\\u0000", "\\ud800", "\\u001b[31m"])
def test_a_refusal_in_odd_characters_parks_what_it_refuses(site: Site, said: str) -> None:
    site.hospital.refuses = lambda resource: resource.get("valueQuantity", {}).get("value") == 999
    garbled(site, lambda body: body.replace(b"refused by", b"refused" + said.encode() + b" by"))
    site.wish("c1", *family("c1", 3), observation("bad", "c1", "999"))
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 4, EntryState.PARKED: 1}
    parked = next(one for one in site.ledger.entries(NAME, ["c1"])["c1"] if one.state is EntryState.PARKED)
    assert "refused" in (parked.detail or "")
    assert (parked.detail or "").isprintable()


def test_a_version_of_any_length_delivers(site: Site) -> None:
    long = b"v" * 210
    garbled(site, lambda body: re.sub(rb'W/\\"(\d+)\\"', rb'W/\\"' + long + rb'\1\\"', body))
    site.wish("c1", *family("c1", 3))
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 4}


def test_an_id_that_no_url_takes_is_never_spoken_of_and_nothing_is_doubled(site: Site) -> None:
    """Then there is no saying what is there, and the ledger says so, until the server can be read."""
    site.hospital.faults_after_commit = [drops]  # type: ignore[list-item]
    handle = site.hospital.handle
    garbled(site, lambda body: re.sub(rb'"id":\s*"(s\d+)"', rb'"id":"\1 and more"', body))
    site.wish("c1", *family("c1", 3))
    for _ in range(3):
        site.deliver()
        site.clock.advance(days=1)
    assert site.states() == {EntryState.UNKNOWN: 4}
    assert site.hospital.writes == 1
    site.hospital.handle = handle  # type: ignore[method-assign]
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 4}
    assert (site.hospital.writes, len(site.hospital.resources)) == (1, 4)


@pytest.mark.parametrize(
    ("said", "etag"),
    [
        ('W/"1"', 'W/"1"'), ("1", 'W/"1"'), ("", None), ("v" * 191, None), ("a\x00b", None), ("a b", None),
        (7, None),
    ],
)  # fmt: skip
def test_an_etag_is_kept_where_it_can_be_sent_back(said: object, etag: str | None) -> None:
    assert normalised_etag(said) == etag


@pytest.mark.parametrize(
    ("said", "id_"),
    [
        ("a-1.B", "a-1.B"), ("a_1", "a_1"), ("a" * 65, None), ("a/b", None), ("a b", None), ("\x00", None),
        (5, None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_an_id_is_kept_where_it_can_be_written_in_a_url(said: object, id_: str | None) -> None:
    assert server_id({"id": said}) == id_
