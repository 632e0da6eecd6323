"""`adapter terminology`: gaps over what was imported, and files that others can load."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from sample import SMALL

from adapter.testing import Centre

_NAME = "Nguyễn Thị Bí Mật"


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    """A centre that has imported the small sample, with gaps of each kind in its first measurements."""
    folder = tmp_path / "rows"
    shutil.copytree(SMALL.with_name("small-csv"), folder)
    path = folder / "Chỉ số.csv"
    rows = list(csv.reader(path.read_text("utf-8-sig").splitlines(), delimiter=";"))
    odd = [("BIO-GLUK", "5.3", "mmol/L")] * 3 + [("BIO-VITD", "30", "ng/mL")] * 2 + [("SER-HPAG", _NAME, "")]
    code, value, unit = (rows[0].index(name) for name in ("Mã chỉ số", "Giá trị", "Đơn vị"))
    pressures = [row for row in rows if row[code] == "VS-BP"]  # each of another visit
    for row, given in zip(pressures, odd, strict=False):
        row[code], row[value], row[unit] = given
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    (tmp_path / "centre").mkdir()
    made = Centre(tmp_path / "centre")
    made.run("import", str(folder))
    return made


def test_gaps_are_listed_and_no_text_that_could_be_a_persons(centre: Centre) -> None:
    found = centre.run_json("terminology", "gaps")["gaps"]
    counts = {(gap["table"], gap["code"]): gap["count"] for gap in found}
    assert counts["measures", "BIO-GLUK"] == 3
    assert counts["unfit", "BIO-VITD ng/mL"] == 1  # the other one was of a person whom the import refuses
    assert counts["qualitative", None] == 1
    assert [gap["count"] for gap in found] == sorted(counts.values(), reverse=True)
    glucose = next(gap for gap in found if gap["code"] == "BIO-GLUK")
    assert any(one["code"] == "BIO-GLU" for one in glucose["suggestions"])
    shown = centre.run("terminology", "gaps")
    assert "BIO-GLUK" in shown
    assert _NAME not in shown
    assert centre.run_json("terminology", "gaps", "--hospital", "bv-tinh")["gaps"] == found


def test_export_writes_the_same_files_every_time(tmp_path: Path) -> None:
    centre = Centre(tmp_path)
    first, second = tmp_path / "a" / "deep", tmp_path / "b"
    facts = centre.run_json("terminology", "export", str(first))
    centre.run("terminology", "export", str(second))
    names = sorted(file.name for file in first.iterdir())
    assert names == facts["files"]
    assert "ConceptMap-measures.json" in names
    for name in names:
        content = (first / name).read_bytes()
        assert content == (second / name).read_bytes()
        assert json.loads(content)["version"] == facts["version"]
