"""Looking up what a hospital holds, by identifier and past its search cache."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from adapter.delivery.client import HospitalClient, Silence
from adapter.fhir import codec
from adapter.fhir.bundle import Target, etag_of, id_of, identities_of, resolve, search_url
from adapter.fhir.codec import Resource
from adapter.fhir.content import differing_elements, holds_ours
from adapter.ledger.card import UNKNOWN, Card
from adapter.ledger.model import Entry, Settled
from adapter.ledger.state import Event

__all__ = ["IGNORED", "Found", "find", "judge", "overwritten", "read"]

_VALUES_A_SEARCH = 20  # keeps the URL under 2,000 characters
_MAX_PAGES = 20
IGNORED = "search-ignored"  # the server does not search by what it was asked for: its silence proves nothing

Found = dict[str, list[Resource]]  # identity -> what the hospital holds under it


def find(
    client: HospitalClient,
    system: str,
    targets: Iterable[Target],
    card: Card = UNKNOWN,
    before: Callable[[], None] = lambda: None,
) -> Found | str:
    """Everything the hospital holds under these identities, or a word for why it could not be asked.

    An answer with a resource of none of the identities asked for proves that the server did not read the
    condition, and then that it names none proves nothing either: IGNORED. `before` is called ahead of each
    search.
    """
    if card.search_by_identifier is False:
        return IGNORED
    several = card == UNKNOWN or card.search_several is True
    by_type: dict[str, list[str]] = defaultdict(list)
    for resource_type, identity in targets:
        by_type[resource_type].append(identity)
    found: Found = {}
    for resource_type, identities in by_type.items():
        step = _VALUES_A_SEARCH if several else 1
        for start in range(0, len(identities), step):
            before()
            trouble = _search(client, system, resource_type, identities[start : start + step], found)
            if trouble is not None:
                return trouble
    return found


def _search(
    client: HospitalClient, system: str, resource_type: str, asked: list[str], found: Found
) -> str | None:
    """Add to `found` what one search finds; a word for what went wrong."""
    seen: set[str] = set()
    for page in client.pages(search_url(resource_type, system, asked), max_pages=_MAX_PAGES):
        if isinstance(page, Silence):
            return page.why
        if page.status != 200 or not isinstance(page.body, list):
            return "auth" if page.status in (401, 403) else f"HTTP {page.status}"
        for resource in page.body:
            if resource.get("resourceType") != resource_type:
                continue  # included of its own accord
            mine = [identity for identity in identities_of(resource, system) if identity in asked]
            if not mine:
                return IGNORED
            id_ = id_of(resource)
            if id_ is None:
                return "unreadable-answer"  # it is there, and cannot be spoken of
            if id_ not in seen:  # pages may repeat one
                seen.add(id_)
                for identity in mine:
                    found.setdefault(identity, []).append(resource)
    return None


def read(client: HospitalClient, resource_type: str, remote_id: str) -> Resource | str | None:
    """What the hospital holds under an id, None if nothing, or a word for why it could not be asked."""
    reply = client.get(f"{resource_type}/{remote_id}")
    if isinstance(reply, Silence):
        return reply.why
    if reply.status in (404, 410) and (reply.is_fhir or reply.is_empty):
        return None
    if reply.status == 200 and reply.is_fhir and reply.body.get("resourceType") == resource_type:
        body: Resource = reply.body
        return body
    return "auth" if reply.status in (401, 403) else f"HTTP {reply.status}"


def judge(entry: Entry, there: list[Resource], known: Mapping[Target, str]) -> Settled:
    """What a lookup says of one entry (pure): `there` is what the hospital holds under its identity.

    `known` resolves references to compare content; it must hold what the lookup revealed too.
    """
    if len(there) > 1:
        return Settled(
            entry.identity,
            Event.REFUSE,
            reason="duplicates",
            detail=f"{len(there)} resources under one identifier",
        )
    if not there:
        return Settled(entry.identity, Event.ABSENT, forget=True)
    remote = there[0]
    remote_id, etag = str(remote.get("id")), etag_of((remote.get("meta") or {}).get("versionId"))
    if entry.body is not None and holds_ours(_resolved(entry.body, known), remote):
        return Settled(
            entry.identity, Event.CONFIRM, remote_id=remote_id, etag=etag, digest=entry.desired_digest
        )
    return Settled(entry.identity, Event.ABSENT, remote_id=remote_id, etag=etag)


def overwritten(body: bytes, remote: Resource, known: Mapping[Target, str]) -> str:
    """Which elements of the hospital's copy our version replaces: names only, no values."""
    return ", ".join(differing_elements(_resolved(body, known), remote))


def _resolved(body: bytes, known: Mapping[Target, str]) -> Resource:
    def where(target: Target) -> str | None:
        return f"{target[0]}/{known[target]}" if target in known else None

    resource: Resource = codec.loads(resolve(body, where))
    return resource
