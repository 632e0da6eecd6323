"""What a person's link holds for beside the item that was named: the newest version of that result, and what
a report or panel lists. Reads and decides; `linking` writes.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from adapter.inbox.caveats import CAVEATS
from adapter.inbox.following import linked_along, listed_items
from adapter.inbox.item_reading import (
    ItemReading,
    contradictions_to,
    decide_item,
    is_chosen,
    named_referral,
)
from adapter.inbox.matching import CertainMatch
from adapter.inbox.ordering import older
from adapter.inbox.ports import ReferenceDirectory
from adapter.inbox.store import InboxItem, InboxStore

__all__ = ["ListedMember", "members_to_link", "version_that_holds"]

_OWN_DOUBTS = frozenset((*CAVEATS, "marked-delivery", "unlinked"))


@dataclass(frozen=True, slots=True)
class ListedMember:
    """A result that a linked report lists, and the referral that it names."""

    item: InboxItem
    referral: str | None


def version_that_holds(item: InboxItem, versions: Sequence[InboxItem]) -> InboxItem:
    """Of all versions in the order of their arrival the one that goes into the record when `item` is linked:
    the newest, unless a person chose this very one by linking it. What waits for reasons of its own stays.
    """
    if is_chosen(item):
        return item
    current = item
    for one in versions:
        taken = one.state in ("applied", "linked") or (
            one.state in ("new", "unmatched") and not is_chosen(one) and _OWN_DOUBTS.isdisjoint(one.reasons)
        )
        if not taken or one.id == current.id:
            continue
        first, second = sorted((current, one), key=lambda each: each.id)
        current = second if older(second.status, first.status) is None else first
    return current


def members_to_link(
    store: InboxStore,
    report: InboxItem,
    reading: ItemReading,
    directory: ReferenceDirectory,
    *,
    match: CertainMatch,
    despite: Collection[str],
) -> list[ListedMember]:
    """What waits of that which a report or panel lists, or is somebody's because that was linked, and is the
    person's as far as it says: nothing but what was seen in the report speaks against it.
    """
    cadre, found = match.cadre, []
    along = {one.id for one in linked_along(store, store.of_lineage(report.lineage))}
    for one in listed_items(store, [report]):
        if (one.state not in ("new", "unmatched") and one.id not in along) or is_chosen(one):
            continue
        if not {"marked-delivery", "unlinked"}.isdisjoint(set(one.reasons) - set(report.reasons)):
            continue
        mine = decide_item(store, one, directory)
        against = set(contradictions_to(mine, directory, cadre)) - set(despite)
        if not against and set(mine.said.caveats) <= set(reading.said.caveats):
            found.append(ListedMember(one, named_referral(mine, one, cadre)))
    return found
