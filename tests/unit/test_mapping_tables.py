"""Code tables: rows with periods and targets, and every mistake that loading finds."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapter.mapping.tables import load_codes
from adapter.mapping.terminology import Codes

HEAD = "code,display,system,target,target_display,equivalence,valid_from,valid_to"


def load(folder: Path, *rows: str, head: str = HEAD, **files: str) -> tuple[Codes, list[str]]:
    """A folder whose only table is `t` with these rows."""
    (folder / "tables.csv").write_text("table,system\nt,urn:t\n", "utf-8")
    (folder / "units.csv").write_text("unit,ucum,dimension,factor\n", "utf-8")
    (folder / "t.csv").write_text("\n".join((head, *rows)) + "\n", "utf-8")
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    problems: list[str] = []
    return load_codes(folder, problems), problems


def test_a_code_means_what_it_meant_on_the_day(tmp_path: Path) -> None:
    codes, problems = load(
        tmp_path,
        "A,cũ,urn:x,1,,equivalent,,2019-12-31",
        "A,mới,urn:x,2,,equivalent,2021-01-01,",
        "B,b,,,,,,",
    )
    assert problems == []
    table = codes.tables["t"]
    of = {year: table.find("a", date(year, 12, 31)) for year in (1999, 2019, 2020, 2021)}
    assert [one.target for one in of.values() if one] == ["1", "1", "2", "2"]  # 2020 has none: the newest
    newest = table.find("A")
    assert newest is not None
    assert (newest.display, newest.line, table.file) == ("mới", 3, "codes/t.csv")
    assert table.find("A", datetime(2019, 12, 31, 23, tzinfo=UTC)) == of[2019]
    assert table.find("C", date(2019, 1, 1)) is None


def test_a_code_may_have_one_target_in_each_system(tmp_path: Path) -> None:
    codes, problems = load(
        tmp_path, "A,a,urn:x,1,,equivalent,,", "A,a,urn:y,2,zwei,wider,,", "A,a,urn:y,3,,wider,,"
    )
    concept = codes.tables["t"].concepts["A"]
    assert [(one.system, one.code, one.line) for one in concept.targets] == [
        ("urn:x", "1", 2),
        ("urn:y", "2", 3),
    ]
    assert len(problems) == 1
    assert problems[0].startswith("t.csv:4:1: 'A'")


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("A,a,http://loinc.org,14749-5,,equivalent,,", "14749-5"),
        ("A,a,urn:x,,,equivalent,,", "target"),
        ("A,a,urn:x,1,,same,,", "same"),
        ("A,a,,,,,2020-13-01,", "2020-13-01"),
        ("A,a,,,,,2020-02-01,2020-01-31", "before it begins"),
        (",a,,,,,,", "empty"),
        ("A,a,,,,,,,,", "cells"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, word: str) -> None:
    _, problems = load(tmp_path, row)
    assert len(problems) == 1
    assert problems[0].startswith("t.csv:2:1: ")
    assert word in problems[0]


def test_periods_of_one_code_must_not_overlap(tmp_path: Path) -> None:
    _, problems = load(tmp_path, "A,a,,,,,,2020-01-01", "A,a,,,,,2020-01-01,", "B,b,,,,,,", "B,b,,,,,,")
    assert len(problems) == 2
    assert problems[0].startswith("t.csv:3:1: 'A' is valid on the same days as line 2")
    assert problems[1].startswith("t.csv:5:1: 'B' is empty or stands here a second time")


def test_versions_of_a_system_must_not_overlap(tmp_path: Path) -> None:
    head = "name,uri,version,valid_from,valid_to,pattern\n"
    _, problems = load(
        tmp_path, systems=head + "x,urn:x,1,,2020-01-01,\nx,urn:x,2,2019-01-01,,\ny,urn:y,,,,[\n"
    )
    assert [line.split(":")[1] for line in problems] == ["3", "4"]
