"""What a set of writes comes to, decided before anything is stored. Pure.

The rules of http://hl7.org/fhir/R4/http.html: conditional create (#ccreate), conditional update
(#cond-update), version aware update (#concurrency), transaction (#trules).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from adapter.fhir.codec import Resource
from adapter.repository.bundle_entries import Interaction
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.search_extraction import IndexRow
from adapter.repository.search_index import index_rows
from adapter.repository.search_query import SearchQuery
from adapter.repository.sender_versions import sender_version_row
from adapter.repository.store import CONTENT_INDEX, NewVersion, VersionRow
from adapter.repository.stored_content import ResourceContent, new_resource_id

__all__ = [
    "InteractionOutcome",
    "PlannedWrite",
    "SentRequest",
    "VersionChange",
    "check_version",
    "decide_write",
    "names_earlier_version",
    "plan_write",
    "refuse_overlaps",
]


@dataclass(frozen=True, slots=True)
class SentRequest:
    """What resources came in: `envelope` is the Bundle without its entries, {} for a single resource."""

    id: str = field(default_factory=lambda: uuid4().hex)
    envelope: Resource = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A version that was written, told to `on_changes` inside the transaction that stores it."""

    owner: str
    type: str
    id: str
    version: int
    action: Literal["create", "update", "delete"]
    resource: Resource
    body: bytes
    repeated: bool
    entry: int | None
    request: SentRequest | None = None
    is_new_id: bool = False
    """Its id was made here for it: nobody can have heard of it before."""
    sent_meta: Any = None
    """`meta` as it was sent: `resource` has ours."""
    facts: Any = None
    """What was made of it before it was written, by the repository's `facts_of`; None where it is not what it
    was then.
    """


@dataclass(frozen=True, slots=True)
class InteractionOutcome:
    """What came of one interaction. `updated` in milliseconds; `body` None where there is none to show;
    `notice` is what the sender is to be told beside.
    """

    status: int
    type: str
    id: str
    version: int
    updated: int
    body: bytes | None = None
    repeated: bool = False
    notice: str | None = None


@dataclass(slots=True)
class PlannedWrite:
    """An entry on its way: the id it aims at ("" for a delete that found nothing), what it found."""

    entry: Interaction
    id: str
    found: bool = False  # a conditional create that matched, or a repeat: nothing is written
    claimed: bool = False  # a conditional update that matched nothing and brings its own id
    is_new_id: bool = False  # made here, for this

    @property
    def key(self) -> tuple[str, str]:
        """(type, id)."""
        return self.entry.type, self.id


def plan_write(entry: Interaction, matched: Sequence[str], now: int) -> PlannedWrite:
    """The id that an entry writes to; `matched` is what its condition found.

    Raises FhirError 412 for several matches, 400 for an id that contradicts the match.
    """
    if entry.condition is None:
        return PlannedWrite(entry, entry.id) if entry.id else _with_new_id(entry, now)
    where = entry.at("request.ifNoneExist" if entry.method == "POST" else "request.url")
    if len(matched) > 1:
        raise interaction_error(412, "multiple-matches", "several_matches", where, type=entry.type)
    if entry.method == "POST":
        return PlannedWrite(entry, matched[0], found=True) if matched else _with_new_id(entry, now)
    if entry.method == "DELETE":
        return PlannedWrite(entry, matched[0] if matched else "")
    if entry.method == "PATCH":
        if not matched:
            raise interaction_error(404, "not-found", "nothing_to_patch", where, type=entry.type)
        return PlannedWrite(entry, matched[0])
    own_id = (entry.resource or {}).get("id")
    if matched and own_id not in (None, matched[0]):
        raise interaction_error(400, "invalid", "id_of_another", entry.at("resource.id"))
    if matched:
        return PlannedWrite(entry, matched[0])
    if own_id is not None:
        return PlannedWrite(entry, own_id, claimed=True)
    return _with_new_id(entry, now)


def _with_new_id(entry: Interaction, now: int) -> PlannedWrite:
    return PlannedWrite(entry, new_resource_id(now), is_new_id=True)


def refuse_overlaps(works: Iterable[PlannedWrite]) -> None:
    """A transaction may not touch one resource, nor one absent identity, twice (400)."""
    first: dict[Any, Interaction] = {}
    for work in works:
        if work.found or not work.id:
            continue
        keys: list[tuple[str, str | SearchQuery]] = [work.key]
        if work.entry.condition is not None:
            keys.append((work.entry.type, work.entry.condition))
        for key in keys:
            other = first.setdefault(key, work.entry)
            if other is not work.entry:
                where = work.entry.at("request.url")
                raise interaction_error(400, "duplicate", "same_identity", where, other=other.position)


def decide_write(
    work: PlannedWrite,
    row: VersionRow | None,
    content: ResourceContent | None,
    *,
    now: int,
    base: str | None,
    remember: bool,
    sender: int | None = None,
    overtaken: bool = False,
) -> tuple[InteractionOutcome, NewVersion | None, tuple[Resource, bytes] | None]:
    """What comes of a write, given the newest stored version: (outcome, row to store, resource and bytes).

    Nothing is stored when the content is what is there already. `remember` indexes the content, so
    that a repeat is recognised later, and takes versions of the sender's own server for what they are:
    `sender` is the newest that it named of this resource, `overtaken` that what it names now is an earlier
    one of its own. Raises FhirError 412 or 409.
    """
    live = row is not None and not row.deleted
    theirs = _sender_version(work, row, content, sender, overtaken=overtaken) if remember else None
    if theirs is None:
        check_version(work.entry, row if live else None)
    _check_absent(work, row if live else None)
    kind, resource_id = work.key
    updated = max(now, row.updated if row else 0)
    replaced = row.version if row else 0
    if content is None:
        if not live:
            return InteractionOutcome(204, kind, resource_id, 0, updated), None, None
        gone = VersionRow(kind, resource_id, replaced + 1, True, updated, "")
        return (
            InteractionOutcome(204, kind, resource_id, replaced + 1, updated),
            NewVersion(gone, (), replaced),
            None,
        )
    if row is not None and live and row.content == content.digest:
        return InteractionOutcome(200, kind, resource_id, row.version, row.updated), None, None
    resource, body = content.as_version(resource_id, replaced + 1, updated)
    stored = VersionRow(kind, resource_id, replaced + 1, False, updated, content.digest, body)
    prepared = work.entry.prepared
    is_prepared = prepared is not None and prepared.content is content
    index = set(prepared.index) if prepared and is_prepared else index_rows(resource, base)
    if remember:
        index.add(IndexRow(CONTENT_INDEX, "", content.digest))
    if noted := max((one for one in (theirs, sender) if one is not None), default=None):
        index.add(sender_version_row(resource_id, noted))
    outcome = InteractionOutcome(200 if live else 201, kind, resource_id, replaced + 1, updated, body)
    return outcome, NewVersion(stored, index, replaced), (resource, body)


def _sender_version(
    work: PlannedWrite,
    row: VersionRow | None,
    content: ResourceContent | None,
    known: int | None,
    *,
    overtaken: bool,
) -> int | None:
    """The version in If-Match, where it is one of the sender's server: the first of what was never here, or
    one after the newest that it named, or that one once more, or one that was overtaken. None
    where it is to be compared with ours.
    """
    named = work.entry.if_match
    if named is None or named <= 0 or work.entry.method != "PUT" or work.entry.id is None:
        return None
    if row is None:
        return named if _own_version(work.entry.resource) in (None, str(named)) else None
    if known is None or named == row.version:
        return None
    same = content is not None and content.digest == row.content
    return named if named > known or (named == known and same) or overtaken else None


def names_earlier_version(entry: Interaction, row: VersionRow, known: int) -> int | None:
    """The version in If-Match, where the resource carries the same and it is lower than the newest that its
    sender named: the sender's, or an earlier one of ours that somebody read here, whichever wrote it then.
    """
    named = entry.if_match
    if entry.method != "PUT" or named is None or not 0 < named < known or named == row.version:
        return None
    return named if _own_version(entry.resource) == str(named) else None


def _own_version(resource: Resource | None) -> object:
    meta = (resource or {}).get("meta")
    return meta.get("versionId") if isinstance(meta, dict) else None


def check_version(entry: Interaction, live: VersionRow | None) -> None:
    """Raise FhirError 412 where If-Match names another version than the one in force (-1 stands for `*`)."""
    if entry.if_match is None:
        return
    if live is None:
        raise interaction_error(412, "conflict", "no_version", entry.at("request.ifMatch"))
    if entry.if_match not in (-1, live.version):
        where = entry.at("request.ifMatch")
        raise interaction_error(412, "conflict", "other_version", where, version=live.version)


def _check_absent(work: PlannedWrite, live: VersionRow | None) -> None:
    """If-None-Match: *, and an id that is taken."""
    entry = work.entry
    if entry.method == "PUT" and live is not None and (entry.if_none_match or "").strip() == "*":
        raise interaction_error(412, "duplicate", "exists_already", entry.at("request.ifNoneMatch"))
    if work.claimed and live is not None:
        raise interaction_error(409, "conflict", "id_taken", entry.at("resource.id"))
