"""The sample year as many clerks would write it: the same records, or what was not understood is named.

`make layouts` does so with all of its 934 people.
"""

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from dialect_files import Grid, write_workbook
from dialects import Dialect
from sqlalchemy import Engine, select

from adapter.database import migrate, open_database
from adapter.errors import ImportRefused
from adapter.pipeline.layout_context import layout_context
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.plausible.ranges import load_ranges
from adapter.records.sheets.layout import SHEETS
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.synthetic import sample_year
from adapter.records.tables import record
from adapter.settings import Settings

NOW = datetime(2026, 12, 31, tzinfo=UTC)
CONTEXT = layout_context(Settings())
RANGES = load_ranges(Settings().mappings_folder / "codes")
PEOPLE = int(os.environ.get("ADAPTER_LAYOUT_PEOPLE", "20"))
LAYOUTS = 40
_NOT_WIDE = ("low", "high", "flag")

Records = dict[tuple[str, str], tuple[dict[str, Any], tuple[str, int]]]  # body, and where it stands


def rows(*, long: bool) -> list[tuple[str, dict[str, Any]]]:
    """The year's rows; where measurements have no rows of their own, without their ranges and flags."""
    return [
        (
            kind,
            {
                field: value
                for field, value in row.items()
                if long or kind != "measurement" or field not in _NOT_WIDE
            },
        )
        for kind, row in sample_year(1, PEOPLE, 2026)
    ]


def imported(tmp_path: Path, path: Path) -> tuple[Records, ImportReport]:
    engine = open_database(f"sqlite:///{tmp_path / 'centre'}.db")
    migrate(engine)
    report = run_import(
        engine,
        [path],
        max_deletions_percent=3,
        known_hospitals=frozenset({"bv-tinh", "bv-trung-uong"}),
        now=NOW,
        inputs=InputOptions(layouts=CONTEXT),
        plausible=RANGES,
    )
    return stored(engine), report


def stored(engine: Engine) -> Records:
    with engine.connect() as connection:
        found = {
            (one.kind, one.key): (orjson.loads(one.body), (one.sheet, one.row))
            for one in connection.execute(select(record).where(record.c.deleted.is_(False)))
        }
    engine.dispose()
    return found


def plain(folder: Path) -> Records:
    """What the year is, written as the templates ask for it."""
    some, grids = rows(long=True), []
    for sheet in SHEETS:
        lines = [
            [row.get(column.field) for column in sheet.columns] for kind, row in some if kind == sheet.kind
        ]
        grids.append(Grid(sheet.vi, [[column.vi for column in sheet.columns], *lines]))
    write_workbook(folder / "plain.xlsx", grids)
    found, report = imported(folder, folder / "plain.xlsx")
    assert (report.problem_count, report.held) == (0, 0)
    return found


def without_ranges(year: Records) -> Records:
    """The same, as a sheet says it in which a measurement has no row of its own."""
    return {
        key: ({name: value for name, value in body.items() if name not in _NOT_WIDE}, place)
        for key, (body, place) in year.items()
    }


def same(one: dict[str, Any], other: dict[str, Any], *, cased: bool) -> bool:
    """Whether two records say the same. Some old fonts have capitals with marks in a font of their own."""
    return (
        one == other if cased else orjson.dumps(one).decode().lower() == orjson.dumps(other).decode().lower()
    )


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Records]:
    long = plain(tmp_path_factory.mktemp("plain"))
    return {True: long, False: without_ranges(long)}


@pytest.mark.parametrize("seed", range(1, LAYOUTS + 1))
def test_a_year_in_another_dialect_is_the_same_year(
    tmp_path: Path, years: dict[bool, Records], seed: int
) -> None:
    dialect = Dialect(seed, CONTEXT.measures)
    path = dialect.write(tmp_path / "in", rows(long=dialect.long))
    try:
        found, report = imported(tmp_path, path)
    except ImportRefused as refused:
        pytest.fail(f"{dialect}: {refused}")
    year = years[dialect.long]
    extra, changed, missing = found.keys() - year.keys(), [], Counter[str]()
    noted = {(one.sheet, one.row) for one in report.noted_cells}
    for key, (body, _) in year.items():
        if key not in found:
            missing[key[0]] += 1
        elif not same(body, found[key][0], cased=not dialect.font) and found[key][1] not in noted:
            changed.append((body, found[key]))
    named = {kind: counts.rejected + counts.held for kind, counts in report.kinds.items()}
    silent = {kind: count for kind, count in missing.items() if count > named.get(kind, 0)}
    assert (changed[:2], sorted(extra)[:2], silent) == ([], [], {}), dialect
    if (
        not dialect.font
    ):  # in one, a word may be another font's too, or Vietnamese as it stands: it is asked about
        assert (report.problem_count, dict(missing), report.held) == (0, {}, 0), dialect
