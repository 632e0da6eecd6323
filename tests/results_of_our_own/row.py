"""One result of our own: what a hospital sends, in order, and what must become of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

__all__ = [
    "CCCD",
    "MEANT",
    "OURS",
    "RESULTS",
    "UCUM",
    "Becomes",
    "Known",
    "Refused",
    "Request",
    "Row",
    "World",
    "amount",
    "based_on",
    "batch",
    "coded",
    "corrects",
    "identified",
    "ignored",
    "of",
    "panel",
    "patient",
    "post",
    "procedure",
    "put",
    "report",
    "result",
    "task",
    "transaction",
    "waits",
]

OURS = "https://cadre-health.example/fhir/sid/record"
RESULTS = "https://bv-tinh.example/fhir/sid/result"
CCCD = "http://fhir.ehealth.gov.vn/core/sid/citizen_id"
UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
ISSUED = "2026-11-02T15:05:00+07:00"
MEANT = "Kali / 2823-3"

Resource = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One HTTP request; `body` is JSON. `status` is what it is answered with: 200 or 201, or an error."""

    method: str
    path: str
    body: Resource
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Refused:
    """The endpoint does not take it, and nothing of it is kept."""


@dataclass(frozen=True)
class Becomes:
    """What becomes of one item. `cadre` is whose it is, or who alone it could be."""

    state: str
    cadre: str | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """A person or record as the hospital knows it: our identifier, and its own id."""

    key: str
    identity: str
    id: str | None

    @property
    def identifier(self) -> Resource:
        return {"system": OURS, "value": self.identity}


class World:
    """What the hospital knows of the centre, and a number of its own for each row."""

    def __init__(self, number: int, base: str, endpoint: str, known: Callable[[str, str], Known]) -> None:
        self.number = f"K-{number:03}"
        self.base = base  # of the hospital's own server
        self.endpoint = endpoint
        self._known = known

    def person(self, key: str) -> Known:
        return self._known("Patient", key)

    def referral(self, key: str) -> Known:
        return self._known("ServiceRequest", key)

    def task(self, key: str) -> Known:
        return self._known("Task", key)

    def visit(self, key: str) -> Known:
        return self._known("Encounter", key)

    def measured(self, key: str) -> Known:
        return self._known("Observation", key)

    def uuid(self, number: int = 0) -> str:
        return f"urn:uuid:00000000-0000-4000-8000-{self.number[2:]:>09}{number:03}".replace(" ", "0")

    def own(self, name: str = "p") -> str:
        """An id of the hospital's own laboratory, which no other row uses."""
        return f"{self.number}-{name}"


@dataclass(frozen=True)
class Row:
    """`becomes` is of each result in the order of its arrival, context left out. `record` is what the record
    holds of the first result that is in it: a path into the result -> what stands there; `referrals` is how
    far each got.
    """

    name: str
    sends: Callable[[World], Sequence[Request]]
    becomes: Sequence[Becomes] | Refused
    record: Mapping[str, Any] = field(default_factory=dict)
    referrals: Mapping[str, str] = field(default_factory=dict)


def of(cadre: str) -> Becomes:
    """It is in the record of that person."""
    return Becomes("applied", cadre)


def waits(*reasons: str, cadre: str | None = None) -> Becomes:
    """It waits for a person, for these reasons; `cadre` is who is offered first."""
    return Becomes("unmatched", cadre, reasons)


def ignored(*reasons: str) -> Becomes:
    """It changes nothing."""
    return Becomes("ignored", None, reasons)


def post(resource: Resource, *, status: int = 201, **headers: str) -> Request:
    return Request("POST", f"/{resource['resourceType']}", resource, headers, status)


def put(resource: Resource, *, status: int = 201, **headers: str) -> Request:
    return Request("PUT", f"/{resource['resourceType']}/{resource['id']}", resource, headers, status)


def corrects(resource: Resource, *, status: int = 200) -> Request:
    """A version of what has its identifier already, by a conditional PUT."""
    one = resource["identifier"][0]
    path = f"/{resource['resourceType']}?identifier={one['system']}%7C{one['value']}"
    return Request("PUT", path, resource, status=status)


def transaction(*resources: Resource, kind: str = "transaction", **bundle: Any) -> Request:
    """All of them in one Bundle: PUT where a resource has an id, else POST under its `fullUrl`."""
    return Request(
        "POST",
        "",
        {"resourceType": "Bundle", "type": kind, "entry": [_entry(one) for one in resources], **bundle},
    )


def batch(*resources: Resource) -> Request:
    return transaction(*resources, kind="batch")


def _entry(resource: Resource) -> Resource:
    full_url = resource.pop("fullUrl", None)
    type_, id_ = resource["resourceType"], resource.get("id")
    request = {"method": "PUT", "url": f"{type_}/{id_}"} if id_ else {"method": "POST", "url": type_}
    return {"resource": resource, "request": request} | ({"fullUrl": full_url} if full_url else {})


def identified(world: World, name: str = "") -> list[Resource]:
    """The hospital's own number of a result."""
    return [{"system": RESULTS, "value": f"{world.number}{name}"}]


def coded(code: str, text: str | None = None, system: str = LOINC, display: str | None = None) -> Resource:
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": text} if text else {})


def amount(value: str, unit: str, code: str | None = None, **more: Any) -> Resource:
    return {"value": Decimal(value), "unit": unit, "system": UCUM, "code": code or unit, **more}


def about(person: Known | None) -> Resource:
    return {"subject": {"type": "Patient", "identifier": person.identifier}} if person else {}


def based_on(*orders: Known) -> Resource:
    return {"basedOn": [{"type": "ServiceRequest", "identifier": one.identifier} for one in orders]}


def result(world: World, person: Known | None = None, *orders: Known, **content: Any) -> Resource:
    """An Observation: potassium, unless it says otherwise."""
    value = {} if any("value" in name for name in content) else {"valueQuantity": amount("4.1", "mmol/L")}
    said = {"code": coded("2823-3", "Kali"), "status": "final", "issued": ISSUED, **value}
    return _resource("Observation", world, person, orders, said | content)


def report(world: World, person: Known | None = None, *orders: Known, **content: Any) -> Resource:
    said = {"code": {"text": "Phiếu kết quả"}, "status": "final", "issued": ISSUED}
    return _resource("DiagnosticReport", world, person, orders, said | content)


def procedure(world: World, person: Known | None = None, *orders: Known, **content: Any) -> Resource:
    said = {
        "code": {"text": "Đặt stent động mạch vành"},
        "status": "completed",
        "performedDateTime": "2026-11-02T10:00:00+07:00",
    }
    return _resource("Procedure", world, person, orders, said | content)


def panel(world: World, person: Known | None = None, *orders: Known, **content: Any) -> Resource:
    """An Observation without a value of its own."""
    return result(world, person, *orders, valueQuantity=None, **content)


def task(world: World, order: Known | None, **content: Any) -> Resource:
    focus = {"focus": {"type": "ServiceRequest", "identifier": order.identifier}} if order else {}
    said = {"resourceType": "Task", "identifier": identified(world), "intent": "order", "status": "accepted"}
    return said | focus | content


def _resource(
    type_: str, world: World, person: Known | None, orders: Sequence[Known], content: Resource
) -> Resource:
    """With number, subject and orders, unless `content` says others; what is None there is left out."""
    made = {"resourceType": type_, "identifier": identified(world)} | about(person)
    made |= based_on(*orders) if orders else {}
    return {name: one for name, one in (made | content).items() if one is not None}


def patient(world: World, **content: Any) -> Resource:
    """A Patient of the hospital's own laboratory."""
    return {"resourceType": "Patient", "id": world.own(), **content}
