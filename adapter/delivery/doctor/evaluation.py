"""What the answers to the probes prove (pure).

Each function gives facts by the names of `ServerCard`'s fields. What is not certain is None or left out.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from adapter.delivery.doctor.session import has_identifier
from adapter.delivery.http.client import HttpResponse, HttpResult, NoResponse
from adapter.fhir.bundle import EntryResponse, Write, normalised_etag, pair_responses
from adapter.fhir.codec import Resource
from adapter.texts import printable

__all__ = [
    "CardFacts",
    "all_entries_succeeded",
    "all_measured",
    "capability_facts",
    "clock_skew",
    "created_once",
    "each_found_once",
    "entry_responses",
    "is_atomic",
    "note_of",
    "pages_complete",
    "removal_facts",
    "response_etag",
    "same_version",
    "search_facts",
    "stale_write_refused",
    "succeeded",
    "updated_once",
    "why_not_measurable",
]

CardFacts = dict[str, Any]
_SECOND = 1.0  # the Date header has no parts of one
_FINE = 2.0  # seconds of difference that say nothing


def succeeded(status: int) -> bool:
    """2xx."""
    return 200 <= status < 300


def all_measured(*facts: bool | None) -> bool | None:
    """True when all that were measured are, False when one is not, None when nothing was measured."""
    known = [fact for fact in facts if fact is not None]
    return all(known) if known else None


def note_of(resource: Resource) -> str:
    """The words by which a test resource's content is known."""
    names = resource.get("name") or [resource.get("code") or {}]
    return str(names[0].get("text", "")) if isinstance(names[0], dict) else ""


def response_etag(answer: HttpResponse) -> str | None:
    """The version of what a single answer is about, from ETag or the body."""
    meta = answer.body.get("meta") if isinstance(answer.body, dict) else None
    return normalised_etag(answer.headers.get("etag")) or normalised_etag((meta or {}).get("versionId"))


def capability_facts(statement: object) -> tuple[CardFacts, dict[str, Any]]:
    """(facts, what it says of itself by the names of the card's fields) of a CapabilityStatement."""
    if not isinstance(statement, dict) or statement.get("resourceType") != "CapabilityStatement":
        return {"fhir_version": None, "software": None}, {}
    software = statement.get("software")
    named = (
        [str(software[part]) for part in ("name", "version") if software.get(part)]
        if isinstance(software, dict)
        else []
    )
    facts = {
        "fhir_version": _line(statement.get("fhirVersion") or "")[:20] or None,
        "software": " ".join(map(_line, named))[:100] or None,
    }
    servers = [
        rest
        for rest in statement.get("rest") or ()
        if isinstance(rest, dict) and rest.get("mode") == "server"
    ]
    if not servers:
        return facts, {}
    server = servers[0]
    whole = {one.get("code") for one in server.get("interaction") or () if isinstance(one, dict)}
    kinds = [
        one
        for one in server.get("resource") or ()
        if isinstance(one, dict) and one.get("type") in ("Patient", "Observation")
    ]
    says: dict[str, Any] = {
        "transaction": "transaction" in whole,
        "batch": "batch" in whole or "transaction" in whole,
    }
    says |= {
        field: all(bool(kind.get(name)) for kind in kinds)
        for field, name in _CLAIMS.items()
        if kinds and any(name in kind for kind in kinds)
    }
    if kinds:
        says["deletes"] = all(_has(kind, "interaction", "code", "delete") for kind in kinds)
        says["search_by_identifier"] = all(_has(kind, "searchParam", "name", "identifier") for kind in kinds)
    return facts, says


_CLAIMS = {
    "conditional_create": "conditionalCreate",
    "conditional_update": "conditionalUpdate",
    "client_ids": "updateCreate",
}


def _line(said: object) -> str:
    """What a server says of itself, on one line."""
    return " ".join(printable(str(said)[:200]).split())


def _has(kind: Mapping[str, Any], part: str, name: str, wanted: str) -> bool:
    return any(isinstance(one, dict) and one.get(name) == wanted for one in kind.get(part) or ())


def why_not_measurable(reply: HttpResult, *, is_told: bool = True) -> str | None:
    """Why nothing can be measured, by the answer to a search; None: it can. `is_told`: there is a
    CapabilityStatement at that address. Without one a search that is refused, even in FHIR's words, is what
    a server says at a path where it serves nothing.
    """
    if isinstance(reply, NoResponse):
        return reply.why
    if reply.status in (401, 403) or reply.redirected_to is not None:
        return reply.trouble
    if reply.status in (408, 429) or reply.status >= 500:
        return "busy"
    return None if reply.is_fhir and (is_told or reply.status == 200) else "not-fhir"


def clock_skew(headers: Mapping[str, str], asked: datetime, answered: datetime) -> float | None:
    """Seconds that the server's clock is ahead of ours; 0 when the difference says nothing."""
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    ahead = (date - asked).total_seconds() + _SECOND / 2 - (answered - asked).total_seconds() / 2
    unsure = _FINE + (answered - asked).total_seconds() / 2
    return 0.0 if abs(ahead) <= unsure else round(ahead)


def removal_facts(
    created: HttpResponse, read: HttpResponse, deleted: HttpResponse, after: HttpResponse
) -> CardFacts:
    """Whether what was created can be deleted. `deletes` is None when it was never there."""
    if not succeeded(created.status) or read.status != 200:
        return {"deletes": None}
    gone = after.status in (404, 410)
    return {"deletes": succeeded(deleted.status) and gone, "deleted_status": after.status if gone else None}


def search_facts(
    system: str,
    value: str,
    *,
    never: Sequence[Resource],
    at_once: Sequence[Resource],
    later: Sequence[Resource],
) -> CardFacts:
    """By what a search gave for an identifier that never was, for one just created, and for that one
    some seconds later.
    """
    everything = [*never, *at_once, *later]
    if any(not has_identifier(one, system, value) for one in everything) or never:
        return {"search_by_identifier": False, "search_is_fresh": None}
    return {"search_by_identifier": len(later) == 1, "search_is_fresh": len(at_once) == 1 if later else None}


def each_found_once(system: str, values: Sequence[str], found: Sequence[Resource]) -> bool:
    """Whether a search for several identifiers gave each of these once, and nothing else."""
    counts = [sum(has_identifier(one, system, value) for one in found) for value in values]
    return len(found) == len(values) and set(counts) == {1}


def created_once(answers: Sequence[HttpResponse | EntryResponse], found: Sequence[Resource]) -> bool:
    """Whether the same conditional create twice made one resource, and both were answered as done."""
    return all(succeeded(one.status) for one in answers) and len(found) == 1


def updated_once(
    answers: Sequence[HttpResponse | EntryResponse], found: Sequence[Resource], note: str
) -> bool:
    """Whether two conditional updates made one resource, with the content of the second."""
    return created_once(answers, found) and note_of(found[0]).endswith(note)


def stale_write_refused(reply: HttpResponse | EntryResponse, after: HttpResponse, note: str) -> bool | None:
    """Whether a write with a stale ETag was refused and left the content `note` alone."""
    if not isinstance(after.body, dict) or after.status != 200:
        return None
    return not succeeded(reply.status) and note_of(after.body).endswith(note)


def same_version(before: HttpResponse, after: HttpResponse) -> bool | None:
    """Whether an identical update made no version; None where versions are not told."""
    left, right = response_etag(before), response_etag(after)
    return left == right if left and right else None


def entry_responses(kinds: Sequence[str], answer: HttpResponse) -> tuple[EntryResponse, ...] | None:
    """The answers to the entries of a Bundle of these types; None when they cannot be paired."""
    return (
        pair_responses([Write(kind, "") for kind in kinds], answer.body) if succeeded(answer.status) else None
    )


def all_entries_succeeded(kinds: Sequence[str], answer: HttpResponse) -> bool:
    """Whether every entry of a Bundle was answered as done."""
    said = entry_responses(kinds, answer)
    return said is not None and all(succeeded(one.status) for one in said)


def is_atomic(answer: HttpResponse, *, good_is_there: bool) -> bool | None:
    """What a transaction of one good and one bad entry proves; None when the bad one was taken too."""
    listed = answer.body.get("entry") if isinstance(answer.body, dict) else None
    responses = [one.get("response") or {} for one in listed or () if isinstance(one, dict)]
    refused = not succeeded(answer.status) or any(
        str(one.get("status", ""))[:1] in ("4", "5") for one in responses if isinstance(one, dict)
    )
    return not good_is_there if refused else None


def pages_complete(system: str, wanted: Sequence[str], found: Sequence[Sequence[Resource]]) -> bool:
    """Whether the pages of a search, followed to their end, had every match once."""
    return each_found_once(system, wanted, [one for page in found for one in page])
