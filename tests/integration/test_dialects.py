"""The sample year as many clerks would write it: the same records, or what was not understood is named."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dialects import Dialect
from sqlalchemy import Engine, select

from adapter.database import migrate, open_database
from adapter.errors import ImportRefused
from adapter.pipeline.layout_context import layout_context
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.synthetic import sample_year
from adapter.records.tables import record
from adapter.settings import Settings

NOW = datetime(2026, 12, 31, tzinfo=UTC)
CONTEXT = layout_context(Settings())
SEEDS = 40
_NOT_WIDE = ("low", "high", "flag")


def rows() -> list[tuple[str, dict[str, Any]]]:
    """What can be written in a wide sheet too: without ranges and flags."""
    return [
        (
            kind,
            {field: value for field, value in row.items() if kind != "measurement" or field not in _NOT_WIDE},
        )
        for kind, row in sample_year(1, 20, 2026)
    ]


def imported(tmp_path: Path, name: str, path: Path) -> tuple[dict[tuple[str, str], Any], ImportReport]:
    engine = open_database(f"sqlite:///{tmp_path / name}.db")
    migrate(engine)
    report = run_import(
        engine,
        [path],
        max_deletions_percent=3,
        known_hospitals=frozenset({"bv-tinh", "bv-trung-uong"}),
        now=NOW,
        inputs=InputOptions(layouts=CONTEXT),
    )
    return stored(engine), report


def stored(engine: Engine) -> dict[tuple[str, str], Any]:
    with engine.connect() as connection:
        found = {
            (one.kind, one.key): one.body
            for one in connection.execute(select(record).where(record.c.deleted.is_(False)))
        }
    engine.dispose()
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    folder = tmp_path_factory.mktemp("plain")
    dialect = Dialect(0, CONTEXT.measures)
    for name, value in {
        "form": "xlsx",
        "wide": False,
        "split_name": None,
        "date": "{:%d/%m/%Y}",
        "comma": True,
        "titles": 0,
        "numbered": False,
        "grouped": False,
        "page": None,
        "totals": False,
        "two_rows": False,
        "headers": "own",
    }.items():
        setattr(dialect, name, value)
    found, report = imported(folder, "plain", dialect.write(folder / "in", rows()))
    assert report.problem_count == 0
    return found


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_a_year_in_another_dialect_is_the_same_year(
    tmp_path: Path, plain: dict[tuple[str, str], Any], seed: int
) -> None:
    dialect = Dialect(seed, CONTEXT.measures)
    path = dialect.write(tmp_path / "in", rows())
    try:
        found, report = imported(tmp_path, "other", path)
    except ImportRefused as refused:
        pytest.fail(f"{vars(dialect)}: {refused}")
    different = {key for key in plain.keys() | found.keys() if found.get(key) != plain.get(key)}
    assert (report.problem_count, sorted(different)[:5]) == (0, []), vars(dialect)
