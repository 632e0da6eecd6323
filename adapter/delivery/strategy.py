"""How a shipment is written to a server, from what its card proves; and which entries go next (pure).

::

    what the card proves                       how it is written
    ───────────────────────────────────────    ─────────────────────────────────────────────────────────
    atomic transactions, urn references,       transactions, with references between their entries
    answers in the order of the request
    Bundles, but not all of that; or no card   batches (or transactions) in layers: no entry refers to
                                               another of the same Bundle; at most 8 without a card
    no Bundles, or answers that cannot be      one write after the other, by HTTP itself
    paired
    conditional update                         PUT Type?identifier=…
    no conditional update, or not proven       looked up first, then POST (with If-None-Exist) or PUT by id

What is referred to goes first. A reference can be resolved when the hospital is known to hold its
target, or the target is in the same transaction; anything else waits for the target.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from adapter.fhir.bundle import Target, Write, references
from adapter.fhir.identity import WITHOUT_IDENTIFIER
from adapter.ledger.card import UNKNOWN, Card

__all__ = ["FEW", "Item", "Manner", "halves", "in_parts", "manner", "next_batch"]

FEW = 8  # entries of a Bundle that a server surely takes
_ENTRY_OVERHEAD = 300  # bytes of fullUrl, request and the longer references
_VALUES_A_SEARCH = 20  # keeps the URL under 2,000 characters


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server is written to. `proven`: it was seen to take such Bundles; `together`: entries may refer
    to each other; `conditional`: it finds by identifier what it updates (else it is looked up first);
    `guarded`: a create carries If-None-Exist; `if_match`: an update carries the version that it replaces;
    `searched`: identifiers that one search asks for.
    """

    form: Literal["transaction", "batch", "single"]
    proven: bool
    together: bool
    conditional: bool
    guarded: bool
    if_match: bool
    max_entries: int
    max_bytes: int
    searched: int

    def singly(self) -> "Manner":
        """The same by single requests."""
        return replace(self, form="single", together=False, max_entries=1)

    def write(self, item: "Item", remote_id: str | None, etag: str | None) -> Write:
        """How a resource is written that the hospital knows by this id; None: by none that we know."""
        if remote_id:
            return Write(item.type, item.identity, item.body, remote_id, etag if self.if_match else None)
        if self.finds(item.type):
            return Write(item.type, item.identity, item.body)
        guarded = self.guarded and item.type not in WITHOUT_IDENTIFIER
        return Write(item.type, item.identity, item.body, method="POST", guarded=guarded)

    def finds(self, resource_type: str) -> bool:
        """Whether the server finds by itself what an update of this type is meant for. What was measured
        was a condition on an identifier; some servers take no other, as the tag of a Provenance is.
        """
        return self.conditional and resource_type not in WITHOUT_IDENTIFIER

    def at_most(self, entries: int) -> "Manner":
        """The same with no more entries in a Bundle."""
        return replace(self, max_entries=max(1, min(self.max_entries, entries)))


def manner(card: Card, *, max_entries: int, max_bytes: int) -> Manner:
    """How to write to a server with this card, within these limits. What is not proven is not relied on."""
    form, proven = _form(card)
    sure = card.transaction is True and card.atomic is True and card.urn_references is True
    limit = card.max_entries or FEW
    found = Manner(
        form=form,
        proven=proven,
        together=form == "transaction" and sure and card.paired is True,
        # A condition stands percent-encoded in an entry's URL; by HTTP itself it always does.
        conditional=card.conditional_update is True and (form == "single" or card.encoded_urls is True),
        guarded=card.conditional_create is not False,
        if_match=card.if_match is not False,
        max_entries=max(1, min(max_entries, limit)),
        max_bytes=min(max_bytes, card.max_bytes or max_bytes),
        searched=_searched(card),
    )
    return found.singly() if form == "single" else found


def _searched(card: Card) -> int:
    """Identifiers in one search: few where what stands on a later page is not to be had."""
    if card != UNKNOWN and card.search_several is not True:
        return 1
    return FEW if card.paging is False else _VALUES_A_SEARCH


def _form(card: Card) -> tuple[Literal["transaction", "batch", "single"], bool]:
    """The form of requests, and whether the card proves that the server takes it."""
    if card.paired is False or (card.transaction is False and card.batch is False):
        return "single", True
    if card.transaction is True and (card.atomic is True or card.batch is not True):
        return "transaction", True
    if card.batch is not False:
        return "batch", card.batch is True
    return "transaction", card.transaction is True


@dataclass(frozen=True, slots=True)
class Item:
    """A serialised resource that is to be sent; `needs` are the targets of its references."""

    type: str
    identity: str
    rank: int
    body: bytes
    needs: tuple[Target, ...]

    @classmethod
    def of(cls, resource_type: str, identity: str, rank: int, body: bytes) -> "Item":
        """From a ledger body (FHIR JSON)."""
        return cls(resource_type, identity, rank, body, references(body))


def next_batch(
    items: Iterable[Item],
    known: Container[Target],
    *,
    max_entries: int,
    max_bytes: int,
    together: bool = True,
) -> tuple[list[Item], list[Item]]:
    """(the items of the next Bundle in order, the items that wait for a target that is not there).

    `together`: its entries may refer to each other; if not, an item whose target is to be sent as well goes
    after it, even where the target is known: its id may turn out to be stale. Items that merely do not fit
    are in neither list: they go into a later Bundle. An item larger than `max_bytes` goes alone: the hospital
    may still take it, and says so if not.
    """
    ready: list[Item] = []
    inside: set[Target] = set()
    ahead: set[Target] = set()  # what goes in an earlier Bundle
    waiting: list[Item] = []
    in_order = sorted(items, key=lambda item: (item.rank, item.identity))
    coming = {(item.type, item.identity) for item in in_order}
    size = 0
    for item in in_order:
        if not together and any(target in ahead for target in item.needs):
            pass
        elif all(target in known or target in inside for target in item.needs):
            if len(ready) < max_entries and (
                not ready or size + len(item.body) + _ENTRY_OVERHEAD <= max_bytes
            ):
                ready.append(item)
                size += len(item.body) + _ENTRY_OVERHEAD
                if together:
                    inside.add((item.type, item.identity))
        elif not any(target in coming and target not in known for target in item.needs):
            waiting.append(item)
        ahead.add((item.type, item.identity))
    return ready, waiting


def in_parts(writes: Sequence[Write], ranks: Mapping[str, int], manner: Manner) -> list[list[Write]]:
    """Writes in their order, cut to the size of a Bundle; where a server may do entries in any order, those
    of each rank apart.
    """
    whole = [list(writes)] if manner.together else []
    if not manner.together:
        whole = [list(part) for _, part in groupby(writes, key=lambda write: ranks[write.identity])]
    size = manner.max_entries
    return [part[start : start + size] for part in whole for start in range(0, len(part), size)]


def halves(batch: Sequence[Item], suspect: int | None) -> list[list[Item]]:
    """What a Bundle that was refused as a whole is split into, in the order to send.

    The entry that the refusal names is left out, and goes alone after the others: a server's index may
    be of its own order, so nothing is concluded from it. Without such a hint it is cut in the middle.
    """
    if suspect is not None and len(batch) > 2 and 0 <= suspect < len(batch):
        return [[item for place, item in enumerate(batch) if place != suspect], [batch[suspect]]]
    middle = (len(batch) + 1) // 2
    return [list(batch[:middle]), list(batch[middle:])]
