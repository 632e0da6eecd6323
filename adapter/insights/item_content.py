"""What a resource says, in lines that a person can read: every value with its range and flag. Pure.

For looking at what waits, not for the record: nothing is converted, and nothing is left out that could
change what a value means.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any

from adapter.fhir.codec import Resource

__all__ = ["ItemStatement", "concept_text", "content_lines", "narrative_text"]

_LONGEST_NARRATIVE = 20_000
_TAG = re.compile(r"<[^>]*>")
_BLOCK = re.compile(r"</(?:p|div|tr|li|h[1-6])>|<br\s*/?>", re.IGNORECASE)
_TEXTS = ("conclusion", "description", "patientInstruction")
_CONCEPTS = (
    *("conclusionCode", "outcome", "complication", "statusReason", "reasonCode", "bodySite", "method"),
    *("clinicalStatus", "verificationStatus", "severity", "modality"),
)
_MOMENTS = ("effective", "performed", "onset", "occurrence", "created", "issued")


@dataclass(frozen=True, slots=True)
class ItemStatement:
    """One thing that is said. `kind`: value, conclusion, note, attachment, moment, detail or narrative."""

    kind: str
    label: str
    value: str
    range: str = ""
    flag: str = ""


def content_lines(resource: Resource) -> Iterator[ItemStatement]:
    """What it says, values first; what it contains too."""
    yield from _values(resource)
    for one in _objects(resource.get("contained")):
        if one.get("resourceType") in ("Observation", "DiagnosticReport", "Procedure"):
            yield from content_lines(one)
    yield from _conclusions(resource)
    for note in _objects(resource.get("note")):
        yield ItemStatement("note", "note", _text(note.get("text")))
    for name in _MOMENTS:
        if moment := _value(resource, name):
            yield ItemStatement("moment", name, moment)
    yield from _attachments(resource)
    if narrative := narrative_text(resource):
        yield ItemStatement("narrative", "text", narrative)


def _conclusions(resource: Resource) -> Iterator[ItemStatement]:
    for name in _TEXTS:
        if text := _text(resource.get(name)):
            yield ItemStatement("conclusion", name, text)
    for name in _CONCEPTS:
        for concept in _objects(resource.get(name)):
            kind = "conclusion" if name in ("conclusionCode", "outcome", "complication") else "detail"
            yield ItemStatement(kind, name, concept_text(concept))


def _values(resource: Resource) -> Iterator[ItemStatement]:
    title = concept_text(resource.get("code")) or _text(resource.get("resourceType"))
    said = _value(resource, "value")
    missing = concept_text(resource.get("dataAbsentReason"))
    if said or missing:
        yield ItemStatement("value", title, said or missing, *_judged(resource))
    elif resource.get("code"):
        yield ItemStatement("detail", "code", title)
    for part in _objects(resource.get("component")):
        said = _value(part, "value") or concept_text(part.get("dataAbsentReason"))
        yield ItemStatement("value", f"{title}: {concept_text(part.get('code'))}", said, *_judged(part))


def _judged(resource: Resource) -> tuple[str, str]:
    ranges = "; ".join(filter(None, map(_range, _objects(resource.get("referenceRange")))))
    flags = ", ".join(filter(None, map(concept_text, _objects(resource.get("interpretation")))))
    return ranges, flags


def _range(range_: dict[str, Any]) -> str:
    low, high = _quantity(range_.get("low")), _quantity(range_.get("high"))
    bounds = (
        f"{low} – {high}" if low and high else (f"≥ {low}" if low else "") or (f"≤ {high}" if high else "")
    )
    whom = ", ".join(map(concept_text, (*_objects(range_.get("type")), *_objects(range_.get("appliesTo")))))
    return " ".join(filter(None, (bounds or _text(range_.get("text")), f"({whom})" if whom else "")))


def _value(node: dict[str, Any], name: str) -> str:
    """The value of a choice of types, whatever its type."""
    for key, value in node.items():
        if key.startswith(name) and key[len(name) :][:1].isupper():
            return _said(key[len(name) :], value)
    return _text(node.get(name))


def _said(type_: str, value: Any) -> str:
    if type_ in ("Quantity", "Age", "Duration"):
        return _quantity(value)
    if type_ in ("CodeableConcept", "Coding"):
        return concept_text(value if type_ == "CodeableConcept" else {"coding": [value]})
    if isinstance(value, dict):
        parts = (
            f"{name}: {_quantity(part) if isinstance(part, dict) else part}" for name, part in value.items()
        )
        return "; ".join(parts)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quantity(value: Any) -> str:
    if not isinstance(value, dict) or value.get("value") is None:
        return ""
    comparator, unit = _text(value.get("comparator")), _text(value.get("unit"))
    code = _text(value.get("code"))
    shown = f"{comparator}{value['value']} {unit or code}".strip()
    return f"{shown} [{code}]" if unit and code and unit != code else shown


def concept_text(concept: Any) -> str:
    """A CodeableConcept in words: its text, and what its codings say otherwise."""
    if not isinstance(concept, dict):
        return ""
    words = [_text(concept.get("text"))]
    for coding in _objects(concept.get("coding")):
        words.append(_text(coding.get("display")) or _text(coding.get("code")))
    return " / ".join(dict.fromkeys(filter(None, words)))


def _attachments(resource: Resource) -> Iterator[ItemStatement]:
    found = [*_objects(resource.get("presentedForm"))]
    for content in _objects(resource.get("content")):  # of a DocumentReference, of Media itself
        found += _objects(content.get("attachment")) or [content]
    for one in found:
        data = one.get("data")
        size = f"{len(data) * 3 // 4} B" if isinstance(data, str) else ""
        parts = (one.get("contentType"), size, one.get("url"))
        yield ItemStatement("attachment", _text(one.get("title")), " ".join(filter(None, map(_text, parts))))


def narrative_text(resource: Resource) -> str:
    """The narrative without its mark-up; "" where there is none."""
    text = resource.get("text")
    div = _text(text.get("div")) if isinstance(text, dict) else ""
    lines = _TAG.sub(" ", _BLOCK.sub("\n", div[:_LONGEST_NARRATIVE])).splitlines()
    return "\n".join(filter(None, (" ".join(unescape(line).split()) for line in lines)))


def _objects(value: Any) -> list[dict[str, Any]]:
    listed: Iterable[Any] = value if isinstance(value, list) else [value]
    return [item for item in listed if isinstance(item, dict)]


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
