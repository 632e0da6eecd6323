"""Held rows of visits: let in beside what has come in since, taken back in any order, corrected."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine

from adapter.database import read_transaction, write_transaction
from adapter.errors import UsageError
from adapter.operations.held_rows import ReleaseHeldRow
from adapter.operations.operation import OperationContext
from adapter.operations.undo_import import ImportUndo, UndoImport
from adapter.pipeline.application import Adapter
from adapter.records.held_rows import HeldRow, HeldRowStore, HeldState
from adapter.records.importing.import_history import list_runs
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.layouts.measure_names import MeasureNames, NamedMeasure
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.merges import Merge, MergeStore
from adapter.records.model import KINDS, Record
from adapter.records.plausible.ranges import PlausibleRanges
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.store import RecordStore
from adapter.settings import Settings

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LATER = datetime(2027, 4, 1, tzinfo=UTC)  # when the visits of next year have been
Row = Sequence[Any]
PEOPLE: list[Row] = [
    ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"),
    ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4"),
    ("A2", "Trần Thị Ba", "Nữ", "06/04/1961", "T5"),
]
MEASURES = MeasureNames(
    [
        NamedMeasure("BIO-CREA", "Creatinin", "Creatinine", "µmol/L"),
        NamedMeasure("BIO-AST", "AST (GOT)", "AST", "U/L"),
    ],
    ["µmol/L", "U/L"],
)
VISIT = ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu")
WIDE = ("Mã cán bộ", "Loại", "Bắt đầu", "Creatinin", "AST (GOT)")
DAY = "15/03/2027"
MADE = "A1.checkup.20270315"


class Desk:
    """Imports, lets in and takes back, an hour after each other."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        (folder / "identity.key").write_text("0123456789abcdef" * 4)
        self.engine, self.folder, self.now = engine, folder, NOW
        self.adapter = Adapter(Settings(identity_key=f"file:{folder / 'identity.key'}"), engine)
        self.held = HeldRowStore(engine)

    def context(self) -> OperationContext:
        self.now += timedelta(hours=1)
        return OperationContext(self.adapter, "cli:test", lambda: self.now)

    def take(self, name: str = "a.xlsx", /, partial: bool = True, **sheets: Sequence[Row]) -> ImportReport:
        book = Workbook()
        book.remove(book.worksheets[0])
        titles = {"people": "Cán bộ", "visits": "Lượt khám", "values": "Chỉ số", "wide": "Kết quả theo hàng"}
        for title, rows in sheets.items():
            page = book.create_sheet(titles[title])
            for row in rows:
                page.append(list(row))
        book.save(self.folder / name)
        return self.again(name, partial=partial)

    def again(self, name: str, **options: Any) -> ImportReport:
        self.now += timedelta(hours=1)
        given: dict[str, Any] = {
            "max_deletions_percent": 100,
            "known_hospitals": frozenset(),
            "now": self.now,
            "inputs": InputOptions(layouts=LayoutContext(MEASURES)),
            "plausible": PlausibleRanges({}, {}),
            "rejects": self.folder / "r.xlsx",
        }
        return run_import(self.engine, [self.folder / name], **(given | options))

    def release(self, item: int) -> None:
        ReleaseHeldRow(item, "đã hỏi lại").perform(self.context())

    def undo(self, number: int) -> ImportUndo:
        return UndoImport(number).perform(self.context())

    def newest(self) -> int:
        with read_transaction(self.engine) as connection:
            return list_runs(connection)[0].id

    def waiting(self) -> list[HeldRow]:
        return self.held.rows()

    def everything(self) -> dict[str, dict[str, Record]]:
        store = RecordStore(self.engine)
        return {kind: {one.key: one for one in store.iterate(kind)} for kind in KINDS}

    def keys(self, kind: str) -> set[str]:
        return set(self.everything()[kind])


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    desk = Desk(engine, tmp_path)
    desk.take(people=PEOPLE)
    return desk


def test_a_held_visit_is_not_let_in_beside_one_made_of_rows(desk: Desk) -> None:
    assert desk.take(visits=[VISIT, ("LK-1", "A1", "Khám định kỳ", DAY)]).held == 1
    desk.now = LATER
    assert desk.take(wide=[WIDE, ("A1", "Khám định kỳ", DAY, 88, 30)]).held == 0
    [row] = desk.waiting()
    before = desk.everything()
    with pytest.raises(UsageError, match=MADE):
        desk.release(row.id)
    assert (desk.everything(), desk.waiting()) == (before, [row])
    desk.take(wide=[(*WIDE, "Xóa"), ("A1", "Khám định kỳ", DAY, 88, 30, "x")])
    desk.release(row.id)  # the made one is gone
    assert desk.keys("visit") == {"LK-1"}


def test_nor_a_made_one_beside_one_of_the_sheets(desk: Desk) -> None:
    desk.take(wide=[WIDE, ("A1", "Khám định kỳ", DAY, 88, 30)])
    desk.now = LATER
    assert desk.take(visits=[VISIT, ("LK-1", "A1", "Khám định kỳ", DAY)]).held == 0
    [row] = desk.waiting()
    assert row.key == MADE
    with pytest.raises(UsageError, match="LK-1"):
        desk.release(row.id)
    assert desk.keys("visit") == {"LK-1"}


@pytest.mark.parametrize(
    ("kind", "day"), [("Ngoại trú", DAY), ("Khám định kỳ", "16/03/2027"), ("Khám định kỳ", "15/03/2028")]
)
def test_another_kind_or_day_is_let_in(desk: Desk, kind: str, day: str) -> None:
    desk.take(visits=[VISIT, ("LK-1", "A1", kind, day)])
    desk.now = LATER
    desk.take(wide=[WIDE, ("A1", "Khám định kỳ", DAY, 88, 30)])
    [row] = desk.waiting()
    desk.release(row.id)
    assert desk.keys("visit") == {"LK-1", MADE}


def test_two_visits_that_the_sheet_itself_tells_apart_are_let_in(desk: Desk) -> None:
    desk.take(visits=[VISIT, ("LK-1", "A1", "Khám định kỳ", DAY)])
    desk.now = LATER
    desk.take(visits=[VISIT, ("LK-2", "A1", "Khám định kỳ", DAY)])
    [row] = desk.waiting()
    desk.release(row.id)
    assert desk.keys("visit") == {"LK-1", "LK-2"}


def test_who_was_merged_is_one_person(desk: Desk) -> None:
    desk.take(visits=[VISIT, ("LK-1", "A1", "Khám định kỳ", DAY)])
    desk.now = LATER
    desk.take(wide=[WIDE, ("A2", "Khám định kỳ", DAY, 88, 30)])
    with write_transaction(desk.engine) as connection:
        MergeStore.add(connection, Merge("A2", "A1", NOW, "test"))
    with pytest.raises(UsageError, match=r"A2\.checkup\.20270315"):
        desk.release(desk.waiting()[0].id)


def test_in_another_list_the_keys_carry_its_mark(desk: Desk) -> None:
    desk.take("b.xlsx", people=PEOPLE)
    desk.again("b.xlsx", key_space="@kh")
    desk.take("c.xlsx", people=PEOPLE, visits=[VISIT, ("LK-1", "A1", "Khám định kỳ", DAY)])
    desk.again("c.xlsx", key_space="@kh", partial=True)
    own, other = desk.waiting()
    assert (own.key, other.key) == ("LK-1", "LK-1@kh")
    desk.now = LATER
    desk.take("d.xlsx", wide=[WIDE, ("A1", "Khám định kỳ", "1/1/2026", 88, 30)])
    desk.take("e.xlsx", wide=[WIDE, ("A1", "Khám định kỳ", DAY, 88, 30)])
    desk.again("e.xlsx", key_space="@kh")
    for row, made in ((own, MADE), (other, f"{MADE}@kh")):
        with pytest.raises(UsageError, match=made):
            desk.release(row.id)


def test_a_held_change_of_a_visit_that_stands_is_let_in(desk: Desk) -> None:
    """The key is stored: it was two before anybody asked, and does not become so."""
    desk.take(visits=[(*VISIT, "Kết thúc"), ("LK-1", "A1", "Khám định kỳ", "15/03/2026", "15/03/2026")])
    desk.take(visits=[(*VISIT, "Kết thúc"), ("LK-1", "A1", "Khám định kỳ", "15/03/2026", "15/09/2027")])
    [row] = desk.waiting()
    desk.release(row.id)
    assert str(desk.everything()["visit"]["LK-1"].ended_at) == "2027-09-15"  # type: ignore[attr-defined]


HELD = [VISIT, ("LK-1", "A1", "Khám định kỳ", "16/03/2026"), ("LK-2", "A1", "Khám định kỳ", DAY)]
VALUES = [("Mã lượt khám", "Mã chỉ số", "Giá trị"), ("LK-1", "BIO-CREA", 88)]
HELD_VALUE = [  # a value that waits under a visit that is new
    ("Mã lượt khám", "Mã chỉ số", "Giá trị", "Thời điểm lấy"),
    ("LK-1", "BIO-CREA", 88, ""),
    ("LK-1", "BIO-AST", 30, "16/03/2025"),
]
CASES = {"a visit": {"visits": HELD, "values": VALUES}, "a value": {"visits": HELD[:2], "values": HELD_VALUE}}


@pytest.fixture(params=CASES)
def held(request: pytest.FixtureRequest, desk: Desk) -> HeldRow:
    """An import that holds a row, and brings others."""
    assert desk.take(**CASES[request.param]).held == 1
    [row] = desk.waiting()
    return row


def state(desk: Desk) -> tuple[Any, ...]:
    rows = [(one.kind, one.key, one.body, one.state) for one in desk.held.rows(None)]
    return desk.everything(), rows


def test_the_release_is_taken_back_and_then_the_import(desk: Desk, held: HeldRow) -> None:
    first, imported = desk.newest(), state(desk)
    desk.release(held.id)
    second, released = desk.newest(), state(desk)
    assert desk.undo(second).left == 0
    assert state(desk) == imported
    desk.release(held.id)  # once more, and back
    assert state(desk) == released
    assert desk.undo(desk.newest()).left == 0
    done = desk.undo(first)
    assert (done.left, done.held, done.released) == (0, 1, 0)
    found, rows = state(desk)
    assert (found["visit"], found["measurement"], rows) == ({}, {}, [])


def test_the_import_is_taken_back_and_then_the_release(desk: Desk, held: HeldRow) -> None:
    """What hung on the let-in row goes with it, and the row waits no more: its import is taken back."""
    first = desk.newest()
    desk.release(held.id)
    second = desk.newest()
    done = desk.undo(first)
    assert (done.held, done.released) == (0, 1)
    assert held.key in desk.keys(held.kind)
    done = desk.undo(second)
    assert done.left == 0
    found, rows = state(desk)
    assert (found["visit"], found["measurement"], rows) == ({}, {}, [])
    undone = desk.newest()
    assert desk.undo(undone).left == 0  # and that is taken back: the row is in again, with all it hung on
    assert held.key in desk.keys(held.kind)
    assert desk.undo(desk.newest()).left == 0
    found, _ = state(desk)
    assert (found["visit"], found["measurement"]) == ({}, {})


def test_the_taking_back_of_a_release_is_taken_back(desk: Desk, held: HeldRow) -> None:
    """The row is in again, and waits no more; taken back once more, it waits again."""
    imported = state(desk)
    desk.release(held.id)
    released = state(desk)
    desk.undo(desk.newest())
    desk.undo(desk.newest())
    assert state(desk) == released
    with pytest.raises(UsageError, match="let in before"):
        desk.release(held.id)
    desk.undo(desk.newest())
    assert state(desk) == imported


def test_what_came_to_hang_on_a_released_row_keeps_it(desk: Desk) -> None:
    desk.take(visits=HELD)
    first, [row] = desk.newest(), desk.waiting()
    desk.release(row.id)
    second = desk.newest()
    desk.take(values=[VALUES[0], ("LK-2", "BIO-AST", 30)])
    assert desk.undo(first).released == 1
    assert desk.undo(second).left == 1
    assert (desk.keys("visit"), desk.keys("measurement")) == ({"LK-2"}, {"LK-2/BIO-AST"})
    [row] = desk.held.rows(None)
    assert row.state == HeldState.RELEASED  # it is in the records


def test_an_import_that_is_not_taken_back_keeps_what_it_brought(desk: Desk) -> None:
    """Only what the undone import left is looked at again, and nothing that was changed since."""
    desk.take("b.xlsx", visits=[VISIT, ("LK-0", "A1", "Khám định kỳ", "01/03/2026")])
    desk.take(**CASES["a value"])
    first, [row] = desk.newest(), desk.waiting()
    desk.release(row.id)
    second = desk.newest()
    assert desk.undo(first).left == 2  # the value, and its visit
    edited = [VISIT, ("LK-1", "A1", "Khám định kỳ", "16/03/2026 08:00")]
    desk.take("c.xlsx", visits=edited)
    desk.undo(second)
    assert (desk.keys("visit"), desk.keys("measurement")) == ({"LK-0", "LK-1"}, set())


HELD_TITLE = "Thay lượt khám đang giữ"
TYPED = ("A1", "Khám định kỳ", "16/03/2062", 88, 30)  # 2026 was meant
MEANT = "A1.checkup.20260316"


def correct(path: Path, day: str, *, row: int = 2, **cells: Any) -> list[str]:
    """A clerk corrects the day of a row of results in the rejects; the titles there."""
    book = load_workbook(path)
    page = book["Kết quả theo hàng"]
    titles = [str(cell.value) for cell in page[1]]
    for title, value in {"Bắt đầu": day, **cells}.items():
        page.cell(row, titles.index(title) + 1).value = value
    book.save(path)
    return titles


def test_a_held_day_that_is_corrected_in_the_rejects_waits_no_more(desk: Desk) -> None:
    assert desk.take(wide=[WIDE, TYPED]).held == 1
    assert [one.key for one in desk.waiting()] == ["A1.checkup.20620316"]
    assert HELD_TITLE in correct(desk.folder / "r.xlsx", "16/03/2026")
    report = desk.again("r.xlsx", rejects=desk.folder / "r2.xlsx")
    assert (report.rejected, report.held, report.problem_count) == (0, 0, 0)
    assert not any(HELD_TITLE in line for line in report.warnings)
    assert (desk.keys("visit"), desk.waiting()) == ({MEANT}, [])
    assert desk.keys("measurement") == {f"{MEANT}/BIO-CREA", f"{MEANT}/BIO-AST"}


def test_also_where_the_visit_stands_already(desk: Desk) -> None:
    desk.take("b.xlsx", visits=[VISIT, ("LK-1", "A1", "Khám định kỳ", "16/03/2026")])
    desk.take(wide=[WIDE, TYPED])
    correct(desk.folder / "r.xlsx", "16/03/2026")
    desk.again("r.xlsx", rejects=desk.folder / "r2.xlsx")
    assert (desk.keys("visit"), desk.waiting()) == ({"LK-1"}, [])
    assert desk.keys("measurement") == {"LK-1/BIO-CREA", "LK-1/BIO-AST"}


def test_what_is_still_wrong_remembers_which_visit_it_corrects(desk: Desk) -> None:
    """Held again under another key, then rejected, then right: one row waits at a time, at last none."""
    desk.take(wide=[WIDE, TYPED, ("A2", "Khám định kỳ", "16/03/2026", 70, 20)])
    correct(desk.folder / "r.xlsx", "16/03/2063")
    assert desk.again("r.xlsx", rejects=desk.folder / "r2.xlsx").held == 1
    assert [one.key for one in desk.waiting()] == ["A1.checkup.20630316"]
    correct(desk.folder / "r2.xlsx", "16/33/2026")
    assert desk.again("r2.xlsx", rejects=desk.folder / "r3.xlsx").rejected == 3
    assert [one.key for one in desk.waiting()] == ["A1.checkup.20630316"]
    correct(desk.folder / "r3.xlsx", "16/03/2026")
    assert desk.again("r3.xlsx", rejects=desk.folder / "r4.xlsx").rejected == 0
    assert (desk.waiting(), desk.keys("visit")) == ([], {MEANT, "A2.checkup.20260316"})


def test_a_row_that_was_another_persons_is_settled_too(desk: Desk) -> None:
    desk.take(wide=[WIDE, TYPED])
    correct(desk.folder / "r.xlsx", "16/03/2026", **{"Mã cán bộ": "A2"})
    desk.again("r.xlsx", rejects=desk.folder / "r2.xlsx")
    assert (desk.keys("visit"), desk.waiting()) == ({"A2.checkup.20260316"}, [])


def test_in_another_list_and_in_a_dry_run(desk: Desk) -> None:
    desk.take("b.xlsx", people=PEOPLE)
    desk.again("b.xlsx", key_space="@kh")
    desk.take(wide=[WIDE, TYPED])
    desk.again("a.xlsx", key_space="@kh")
    own, other = desk.waiting()
    correct(desk.folder / "r.xlsx", "16/03/2026")
    desk.again("r.xlsx", key_space="@kh", dry_run=True)
    assert desk.waiting() == [own, other]
    desk.again("r.xlsx", key_space="@kh", rejects=desk.folder / "r2.xlsx")
    assert desk.waiting() == [own]
    assert desk.keys("visit") == {f"{MEANT}@kh"}


def test_what_a_person_decided_stays_decided(desk: Desk) -> None:
    desk.take(wide=[WIDE, TYPED])
    desk.release(desk.waiting()[0].id)
    correct(desk.folder / "r.xlsx", "16/03/2026")
    desk.again("r.xlsx", rejects=desk.folder / "r2.xlsx")
    assert [one.state for one in desk.held.rows(None)] == [HeldState.RELEASED]


def test_another_file_of_that_name_leaves_a_held_row_waiting(desk: Desk) -> None:
    """The laboratory's next file is called the same, and has somebody else in that row."""
    desk.take(wide=[WIDE, TYPED])
    before = desk.waiting()
    desk.take(wide=[WIDE, ("A2", "Khám định kỳ", "23/03/2026", 70, 20)])
    assert desk.waiting() == before
    desk.take(wide=[WIDE, (*TYPED[:2], "16/03/2026", *TYPED[3:])])  # the same row, corrected in its own file
    assert desk.waiting() == []


def test_rejects_as_csv_say_it_too(desk: Desk) -> None:
    folder = desk.folder / "csv"
    folder.mkdir()
    lines = (";".join(map(str, row)) for row in (WIDE, TYPED))
    (folder / "Kết quả theo hàng.csv").write_text("\n".join(lines), "utf-8")
    desk.again("csv", rejects=desk.folder / "rejects")
    page = desk.folder / "rejects" / "Kết quả theo hàng.csv"
    written = page.read_text("utf-8-sig")
    assert HELD_TITLE in written
    page.write_text(written.replace("16/03/2062", "16/03/2026"), "utf-8-sig")
    desk.again("rejects", rejects=desk.folder / "more")
    assert (desk.keys("visit"), desk.waiting()) == ({MEANT}, [])
