"""A whole result: its own parts, what it contains, and what it refers to that came along. Pure but for the
look-ups of what the same hospital sent.

Contained results are read whole, each once. Of what else it refers to, `MOST_EMBEDDED` resources are read in
at most `_DEEPEST` steps; further ones stand there by their references, and are results of their own.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from adapter.fhir.codec import Resource
from adapter.mapping.result_reading.documents import as_attachment, narrative_text
from adapter.mapping.result_reading.elements import (
    as_concept,
    as_concepts,
    as_notes,
    as_objects,
    as_ranges,
    as_text,
    as_time,
    as_value,
)
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.result_content import (
    ResultAttachment,
    ResultContent,
    ResultMember,
    ResultPart,
    ResultSpecimen,
    ResultValue,
)

__all__ = ["MOST_EMBEDDED", "SiblingLookup", "is_of_the_same", "read_content"]

SiblingLookup = Callable[[str], Resource | None]
"""Finds what the same hospital sent, by `Type/id`."""

MOST_EMBEDDED = 200
_DEEPEST = 4
_RESULTS = ("DiagnosticReport", "Observation", "Procedure")
_MEMBERS = ("result", "hasMember", "derivedFrom", "partOf", "report")
# Elements that are read, and those that say who, when and why rather than what: matching has read them.
_READ = frozenset(
    (
        *("resourceType", "id", "meta", "implicitRules", "text", "contained", "identifier", "status"),
        *("category", "code", "issued", "effectiveDateTime", "effectiveInstant", "effectivePeriod"),
        *("effectiveTiming", "performedDateTime", "performedPeriod", "performedString", "component"),
        *("specimen", "bodySite", "method", "device", "reasonCode", "statusReason", "conclusion"),
        *("conclusionCode", "outcome", "complication", "followUp", "note", "presentedForm", "media"),
        *("performer", "resultsInterpreter", "interpretation", "referenceRange", "dataAbsentReason"),
        *("subject", "basedOn", "encounter", *_MEMBERS),
    )
)


def read_content(
    resource: Resource, *, known: KnownMeasures | None = None, siblings: SiblingLookup = lambda _: None
) -> ResultContent:
    """Everything that a DiagnosticReport, Observation or Procedure says. No shape of one raises."""
    return _Reader(resource, known or KnownMeasures(), siblings).whole()


class _Reader:
    def __init__(self, resource: Resource, known: KnownMeasures, siblings: SiblingLookup) -> None:
        self._resource = resource
        self._known = known
        self._siblings = siblings
        self._contained = {
            f"#{item['id']}": (f"contained[{place}]", item)
            for place, item in enumerate(_listed(resource.get("contained")))
            if isinstance(item, dict) and isinstance(item.get("id"), str)
        }
        self._seen: set[str] = {_source(resource) or ""}
        self._left = MOST_EMBEDDED

    def whole(self) -> ResultContent:
        """The result, and what it contains that nothing refers to."""
        content = self._content(self._resource, "", 0)
        strays = []
        for place, item in enumerate(_listed(self._resource.get("contained"))):
            if not isinstance(item, dict) or item.get("resourceType") not in _RESULTS:
                continue
            reference = f"#{item['id']}" if isinstance(item.get("id"), str) else f"contained[{place}]"
            if reference not in self._seen:
                self._seen.add(reference)
                stray = ResultMember(relation="contained", reference=reference)
                strays.append(self._filled(stray, item, f"contained[{place}].", 1))
        return content.model_copy(update={"members": (*content.members, *strays)}) if strays else content

    def _content(self, one: Resource, place: str, depth: int) -> ResultContent:
        specimens = tuple(filter(None, (self._specimen(item) for item in as_objects(one.get("specimen")))))
        sites = as_concepts(one.get("bodySite"))
        about = [*(item.words for item in specimens), *(item.words for item in sites)]
        absent = as_concept(one.get("dataAbsentReason"))
        return ResultContent(
            type=as_text(one.get("resourceType")) or "",
            status=as_text(one.get("status")) or "unknown",
            source=_source(one),
            version=as_text(_first(one.get("meta")).get("versionId")),
            identifiers=_identifiers(one.get("identifier")),
            categories=as_concepts(one.get("category")),
            issued=as_text(one.get("issued")),
            effective=as_time(one, "effective") or as_time(one, "performed"),
            **self._part(one, about, absent),
            components=tuple(
                ResultPart(**self._part(item, about, as_concept(item.get("dataAbsentReason"))))
                for item in as_objects(one.get("component"))
            ),
            members=tuple(self._members(one, depth)),
            specimens=specimens,
            body_sites=sites,
            method=as_concept(one.get("method")),
            device=self._name(one.get("device")),
            reasons=as_concepts(one.get("reasonCode")),
            status_reason=as_concept(one.get("statusReason")),
            conclusion=as_text(one.get("conclusion")),
            conclusion_codes=as_concepts(one.get("conclusionCode")),
            outcome=as_concept(one.get("outcome")),
            complications=as_concepts(one.get("complication")),
            follow_up=as_concepts(one.get("followUp")),
            notes=as_notes(one.get("note")),
            attachments=tuple(self._attachments(one, place)),
            narrative=narrative_text(one),
            senders=self._senders(one),
            interpreters=self._names(one.get("resultsInterpreter")),
            unread=tuple(sorted(name for name in one if _is_unread(name))),
        )

    def _part(self, one: dict[str, Any], about: list[str], absent: Any) -> dict[str, Any]:
        code = as_concept(one.get("code"))
        value, no_value = as_value(one, self._known)
        measure, against = self._known.find(code, about)
        if not self._known.is_measured_so(measure, value.amount if value else None):
            against = "property"
        ranges = as_ranges(one.get("referenceRange"), self._known)
        return {
            "code": code,
            "measure": measure,
            "value": value,
            "local": self._known.local(measure, value.amount if value else None),
            "absent": absent or no_value,
            "ranges": ranges,
            "flags": as_concepts(one.get("interpretation")),
            "contradictions": tuple(filter(None, (_unit_contradiction(value), against))),
        }

    def _members(self, one: Resource, depth: int) -> Iterator[ResultMember]:
        for relation in _MEMBERS:
            for item in as_objects(one.get(relation)):
                reference, display = as_text(item.get("reference")), as_text(item.get("display"))
                if reference is None and display is None:
                    continue
                found, place = self._follow(reference, depth)
                member = ResultMember(relation=relation, reference=reference, display=display)
                yield member if found is None else self._filled(member, found, place, depth + 1)

    def _filled(self, member: ResultMember, found: Resource, place: str, depth: int) -> ResultMember:
        """With what it says, unless that is said of somebody else."""
        if not is_of_the_same(self._resource, found):
            return member.model_copy(update={"other_subject": True})
        return member.model_copy(update={"content": self._content(found, place, depth)})

    def _follow(self, reference: str | None, depth: int) -> tuple[Resource | None, str]:
        """A result that is contained or had come, each once."""
        if reference is None or reference in self._seen or depth >= _DEEPEST:
            return None, ""
        place, found = self._look_up(reference)
        if found is None or found.get("resourceType") not in _RESULTS:
            return None, ""
        self._seen.add(reference)
        return found, place

    def _look_up(self, reference: str) -> tuple[str, Resource | None]:
        """Where it is in this resource ("" where it is not), and the resource."""
        if reference.startswith("#"):
            place, found = self._contained.get(reference, ("", None))
            return f"{place}." if place else "", found
        local = reference.split("/_history/", 1)[0]
        if self._left <= 0 or local.count("/") != 1 or ":" in local:
            return "", None
        self._left -= 1
        return "", self._siblings(local)

    def _specimen(self, item: dict[str, Any]) -> ResultSpecimen | None:
        reference, display = as_text(item.get("reference")), as_text(item.get("display"))
        _, found = self._look_up(reference) if reference else ("", None)
        known = found is not None and is_of_the_same(self._resource, found)
        if found is None or not known or found.get("resourceType") != "Specimen":
            numbers = _identifiers(item.get("identifier"))
            made = ResultSpecimen(reference=reference, display=display, identifiers=numbers)
            return made if made != ResultSpecimen() else None
        collection = _first(found.get("collection"))
        return ResultSpecimen(
            reference=reference,
            display=display,
            type=as_concept(found.get("type")),
            body_site=as_concept(collection.get("bodySite")),
            method=as_concept(collection.get("method")),
            collected=as_time(collection, "collected"),
            conditions=as_concepts(found.get("condition")),
            notes=as_notes(found.get("note")),
            identifiers=_identifiers([found.get("accessionIdentifier"), *_listed(found.get("identifier"))]),
        )

    def _attachments(self, one: Resource, place: str) -> Iterator[ResultAttachment]:
        for number, item in enumerate(_listed(one.get("presentedForm"))):
            if isinstance(item, dict):
                where = f"{place}presentedForm[{number}]"
                if made := as_attachment(self._with_binary(item), where):
                    yield made
        for number, item in enumerate(as_objects(one.get("media"))):
            link = _first(item.get("link"))
            reference = as_text(link.get("reference"))
            where, found = self._look_up(reference) if reference else ("", None)
            said = as_text(item.get("comment")) or as_text(link.get("display"))
            inner = _first((found or {}).get("content"))
            title = said or as_text(inner.get("title"))
            told = {**inner, "title": title, "url": as_text(inner.get("url")) or reference}
            if made := as_attachment(told, f"{where}content" if where else f"{place}media[{number}].link"):
                yield made

    def _with_binary(self, attachment: dict[str, Any]) -> dict[str, Any]:
        """An attachment that leads to a Binary which was sent here: with what is in that."""
        url = as_text(attachment.get("url"))
        if not url or attachment.get("data") or not url.startswith(("Binary/", "#")):
            return attachment
        _, found = self._look_up(url)
        if found is None or found.get("resourceType") != "Binary":
            return attachment
        return {
            **attachment,
            "contentType": attachment.get("contentType") or found.get("contentType"),
            "data": found.get("data"),
        }

    def _senders(self, one: Resource) -> tuple[str, ...]:
        """Who did it. A Procedure has them one step deeper, with what each did."""
        inner = [item["actor"] for item in as_objects(one.get("performer")) if item.get("actor")]
        return self._names(inner or one.get("performer"))

    def _names(self, references: object) -> tuple[str, ...]:
        return tuple(dict.fromkeys(filter(None, (self._name(item) for item in as_objects(references)))))

    def _name(self, reference: object) -> str | None:
        """What somebody or something is called: as the reference says, or what it leads to."""
        for item in as_objects(reference):
            if display := as_text(item.get("display")):
                return display
            literal = as_text(item.get("reference"))
            _, found = self._look_up(literal) if literal else ("", None)
            identifier = next(iter(_identifiers(item.get("identifier"))), None)
            return (_called(found) if found else None) or literal or identifier
        return None


def is_of_the_same(result: Resource, other: Resource) -> bool:
    """Whether nothing says that `other` is of somebody else: it names no subject, or the same; where the
    result names none, both answer the same order.
    """
    theirs = _named(other.get("subject"))
    if not theirs:
        return True
    ours = _named(result.get("subject"))
    if not ours:
        return bool(_named(result.get("basedOn")) & _named(other.get("basedOn")))
    return bool(ours & theirs)


def _named(references: object) -> set[str]:
    """What references lead to, by the last two steps of a URL, and by identifiers."""
    found: set[str] = set()
    for item in as_objects(references):
        if literal := as_text(item.get("reference")):
            steps = literal.split("/_history/", 1)[0].split("/")
            found.add("/".join(steps[-2:]))
        found.update(f"identifier {value}" for value in _identifiers(item.get("identifier")))
    return found


def _called(found: Resource) -> str | None:
    for name in _listed(found.get("name")):
        if text := as_text(name):
            return text
        if isinstance(name, dict):
            given = [as_text(part) for part in _listed(name.get("given"))]
            parts = filter(None, [as_text(name.get("family")), *given])
            if text := as_text(name.get("text")) or " ".join(parts):
                return text
    for practitioner in as_objects(found.get("practitioner")):
        return as_text(practitioner.get("display"))
    for name in as_objects(found.get("deviceName")):
        return as_text(name.get("name"))
    return None


def _unit_contradiction(value: ResultValue | None) -> Literal["unit"] | None:
    amounts = (value.amount, value.low, value.high, value.numerator, value.denominator) if value else ()
    return "unit" if any(one is not None and one.contradicts for one in amounts) else None


def _source(one: Resource) -> str | None:
    type_, id_ = as_text(one.get("resourceType")), as_text(one.get("id"))
    return f"{type_}/{id_}" if type_ and id_ else None


def _identifiers(value: object) -> tuple[str, ...]:
    found = (as_text(one.get("value")) for one in as_objects(value))
    return tuple(dict.fromkeys(filter(None, found)))


def _is_unread(name: str) -> bool:
    return name not in _READ and not name.startswith(("value", "_"))


def _first(value: object) -> dict[str, Any]:
    return next(as_objects(value), {})


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
