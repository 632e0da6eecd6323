"""What today's work counts is never older than the records and the ledger, and is nobody else's."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from console_centre import AN, DUC, HOA, HOME, SECRET, fill_centre, now, small_centre
from inbox_centre import put_records
from sqlalchemy import select, update

from adapter.database import read_transaction, write_transaction
from adapter.insights.insights import Insights
from adapter.insights.referrals import referral_lines
from adapter.insights.seen_people import seen_people
from adapter.ledger.monitoring.overdue import Backlog
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.tables import entry
from adapter.operations.merge import MergeCadres
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.pipeline.waiting_referrals import ReferralsThatWait
from adapter.records.change_feed import ChangeFeed
from adapter.records.erasure import erase_person, lock_erasures
from adapter.records.hidden_words import HiddenWords
from adapter.records.model import Cadre, Record, Referral, Result, Sex, Tier
from adapter.records.result_views import put_view
from adapter.records.serialisation import serialise_record
from adapter.records.stated_content import Decision, stated
from adapter.records.tables import record
from adapter.referrals.lifecycle import ReferralState


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Adapter]:
    with small_centre(tmp_path) as centre, centre.open() as adapter:
        fill_centre(adapter)
        yield adapter


def counts(adapter: Adapter, at: datetime, *, sees_t1: bool = True) -> dict[str, int]:
    """How many each line of today's work counts."""
    lines = Insights(adapter, "staff:thu", lambda: at).today(sees_t1=sees_t1).lines
    return {one.code: one.count for one in lines}


def rewrite(adapter: Adapter, one: Record) -> None:
    """The record as it is from now on."""
    with write_transaction(adapter.engine) as connection:
        feed = ChangeFeed(connection)
        mine = (record.c.kind == one.kind) & (record.c.key == one.key)  # type: ignore[attr-defined] # all have one
        values = {"body": serialise_record(one), "position": feed.next()}
        connection.execute(update(record).where(mine).values(values))
        feed.close()


def waiting_by_list(adapter: Adapter, at: datetime, *, sees_t1: bool) -> ReferralsThatWait:
    """What the list of all referrals says is late, and waits in time."""
    exists, late, in_time = seen_people(adapter, sees_t1=sees_t1), {}, Counter[str]()
    for one in referral_lines(adapter, adapter.settings.hospitals, at):
        if not exists(one.cadre):
            continue
        if one.is_late:
            late.setdefault((one.hospital, one.waits_for), []).append(one.due)
        else:
            in_time[one.waits_for or ""] += 1
    return ReferralsThatWait({place: Backlog(len(due), min(due)) for place, due in late.items()}, in_time)


def agrees(adapter: Adapter) -> ReferralsThatWait:
    """Today's counts and the list agree for both sorts of viewer, now and later; gives what waits then."""
    for days in (0, 3, 20, 90, 400):
        at = now() + timedelta(days=days)
        for sees_t1 in (True, False):
            found = adapter.waiting_referrals.waiting(at, seen_people(adapter, sees_t1=sees_t1))
            listed = waiting_by_list(adapter, at, sees_t1=sees_t1)
            assert found.late == listed.late, (days, sees_t1)
            assert +Counter(found.in_time) == listed.in_time, (days, sees_t1)
    return found


def test_late_referrals_are_those_of_the_list_whatever_changes(opened: Adapter) -> None:
    assert agrees(opened).late
    states = [state for state in ReferralState if state is not ReferralState.DRAFT]
    more = [
        Referral(
            key=f"GT-X{number}",
            cadre=(DUC, HOA, SECRET, AN)[number % 4].key,
            hospital=HOME,
            service="WORKUP-CARD",
            priority=("routine", "stat")[number % 2],
            status=("active", "revoked")[number // 2 % 2],
            ordered_at=now().date() - timedelta(days=number),
            state=states[number % len(states)],
            fulfilled_at=now() - timedelta(days=number) if number % 3 else None,
            question="?" if number % 5 == 0 else None,
            asked_at=now() - timedelta(days=1) if number % 5 == 0 else None,
            appointment_at=date(2026, 1, 1) if number % 4 else None,
        )
        for number in range(60)
    ]
    put_records(opened.engine, more)
    before = agrees(opened)
    assert sum(one.count for one in before.late.values()) > 10
    with write_transaction(opened.engine) as connection:  # the ledger alone: no record has changed
        gone = {"state": EntryState.RETRACTED, "remote_id": None, "delivered_digest": None}
        connection.execute(update(entry).where(entry.c.kind == "referral").values(gone))
    assert agrees(opened) != before
    for one in more[::2]:
        rewrite(opened, one.model_copy(update={"acknowledged_at": now(), "state": ReferralState.COMPLETED}))
    agrees(opened)
    MergeCadres(SECRET.key, AN.key, despite_numbers=True).perform(
        OperationContext(opened, "lan", now)
    )  # AN is of T1 since
    agrees(opened)
    erase(opened, HOA.key)
    agrees(opened)


def erase(adapter: Adapter, key: str) -> None:
    """All of somebody leaves the records."""
    with write_transaction(adapter.engine) as connection:
        lock_erasures(connection)
        erase_person(connection, key, HiddenWords())


def test_a_number_of_two_people_is_counted_as_the_records_are_and_for_who_may_see_both(
    opened: Adapter,
) -> None:
    assert "doubles" not in counts(opened, now())
    other = Cadre(
        key="CB-9",
        name="Đỗ Văn Đức",
        sex=Sex.MALE,
        birth_date=date(1960, 3, 12),
        tier=Tier.T4,
        national_id=DUC.national_id,
    )
    put_records(opened.engine, [other])
    assert [counts(opened, now(), sees_t1=one)["doubles"] for one in (True, False, True)] == [1, 1, 1]
    rewrite(opened, other.model_copy(update={"tier": Tier.T1}))
    assert counts(opened, now())["doubles"] == 1
    assert "doubles" not in counts(opened, now(), sees_t1=False), "who sees them has just asked"
    MergeCadres("CB-9", DUC.key).perform(OperationContext(opened, "lan", now))
    assert "doubles" not in counts(opened, now())


def test_a_result_that_waits_for_too_long_is_counted_until_somebody_has_seen_it(opened: Adapter) -> None:
    late = now() + timedelta(days=3)
    assert "unseen" not in counts(opened, now())
    assert [counts(opened, late, sees_t1=one)["unseen"] for one in (True, False)] == [1, 1]
    rewrite(opened, HOA.model_copy(update={"tier": Tier.T1}))
    assert counts(opened, late)["unseen"] == 1
    assert "unseen" not in counts(opened, late, sees_t1=False)
    with read_transaction(opened.engine) as connection:
        keys = list(connection.execute(select(record.c.key).where(record.c.kind == "result")).scalars())
    for key in keys:
        result = opened.records.get("result", key)
        assert isinstance(result, Result)
        with write_transaction(opened.engine) as connection:
            seen = stated(result, result.content)
            put_view(connection, key, seen, Decision.NOTHING, None, now=datetime.now(UTC), by="bs")
    assert "unseen" not in counts(opened, late), "no record has changed by that"
