"""A centre's people and referrals in memory, and results about them and about strangers, as hospitals send
them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from linkage_people import Person, Said, spoilt

from adapter.inbox.evidence import read_evidence
from adapter.inbox.matching import KnownCadre, KnownReferral, Match, decide_match
from adapter.inbox.ports import look_up_evidence
from adapter.person_names import name_and_birth_date
from adapter.records.serialisation import identifier_forms

__all__ = ["Directory", "about", "about_a_stranger", "matched"]

OURS: Final = "https://cadre-health.example/fhir/sid/record"
CCCD: Final = "http://fhir.ehealth.gov.vn/core/sid/citizen_id"
MRN: Final = "urn:oid:1.2.3.4.5.6"
_PLACEHOLDERS: Final = ("000000000000", "999999999", "123456789", "111111111111")


@dataclass
class Directory:
    """See `adapter.inbox.ports.ReferenceDirectory`. Everybody was sent to the hospital and has one referral
    there: person number 7 is `Patient/1007` at its server, and her referral `ServiceRequest/2007`.
    """

    everybody: list[Person]
    hospital: str = "bv-tinh"
    identifier_system: str = OURS
    number_systems: frozenset[str] = frozenset({CCCD})
    bases: frozenset[str] = frozenset({"https://bv-tinh.example/fhir"})
    own_bases: frozenset[str] = frozenset({"https://adapter.centre.example/fhir"})
    known: dict[str, KnownCadre] = field(init=False)
    _numbers: dict[str, list[str]] = field(init=False)
    _names: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.known = {
            f"CB-{place}": KnownCadre(
                f"CB-{place}", one.name, one.born, sex=one.sex, identity=identity(place), is_held=True
            )
            for place, one in enumerate(self.everybody)
        }
        self._numbers, self._names = defaultdict(list), defaultdict(list)
        for place, one in enumerate(self.everybody):
            for form in identifier_forms([one.number]):
                self._numbers[form].append(f"CB-{place}")
            self._names[name_and_birth_date(one.name, one.born.isoformat())].append(f"CB-{place}")

    def referrals_by_identity(self, values: Collection[str]) -> dict[str, KnownReferral]:
        places = {one: _place(one, "2") for one in values}
        return {one: self._referral(place) for one, place in places.items() if place is not None}

    def referrals_by_remote_id(self, ids: Collection[str]) -> dict[str, KnownReferral]:
        return {
            one: self._referral(int(one) - 2000)
            for one in ids
            if one.isdecimal() and 0 <= int(one) - 2000 < len(self.everybody)
        }

    def _referral(self, place: int) -> KnownReferral:
        return KnownReferral(f"GT-{place}", f"CB-{place}", self.hospital)

    def cadres_by_identity(self, values: Collection[str]) -> dict[str, str]:
        places = {one: _place(one, "1") for one in values}
        return {one: f"CB-{place}" for one, place in places.items() if place is not None}

    def cadres_by_remote_id(self, ids: Collection[str]) -> dict[str, str]:
        return {
            one: f"CB-{int(one) - 1000}"
            for one in ids
            if one.isdecimal() and 0 <= int(one) - 1000 < len(self.everybody)
        }

    def cadres_by_encounter_identity(self, values: Collection[str]) -> dict[str, str]:
        return {}

    def cadres_by_encounter_id(self, ids: Collection[str]) -> dict[str, str]:
        return {}

    def cadres_by_identifier(self, values: Collection[str]) -> dict[str, list[str]]:
        return {
            one: sorted({cadre for form in identifier_forms([one]) for cadre in self._numbers.get(form, ())})
            for one in values
        }

    def number_forms(self, values: Collection[str]) -> set[str]:
        return identifier_forms(values)

    def cadres_by_name(self, said: Collection[tuple[str, str]]) -> list[str]:
        return [cadre for one in said for cadre in self._names.get(name_and_birth_date(*one), ())]

    def rulings(self, subjects: Collection[str]) -> dict[str, bool]:
        return {}

    def is_centres_own(self, type: str, values: Collection[str]) -> bool:
        return False

    def referral(self, key: str) -> KnownReferral | None:
        return self._referral(int(key.removeprefix("GT-")))

    def cadre(self, key: str) -> KnownCadre | None:
        return self.known.get(key)

    def people(self, keys: Collection[str]) -> dict[str, KnownCadre]:
        return {key: self.known[key] for key in keys if key in self.known}

    def audit_subject(self, cadre: str) -> str:
        return cadre


def identity(place: int, kind: str = "1") -> str:
    """Our identity of a person (1) or of a referral (2), of 128 bits."""
    return f"{kind}{place:031x}"


def _place(value: str, kind: str) -> int | None:
    return int(value[1:], 16) if len(value) == 32 and value.startswith(kind) else None


def matched(resources: tuple[dict[str, Any], dict[str, Any]], directory: Directory) -> Match:
    """What the inbox decides of a report and the Patient that came along."""
    report, patient = resources
    said = read_evidence(report, {"Patient/p": patient}.get)
    return decide_match(said, look_up_evidence(said, directory))


def about(random: Random, place: int, one: Person) -> tuple[tuple[dict[str, Any], dict[str, Any]], Said]:
    """A report of one of the centre's people, spoilt: some name the referral, an identity of ours or a
    number.
    """
    said, kind = spoilt(random, one), random.random()
    identifiers = [(MRN, f"{random.randrange(10**9):09}")]
    report: dict[str, Any] = {}
    if kind < 0.3:
        report["basedOn"] = [{"identifier": {"system": OURS, "value": identity(place, "2")}}]
    elif kind < 0.4:
        identifiers.append((OURS, identity(place)))
    elif kind < 0.7:
        identifiers.append((CCCD, one.number))
    elif kind < 0.8:
        at = random.randrange(len(one.number))
        identifiers.append((CCCD, f"{one.number[:at]}{random.randrange(10)}{one.number[at + 1 :]}"))
    elif kind < 0.9:
        identifiers.append((CCCD, random.choice(_PLACEHOLDERS)))
    return _sent(report, said, identifiers), said


def about_a_stranger(
    random: Random, one: Person, directory: Directory
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A report of somebody who is not the centre's: with a number of his own, with one that only fills the
    field, with one of the hospital's that is by chance somebody's number here, with ids of a server that is
    not said.
    """
    said = spoilt(random, one) if random.random() < 0.5 else Said(one.name, one.born.isoformat(), one.sex)
    known = directory.everybody
    identifiers, report = [(MRN, f"{random.randrange(10**9):09}")], {}
    kind = random.random()
    if kind < 0.4:
        identifiers.append((CCCD, one.number))
    elif kind < 0.6:
        identifiers.append((CCCD, random.choice(_PLACEHOLDERS)))
    elif kind < 0.65:
        identifiers.append((MRN, random.choice(known).number))
    elif kind < 0.7:
        report["subject"] = {"reference": f"Patient/{1000 + random.randrange(len(known))}"}
    elif kind < 0.75:
        report["basedOn"] = [{"reference": f"ServiceRequest/{2000 + random.randrange(len(known))}"}]
    elif kind < 0.8:
        report["basedOn"] = [{"identifier": {"system": MRN, "value": f"{random.randrange(10**6)}"}}]
    return _sent(report, said, identifiers)


def _sent(
    report: dict[str, Any], said: Said, identifiers: list[tuple[str, str]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    patient = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [{"system": system, "value": value} for system, value in identifiers],
        "name": [{"text": said.name}],
        **dict(_known(said)),
    }
    base = {"resourceType": "DiagnosticReport", "status": "final", "subject": {"reference": "Patient/p"}}
    return {**base, **report}, patient


def _known(said: Said) -> Iterator[tuple[str, str]]:
    if said.birth_date:
        yield "birthDate", said.birth_date
    if said.sex:
        yield "gender", said.sex
