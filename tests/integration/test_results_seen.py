"""A doctor sees a result: that counts until it tells something else; what is to follow closes itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from inbox_centre import put_records, receive_version
from person_centre import SYSTEM, people, person_centre
from sqlalchemy import func, select

from adapter import audit
from adapter.database import read_transaction, write_transaction
from adapter.errors import Outdated, UsageError
from adapter.fhir import codec
from adapter.insights.insights import Insights
from adapter.insights.problems import current_problems
from adapter.insights.results_to_see import UnseenResult
from adapter.operations.inbox import LinkItem, UnlinkItem
from adapter.operations.merge import MergeCadres
from adapter.operations.operation import OperationContext
from adapter.operations.results import AcknowledgeResult, CloseResultTask, UnacknowledgeResult
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.records.change_feed import ChangeFeed
from adapter.records.erasure import cleared_records, erase_person, lock_erasures
from adapter.records.hidden_words import HiddenWords
from adapter.records.model import Cadre, Referral, Result, Visit, VisitKind
from adapter.records.stated_content import Decision, Urgency
from adapter.records.tables import result_attention, result_view

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
FLAGS = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


@dataclass
class Ward:
    """A centre's adapter, its first person, and a clock that is set by hand."""

    adapter: Adapter
    now: datetime = NOW
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def person(self) -> Cadre:
        return people(self.adapter)[0]

    @property
    def context(self) -> OperationContext:
        return OperationContext(self.adapter, "cli:bs-hoa", lambda: self.now)

    @property
    def insights(self) -> Insights:
        return Insights(self.adapter, "cli:bs-hoa", lambda: self.now)

    def send(self, *resources: dict[str, Any], of: Cadre | None = None) -> None:
        """Each the next version of its id."""
        subject = {"identifier": {"system": SYSTEM, "value": (of or self.person).national_id}}
        with write_transaction(self.adapter.engine) as connection:
            for one in resources:
                version = self.versions[one["id"]] = self.versions.get(one["id"], 0) + 1
                issued = (self.now - timedelta(minutes=5)).isoformat()
                sent = {"subject": subject, "issued": issued, **one, "meta": {"versionId": str(version)}}
                receive_version(
                    connection,
                    hospital="bv-tinh",
                    type=one["resourceType"],
                    id=one["id"],
                    version=version,
                    resource=sent,
                    body=codec.dumps(sent),
                    now=self.now,
                )
        process_inbox(self.adapter, lambda: self.now)

    def unseen(self, *, with_normal: bool = False) -> list[UnseenResult]:
        return list(self.insights.unseen_results(with_normal=with_normal))

    def result(self) -> Result:
        found = [one for one in self.adapter.records.iterate("result") if isinstance(one, Result)]
        return found[0]

    def acknowledge(self, decision: Decision = Decision.NOTHING, note: str | None = None) -> None:
        AcknowledgeResult(self.result().key, decision, note).perform(self.context)

    def unseen_problems(self) -> list[tuple[str, int]]:
        found = current_problems(self.adapter, self.now)
        return [(one.hospital, one.count) for one in found if one.code == "unseen"]


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    with person_centre(tmp_path / "centre") as made, made.open() as opened:
        yield Ward(opened)


def potassium(value: str = "6.8", flag: str | None = "HH", **more: Any) -> dict[str, Any]:
    flagged = {"interpretation": [{"coding": [{"system": FLAGS, "code": flag}]}]} if flag else {}
    return {
        "resourceType": "Observation",
        "id": "k",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": "Kali"},
        "valueQuantity": {"value": Decimal(value), "unit": "mmol/L"},
        **flagged,
        **more,
    }


def test_what_is_critical_comes_first_and_what_nothing_marks_is_not_asked_after(ward: Ward) -> None:
    ward.send(potassium("4.1", None, id="normal"))
    ward.send(potassium("5.6", "H", id="high"))
    ward.now += HOUR
    ward.send(potassium(id="critical"))
    assert [one.urgency for one in ward.unseen()] == [Urgency.CRITICAL, Urgency.ABNORMAL]
    assert [one.urgency for one in ward.unseen(with_normal=True)][2:] == [Urgency.NORMAL]
    high = {"low": {"value": Decimal("3.5")}, "high": {"value": Decimal("5.1")}}
    ward.send(potassium("5.6", None, id="range", referenceRange=[high]))
    assert len(ward.unseen()) == 3, "beyond its own range, without a flag"


def test_a_seen_result_is_to_be_seen_again_when_it_tells_something_else(ward: Ward) -> None:
    ward.send(potassium())
    ward.acknowledge(note="đã gọi")
    assert ward.unseen() == []
    ward.now += HOUR
    ward.send(potassium(note=[], identifier=[{"system": "urn:lis", "value": "7"}]))
    assert ward.unseen() == [], "another number tells nothing new"
    ward.now += HOUR
    ward.send(potassium("5.9", "H", status="corrected"))
    [again] = ward.unseen()
    assert (again.was_seen, again.since) == (True, ward.now)
    [change] = ward.insights.result(again.result).changes
    assert ("6.8" in change.before, "5.9" in change.after) == (True, True)
    ward.acknowledge()
    item = ward.insights.result(again.result)
    assert (ward.unseen(), len(item.views), item.changes) == ([], 2, ())


def test_the_clock_runs_on_through_corrections_and_tells_who_must_know(ward: Ward) -> None:
    ward.send(potassium())
    ward.now += 20 * HOUR
    ward.send(potassium("6.9", status="corrected"))
    assert ward.unseen_problems() == []
    ward.now += 5 * HOUR
    assert ward.unseen_problems() == [("bv-tinh", 1)]
    assert ward.unseen()[0].is_late
    ward.acknowledge()
    assert ward.unseen_problems() == []


def test_who_saw_is_told_of_a_withdrawal_and_nobody_else(ward: Ward) -> None:
    ward.send(potassium())
    ward.send(potassium(status="entered-in-error"))
    assert ward.unseen() == []
    ward.now += HOUR
    ward.send(potassium("7.0", id="other"))
    key = ward.unseen()[0].result
    AcknowledgeResult(key).perform(ward.context)
    ward.send(potassium("7.0", id="other", status="entered-in-error"))
    assert [one.result for one in ward.unseen()] == [key]


def test_a_report_is_one_line_with_what_it_lists(ward: Ward) -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r",
        "status": "partial",
        "code": {"text": "Sinh hóa máu"},
        "result": [{"reference": f"Observation/{one}"} for one in ("k", "na", "later")],
    }
    sodium = potassium("138", None, id="na", code={"text": "Natri"})
    ward.send(potassium(), sodium, report)
    [line] = ward.unseen()
    assert (line.title, line.urgency, len(line.listed)) == ("Sinh hóa máu", Urgency.CRITICAL, 2)
    item = ward.insights.result(line.result)
    assert item.awaited is not None
    assert (item.awaited.to_come, item.awaited.of) == (1, 3)
    AcknowledgeResult(line.result).perform(ward.context)
    assert ward.unseen(with_normal=True) == []
    ward.send(potassium("5.0", "H", status="corrected"))
    assert [one.result for one in ward.unseen()] == [line.result], "the report waits for its part"
    UnacknowledgeResult(line.result).perform(ward.context)
    assert len(ward.unseen(with_normal=True)) == 1


def test_what_was_decided_on_an_older_version_is_refused(ward: Ward) -> None:
    ward.send(potassium())
    operation = AcknowledgeResult(ward.result().key)
    seen = operation.preview(ward.context).version
    ward.send(potassium("7.1", status="corrected"))
    with pytest.raises(Outdated):
        operation.perform(ward.context, seen)
    assert len(ward.unseen()) == 1
    with pytest.raises(UsageError, match="No result"):
        AcknowledgeResult("nobody").perform(ward.context)


def test_what_is_taken_back_leaves_what_was_seen_before(ward: Ward) -> None:
    ward.send(potassium())
    key = ward.result().key
    first, second = AcknowledgeResult(key, Decision.RECALL, "gọi lại"), AcknowledgeResult(key)
    first.perform(ward.context)
    before = second.preview(ward.context).shown
    second.perform(ward.context)
    assert ward.insights.result_tasks() == []
    state = second.undo(before).perform(ward.context)
    assert state.view is not None
    assert (state.view.decision, state.view.note) == (Decision.RECALL, "gọi lại")
    UnacknowledgeResult(key).perform(ward.context)
    assert len(ward.unseen()) == 1
    with pytest.raises(UsageError, match="seen"):
        UnacknowledgeResult(key).perform(ward.context)
    assert _actions(ward.adapter) == [
        *("result.acknowledged", "result.acknowledged", "result.unacknowledged", "result.unacknowledged")
    ]


def test_a_recall_is_done_when_the_visit_is_in_the_records(ward: Ward) -> None:
    ward.send(potassium())
    ward.acknowledge(Decision.RECALL)
    [task] = ward.insights.result_tasks()
    assert (task.decision, task.cadre, task.by) == (Decision.RECALL, ward.person.key, "cli:bs-hoa")
    old = {"cadre": ward.person.key, "type": VisitKind.OUTPATIENT}
    put_records(ward.adapter.engine, [Visit(key="V-old", started_at=date(2026, 10, 1), **old)])
    assert len(ward.insights.result_tasks()) == 1, "a visit before it, entered late"
    put_records(ward.adapter.engine, [Visit(key="V-new", started_at=date(2026, 11, 2), **old)])
    assert ward.insights.result_tasks() == []


def test_to_refer_is_done_when_the_referral_is_in_the_records_or_by_hand(ward: Ward) -> None:
    ward.send(potassium())
    ward.acknowledge(Decision.REFER)
    key = ward.result().key
    with pytest.raises(UsageError, match="--reason"):
        CloseResultTask(key).perform(ward.context)
    close = CloseResultTask(key, "đang nằm viện")
    before = close.preview(ward.context).shown
    close.perform(ward.context)
    assert ward.insights.result_tasks() == []
    back = close.undo(before)
    assert back is not None
    back.perform(ward.context)
    assert len(ward.insights.result_tasks()) == 1
    order = Referral(
        key="GT-9",
        cadre=ward.person.key,
        hospital="bv-tinh",
        service="WORKUP-CARD",
        ordered_at=NOW + HOUR,
    )
    put_records(ward.adapter.engine, [order])
    assert ward.insights.result_tasks() == []


def test_it_follows_a_merge_and_not_another_person(ward: Ward) -> None:
    ward.send(potassium())
    ward.acknowledge(Decision.RECALL)
    first, other = people(ward.adapter)[:2]
    MergeCadres(first.key, other.key, despite_numbers=True).perform(ward.context)
    [task] = ward.insights.result_tasks()
    assert task.cadre == other.key
    assert ward.unseen() == []


def test_what_leaves_the_record_was_seen_by_nobody(ward: Ward) -> None:
    ward.send(potassium())
    item = ward.adapter.inbox.of_cadre(ward.person.key)[0].id
    ward.acknowledge(Decision.RECALL)
    UnlinkItem(item).perform(ward.context)
    assert (ward.insights.result_tasks(), _rows(ward.adapter)) == ([], (0, 0))
    other = people(ward.adapter)[1]
    LinkItem(item, other.key, despite=True).perform(ward.context)
    assert [one.cadre for one in ward.unseen()] == [other.key]
    ward.acknowledge()
    LinkItem(item, ward.person.key).perform(ward.context)
    assert [one.cadre for one in ward.unseen()] == [ward.person.key], "it was seen as another's"


def test_nothing_stays_of_who_becomes_t0(ward: Ward) -> None:
    """Neither of that person's results, nor where a doctor named the person beside another's."""
    ward.send(potassium())
    ward.acknowledge(Decision.RECALL, "riêng")
    mine, other = people(ward.adapter)[:2]
    ward.send(potassium("5.9", "H", id="theirs"), of=other)
    key = ward.unseen()[0].result
    AcknowledgeResult(key, Decision.RECALL, f"cùng phòng với {mine.name}").perform(ward.context)
    assert _rows(ward.adapter) == (2, 2)
    words = HiddenWords()
    with write_transaction(ward.adapter.engine) as connection:
        lock_erasures(connection)
        erase_person(connection, mine.key, words)
        cleared_records(connection, ChangeFeed(connection), words)
    assert _rows(ward.adapter) == (1, 1)
    [task] = ward.insights.result_tasks()
    assert (task.result, task.note) == (key, None)


def _actions(adapter: Adapter) -> list[str]:
    with read_transaction(adapter.engine) as connection:
        rows = connection.execute(select(audit.audit.c.action).order_by(audit.audit.c.seq)).scalars()
        return [one for one in rows if one.startswith("result.")]


def _rows(adapter: Adapter) -> tuple[int, int]:
    with read_transaction(adapter.engine) as connection:
        tables = (result_attention, result_view)
        first, second = (
            connection.execute(select(func.count()).select_from(one)).scalar_one() for one in tables
        )
        return first, second
