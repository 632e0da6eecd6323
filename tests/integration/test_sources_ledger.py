"""The same content gives the same ledger, byte for byte, wherever it was read from."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from his import SAMPLE, SOURCE, engine_of, fill, sample_rows
from sqlalchemy import select

from adapter.database import open_database, read_transaction
from adapter.ledger.schema.tables import entry
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.planning import update_ledger
from adapter.records.importing import importer
from adapter.settings import HospitalSettings, Settings

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
_LEVELS = {"bv-tinh": "provincial", "bv-trung-uong": "central"}
_SYSTEMS = {"citizen_id": "http://fhir.ehealth.gov.vn/core/sid/citizen_id"}


def _adapter(folder: Path, sqlite_url: str) -> Adapter:
    key = folder / "identity.key"
    key.write_text("0123456789abcdef0123456789abcdef")
    hospitals = {
        name: HospitalSettings(
            display=name, level=level, base_url="http://hospital.test/fhir", systems=_SYSTEMS
        )
        for name, level in _LEVELS.items()
    }
    return Adapter(Settings(identity_key=f"file:{key}", hospitals=hospitals), open_database(sqlite_url))


def _import(adapter: Adapter, *files: Path) -> None:
    for file in files:
        report = importer.run_import(
            adapter.engine,
            [file],
            max_deletions_percent=3,
            known_hospitals=frozenset(_LEVELS),
            now=NOW,
        )
        assert [str(problem) for problem in report.problems] == []
        assert report.changes


def _ledger(adapter: Adapter) -> list[tuple[Any, ...]]:
    for name in _LEVELS:
        update_ledger(adapter, adapter.destination(name), NOW, lambda *_: None)
    table = entry.c
    columns = (table.hospital, table.identity, table.cadre, table.type, table.kind, table.key)
    query = select(*columns, table.state, table.desired_digest, table.body).order_by(
        table.hospital, table.identity
    )
    with read_transaction(adapter.engine) as connection:
        return [tuple(row) for row in connection.execute(query)]


@pytest.fixture
def adapters(tmp_path: Path, empty_sqlite: Path) -> tuple[Adapter, Adapter]:
    """Two fresh adapters with the same identity key."""
    made = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "adapter.db").write_bytes(empty_sqlite.read_bytes())
        made.append(_adapter(folder, f"sqlite:///{folder / 'adapter.db'}"))
    return made[0], made[1]


@pytest.mark.parametrize("system", ["sqlite", "postgres", "mariadb"])
def test_a_database_gives_the_ledger_of_the_workbook(
    system: str,
    adapters: tuple[Adapter, Adapter],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = (
        f"sqlite:///{tmp_path / 'his.db'}" if system == "sqlite" else request.getfixturevalue(f"{system}_url")
    )
    with engine_of(url).begin() as connection:
        fill(connection)
    monkeypatch.setenv("HIS_URL", url)
    from_workbook, from_database = adapters
    _import(from_workbook, ROOT / "fixtures" / "sample" / "small.xlsx")
    _import(from_database, SOURCE)
    expected = _ledger(from_workbook)
    assert len(expected) > 500
    assert _ledger(from_database) == expected


def _checkups(folder: Path) -> Path:
    """The part of the sample that the form can hold, as CSVs: check-ups, values and units, diagnoses."""
    folder.mkdir()
    sheets = {"Lượt khám": _visits(), "Chỉ số": _measurements(), "Chẩn đoán": _diagnoses()}
    for name, rows in sheets.items():
        with (SAMPLE / f"{name}.csv").open(encoding="utf-8-sig") as file:
            header = next(csv.reader(file, delimiter=";"))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows([header, *rows])
    return folder


def _kept() -> set[str]:
    """People whose check-ups are in the XML: of T0 people there are none."""
    return {row[0] for row in sample_rows("Cán bộ") if row[4] != "T0"}


def _visits() -> list[list[str]]:
    rows = [row for row in sample_rows("Lượt khám") if row[2] == "Khám định kỳ" and row[1] in _kept()]
    return [[*row[:10], "", ""] for row in rows]


def _measurements() -> list[list[str]]:
    visits = {row[0] for row in _visits()}
    return [
        ["", row[1], "", *row[3:7], "", "", "", "", ""] for row in sample_rows("Chỉ số") if row[1] in visits
    ]


def _diagnoses() -> list[list[str]]:
    visits = {row[0] for row in _visits()}
    rows = [row for row in sample_rows("Chẩn đoán") if row[2] in visits]
    return [[f"{row[2]}/{row[3]}", *row[1:7], ""] for row in rows]


def test_the_forms_give_the_ledger_of_the_workbook(adapters: tuple[Adapter, Adapter], tmp_path: Path) -> None:
    from checkup_forms import write_forms

    forms = tmp_path / "forms"
    write_forms(forms, _visits(), _measurements(), _diagnoses())
    from_workbook, from_forms = adapters
    people = SAMPLE / "Cán bộ.csv"
    _import(from_workbook, people, _checkups(tmp_path / "csv"))
    _import(from_forms, people, forms)
    expected = _ledger(from_workbook)
    assert len(expected) > 500
    assert _ledger(from_forms) == expected
