"""One bad optional cell, a lost zero, a year of birth alone: what is proved or harmless comes in, and is
said.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import Engine

from adapter.inbox.evidence import Evidence
from adapter.inbox.matching import KnownCadre, _birth_date
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import Cadre, Sex, Tier
from adapter.records.partial_dates import earliest_day, latest_day, year_of
from adapter.records.plausible.ranges import PlausibleRanges
from adapter.records.serialisation import parse_record, serialise_record
from adapter.records.sheets.birth_date import parse_birth_date
from adapter.records.sheets.cell_parsers import CellError
from adapter.records.sheets.layout import SHEETS
from adapter.records.sheets.lenient_cells import LENIENT_FIELDS
from adapter.records.store import RecordStore
from adapter.testing import Centre

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HEADER = ["Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "Số CCCD", "Ngày mất"]


def imports(engine: Engine, path: Path, **options: Any) -> ImportReport:
    return run_import(
        engine, [path], max_deletions_percent=100, known_hospitals=frozenset(), now=NOW, **options
    )


def people(path: Path, *rows: list[Any]) -> Path:
    book = Workbook()
    book.active.title = "Cán bộ"
    for row in (HEADER, *rows):
        book.active.append(row)
    book.save(path)
    return path


def person(born: Any, number: Any = "", sex: str = "Nam", died: str = "") -> list[Any]:
    return ["P1", "Nguyễn Văn An", sex, born, "T5", number, died]


@pytest.mark.parametrize(
    ("cell", "born"),
    [
        *(("1940", "1940"), (1940, "1940"), (1940.0, "1940"), ("1940-05", "1940-05"), ("05/1940", "1940-05")),
        *(("00/00/1940", "1940"), ("0/0/1940", "1940"), ("00/05/1940", "1940-05"), ("1940-00-00", "1940")),
        *(("19400000", "1940"), ("194000000000", "1940"), ("19400500", "1940-05"), ("5/1940", "1940-05")),
        *(("12/03/1960", date(1960, 3, 12)), (date(1960, 3, 12), date(1960, 3, 12)), (" 1940 ", "1940")),
    ],
)
def test_a_birth_is_as_exact_as_it_is_written(cell: Any, born: date | str) -> None:
    assert parse_birth_date(cell) == born


@pytest.mark.parametrize(
    "cell", ["1840", 40, "40", "13/1940", "1940-13", 1940.5, "194", True, "năm 1940", ""]
)
def test_what_is_no_birth_is_refused(cell: Any) -> None:
    with pytest.raises(CellError):
        parse_birth_date(cell)


def test_a_partial_date_has_its_bounds() -> None:
    assert [earliest_day("1940"), latest_day("1940")] == [date(1940, 1, 1), date(1940, 12, 31)]
    assert [earliest_day("1940-02"), latest_day("1940-02")] == [date(1940, 2, 1), date(1940, 2, 29)]
    day = date(1940, 5, 6)
    assert [earliest_day(day), latest_day(day), year_of(day), year_of("1940-02")] == [day, day, 1940, 1940]


@pytest.mark.parametrize("born", ["1940", "1940-05", date(1940, 5, 6)])
def test_a_record_keeps_what_is_known(born: date | str) -> None:
    cadre = Cadre(key="P1", name="An", sex=Sex.MALE, birth_date=born, tier=Tier.T5)
    assert parse_record("cadre", serialise_record(cadre)) == cadre


def test_a_year_of_birth_is_stored_and_checked(engine: Engine, tmp_path: Path) -> None:
    report = imports(engine, people(tmp_path / "a.xlsx", person("1940", died="01/05/1940")))
    assert report.problem_count == 0
    stored: Any = RecordStore(engine).get("cadre", "P1")
    assert stored.birth_date == "1940"
    assert imports(engine, people(tmp_path / "b.xlsx", person("2027"))).rejected == 1
    assert imports(engine, people(tmp_path / "c.xlsx", person("1940", died="31/12/1939"))).rejected == 1
    old = imports(engine, people(tmp_path / "d.xlsx", person("1905")), plausible=PlausibleRanges({}, {}))
    assert [cell.text for cell in old.held_cells] == ["held_age"]


@pytest.mark.parametrize(
    ("given", "born", "agrees"),
    [
        ("1940-05-06", "1940", None),
        ("1940", "1940", None),
        ("1941-05-06", "1940", False),
        ("1940-06-06", "1940-05", False),
        ("1940", "1940-05", None),
        ("1940-05-06", date(1940, 5, 6), True),
        ("1940", date(1940, 5, 6), True),
    ],
)
def test_a_year_alone_confirms_nobody_and_contradicts(
    given: str, born: date | str, agrees: bool | None
) -> None:
    evidence = Evidence(type="Observation", status="final", birth_dates=(given,))
    assert _birth_date(evidence, KnownCadre("P1", "An", born)) is agrees


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    centre = Centre(tmp_path)
    yield centre
    centre.close()


def test_a_hospital_gets_the_year_that_is_known(centre: Centre, tmp_path: Path) -> None:
    centre.run("import", str(people(tmp_path / "a.xlsx", person("00/00/1940"))))
    centre.run("plan", "bv-tinh", "--out", str(tmp_path / "out"))
    written = "".join(file.read_text("utf-8") for file in (tmp_path / "out").rglob("*.json"))
    assert '"birthDate":"1940"' in written.replace(" ", "")


# a lost zero ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "restored"),
    [
        (person("12/03/1960", 24060104760, "Nam"), "024060104760"),
        (person("1960", "24060104760", "Nam"), "024060104760"),
        (person("12/03/1960", 24160104760, "Nữ"), "024160104760"),
        (person("12/03/1960", 24061104760, "Nam"), None),  # another year
        (person("12/03/1960", 24160104760, "Nam"), None),  # a woman's
        (person("12/03/1960", 24260104760, "Nam"), None),  # of 2060
        (person("12/03/1960", 23060104760, "Nam"), None),  # no province
        (person("12/03/1960", 2460104760, "Nam"), None),  # more is lost than a zero
        (person("12/03/1960", "24060104760", "Không rõ"), None),
    ],
)
def test_a_lost_zero_comes_back_where_the_row_proves_it(
    engine: Engine, tmp_path: Path, row: list[Any], restored: str | None
) -> None:
    report = imports(engine, people(tmp_path / "a.xlsx", row))
    assert (report.problem_count, report.note_count) == (0, 1)
    stored: Any = RecordStore(engine).get("cadre", "P1")
    assert stored.national_id == restored
    assert ("was put back" in str(report.noted_cells[0])) is (restored is not None)


def test_a_number_that_cannot_be_read_keeps_the_stored_one(engine: Engine, tmp_path: Path) -> None:
    imports(engine, people(tmp_path / "a.xlsx", person("12/03/1960", "024060104760")))
    report = imports(engine, people(tmp_path / "b.xlsx", person("13/03/1960", "024O60104760")))
    stored: Any = RecordStore(engine).get("cadre", "P1")
    assert (stored.birth_date, stored.national_id) == (date(1960, 3, 13), "024060104760")
    assert "expected a CCCD" in str(report.noted_cells[0])
    imports(engine, people(tmp_path / "c.xlsx", person("13/03/1960", "")))
    cleared: Any = RecordStore(engine).get("cadre", "P1")
    assert cleared.national_id is None


def test_a_row_refused_for_another_cell_says_all_of_them(engine: Engine, tmp_path: Path) -> None:
    report = imports(engine, people(tmp_path / "a.xlsx", person("hôm nọ", "12")))
    assert [cell.column for cell in report.problems] == ["Ngày sinh", "Số CCCD"]
    assert report.note_count == 0


def test_no_t0_persons_cell_is_noted(engine: Engine, tmp_path: Path) -> None:
    row = person("12/03/1960", "24060104760")
    row[4] = "T0"
    report = imports(engine, people(tmp_path / "a.xlsx", row))
    assert (report.note_count, report.refused_people) == (0, 1)


def test_what_says_something_when_it_is_empty_is_never_left_out() -> None:
    strict = {
        "consents",
        "status",
        "priority",
        "certainty",
        "supporting",
        "tier",
        "deceased_on",
        "hospital",
        "key",
    }
    for sheet in SHEETS:
        lenient = LENIENT_FIELDS[sheet.kind]
        assert lenient <= {column.field for column in sheet.columns if not column.required}
        assert not lenient & strict
