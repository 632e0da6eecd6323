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
            view.post(_transaction("DELETE", f"ServiceRequest/{referral['id']}"))
        elif way == "twice":
            ours = (one for one in view.all("Observation") if system in str(one["identifier"]))
            view.post(_transaction("POST", "Observation", next(ours)))
        else:
            name = next(text for text in expected.secret if " " in text)
            person = {"resourceType": "Patient", "name": [{"text": name}]}
            person["identifier"] = [{"system": system, "value": "0" * 32}]
            view.post(_transaction("POST", "Patient", person))


def _transaction(method: str, url: str, resource: Resource | None = None) -> Resource:
    entry: Resource = {"request": {"method": method, "url": url}}
    if resource is not None:
        entry = {
            "resource": {key: value for key, value in resource.items() if key not in ("id", "meta")},
            **entry,
        }
    return {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
