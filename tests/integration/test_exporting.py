"""Records and results as tables: whole, chosen, harmless in a spreadsheet, private, and audited."""

import csv
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from person_centre import looks, people, person_centre, push
from result_forms import FORMS, LONG

from adapter.records.model import Cadre
from adapter.testing.centre import Centre
from adapter.text_folding import fold_text

FORMULA = '=HYPERLINK("http://x.example","bấm")'


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    with person_centre(tmp_path / "centre") as made:
        yield made


@pytest.fixture
def cadre(centre: Centre) -> Cadre:
    """Somebody with results of a hospital; one of them begins like a formula, one is very long."""
    with centre.open() as adapter:
        found = people(adapter)[0]
        sent: list[dict[str, Any]] = [
            FORMS["`Observation` with `valueQuantity`"].sent | {"id": "a", "effectiveDateTime": "2024-05-06"},
            FORMS["with contained results"].sent | {"id": "b", "issued": "2026-05-06T08:00:00+07:00"},
            {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": FORMULA}, "id": "c"},
            {
                "resourceType": "DiagnosticReport",
                "status": "final",
                "code": {"text": "dài"},
                "id": "d",
                "conclusion": LONG * 8,
            },
        ]
        push(adapter, found, *sent)
    return found


def _csv(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_of_csvs_has_all_of_it_whole(centre: Centre, cadre: Cadre, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    done = centre.run_json("export", str(folder))
    assert done["written"] is True
    assert done["export"]["people"] == len(_csv(folder, "cadre")) == 6
    for name, count in done["export"]["rows"].items():
        assert len(_csv(folder, name)) == count
    results = {one["title"]: one for one in _csv(folder, "result")}
    assert results["dài"]["conclusion"] == LONG * 8
    assert f"'{FORMULA}" in results
    values = [one for one in _csv(folder, "result_value") if one["measure"] == "HEM-HGB"]
    assert [
        (one["comparator"], one["value"], one["unit"], one["local_value"], one["at"]) for one in values
    ] == [("<", "13.50", "g/dL", "135.0", "2024-05-06")]
    potassium = [one for one in _csv(folder, "result_value") if one["measure"] == "BIO-K"]
    assert [(one["value"], one["flag"]) for one in potassium] == [("7.1", "HH")]
    headers = {
        name for file in folder.iterdir() for name in file.read_text("utf-8-sig").splitlines()[0].split(",")
    }
    assert not headers & {"tier", "position"}
    assert {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [one.name for one in tmp_path.iterdir() if one.name.endswith(".part")] == []


def test_a_workbook_has_no_formula_and_says_what_it_cannot_hold(
    centre: Centre, cadre: Cadre, tmp_path: Path
) -> None:
    file = tmp_path / "out.xlsx"
    done = centre.run_json("export", str(file), "--person", fold_text(cadre.name))
    assert (done["export"]["people"], done["export"]["too_long"]) == (1, 1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    book = load_workbook(file)
    cells = [cell for row in book["result"].iter_rows(min_row=2) for cell in row if cell.value]
    assert {cell.data_type for cell in cells} == {"s"}
    assert FORMULA in {cell.value for cell in cells}
    assert any(str(cell.value).endswith("… (CSV)") for cell in cells)
    assert [row[0].value for row in book["cadre"].iter_rows(min_row=2)] == [cadre.key]


def test_a_period_chooses_by_when_it_was_measured(centre: Centre, cadre: Cadre, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    centre.run("export", str(folder), "--person", cadre.key, "--since", "2024-05-06", "--until", "2024-05-06")
    assert [one["type"] for one in _csv(folder, "result")] == ["Observation"]
    assert _csv(folder, "visit") == []
    assert len(_csv(folder, "cadre")) == 1


def test_each_person_in_it_is_in_the_audit_and_a_dry_run_writes_nothing(
    centre: Centre, cadre: Cadre, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    done = centre.run_json("export", str(folder), "--dry-run")
    assert (done["written"], done["export"]["people"]) == (False, 6)
    assert not folder.exists()
    with centre.open() as adapter:
        assert [one for one in looks(adapter) if one[0] == "record.exported"] == []
    centre.run("export", str(folder), "--person", cadre.key)
    with centre.open() as adapter:
        exported = [one for one in looks(adapter) if one[0] == "record.exported"]
        assert exported == [("record.exported", adapter.audit_subject(cadre.key), '{"command":"export"}')]


def test_nothing_is_overwritten_and_no_wrong_wish_writes(
    centre: Centre, cadre: Cadre, tmp_path: Path
) -> None:
    there = tmp_path / "there.xlsx"
    there.write_text("x")
    centre.run("export", str(there), code=2)
    assert there.read_text() == "x"
    centre.run("export", str(tmp_path / "no" / "out"), code=2)
    centre.run("export", str(tmp_path / "a"), "--person", "Không Ai Cả", code=2)
    centre.run("export", str(tmp_path / "a"), "--since", "2026-02-01", "--until", "2026-01-01", code=2)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["centre", "there.xlsx"]
