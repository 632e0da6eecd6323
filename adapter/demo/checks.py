"""What the demo checks: at the hospitals' side over HTTP, and in every file that it left."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from adapter.demo.hospital import HospitalView
from adapter.fhir import codec
from adapter.texts import say

__all__ = ["Check", "Held", "find_in_files", "find_in_resources", "same_counts"]

# People first: what is about somebody comes after them.
TYPES = (
    *("Patient", "Organization", "Location", "Encounter", "Specimen", "Observation", "Condition"),
    *("DiagnosticReport", "Procedure", "Immunization", "ServiceRequest", "Task", "CarePlan"),
)
_ABOUT = {"Immunization": "patient", "Task": "for"}  # else `subject`
_OF_NOBODY = ("Organization", "Location")
_CHUNK = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked, and whether it held."""

    title: str
    holds: bool
    detail: str = ""


def same_counts(title: str, expected: dict[str, int], found: dict[str, int]) -> Check:
    """Whether each type is there as often as it should be."""
    wrong = [
        say("demo.count_differs", type=type_, expected=expected.get(type_, 0), found=found.get(type_, 0))
        for type_ in sorted(expected.keys() | found.keys())
        if expected.get(type_, 0) != found.get(type_, 0)
    ]
    right = ", ".join(f"{type_} {count}" for type_, count in expected.items())
    return Check(title, not wrong, "; ".join(wrong) or right)


@dataclass
class Held:
    """What a walk over everything at a hospital found, its own results left out."""

    counts: Counter[str] = field(default_factory=Counter)
    strays: int = 0  # without our identifier, or with one that another resource has too
    dangling: int = 0  # about a person who is not there
    telling: int = 0  # with a text that may be at no hospital


def find_in_resources(view: HospitalView, system: str, hidden: Iterable[str]) -> Held:
    """Walk over all resources that the hospital holds and did not make itself."""
    needles = [text.encode() for text in hidden]
    held = Held()
    patients: set[str] = set()
    for type_ in TYPES:
        seen: set[str | None] = set()
        for resource in view.all(type_):
            identifiers = {one.get("system"): one.get("value") for one in resource.get("identifier") or ()}
            if view.own_system in identifiers:
                continue
            held.counts[type_] += 1
            ours = identifiers.get(system)
            held.strays += ours is None or ours in seen
            seen.add(ours)
            if type_ == "Patient":
                patients.add(f"Patient/{resource['id']}")
            elif type_ not in _OF_NOBODY:
                about = resource.get(_ABOUT.get(type_, "subject"), {})
                held.dangling += about.get("reference") not in patients
            if type_ != "Observation":  # which has no free text of ours
                body = codec.dumps(resource)
                held.telling += any(needle in body for needle in needles)
    return held


def find_in_files(folder: Path, texts: Iterable[str], *, leave_out: Iterable[Path]) -> list[str]:
    """Names of files below `folder` that hold any of `texts`, in any form that software writes."""
    needles = {form for text in texts for form in _forms(text)}
    ignored = {path.resolve() for path in leave_out}
    longest = max(map(len, needles), default=0)
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.resolve() not in ignored and _holds(path, needles, longest)
    ]


def _forms(text: str) -> Iterator[bytes]:
    """UTF-8 composed and decomposed, and as JSON, URLs and UTF-16 escape it."""
    for written in {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}:
        yield written.encode()
        yield written.encode("utf-16-le")
        yield written.encode("ascii", "backslashreplace")
        yield quote(written).encode()


def _holds(path: Path, needles: Iterable[bytes], longest: int) -> bool:
    kept = b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            window = kept + chunk
            if any(needle in window for needle in needles):
                return True
            kept = window[-longest:]
    return False
