"""A generator spoils cells of the clean sample: every one is refused, held or noted, and nothing else is."""

import os
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from openpyxl import Workbook
from spoilers import WAYS, Row
from sqlalchemy import Engine, select

from adapter.database import open_database, read_transaction
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.plausible.ranges import load_ranges
from adapter.records.sheets.layout import SHEETS
from adapter.records.synthetic.sample_rows import sample_year
from adapter.records.tables import held_row

NOW = datetime(2026, 12, 31, tzinfo=UTC)
CODES = Path(__file__).parents[2] / "mappings" / "codes"
WHOLE = int(os.environ.get("ADAPTER_LAYOUT_PEOPLE", "0")) > 900  # `make layouts`
CADRES, CELLS = (934, 2_000) if WHOLE else (150, 400)
SEED = 11

Said = set[tuple[str, int]]


def _rows() -> list[tuple[str, Row]]:
    return [(kind, dict(row)) for kind, row in sample_year(SEED, CADRES, 2026)]


def _write(path: Path, rows: list[tuple[str, Row]]) -> dict[int, tuple[str, int]]:
    """Write them; where each row (by its identity) stands: sheet and line."""
    book, places = Workbook(), {}
    book.remove(book.active)
    for sheet in SHEETS:
        page = book.create_sheet(sheet.vi)
        page.append([column.vi for column in sheet.columns])
        for line, row in enumerate((row for kind, row in rows if kind == sheet.kind), 2):
            page.append([row.get(column.field) for column in sheet.columns])
            places[id(row)] = (sheet.vi, line)
    book.save(path)
    return places


def imports(engine: Engine, path: Path, said: Said) -> ImportReport:
    """Import, and note the row of everything that is refused, held or noted."""
    report = run_import(
        engine,
        [path],
        max_deletions_percent=100,
        known_hospitals=frozenset({"bv-tinh", "bv-trung-uong"}),
        now=NOW,
        plausible=load_ranges(CODES),
        on_problem=lambda cell: said.add((cell.sheet, cell.row)),
    )
    with read_transaction(engine) as connection:
        said |= {(one.sheet, one.row) for one in connection.execute(select(held_row))}
    assert report.note_count == len(report.noted_cells)  # the report has kept them all
    said |= {(cell.sheet, cell.row) for cell in report.noted_cells}
    return report


def _t0(rows: list[tuple[str, Row]]) -> set[str]:
    return {row["key"] for kind, row in rows if kind == "cadre" and row["tier"] == "T0"}


def _owner(kind: str, row: Row) -> str:
    return str(row["key"] if kind == "cadre" else row.get("cadre") or row["visit"].split(".")[0])


def _spoil(random: Random, rows: list[tuple[str, Row]]) -> list[tuple[Row, str, str, str]]:
    """Spoil cells by turns in every way, each row at most once. Some people are spoilt themselves, some in
    their visits, and of the others what hangs on visits, which would wait if these were spoilt.
    """
    refused = _t0(rows)
    people = sorted({_owner(kind, row) for kind, row in rows} - refused)
    random.shuffle(people)
    rare = {_owner(kind, row) for kind, row in rows if kind in ("referral", "procedure", "immunization")}
    third = {
        person: "" if person in rare else ("cadre", "visit", "")[place % 3]
        for place, person in enumerate(people)
    }
    by_kind: dict[str, list[Row]] = {}
    for kind, row in rows:
        part = third.get(_owner(kind, row))
        if part == (kind if kind in ("cadre", "visit") else ""):
            by_kind.setdefault(kind, []).append(row)
    for found in by_kind.values():
        random.shuffle(found)
    spoilt: list[tuple[Row, str, str, str]] = []
    touched: set[int] = set()
    ways = list(WAYS.items())
    while len(spoilt) < CELLS:
        before = len(spoilt)
        for name, (kind, field, spoil) in ways:
            row = next((one for one in by_kind[kind] if id(one) not in touched and spoil(random, one)), None)
            if row is not None:
                touched.add(id(row))
                spoilt.append((row, kind, field, name))
        assert len(spoilt) > before  # there are rows enough
    return spoilt


def test_the_clean_year_has_under_one_percent_of_false_alarms(engine: Engine, tmp_path: Path) -> None:
    rows = _rows()
    _write(tmp_path / "clean.xlsx", rows)
    said: Said = set()
    report = imports(engine, tmp_path / "clean.xlsx", said)
    assert report.rows > 3_000
    assert len(said) + report.rejected + report.held < report.rows / 100
    assert (report.held, report.problem_count, report.note_count) == (0, 0, 0)


@pytest.mark.parametrize("seed", [0] if WHOLE else range(3))
def test_every_spoilt_cell_is_refused_held_or_noted(sqlite_url: str, tmp_path: Path, seed: int) -> None:
    rows, said = _rows(), Said()
    spoilt = _spoil(Random(seed), rows)  # noqa: S311 - the same for the same seed
    places = _write(tmp_path / "spoilt.xlsx", rows)
    engine = open_database(sqlite_url)
    imports(engine, tmp_path / "spoilt.xlsx", said)
    engine.dispose()
    silent = [
        (name, kind, row.get(field)) for row, kind, field, name in spoilt if places[id(row)] not in said
    ]
    assert silent == []
    assert len(spoilt) >= CELLS
    assert {name for *_, name in spoilt} == WAYS.keys()
    assert len(WAYS) >= 40
