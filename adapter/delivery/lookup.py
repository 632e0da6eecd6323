"""Looking up what a hospital holds, by identifier and past its search cache."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from adapter.delivery.client import HospitalClient, Silence
from adapter.fhir import codec
from adapter.fhir.bundle import Target, etag_of, identities_of, resolve, same_content, search_url
from adapter.fhir.codec import Resource
from adapter.ledger.model import Entry, Settled
from adapter.ledger.state import Event

__all__ = ["Found", "find", "judge"]

_VALUES_A_SEARCH = 20  # keeps the URL under 2,000 characters

Found = dict[str, list[Resource]]  # identity -> what the hospital holds under it


def find(client: HospitalClient, system: str, targets: Iterable[Target]) -> Found | str:
    """Everything the hospital holds under these identities, or a word for why it could not be asked."""
    by_type: dict[str, list[str]] = defaultdict(list)
    for resource_type, identity in targets:
        by_type[resource_type].append(identity)
    found: Found = {}
    for resource_type, identities in by_type.items():
        for start in range(0, len(identities), _VALUES_A_SEARCH):
            asked = identities[start : start + _VALUES_A_SEARCH]
            reply = client.search(search_url(resource_type, system, asked))
            if isinstance(reply, Silence):
                return reply.why
            if reply.status != 200 or not isinstance(reply.body, list):
                return "auth" if reply.status in (401, 403) else f"HTTP {reply.status}"
            for resource in reply.body:
                for identity in identities_of(resource, system):
                    if identity in asked and resource.get("resourceType") == resource_type:
                        found.setdefault(identity, []).append(resource)
    return found


def judge(entry: Entry, found: Found, known: Mapping[Target, str]) -> Settled:
    """What a lookup says of one entry that was sent and never answered (pure).

    `known` resolves references to compare content; it must hold what `found` revealed too.
    """
    there = found.get(entry.identity, [])
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
    if entry.body is not None:

        def where(target: Target) -> str | None:
            return f"{target[0]}/{known[target]}" if target in known else None

        if same_content(codec.loads(resolve(entry.body, where)), remote):
            return Settled(
                entry.identity, Event.CONFIRM, remote_id=remote_id, etag=etag, digest=entry.desired_digest
            )
    return Settled(entry.identity, Event.ABSENT, remote_id=remote_id, etag=etag)
