"""The act side: every operation has a name, a preview with a version that is checked, an audit row, and what
undoes it, where anything does.
"""

import dataclasses
import shutil
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from inbox_centre import Centre
from ledger_books import Books, wish
from sqlalchemy import Engine, select

import adapter.operations
from adapter import audit
from adapter.database import read_transaction
from adapter.errors import Outdated, UsageError
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.operations.hospital_mode import HospitalMode, ResetBreaker, SetHospitalMode
from adapter.operations.hospital_tokens import IssueToken, RevokeTokens
from adapter.operations.import_records import ImportRecords
from adapter.operations.inbox import LinkItem, UnlinkItem
from adapter.operations.merge import MergeCadres, UnmergeCadre
from adapter.operations.operation import Operation, OperationContext, version_of
from adapter.operations.release import ReleaseParked
from adapter.pipeline.application import Adapter
from adapter.records.model import Cadre, Referral, Sex, Tier
from adapter.settings import HospitalSettings, Settings

SMALL = Path("fixtures/sample/small.xlsx")
REPORT = {  # of nobody in particular
    "resourceType": "DiagnosticReport",
    "status": "final",
    "code": {"text": "Siêu âm tim"},
    "conclusion": "Không thấy bất thường",
}
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def _operations() -> list[type[Operation[Any, Any]]]:
    """Every operation that there is."""
    for module in iter_modules(adapter.operations.__path__):
        import_module(f"adapter.operations.{module.name}")
    return sorted(Operation.__subclasses__(), key=lambda one: one.name)


OPERATIONS = _operations()


def test_operations_are_named_once() -> None:
    names = [one.name for one in OPERATIONS]
    assert len(names) == len(set(names)) > 10


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_an_operation_is_a_frozen_value_that_says_what_it_does(operation: type[Operation[Any, Any]]) -> None:
    assert dataclasses.is_dataclass(operation)
    assert operation.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert operation.__doc__
    assert not operation.__doc__.startswith(operation.__name__)
    assert isinstance(operation.audited_as, tuple)
    has_undo = operation.undo is not Operation.undo
    assert has_undo or "othing undoes it" in " ".join(operation.__doc__.split()), (
        "say why nothing takes it back"
    )


def test_a_version_is_that_of_the_content() -> None:
    one = HospitalSettings(display="a", level="central", base_url="http://a.test").model_dump()
    assert version_of((one, {"b": 1, "a": 2})) == version_of((one, {"a": 2, "b": 1}))
    assert version_of(one) != version_of({**one, "display": "b"})


@pytest.fixture
def run(engine: Engine, tmp_path: Path) -> OperationContext:
    (tmp_path / "identity.key").write_text("0123456789abcdef" * 4)
    hospitals = {
        name: HospitalSettings(display=name, level="central", base_url="http://hospital.test")
        for name in ("bv", "bv-tinh")
    }
    settings = Settings(identity_key=f"file:{tmp_path / 'identity.key'}", hospitals=hospitals)
    return OperationContext(Adapter(settings, engine), "cli:nurse", lambda: NOW)


def audited(run: OperationContext) -> list[tuple[str, str]]:
    """Who did what, in order."""
    table = audit.audit.c
    with read_transaction(run.adapter.engine) as connection:
        found = connection.execute(select(table.actor, table.action).order_by(table.seq))
        return [(row.actor, row.action) for row in found]


def acts(run: OperationContext) -> list[str]:
    """What the person at the terminal did."""
    return [action for actor, action in audited(run) if actor == run.by]


def test_a_switch_that_somebody_else_moved_is_not_moved_again(run: OperationContext) -> None:
    pause = SetHospitalMode("bv", HospitalMode.PAUSED, "roof")
    seen = pause.preview(run)
    other = dataclasses.replace(run, by="cli:doctor", clock=lambda: NOW.replace(hour=9))
    SetHospitalMode("bv", HospitalMode.DRAINING).perform(other)
    with pytest.raises(Outdated):
        pause.perform(run, seen.version)
    assert run.adapter.ledger.hospitals.row("bv").mode == HospitalMode.DRAINING
    assert acts(run) == []
    again = pause.preview(run)
    assert pause.perform(run, again.version).mode == "paused"
    assert acts(run) == ["hospital.paused"]
    pause.undo(again.shown).perform(run)
    assert run.adapter.ledger.hospitals.row("bv").mode == HospitalMode.DRAINING
    assert acts(run) == ["hospital.paused", "hospital.draining"]


def test_a_breaker_is_closed_by_hand(run: OperationContext) -> None:
    ResetBreaker("bv").perform(run, ResetBreaker("bv").preview(run).version)
    assert acts(run) == ["hospital.reset"]


def test_tokens_are_issued_and_revoked_and_both_is_audited(run: OperationContext) -> None:
    issue = IssueToken("bv-tinh")
    seen = issue.preview(run)
    assert seen.shown == ()
    assert issue.perform(run, seen.version).startswith("cfa_")
    with pytest.raises(Outdated):  # somebody has made one since
        issue.perform(run, seen.version)
    assert len(issue.look(run)) == 1
    assert isinstance(issue.undo(seen.shown), RevokeTokens)
    assert issue.undo(seen.shown).perform(run) == 1
    assert issue.look(run) == ()
    assert acts(run) == ["token.issued", "token.revoked"]


@pytest.fixture
def centre(run: OperationContext) -> Centre:
    return Centre(run.adapter.engine)


def test_two_people_at_one_item_are_told_of_each_other(run: OperationContext, centre: Centre) -> None:
    item = centre.receive(REPORT)
    mine, theirs = LinkItem(item, "CB-1"), LinkItem(item, "CB-2")
    seen = mine.preview(run)
    assert seen == theirs.preview(run)
    assert theirs.perform(dataclasses.replace(run, by="cli:doctor"), seen.version) == "linked"
    with pytest.raises(Outdated):
        mine.perform(run, seen.version)
    assert centre.item(item).cadre == "CB-2"
    assert [one.cadre for one in run.adapter.records.iterate("result")] == ["CB-2"]


def test_a_link_is_undone_to_what_was_before(run: OperationContext, centre: Centre) -> None:
    item = centre.receive(REPORT)
    link = LinkItem(item, "CB-1")
    before = link.preview(run)
    link.perform(run, before.version)
    taken_back = link.undo(before.shown)
    assert taken_back == UnlinkItem(item)
    linked = taken_back.preview(run)
    taken_back.perform(run, linked.version)
    assert centre.item(item).state == "unmatched"
    assert list(run.adapter.records.iterate("result")) == []
    again = taken_back.undo(linked.shown)
    assert again == LinkItem(item, "CB-1")
    again.perform(run)
    assert centre.item(item).cadre == "CB-1"
    assert acts(run) == ["inbox.linked", "inbox.unlinked", "inbox.linked"]


def test_an_item_that_is_not_there_is_a_mistake(run: OperationContext) -> None:
    with pytest.raises(UsageError):
        LinkItem(99, "CB-1").preview(run)


def test_what_was_parked_since_is_looked_at_again(run: OperationContext) -> None:
    books = Books(run.adapter.engine)
    books.wish(wish("a"))
    books.send(wish("a"), event=EntryEvent.REFUSE, reason="refused")
    release = ReleaseParked(("bv",), "refused")
    seen = release.preview(run)
    assert [one.count for one in seen.shown] == [1]
    books.wish(wish("a"), wish("b"))
    books.send(wish("b"), event=EntryEvent.REFUSE, reason="refused")
    with pytest.raises(Outdated):
        release.perform(run, seen.version)
    assert books.entry("a").state is EntryState.PARKED
    release.perform(run, release.preview(run).version)
    assert {books.entry(key).state for key in ("a", "b")} == {EntryState.PENDING}
    assert acts(run) == ["parked.released"]


def test_people_who_changed_since_are_not_merged(run: OperationContext, centre: Centre) -> None:
    centre.add(_cadre("X-1", "Lê Văn Thử"), _cadre("X-2", "Lê Văn Thử"))
    merge = MergeCadres("X-1", "X-2")
    seen = merge.preview(run)
    assert seen.shown.differ == ()
    centre.add(Referral(key="GT-9", cadre="X-1", hospital="bv", service="WORKUP-CARD", ordered_at=NOW))
    with pytest.raises(Outdated):
        merge.perform(run, seen.version)
    assert run.adapter.records.merges.survivor("X-1") == "X-1"
    merge.perform(run, merge.preview(run).version)
    assert run.adapter.records.merges.survivor("X-1") == "X-2"
    undo = merge.undo(seen.shown)
    assert undo == UnmergeCadre("X-1")
    undo.perform(run, undo.preview(run).version)
    assert run.adapter.records.merges.survivor("X-1") == "X-1"
    assert acts(run) == ["cadre.merged", "cadre.unmerged"]


def _cadre(key: str, name: str) -> Cadre:
    return Cadre(key=key, name=name, sex=Sex.MALE, birth_date=date(1950, 1, 2), tier=Tier.T3)


def test_a_file_that_was_changed_since_is_not_imported(run: OperationContext, tmp_path: Path) -> None:
    file = Path(shutil.copy(SMALL, tmp_path / "year.xlsx"))
    importing = ImportRecords((file,))
    seen = importing.preview(run)
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(Outdated):
        importing.perform(run, seen.version)
    assert run.adapter.records.counts()["cadre"] == 0
    shutil.copy(SMALL, file)
    assert importing.perform(run, seen.version).changes > 0
    with pytest.raises(Outdated):  # the records are others now
        importing.perform(run, seen.version)
    assert "import.done" in [action for _, action in audited(run)]


@pytest.mark.parametrize("operation", [SetHospitalMode("bv", HospitalMode.PAUSED), ResetBreaker("bv")])
def test_a_preview_writes_nothing(run: OperationContext, operation: Operation[Any, Any]) -> None:
    operation.preview(run)
    assert audited(run) == []
    assert run.adapter.ledger.hospitals.row("bv").mode == HospitalMode.RUNNING
