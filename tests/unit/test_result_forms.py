"""What lands where: each row of the page for hospitals, and what people read of it."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from result_forms import FORMS, LONG, Form

from adapter.mapping.result_extraction import ResultFields, extract_result
from adapter.mapping.result_reading.measures import KnownMeasures
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
        ("without a value", "(mẫu đông [error])", None),
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


def test_what_was_examined_is_part_of_the_title() -> None:
    result, _ = recorded(FORMS["with `specimen`, `bodySite`, `method`"])
    assert result.title == "creatinine (nước tiểu 24 giờ, bàng quang, thiếu thể tích; thận trái; Jaffe)"


def test_a_coded_diagnosis_stands_beside_a_harmless_conclusion() -> None:
    pathology = FORMS["pathology: a long conclusion and its codes"]
    result, _ = recorded(Form({**pathology.sent, "conclusion": "Đã xem"}, {}, pathology.along))
    assert result.conclusion == "Đã xem; C34.1 / 254637007 [C34.1, 254637007]"


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
