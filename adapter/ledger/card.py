"""A server card: what a hospital's FHIR server was measured to do (pure).

Every field may be None: not measured, or not certain. Whoever decides by a card takes the safe
side of what is None. `adapter doctor` measures, `delivery.strategy` decides.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

__all__ = ["UNKNOWN", "Card"]


@dataclass(frozen=True, slots=True)
class Card:
    """What the server did when it was tried, not what it says of itself. A field not listed in R4's
    words is a behaviour of http://hl7.org/fhir/R4/http.html.
    """

    fhir_version: str | None = None  # "4.0.1", from the CapabilityStatement
    software: str | None = None  # name and version, from the same

    transaction: bool | None = None  # takes transaction Bundles at the base
    atomic: bool | None = None  # one bad entry leaves nothing of a transaction behind
    batch: bool | None = None  # takes batch Bundles at the base
    urn_references: bool | None = None  # resolves urn:uuid references between entries of a transaction
    paired: bool | None = None  # answers every entry, in the order of the request
    names_ids: bool | None = None  # tells the id of what an entry wrote
    max_entries: int | None = None  # most entries that were taken in one Bundle
    max_bytes: int | None = None  # most bytes that were taken in one Bundle

    conditional_create: bool | None = None  # If-None-Exist finds what is there and makes no second
    conditional_update: bool | None = None  # PUT Type?identifier= creates once, then updates
    conditional_reference: bool | None = None  # Type?identifier= as a reference is resolved
    encoded_urls: bool | None = None  # reads percent-encoded conditions in entry.request.url
    several_matches: int | None = None  # status of a conditional write that two resources match
    if_match: bool | None = None  # refuses an update whose ETag is stale
    if_match_status: int | None = None  # with this status (409 or 412)
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

    clock_skew: float | None = None  # seconds that its clock is ahead of ours
    tls_until: str | None = None  # when its certificate ends, as an instant

    def as_json(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> "Card":
        """A card from what was stored; a field that a newer or older adapter knew is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in facts.items() if name in known})


UNKNOWN = Card()
