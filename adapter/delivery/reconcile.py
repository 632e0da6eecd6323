"""Reading a hospital back: what it holds of ours, against what it should hold."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from adapter.delivery.client import HospitalClient, Silence
from adapter.fhir import codec
from adapter.fhir.bundle import Target, etag_of, identities_of, resolve
from adapter.fhir.codec import Resource
from adapter.fhir.content import holds_ours
from adapter.fhir.difference import differences, without_positions
from adapter.fhir.identity import search_parameter
from adapter.ledger.model import Desired, Entry
from adapter.ledger.state import State

__all__ = ["Copy", "Reading", "Verdict", "copies", "elements", "read_as", "remove", "sweep", "where_of"]

_MAX_PAGES = 5_000
_SHOWN = 5  # elements of a difference
_MOVING = (State.SENDING, State.UNKNOWN, State.RETRACTING)
_KEPT_APART = ("id", "meta", "text", "implicitRules")  # which servers add to or change of their own accord


class Verdict(StrEnum):
    """What reading back says of one resource."""

    SAME = "same"
    UNDER_WAY = "under-way"  # yet to be sent or looked up: a sync sees to it
    KNOWN_AGAIN = "known-again"  # there as it should be, and the ledger did not know
    MISSING = "missing"
    DIFFERENT = "different"
    DUPLICATES = "duplicates"
    EXTRA = "extra"  # it should not be there


@dataclass(frozen=True, slots=True)
class Copy:
    """A resource at the hospital that carries an identity of ours. `ours`: its content is what we send."""

    id: str
    etag: str | None
    ours: bool
    resource: Resource


@dataclass(frozen=True, slots=True)
class Reading:
    """One resource, read back. `keep` is the copy that stands for it, None where there is none."""

    verdict: Verdict
    copies: tuple[Copy, ...] = ()
    keep: Copy | None = None


def where_of(known: Mapping[Target, str]) -> Callable[[Target], str | None]:
    """Resolves references by identifier to `Type/id`."""
    return lambda target: f"{target[0]}/{known[target]}" if target in known else None


def copies(wish: Desired, there: Sequence[Resource], known: Mapping[Target, str]) -> tuple[Copy, ...]:
    """What the hospital holds under one identity, oldest first (pure)."""
    ours = codec.loads(resolve(wish.body, where_of(known)))

    def age(resource: Resource) -> tuple[str, str]:
        return str((resource.get("meta") or {}).get("lastUpdated") or ""), str(resource.get("id"))

    return tuple(
        Copy(
            str(one.get("id")),
            etag_of((one.get("meta") or {}).get("versionId")),
            holds_ours(ours, one),
            one,
        )
        for one in sorted(there, key=age)
    )


def read_as(wish: Desired, entry: Entry | None, found: tuple[Copy, ...]) -> Reading:
    """What the copies of one wish mean, given what the ledger believes (pure)."""
    known = next((one for one in found if entry is not None and one.id == entry.remote_id), None)
    keep = known or next((one for one in found if one.ours), None) or next(iter(found), None)
    if entry is not None and entry.state in _MOVING:
        return Reading(Verdict.UNDER_WAY, found, keep)
    if len(found) > 1:
        return Reading(Verdict.DUPLICATES, found, keep)
    believed = (
        entry is not None
        and entry.state is State.DELIVERED
        and entry.delivered_digest in (wish.digest, wish.or_digest)
    )
    if keep is None:
        return Reading(Verdict.MISSING if believed else Verdict.UNDER_WAY)
    if not keep.ours:
        return Reading(Verdict.DIFFERENT if believed else Verdict.UNDER_WAY, found, keep)
    return Reading(Verdict.SAME if believed and known else Verdict.KNOWN_AGAIN, found, keep)


def elements(wish: Desired, copy: Copy, known: Mapping[Target, str]) -> tuple[str, ...]:
    """The first elements in which a copy differs from what it should be, by name and without values."""
    ours = codec.loads(resolve(wish.body, where_of(known)))
    left, right = (
        {name: part for name, part in one.items() if name not in _KEPT_APART} for one in (ours, copy.resource)
    )
    paths = (without_positions(one.path) for one in differences(left, right))
    return tuple(dict.fromkeys(paths))[:_SHOWN]


def sweep(
    client: HospitalClient, system: str, resource_type: str, known: Container[str]
) -> Iterator[tuple[str, str] | str]:
    """(identity, id) of everything of that type that carries our identifier system and an identity that
    is not among `known`; ends with a word for why the rest could not be listed, if so.
    """
    token = quote(f"{system}|", safe="")
    url = f"{resource_type}?{search_parameter(resource_type)}={token}&_count=200"
    seen: set[tuple[str, str]] = set()
    for page in client.pages(url, max_pages=_MAX_PAGES):
        if isinstance(page, Silence):
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


def remove(client: HospitalClient, resource_type: str, remote_id: str) -> str | None:
    """Delete one resource by its id and read it back: None when it is gone, else what the hospital said."""
    reply = client.send("DELETE", f"{resource_type}/{remote_id}")
    if isinstance(reply, Silence):
        return reply.why
    back = client.get(f"{resource_type}/{remote_id}")
    if isinstance(back, Silence):
        return back.why
    return None if back.status in (404, 410) else f"HTTP {reply.status}"
