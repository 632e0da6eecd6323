"""Reading a hospital back: what it holds of ours, against what it should hold."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from adapter.delivery.http.client import HospitalClient, NoResponse
from adapter.fhir import codec
from adapter.fhir.bundle import Target, identities_of, normalised_etag, resolve_references
from adapter.fhir.codec import Resource
from adapter.fhir.difference import differences, without_positions
from adapter.fhir.identity import identity_search_parameter
from adapter.fhir.server_copy import matches_allowing_progress
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import DesiredResource, LedgerEntry

__all__ = [
    "ReadBackResult",
    "ReadBackVerdict",
    "RemoteCopy",
    "delete_and_verify",
    "find_unexpected",
    "first_differing_elements",
    "judge_copies",
    "reference_resolver",
    "remote_copies",
]

_MAX_PAGES = 5_000
_MAX_MATCHES = 1_000_000
_SHOWN = 5  # elements of a difference
_MOVING = (EntryState.SENDING, EntryState.UNKNOWN, EntryState.RETRACTING)
_KEPT_APART = ("id", "meta", "text", "implicitRules")  # which servers add to or change of their own accord


class ReadBackVerdict(StrEnum):
    """What reading back says of one resource."""

    SAME = "same"
    UNDER_WAY = "under-way"  # yet to be sent or looked up: a sync sees to it
    RECOVERED = "known-again"  # there as it should be, and the ledger did not know
    MISSING = "missing"
    DIFFERENT = "different"
    DUPLICATES = "duplicates"
    EXTRA = "extra"  # it should not be there


@dataclass(frozen=True, slots=True)
class RemoteCopy:
    """A resource at the hospital that carries an identity of ours. `is_as_desired`: its content is what we
    send.
    """

    id: str
    etag: str | None
    is_as_desired: bool
    resource: Resource


@dataclass(frozen=True, slots=True)
class ReadBackResult:
    """One resource, read back. `keep` is the copy that stands for it, None where there is none."""

    verdict: ReadBackVerdict
    copies: tuple[RemoteCopy, ...] = ()
    keep: RemoteCopy | None = None


def reference_resolver(known: Mapping[Target, str]) -> Callable[[Target], str | None]:
    """Resolves references by identifier to `Type/id`."""
    return lambda target: f"{target[0]}/{known[target]}" if target in known else None


def remote_copies(
    desired: DesiredResource, there: Sequence[Resource], known: Mapping[Target, str]
) -> tuple[RemoteCopy, ...]:
    """What the hospital holds under one identity, oldest first (pure)."""
    ours = codec.loads(resolve_references(desired.body, reference_resolver(known)))

    def age(resource: Resource) -> tuple[str, str]:
        return str((resource.get("meta") or {}).get("lastUpdated") or ""), str(resource.get("id"))

    return tuple(
        RemoteCopy(
            str(one.get("id")),
            normalised_etag((one.get("meta") or {}).get("versionId")),
            matches_allowing_progress(ours, one),
            one,
        )
        for one in sorted(there, key=age)
    )


def judge_copies(
    desired: DesiredResource, entry: LedgerEntry | None, found: tuple[RemoteCopy, ...]
) -> ReadBackResult:
    """What the copies of one wish mean, given what the ledger believes (pure)."""
    known = next((one for one in found if entry is not None and one.id == entry.remote_id), None)
    keep = known or next((one for one in found if one.is_as_desired), None) or next(iter(found), None)
    if entry is not None and entry.state in _MOVING:
        return ReadBackResult(ReadBackVerdict.UNDER_WAY, found, keep)
    if len(found) > 1:
        return ReadBackResult(ReadBackVerdict.DUPLICATES, found, keep)
    believed = (
        entry is not None
        and entry.state is EntryState.DELIVERED
        and entry.delivered_digest in (desired.digest, desired.equivalent_digest)
    )
    if keep is None:
        return ReadBackResult(ReadBackVerdict.MISSING if believed else ReadBackVerdict.UNDER_WAY)
    if not keep.is_as_desired:
        return ReadBackResult(
            ReadBackVerdict.DIFFERENT if believed else ReadBackVerdict.UNDER_WAY, found, keep
        )
    return ReadBackResult(
        ReadBackVerdict.SAME if believed and known else ReadBackVerdict.RECOVERED, found, keep
    )


def first_differing_elements(
    desired: DesiredResource, copy: RemoteCopy, known: Mapping[Target, str]
) -> tuple[str, ...]:
    """The first elements in which a copy differs from what it should be, by name and without values."""
    ours = codec.loads(resolve_references(desired.body, reference_resolver(known)))
    left, right = (
        {name: part for name, part in one.items() if name not in _KEPT_APART} for one in (ours, copy.resource)
    )
    paths = (without_positions(one.path) for one in differences(left, right))
    return tuple(dict.fromkeys(paths))[:_SHOWN]


def find_unexpected(
    client: HospitalClient, system: str, resource_type: str, known: Container[str]
) -> Iterator[tuple[str, str] | str]:
    """(identity, id) of everything of that type that carries our identifier system and an identity that
    is not among `known`; ends with a word for why the rest could not be listed, if so.
    """
    token = quote(f"{system}|", safe="")
    url = f"{resource_type}?{identity_search_parameter(resource_type)}={token}&_count=200"
    seen: set[tuple[str, str]] = set()
    for page in client.pages(url, max_pages=_MAX_PAGES, max_matches=_MAX_MATCHES):
        if isinstance(page, NoResponse):
            yield page.why
            return
        if page.status != 200 or not isinstance(page.body, list):
            yield f"HTTP {page.status}"
            return
        for resource in page.body:
            carried = identities_of(resource, system)
            if not carried:
                yield "search-ignored"  # the server did not understand the condition: this lists nothing
                return
            for identity in carried:
                one = (identity, str(resource.get("id")))
                if identity not in known and one not in seen:
                    seen.add(one)
                    yield one


def delete_and_verify(client: HospitalClient, resource_type: str, remote_id: str) -> str | None:
    """Delete one resource by its id and read it back: None when it is gone, else what the hospital said."""
    reply = client.send("DELETE", f"{resource_type}/{remote_id}")
    if isinstance(reply, NoResponse):
        return reply.why
    back = client.get(f"{resource_type}/{remote_id}")
    if isinstance(back, NoResponse):
        return back.why
    return None if back.status in (404, 410) else f"HTTP {reply.status}"
