"""The page of complaints names tests that exist: one for each, and no complaint without one."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "complaints.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| \d+ \|", line)
]


def _tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_complaint_is_answered() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 31))
    assert [row for row in ROWS if len(row) != 4 or not all(row)] == []


def test_every_test_that_the_page_names_exists() -> None:
    named = [cell for *_, cell in ROWS]
    parted = [re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", cell) for cell in named]
    missing = [
        cell
        for cell, match in zip(named, parted, strict=True)
        if match is None or match[2] not in _tests(ROOT / match[1])
    ]
    assert missing == []
