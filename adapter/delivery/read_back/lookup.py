"""Looking up what a hospital holds, by identifier and past its search cache."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from adapter.delivery.http.client import HospitalClient, NoResponse
from adapter.fhir import codec
from adapter.fhir.bundle import (
    Target,
    identities_of,
    normalised_etag,
    resolve_references,
    search_url,
    server_id,
)
from adapter.fhir.codec import Resource
from adapter.fhir.server_copy import differing_elements, matches_allowing_progress
from adapter.ledger.schema.states import EntryEvent
from adapter.ledger.schema.values import DeliveryOutcome, LedgerEntry
from adapter.ledger.server_cards.card import UNMEASURED, ServerCard

__all__ = [
    "SEARCH_IGNORED",
    "FoundResources",
    "find_by_identifier",
    "find_entries",
    "lookup_outcome",
    "overwritten_elements",
    "read_by_id",
]

_VALUES_A_SEARCH = 20  # keeps the URL under 2,000 characters
_MAX_PAGES = 20
SEARCH_IGNORED = (
    "search-ignored"  # the server does not search by what it was asked for: its silence proves nothing
)

FoundResources = dict[str, list[Resource]]  # identity -> what the hospital holds under it


def find_by_identifier(
    client: HospitalClient,
    system: str,
    targets: Iterable[Target],
    card: ServerCard = UNMEASURED,
    before_each_search: Callable[[], None] = lambda: None,
) -> FoundResources | str:
    """Everything the hospital holds under these identities, or a word for why it could not be asked.

    An answer with a resource of none of the identities asked for proves that the server did not read the
    condition, and then that it names none proves nothing either: IGNORED. `before_each_search` is called
    ahead of each search.
    """
    if card.search_by_identifier is False:
        return SEARCH_IGNORED
    several = card == UNMEASURED or card.search_several is True
    by_type: dict[str, list[str]] = defaultdict(list)
    for resource_type, identity in targets:
        by_type[resource_type].append(identity)
    found: FoundResources = {}
    for resource_type, identities in by_type.items():
        step = _VALUES_A_SEARCH if several else 1
        for start in range(0, len(identities), step):
            before_each_search()
            trouble = _search(client, system, resource_type, identities[start : start + step], found)
            if trouble is not None:
                return trouble
    return found


def find_entries(
    client: HospitalClient,
    system: str,
    entries: Iterable[LedgerEntry],
    card: ServerCard = UNMEASURED,
    before_each_search: Callable[[], None] = lambda: None,
) -> FoundResources | str:
    """The same of the ledger's lines, by the identity that each has. What is not there under it, and had
    another under the identity key before, is looked for under that one too: it may not have been sent since.
    """
    lines = list(entries)
    found = find_by_identifier(
        client, system, [(one.type, one.identity) for one in lines], card, before_each_search
    )
    if isinstance(found, str):
        return found
    former = {one.former_identity: one for one in lines if one.former_identity and one.identity not in found}
    targets = [(one.type, identity) for identity, one in former.items()]
    before = find_by_identifier(client, system, targets, card, before_each_search)
    if isinstance(before, str):
        return before
    return found | {former[identity].identity: there for identity, there in before.items()}


def _search(
    client: HospitalClient, system: str, resource_type: str, asked: list[str], found: FoundResources
) -> str | None:
    """Add to `found` what one search finds; a word for what went wrong."""
    seen: set[str] = set()
    for page in client.pages(search_url(resource_type, system, asked), max_pages=_MAX_PAGES):
        if isinstance(page, NoResponse):
            return page.why
        if page.status != 200 or not isinstance(page.body, list):
            return page.trouble
        for resource in page.body:
            if resource.get("resourceType") != resource_type:
                continue  # included of its own accord
            mine = [identity for identity in identities_of(resource, system) if identity in asked]
            if not mine:
                return SEARCH_IGNORED
            id_ = server_id(resource)
            if id_ is None:
                return "unreadable-answer"  # it is there, and cannot be spoken of
            if id_ not in seen:  # pages may repeat one
                seen.add(id_)
                for identity in mine:
                    found.setdefault(identity, []).append(resource)
    return None


def read_by_id(client: HospitalClient, resource_type: str, remote_id: str) -> Resource | str | None:
    """What the hospital holds under an id, None if nothing, or a word for why it could not be asked."""
    reply = client.get(f"{resource_type}/{remote_id}")
    if isinstance(reply, NoResponse):
        return reply.why
    if reply.status in (404, 410) and (reply.is_fhir or reply.is_empty):
        return None
    if reply.status == 200 and reply.is_fhir and reply.body.get("resourceType") == resource_type:
        body: Resource = reply.body
        return body
    return reply.trouble


def lookup_outcome(entry: LedgerEntry, there: list[Resource], known: Mapping[Target, str]) -> DeliveryOutcome:
    """What a lookup says of one entry (pure): `there` is what the hospital holds under its identity.

    `known` resolves references to compare content; it must hold what the lookup revealed too.
    """
    if len(there) > 1:
        return DeliveryOutcome(
            entry.identity,
            EntryEvent.REFUSE,
            reason="duplicates",
            detail=f"{len(there)} resources under one identifier",
        )
    if not there:
        return DeliveryOutcome(entry.identity, EntryEvent.ABSENT, clear_remote_id=True)
    remote = there[0]
    remote_id, etag = str(remote.get("id")), normalised_etag((remote.get("meta") or {}).get("versionId"))
    if entry.body is not None and matches_allowing_progress(_resolved(entry.body, known), remote):
        return DeliveryOutcome(
            entry.identity, EntryEvent.CONFIRM, remote_id=remote_id, etag=etag, digest=entry.desired_digest
        )
    return DeliveryOutcome(entry.identity, EntryEvent.ABSENT, remote_id=remote_id, etag=etag)


def overwritten_elements(body: bytes, remote: Resource, known: Mapping[Target, str]) -> str:
    """Which elements of the hospital's copy our version replaces: names only, no values."""
    return ", ".join(differing_elements(_resolved(body, known), remote))


def _resolved(body: bytes, known: Mapping[Target, str]) -> Resource:
    def where(target: Target) -> str | None:
        return f"{target[0]}/{known[target]}" if target in known else None

    resource: Resource = codec.loads(resolve_references(body, where))
    return resource
