"""A large resource goes in the way that was seen to take it, by itself or in a Bundle; else it is parked."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from integration.test_delivery import NAME, Site, desired, observation, patient

from adapter.database import open_database, write_transaction
from adapter.ledger.parking import ParkedSelection, ParkedStore
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import DesiredResource
from adapter.testing import CAPABLE_SERVER, FakeHospital

_UNPAIRED = replace(CAPABLE_SERVER, paired=False, max_single_bytes=2_000, max_bytes=9_000)


@pytest.fixture
def site(sqlite_url: str) -> Iterator[Site]:
    engine = open_database(sqlite_url)
    yield Site(engine)
    engine.dispose()


def _padded(key: str, size: int) -> DesiredResource:
    return desired("Patient", 0, key, {"text": {"status": "generated", "div": "x" * size}})


def test_what_is_larger_than_a_single_body_goes_in_a_bundle_that_takes_more(site: Site) -> None:
    site.hospital.max_single_bytes = 2_000
    site.wish("c1", _padded("c1", 5_000), observation("c1-0", "c1"))
    site.deliver(card=_UNPAIRED)
    assert site.states() == {EntryState.DELIVERED: 2}
    assert [request.url.path.endswith("/fhir") for request in site.hospital.requests] == [True, False]


def test_what_is_larger_than_a_bundle_goes_by_itself_where_that_takes_more(site: Site) -> None:
    site.hospital.max_bundle_bytes = 2_000
    site.wish("c1", _padded("c1", 5_000), observation("c1-0", "c1"))
    site.deliver(card=replace(CAPABLE_SERVER, max_single_bytes=9_000, max_bytes=2_000))
    assert site.states() == {EntryState.DELIVERED: 2}
    assert site.hospital.writes == 2


@pytest.mark.parametrize("bundles", [False, True])
def test_what_neither_takes_is_parked_and_sent_once_the_hospital_takes_more(
    site: Site, bundles: bool
) -> None:
    site.hospital.max_single_bytes = site.hospital.max_bundle_bytes = 2_000
    card = _UNPAIRED if bundles else replace(_UNPAIRED, transaction=False, batch=False, max_bytes=None)
    site.wish("c1", _padded("c1", 5_000))
    site.deliver(card=card)
    assert [one.reason for one in site.ledger.entries(NAME, ["c1"])["c1"]] == ["too-large"]
    site.hospital.max_single_bytes = site.hospital.max_bundle_bytes = None
    with write_transaction(site.engine) as connection:
        ParkedStore(site.engine).release(connection, ParkedSelection(NAME, "too-large"), None, site.clock())
    site.deliver(card=card)
    assert site.states() == {EntryState.DELIVERED: 1}


class _Silent(FakeHospital):
    """Breaks the line instead of saying that a body is too large."""

    most = 2_000

    def answer(self, request: httpx.Request) -> httpx.Response:
        if len(request.content) > self.most:
            raise httpx.ReadError("gone", request=request)
        return super().answer(request)


@pytest.mark.parametrize("measured", [2_000, None])
def test_what_breaks_the_line_is_parked_where_nothing_as_large_was_ever_taken(
    site: Site, measured: int | None
) -> None:
    site.hospital = hospital = _Silent()
    card = replace(_UNPAIRED, transaction=False, batch=False, max_bytes=None, max_single_bytes=measured)
    site.wish("c1", _padded("c1", 5_000))
    site.wish("c2", patient("c2"))

    def deliver() -> None:
        site.deliver(card=card, patience=4_000)
        site.clock.advance(hours=1)
        site.ledger.hospitals.allow_probe(NAME, site.clock())

    deliver()
    deliver()
    [large] = site.ledger.entries(NAME, ["c1"])["c1"]
    if measured is None:
        assert large.state is not EntryState.PARKED
        return
    assert (large.state, large.reason) == (EntryState.PARKED, "too-large")
    hospital.most = 10_000
    with write_transaction(site.engine) as connection:
        ParkedStore(site.engine).release(connection, ParkedSelection(NAME, "too-large"), None, site.clock())
    deliver()
    assert site.states() == {EntryState.DELIVERED: 2}
