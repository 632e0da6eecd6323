"""Inbound mappings: every mistake in a file is said with its place, and documents are held to their shape."""

import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from mapping_support import MAPPINGS

from adapter.errors import MappingError
from adapter.fhir import codec
from adapter.fhir.operation_outcome import Issue
from adapter.mapping.inbound.conversion import ConvertedDocument, InboundConverter, InboundSender
from adapter.mapping.inbound.loader import inbound_version, load_inbound
from adapter.mapping.inbound.written_times import read_date, read_time

OWN = "https://bv.example"
SENDER = InboundSender("bv", "BV", "", OWN, "urn:ours", {}, "", "")
FILE = """document:
  number!: value
  items:
    - code! <- Mã: text
      amount: number
      many: [text]
  person:
    number: value
    name: text
  extra: ignored
resources:
  - resource: Patient
    from: person
    key: "{{ m.number }}"
    body:
      name:
        - "{{ m.name | person_name }}"
  - resource: Observation
    from: items
    key: "{{ m.outer.number ~ '/' ~ m.code }}"
    body:
      status: final
      code: "{{ m.code | concept('bv-mau-tests') }}"
      subject: "{{ m.outer.person.number | reference('Patient') }}"
      valueQuantity:
        $when: "{{ m.amount is not none }}"
        value: "{{ m.amount }}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(MAPPINGS, tmp_path / "m")
    return tmp_path / "m"


def load(folder: Path, text: str) -> InboundConverter:
    (folder / "inbound" / "x.yaml").write_text(text, "utf-8")
    return InboundConverter(load_inbound(folder, "x"), SENDER)


def converted(folder: Path, document: Any, text: str = FILE) -> ConvertedDocument:
    return load(folder, text).convert(codec.loads(codec.dumps(document)), 1_000)


def said(found: ConvertedDocument) -> list[tuple[str, str | None]]:
    return [(one.code, one.expression) for one in found.issues]


def test_each_item_of_a_list_becomes_one_resource(folder: Path) -> None:
    document = {
        "number": 7,
        "person": {"number": "P", "name": "Đỗ Văn Đức"},
        "items": [{"Mã": "GLU", "amount": codec.loads("5.30")}, {"Mã": "XYZ"}],
        "extra": [{"any": "thing"}],
    }
    found = converted(folder, document)
    assert found.issues == ()
    patient, glucose, other = (one["resource"] for one in found.bundle["entry"])
    assert found.places == ("person", "items[0]", "items[1]")
    assert glucose["identifier"] == [{"system": f"{OWN}/observation", "value": "7/GLU"}]
    assert codec.dumps(glucose["valueQuantity"]) == b'{"value":5.30}'
    assert glucose["subject"] == {"reference": found.bundle["entry"][0]["fullUrl"]}
    assert other["code"]["coding"] == [
        {"system": "https://bv-mau.example/fhir/CodeSystem/tests", "code": "XYZ"}
    ], "an unknown code goes on as the hospital's own"
    assert "valueQuantity" not in other
    assert patient["name"][0]["text"] == "Đỗ Văn Đức"


def test_whom_the_document_does_not_have_is_named_by_number_alone(folder: Path) -> None:
    text = FILE.replace("from: person\n", 'from: person\n    when: "{{ m.name }}"\n')
    found = converted(folder, {"number": "7", "person": {"number": "P"}, "items": [{"Mã": "GLU"}]}, text)
    [observation] = [one["resource"] for one in found.bundle["entry"]]
    assert observation["subject"] == {
        "type": "Patient",
        "identifier": {"system": f"{OWN}/patient", "value": "P"},
    }


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([], [("structure", None)]),
        ({}, [("required", "number")]),
        ({"number": None}, [("required", "number")]),
        ({"number": " "}, [("required", "number")]),
        ({"number": {}}, [("value", "number"), ("required", "number")]),
        ({"number": True}, [("value", "number"), ("required", "number")]),
        ({"number": 1, "items": {}}, [("structure", "items")]),
        ({"number": 1, "items": [1]}, [("structure", "items[0]")]),
        ({"number": 1, "items": [{"code": "GLU"}]}, [("structure", "items[0]"), ("required", "items[0].Mã")]),
        ({"number": 1, "items": [{"Mã": "A", "amount": "x"}]}, [("value", "items[0].amount")]),
        ({"number": 1, "items": [{"Mã": "A", "many": "x"}]}, [("structure", "items[0].many")]),
        ({"number": 1, "items": [{"Mã": "A", "many": [1]}]}, [("value", "items[0].many[0]")]),
        ({"number": 1, "person": []}, [("structure", "person")]),
        ({"number": 1, "strange": 1}, [("structure", None)]),
        ({"number": 1}, [("not-supported", None)]),
        ({"number": "9" * 300, "items": [{"Mã": "A"}]}, [("required", "items[0]")]),
        (
            {"number": 1, "items": [{"Mã": "A", "amount": 1}, {"Mã": "A", "amount": 2}]},
            [("duplicate", "items[1]")],
        ),
    ],
)
def test_what_is_wrong_with_a_document_is_said_with_its_place(
    folder: Path, document: Any, expected: list[tuple[str, str | None]]
) -> None:
    found = converted(folder, document)
    assert said(found) == expected
    assert all(isinstance(one, Issue) and one.is_error for one in found.issues)


def test_the_same_twice_in_a_document_is_one(folder: Path) -> None:
    found = converted(folder, {"number": 1, "items": [{"Mã": "A"}, {"Mã": "A"}]})
    assert (found.issues, len(found.bundle["entry"])) == ((), 1)


def test_a_document_that_becomes_too_much_is_refused(folder: Path) -> None:
    document = {"number": 1, "items": [{"Mã": str(number)} for number in range(11)]}
    found = load(folder, FILE).convert(document, 10)
    assert said(found) == [("too-costly", None)]


def test_issues_and_what_is_counted_are_bounded(folder: Path) -> None:
    converter = load(folder, FILE)
    found = converter.convert({"number": 1, **{f"x{number}": 1 for number in range(5_000)}}, 10)
    assert len(found.issues) == 50
    for number in range(50):
        converter.convert({"number": number, "items": [{"Mã": f"N{number}"}]}, 10)
    assert len(converter._engine.unknown_codes) == 1, "what a sender makes up is not remembered"


def test_what_is_not_known_may_be_ignored_where_the_mapping_says_so(folder: Path) -> None:
    text = FILE.replace("document:\n", "document:\n  $others: ignored\n")
    found = converted(folder, {"number": 1, "strange": 1, "items": [{"Mã": "A"}]}, text)
    assert found.issues == ()


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("resource: Patient", "resource: Patent", "x.yaml:12:15", "no resource 'Patent'"),
        ("from: items", "from: itmes", "x.yaml:19:11", "did you mean: items"),
        ("m.outer.number", "m.outer.numbr", "x.yaml:20:", "did you mean: number"),
        ("m.outer.person.number", "m.outer.person", "x.yaml:", "whole record"),
        ("m.code | concept('bv-mau-tests')", "m.code | concept('bv-mau-test')", "x.yaml:", "bv-mau-tests"),
        ("status: final", "status: finale", "x.yaml:22:", "finale"),
        ("      status: final\n", "", "x.yaml:", "needs the element 'status'"),
        ("      subject:", "      subjekt:", "x.yaml:", "did you mean: subject"),
        ("reference('Patient')", "reference('Specimen')", "x.yaml:", "no mapping file makes 'Specimen'"),
        ('    key: "{{ m.number }}"\n', "", "x.yaml:", "'key:' is missing"),
        ("amount: number", "amount: nummer", "x.yaml:5:15", "did you mean: number"),
        ("number!: value", "num-ber!: value", "x.yaml:2:3", "names no field"),
        ("number!: value", "outer: value", "x.yaml:2:3", "outer is taken"),
        ("many: [text]", "many: [text, text]", "x.yaml:6:", "one kind of item"),
        ("  extra: ignored", "  extra: ignored\n  $others: maybe", "x.yaml:", "ignored or refused"),
        ("  extra: ignored", "  extra: ignored\n  extra: text", "x.yaml:", "second time"),
        ("m.name | person_name", "m.extra | person_name", "x.yaml:", "no field 'extra'"),
        ("resources:", "resource:", "x.yaml:", "'resources:' is missing"),
        ("from: items\n", "from: items\n    whn: x\n", "x.yaml:", "did you mean: when"),
        ("m.amount is not none", "m.items is not none", "x.yaml:", "no field 'items'"),
        ("{{ m.amount }}", "{{ m.outer }}", "x.yaml:", "gives document"),
    ],
)
def test_every_mistake_in_a_file_has_its_place(
    folder: Path, old: str, new: str, place: str, words: str
) -> None:
    assert old in FILE
    with pytest.raises(MappingError) as caught:
        load(folder, FILE.replace(old, new, 1))
    assert any(f"inbound/{place}" in line and words in line for line in caught.value.problems), (
        caught.value.problems
    )


def test_what_has_no_file_is_an_error(folder: Path) -> None:
    with pytest.raises(MappingError) as caught:
        load_inbound(folder, "nobody")
    assert "inbound/nobody.yaml" in caught.value.problems[0]


def test_an_expression_that_fails_names_its_line_and_no_value(folder: Path) -> None:
    text = FILE.replace("m.outer.person.number | reference", "m.code | instant | reference")
    found = converted(folder, {"number": 1, "items": [{"Mã": "secret"}]}, text)
    [issue] = found.issues
    assert (issue.code, issue.expression) == ("processing", "items[0]")
    assert "inbound/x.yaml:24" in issue.text
    assert "secret" not in issue.text


def test_a_written_table_or_file_is_another_version(folder: Path) -> None:
    load(folder, FILE)
    before = inbound_version(folder, "x")
    assert inbound_version(folder, "x") == before
    table = folder / "inbound" / "codes" / "bv-mau-tests.csv"
    table.write_text(table.read_text("utf-8") + "Z,Z,Z,,,,,,,\n", "utf-8")
    assert inbound_version(folder, "x") != before


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-02T08:00:00+07:00", "2026-11-02T08:00:00+07:00"),
        ("2026-11-02T01:00:00Z", "2026-11-02T01:00:00+00:00"),
        ("2026-11-02T08:00:00.5-0330", "2026-11-02T08:00:00.500000-03:30"),
        ("2026-11-02 8:05", "2026-11-02T08:05:00+07:00"),
        ("02/11/2026 08:05:09", "2026-11-02T08:05:09+07:00"),
        ("2-1-2026 23h59", "2026-01-02T23:59:00+07:00"),
        ("08:05 02.11.2026", "2026-11-02T08:05:00+07:00"),
        ("08:05 ngày 02/11/2026", "2026-11-02T08:05:00+07:00"),
        ("20261102080500", "2026-11-02T08:05:00+07:00"),
        ("202611020805+0800", "2026-11-02T08:05:00+08:00"),
        ("20261102", "2026-11-02"),
        ("02/11/2026", "2026-11-02"),
    ],
)
def test_moments_are_read_in_the_ways_in_which_they_are_written(written: str, expected: str) -> None:
    found = read_time(written)
    assert found is not None
    assert found.isoformat() == expected
    assert isinstance(found, datetime) == ("T" in expected)


@pytest.mark.parametrize(
    "written",
    [
        "", "yesterday", "31/02/2026", "2026-13-01", "02/11-2026", "2026-11-02T25:00",
        "2026-11-02T08:00+15:00", "02/11/26", "1764500000", "2026-11-02T08:00:61", "08:00", "0000-01-01",
        "٠٢/١١/٢٠٢٦", "2026-11-02 " + "0" * 99,
    ],
)  # fmt: skip
def test_what_is_no_moment_is_none(written: str) -> None:
    assert read_time(written) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("12/03/1960", date(1960, 3, 12)),
        ("1960-03-12", date(1960, 3, 12)),
        ("1960", "1960"),
        ("1960-03", "1960-03"),
        ("3/1960", "1960-03"),
        ("13/1960", None),
        ("12/03/1960 08:00", None),
        ("0000", None),
    ],
)
def test_a_day_may_be_a_month_or_a_year(written: str, expected: object) -> None:
    assert read_date(written) == expected
