"""Spoils something at a hospital on purpose, to show that the demo's check notices."""

from adapter.demo.expected import Expected
from adapter.demo.hospital import HospitalView
from adapter.errors import UsageError
from adapter.fhir.codec import Resource

__all__ = ["WAYS", "spoil"]

WAYS = ("skip", "twice", "secret")


def spoil(ways: str, view: HospitalView, expected: Expected, system: str) -> None:
    """`skip`: a referral was never sent. `twice`: an Observation was sent again as another. `secret`:
    a person who must not leave did. Several with commas. Raises UsageError for another word.
    """
    for way in ways.split(","):
        if way not in WAYS:
            raise UsageError("demo.unknown_sabotage", way=way, known=", ".join(WAYS))
        if way == "skip":
            referral = next(view.all("ServiceRequest"))
            view.post(_transaction({"method": "DELETE", "url": f"ServiceRequest/{referral['id']}"}))
        elif way == "twice":
            ours = (one for one in view.all("Observation") if system in str(one["identifier"]))
            view.post(_put({**next(ours), "id": "sent-again"}))
        else:
            name = next(text for text in expected.secret if " " in text)
            person = {"resourceType": "Patient", "id": "let-through", "name": [{"text": name}]}
            view.post(_put({**person, "identifier": [{"system": system, "value": "0" * 32}]}))


def _put(resource: Resource) -> Resource:
    """Under an id of its own: a hospital that loses its answer is asked again, and still has one."""
    sent = {key: value for key, value in resource.items() if key != "meta"}
    request = {"method": "PUT", "url": f"{sent['resourceType']}/{sent['id']}"}
    return _transaction(request, {"resource": sent})


def _transaction(request: Resource, entry: Resource | None = None) -> Resource:
    return {"resourceType": "Bundle", "type": "transaction", "entry": [{**(entry or {}), "request": request}]}
