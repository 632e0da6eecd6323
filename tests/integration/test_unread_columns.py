"""A column of a wide sheet that may be a measure and was not read is said last, and by the exit code."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from centre_states import CentreStates
from openpyxl import Workbook

from adapter.testing import Centre

PEOPLE = [
    ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"),
    ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4"),
    ("A2", "Phạm Thị Bình", "Nữ", "07/03/1965", "T2"),
]
HIDDEN = ("X1", "Người Rất Kín", "Nam", "05/03/1950", "T0")


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    centre_states.put_empty(tmp_path)
    made = Centre(tmp_path)
    yield made
    made.close()


def write(path: Path, header: str, *values: Any, hidden: Any = None) -> str:
    """A wide sheet with another column, a value for each person."""
    book = Workbook()
    people, wide = book.worksheets[0], book.create_sheet("Kết quả theo hàng")
    people.title = "Cán bộ"
    for row in PEOPLE:
        people.append(row)
    wide.append(("Mã cán bộ", "Loại", "Ngày khám", "Creatinin", "AST", header))
    for key, value in zip(("A1", "A2"), values, strict=True):
        wide.append((key, "Khám định kỳ", "02/03/2026", 88, 30, value))
    if hidden is not None:
        people.append(HIDDEN)
        wide.append(("X1", "Khám định kỳ", "02/03/2026", 88, 30, hidden))
    book.save(path)
    return path.name


@pytest.mark.parametrize(
    ("header", "values", "likely"),
    [
        ("LDL", (3.1, 2.9), "BIO-LDL"),
        ("Glucose", ("5,1", None), "BIO-GLU"),
        ("Yếu tố V", (88, "90,5"), ""),
        ("Chất lạ (mg/L)", ("<5", 7), ""),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_what_may_be_a_measure_is_said_last_and_exits_with_one(  # noqa: PLR0917 - a row of the table
    centre: Centre, tmp_path: Path, header: str, values: tuple[Any, Any], likely: str, dry: bool
) -> None:
    name = write(tmp_path / "a.xlsx", header, *values)
    options = ["--dry-run"] if dry else []
    done = centre.attempt("--lang", "vi", "import", name, *options)
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert f'cột "{header}"' in said
    assert "CHƯA được nhập" in said
    assert said.rindex("CHƯA được nhập") > said.rindex("Trang Kết quả theo hàng")  # last
    assert f"measure,{header}" in said
    assert likely in said
    report = json.loads(centre.run("import", name, "--json", *options, code=1))
    assert report["unread_columns"] == len(report["unread"]) == 1
    assert report["kinds"]["measurement"]["rejected"] == 0  # all else comes in


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("STT", (1, 2)),
        ("Tuổi", (66, 61)),
        ("Ghi chú", ("nhịn ăn", "lấy máu tại nhà")),
        ("Người lấy mẫu", ("ĐD Hoa", "ĐD Lan")),
        ("Cột gì đó", ("nhịn ăn", 5)),
        ("LDL", (None, None)),  # nothing is lost
        ("ALT", (30, 31)),
    ],
)
def test_what_is_none_or_is_known_is_no_reason_to_stop(
    centre: Centre, tmp_path: Path, header: str, values: tuple[Any, Any]
) -> None:
    name = write(tmp_path / "a.xlsx", header, *values)
    report = json.loads(centre.run("import", name, "--json"))
    assert (report["unread_columns"], report["unread"]) == (0, [])


def test_a_word_or_a_layout_answers_it(centre: Centre, tmp_path: Path) -> None:
    name = write(tmp_path / "a.xlsx", "LDL", 3.1, 2.9)
    centre.run("import", name, code=1)
    words = tmp_path / "data" / "words.csv"
    words.parent.mkdir(exist_ok=True)
    words.write_text("field,word,meaning\nmeasure,LDL,BIO-LDL\n", "utf-8")
    report = json.loads(centre.run("import", name, "--json"))
    assert report["kinds"]["measurement"]["created"] == 2
    words.unlink()
    said = centre.attempt("import", name, "--look", "--keep", "xet-nghiem")
    assert said.returncode == 1
    assert '"LDL"' in said.stdout
    kept = tmp_path / "data" / "layouts" / "xet-nghiem.yaml"
    text = kept.read_text("utf-8")
    assert '{header: "LDL", is: "?"}' in text  # nobody has said that it is to be left out
    centre.run("import", name, code=1)
    words.write_text("field,word,meaning\nmeasure,LDL,BIO-LDL\n", "utf-8")
    assert json.loads(centre.run("import", name, "--json"))["kinds"]["measurement"]["unchanged"] == 6
    words.unlink()
    for answer, unchanged in (("BIO-LDL", 6), ("-", 4)):
        kept.write_text(text.replace('is: "?"', f'is: "{answer}"'), "utf-8")
        report = json.loads(centre.run("import", name, "--json"))
        assert report["unread_columns"] == 0
        assert report["kinds"]["measurement"]["unchanged"] == unchanged


def written(path: Path, sheet: str, *rows: tuple[Any, ...]) -> str:
    book = Workbook()
    book.worksheets[0].title = sheet
    for row in rows:
        book.worksheets[0].append(row)
    book.save(path)
    return path.name


WIDES = (
    "KQ",
    ("Mã cán bộ", "Họ tên", "Diện", "Loại", "Ngày khám", "Creatinin", "AST"),
    ("A1", "Lê Văn An", "T4", "Khám định kỳ", "02/03/2026", 88, 30),
    ("X1", "Người Rất Kín", "T0", "Khám định kỳ", "02/03/2026", 987, 654),
)
VISITS = (
    "Lượt khám",
    ("Mã lượt khám", "Mã cán bộ", "Họ tên", "Diện", "Loại", "Ngày khám", "Kết luận"),
    ("V1", "A1", "Lê Văn An", "T4", "Khám định kỳ", "02/03/2026", "vợ của Người Rất Kín"),
    ("V2", "A2", "Phạm Thị Bình", "", "Khám định kỳ", "02/03/2026", "khỏe"),
    ("V3", "X1", "Người Rất Kín", "T0", "Khám định kỳ", "02/03/2026", "987 654"),
)


@pytest.mark.parametrize("header", ["Diện", "Nhóm quản lý"])
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("sheet", [WIDES, VISITS])
def test_whom_a_sheet_of_another_kind_calls_t0_is_hidden(
    centre: Centre, tmp_path: Path, sheet: tuple[Any, ...], kept: bool, header: str
) -> None:
    """Though the sheet of people does not name them, whether the column is imported from there or not, and
    whatever it is called.
    """
    kind = sheet
    sheet = (sheet[0], tuple(header if one == "Diện" else one for one in sheet[1]), *sheet[2:])
    centre.run("import", written(tmp_path / "people.xlsx", "Cán bộ", *PEOPLE))
    name = written(
        tmp_path / "more.xlsx",
        *(sheet if kept else ("Kết quả theo hàng", *sheet[1:]) if kind is WIDES else sheet),
    )
    if kept:
        centre.run("import", name, "--look", "--keep", "kq")
    done = centre.attempt("import", name)
    looked = centre.attempt("import", name, "--look")
    for secret in ("X1", "Kín", "987", "654"):
        assert secret not in done.stdout + done.stderr + looked.stdout + looked.stderr
    assert list(tmp_path.glob("*.rejects.*")) == []
    with centre.open() as adapter:
        visits = {one.key for one in adapter.records.iterate("visit")}
    assert visits == ({"A1.checkup.20260302"} if kind is WIDES else {"V2"})  # V1 tells of somebody hidden


def test_measures_in_a_list_of_people_are_said_not_to_be_read(centre: Centre, tmp_path: Path) -> None:
    """A clerk's one sheet: people, and beside them what was measured last."""
    header = ("TT", "Mã CB", "Họ và tên", "Nam/Nữ", "Năm sinh", "Diện QL", "Cân nặng", "HA", "Ghi chú")
    rows = (
        (1, "A1", "Lê Văn An", "Nam", 1960, "T4", 60, "140/90", "khỏe"),
        (2, "X1", "Người Rất Kín", "Nam", 1950, "T0", 987, "654/321", "kín"),
    )
    name = written(tmp_path / "one.xlsx", "Danh sách cán bộ", header, *rows)
    done = centre.attempt("import", name)
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    for title in ("Cân nặng", "HA"):
        assert said.count(f'column "{title}"') == 1
        assert f'column "{title}" is a measure and was NOT imported' in said
    looked = centre.attempt("import", name, "--look")
    for secret in ("X1", "Kín", "987", "654"):
        assert secret not in done.stdout + done.stderr + looked.stdout + looked.stderr
    with centre.open() as adapter:
        assert [one.key for one in adapter.records.iterate("cadre")] == ["A1"]
    centre.run("import", name, "--look", "--keep", "mot-trang")
    assert json.loads(centre.run("import", name, "--json"))["unread"] == []
