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

from adapter.fhir.bundle import Target, Write, conditional_references
from adapter.fhir.identity import TYPES_WITHOUT_IDENTIFIER
from adapter.ledger.server_cards.card import UNMEASURED, ServerCard

BundleForm = Literal["transaction", "batch"]

__all__ = [
    "SAFE_MAX_ENTRIES",
    "OutboundResource",
    "WriteStrategy",
    "choose_strategy",
    "next_bundle",
    "split_refused",
    "split_writes",
]

SAFE_MAX_ENTRIES = 8  # entries of a Bundle that a server surely takes
_ENTRY_OVERHEAD = 300  # bytes of fullUrl, request and the longer references
_VALUES_A_SEARCH = 20  # keeps the URL under 2,000 characters


@dataclass(frozen=True, slots=True)
class WriteStrategy:
    """How a server is written to. `proven`: it was seen to take such Bundles; `cross_references`: entries may
    refer to each other; `conditional_update`: it finds by identifier what it updates (else it is looked up
    first); `if_none_exist`: a create carries If-None-Exist; `creates_once`: it was seen to heed that;
    `if_match`: an update carries the version that it replaces; `identifiers_per_search`: identifiers that one
    search asks for; `max_single_bytes`: the largest resource that was seen to be taken by itself;
    `form_of_large`: where all goes by itself, the form of a Bundle of one for what is larger.
    """

    form: Literal["transaction", "batch", "single"]
    proven: bool
    cross_references: bool
    conditional_update: bool
    if_none_exist: bool
    creates_once: bool
    if_match: bool
    max_entries: int
    max_bytes: int
    identifiers_per_search: int
    max_single_bytes: int | None = None
    form_of_large: BundleForm | None = None

    def singly(self) -> "WriteStrategy":
        """The same by single requests, whatever their size."""
        return replace(self, form="single", cross_references=False, max_entries=1, form_of_large=None)

    def for_body(self, size: int) -> "WriteStrategy":
        """How one resource of this size goes: in the way that was seen to take as much, if only one was."""
        if self.max_single_bytes is None:
            return self
        fits_alone, fits_a_bundle = size <= self.max_single_bytes, size + _ENTRY_OVERHEAD <= self.max_bytes
        if fits_alone == fits_a_bundle:
            return self
        if self.form != "single":
            return self.singly() if fits_alone else self
        return replace(self, form=self.form_of_large) if fits_a_bundle and self.form_of_large else self

    def is_beyond_measured(self, size: int) -> bool:
        """Whether a resource of this size is larger than all that was seen to be taken, in either way."""
        if self.max_single_bytes is None:
            return False
        how = self.for_body(size)
        return (
            size > self.max_single_bytes if how.form == "single" else size + _ENTRY_OVERHEAD > self.max_bytes
        )

    def write(self, item: "OutboundResource", remote_id: str | None, etag: str | None) -> Write:
        """How a resource is written that the hospital knows by this id; None: by none that we know."""
        if remote_id:
            return Write(item.type, item.identity, item.body, remote_id, etag if self.if_match else None)
        if self.can_update_conditionally(item.type):
            return Write(item.type, item.identity, item.body)
        guarded = self.if_none_exist and item.type not in TYPES_WITHOUT_IDENTIFIER
        return Write(item.type, item.identity, item.body, method="POST", if_none_exist=guarded)

    def can_update_conditionally(self, resource_type: str) -> bool:
        """Whether the server finds by itself what an update of this type is meant for. What was measured
        was a condition on an identifier; some servers take no other, as the tag of a Provenance is.
        """
        return self.conditional_update and resource_type not in TYPES_WITHOUT_IDENTIFIER

    def is_repeatable(self, write: Write) -> bool:
        """Whether to do this twice is to do it once, as the card proves. No answer proves that nothing was
        done: what is not repeatable is looked up after whatever went wrong.
        """
        return write.method != "POST" or (write.if_none_exist and self.creates_once)

    def at_most(self, entries: int) -> "WriteStrategy":
        """The same with no more entries in a Bundle."""
        return replace(self, max_entries=max(1, min(self.max_entries, entries)))


def choose_strategy(card: ServerCard, *, max_entries: int, max_bytes: int) -> WriteStrategy:
    """How to write to a server with this card, within these limits. What is not proven is not relied on."""
    form, proven = _form(card)
    sure = card.transaction is True and card.atomic is True and card.urn_references is True
    limit = card.max_entries or SAFE_MAX_ENTRIES
    found = WriteStrategy(
        form=form,
        proven=proven,
        cross_references=form == "transaction" and sure and card.paired is True,
        # A condition stands percent-encoded in an entry's URL; by HTTP itself it always does.
        conditional_update=card.conditional_update is True
        and (form == "single" or card.encoded_urls is True),
        if_none_exist=card.conditional_create is not False,
        creates_once=card.conditional_create is True,
        if_match=card.if_match is not False,
        max_entries=max(1, min(max_entries, limit)),
        max_bytes=min(max_bytes, card.max_bytes or max_bytes),
        identifiers_per_search=_searched(card),
        max_single_bytes=card.max_single_bytes,
    )
    return replace(found.singly(), form_of_large=_form_of_large(card)) if form == "single" else found


def _form_of_large(card: ServerCard) -> BundleForm | None:
    """Bundles that were seen to be larger than what is taken by itself. Of one entry, the order of the
    answers is no question; a condition in its URL is.
    """
    if (card.max_bytes or 0) <= (card.max_single_bytes or 0):
        return None
    if card.conditional_update is True and card.encoded_urls is not True:
        return None
    return "transaction" if card.transaction is True else "batch" if card.batch is True else None


def _searched(card: ServerCard) -> int:
    """Identifiers in one search: few where what stands on a later page is not to be had."""
    if card != UNMEASURED and card.search_several is not True:
        return 1
    return SAFE_MAX_ENTRIES if card.paging is False else _VALUES_A_SEARCH


def _form(card: ServerCard) -> tuple[Literal["transaction", "batch", "single"], bool]:
    """The form of requests, and whether the card proves that the server takes it."""
    if card.paired is False or (card.transaction is False and card.batch is False):
        return "single", True
    if card.transaction is True and (card.atomic is True or card.batch is not True):
        return "transaction", True
    if card.batch is not False:
        return "batch", card.batch is True
    return "transaction", card.transaction is True


@dataclass(frozen=True, slots=True)
class OutboundResource:
    """A serialised resource that is to be sent; `needs` are the targets of its references."""

    type: str
    identity: str
    rank: int
    body: bytes
    needs: tuple[Target, ...]

    @classmethod
    def of(cls, resource_type: str, identity: str, rank: int, body: bytes) -> "OutboundResource":
        """From a ledger body (FHIR JSON)."""
        return cls(resource_type, identity, rank, body, conditional_references(body))


def next_bundle(
    items: Iterable[OutboundResource],
    known: Container[Target],
    *,
    max_entries: int,
    max_bytes: int,
    cross_references: bool = True,
) -> tuple[list[OutboundResource], list[OutboundResource]]:
    """(the items of the next Bundle in order, the items that wait for a target that is not there).

    `cross_references`: its entries may refer to each other; if not, an item whose target is to be sent as
    well goes after it, even where the target is known: its id may turn out to be stale. Items that merely do
    not fit are in neither list: they go into a later Bundle. An item larger than `max_bytes` goes alone: the
    hospital may still take it, and says so if not.
    """
    ready: list[OutboundResource] = []
    inside: set[Target] = set()
    ahead: set[Target] = set()  # what goes in an earlier Bundle
    waiting: list[OutboundResource] = []
    in_order = sorted(items, key=lambda item: (item.rank, item.identity))
    coming = {(item.type, item.identity) for item in in_order}
    size = 0
    for item in in_order:
        if not cross_references and any(target in ahead for target in item.needs):
            pass
        elif all(target in known or target in inside for target in item.needs):
            if len(ready) < max_entries and (
                not ready or size + len(item.body) + _ENTRY_OVERHEAD <= max_bytes
            ):
                ready.append(item)
                size += len(item.body) + _ENTRY_OVERHEAD
                if cross_references:
                    inside.add((item.type, item.identity))
        elif not any(target in coming and target not in known for target in item.needs):
            waiting.append(item)
        ahead.add((item.type, item.identity))
    return ready, waiting


def split_writes(
    writes: Sequence[Write], ranks: Mapping[str, int], manner: WriteStrategy
) -> list[list[Write]]:
    """Writes in their order, cut to the size of a Bundle; where a server may do entries in any order, those
    of each rank apart.
    """
    whole = [list(writes)] if manner.cross_references else []
    if not manner.cross_references:
        whole = [list(part) for _, part in groupby(writes, key=lambda write: ranks[write.identity])]
    size = manner.max_entries
    return [part[start : start + size] for part in whole for start in range(0, len(part), size)]


def split_refused(batch: Sequence[OutboundResource], suspect: int | None) -> list[list[OutboundResource]]:
    """What a Bundle that was refused as a whole is split into, in the order to send.

    The entry that the refusal names is left out, and goes alone after the others: a server's index may
    be of its own order, so nothing is concluded from it. Without such a hint it is cut in the middle.
    """
    if suspect is not None and len(batch) > 2 and 0 <= suspect < len(batch):
        return [[item for place, item in enumerate(batch) if place != suspect], [batch[suspect]]]
    middle = (len(batch) + 1) // 2
    return [list(batch[:middle]), list(batch[middle:])]
