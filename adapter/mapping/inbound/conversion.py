"""A document as the transaction that the same hospital would have sent to the REST API. Pure."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapter.errors import MappingError
from adapter.fhir.codec import Resource, dumps
from adapter.fhir.conditional_update import named_url, update_entry
from adapter.fhir.operation_outcome import Issue
from adapter.mapping.engine import HospitalContext, MappingEngine, expression_context
from adapter.mapping.inbound.document import DocumentPart, DocumentReader, parts_at
from adapter.mapping.inbound.loader import InboundMapping, InboundResource
from adapter.texts import say

__all__ = ["ConvertedDocument", "InboundConverter", "InboundSender"]

_LONGEST_KEY: Final = 200


@dataclass(frozen=True, slots=True)
class InboundSender:
    """Whose documents they are. `own` is the address below which the hospital's own numbers stand, `ours` the
    system of the identities that it was sent; `systems` are identifier systems by name.
    """

    name: str
    display: str
    facility_code: str
    own: str
    ours: str
    systems: Mapping[str, str]
    centre_name: str
    centre_facility_code: str


@dataclass(frozen=True, slots=True)
class ConvertedDocument:
    """`bundle` is a transaction; `places` says of each entry which part of the document it was made of. Where
    there are `issues`, what is wrong with the document, nothing of it may be taken.
    """

    bundle: Resource
    places: tuple[str, ...]
    issues: tuple[Issue, ...]


class InboundConverter:
    """Converts the documents of one hospital. Any number of threads may ask; one at a time is converted."""

    def __init__(self, mapping: InboundMapping, sender: InboundSender) -> None:
        self.mapping = mapping
        self._sender = sender
        self._lock = threading.Lock()
        context = HospitalContext(
            name=sender.name,
            display=sender.display,
            facility_code=sender.facility_code,
            systems={**sender.systems, "own": sender.own, "record": sender.ours},
            centre_name=sender.centre_name,
            centre_facility_code=sender.centre_facility_code,
            identifier_system=sender.own,
            identify=lambda *_: "",  # numbers are given below
            refer=self._refer,
        )
        self._engine = MappingEngine((one.mapping for one in mapping.resources), mapping.codes, context)
        self._slugs = {(one.mapping.type, one.mapping.identity_kind): one.slug for one in mapping.resources}

    def convert(self, document: Any, most: int) -> ConvertedDocument:
        """What it says, in at most so many resources."""
        reader = DocumentReader()
        whole = reader.read(self.mapping.shape, document)
        if reader.issues:
            return ConvertedDocument({}, (), tuple(reader.issues))
        with self._lock:
            self._engine.unknown_codes.clear()
            made = _Made(most)
            for one in self.mapping.resources:
                self._make(one, whole, made)
            made.issues += self._unknown()
        if not made.entries and not made.issues:
            made.issues.append(Issue("error", "not-supported", say("inbound.says_nothing")))
        _settle_references(made.entries)
        bundle: Resource = {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": list(made.entries.values()),
        }
        return ConvertedDocument(bundle, tuple(made.places), tuple(made.issues))

    def _make(self, one: InboundResource, whole: DocumentPart, made: "_Made") -> None:
        number_of = self._engine.evaluator(one.mapping)
        for part in parts_at(whole, one.path):
            known = expression_context(one.mapping, part)
            try:
                body = self._engine.body(one.mapping, known)
                if body is None:
                    continue
                key = _key(number_of(one.key.source, known))
            except MappingError as error:
                made.wrong("processing", str(error), part.place)
                continue
            except Exception as error:  # noqa: BLE001 - whatever an expression raises is said of its line
                where = {"place": one.mapping.file, "path": "key", "kind": part.kind}
                text = say("mapping.failed", **where, problem=type(error).__name__)
                made.wrong("processing", text, part.place)
                continue
            if key is None:
                made.wrong("required", say("inbound.no_key", type=one.mapping.type), part.place)
            else:
                self._add(one, key, body, made, part.place)

    def _add(self, one: InboundResource, key: str, body: dict[str, Any], made: "_Made", place: str) -> None:
        system = f"{self._sender.own}/{one.slug}"
        named = [{"system": system, "value": key}, *(body.pop("identifier", None) or ())]
        resource = {"resourceType": one.mapping.type, "identifier": named, **body}
        made.add(update_entry(resource, system, key), place)

    def _unknown(self) -> Iterator[Issue]:
        """Codes that only a table could have translated, and does not: something would be lost."""
        tables = self.mapping.codes.tables
        unknown = {table for table, _ in self._engine.unknown_codes}
        for name in sorted(unknown & tables.keys()):
            if tables[name].system is None:
                yield Issue("error", "code-invalid", say("inbound.unknown_code", table=name))

    def _refer(self, type_: str, kind: str, key: str) -> dict[str, Any]:
        """A reference within the transaction and a logical one beside it: one of the two is left."""
        system = f"{self._sender.own}/{self._slugs[type_, kind]}"
        url = named_url(type_, system, key)
        return {"reference": url, "type": type_, "identifier": {"system": system, "value": key}}


@dataclass(slots=True)
class _Made:
    """The entries by fullUrl, where each comes from, and what is wrong."""

    most: int
    entries: dict[str, Resource] = field(default_factory=dict)
    places: list[str] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)

    def wrong(self, code: str, text: str, place: str) -> None:
        if not any(
            one.text == text for one in self.issues
        ):  # one mistake of a mapping is not said of each result
            self.issues.append(Issue("error", code, text, place or None))

    def add(self, entry: Resource, place: str) -> None:
        """Add it; the same again is one, another under its number is a mistake."""
        known = self.entries.get(entry["fullUrl"])
        if known is not None:
            if dumps(known) != dumps(entry):
                self.wrong(
                    "duplicate", say("inbound.key_twice", type=entry["resource"]["resourceType"]), place
                )
        elif len(self.entries) >= self.most:
            self.wrong("too-costly", say("inbound.too_many", most=self.most), "")
        else:
            self.entries[entry["fullUrl"]] = entry
            self.places.append(place)


def _key(value: object) -> str | None:
    """A number as it can be searched for; None of what is none."""
    text = " ".join(str(value).split()) if value is not None else ""
    return text if 0 < len(text) <= _LONGEST_KEY else None


def _settle_references(entries: Mapping[str, Resource]) -> None:
    """What the document has is referred to as it stands there; of anything else the number is said."""
    waiting: list[Any] = [one["resource"] for one in entries.values()]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            url = one.get("reference")
            if isinstance(url, str) and url.startswith("urn:uuid:") and "identifier" in one:
                for name in ("type", "identifier") if url in entries else ("reference",):
                    del one[name]
            waiting += one.values()
