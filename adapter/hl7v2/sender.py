"""How one hospital's messages are read: its numbers' systems and its characters. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from adapter.fhir.codec import Resource
from adapter.hl7v2.charsets import Charset
from adapter.hl7v2.message import Element

__all__ = ["SenderConventions", "coded", "coding_of", "number_of"]

_SYSTEMS: Final = {
    "LN": "http://loinc.org",
    "LOINC": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "SNM": "http://snomed.info/sct",
    "SNOMED-CT": "http://snomed.info/sct",
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "UCUM": "http://unitsofmeasure.org",
    "ATC": "http://www.whocc.no/atc",
    "CVX": "http://hl7.org/fhir/sid/cvx",
}
_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
_IDENTITY: Final = 32  # hexadecimal digits of an identity of ours


@dataclass(frozen=True, slots=True)
class SenderConventions:
    """`ours` is the system of the identities that the hospital was sent, `own` the address below which its
    own numbers stand; `authorities` are the systems of patient numbers by their assigning authority
    (PID-3.4).
    """

    ours: str
    own: str
    charset: Charset = "utf-8"
    authorities: Mapping[str, str] = field(default_factory=dict)

    def order_identifier(self, number: str) -> Resource:
        """Of a placer number: the centre's own, as it was sent, or an order of the hospital's."""
        plain = number.replace("-", "").lower()
        is_ours = len(plain) == _IDENTITY and all(letter in "0123456789abcdef" for letter in plain)
        return {"system": self.ours, "value": plain} if is_ours else self.numbered("order", number)

    def numbered(self, kind: str, number: str) -> Resource:
        """An identifier of the hospital's own, of a kind: `order`, `result`, `patient`, …"""
        return {"system": f"{self.own}/{kind}", "value": number}

    def filler_identifier(self, number: str) -> Resource:
        """The hospital's number of an order, marked as that (FILL)."""
        type_ = {"coding": [{"system": _TYPES, "code": "FILL"}]}
        return {"type": type_, **self.numbered("filler", number)}


def number_of(element: Element) -> str:
    """The number that an EI or CX says."""
    return element.component(1)


def coding_of(code: str, text: str, table: str, profile: SenderConventions) -> Resource:
    """A Coding; a table that is not known is one of the hospital's own."""
    if table in _SYSTEMS:
        system = _SYSTEMS[table]
    elif table.startswith("HL7") and len(table) == 7:
        system = f"http://terminology.hl7.org/CodeSystem/v2-{table[3:]}"
    else:
        local = "" if table in ("", "L") or table.startswith("99") else f"/{quote(table, safe='')}"
        system = f"{profile.own}/code{local}"
    found: Resource = {"system": system, "code": " ".join(code.split())}
    return {**found, "display": text} if text else found


def coded(element: Element, profile: SenderConventions) -> Resource | None:
    """A CodeableConcept of a CE, CWE or CNE; None where it says nothing."""
    codings = []
    for first in (1, 4):
        code, text, table = (element.component(first + step) for step in range(3))
        if code:
            codings.append(coding_of(code, text, table.upper(), profile))
    text = element.component(9) or element.component(2) or element.component(5)
    found: Resource = {"coding": codings} if codings else {}
    if text:
        found["text"] = text
    return found or None
