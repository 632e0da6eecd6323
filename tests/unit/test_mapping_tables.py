"""Code tables: rows with periods and targets, and every mistake that loading finds."""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from mapping_support import FIELDS, MAPPINGS, context, record_of

from adapter.errors import MappingError
from adapter.mapping.loader import Mappings
from adapter.mapping.terminology.code_tables import LOINC_SYSTEM, CodeTables, is_loinc_code
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.records.model import Visit, VisitKind

HEAD = "code,display,system,target,target_display,equivalence,valid_from,valid_to"


def load(folder: Path, *rows: str, head: str = HEAD, **files: str) -> tuple[CodeTables, list[str]]:
    """A folder whose only table is `t` with these rows."""
    (folder / "tables.csv").write_text("table,system\nt,urn:t\n", "utf-8")
    (folder / "units.csv").write_text("unit,ucum,dimension,factor\n", "utf-8")
    (folder / "t.csv").write_text("\n".join((head, *rows)) + "\n", "utf-8")
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, "utf-8")
    problems: list[str] = []
    return load_code_tables(folder, problems), problems


def test_a_code_means_what_it_meant_on_the_day(tmp_path: Path) -> None:
    codes, problems = load(
        tmp_path,
        "A,cũ,urn:x,1,,equivalent,,2019-12-31",
        "A,mới,urn:x,2,,equivalent,2021-01-01,",
        "B,b,,,,,,",
    )
    assert problems == []
    table = codes.tables["t"]
    of = {year: table.find("a", date(year, 12, 31)) for year in (1999, 2019, 2020, 2021)}
    assert [one.target for one in of.values() if one] == ["1", "1", "2", "2"]  # 2020 has none: the newest
    newest = table.find("A")
    assert newest is not None
    assert (newest.display, newest.line, table.file) == ("mới", 3, "codes/t.csv")
    assert table.find("A", datetime(2019, 12, 31, 23, tzinfo=UTC)) == of[2019]
    assert table.find("C", date(2019, 1, 1)) is None


def test_a_code_may_have_one_target_in_each_system(tmp_path: Path) -> None:
    codes, problems = load(
        tmp_path, "A,a,urn:x,1,,equivalent,,", "A,a,urn:y,2,zwei,wider,,", "A,a,urn:y,3,,wider,,"
    )
    concept = codes.tables["t"].concepts["A"]
    assert [(one.system, one.code, one.line) for one in concept.targets] == [
        ("urn:x", "1", 2),
        ("urn:y", "2", 3),
    ]
    assert len(problems) == 1
    assert problems[0].startswith("t.csv:4:1: 'A'")


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("A,a,http://loinc.org,14749-5,,equivalent,,", "14749-5"),
        ("A,a,urn:x,,,equivalent,,", "target"),
        ("A,a,http://hl7.org/fhir/request-status,aktive,,equivalent,,", "no code 'aktive'"),
        ("A,a,urn:x,1,,same,,", "same"),
        ("A,a,,,,,2020-13-01,", "2020-13-01"),
        ("A,a,,,,,2020-02-01,2020-01-31", "before it begins"),
        (",a,,,,,,", "empty"),
        ("A,a,,,,,,,,x", "cells"),
        ("A,a,,,,,20251231,", "write YYYY-MM-DD"),
        ("A,a,,,,,2025-W01-1,", "write YYYY-MM-DD"),
        ("A,a,http://loinc.org/,14749-5,,equivalent,,", "write http://loinc.org"),
        ("A,a,https://loinc.org,14749-6,,equivalent,,", "write http://loinc.org"),
        ("A,a,LOINC,14749-6,,equivalent,,", "write http://loinc.org"),
        ("A,a,bảng 1,14749-6,,equivalent,,", "not the URI"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, word: str) -> None:
    _, problems = load(tmp_path, row)
    assert len(problems) == 1
    assert problems[0].startswith("t.csv:2:1: ")
    assert word in problems[0]


EXPORTED = (
    'code,display,system,target,target_display,equivalence\nA,"một, hai",urn:x,1,,equivalent\nB,b,,,,\n'
)


@pytest.mark.parametrize(
    "text",
    [
        EXPORTED,
        "\ufeff" + EXPORTED.replace("\n", "\r\n"),
        EXPORTED.replace('"một, hai"', "một# hai").replace(",", ";").replace("#", ","),
        EXPORTED.replace('"một, hai"', "một# hai").replace(",", "\t").replace("#", ","),
        EXPORTED.replace("\nB,", "\n,,,,,,,\n ,\u00a0,\nB,") + ",,,,,,,,\n",
        EXPORTED.replace("equivalent\n", "equivalent,,,,\n").replace("một, hai", "một,\n\u00a0hai "),
    ],
)
def test_what_a_spreadsheet_does_to_a_table_is_no_mistake(tmp_path: Path, text: str) -> None:
    head, rest = text.split("\n", 1)
    codes, problems = load(tmp_path, rest, head=head)
    assert problems == []
    found = codes.tables["t"].concepts
    assert [(one.code, one.display, one.target) for one in found.values()] == [
        ("A", "một, hai", "1"),
        ("B", "b", None),
    ]


def test_a_problem_names_the_line_where_its_row_begins(tmp_path: Path) -> None:
    _, problems = load(tmp_path, 'A,"a\na\na",,,,,,', "A,a,,,,,,")
    assert [line.split(" ")[0] for line in problems] == ["t.csv:5:1:"]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1258"])
def test_another_encoding_is_named_with_its_remedy_alone(tmp_path: Path, encoding: str) -> None:
    shutil.copytree(MAPPINGS / "codes", tmp_path / "codes")
    file = tmp_path / "codes" / "measures.csv"
    file.write_bytes(file.read_text("utf-8").encode(encoding, "replace"))
    problems: list[str] = []
    load_code_tables(tmp_path / "codes", problems)
    (problem,) = problems
    assert "CSV UTF-8" in problem


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("units", "x/10,1,number,0.1", "x/10,1,number,NaN", "units.csv:20:1: 'NaN'"),
        ("units", "x/10,1,number,0.1", "x/10,1,number,0", "units.csv:20:1: '0'"),
        ("units", "x/10,1,number,0.1", "x/10,1,number,-1", "units.csv:20:1: '-1'"),
        ("measures", ",quantity,mmol/L,mmol/L", ",quantity,mg/dL,mmol/L", "'mg/dL' measures another kind"),
        (
            "measures",
            ",quantity,mmol/L,mmol/L",
            ",quantity,mmol/Lx,mmol/L",
            "'mmol/Lx' is not in units.csv",
        ),
        ("measures", ",quantity,", ",quantitative,", "there is no type 'quantitative'"),
        ("measures", "VS-SBP|VS-DBP", "VS-SBP|VS-DPB", "there is no measure 'VS-DPB' (column components)"),
        ("qualitative", "vết|trace", "neg|vết|trace", "'neg' would mean both NEG and TRACE"),
        ("qualitative", "nhóm a|a1,HEM-ABO", "nhóm a|a1,HEM-AB0", "no measure 'HEM-AB0' (column measures)"),
        ("tables", ",yes", ",x", "'x' is neither"),
        ("tables", "CodeSystem/services", "CodeSystem/measures", "CodeSystem/measures' is empty or stands"),
        ("services", "display_en", "display", "services.csv:1:1: 'display'"),
    ],
)
def test_a_slip_in_the_projects_own_tables_is_found(
    tmp_path: Path, file: str, old: str, new: str, problem: str
) -> None:
    shutil.copytree(MAPPINGS / "codes", tmp_path / "codes")
    path = tmp_path / "codes" / f"{file}.csv"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    problems: list[str] = []
    load_code_tables(tmp_path / "codes", problems)
    assert len(problems) == 1
    assert problem in problems[0]


def test_periods_of_one_code_must_not_overlap(tmp_path: Path) -> None:
    _, problems = load(tmp_path, "A,a,,,,,,2020-01-01", "A,a,,,,,2020-01-01,", "B,b,,,,,,", "B,b,,,,,,")
    assert len(problems) == 2
    assert problems[0].startswith("t.csv:3:1: 'A' is valid on the same days as line 2")
    assert problems[1].startswith("t.csv:5:1: 'B' is empty or stands here a second time")


def test_versions_of_a_system_must_not_overlap(tmp_path: Path) -> None:
    head = "name,uri,version,valid_from,valid_to,pattern\n"
    _, problems = load(
        tmp_path, systems=head + "x,urn:x,1,,2020-01-01,\nx,urn:x,2,2019-01-01,,\ny,urn:y,,,,[\n"
    )
    assert [line.split(":")[1] for line in problems] == ["3", "4"]


MEASURE = HEAD + ",ucum,property,convert_to"
GLUCOSE = "GLU,Glucose,http://loinc.org,14749-6,Glucose [Moles/volume] in Serum or Plasma,equivalent,,"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (f"{GLUCOSE},mmol/L,SCnc,umol/L", None),
        (f"{GLUCOSE},mmol/L,,", None),
        (f"{GLUCOSE},mg/dL,SCnc,", "the unit 'mg/dL' cannot belong to 14749-6"),
        (f"{GLUCOSE},mg/dL,,", "the unit 'mg/dL' cannot belong to 14749-6"),
        (f"{GLUCOSE},10*9/L,,", "the unit '10*9/L' cannot belong to 14749-6"),
        (f"{GLUCOSE},mmol/L,MCnc,", "LOINC property is MCnc"),
        (f"{GLUCOSE.replace('14749-6', '2345-7')},mmol/L,SCnc,", "LOINC property is MCnc"),
        (f"{GLUCOSE},mmol/L,Mass,", "LOINC property is Mass"),
        (f"{GLUCOSE},mmol/L,Substanz,", "'Substanz' is not a LOINC property"),
        (f"{GLUCOSE},mmol/L,SCnc,mg/dL", "nothing can be converted to 'mg/dL'"),
        (f"{GLUCOSE},,SCnc,mmol/L", "nothing can be converted to 'mmol/L'"),
        (f"{GLUCOSE},mMol/L,SCnc,", "'mMol/L' is not a UCUM code"),
        ("U,u,,,,,,,mm[Hg],Pres,kPa", None),
        ("U,u,,,,,,,[IU]/mL,ACnc,", None),
        ("U,u,,,,,,,U/L,ACnc,", "the unit 'U/L' cannot belong to U"),
        ("U,u,,,,,,,%,PrThr,", "the unit '%' cannot belong to U"),
    ],
)
def test_a_unit_and_a_code_that_disagree_are_an_error(tmp_path: Path, row: str, problem: str | None) -> None:
    (tmp_path / "measures.csv").write_text(f"{MEASURE}\n{row}\n", "utf-8")
    _, problems = load(tmp_path, tables="table,system\nmeasures,urn:m\n")
    assert len(problems) == (problem is not None)
    if problem is not None:
        assert problems[0].startswith("measures.csv:2:1: ")
        assert problem in problems[0]


def test_units_are_ucum_and_of_one_dimension(tmp_path: Path) -> None:
    rows = "unit,ucum,dimension,factor\nmmHg,mmHg,pressure,\nmg,mg,mass,\nmmol,mmol,mass,\ng,g,mass,\n"
    _, problems = load(tmp_path, units=rows)
    assert [line.split(" ")[0] for line in problems] == ["units.csv:2:1:", "units.csv:4:1:"]
    assert "'mmol' and 'mg'" in problems[1]


def test_every_measure_of_the_project_is_there_with_a_code_that_can_be_right() -> None:
    problems: list[str] = []
    measures = load_code_tables(MAPPINGS / "codes", problems).tables["measures"].concepts
    assert problems == []
    assert len(measures) == 142
    codes = [
        target.code for one in measures.values() for target in one.targets if target.system == LOINC_SYSTEM
    ]
    assert len(codes) == 139  # the breath test and the two classes have none
    assert all(map(is_loinc_code, codes))
    assert {code for code in codes if codes.count(code) > 1} == set()


def _copied(folder: Path) -> Path:
    """A copy of the project's mappings, to be changed."""
    shutil.copytree(MAPPINGS, folder / "mappings")
    return folder / "mappings"


def test_a_mapping_that_asks_for_no_unit_is_refused(tmp_path: Path) -> None:
    folder = _copied(tmp_path)
    file = folder / "observation.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace('"{{ m | quantity }}"', "\"{{ m | quantity('mmHg') }}\""), "utf-8")
    with pytest.raises(MappingError) as caught:
        Mappings.load(folder, FIELDS)
    (problem,) = caught.value.problems
    assert "'mmHg' is not a UCUM code" in problem
    assert problem.startswith("observation.yaml:")


def test_a_measure_goes_out_with_the_code_of_its_day(tmp_path: Path) -> None:
    folder = _copied(tmp_path)
    table = folder / "codes" / "measures.csv"
    head, *lines = table.read_text("utf-8").splitlines()
    old = next(line for line in lines if line.startswith("BIO-GLU,"))
    first = old.replace("equivalent,,,", "equivalent,,2025-12-31,")
    then = old.replace("equivalent,,,", "equivalent,2026-01-01,,").replace("14749-6", "15074-8")
    table.write_text("\n".join([head, *(line for line in lines if line != old), first, then]), "utf-8")
    made = Mappings.load(folder, FIELDS).engine(context())
    fields = {"kind": "measurement", "key": "V/1", "cadre": "C", "visit": "V", "measure": "BIO-GLU"}
    for year, code in ((2025, "14749-6"), (2026, "15074-8")):
        moment = datetime(year, 6, 1, 8, tzinfo=UTC)
        record = record_of({**fields, "value": "5.3", "unit": "mmol/L", "taken_at": moment})
        resource = made.map(record)[0].resource
        assert [one["code"] for one in resource["code"]["coding"]] == ["BIO-GLU", code]
        undated = record_of({**fields, "value": "5.3", "unit": "mmol/L"})
        visit = Visit(key="V", cadre="C", type=VisitKind.OUTPATIENT, started_at=moment, ended_at=moment)
        assert made.map(undated, visit=visit)[0].resource["code"] == resource["code"]
