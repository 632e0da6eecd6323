"""The same thing wrong in many rows is said once, with examples; each row is in the rejects file."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from sqlalchemy import Engine

from adapter.records.importing.cell_problem import CellProblem
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.importing.problem_groups import ProblemGroups
from adapter.records.plausible.ranges import load_ranges
from adapter.testing import Centre
from adapter.texts import LANGUAGES, set_language

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CODES = Path(__file__).parents[2] / "mappings" / "codes"
HEADER = ["Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "Dân tộc"]


def imports(engine: Engine, path: Path, **options: Any) -> ImportReport:
    return run_import(
        engine,
        [path],
        max_deletions_percent=100,
        known_hospitals=frozenset(),
        now=NOW,
        plausible=load_ranges(CODES),
        **options,
    )


def people(path: Path, count: int, *, group: str = "Kinhh", sex: str = "Nam") -> Path:
    book = Workbook()
    book.active.title = "Cán bộ"
    book.active.append(HEADER)
    for number in range(count):
        book.active.append([f"P{number}", "Nguyễn Văn An", sex, "12/03/1960", "T5", group])
    book.save(path)
    return path


def cell(row: int, value: str, **more: Any) -> CellProblem:
    return CellProblem("a.xlsx", "Cán bộ", row, "Dân tộc", value, "expect_ethnic_group", **more)


def test_300_rows_of_one_word_are_one_line(engine: Engine, tmp_path: Path) -> None:
    report = imports(engine, people(tmp_path / "a.xlsx", 300))
    [group] = report.groups
    assert (group.count, group.examples, group.others) == (300, (("Kinhh", 300, 2),), 0)
    assert str(group).startswith("Sheet Cán bộ, column Dân tộc, 300 rows came in: the cell was left out")
    assert str(group).endswith("'Kinhh' (300 rows, the first 2)")
    assert report.as_json()["groups"] == [group.as_json()]


def test_the_details_are_in_the_rejects_file(engine: Engine, tmp_path: Path) -> None:
    report = imports(
        engine, people(tmp_path / "a.xlsx", 30, sex="đàn ông", group="01"), rejects=tmp_path / "r.xlsx"
    )
    [group] = report.groups
    assert "30 rows: expected one of" in str(group)
    assert report.rejects
    assert load_workbook(report.rejects)["Cán bộ"].max_row == 31


def test_a_group_shows_the_three_most_frequent_and_counts_the_others() -> None:
    groups = ProblemGroups()
    for row, value in enumerate([*("Kinh",) * 5, *("Tày",) * 3, *("Nùng",) * 2, "Dao", "Mường"], 2):
        groups.add(cell(row, value))
    [group] = groups.groups()
    assert group.examples == (("Kinh", 5, 2), ("Tày", 3, 7), ("Nùng", 2, 10))
    assert (group.count, group.others) == (12, 2)
    assert "and 2 other values" in str(group)


def test_one_cell_is_said_as_before() -> None:
    groups = ProblemGroups()
    groups.add(cell(7, "Kinh"))
    assert [str(group) for group in groups.groups()] == [str(cell(7, "Kinh"))]


def test_what_is_not_shown_stays_so() -> None:
    groups = ProblemGroups()
    for row in (2, 3):
        groups.add(cell(row, "", hidden=True))
    assert str(groups.groups()[0]).endswith("; rows 2, 3")


def test_measures_of_different_ranges_are_told_apart() -> None:
    groups = ProblemGroups()
    for row, (value, low) in enumerate((("1,65", "54"), ("1,7", "54"), ("0,4", "5")), 2):
        params = {"measure": "M", "low": low, "high": "99", "unit": "cm", "number": value, "other": "m"}
        groups.add(CellProblem("a", "b", row, "Giá trị", value, "held_unit", params))
    assert [group.count for group in groups.groups()] == [2, 1]


def test_groups_are_bounded() -> None:
    groups = ProblemGroups()
    for row in range(5_000):
        groups.add(CellProblem("a", "b", row, f"column {row % 1_000}", str(row), "expect_date"))
    found = groups.groups()
    assert sum(group.count for group in found) + groups.ungrouped == 5_000
    assert len(found) == 500


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", ["expect_date", "held_future", "noted_future"])
def test_every_outcome_is_said_in_both_languages(language: str, text: str) -> None:
    groups = ProblemGroups()
    for row in (2, 3):
        groups.add(CellProblem("a", "Trang", row, "Cột", "x", text))
    set_language(language)
    said = str(groups.groups()[0])
    set_language("en")
    assert "import." not in said
    assert "2" in said


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    centre = Centre(tmp_path)
    yield centre
    centre.close()


def test_the_terminal_says_a_group_in_one_line(centre: Centre, tmp_path: Path) -> None:
    done = centre.attempt("import", str(people(tmp_path / "a.xlsx", 300)))
    assert done.stderr.count("Kinhh") == 1
    assert done.returncode == 0
