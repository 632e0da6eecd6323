"""What is parked: listed by cause, released by cause, hospital or record; what is old is not replayed."""

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from centre_states import CentreStates
from ledger_books import START, Books, wish
from sqlalchemy import Engine, select

from adapter import audit
from adapter.database import read_transaction
from adapter.errors import PlanChanged, UsageError
from adapter.insights import parked
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.operations.operation import OperationContext
from adapter.operations.release import ReleaseParked
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.too_old import park_outdated
from adapter.settings import HospitalSettings, Settings, load_settings
from adapter.testing import ADAPTER, Centre

DAY = timedelta(days=1)
NAMES = ("bv", "bv2")


@pytest.fixture
def adapter(engine: Engine, tmp_path: Path) -> Adapter:
    (tmp_path / "identity.key").write_text("0123456789abcdef" * 4)
    hospitals = {
        name: HospitalSettings(display=name, level="central", base_url="http://hospital.test")
        for name in NAMES
    }
    return Adapter(Settings(identity_key=f"file:{tmp_path / 'identity.key'}", hospitals=hospitals), engine)


@pytest.fixture
def books(adapter: Adapter) -> Books:
    """Six parked in three ways at one hospital, one at the other."""
    books = Books(adapter.engine)
    referral, bad = wish("r", type_="ServiceRequest"), wish("bad", problem="no code")
    books.wish(wish("a"), wish("b"), referral, bad, wish("fine"))
    books.send(wish("a"), referral, event=EntryEvent.REFUSE, reason="refused")
    books.ledger.hospitals.record_success("bv", books.now)
    books.wish(wish("a"), wish("b", "v2"), referral, bad, wish("fine"))
    books.send(wish("b", "v2"), event=EntryEvent.REFUSE, reason="multiple-matches")
    books.wish(wish("c"), cadre="c2")
    books.ledger.shipments.finish(books.claim(), None, books.now)
    other = Books(adapter.engine, "bv2")
    other.wish(wish("a2"))
    other.send(wish("a2"), event=EntryEvent.REFUSE, reason="refused")
    return books


def words(found: Sequence[parked.ParkedCause]) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {(one.hospital, one.reason): (one.released, one.too_old, one.kept) for one in found}


def let_go(
    adapter: Adapter,
    at: datetime,
    words: Sequence[str],
    reason: str | None = None,
    *,
    everything: bool = False,
) -> Sequence[parked.ParkedCause]:
    """A person releases what is parked."""
    operation = ReleaseParked(tuple(words), reason, everything)
    return operation.perform(OperationContext(adapter, "cli:it", lambda: at))


def test_what_is_parked_is_counted_by_cause_with_the_command_that_helps(
    adapter: Adapter, books: Books
) -> None:
    found = parked.parked_causes(adapter, parked.select_parked(adapter, [], everything=True), books.now)
    assert words(found) == {
        ("bv", "refused"): (2, 0, 0),
        ("bv", "multiple-matches"): (1, 0, 0),
        ("bv", "invalid"): (0, 0, 1),
        ("bv2", "refused"): (1, 0, 0),
    }
    first = found[0]  # the one with a referral
    assert (first.hospital, first.reason, first.referrals) == ("bv", "refused", 1)
    assert first.command == "adapter release bv --reason refused"
    assert first.since == START + timedelta(seconds=1)
    assert next(one for one in found if one.reason == "invalid").command is None


def test_a_release_by_cause_takes_that_cause_alone_and_wakes_its_shipment(
    adapter: Adapter, books: Books
) -> None:
    lease = None
    let_go(adapter, books.now, ["bv"], "refused")
    assert {key: books.entry(key).state for key in ("a", "r", "b", "bad")} == {
        "a": EntryState.PENDING,
        "r": EntryState.PENDING,
        "b": EntryState.PARKED,
        "bad": EntryState.PARKED,
    }
    assert (books.entry("a").reason, books.entry("a").attempts) == (None, 0)
    assert books.steps("a")[-1] == (EntryState.PENDING, "released")
    lease = books.claim()
    assert lease.cadre == "c1"
    assert books.entry("a").body == b"v1"
    books.start(lease, wish("a"))
    assert Books(adapter.engine, "bv2").entry("a2").state is EntryState.PARKED


def test_a_release_of_everything_leaves_what_is_not_valid(adapter: Adapter, books: Books) -> None:
    done = let_go(adapter, books.now, [], everything=True)
    assert sum(one.released for one in done) == 4
    assert books.entry("bad").state is EntryState.PARKED
    assert books.entry("bad").reason == "invalid"
    assert Books(adapter.engine, "bv2").entry("a2").state is EntryState.PENDING


def test_one_record_is_released_by_its_key(adapter: Adapter, books: Books) -> None:
    let_go(adapter, books.now, ["a"])
    assert books.entry("a").state is EntryState.PENDING
    assert books.entry("r").state is EntryState.PARKED


@pytest.mark.parametrize("said", [((), None), (("nobody",), None)])
def test_a_release_of_nothing_says_so(
    adapter: Adapter, books: Books, said: tuple[tuple[str, ...], str | None]
) -> None:
    with pytest.raises(UsageError):
        parked.select_parked(adapter, *said)


def test_a_cause_that_does_not_exist_is_a_mistake(adapter: Adapter) -> None:
    with pytest.raises(UsageError, match="refusd"):
        parked.select_parked(adapter, [], "refusd")
    assert parked.select_parked(adapter, [], "too-large")


def test_what_is_not_valid_is_not_released_by_its_key_either(adapter: Adapter, books: Books) -> None:
    let_go(adapter, books.now, ["bad"])
    assert books.entry("bad").state is EntryState.PARKED
    books.wish(wish("a"), wish("b", "v2"), wish("r", type_="ServiceRequest"), wish("bad"), wish("fine"))
    assert books.entry("bad").state is EntryState.PENDING  # the checker finds it valid now


def test_releases_are_audited_without_a_key(adapter: Adapter, books: Books) -> None:
    let_go(adapter, books.now, ["bv"], "refused")
    let_go(adapter, books.now, ["b"])
    table = audit.audit.c
    query = select(table.actor, table.hospital, table.subject, table.details).where(
        table.action == "parked.released"
    )
    with read_transaction(adapter.engine) as connection:
        by_cause, by_key = connection.execute(query.order_by(table.seq)).all()
    assert tuple(by_cause[:3]) == ("cli:it", "bv", None)
    assert json.loads(by_cause.details) == {"reason": "refused", "released": 2, "too_old": 0}
    assert by_key.subject == adapter.audit_subject("c1")
    assert '"b"' not in by_key.details


def test_what_never_arrived_for_weeks_waits_for_a_word(adapter: Adapter, books: Books) -> None:
    later = books.now + 31 * DAY
    assert park_outdated(adapter, "bv", books.now + 29 * DAY) == 0
    assert park_outdated(adapter, "bv", later) == 2  # "fine" and "c"; what is parked is parked
    assert books.entry("fine").state is EntryState.PARKED
    assert books.steps("fine")[-1] == (EntryState.PARKED, "too-old")
    assert park_outdated(adapter, "bv", later) == 0
    everything = parked.select_parked(adapter, ["bv"])
    assert words(parked.parked_causes(adapter, everything, later))["bv", "too-old"] == (0, 0, 2)
    meant = parked.select_parked(adapter, ["bv"], "too-old")
    assert words(parked.parked_causes(adapter, meant, later)) == {("bv", "too-old"): (2, 0, 0)}
    let_go(adapter, later, ["bv"], "too-old")
    assert books.entry("fine").state is EntryState.PENDING
    assert park_outdated(adapter, "bv", later + 29 * DAY) == 0  # as of the release


def test_what_was_parked_long_ago_is_not_replayed_by_cause(adapter: Adapter, books: Books) -> None:
    later = books.now + 31 * DAY
    by_cause = parked.select_parked(adapter, ["bv"], "refused")
    assert words(parked.parked_causes(adapter, by_cause, later)) == {("bv", "refused"): (0, 2, 0)}
    let_go(adapter, later, ["bv"], "refused")
    assert {(books.entry(key).state, books.entry(key).reason) for key in ("a", "r")} == {
        (EntryState.PARKED, "too-old")
    }
    let_go(adapter, later, ["a"])
    assert books.entry("a").state is EntryState.PENDING  # asked for by name


def test_people_new_wishes_and_retractions_are_never_too_old(adapter: Adapter) -> None:
    books = Books(adapter.engine)
    person = wish("p", type_="Patient")
    books.wish(person, wish("a"), wish("gone"))
    lease = books.claim()
    books.start(lease, wish("gone"))
    books.give_back(lease)
    books.wish(person, wish("a"))
    books.now += 31 * DAY
    books.wish(person, wish("a", "v2"))  # corrected today
    assert park_outdated(adapter, "bv", books.now) == 0
    states = {key: books.entry(key).state for key in ("p", "a", "gone")}
    assert states == {"p": EntryState.PENDING, "a": EntryState.PENDING, "gone": EntryState.RETRACTING}


def test_no_limit_means_that_everything_goes(adapter: Adapter, books: Books) -> None:
    hospitals = {"bv": adapter.settings.hospital("bv").model_copy(update={"max_age_days": 0})}
    unlimited = Adapter(adapter.settings.model_copy(update={"hospitals": hospitals}), adapter.engine)
    assert park_outdated(unlimited, "bv", books.now + 999 * DAY) == 0


def test_a_worker_that_has_read_what_became_too_old_does_not_send_it(adapter: Adapter) -> None:
    books = Books(adapter.engine)
    books.wish(wish("a"))
    lease = books.claim()
    assert park_outdated(adapter, "bv", books.now + 31 * DAY) == 1
    with pytest.raises(PlanChanged):
        books.start(lease, wish("a"))
    assert books.entry("a").state is EntryState.PARKED


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    centre_states.put_empty(tmp_path)
    centre = Centre(tmp_path)
    yield centre
    centre.close()


def asked_on_a_terminal(centre: Centre, answer: str) -> int:
    """Release what a hospital refused, where somebody is there to be asked."""
    ours, theirs = os.openpty()
    with os.fdopen(ours, "wb", buffering=0) as keyboard, os.fdopen(theirs) as terminal:
        keyboard.write(f"{answer}\n".encode())
        done = subprocess.run(
            [ADAPTER, "release", "bv-tinh"],
            cwd=centre.folder,
            env=centre.environment,
            stdin=terminal,
            capture_output=True,
            timeout=120,
            check=False,
        )
    return done.returncode


def test_the_commands(centre: Centre) -> None:
    centre.run("status")
    with Adapter.open(load_settings(centre.folder / "adapter.toml")) as adapter:
        books = Books(adapter.engine, "bv-tinh")
        books.wish(wish("a"), wish("bad", problem="no code"))
        books.send(wish("a"), event=EntryEvent.REFUSE, reason="refused")
        listed = centre.run("parked")
        assert "adapter release bv-tinh --reason refused" in listed
        asked = centre.attempt("release", "bv-tinh")
        assert asked.returncode == 2  # nobody there to ask
        assert "--yes" in asked.stderr
        assert centre.attempt("release", "--yes").returncode == 2
        would = centre.run_json("release", "bv-tinh", "--dry-run")
        assert would["released"] is False
        assert {one["reason"]: one["released"] for one in would["causes"]} == {"refused": 1, "invalid": 0}
        assert books.entry("a").state is EntryState.PARKED
        assert asked_on_a_terminal(centre, "n") == 0
        assert books.entry("a").state is EntryState.PARKED
        assert asked_on_a_terminal(centre, "y") == 0
        assert books.entry("a").state is EntryState.PENDING
        books.send(wish("a"), event=EntryEvent.REFUSE, reason="refused")
        said = centre.run("release", "bv-tinh", "--yes", "--lang", "vi")
        assert "không hợp lệ" in said
        assert books.entry("a").state is EntryState.PENDING
        assert centre.run_json("release", "bv-tinh", "--yes")["released"] is False
