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
from adapter.records.sheets.choices import CHOICE_LISTS
from adapter.records.sheets.layout import SHEETS
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


@pytest.mark.parametrize("name", ["out", "out.xlsx"])
def test_an_export_in_vietnamese_has_the_headings_of_the_sheets_and_comes_in_again(
    centre: Centre, cadre: Cadre, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    centre.run("--lang", "vi", "export", str(file))
    if file.is_dir():
        (file / "Cán bộ.csv").unlink()  # without tiers it is no sheet of people
        titles = {one.stem for one in file.iterdir()}
        headers = [one.read_text("utf-8-sig").splitlines()[0].split(",") for one in file.iterdir()]
    else:
        book = load_workbook(file)
        del book["Cán bộ"]
        book.save(file)
        titles = set(book.sheetnames)
        headers = [[str(cell.value) for cell in page[1]] for page in book.worksheets]
    assert {"Lượt khám", "Chỉ số", "Chuyển khám", "Kết quả của bệnh viện"} <= titles
    assert all(len(set(header)) == len(header) for header in headers)
    assert not [title for header in headers for title in header if title.islower() or "_" in title]
    report = centre.run_json("import", "--partial", str(file))
    for counts in report["kinds"].values():
        assert counts["unchanged"] > 0
        assert [counts[name] for name in ("created", "changed", "deleted", "rejected")] == [0, 0, 0, 0]


def _every_code() -> dict[str, list[dict[str, str]]]:
    """A row for each code of each list of each sheet, of one person."""
    rows: dict[str, list[dict[str, str]]] = {}
    filled = {
        **{"cadre": "P1", "visit": "V1", "started_at": "2026-03-25", "measure": "HEM-HGB", "value": "140"},
        **{"icd10": "I10", "hospital": "bv-tinh", "ordered_at": "2026-03-26", "code": "PR-DRESS"},
        **{"vaccine": "VX-FLU", "given_at": "2026-03-25", "type": "checkup", "service": "WORKUP-GEN"},
    }
    for sheet in SHEETS:
        required = {one.field: filled.get(one.field, "x") for one in sheet.columns if one.required}
        listed = [(one.field, code) for one in sheet.columns for code in _codes(one.choice)]
        for field, code in listed if sheet.kind != "cadre" else ():
            made = {**required, field: code, "hospital": "bv-tinh"}
            made |= {"cadre": "P1"} if sheet.kind != "measurement" else {}
            made["key"] = "V1" if not rows.get("visit") and sheet.kind == "visit" else f"{field}-{code}"
            if sheet.kind == "measurement":  # one value, not the same twice on a day
                made["value"] = str(130 + len(rows.get(sheet.kind, ())))
            known = {one.field for one in sheet.columns}
            rows.setdefault(sheet.kind, []).append({k: v for k, v in made.items() if k in known})
    return rows


def _codes(choice: str | None) -> list[str]:
    return CHOICE_LISTS[choice].codes if choice else []


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_code_goes_out_in_the_words_of_its_language_and_comes_in_as_it_was(
    tmp_path: Path, language: str
) -> None:
    person = {"key": "P1", "name": "Nguyễn Văn An", "sex": "male", "birth_date": "1960-03-12", "tier": "T5"}
    rows = {"cadre": [person], **_every_code()}
    source = tmp_path / "in"
    source.mkdir()
    for kind, lines in rows.items():
        header = list(dict.fromkeys(name for line in lines for name in line))
        with (source / f"{kind}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, header, restval="")
            writer.writeheader()
            writer.writerows(lines)
    with Centre(tmp_path / "one") as one, Centre(tmp_path / "two") as two:
        counts = one.run_json("import", str(source))["kinds"]
        assert {kind: made["created"] for kind, made in counts.items()} == {
            k: len(v) for k, v in rows.items()
        }
        out = tmp_path / "out"
        one.run("--lang", language, "export", str(out))
        people_ = next(file for file in out.iterdir() if file.stem in ("cadre", "Cán bộ"))
        if language == "vi":
            words = {cell for file in out.iterdir() for line in _lines(file) for cell in line}
            assert not words & {
                code
                for sheet in SHEETS
                for one in sheet.columns
                for code in _codes(one.choice)
                if code.islower()
            }
        people_.unlink()  # without tiers it is no sheet of people
        two.run("import", str(source / "cadre.csv"))
        report = two.run_json("import", "--partial", str(out))
        assert (report["problem_count"], report["note_count"], report["held"]) == (0, 0, [])
        with one.open() as first, two.open() as second:
            for kind in rows:
                assert list(first.records.iterate(kind)) == list(second.records.iterate(kind)) != []


def _lines(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.reader(opened))
