"""The year's report in files: what stands in each is what `adapter report` says, to the digit."""

import csv
import io
import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from fhir.resources.R4B.measurereport import MeasureReport
from openpyxl import load_workbook

from adapter.fhir.validation.checker import check_resource
from adapter.testing import Centre

KINDS = ("pdf", "xlsx", "csv", "fhir")
STATES = ("made", "completed", "in_progress", "failed", "overdue")
Table = Mapping[tuple[int, int], str]
"""Row and column, counted from one, of what is printed."""


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    with Centre(tmp_path_factory.mktemp("year") / "centre") as centre:
        centre.import_sample(cadres=120)
        yield centre


@pytest.fixture(scope="module", params=[False, True], ids=["inside", "outsiders"])
def year(request: pytest.FixtureRequest, centre: Centre) -> tuple[dict[str, Any], Path]:
    """What `adapter report --json` says, and the folder of the files that it wrote beside it."""
    folder = centre.folder / f"files-{request.param}"
    folder.mkdir()
    files = [word for kind in KINDS for word in (f"--{kind}", str(folder / f"year.{kind}"))]
    figures = centre.run_json("report", *files, *(["--for-outsiders"] if request.param else []))
    assert figures["for_outsiders"] is request.param
    return figures, folder


def expected(figures: Mapping[str, Any]) -> dict[str, Sequence[Sequence[Any]]]:
    """The cells of each table of one year, in their order, written down a second time."""
    visits, home = figures["visits"], ("home_visits", "home_visits_with_samples", "specimens")
    single = ("abnormal", "worked_up", "treated", *home, "trips", "trip_people")
    totals = [figures[f"{name}_total"] for name in ("managed", "due", "examined")]
    diseases = figures["new_diseases"]
    return {
        "headline": [[one] for one in (*totals, visits["outpatient"], *(figures[name] for name in single))],
        "tiers": [
            *(
                [figures[name][tier] for name in ("managed", "due", "examined")]
                for tier in figures["managed"]
            ),
            totals,
        ],
        "referrals": [[one[state] for state in STATES] for one in figures["referrals"].values()],
        **{scale: _classes(figures, scale) for scale in ("health_class", "cadre_class")},
        "new_diseases": [[diseases[code]] for code in diseases],
    }


def _classes(figures: Mapping[str, Any], scale: str) -> list[list[Any]]:
    now, then = figures["classes"][scale], figures["classes_before"][scale]
    return [[now.get(one, 0), then.get(one, 0)] for one in sorted({*now, *then})]


def printed(cells: Sequence[Sequence[Any]]) -> list[list[str]]:
    return [["*" if one is None else str(one) for one in row] for row in cells]


def test_there_is_something_to_compare(year: tuple[dict[str, Any], Path]) -> None:
    cells = [one for table in expected(year[0]).values() for row in table for one in row]
    assert len(cells) > 40
    assert len({*cells}) > 10
    assert (None in cells) is year[0]["for_outsiders"]
    assert sum(one is not None and one > 0 for one in cells) > 10


def test_the_csv(year: tuple[dict[str, Any], Path]) -> None:
    figures, folder = year
    lines = list(csv.reader(io.StringIO((folder / "year.csv").read_text("utf-8-sig"))))
    assert lines[0] == ["Bảng", "Dòng", "Cột", "Số liệu"]
    others = {str(figures["year"] - 1)}
    shown = [line[3] for line in lines[1:] if line[0] != "Số liệu chung" or line[2] not in others]
    assert shown == [one for table in expected(figures).values() for row in printed(table) for one in row]


def test_the_workbook(year: tuple[dict[str, Any], Path]) -> None:
    figures, folder = year
    book = load_workbook(folder / "year.xlsx")
    tables = expected(figures)
    assert len(book.sheetnames) == len(tables)
    for sheet, cells in zip(book.worksheets, tables.values(), strict=True):
        width = max((len(row) for row in cells), default=0)
        rows = list(sheet.iter_rows(3, 2 + len(cells), 2, 1 + width, values_only=True)) if cells else []
        assert [list(row) for row in rows] == [["*" if one is None else one for one in row] for row in cells]
        assert all(isinstance(one, int) or one == "*" for row in rows for one in row)


def test_the_pdf(year: tuple[dict[str, Any], Path]) -> None:
    figures, folder = year
    with pypdfium2.PdfDocument(folder / "year.pdf") as document:
        said = " ".join(" ".join(page.get_textpage().get_text_bounded() for page in document).split())
    assert f"Báo cáo năm {figures['year']}" in said
    lines = list(csv.reader(io.StringIO((folder / "year.csv").read_text("utf-8-sig"))))[1:]
    rows: dict[tuple[str, str], list[str]] = {}
    for table, row, _, figure in lines:
        rows.setdefault((table, row), []).append(figure)
    at = 0
    for (table, row), shown in rows.items():  # one after the other, as they stand on the page
        found = said.find(" ".join((row, *shown)), said.index(table) if at == 0 else at)
        assert found >= 0, (table, row, shown)
        at = found
    assert len(rows) == sum(map(len, expected(figures).values()))


def test_the_measure_report(year: tuple[dict[str, Any], Path]) -> None:
    figures, folder = year
    text = (folder / "year.fhir").read_text("utf-8")
    report = json.loads(text)
    assert check_resource(report) == []
    assert MeasureReport.model_validate_json(text).type == "summary"
    assert report["period"] == {"start": f"{figures['year']}-01-01", "end": f"{figures['year']}-12-31"}
    columns: dict[str, list[Any]] = {}
    for group in report["group"]:
        strata = [one for stratifier in group["stratifier"] for one in stratifier["stratum"]]
        counts = [one["population"][0] for one in strata]
        masked = ["_count" in one for one in counts]
        assert [one.get("count") is None for one in counts] == masked
        columns[group["code"]["coding"][0]["code"]] = [one.get("count") for one in counts]
    for name, cells in expected(figures).items():
        for at, column in enumerate(zip(*cells, strict=True)):
            assert columns[f"{name}-{at}"] == list(column)


def test_files_are_their_owners_alone_and_overwrite_nothing(
    year: tuple[dict[str, Any], Path], centre: Centre
) -> None:
    for kind in KINDS:
        path = year[1] / f"year.{kind}"
        before = path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert centre.attempt("report", f"--{kind}", str(path)).returncode != 0
        assert path.read_bytes() == before


def test_last_year_is_beside_it_and_what_was_taken_along_is_audited(
    year: tuple[dict[str, Any], Path], centre: Centre
) -> None:
    figures, folder = year
    options = ["--for-outsiders"] if figures["for_outsiders"] else []
    before = centre.run_json("report", "--year", str(figures["year"] - 1), *options)
    lines = list(csv.reader(io.StringIO((folder / "year.csv").read_text("utf-8-sig"))))
    shown = [line[3] for line in lines if line[0] == "Số liệu chung" and line[2] == str(before["year"])]
    people = 3 if figures["for_outsiders"] else 0  # a subtraction of two years tells of a few people
    assert shown == [row[0] for row in printed(expected(before)["headline"])][people:]
    rows = centre.run_json("audit", "show", "--action", "report.exported")["rows"]
    details = [row["details"] for row in rows if row["details"]["for_outsiders"] is figures["for_outsiders"]]
    assert {one["format"] for one in details} == set(KINDS)
    assert {one["year"] for one in details} == {figures["year"]}
