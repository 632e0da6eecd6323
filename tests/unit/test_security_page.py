"""The page on security says what is held by which test, and every test that it names exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
# OWASP ASVS 4.0.3: for each section the numbers of its requirements of level 2 or below.
REQUIREMENTS = {
    1: "1.1-7 2.1-4 4.1 4.4-5 5.1-4 6.1-4 7.1-2 8.1-2 9.1-2 10.1 11.1-2 12.2 14.1-6",
    2: "1.1-12 2.1-3 3.1-3 4.1-5 5.1-7 6.1-3 7.1-6 8.1-7 9.1-3 10.1-4",
    3: "1.1 2.1-4 3.1-4 4.1-5 5.1-3 7.1",
    4: "1.1-3 1.5 2.1-2 3.1-3",
    5: "1.1-5 2.1-8 3.1-10 4.1-3 5.1-4",
    6: "1.1-3 2.1-6 3.1-2 4.1-2",
    7: "1.1-4 2.1-2 3.1 3.3-4 4.1-3",
    8: "1.1-4 2.1-3 3.1-8",
    9: "1.1-3 2.1-4",
    10: "2.1-2 3.1-3",
    11: "1.1-8",
    12: "1.1-3 2.1 3.1-6 4.1-2 5.1-2 6.1",
    13: "1.1 1.3-5 2.1-3 2.5-6 3.1-2 4.1-2",
    14: "1.1-4 2.1-6 3.2-3 4.1-7 5.1-4",
}


def _several(first: str, last: str | None) -> range:
    return range(int(first), int(last or first) + 1)


def _tests() -> set[str]:
    found = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.add(f"{path.name}::{node.name}")
    return found


def _rows(heading: str) -> list[list[str]]:
    table = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py::\w+)`", PAGE)
    assert len(named) > 50
    assert sorted(set(named) - _tests()) == []
    assert PAGE.count("::") == len(named)  # none is written otherwise


@pytest.mark.parametrize("row", _rows("Threats"), ids=lambda row: row[0][:50])
def test_every_threat_is_held_by_a_test(row: list[str]) -> None:
    threat, done, held = row
    assert threat
    assert done
    assert re.fullmatch(r"`test_\w+\.py::\w+`(?:, `test_\w+\.py::\w+`)*", held)


def test_every_requirement_of_asvs_has_its_line() -> None:
    rows = _rows("OWASP ASVS 4.0.3, level 2")
    named = [
        (int(chapter), int(section), number)
        for requirements, _ in rows
        for chapter, section, first, last in re.findall(r"\bV(\d+)\.(\d+)\.(\d+)(?:–(\d+))?\b", requirements)
        for number in _several(first, last)
    ]
    wanted = [
        (chapter, int(section), number)
        for chapter, sections in REQUIREMENTS.items()
        for one in sections.split()
        for section, first, last in re.findall(r"^(\d+)\.(\d+)(?:-(\d+))?$", one)
        for number in _several(first, last)
    ]
    assert sorted(named) == wanted
    assert len(wanted) == 259
    assert all(re.fullmatch(r"V[\d.–]+(?:, V[\d.–]+)*", requirements) for requirements, _ in rows)


@pytest.mark.parametrize("row", _rows("OWASP ASVS 4.0.3, level 2"), ids=lambda row: row[0])
def test_what_asvs_asks_for_has_a_test_or_a_reason(row: list[str]) -> None:
    _, state = row
    assert "::" in state or len(state) > 8
    assert state != state.upper()
