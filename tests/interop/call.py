"""One client at our endpoint, what it is given to send, and how that is compared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
from interop.drivers import Driver

from adapter.fhir import codec

__all__ = ["LOINC", "Call", "Resource", "bundle_of", "entry_of", "places_in", "plain", "require_same"]

Resource = dict[str, Any]
LOINC = "http://loinc.org"


@dataclass
class Call:
    """One client at the endpoint: its hospital's token, somebody else's Patient, what it has made so far."""

    driver: Driver
    http: httpx.Client  # with the hospital's token, at the endpoint's base
    token: str
    strangers: str  # the id of a Patient of another hospital
    assertion: Callable[[], str]  # a new SMART assertion of this hospital
    token_url: str
    system: str = "https://benh-vien.example/sid"
    patient: Resource = field(default_factory=dict)
    newest: Resource = field(default_factory=dict)
    made: list[str] = field(default_factory=list)  # Observations of the batch

    def get(self, url: str, **params: str) -> Any:
        """What the endpoint says to nobody's client, numbers as they were written."""
        answer = self.http.get(f"/{url}", params=params)
        assert answer.status_code == 200, answer.text
        return codec.loads(answer.content)

    def count(self, type: str, **params: str) -> int:
        """How many there are."""
        return int(self.get(type, _summary="count", **params)["total"])

    def ids(self, answer: Any) -> list[str]:
        """Of what was found."""
        return [one["id"] for one in answer]

    def person(self, value: str) -> Resource:
        """Somebody fictitious."""
        return {
            "resourceType": "Patient",
            "text": {
                "status": "generated",
                "div": '<div xmlns="http://www.w3.org/1999/xhtml">Đặng Thị <b>Hoà</b> &amp; con</div>',
            },
            "identifier": [{"system": self.system, "value": value}],
            "name": [{"family": "Đặng", "given": ["Thị", "Hoà"], "text": "Bà Đặng Thị Hoà"}],
            "gender": "female",
            "birthDate": "1958-02-28",
        }

    def observation(self, code: str, day: str, value: float, subject: str) -> Resource:
        """A value of that person."""
        return {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": code}], "text": "Đường huyết"},
            "subject": {"reference": subject},
            "effectiveDateTime": f"{day}T08:00:00+07:00",
            "valueQuantity": {
                "value": value,
                "unit": "mmol/L",
                "system": "http://unitsofmeasure.org",
                "code": "mmol/L",
            },
        }


def plain(value: Any) -> Any:
    """Without what a server adds; numbers by their value, since JavaScript knows no 7.20."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items() if name not in ("id", "meta")}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return Decimal(str(value)).normalize()
    return value


def require_same(one: Resource, other: Resource) -> None:
    assert plain(one) == plain(other)


def bundle_of(kind: str, *entries: Resource) -> Resource:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry_of(resource: Resource, method: str = "POST", url: str = "", **more: Any) -> Resource:
    request = {"method": method, "url": url or resource["resourceType"]}
    if condition := more.pop("if_none_exist", None):
        request["ifNoneExist"] = condition
    return {"resource": resource, "request": request, **more}


def places_in(answer: Any) -> Iterator[tuple[str, str]]:
    """Type and id of each entry of an answer."""
    for entry in answer["entry"]:
        parts = entry["response"]["location"].split("/")
        at = parts.index("_history") if "_history" in parts else len(parts)
        yield parts[at - 2], parts[at - 1]
