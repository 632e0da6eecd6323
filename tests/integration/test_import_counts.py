"""What an import says of its rows adds up: in the report, in JSON, on the terminal, in the rejects file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from centre_states import CentreStates
from openpyxl import Workbook, load_workbook

from adapter.testing import Centre

PEOPLE = [
    ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"),
    ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4"),
    ("A2", "Phạm Thị Bình", "đàn bà", "07/03/1965", "T2"),
    ("A3", "Trần Văn Chi", "Nam", "07/04/1965", "T2"),
]
HIDDEN = [("X1", "Người Rất Kín", "Nam", "05/03/1950", "T0"), ("Y1", "Hồ Thị Mờ", "Nữ", "05/03/1951", "")]
VISITS = [
    ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Xóa"),
    ("V1", "A1", "Khám định kỳ", "02/03/2026", ""),
    ("V2", "A2", "Khám định kỳ", "02/03/2026", ""),
    ("V3", "A3", "Khám định kỳ", "02/03/2062", ""),
    ("V4", "A3", "Khám định kỳ", "31/02/2026", ""),
    ("V5", "A9", "Khám định kỳ", "02/03/2026", ""),
    ("V6", "A1", "Khám ngoại trú", "05/03/2026", "x"),
    ("V1", "A1", "Khám định kỳ", "02/03/2026", ""),
]
HIDDENS_VISITS = [(f"V{key}", key, "Khám định kỳ", "02/03/2026", "") for key in ("X1", "Y1")]
WIDE = [
    ("Mã cán bộ", "Loại", "Ngày khám", "Creatinin", "AST", "Cân nặng"),
    ("A1", "Khám định kỳ", "02/03/2026", 88, "KLM", 60),
    ("A2", "Khám định kỳ", "02/03/2026", 89, 30, 61),
    ("A3", "Khám định kỳ", "04/03/2026", "âm tính", "-", 6000),
]


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    centre_states.put_empty(tmp_path)
    made = Centre(tmp_path)
    yield made
    made.close()


def write(path: Path, *, hidden: bool) -> str:
    book = Workbook()
    book.remove(book.worksheets[0])
    sheets: dict[str, list[Any]] = {
        "Cán bộ": PEOPLE + HIDDEN * hidden,
        "Lượt khám": VISITS + HIDDENS_VISITS * hidden,
        "Kết quả theo hàng": WIDE,
    }
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(row)
    book.save(path)
    return path.name


def check(report: dict[str, Any]) -> None:
    outcomes = report["outcomes"]
    assert sum(outcomes.values()) + report["refused_rows"] == report["rows"]
    of_kinds = {
        word: sum(kind[word] for kind in report["kinds"].values())
        for word in ("created", "changed", "unchanged", "rejected", "held", "dropped", "marked")
    }
    came_in = of_kinds.pop("created") + of_kinds.pop("changed") + of_kinds.pop("unchanged")
    assert {"accepted": came_in, **of_kinds} == outcomes


@pytest.mark.parametrize("hidden", [False, True])
def test_all_that_was_read_came_to_something(centre: Centre, tmp_path: Path, hidden: bool) -> None:
    name = write(tmp_path / "a.xlsx", hidden=hidden)
    report = json.loads(centre.run("import", name, "--json", code=1))
    check(report)
    outcomes = report["outcomes"]
    assert min(outcomes[word] for word in ("accepted", "rejected", "held", "marked")) > 0
    withheld = sum(kind["withheld"] for kind in report["kinds"].values())
    assert (withheld > 0) is hidden
    again = centre.attempt("import", name)
    said = " ".join(again.stdout.split())
    read = sum(outcomes.values())
    parts = f"{outcomes['accepted']} can come in, {outcomes['rejected']} rejected, {outcomes['held']} wait"
    assert f"{read} records were read: {parts}" in said
    rejects = load_workbook(tmp_path / "a.rejects.xlsx")
    lines = sum(page.max_row - 1 for page in rejects.worksheets if page.title != "_rejects")
    assert report["copied"] == lines
    in_file = outcomes["rejected"] - withheld
    assert f"{in_file} records were rejected: they are in {lines} rows of" in said
    assert (f"{withheld} rejected records are in no rejects file" in said) is hidden
    for item in json.loads(centre.run("import", "held", "--json")):
        centre.run("import", "held", "drop", str(item["id"]), "--reason", "gõ nhầm")
    last = json.loads(centre.run("import", name, "--json", code=1))
    check(last)
    assert last["outcomes"]["dropped"] == outcomes["held"]
    dry = json.loads(centre.run("import", name, "--json", "--dry-run", code=1))
    assert dry["outcomes"] == last["outcomes"]


def test_of_a_clean_file_there_is_nothing_to_add_up(centre: Centre) -> None:
    centre.import_sample(cadres=6)
    said = centre.run("import", "sample.xlsx")
    assert "records were read" not in said
    check(json.loads(centre.run("import", "sample.xlsx", "--json")))
