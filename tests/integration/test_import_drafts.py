"""A workbook that is uploaded waits, is looked through, and is imported once somebody has said yes."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine, func, select

from adapter import audit
from adapter.database import read_transaction
from adapter.errors import Busy, Outdated, UsageError
from adapter.insights.insights import Insights
from adapter.operations import import_drafts
from adapter.operations.import_drafts import (
    DraftOptions,
    DropDraft,
    ImportCheckedDraft,
    LookThroughDraft,
    UploadDraft,
    resume_stopped,
)
from adapter.operations.import_records import ImportRecords
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.records.importing.drafts import DraftState
from adapter.records.tables import import_draft
from adapter.settings import Settings
from adapter.texts import speaking

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
HEAD = ["Key", "Name", "Sex", "Date of birth", "Tier"]
ANNA, BERTA = (
    ["CB-1", "Nguyễn Văn A", "male", "1950-03-02", "T3"],
    ["CB-2", "Lê Thị B", "female", "1948", "T3"],
)
PLAIN = DraftOptions()
HIDDEN = ["CB-9", "Mạch Thị Bí Ẩn", "female", "1951-01-09", "T0"]


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def adapter(engine: Engine, tmp_path: Path) -> Adapter:
    (tmp_path / "identity.key").write_text("0123456789abcdef" * 4)
    settings = Settings(identity_key=f"file:{tmp_path / 'identity.key'}", hospitals={})
    settings._folder = tmp_path
    return Adapter(settings, engine)


@pytest.fixture
def clerk(adapter: Adapter) -> OperationContext:
    return OperationContext(adapter, "console:thu", Clock())


def workbook(*rows: list[str]) -> bytes:
    book = Workbook()
    assert book.active is not None
    book.active.title = "Cadres"
    for row in (HEAD, *rows):
        book.active.append(row)
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def uploaded(clerk: OperationContext, *rows: list[str]) -> int:
    return UploadDraft(workbook(*rows)).perform(clerk)


def looked_through(clerk: OperationContext, number: int, options: DraftOptions = PLAIN) -> str:
    """Gives the version that somebody sees then."""
    assert LookThroughDraft(number, options).perform(clerk) is DraftState.CHECKED
    return ImportCheckedDraft(number).preview(clerk).version


def insights(clerk: OperationContext) -> Insights:
    return Insights(clerk.adapter, clerk.by, clerk.clock)


def people(adapter: Adapter) -> list[str]:
    return [one.key for one in adapter.records.iterate("cadre")]


def actions(engine: Engine) -> list[str]:
    with read_transaction(engine) as connection:
        return list(connection.execute(select(audit.audit.c.action)).scalars())


def test_a_workbook_is_looked_through_before_anything_is_imported(
    adapter: Adapter, clerk: OperationContext
) -> None:
    number = uploaded(clerk, ANNA, BERTA)
    version = looked_through(clerk, number)
    found = insights(clerk).import_draft(number)
    assert people(adapter) == []
    [kind] = found.told["kinds"]
    assert (kind["created"], kind["deleted"], kind["rejected"]) == (2, 0, 0)
    assert found.draft.uploaded_by == "console:thu"
    assert ImportCheckedDraft(number).perform(clerk, version) is DraftState.IMPORTED
    assert people(adapter) == ["CB-1", "CB-2"]
    assert insights(clerk).import_draft(number).draft.size == 0
    assert adapter.import_drafts.content(number) == b""
    assert {"import.uploaded", "import.done"} <= set(actions(adapter.engine))


def test_what_changes_is_told_in_the_language_of_who_looks(clerk: OperationContext) -> None:
    number = uploaded(clerk, ANNA)
    ImportCheckedDraft(number).perform(clerk, looked_through(clerk, number))
    second = uploaded(clerk, [*ANNA[:1], "Nguyễn Văn Anh", *ANNA[2:]])
    third = uploaded(clerk, ANNA, BERTA)
    with speaking("vi"):
        looked_through(clerk, second)
        looked_through(clerk, third)
    [new] = insights(clerk).import_draft(third).told["changes"]
    assert new["label"] == "Mới"
    [change] = insights(clerk).import_draft(second).told["changes"]
    assert change["label"] == "Họ và tên"
    assert change["examples"] == [["CB-1", "Nguyễn Văn A", "Nguyễn Văn Anh"]]


def test_rejected_rows_are_downloaded_corrected_and_uploaded_again(
    adapter: Adapter, clerk: OperationContext
) -> None:
    number = uploaded(clerk, ANNA, [*BERTA[:3], "không rõ", "T3"])
    version = looked_through(clerk, number)
    assert insights(clerk).import_draft(number).told["rejected"] == 1
    ImportCheckedDraft(number).perform(clerk, version)
    assert people(adapter) == ["CB-1"]
    book = load_workbook(BytesIO(insights(clerk).draft_rejects(number)))
    sheet = book[book.sheetnames[0]]
    cell = next(cell for row in sheet.iter_rows() for cell in row if cell.value == "không rõ")
    cell.value = "1948"
    out = BytesIO()
    book.save(out)
    again = UploadDraft(out.getvalue()).perform(clerk)
    ImportCheckedDraft(again).perform(clerk, looked_through(clerk, again))
    assert people(adapter) == ["CB-1", "CB-2"]
    assert not insights(clerk).import_draft(again).draft.has_rejects


def test_deletions_beyond_what_is_allowed_need_their_own_yes(
    adapter: Adapter, clerk: OperationContext
) -> None:
    number = uploaded(clerk, ANNA, BERTA)
    ImportCheckedDraft(number).perform(clerk, looked_through(clerk, number))
    fewer = uploaded(clerk, ANNA)
    assert LookThroughDraft(fewer).perform(clerk) is DraftState.REFUSED
    assert "1" in insights(clerk).import_draft(fewer).told["refused"]
    version = looked_through(clerk, fewer, DraftOptions(allow_deletions=True))
    ImportCheckedDraft(fewer).perform(clerk, version)
    assert people(adapter) == ["CB-1"]


def test_another_import_in_between_asks_to_look_again(
    adapter: Adapter, clerk: OperationContext, tmp_path: Path
) -> None:
    number = uploaded(clerk, ANNA)
    version = looked_through(clerk, number)
    other = tmp_path / "other.xlsx"
    other.write_bytes(workbook(BERTA))
    ImportRecords((other,)).perform(clerk)
    with pytest.raises(Outdated):
        ImportCheckedDraft(number).perform(clerk, version)
    assert people(adapter) == ["CB-2"]
    version = looked_through(clerk, number, DraftOptions(allow_deletions=True))
    ImportCheckedDraft(number).perform(clerk, version)
    assert people(adapter) == ["CB-1"]


def test_nothing_is_imported_twice(clerk: OperationContext) -> None:
    number = uploaded(clerk, ANNA)
    version = looked_through(clerk, number)
    ImportCheckedDraft(number).perform(clerk, version)
    with pytest.raises(Outdated):
        ImportCheckedDraft(number).perform(clerk, version)
    with pytest.raises(Outdated):
        LookThroughDraft(number).perform(clerk)


def test_one_import_at_a_time(clerk: OperationContext, adapter: Adapter, engine: Engine) -> None:
    number = uploaded(clerk, ANNA)
    other = Adapter(adapter.settings, engine)
    held = other.ledger.named_locks.acquire("import", 60)
    assert held is not None
    with pytest.raises(Busy):
        LookThroughDraft(number).perform(clerk)
    other.ledger.named_locks.give_back(held)
    looked_through(clerk, number)


@pytest.mark.parametrize(
    ("killed", "after"),
    [(DraftState.CHECKING, DraftState.UPLOADED), (DraftState.IMPORTING, DraftState.CHECKED)],
)
def test_a_draft_survives_a_killed_console(
    clerk: OperationContext, adapter: Adapter, tmp_path: Path, killed: DraftState, after: DraftState
) -> None:
    number = uploaded(clerk, ANNA)
    looked_through(clerk, number)
    adapter.import_drafts.move(number, DraftState.CHECKED, killed)
    left = tmp_path / "data" / ".import-left"
    left.mkdir(parents=True, exist_ok=True)
    (left / "upload.xlsx").write_bytes(b"of a process that is gone")
    resume_stopped(clerk, number)
    assert insights(clerk).import_draft(number).draft.state is after
    assert not left.exists()
    ImportCheckedDraft(number).perform(clerk, looked_through(clerk, number))
    assert people(adapter) == ["CB-1"]


def test_what_an_exception_ended_can_be_tried_again(
    clerk: OperationContext, adapter: Adapter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    number = uploaded(clerk, ANNA)
    with monkeypatch.context() as patch:
        patch.setattr(import_drafts, "_told", lambda _report: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            LookThroughDraft(number).perform(clerk)
    assert insights(clerk).import_draft(number).draft.state is DraftState.UPLOADED
    assert not list((tmp_path / "data").glob(".import-*"))
    looked_through(clerk, number)


def test_it_is_kept_for_a_day_and_can_be_thrown_away(clerk: OperationContext, adapter: Adapter) -> None:
    assert isinstance(clerk.clock, Clock)
    first, second = uploaded(clerk, ANNA), uploaded(clerk, BERTA)
    DropDraft(first).perform(clerk)
    assert [one.id for one in insights(clerk).import_drafts()] == [second]
    clerk.clock.now += timedelta(days=1)
    assert insights(clerk).import_drafts() == []
    with pytest.raises(UsageError):
        LookThroughDraft(second).perform(clerk)
    assert adapter.import_drafts.purge(clerk.clock()) == 1
    with read_transaction(adapter.engine) as connection:
        assert connection.execute(select(func.count()).select_from(import_draft)).scalar() == 0


def test_what_is_no_workbook_or_too_large_is_not_kept(
    clerk: OperationContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no workbook"):
        UploadDraft(b"Key;Name\n").perform(clerk)
    monkeypatch.setattr(import_drafts, "LARGEST_UPLOAD", 100)
    with pytest.raises(UsageError, match="too large"):
        uploaded(clerk, ANNA)
    assert insights(clerk).import_drafts() == []


def test_nobody_reads_a_draft_in_the_database_alone(clerk: OperationContext, adapter: Adapter) -> None:
    number = uploaded(clerk, ANNA, HIDDEN)
    looked_through(clerk, number)
    with read_transaction(adapter.engine) as connection:
        row = connection.execute(select(import_draft)).one()
    stored = row.content + row.report
    assert b"PK\x03\x04" not in stored
    assert "Nguyễn".encode() not in stored
    assert "Bí Ẩn" not in str(insights(clerk).import_draft(number).told)


def test_when_somebody_becomes_t0_every_draft_goes(clerk: OperationContext, adapter: Adapter) -> None:
    number = uploaded(clerk, ANNA, BERTA)
    ImportCheckedDraft(number).perform(clerk, looked_through(clerk, number))
    other = uploaded(clerk, ANNA, BERTA)
    leaving = uploaded(clerk, ANNA, [*BERTA[:4], "T0"])
    version = looked_through(clerk, leaving, DraftOptions(allow_deletions=True))
    ImportCheckedDraft(leaving).perform(clerk, version)
    assert people(adapter) == ["CB-1"]
    assert [one.id for one in insights(clerk).import_drafts()] == [leaving]
    told = insights(clerk).import_draft(leaving).told
    assert told["refused_people"] == 1
    assert "Lê Thị B" not in str(told)
    with pytest.raises(UsageError):
        LookThroughDraft(other).perform(clerk)
