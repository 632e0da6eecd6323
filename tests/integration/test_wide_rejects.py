"""Rows of wide sheets that were rejected come back, corrected, as if they had been right from the start."""

import csv
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine

from adapter.records.held_rows import HeldRowStore
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.layouts.measure_names import MeasureNames, NamedMeasure
from adapter.records.layouts.reading import TableForm
from adapter.records.layouts.row_visits import made_visit_key
from adapter.records.layouts.saved_layout import SavedColumn, SavedTable, fingerprint
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.model import KINDS, Record
from adapter.records.plausible.ranges import PlausibleRanges
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.store import RecordStore
from adapter.texts import say

NOW = datetime(2026, 11, 1, tzinfo=UTC)
Row = Sequence[Any]
PEOPLE = [
    ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"),
    ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4"),
    ("A2", "Trần Thị Ba", "Nữ", "06/04/1961", "T5"),
    ("A3", "Phạm Văn Cao", "Nam", "07/05/1962", "T5"),
]
MEASURES = MeasureNames(
    [
        NamedMeasure("BIO-CREA", "Creatinin", "Creatinine", "µmol/L"),
        NamedMeasure("BIO-GLUF", "Glucose máu lúc đói", "Fasting glucose", "mmol/L"),
        NamedMeasure("BIO-AST", "AST (GOT)", "AST", "U/L"),
    ],
    ["mmol/L", "µmol/L", "U/L"],
)
WIDE = (
    "Mã cán bộ",
    "Họ và tên",
    "Loại",
    "Ngày khám",
    "Kết luận",
    "Creatinin (µmol/L)",
    "Glucose máu lúc đói",
)
ROWS: list[list[Any]] = [
    ["A1", "Lê Văn An", "Khám định kỳ", "15/03/2026", "ổn", 88, "5,1"],
    ["A2", "Trần Thị Ba", "Khám định kỳ", "16/03/2026", "ổn", 70, "4,9"],
    ["A2", "Trần Thị Ba", "Khám định kỳ", "17/04/2026", "theo dõi", 71, None],
    ["A3", "Phạm Văn Cao", "Ngoại trú", "18/03/2026", "", 95, "6,2"],
]
# Where the clerk went wrong: row, column, and what was written there.
SLIPS: dict[str, list[tuple[int, int, Any]]] = {
    "day": [(1, 3, "13/14/2026")],
    "no day": [(1, 3, "")],
    "day in words": [(0, 3, "hôm qua"), (3, 3, "32/01/2026")],
    "kind": [(1, 2, "khám chơi")],
    "person": [(1, 0, "A9")],
    "no person": [(3, 0, "")],
    "the future": [(2, 3, "17/04/2062")],
    "one value": [(1, 5, "#N/A")],
    "both values": [(0, 5, "#REF!"), (0, 6, "#N/A")],
    "day and value": [(1, 3, "13/14/2026"), (1, 5, "#N/A")],
    "day and kind": [(1, 3, "x"), (1, 2, "y"), (2, 3, "x")],
}


def write_workbook(path: Path, sheets: dict[str, Sequence[Row]]) -> Path:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(list(row))
    book.save(path)
    return path


def write_folder(path: Path, sheets: dict[str, Sequence[Row]]) -> Path:
    path.mkdir()
    for name, rows in sheets.items():
        with (path / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    return path


def imports(engine: Engine, *files: Path, saved: Any = None, **options: Any) -> ImportReport:
    context = LayoutContext(MEASURES, saved=saved or {})
    given: dict[str, Any] = {
        "max_deletions_percent": 100,
        "known_hospitals": frozenset(),
        "now": NOW,
        "inputs": InputOptions(layouts=context),
    }
    return run_import(engine, list(files), **(given | options))


def everything(engine: Engine) -> dict[str, dict[str, Record]]:
    store = RecordStore(engine)
    return {kind: {one.key: one for one in store.iterate(kind)} for kind in KINDS}


def spoilt(slips: list[tuple[int, int, Any]]) -> list[list[Any]]:
    rows = [list(row) for row in ROWS]
    for row, column, cell in slips:
        rows[row][column] = cell
    return rows


def corrected(rejects: Path, correct: Callable[[dict[str, Any]], dict[str, Any]]) -> Path:
    """The rejects, each row corrected by its cells' headers."""
    if rejects.is_dir():
        for file in rejects.glob("*.csv"):
            with file.open(encoding="utf-8-sig", newline="") as lines:
                header, *rows = csv.reader(lines)
            rows = [list(correct(dict(zip(header, row, strict=True))).values()) for row in rows]
            with file.open("w", encoding="utf-8-sig", newline="") as lines:
                csv.writer(lines).writerows([header, *rows])
        return rejects
    book = load_workbook(rejects)
    for page in book.worksheets:
        header = [cell.value for cell in page[1]]
        for cells in page.iter_rows(min_row=2):
            written = {title: cell.value for title, cell in zip(header, cells, strict=True)}
            for cell, value in zip(cells, correct(written).values(), strict=False):
                cell.value = value
    book.save(rejects)
    return rejects


def as_it_should_be(slips: list[tuple[int, int, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What a clerk does: looks at the reason and puts in what is right, found by name and values."""

    def correct(written: dict[str, Any]) -> dict[str, Any]:
        for number, row in enumerate(spoilt(slips)):
            shown = [written.get(title, cell) for title, cell in zip(WIDE, row, strict=True)]
            same = [str(a or "") == str(b or "") for a, b in zip(shown, row, strict=True)]
            if all(same[:5]) and "Họ và tên" in written:
                for title, cell, bad in zip(WIDE, ROWS[number], row, strict=True):
                    if title in written and cell != bad:
                        written[title] = cell
        return written

    return correct


@pytest.mark.parametrize("write", [write_workbook, write_folder], ids=["workbook", "folder"])
@pytest.mark.parametrize("slips", SLIPS.values(), ids=SLIPS)
def test_corrected_rejects_are_as_if_the_sheet_had_been_right(
    engine: Engine, tmp_path: Path, write: Any, slips: list[tuple[int, int, Any]]
) -> None:
    suffix = ".xlsx" if write is write_workbook else ""
    imports(engine, write(tmp_path / f"people{suffix}", {"Cán bộ": PEOPLE}))
    # Who is T0 is known where the file lists its people; else whoever is unknown is not copied.
    sheets = {"Cán bộ": PEOPLE, "Kết quả theo hàng": [WIDE, *spoilt(slips)]}
    bad = write(tmp_path / f"bad{suffix}", sheets)
    options = {"plausible": PlausibleRanges({}, {})}
    report = imports(engine, bad, rejects=tmp_path / "rejects", **options)
    assert report.rejected
    assert report.rejects is not None
    again = imports(engine, corrected(report.rejects, as_it_should_be(slips)), **options)
    assert (again.rejected, again.partial) == (0, True)
    after = everything(engine)
    assert {key.split(".")[2] for key in after["visit"]} == {"20260315", "20260316", "20260417", "20260318"}
    right = write(tmp_path / f"right{suffix}", {"Kết quả theo hàng": [WIDE, *ROWS]})
    assert imports(engine, right, **options).changes == 0
    assert len(after["measurement"]) == 7


def test_no_key_is_made_of_what_cannot_be_read() -> None:
    assert made_visit_key("A1", "Khám định kỳ", "15/03/2026") == "A1.checkup.20260315"
    assert made_visit_key("A1", "KHÁM ĐỊNH KỲ", "2026-03-15 08:30") == "A1.checkup.20260315"
    assert made_visit_key("A1", "Kh¸m ®Þnh kú", "15/03/2026") == "A1.checkup.20260315"  # TCVN3
    for cells in (
        ("", "Khám định kỳ", "15/03/2026"),
        ("A1", "", "15/03/2026"),
        ("A1", "khám chơi", "15/03/2026"),
        ("A1", "Khám định kỳ", ""),
        ("A1", "Khám định kỳ", "13/14/2026"),
        ("A1", "Khám định kỳ", "#N/A"),
    ):
        assert made_visit_key(*cells) is None


def test_a_rejected_row_is_given_back_as_it_was_written(engine: Engine, tmp_path: Path) -> None:
    imports(engine, write_workbook(tmp_path / "people.xlsx", {"Cán bộ": PEOPLE}))
    rows = spoilt([(1, 3, "13/14/2026"), (1, 5, "#N/A"), (3, 5, "#N/A")])
    report = imports(
        engine, write_workbook(tmp_path / "a.xlsx", {"Wide": [WIDE, *rows]}), rejects=tmp_path / "r.xlsx"
    )
    assert (report.kinds["visit"].rejected, report.kinds["measurement"].rejected) == (1, 3)
    assert report.copied == 2
    book = load_workbook(report.rejects)
    assert book.sheetnames == ["Kết quả theo hàng", "Kết quả theo hàng (2)", "_rejects"]
    whole, part = book.worksheets[:2]
    assert [cell.value for cell in whole[1]][:-1] == list(WIDE)
    assert [cell.value for cell in whole[2]][:-1] == rows[1]
    assert whole.max_row == 2
    [reason] = [cell.value for cell in whole[2]][-1:]
    assert "Ngày khám: " in reason
    assert "Creatinin (µmol/L): " in reason
    assert say("import.waits_for_parent") not in reason
    # Where the visit came in, only the value that did not.
    assert [cell.value for cell in part[1]][:-1] == [*WIDE[:4], WIDE[5]]
    assert [cell.value for cell in part[2]][:-1] == [*ROWS[3][:4], "#N/A"]


def test_what_came_in_and_was_edited_since_stays_when_the_rejects_come(
    engine: Engine, tmp_path: Path
) -> None:
    imports(engine, write_workbook(tmp_path / "people.xlsx", {"Cán bộ": PEOPLE}))
    slip = [(0, 5, "#N/A")]
    report = imports(
        engine,
        write_workbook(tmp_path / "a.xlsx", {"Wide": [WIDE, *spoilt(slip)]}),
        rejects=tmp_path / "r.xlsx",
    )
    rows = [list(row) for row in ROWS[:1]]
    rows[0][4], rows[0][6] = "đã sửa", "5,5"
    imports(engine, write_workbook(tmp_path / "b.xlsx", {"Wide": [WIDE, *rows]}))
    assert report.rejects is not None
    again = imports(engine, corrected(report.rejects, as_it_should_be([(0, 5, "#N/A")])))
    assert (again.rejected, again.changes) == (0, 0)
    after = everything(engine)
    assert after["visit"]["A1.checkup.20260315"].conclusion == "đã sửa"  # type: ignore[attr-defined]
    assert after["measurement"]["A1.checkup.20260315/BIO-GLUF"].value == "5.5"  # type: ignore[attr-defined]


VISITS = [("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"), ("V1", "A1", "checkup", "15/03/2026")]
BESIDE = (*VISITS[0], "Creatinin (µmol/L)", "Glucose máu lúc đói")
OTHER_FORMS: dict[str, tuple[dict[str, Sequence[Row]], dict[str, Any], int]] = {
    "values by the visit's own key": (
        {
            "Lượt khám": VISITS,
            "Wide": [("Mã lượt khám", "Creatinin (µmol/L)", "AST"), ("V1", "#N/A", 30)],
        },
        {"#N/A": "88"},
        2,
    ),
    "a visit's own key that is none": (
        {"Lượt khám": VISITS, "Wide": [("Mã lượt khám", "Creatinin", "AST"), ("V7", 88, 30)]},
        {"V7": "V1"},
        2,
    ),
    "measures beside visits": (
        {"Lượt khám": [BESIDE, ("V1", "A1", "checkup", "13/14/2026", 88, "5,1")]},
        {"13/14/2026": "15/03/2026"},
        2,
    ),
    "a value beside a visit": (
        {"Lượt khám": [BESIDE, ("V1", "A1", "checkup", "15/03/2026", "#N/A", "5,1")]},
        {"#N/A": "88"},
        2,
    ),
    "units in a row below": (
        {
            "Wide": [
                ("Mã cán bộ", "Loại", "Ngày khám", "Creatinin", "AST"),
                (None, None, None, "µmol/L", "U/L"),
                ("A1", "checkup", "13/14/2026", 88, 30),
            ]
        },
        {"13/14/2026": "15/03/2026"},
        2,
    ),
    "one measure": (
        {"Wide": [("Mã cán bộ", "Loại", "Ngày khám", "Creatinin"), ("A1", "checkup", "13/14/2026", 88)]},
        {"13/14/2026": "15/03/2026"},
        1,
    ),
    "a day of two rows": (
        {
            "Wide": [
                ("Mã cán bộ", "Loại", "Ngày khám", "Creatinin", "AST"),
                ("A1", "checkup", "13/14/2026", 88, None),
                ("A1", "checkup", "13/14/2026", None, 30),
            ]
        },
        {"13/14/2026": "15/03/2026"},
        2,
    ),
}


@pytest.mark.parametrize("write", [write_workbook, write_folder], ids=["workbook", "folder"])
@pytest.mark.parametrize("form", OTHER_FORMS.values(), ids=OTHER_FORMS)
def test_the_same_in_other_forms_of_rows(engine: Engine, tmp_path: Path, form: Any, write: Any) -> None:
    sheets, right, values = form
    suffix = ".xlsx" if write is write_workbook else ""
    imports(engine, write(tmp_path / f"people{suffix}", {"Cán bộ": PEOPLE}))
    bad = write(tmp_path / f"bad{suffix}", {"Cán bộ": PEOPLE, **sheets})
    report = imports(engine, bad, rejects=tmp_path / "r")
    assert report.rejected
    assert report.rejects is not None

    def correct(written: dict[str, Any]) -> dict[str, Any]:
        return {title: right.get(cell, cell) for title, cell in written.items()}

    again = imports(engine, corrected(report.rejects, correct))
    assert again.rejected == 0
    whole = {name: [[right.get(cell, cell) for cell in row] for row in rows] for name, rows in sheets.items()}
    final = imports(engine, write(tmp_path / f"right{suffix}", whole))
    assert (final.rejected, final.changes) == (0, 0)
    after = everything(engine)
    assert (len(after["visit"]), len(after["measurement"])) == (1, values)


def test_rejects_of_a_kept_layout_need_it_no_more(engine: Engine, tmp_path: Path) -> None:
    """Whatever its headers were taken for, in a unit of no table, the kind of visit said there."""
    imports(engine, write_workbook(tmp_path / "people.xlsx", {"Cán bộ": PEOPLE}))
    titles = ("Mã BN", "Ngày XN", "Đường máu", "Cre", "Creatinin")
    means = ("cadre", "started_at", "BIO-GLUF", "BIO-CREA", "-")
    columns = tuple(
        SavedColumn(title, mean, "đv lạ" if title == "Cre" else "")
        for title, mean in zip(titles, means, strict=True)
    )
    saved = {fingerprint(titles): SavedTable("bv", TableForm.WIDE, columns, "Khám định kỳ")}
    rows = [titles, ("A1", "13/14/2026", "5,1", 88, "không phải")]
    report = imports(
        engine, write_workbook(tmp_path / "a.xlsx", {"KQ": rows}), saved=saved, rejects=tmp_path / "r.xlsx"
    )
    assert report.rejects is not None

    def correct(written: dict[str, Any]) -> dict[str, Any]:
        return {title: "15/03/2026" if cell == "13/14/2026" else cell for title, cell in written.items()}

    assert imports(engine, corrected(report.rejects, correct)).rejected == 0
    found = everything(engine)["measurement"]
    assert set(found) == {"A1.checkup.20260315/BIO-GLUF", "A1.checkup.20260315/BIO-CREA"}
    crea: Any = found["A1.checkup.20260315/BIO-CREA"]
    assert (crea.value, crea.unit) == ("88", "đv lạ")


@pytest.mark.parametrize("name", ["wide.csv", "Chỉ số.csv"])
def test_a_row_that_has_slipped_is_refused_again(engine: Engine, tmp_path: Path, name: str) -> None:
    imports(
        engine,
        write_workbook(tmp_path / "people.xlsx", {"Cán bộ": PEOPLE, "Lượt khám": VISITS}),
    )
    text = (
        "Mã cán bộ,Loại,Ngày khám,Creatinin,AST\nA1,checkup,15/03/2026,88,4,1\n"
        if name == "wide.csv"
        else "Mã lượt khám,Mã chỉ số,Giá trị,Đơn vị\nV1,BIO-K,4,1,mmol/L\n"
    )
    (tmp_path / name).write_text(text, "utf-8")
    report = imports(engine, tmp_path / name, rejects=tmp_path / "r", partial=True)
    assert report.kinds["measurement"].created == 0
    assert report.rejects is not None
    again = imports(engine, report.rejects)
    assert again.kinds["measurement"].created == 0
    assert again.kinds["measurement"].rejected == report.kinds["measurement"].rejected


def test_a_row_whose_day_was_held_waits_no_more_when_it_is_corrected(engine: Engine, tmp_path: Path) -> None:
    options = {"plausible": PlausibleRanges({}, {})}
    imports(engine, write_workbook(tmp_path / "people.xlsx", {"Cán bộ": PEOPLE}))
    path = tmp_path / "a.xlsx"
    report = imports(
        engine, write_workbook(path, {"Wide": [WIDE, *spoilt([(2, 3, "17/04/2062")])]}), **options
    )
    assert report.held == 1
    assert imports(engine, write_workbook(path, {"Wide": [WIDE, *ROWS]}), **options).held == 0
    assert HeldRowStore(engine).rows() == []
    assert len(everything(engine)["visit"]) == 4


def test_a_row_that_is_held_for_its_own_day_says_so(engine: Engine, tmp_path: Path) -> None:
    imports(engine, write_workbook(tmp_path / "people.xlsx", {"Cán bộ": PEOPLE}))
    rows = [WIDE, *spoilt([(2, 3, "17/04/2062")])]
    path = write_workbook(tmp_path / "a.xlsx", {"Wide": rows})
    report = imports(engine, path, plausible=PlausibleRanges({}, {}), rejects=tmp_path / "r.xlsx")
    assert report.rejects is not None
    [_, row] = load_workbook(report.rejects).worksheets[0].iter_rows(values_only=True)
    assert str(row[-1]).startswith("Ngày khám: ")
    assert say("import.held_future") in str(row[-1])
    assert say("import.waits_for_parent") not in str(row[-1])


def test_what_tells_of_somebody_hidden_is_not_given_back(engine: Engine, tmp_path: Path) -> None:
    people = [*PEOPLE, ("X1", "Người Ẩn Danh", "Nam", "05/03/1950", "T0")]
    rows: list[Row] = [
        (*WIDE, "Ghi chú"),
        ["A1", "", "Khám định kỳ", "15/03/2026", "ổn", "#N/A", "5,1", "đi cùng Người Ẩn Danh"],
        ["A2", "", "Khám định kỳ", "13/14/2026", "ổn", 70, 5, "như Người Ẩn Danh"],
        ["A3", "", "Khám định kỳ", "16/03/2026", "gặp Người Ẩn Danh", "#N/A", 5, ""],
        ["X1", "Người Ẩn Danh", "Khám định kỳ", "13/14/2026", "ổn", "#N/A", 5, ""],
    ]
    path = write_workbook(tmp_path / "a.xlsx", {"Cán bộ": people, "Wide": rows})
    report = imports(engine, path, rejects=tmp_path / "r.xlsx")
    assert report.rejects is not None
    written = [
        str(cell.value or "")
        for page in load_workbook(report.rejects).worksheets
        for row in page.iter_rows()
        for cell in row
    ]
    assert {"A1", "A2"} <= set(written)
    assert not [cell for cell in written if "Ẩn Danh" in cell or cell in ("X1", "A3")]
