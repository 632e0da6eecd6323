"""Today's work: what is judged as a problem, as lines in the order of a day, each with the act that helps."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import inbox_centre
import pytest
from ledger_books import Books, wish
from sqlalchemy import Engine, event, update

from adapter.database import write_transaction
from adapter.insights import day
from adapter.insights.day import DayAct, WaitingInTime, day_lines, day_work
from adapter.insights.problems import current_problems
from adapter.insights.results_to_see import WaitingResult
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.schema.states import EntryEvent
from adapter.ledger.schema.values import DeliveryOutcome
from adapter.pipeline.application import Adapter
from adapter.records.change_feed import ChangeFeed
from adapter.records.model import Cadre
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


def test_where_nothing_is_late_there_is_no_line_and_what_waits_is_counted(
    adapter: Adapter, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = day_work(adapter, books.now)
    assert (found.lines, found.in_time) == ([], {WaitingInTime.AT_HOSPITALS: 2})
    monkeypatch.setattr(day, "waiting_results", lambda *_: [_waiting(books.now, late_at=books.now + DAY)])
    assert day_work(adapter, books.now).in_time[WaitingInTime.RESULTS] == 1
    late = day_work(adapter, books.now + 40 * DAY)
    assert WaitingInTime.AT_HOSPITALS not in late.in_time, "what is late is among the lines, and there alone"


def test_an_overdue_referral_says_whom_to_call_and_for_how_long(adapter: Adapter, books: Books) -> None:
    [late] = day_lines(adapter, books.now + 40 * DAY)
    assert (late.code, late.acts, late.count) == ("not-accepted", (DayAct.CALL, DayAct.RESEND), 2)
    assert (late.display, late.telephone) == ("Bệnh viện tỉnh", "0203 555 0100")
    assert late.since is not None
    assert late.days == (books.now + 40 * DAY - late.since) // DAY > 3
    assert late.sentence("vi") == f"Bệnh viện tỉnh chưa nhận 2 giấy chuyển, quá hẹn, đã {late.days} ngày"
    assert late.sentence("en").startswith("Bệnh viện tỉnh has not accepted in time, referrals: 2")


def test_the_day_agrees_with_the_table_of_problems(adapter: Adapter, books: Books) -> None:
    hospitals = adapter.ledger.hospitals
    hospitals.set_mode(NAME, HospitalMode.PAUSED, by="it", note="", now=books.now)
    now = books.now + 40 * DAY
    told = {one.key: (one.count, one.since) for one in current_problems(adapter, now)}
    lines = day_lines(adapter, now)
    assert [one.code for one in lines] == ["not-accepted", "paused"]
    for one in lines:
        key = (NAME, "late-not-accepted" if one.code == "not-accepted" else one.code)
        assert told[key] == (one.count, one.since)


def test_who_does_not_see_people_of_t1_is_told_nothing_of_their_referrals(
    adapter: Adapter, books: Books, engine: Engine
) -> None:
    now = books.now + 40 * DAY
    [before] = day_lines(adapter, now, sees_t1=False)
    assert before.count == 2
    person = next(one for one in adapter.records.iterate("cadre") if isinstance(one, Cadre))
    mine = [one for one in adapter.records.of_cadre(person.key) if one.kind == "referral"]
    with write_transaction(engine) as connection:
        body = json.dumps(json.loads(person.model_dump_json()) | {"tier": "T1"})
        feed = ChangeFeed(connection)
        changed = {"body": body, "position": feed.next()}
        connection.execute(update(record).where(record.c.key == person.key).values(changed))
        feed.close()
    [after] = day_lines(adapter, now, sees_t1=False)
    assert after.count == 2 - len(mine) == 1
    assert [one.count for one in day_lines(adapter, now)] == [2]


def test_an_abnormal_result_that_nobody_saw_in_time_is_a_doctors_work(
    adapter: Adapter, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = books.now - 3 * DAY
    waiting = [
        _waiting(since, late_at=books.now - 2 * DAY),
        _waiting(books.now, late_at=books.now + DAY),
    ]
    monkeypatch.setattr(day, "waiting_results", lambda *_: waiting)
    [line] = day_lines(adapter, books.now)
    assert (line.code, line.count, line.since, line.days) == ("unseen", 1, since, 3)
    assert line.acts == (DayAct.ACKNOWLEDGE,)


def _waiting(since: datetime, *, late_at: datetime) -> WaitingResult:
    return WaitingResult(hospital=NAME, cadre="CB-1", since=since, due=late_at)


def test_every_code_and_act_has_its_words_and_each_clock_its_place() -> None:
    assert set(day._LATE) == set(ReferralClock)
    for language in ("en", "vi"):
        texts = catalogue(language)
        for code in day._ORDER:
            assert "day." + code in texts
        for what in WaitingInTime:
            assert f"day.in_time_{what}" in texts
        for act in DayAct:
            assert f"day.act_{act}" in texts


def test_looking_issues_as_many_statements_whatever_waits(
    adapter: Adapter, books: Books, engine: Engine
) -> None:
    day_lines(adapter, books.now)  # reads once what it then follows by the change feed
    issued: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *said: issued.append(said[2]))
    day_lines(adapter, books.now)
    before = len(issued)
    day_lines(adapter, books.now + 40 * DAY)
    assert len(issued) == 2 * before
    assert {one.split(maxsplit=1)[0].upper() for one in issued} <= {"SELECT", "PRAGMA", "BEGIN"}
