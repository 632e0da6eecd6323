"""Who a visit is of, as XML1 says it. Pure."""

from typing import Final

from adapter.fhir.codec import Resource
from adapter.national_xml.conventions import FileConventions
from adapter.national_xml.rows import SheetRow

__all__ = ["gender_of", "own_number", "patient_of"]

_GENDERS: Final = {"1": "male", "2": "female", "3": "unknown"}


def gender_of(code: str) -> str | None:
    """FHIR's code of GIOI_TINH; None of what is none."""
    return _GENDERS.get(code)


def own_number(row: SheetRow, conventions: FileConventions) -> Resource:
    """The hospital's own number of the person, as an Identifier. Raises FhirError where a visit has none."""
    if own := row.get("MA_BN"):
        return conventions.numbered("patient", own)
    return conventions.numbered("patient-of-visit", row.required("MA_LK"))


def patient_of(row: SheetRow, conventions: FileConventions) -> Resource:
    """The Patient; by its first number, the hospital's own, it is known again."""
    identifiers = [own_number(row, conventions)]
    if citizen := row.get("SO_CCCD"):
        identifiers.append(conventions.person_number(conventions.citizen_id, "so-cccd", citizen))
    for card in row.get("MA_THE_BHYT").split(";"):
        if number := card.strip():
            identifiers.append(conventions.person_number(conventions.insurance_number, "ma-the-bhyt", number))
    patient: Resource = {"resourceType": "Patient", "identifier": identifiers}
    if name := row.get("HO_TEN"):
        patient["name"] = [{"text": name}]
    if gender := gender_of(row.get("GIOI_TINH")):
        patient["gender"] = gender
    if born := row.birth_date("NGAY_SINH"):
        patient["birthDate"] = born
    return patient
