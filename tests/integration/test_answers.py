"""A referral that a hospital has, and that nothing came back for, is something a person must know."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import inbox_centre
import pytest
from ledger_books import START, Books, wish
from sqlalchemy import Engine, update

from adapter.database import write_transaction
from adapter.insights.problems import Problem, current_problems
from adapter.insights.unanswered import unanswered_referrals
from adapter.ledger.schema.states import EntryEvent
from adapter.ledger.schema.values import DeliveryOutcome
from adapter.pipeline.application import Adapter
from adapter.records.tables import record
from adapter.settings import AlarmSettings, HospitalSettings, Settings
from adapter.testing import Centre

DAY = timedelta(days=1)
NAME = "bv-tinh"
FIRST, SECOND = (wish(key, type_="ServiceRequest") for key in ("GT-1", "GT-2"))


@pytest.fixture
def people(engine: Engine) -> inbox_centre.Centre:
    return inbox_centre.Centre(engine)


@pytest.fixture
def adapter(engine: Engine, tmp_path: Path) -> Adapter:
    (tmp_path / "identity.key").write_text("0123456789abcdef" * 4)
    settings = Settings(
        identity_key=f"file:{tmp_path / 'identity.key'}",
        hospitals={NAME: HospitalSettings(display=NAME, level="provincial", base_url="http://hospital.test")},
        alarm=AlarmSettings(disk_free_mb=0),
    )
    settings._folder = tmp_path
    (tmp_path / "data").mkdir()
    return Adapter(settings, engine)


@pytest.fixture
def books(engine: Engine) -> Books:
    """Both referrals are at the hospital since START."""
    books = Books(engine, NAME)
    books.wish(FIRST, SECOND)
    lease = books.claim()
    books.start(lease, FIRST, SECOND)
    books.settle(
        lease,
        *(DeliveryOutcome(one.identity, EntryEvent.CONFIRM, remote_id=one.key) for one in (FIRST, SECOND)),
    )
    books.give_back(lease)
    books.ledger.hospitals.record_success(NAME, books.now)
    return books


def told(adapter: Adapter, books: Books) -> Problem | None:
    return next((one for one in current_problems(adapter, books.now) if one.code == "unanswered"), None)


def answer(identity: str, type_: str = "DiagnosticReport", status: str = "final") -> dict[str, Any]:
    return {
        "resourceType": type_,
        "identifier": [{"system": "urn:his:report", "value": identity}],
        "status": status,
        "code": {"text": "Siêu âm tim"},
        "basedOn": [{"identifier": {"system": inbox_centre.OURS, "value": identity}}],
    }


def test_a_referral_that_nothing_came_back_for_is_found_until_its_result_is_there(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    books.now += 29 * DAY
    assert told(adapter, books) is None
    books.now += 2 * DAY
    problem = told(adapter, books)
    assert problem is not None
    assert (problem.count, problem.command) == (2, f"adapter inbox unanswered {NAME}")
    assert problem.since is not None
    assert problem.since - START < timedelta(minutes=1)

    people.send(answer("idref1"), "r1")
    problem = told(adapter, books)
    assert problem is not None
    assert problem.count == 1
    people.send(answer("idref2"), "r2")
    assert told(adapter, books) is None


def test_a_beginning_is_no_answer_and_is_shown_as_what_it_is(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    books.now += 31 * DAY
    people.send(answer("idref1", "Observation"), "o1")
    found = {one.referral: one for one in unanswered_referrals(adapter, [NAME], books.now - 30 * DAY)}
    assert {key: one.fulfilment for key, one in found.items()} == {"GT-1": "in-progress", "GT-2": "none"}
    assert found["GT-1"].cadre == "CB-1"


def test_a_new_version_of_a_referral_does_not_begin_the_waiting_anew(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    books.now += 20 * DAY
    newer = wish("GT-1", "v2", type_="ServiceRequest")
    books.wish(newer, SECOND)
    books.send(newer)
    books.now += 11 * DAY
    problem = told(adapter, books)
    assert problem is not None
    assert problem.count == 2


def test_one_whose_new_version_is_under_way_or_refused_is_still_there(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    books.now += 31 * DAY
    newer = wish("GT-1", "v2", type_="ServiceRequest")
    books.wish(newer, SECOND)
    assert {one.referral for one in unanswered_referrals(adapter, [NAME], books.now - 30 * DAY)} == {
        "GT-1",
        "GT-2",
    }
    books.send(newer, event=EntryEvent.REFUSE, reason="refused")
    assert {one.referral for one in unanswered_referrals(adapter, [NAME], books.now - 30 * DAY)} == {
        "GT-1",
        "GT-2",
    }


def test_one_that_was_taken_back_and_sent_again_begins_anew(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    books.now += 20 * DAY
    books.wish(SECOND)
    books.send(FIRST, event=EntryEvent.GONE)
    books.wish(FIRST, SECOND)
    books.send(FIRST)
    books.now += 11 * DAY
    assert [one.referral for one in unanswered_referrals(adapter, [NAME], books.now - 30 * DAY)] == ["GT-2"]


def test_what_is_no_longer_wanted_or_never_arrived_is_not_waited_for(
    people: inbox_centre.Centre, adapter: Adapter, engine: Engine
) -> None:
    books = Books(engine, NAME)
    books.wish(FIRST, SECOND)
    books.send(FIRST)
    referral = people.referral("GT-1")
    books.now += 31 * DAY
    assert [one.referral for one in unanswered_referrals(adapter, [NAME], books.now)] == ["GT-1"]
    revoked = referral.model_copy(update={"status": "revoked"}).model_dump_json()
    with write_transaction(engine) as connection:
        connection.execute(update(record).where(record.c.key == "GT-1").values(body=revoked))
    assert unanswered_referrals(adapter, [NAME], books.now) == []


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    centre = Centre(tmp_path)
    yield centre
    centre.close()


def test_the_command_lists_them(centre: Centre) -> None:
    assert "30 days" in centre.run("inbox", "unanswered")
    with centre.open() as adapter:
        inbox_centre.Centre(adapter.engine)
        books = Books(adapter.engine, NAME)
        books.wish(FIRST)
        books.send(FIRST)
    assert centre.run_json("inbox", "unanswered")["unanswered"] == []  # it has not been there long
    facts = centre.run_json("inbox", "unanswered", "--days", "0")
    [one] = facts["unanswered"]
    assert (one["hospital"], one["referral"], one["cadre"], one["fulfilment"]) == (
        NAME, "GT-1", "CB-1", "none",
    )  # fmt: skip
    shown = centre.run("inbox", "unanswered", NAME, "--days", "0")
    assert "GT-1" in shown
    assert "send it again" in " ".join(shown.split())
    assert "Phiếu chuyển" in centre.run("inbox", "unanswered", "--days", "0", "--lang", "vi")
    assert centre.attempt("inbox", "unanswered", "nowhere").returncode == 2
    assert centre.attempt("inbox", "unanswered", "--days", "1000000").returncode == 2
    centre.environment["ADAPTER_ALARM__ANSWER_DAYS"] = "1000000"
    refused = centre.attempt("status", "--problems")
    assert refused.returncode == 2
    assert "ANSWER_DAYS: expected at most" in refused.stderr
