"""What a set of writes comes to, decided before anything is stored. Pure.

The rules of http://hl7.org/fhir/R4/http.html: conditional create (#ccreate), conditional update
(#cond-update), version aware update (#concurrency), transaction (#trules).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from adapter.fhir.codec import Resource
from adapter.repository.content import Content, new_id
from adapter.repository.elements import IndexRow, index_rows
from adapter.repository.entries import Entry
from adapter.repository.query import Query
from adapter.repository.refusal import refusal
from adapter.repository.store import CONTENT, Row, Written

__all__ = ["Change", "Outcome", "Work", "aim", "refuse_overlaps", "settle"]


@dataclass(frozen=True, slots=True)
class Change:
    """A version that was written, told to `on_change` inside the transaction that stores it."""

    owner: str
    type: str
    id: str
    version: int
    action: Literal["create", "update", "delete"]
    resource: Resource
    body: bytes
    repeated: bool
    entry: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one interaction. `updated` in milliseconds; `body` None where there is none to show."""

    status: int
    type: str
    id: str
    version: int
    updated: int
    body: bytes | None = None
    repeated: bool = False


@dataclass(slots=True)
class Work:
    """An entry on its way: the id it aims at ("" for a delete that found nothing), what it found."""

    entry: Entry
    id: str
    found: bool = False  # a conditional create that matched, or a repeat: nothing is written
    claimed: bool = False  # a conditional update that matched nothing and brings its own id

    @property
    def key(self) -> tuple[str, str]:
        """(type, id)."""
        return self.entry.type, self.id


def aim(entry: Entry, matched: Sequence[str], now: int) -> Work:
    """The id that an entry writes to; `matched` is what its condition found.

    Raises FhirError 412 for several matches, 400 for an id that contradicts the match.
    """
    if entry.condition is None:
        return Work(entry, entry.id or new_id(now))
    where = entry.at("request.ifNoneExist" if entry.method == "POST" else "request.url")
    if len(matched) > 1:
        raise refusal(412, "multiple-matches", "several_matches", where, type=entry.type)
    if entry.method == "POST":
        return Work(entry, matched[0], found=True) if matched else Work(entry, new_id(now))
    if entry.method == "DELETE":
        return Work(entry, matched[0] if matched else "")
    own_id = (entry.resource or {}).get("id")
    if matched and own_id not in (None, matched[0]):
        raise refusal(400, "invalid", "id_of_another", entry.at("resource.id"))
    if matched:
        return Work(entry, matched[0])
    return Work(entry, own_id or new_id(now), claimed=own_id is not None)


def refuse_overlaps(works: Iterable[Work]) -> None:
    """A transaction may not touch one resource, nor one absent identity, twice (400)."""
    first: dict[Any, Entry] = {}
    for work in works:
        if work.found or not work.id:
            continue
        keys: list[tuple[str, str | Query]] = [work.key]
        if work.entry.condition is not None:
            keys.append((work.entry.type, work.entry.condition))
        for key in keys:
            other = first.setdefault(key, work.entry)
            if other is not work.entry:
                where = work.entry.at("request.url")
                raise refusal(400, "duplicate", "same_identity", where, other=other.position)


def settle(
    work: Work, row: Row | None, content: Content | None, *, now: int, base: str | None, remember: bool
) -> tuple[Outcome, Written | None, tuple[Resource, bytes] | None]:
    """What comes of a write, given the newest stored version: (outcome, row to store, resource and bytes).

    Nothing is stored when the content is what is there already. `remember` indexes the content, so
    that a repeat is recognised later. Raises FhirError 412 or 409.
    """
    live = row is not None and not row.deleted
    _check_version(work, row if live else None)
    kind, resource_id = work.key
    updated = max(now, row.updated if row else 0)
    replaced = row.version if row else 0
    if content is None:
        if not live:
            return Outcome(204, kind, resource_id, 0, updated), None, None
        gone = Row(kind, resource_id, replaced + 1, True, updated, "")
        return Outcome(204, kind, resource_id, replaced + 1, updated), Written(gone, (), replaced), None
    if row is not None and live and row.content == content.digest:
        return Outcome(200, kind, resource_id, row.version, row.updated), None, None
    resource, body = content.stored(resource_id, replaced + 1, updated)
    stored = Row(kind, resource_id, replaced + 1, False, updated, content.digest, body)
    index = index_rows(resource, base)
    if remember:
        index.add(IndexRow(CONTENT, "", content.digest))
    outcome = Outcome(200 if live else 201, kind, resource_id, replaced + 1, updated, body)
    return outcome, Written(stored, index, replaced), (resource, body)


def _check_version(work: Work, live: Row | None) -> None:
    """If-Match (-1 stands for `*`), If-None-Match: *, and an id that is taken."""
    entry = work.entry
    if entry.if_match is not None:
        if live is None:
            raise refusal(412, "conflict", "no_version", entry.at("request.ifMatch"))
        if entry.if_match not in (-1, live.version):
            raise refusal(412, "conflict", "other_version", entry.at("request.ifMatch"), version=live.version)
    if entry.method == "PUT" and live is not None and (entry.if_none_match or "").strip() == "*":
        raise refusal(412, "duplicate", "exists_already", entry.at("request.ifNoneMatch"))
    if work.claimed and live is not None:
        raise refusal(409, "conflict", "id_taken", entry.at("resource.id"))
