"""A look at sheets that say no tiers: examples of people whom files or records know, and of no others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from centre_states import CentreStates
from openpyxl import Workbook

from adapter.testing import Centre

PEOPLE: list[tuple[Any, ...]] = [
    ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "Số CCCD"),
    ("X1", "Người Rất Kín", "Nam", "05/03/1950", "T0", "001050000001"),
    ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4", "001060000002"),
    ("Y1", "Trần Thị Mờ", "Nữ", "06/03/1955", "", "001155000003"),
    ("X9", "Người Rất Kín", "Nam", "05/03/1950", "T3", "001050000001"),  # X1 under another key
    ("A2", "Phạm Thị Bình", "Nữ", "07/03/1965", "T2", "001165000004"),
]
VISITS: list[tuple[Any, ...]] = [
    ("Mã lượt khám", "Mã cán bộ", "Loại", "Ngày khám", "Kết luận", "Người nhà"),
    ("L-X1", "X1", "Khám định kỳ", "02/03/2026", "bí mật một", "nhà X"),
    ("L-X9", "X9", "Khám định kỳ", "02/03/2026", "bí mật hai", "nhà Y"),
    ("L-Y1", "Y1", "Khám định kỳ", "02/03/2026", "bí mật ba", "nhà Z"),
    ("L-LA", "LẠ", "Khám định kỳ", "02/03/2026", "bí mật bốn", "nhà T"),
    ("L-A1", "A1", "Khám định kỳ", "02/03/2026", "Tăng huyết áp", "vợ ông Người Rất Kín"),
    ("L-A2", "A2", "Khám định kỳ", "02/03/2026", "Khỏe mạnh", "con đi cùng"),
]
MEASURES: list[tuple[Any, ...]] = [
    ("Mã lượt khám", "Mã chỉ số", "Giá trị", "Ghi chú"),
    ("L-X1", "BIO-CREA", 91, "lấy máu ở nhà X"),
    ("L-A1", "BIO-CREA", 92, "nhịn ăn"),
]
WIDE: list[tuple[Any, ...]] = [
    ("Mã cán bộ", "Họ tên", "Loại", "Ngày khám", "Creatinin", "AST", "Người lấy mẫu"),
    ("X1", "Người Rất Kín", "Khám định kỳ", "02/03/2026", 88, 30, "của X1"),
    ("A2", "Phạm Thị Bình", "Khám định kỳ", "02/03/2026", 77, 20, "ĐD Hoa"),
]
SECRET = ("X1", "X9", "Y1", "LẠ", "Kín", "Mờ", "bí mật", "nhà X", "nhà Y", "nhà Z", "nhà T", "1950", "1955")


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    centre_states.put_empty(tmp_path)
    made = Centre(tmp_path)
    yield made
    made.close()


def write(path: Path, sheets: dict[str, Any]) -> str:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(row)
    book.save(path)
    return path.name


def look(centre: Centre, *names: str) -> dict[str, dict[str, list[str]]]:
    """Examples by sheet and header; the output is searched for what must not be in it."""
    drawn = centre.attempt("import", "--look", *names)
    said = centre.attempt("import", "--look", "--json", *names)
    for secret in SECRET:
        assert secret not in said.stdout + said.stderr + drawn.stdout + drawn.stderr, secret
    tables = json.loads(said.stdout)["tables"]
    return {
        one["sheet"]: {column["header"]: column["examples"] for column in one["columns"]} for one in tables
    }


def test_known_people_give_examples_of_every_column(centre: Centre, tmp_path: Path) -> None:
    sheets = {"Cán bộ": PEOPLE, "Lượt khám": VISITS, "Chỉ số": MEASURES, "Kết quả theo hàng": WIDE}
    shown = look(centre, write(tmp_path / "a.xlsx", sheets))
    visits = shown["Lượt khám"]
    assert visits["Mã lượt khám"] == ["L-A1", "L-A2"]
    assert visits["Mã cán bộ"] == ["A1", "A2"]
    assert visits["Kết luận"] == ["Tăng huyết áp", "Khỏe mạnh"]
    assert visits["Người nhà"] == ["con đi cùng"]  # not known, and one of them tells of somebody hidden
    assert shown["Chỉ số"]["Mã lượt khám"] == ["L-A1"]
    assert shown["Chỉ số"]["Ghi chú"] == ["nhịn ăn"]
    assert shown["Kết quả theo hàng"]["Họ tên"] == ["Phạm Thị Bình"]
    assert shown["Kết quả theo hàng"]["Người lấy mẫu"] == ["ĐD Hoa"]


def test_the_people_may_stand_in_another_file_or_in_the_records(centre: Centre, tmp_path: Path) -> None:
    people = write(tmp_path / "people.xlsx", {"Cán bộ": [PEOPLE[0], PEOPLE[2]]})
    visits = write(tmp_path / "visits.xlsx", {"Lượt khám": [row[:5] for row in VISITS]})
    assert look(centre, visits)["Lượt khám"]["Mã cán bộ"] == []
    assert look(centre, visits, people)["Lượt khám"]["Mã cán bộ"] == ["A1"]
    centre.run("import", people)
    assert look(centre, visits)["Lượt khám"]["Kết luận"] == ["Tăng huyết áp"]
    erased = [PEOPLE[0], (*PEOPLE[2][:4], "T0", PEOPLE[2][5])]
    centre.attempt("import", "--allow-deletions", write(tmp_path / "later.xlsx", {"Cán bộ": erased}))
    assert look(centre, visits)["Lượt khám"]["Kết luận"] == []
    assert look(centre, visits, people)["Lượt khám"]["Mã cán bộ"] == []  # an older list brings nobody back


@pytest.mark.parametrize("without", ["Diện quản lý", "Họ và tên"])
def test_where_people_cannot_be_read_nothing_says_who_somebody_is(
    centre: Centre, tmp_path: Path, without: str
) -> None:
    place = PEOPLE[0].index(without)
    people = [tuple(cell for at, cell in enumerate(row) if at != place) for row in PEOPLE]
    named = people if without == "Họ và tên" else people[:1]  # without tiers its own rows are not shown
    shown = look(centre, write(tmp_path / "a.xlsx", {"Cán bộ": named, "Lượt khám": VISITS}))
    assert shown["Lượt khám"]["Mã cán bộ"] == shown["Lượt khám"]["Kết luận"] == []
    assert shown["Lượt khám"]["Loại"] == ["Khám định kỳ"]
