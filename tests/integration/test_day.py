"""Today's work: what is judged as a problem, as lines in the order of a day, each with the act that helps."""

from datetime import timedelta
from pathlib import Path

import inbox_centre
import pytest
from ledger_books import Books, wish
from sqlalchemy import Engine, event, update

from adapter.database import write_transaction
from adapter.inbox.quarantine.store import RefusedBacklog
from adapter.insights.day import DayAct, DayFacts, DayKind, HospitalDay, day_lines, today
from adapter.insights.problems import HospitalFacts, current_problems
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.hospitals.values import HospitalState
from adapter.ledger.monitoring.overdue import Backlog
from adapter.ledger.parking import ParkedGroup
from adapter.ledger.schema.states import EntryEvent
from adapter.ledger.schema.values import DeliveryOutcome
from adapter.pipeline.application import Adapter
from adapter.records.model import Cadre, Referral, Tier
from adapter.records.serialisation import serialise_record
from adapter.records.tables import record
from adapter.referrals.clocks import ReferralClock
from adapter.settings import AlarmSettings, HospitalSettings, Settings
from adapter.texts import catalogue

DAY = timedelta(days=1)
NAME = "bv-tinh"
REFERRALS = tuple(wish(key, type_="ServiceRequest") for key in ("GT-1", "GT-2"))


@pytest.fixture
def adapter(engine: Engine, tmp_path: Path) -> Adapter:
    (tmp_path / "identity.key").write_text("0123456789abcdef" * 4)
    there = HospitalSettings(
        display="Bệnh viện tỉnh",
        level="provincial",
        base_url="http://hospital.test",
        telephone="0203 555 0100",
    )
    settings = Settings(
        identity_key=f"file:{tmp_path / 'identity.key'}",
        hospitals={NAME: there},
        alarm=AlarmSettings(disk_free_mb=0),
    )
    settings._folder = tmp_path
    (tmp_path / "data").mkdir()
    inbox_centre.Centre(engine)
    return Adapter(settings, engine)


@pytest.fixture
def books(engine: Engine) -> Books:
    """Both referrals are at the hospital, which was heard of."""
    books = Books(engine, NAME)
    books.wish(*REFERRALS)
    lease = books.claim()
    books.start(lease, *REFERRALS)
    books.settle(
        lease,
        *(DeliveryOutcome(one.identity, EntryEvent.CONFIRM, remote_id=one.key) for one in REFERRALS),
    )
    books.give_back(lease)
    books.ledger.hospitals.record_success(NAME, books.now)
    return books


def test_where_nothing_waits_there_is_no_line(adapter: Adapter, books: Books) -> None:
    assert today(adapter, books.now) == ()


def test_an_overdue_referral_says_whom_to_call_and_for_how_long(adapter: Adapter, books: Books) -> None:
    now = books.now + 40 * DAY
    [late] = today(adapter, now)
    assert (late.kind, late.cause, late.count) == (DayKind.LATE_REFERRALS, "not-accepted", 2)
    assert (late.display, late.telephone) == ("Bệnh viện tỉnh", "0203 555 0100")
    assert DayAct.CALL in late.acts
    assert late.since is not None
    days = (now - late.since) // DAY
    assert days > 3
    assert late.words(now) == (
        f"Bệnh viện tỉnh: 2 referrals are late (not accepted or declined yet), since {days} days"
    )


def test_the_day_agrees_with_the_table_of_problems(adapter: Adapter, books: Books) -> None:
    hospitals = adapter.ledger.hospitals
    hospitals.set_mode(NAME, HospitalMode.PAUSED, by="it", note="", now=books.now)
    now = books.now + 40 * DAY
    told = {one.key: (one.count, one.since) for one in current_problems(adapter, now)}
    lines = today(adapter, now)
    assert [one.cause for one in lines] == ["not-accepted", "paused"]
    for one in lines:
        key = (NAME, "late-not-accepted" if one.cause == "not-accepted" else one.cause)
        assert told[key] == (one.count, one.since)


def test_every_kind_act_and_clock_has_its_words() -> None:
    for language in ("en", "vi"):
        texts = catalogue(language)
        assert {f"day.{kind}" for kind in DayKind} <= texts.keys()
        assert {f"day.act_{act}" for act in DayAct} <= texts.keys()
        assert {f"day.late_{clock}" for clock in ReferralClock} <= texts.keys()


def test_what_waits_elsewhere_is_listed_by_urgency(books: Books) -> None:
    there = HospitalDay(
        "Bệnh viện tỉnh",
        HospitalFacts(row=HospitalState(NAME)),
        unmatched=Backlog(3, books.now),
        parked=(ParkedGroup(NAME, "refused", 2, 0, books.now),),
        refused=RefusedBacklog(1, books.now, 1),
    )
    facts = DayFacts({NAME: there}, held=Backlog(4, books.now), doubles=1)
    lines = day_lines(facts, AlarmSettings(), books.now)
    assert [(one.kind, one.count) for one in lines] == [
        (DayKind.WAITING_RESULTS, 3),
        (DayKind.REFUSED_VALUES, 2),
        (DayKind.REFUSED_REQUESTS, 1),
        (DayKind.HELD_ROWS, 4),
        (DayKind.DOUBLES, 1),
    ]
    assert lines[0].acts == (DayAct.LINK,)
    assert "3 results wait" in lines[0].words(books.now)


def test_to_who_does_not_see_t1_their_referrals_do_not_count(
    adapter: Adapter, books: Books, engine: Engine
) -> None:
    now = books.now + 40 * DAY
    before = today(adapter, now, sees_t1=False)
    assert [one.count for one in before] == [2]
    [owner, *_] = {one.cadre for one in adapter.records.iterate("referral") if isinstance(one, Referral)}
    with write_transaction(engine) as connection:
        body = adapter.records.get("cadre", owner)
        assert isinstance(body, Cadre)
        changed = body.model_copy(update={"tier": Tier.T1})
        connection.execute(
            update(record)
            .where(record.c.kind == "cadre", record.c.key == owner)
            .values(body=serialise_record(changed))
        )
    assert sum(one.count for one in today(adapter, now, sees_t1=False)) < 2
    assert today(adapter, now)[0].count == 2


def test_looking_issues_as_many_statements_whatever_waits(
    adapter: Adapter, books: Books, engine: Engine
) -> None:
    issued: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *said: issued.append(said[2]))
    today(adapter, books.now)
    before = len(issued)
    today(adapter, books.now + 40 * DAY)
    assert len(issued) == 2 * before
    assert {one.split(maxsplit=1)[0].upper() for one in issued} <= {"SELECT", "PRAGMA", "BEGIN"}
