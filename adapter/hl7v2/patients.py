"""PID as a Patient: who is meant, as far as the hospital says. Pure."""

from typing import Final

from adapter.fhir.codec import Resource
from adapter.hl7v2.entries import TransactionEntries
from adapter.hl7v2.message import Element, Message
from adapter.hl7v2.sender import SenderConventions, number_of
from adapter.hl7v2.timestamps import date_time, zone_of

__all__ = ["add_patient"]

_GENDERS: Final = {"M": "male", "F": "female", "O": "other", "A": "other", "U": "unknown"}
_SOCIAL_NUMBER: Final = "PID-19"  # its name among the authorities


def add_patient(message: Message, entries: TransactionEntries, profile: SenderConventions) -> Resource | None:
    """The Patient of PID, and a reference to it; None where no PID names anybody."""
    pid = message.one("PID")
    if pid is None:
        return None
    identifiers = [found for one in pid.elements(3) if (found := _identifier(one, profile))]
    social = pid.first(19)
    if social and _SOCIAL_NUMBER in profile.authorities:
        identifiers.append({"system": profile.authorities[_SOCIAL_NUMBER], "value": social})
    if not identifiers:
        return None
    # of the numbers the hospital's own comes first: by it the Patient is known again
    identifiers.sort(key=lambda one: not one["system"].startswith(profile.own))
    patient: Resource = {"resourceType": "Patient", "identifier": identifiers}
    if names := [found for one in pid.elements(5) if (found := _name(one))]:
        patient["name"] = names
    if gender := _GENDERS.get(pid.first(8).upper()):
        patient["gender"] = gender
    if born := date_time(pid.first(7), zone_of(message), pid.at(7)):
        patient["birthDate"] = born.partition("T")[0]
    return entries.add(patient, pid.at())


def _identifier(element: Element, profile: SenderConventions) -> Resource | None:
    """A CX: number^^^authority."""
    number = number_of(element)
    if not number:
        return None
    authority, universal, kind = (element.component(4, sub) for sub in (1, 2, 3))
    if authority in profile.authorities:
        return {"system": profile.authorities[authority], "value": number}
    if universal and kind.upper() == "ISO":
        return {"system": f"urn:oid:{universal}", "value": number}
    if universal and kind.upper() == "URI":
        return {"system": universal, "value": number}
    return profile.numbered("patient", number)


def _name(element: Element) -> Resource | None:
    """An XPN: family^given^middle; a Vietnamese name is said in the order family, middle, given."""
    family, given, middle = (element.component(number) for number in (1, 2, 3))
    said = " ".join(filter(None, (family, middle, given)))
    if not said:
        return None
    found: Resource = {"text": said}
    if family:
        found["family"] = family
    if given:
        found["given"] = [*([middle] if middle else []), given]
    return found
