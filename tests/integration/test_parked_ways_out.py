"""Nothing is parked without a way out: for each reason, what ends it once its cause is gone."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from integration.test_delivery import NAME, Site, family
from integration.test_delivery_ways import BATCH

from adapter.database import open_database, write_transaction
from adapter.delivery.decisions.response_verdicts import PARK_REASONS
from adapter.ledger.parking import ParkedSelection, ParkedStore
from adapter.ledger.schema.states import EntryState
from adapter.testing import CAPABLE_SERVER, FakeHospital
from adapter.testing.faults import entry_answer

Cause = Callable[[FakeHospital], Callable[[], Any]]  # brings it about; what it gives takes it away again


@pytest.fixture
def site(sqlite_url: str) -> Iterator[Site]:
    engine = open_database(sqlite_url)
    yield Site(engine)
    engine.dispose()


def _entries(status: int, code: str | None = None) -> Cause:
    """The hospital answers every entry so."""

    def cause(hospital: FakeHospital) -> Callable[[], Any]:
        hospital.entry_answers = [lambda _entry: entry_answer(status, code)] * 1000
        return hospital.entry_answers.clear

    return cause


def _too_large(hospital: FakeHospital) -> Callable[[], Any]:
    hospital.max_entries = 0
    return lambda: setattr(hospital, "max_entries", 1000)


def _missing(hospital: FakeHospital) -> Callable[[], Any]:
    said = entry_answer(422, "business-rule")
    said["response"]["outcome"]["issue"][0]["diagnostics"] = "Resource Patient/9 not found, specified in path"
    hospital.entry_answers = [lambda _entry: said] * 1000
    return hospital.entry_answers.clear


CAUSES: dict[str, Cause] = {
    "refused": _entries(422, "business-rule"),
    "not-supported": _entries(501, "not-supported"),
    "too-large": _too_large,
    "server-error": _entries(500, "exception"),
    "conflict": _entries(409, "conflict"),
    "missing-reference": _missing,
    "multiple-matches": _entries(412, "multiple-matches"),
}
# Two resources under one identifier: `adapter reconcile --repair` ends it (test_reconcile.py, a second copy).
BY_REPAIR = {"duplicates"}


def test_every_reason_has_its_way_out() -> None:
    assert CAUSES.keys() | BY_REPAIR == set(PARK_REASONS)


@pytest.mark.parametrize("leaves", [False, True], ids=["released", "no longer wished for"])
@pytest.mark.parametrize("reason", CAUSES)
def test_what_is_parked_goes_once_its_cause_is_gone(site: Site, reason: str, leaves: bool) -> None:
    end = CAUSES[reason](site.hospital)
    card = BATCH if reason in ("not-supported", "server-error") else CAPABLE_SERVER
    site.wish("c1", *family("c1", 1))
    for _ in range(12):
        site.deliver(card=card, patience=4000)
        site.clock.advance(hours=1)
        site.ledger.hospitals.allow_probe(NAME, site.clock())
    parked = {one.reason for one in site.ledger.entries(NAME, ["c1"])["c1"] if one.state is EntryState.PARKED}
    assert reason in parked
    end()
    if leaves:
        site.wish("c1")
        site.deliver(card=card, patience=4000)
        assert set(site.states()) <= {EntryState.RETRACTED}
        return
    for _ in range(2):  # what refers to another goes when that is there
        with write_transaction(site.engine) as connection:
            ParkedStore(site.engine).release(connection, ParkedSelection(NAME), None, site.clock())
        site.deliver(card=card, patience=4000)
    assert site.states() == {EntryState.DELIVERED: 2}
