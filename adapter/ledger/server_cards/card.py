"""A server card: what a hospital's FHIR server was measured to do (pure).

Every field may be None: not measured, or not certain. Whoever decides by a card takes the safe
side of what is None. `adapter doctor` measures, `delivery.decisions.strategy` decides.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, NamedTuple

__all__ = ["UNMEASURED", "CardDifference", "ServerCard", "drift", "filled_from_earlier", "parse_drift"]


@dataclass(frozen=True, slots=True)
class ServerCard:
    """What the server did when it was tried, not what it says of itself. A field not listed in R4's
    words is a behaviour of http://hl7.org/fhir/R4/http.html.
    """

    fhir_version: str | None = None  # "4.0.1", from the CapabilityStatement
    software: str | None = None  # name and version, from the same

    missing_types: str | None = None  # types that are sent and that it does not serve, "Task, Group"; "none"

    transaction: bool | None = None  # takes transaction Bundles at the base
    atomic: bool | None = None  # one bad entry leaves nothing of a transaction behind
    batch: bool | None = None  # takes batch Bundles at the base
    urn_references: bool | None = None  # resolves urn:uuid references between entries of a transaction
    paired: bool | None = None  # answers every entry, in the order of the request
    names_ids: bool | None = None  # tells the id of what an entry wrote
    max_entries: int | None = None  # most entries that were taken in one Bundle
    max_bytes: int | None = None  # most bytes that were taken in one Bundle
    max_single_bytes: int | None = None  # most bytes that were taken of a resource written by itself
    seconds_an_entry: float | None = None  # that the largest Bundle took, per entry

    conditional_create: bool | None = None  # If-None-Exist finds what is there and makes no second
    conditional_update: bool | None = None  # PUT Type?identifier= creates once, then updates
    conditional_reference: bool | None = None  # Type?identifier= as a reference is resolved
    encoded_urls: bool | None = None  # reads percent-encoded conditions in entry.request.url
    several_matches: int | None = None  # status of a conditional write that two resources match
    if_match: bool | None = None  # refuses an update whose ETag is stale
    if_match_status: int | None = None  # with this status (409 or 412)
    if_match_star: bool | None = None  # takes If-Match: * for "any version that is there"
    bundle_if_match: bool | None = None  # the same for ifMatch of an entry that is a PUT to an id
    same_is_no_version: bool | None = None  # an identical PUT makes no new version
    client_ids: bool | None = None  # PUT to an id that never was creates it
    revives_deleted: bool | None = None  # PUT to a deleted id creates it again

    search_by_identifier: bool | None = None  # finds by identifier, and only what has it
    search_is_fresh: bool | None = None  # finds at once what was written, with Cache-Control: no-cache
    search_several: bool | None = None  # takes several identifiers joined by commas
    paging: bool | None = None  # its next links lead to every match once
    deletes: bool | None = None  # DELETE, read back as gone
    deleted_status: int | None = None  # of reading what was deleted (410 or 404)
    gzip_requests: bool | None = None  # reads a compressed body

    guarded: bool | None = None  # refuses a wrong token
    retry_after: str | None = None  # forms in which it asked to be left alone: "seconds", "date", both
    clock_skew: float | None = None  # seconds that its clock is ahead of ours
    tls_until: str | None = None  # when its certificate ends, as an instant

    says: Mapping[str, Any] = field(default_factory=dict, hash=False)  # of itself, by the names above

    def as_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> "ServerCard":
        """A card from what was stored; a field that a newer or older adapter knew is left out."""
        known = {one.name for one in fields(cls)}
        return cls(**{name: value for name, value in facts.items() if name in known})


UNMEASURED = ServerCard()

# What no one measurement of differs from another's tells of another server: times, chance, words.
_PASSING = frozenset({"seconds_an_entry", "clock_skew", "tls_until", "retry_after", "says"})


class CardDifference(NamedTuple):
    """A field that was measured twice, and differently."""

    field: str
    before: str
    after: str


def drift(before: ServerCard, after: ServerCard) -> str | None:
    """What `after` was measured to do otherwise, as `field: before -> after` joined by "; "; None if
    nothing. What either did not measure has not changed.
    """
    left, right = before.as_json(), after.as_json()
    changed = [
        f"{name}: {_plain(left[name])} -> {_plain(right[name])}"
        for name in left
        if name not in _PASSING and None not in (left[name], right[name]) and left[name] != right[name]
    ]
    return "; ".join(changed)[:2000] or None


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace(";", ",")


def parse_drift(text: str | None) -> tuple[CardDifference, ...]:
    """The changes that `drift` wrote."""
    parts = [part.partition(": ") for part in (text or "").split("; ") if ": " in part]
    return tuple(CardDifference(name, *rest.split(" -> ", 1)) for name, _, rest in parts if " -> " in rest)


def filled_from_earlier(card: ServerCard, earlier: ServerCard) -> ServerCard:
    """`card`, with what it did not measure taken from an earlier measurement of the same software."""
    if (card.fhir_version, card.software) != (earlier.fhir_version, earlier.software):
        return card
    left, right = card.as_json(), earlier.as_json()
    missing = {name: right[name] for name in left if left[name] is None and name not in _PASSING}
    return replace(card, **missing)
