"""Whose number it may be, and whose birth date: under a pseudonym neither leaves, in words or as a number."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapter.disclosure.identifying_terms import IdentifyingTerms
from adapter.disclosure.personal_numbers import birth_date_pattern, has_personal_number, is_code_of_something
from adapter.disclosure.policy import WithholdReason
from adapter.disclosure.policy_loader import load_policy
from adapter.disclosure.pseudonymisation import without_free_text
from adapter.disclosure.text_guard import ResourceTexts, TextGuard
from adapter.fhir import codec
from adapter.text_folding import fold_text

PLAIN = load_policy(Path("mappings/disclosure.yaml")).plain_values_pattern
BORN = date(1964, 3, 9)
WHO = IdentifyingTerms("Trần Quốc Hưng", ("0912345678",), None, BORN)

SOMEBODYS = [
    "0987654321",
    "0987 654 321",
    "0987.654.321",
    "098-765-4321",
    "+84 987 654 321",
    "84987654321",
    "gọi vợ: 0987654321",
    "sđt0987654321",
    "0204 3856 789",
    "024065012345",
    "024 065 012345",
    "125081234",
    "DN4242420123456",
    "GD 4 24 2420123456",
    "2420123456",
]
NOBODYS = [
    "14749-6",
    "386053000",
    "170000000",
    "2026-03-02",
    "2026-03-02T07:45:00+07:00",
    "5.30 - 6.10",
    "120/80",
    "0.000123456",
    "1/80",
    "0123456789abcdef0123456789abcdef",
    "10*9/L",
    "FLU26A07",
]


@pytest.mark.parametrize("text", SOMEBODYS)
def test_a_number_that_may_be_somebodys_is_found(text: str) -> None:
    assert has_personal_number(fold_text(text))
    observation = {"resourceType": "Observation", "note": [{"text": text}]}
    reason = TextGuard(None).withhold_reason(ResourceTexts.of(observation), identity=WHO)
    assert reason is WithholdReason.TEXT_IDENTIFIES
    assert TextGuard(None).withhold_reason(ResourceTexts.of(observation)) is None  # of people by name it goes


@pytest.mark.parametrize("text", NOBODYS)
def test_other_numbers_are_nobodys(text: str) -> None:
    assert not has_personal_number(fold_text(text))


@pytest.mark.parametrize("name", ["valueString", "valueCodeableConcept"])
@pytest.mark.parametrize(
    "text",
    [
        *(one for one in SOMEBODYS if "gọi" not in one),
        "HS-20991",
        "CB-0040",
        "B1234567",
        "00123456",
        "KH1234/26",
    ],
)
def test_in_a_value_no_number_of_somebody_or_of_a_file_goes(name: str, text: str) -> None:
    value = {"text": text} if name == "valueCodeableConcept" else text
    left = without_free_text({"resourceType": "Observation", "status": "final", name: value}, PLAIN)
    assert text not in str(left)
    assert left["dataAbsentReason"]["coding"][0]["code"] == "masked"


@pytest.mark.parametrize("element", ["bodySite", "outcome", "reasonCode", "code"])
def test_nor_in_any_other_element(element: str) -> None:
    coding = {"system": "http://a.example", "code": "x", "display": "X"}
    part: Any = {"coding": [coding], "text": "0987654321"}
    resource = {
        "resourceType": "Procedure",
        element: [part] if element in ("bodySite", "reasonCode") else part,
    }
    assert "0987654321" not in str(without_free_text(resource, PLAIN))


@pytest.mark.parametrize(
    "text", ["18mm", "12x15mm", "3 x 4 mm", "10/10", "ĐNT 3m", "<0.01", "120/80/60", "5 - 7 %"]
)
def test_measured_values_are_no_codes(text: str) -> None:
    assert not is_code_of_something(fold_text(text))


@pytest.mark.parametrize(("lot", "goes"), [("FLU26A07", True), ("26-0815/2", True), ("0987654321", False)])
def test_a_lot_number_goes_and_a_telephone_in_its_place_does_not(lot: str, goes: bool) -> None:
    left = without_free_text({"resourceType": "Immunization", "status": "completed", "lotNumber": lot}, PLAIN)
    assert ("lotNumber" in left) is goes
    assert left["status"] == "completed"


@pytest.mark.parametrize(
    "text",
    [
        "09/03/1964",
        "9/3/1964",
        "9.3.64",
        "09-03-1964",
        "1964-03-09",
        "1964-03",
        "3/1964",
        "09031964",
        "19640309",
        "090364",
        "Sinh ngày 9 tháng 3 năm 1964",
        "sinh 09/03",
        "SN 9/3",
        "tháng 3/1964",
        "khám ngày 02/10/2026, sinh ngày 09/03",
    ],
)
def test_more_of_the_birth_date_than_its_year_is_found(text: str) -> None:
    observation = {"resourceType": "Observation", "valueString": text}
    reason = TextGuard(None).withhold_reason(ResourceTexts.of(observation), identity=WHO)
    assert reason is WithholdReason.TEXT_IDENTIFIES


@pytest.mark.parametrize("text", ["1964", "09/03/2026", "2026-03-09", "19/03/1965", "9/3", "13/1964"])
def test_other_dates_are_not_taken_for_it(text: str) -> None:
    assert birth_date_pattern(BORN).search(fold_text(text)) is None


@pytest.mark.parametrize("value", ["912345678", "987654321", "19640309", "9031964", "24065012345"])
def test_a_number_is_looked_at_like_words(value: str) -> None:
    """A telephone without its zero is a number, and so is a birth date written without signs."""
    observation = codec.loads(f'{{"resourceType": "Observation", "valueQuantity": {{"value": {value}}}}}')
    reason = TextGuard(None).withhold_reason(ResourceTexts.of(observation), identity=WHO)
    assert reason is WithholdReason.TEXT_IDENTIFIES


@pytest.mark.parametrize("value", ["170000000", "250000", "5.30", "1234567.5"])
def test_what_is_measured_stays(value: str) -> None:
    observation = codec.loads(f'{{"resourceType": "Observation", "valueQuantity": {{"value": {value}}}}}')
    assert TextGuard(None).withhold_reason(ResourceTexts.of(observation), identity=WHO) is None
