"""A centre whose hospital bv-tinh sends JSON of its own: settings, signatures, and documents that say what a
FHIR transaction says.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from endpoint_centre import CCCD, centre_of_one
from hl7v2_centre import HOSPITAL, hold_referral

from adapter.authorization.signed_bodies import sign_body
from adapter.fhir import codec
from adapter.testing import Centre

ROOT = Path(__file__).parents[1]
SECRET = "a secret of tests that is long"
NEXT_SECRET = "the next secret of these tests"
EXAMPLE = ROOT / "fixtures" / "inbound" / "bv-mau"


def with_webhook(centre: Centre, mapping: str = "bv-mau") -> None:
    """Let bv-tinh send JSON, by one of the shipped mappings or by tests/plain_document.yaml (`plain`)."""
    folder = centre.settings_file.parent
    mappings = folder / "mappings"
    if not mappings.exists():
        shutil.copytree(ROOT / "mappings", mappings)
        shutil.copy(ROOT / "tests" / "plain_document.yaml", mappings / "inbound" / "plain.yaml")
    for name, secret in (("one.key", SECRET), ("two.key", NEXT_SECRET)):
        (folder / name).write_text(secret, "utf-8")
    text = centre.settings_file.read_text("utf-8")
    section = f'\n[hospitals.{HOSPITAL}.webhook]\nmapping = "{mapping}"\n'
    keys = 'keys = { "bvt-1" = "file:one.key", "bvt-2" = "file:two.key" }\n'
    centre.settings_file.write_text(f'mappings = "mappings"\n{text}{section}{keys}', "utf-8")


@contextmanager
def webhook_centre(folder: Path, database_url: str, mapping: str = "bv-mau") -> Iterator[tuple[Centre, str]]:
    """The centre, and the identity of its referral at bv-tinh."""
    with centre_of_one(folder, database_url) as centre:
        with_webhook(centre, mapping)
        with centre.open() as adapter:
            identity = hold_referral(adapter)
        yield centre, identity


def example(name: str, identity: str) -> bytes:
    """A document of the shipped examples, about this referral."""
    return (EXAMPLE / name / "document.json").read_bytes().replace(b"ab" * 16, identity.encode())


def signed(
    body: bytes, *, key: str = "bvt-1", secret: str = SECRET, at: float | None = None
) -> dict[str, str]:
    """The header that signs it."""
    moment = int(datetime.now(UTC).timestamp() if at is None else at)
    value = sign_body(secret.encode(), moment, body)
    return {"Webhook-Signature": f"t={moment},k={key},v1={value}", "Content-Type": "application/json"}


def post(base: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    """Send it, signed."""
    return base.post("/webhook", content=body, headers={**signed(body), **headers})


def plain_document(bundle: codec.Resource) -> codec.Resource:
    """What a hospital would say in JSON of its own that says it in FHIR with this transaction."""
    resources = [entry["resource"] for entry in bundle["entry"]]
    numbers = {entry["fullUrl"]: entry["resource"]["identifier"][0]["value"] for entry in bundle["entry"]}
    by_url = {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}
    patient = next(one for one in resources if one["resourceType"] == "Patient")
    reports = [one for one in resources if one["resourceType"] == "DiagnosticReport"]
    national = [one["value"] for one in patient["identifier"] if one["system"] == CCCD]
    name = patient.get("name", [{}])[0]
    return {
        "order": reports[0]["basedOn"][0]["identifier"]["value"],
        "patient": {
            "number": patient["identifier"][0]["value"],
            "national": national[0] if national else None,
            **{part: name.get(part) for part in ("text", "family", "given")},
            "sex": patient.get("gender"),
            "born": patient.get("birthDate"),
        },
        "reports": [_report(one, numbers, by_url) for one in reports],
    }


def _concept(found: codec.Resource) -> codec.Resource:
    return {"codings": found.get("coding"), "text": found.get("text")}


def _report(one: codec.Resource, numbers: dict[str, str], by_url: dict[str, Any]) -> codec.Resource:
    first, *others = one["identifier"]
    notes = [each["valueAnnotation"]["text"] for each in one.get("extension", ())]
    return {
        "kind": first["system"].rpartition("/")[2],
        "number": first["value"],
        "others": [
            {"system": each["system"], "value": each["value"], "is_filler": "type" in each} for each in others
        ],
        "status": one["status"],
        **_concept(one["code"]),
        "taken": one.get("effectiveDateTime"),
        "issued": one.get("issued"),
        "section": one["category"][0]["coding"][0]["code"] if "category" in one else None,
        "conclusion": one.get("conclusion"),
        "notes": notes,
        "files": [
            {"type": each["contentType"], "content": each["data"], "title": each.get("title")}
            for each in one.get("presentedForm", ())
        ],
        "specimens": [
            {"number": numbers[each["reference"]], **_concept(by_url[each["reference"]]["type"])}
            for each in one.get("specimen", ())
        ],
        "items": [_item(by_url[each["reference"]], numbers) for each in one.get("result", ())],
    }


def _item(one: codec.Resource, numbers: dict[str, str]) -> codec.Resource:
    quantity, range_ = one.get("valueQuantity", {}), one.get("valueRange", {})
    ratio, limits = one.get("valueRatio", {}), (one.get("referenceRange") or [{}])[0]
    concept = one.get("valueCodeableConcept")
    return {
        "number": one["identifier"][0]["value"],
        "status": one["status"],
        **_concept(one["code"]),
        "taken": one.get("effectiveDateTime"),
        "issued": one.get("issued"),
        "amount": quantity.get("value"),
        "comparator": quantity.get("comparator"),
        "unit": quantity.get("unit") or range_.get("low", {}).get("unit"),
        "ucum": quantity.get("code"),
        "words": one.get("valueString"),
        "concept": _concept(concept) if concept else None,
        "numerator": ratio.get("numerator", {}).get("value"),
        "denominator": ratio.get("denominator", {}).get("value"),
        "lower": range_.get("low", {}).get("value"),
        "upper": range_.get("high", {}).get("value"),
        "moment": one.get("valueDateTime"),
        "clock": one.get("valueTime"),
        "flags": [each["coding"][0]["code"] for each in one.get("interpretation", ())],
        "range": limits.get("text"),
        "low": limits.get("low", {}).get("value"),
        "high": limits.get("high", {}).get("value"),
        "note": one["note"][0]["text"] if "note" in one else None,
        "specimen": numbers[one["specimen"]["reference"]] if "specimen" in one else None,
    }
