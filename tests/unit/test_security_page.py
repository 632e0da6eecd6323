"""The page on security says what is held by which test, and every test that it names exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
# OWASP ASVS 4.0.3: its sections with requirements of level 2 or below.
SECTIONS = {
    1: (1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14),
    2: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    3: (1, 2, 3, 4, 5, 7),
    4: (1, 2, 3),
    5: (1, 2, 3, 4, 5),
    6: (1, 2, 3, 4),
    7: (1, 2, 3, 4),
    8: (1, 2, 3),
    9: (1, 2),
    10: (1, 2, 3),
    11: (1,),
    12: (1, 2, 3, 4, 5, 6),
    13: (1, 2, 3, 4),
    14: (1, 2, 3, 4, 5),
}


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


def test_every_section_of_asvs_has_its_line() -> None:
    rows = _rows("OWASP ASVS 4.0.3, level 2")
    named = [number for first, _ in rows for number in re.findall(r"\bV(\d+\.\d+)\b", first)]
    assert sorted(named) == sorted(f"{chapter}.{one}" for chapter, all_ in SECTIONS.items() for one in all_)
    assert all(len(state) > 5 for _, state in rows)
    # what does not apply says why, in words
    assert all(len(state) > 6 for _, state in rows if state.startswith("–"))
