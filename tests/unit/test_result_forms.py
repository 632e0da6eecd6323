"""What lands where: each row of the page for hospitals, and what people read of it."""

import base64
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from result_forms import FORMS, LONG, PDF, Form

from adapter.mapping.result_extraction import ResultFields, extract_result
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.mapping.result_reading.reading import MOST_EMBEDDED
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.records.model import Result
from adapter.records.serialisation import parse_record, serialise_record
from adapter.result_content import ResultContent

ROOT = Path(__file__).parents[2]
TABLE = (
    (ROOT / "docs" / "for-hospitals.md")
    .read_text("utf-8")
    .split("## What lands where\n")[1]
    .split("\n## ")[0]
)
ROWS = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", TABLE, re.MULTILINE)[1:])
KNOWN = KnownMeasures(load_code_tables(ROOT / "mappings" / "codes", []))
NOW = datetime(2026, 4, 1, tzinfo=UTC)
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def recorded(form: Form) -> tuple[Result, ResultContent]:
    """The result as it stands in the record, written and read again."""
    fields = extract_result(
        form.sent,
        hospital="bv-tinh",
        key="R-1",
        cadre="C",
        referral=None,
        received_at=NOW,
        known=KNOWN,
        siblings=form.along.get,
    )
    made = Result.model_validate({name: getattr(fields, name) for name in ResultFields.__slots__})
    result = parse_record(Result.kind, serialise_record(made))
    assert isinstance(result, Result)
    assert result.content is not None
    return result, result.content


def at(value: Any, path: str) -> Any:
    """What stands at a path such as `members.0.content`; None where nothing is there."""
    for step in path.split("."):
        if isinstance(value, list | tuple):
            value = value[int(step)] if int(step) < len(value) else None
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value


def test_every_row_has_its_form_and_every_form_its_row() -> None:
    assert set(ROWS) - {"---"} == set(FORMS)


@pytest.mark.parametrize("name", FORMS)
def test_a_form_lands_where_the_page_says(name: str) -> None:
    form = FORMS[name]
    _, content = recorded(form)
    held = content.model_dump(mode="json")
    assert {path: at(held, path) for path in form.holds} == form.holds
    fields = re.findall(r"`([a-z_.]+)`", ROWS[name])
    named = {one for one in fields if one.split(".")[0] in ResultContent.model_fields} - {"value.low"}
    assert named, "the row names a field"
    assert {one for one in named if not _anywhere(held, one)} == set()


def _anywhere(held: Any, path: str) -> bool:
    """Whether the path is there, in the result or in a member of it."""
    if at(held, path) is not None:
        return True
    parts = [*held.get("components", ()), *(one.get("content", {}) for one in held.get("members", ()))]
    return any(_anywhere(one, path) for one in parts)


@pytest.mark.parametrize(
    ("name", "value", "conclusion"),
    [
        ("`Observation` with `valueQuantity`", "<13.50 g/dL", None),
        ("with `valueRange`", "≤5 mmol/L", None),
        ("with `interpretation` and `note`", "7.1 mmol/L [HH]", "HH; mẫu tán huyết, không tin cậy"),
        ("with a unit that its code contradicts", "1.2 mg/dL ≠ umol/L", None),
        ("without a value", "(mẫu đông / error)", None),
        ("a panel of `component`", "8480-6 180 mmHg [H]; 8462-4 (không đo được)", None),
        ("`DiagnosticReport` with `result`", "Natri 141 mmol/L", "Bình thường"),
        (
            "with contained results",
            "Kali máu / Potassium [Moles/volume] in Serum or Plasma 7.1 mmol/L [HH]; Natri 141 mmol/L",
            None,
        ),
        ("with a text document", None, LONG),
        ("with a narrative alone", None, "Tim to & giãn\nEF | 35 %"),
        ("with a PDF alone (`presentedForm`)", None, "Kết quả giải phẫu bệnh, application/pdf, 26 B"),
        ("`Procedure`", None, "thành công; Bleeding [I97.8]; tái khám sau 7 ngày"),
    ],
)
def test_what_lists_show_is_made_of_the_parts(name: str, value: str | None, conclusion: str | None) -> None:
    result, _ = recorded(FORMS[name])
    assert (result.value, result.conclusion) == (value, conclusion)


@pytest.mark.parametrize(
    ("unit", "code", "contradict"),
    [
        ("mg/dL", "umol/L", True),
        ("g/L", "g/dL", True),
        ("mmol/L", "mg/dL", True),
        ("%", "1", True),
        ("mEq/L", "umol/L", True),
        ("ng/mL", "ug/L", False),
        ("UI/L", "U/L", False),
        ("IU/L", "U/L", False),
        ("mmHg", "mm[Hg]", False),
        ("lần/phút", "/min", False),
        ("nhịp", "{beats}/min", False),
        ("G/L", "10*9/L", False),
        ("K/uL", "10*3/uL", False),
        ("INR", "1", False),
        ("Ký tự lạ", "mmol/L", False),
        ("mmol/L", "mmol/l", False),
    ],
)
def test_a_unit_contradicts_its_code_only_where_both_are_known(
    unit: str, code: str, contradict: bool
) -> None:
    quantity = {"value": 5, "unit": unit, "system": "http://unitsofmeasure.org", "code": code}
    _, content = recorded(
        Form(
            {
                "resourceType": "Observation",
                "status": "final",
                "code": {"text": "x"},
                "valueQuantity": quantity,
            },
            {},
        )
    )
    assert (content.contradictions == ("unit",)) is contradict


@pytest.mark.parametrize(
    ("loinc", "value", "unit", "local"),
    [
        ("718-7", "13.5", "g/dL", "135 g/L"),
        ("718-7", "13.50", "g/dL", "135.0 g/L"),
        ("718-7", "135", "g/L", None),  # it is our own unit
        ("718-7", "8.1", "mmol/L", None),  # by a molar mass: not exact
        ("8310-5", "98.6", "[degF]", "37.0 °C"),
        ("8310-5", "99", "[degF]", None),  # 37.2…, which has no end
        ("29463-7", "150", "[lb_av]", "68.0388555 kg"),
        ("8302-2", "1.58", "m", "158 cm"),
        ("2823-3", "4.1", "meq/L", None),  # equivalents are no moles
        ("2823-3", "0", "umol/L", "0 mmol/L"),
        ("2823-3", "4100", "umol/L", "4.100 mmol/L"),
    ],
)
def test_a_value_is_converted_only_where_that_is_exact(
    loinc: str, value: str, unit: str, local: str | None
) -> None:
    quantity = {"value": Decimal(value), "system": "http://unitsofmeasure.org", "code": unit}
    code = {"coding": [{"system": "http://loinc.org", "code": loinc}]}
    sent = {"resourceType": "Observation", "status": "final", "code": code, "valueQuantity": quantity}
    _, content = recorded(Form(sent, {}))
    assert content.measure
    assert (content.local.words if content.local else None) == local
    assert content.value_words == f"{value} {unit}"
    is_of_another_kind = (loinc, unit) == ("718-7", "mmol/L")
    assert content.contradictions == (("property",) if is_of_another_kind else ())


@pytest.mark.parametrize(
    ("element", "said"),
    [
        ({"valueQuantity": {"unit": "mmol/L"}}, "? mmol/L"),
        ({"valueRatio": {"numerator": {"value": 1}}}, "1/?"),
        ({"valuePeriod": {"start": "2026-01-01"}}, "2026-01-01 - "),
        ({"_valueString": {"extension": [{"url": ABSENT, "valueCode": "masked"}]}}, "(masked)"),
        ({"valueQuantity": {"_value": {"extension": [{"url": ABSENT, "valueCode": "error"}]}}}, "(error)"),
        ({"valueInteger": 5, "dataAbsentReason": {"text": "nghi ngờ"}}, "5 (nghi ngờ)"),
        ({"valueCodeableConcept": {"text": "âm tính", "coding": [{"code": "POS"}]}}, "âm tính / POS"),
        (
            {"valueCodeableConcept": {"text": "âm tính", "coding": [{"display": "Dương tính"}]}},
            "âm tính / Dương tính",
        ),
        ({"valueString": "   "}, ""),
        ({"valueRange": {}}, ""),
    ],
)
def test_values_that_are_half_there(element: dict[str, Any], said: str) -> None:
    sent = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **element}
    assert recorded(Form(sent, {}))[1].value_words == said


@pytest.mark.parametrize(
    ("content_type", "data", "text", "unreadable"),
    [
        ("text/plain", "Xin chào".encode(), "Xin chào", False),
        ("text/plain; charset=utf-16", "Xin chào".encode("utf-16"), "Xin chào", False),
        ("text/html", b"<p>a<del>b</del></p><script>x()</script>", "a[-b-]", False),
        ("application/pdf", PDF, None, False),
        ("text/plain; charset=none-such", b"abc", "abc", False),
        ("text/plain", None, None, True),
    ],
)
def test_documents(content_type: str, data: bytes | None, text: str | None, unreadable: bool) -> None:
    encoded = base64.b64encode(data).decode() if data is not None else "***"
    form = {"contentType": content_type, "data": encoded}
    sent = {**FORMS["with a text document"].sent, "presentedForm": [form]}
    [document] = recorded(Form(sent, {}))[1].attachments
    assert (document.text, document.unreadable) == (text, unreadable)
    assert document.size == (len(data) if data is not None else None)


def test_what_is_listed_beyond_the_bound_stands_there_by_its_reference() -> None:
    listed = [{"reference": f"Observation/{number}"} for number in range(MOST_EMBEDDED + 50)]
    sodium = FORMS["with `valueInteger`"].sent
    along = {one["reference"]: {**sodium, "id": one["reference"]} for one in listed}
    _, content = recorded(
        Form({**FORMS["`DiagnosticReport` with `result`"].sent, "result": listed}, {}, along)
    )
    assert [one.reference for one in content.members] == [one["reference"] for one in listed]
    assert sum(one.content is not None for one in content.members) == MOST_EMBEDDED


def test_a_circle_is_read_once() -> None:
    first = {**FORMS["a panel of `hasMember`"].sent, "id": "a", "hasMember": [{"reference": "Observation/b"}]}
    second = {
        **first,
        "id": "b",
        "hasMember": [{"reference": "Observation/a"}, {"reference": "Observation/b"}],
    }
    _, content = recorded(Form(first, {}, {"Observation/a": first, "Observation/b": second}))
    assert content.members[0].content is not None
    assert [one.content for one in content.members[0].content.members] == [None, None]


def test_what_was_examined_is_part_of_the_title() -> None:
    result, _ = recorded(FORMS["with `specimen`, `bodySite`, `method`"])
    assert result.title == "creatinine (nước tiểu 24 giờ, bàng quang, thiếu thể tích; thận trái; Jaffe)"


def test_a_coded_diagnosis_stands_beside_a_harmless_conclusion() -> None:
    pathology = FORMS["pathology: a long conclusion and its codes"]
    result, _ = recorded(Form({**pathology.sent, "conclusion": "Đã xem"}, {}, pathology.along))
    assert result.conclusion == "Đã xem; C34.1 / 254637007"


@pytest.mark.parametrize(
    ("ours", "theirs", "read"),
    [
        ({"subject": {"reference": "Patient/1"}}, {}, True),
        ({"subject": {"reference": "Patient/1"}}, {"subject": {"reference": "Patient/1"}}, True),
        (
            {"subject": {"reference": "https://x.example/Patient/1/_history/2"}},
            {"subject": {"reference": "Patient/1"}},
            True,
        ),
        ({"subject": {"identifier": {"value": "A"}}}, {"subject": {"identifier": {"value": "A"}}}, True),
        ({"subject": {"reference": "Patient/1"}}, {"subject": {"reference": "Patient/2"}}, False),
        ({"subject": {"identifier": {"value": "A"}}}, {"subject": {"reference": "Patient/2"}}, False),
        ({}, {"subject": {"reference": "Patient/2"}}, False),
        ({"basedOn": [{"reference": "ServiceRequest/7"}]}, {"subject": {"reference": "Patient/2"}}, False),
        (
            {"basedOn": [{"reference": "ServiceRequest/7"}]},
            {"subject": {"reference": "Patient/2"}, "basedOn": [{"reference": "ServiceRequest/7"}]},
            True,
        ),
    ],
)
def test_a_member_of_somebody_else_is_named_and_not_read(
    ours: dict[str, Any], theirs: dict[str, Any], read: bool
) -> None:
    sodium = {**FORMS["`Observation` with `valueQuantity`"].sent, **theirs}
    report = {**FORMS["`DiagnosticReport` with `result`"].sent, **ours}
    for sent, along in (
        (report, {"Observation/na": sodium}),
        ({**report, "result": [{"reference": "#na"}], "contained": [{**sodium, "id": "na"}]}, {}),
        ({**report, "result": [], "contained": [{**sodium, "id": "na"}]}, {}),
    ):
        result, content = recorded(Form(sent, {}, along))
        [member] = content.members
        assert (member.content is not None, member.other_subject) == (read, not read)
        assert ("13.50" in (result.value or "")) is read
