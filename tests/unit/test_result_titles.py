"""What a result is called where people read it."""

import pytest

from adapter.insights.result_titles import code_words, worded
from adapter.mapping.result_reading.reading import read_content

LOINC = {"system": "http://loinc.org", "code": "2823-3"}


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ({"text": "Kali", "coding": [LOINC]}, "Kali"),
        ({"coding": [{**LOINC, "display": "Potassium"}]}, "Potassium"),
        ({"text": "Kali", "coding": [{**LOINC, "display": "Potassium"}]}, "Kali / Potassium"),
        ({"coding": [LOINC]}, "2823-3 (LOINC)"),
        ({"coding": [LOINC, {"system": "https://bv-tinh.example/codes", "code": "K1"}]},
         "2823-3 (LOINC) / K1 (bv-tinh.example)"),
        ({"coding": [{"system": "urn:oid:1.2.3", "code": "K1"}]}, "K1 (1.2.3)"),
        ({"coding": [{"system": "http://[x", "code": "K1"}]}, "K1 (//[x)"),
        ({"coding": [{"code": "K1"}]}, "K1"),
        ({}, ""),
    ],
)  # fmt: skip
def test_a_title_is_words_or_a_code_with_its_system(code: dict[str, object], title: str) -> None:
    part = {"code": code, "valueString": "x"}
    whole = {"resourceType": "Observation", "id": "a", "status": "final", "code": code, "component": [part]}
    report = {"resourceType": "DiagnosticReport", "status": "final", "contained": [whole], "code": code}
    report["result"] = [{"reference": "#a"}]
    shown = worded(read_content(report))
    assert shown.title == title
    [member] = shown.members
    assert member.content is not None
    assert member.content.title == title
    assert [one.title for one in member.content.components] == [title]


def test_what_was_recorded_stays_as_it_came() -> None:
    content = read_content({"resourceType": "Observation", "code": {"text": "Kali", "coding": [LOINC]}})
    worded(content)
    assert content.title == "Kali / 2823-3"
    assert code_words("K1", None) == "K1"
