"""What follows a person's decision: later versions of a result, and what a linked report or panel lists,
whenever it comes. Reads and decides; `processing` and `linking` write.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection

from adapter.inbox.evidence import listed_members, says_otherwise
from adapter.inbox.item_reading import (
    ItemReading,
    contradictions_to,
    corrects_another,
    decide_item,
    is_chosen,
    named_referral,
)
from adapter.inbox.matching import CertainMatch, Match, Unmatched
from adapter.inbox.ports import ReferenceDirectory
from adapter.inbox.store import InboxItem, InboxStore

__all__ = [
    "FOLLOWS",
    "MOST_MEMBERS",
    "ListLink",
    "follow_people",
    "link_by_lists",
    "linked_along",
    "listed_items",
]

FOLLOWS = "follows-report"
"""Why an item is somebody's: a person linked what lists it."""

MOST_MEMBERS = 500
_TAKEN = ("applied", "linked")
_OVER = (("own",), ("own-revised",))  # it is the centre's own, whatever lists it


@dataclass(frozen=True, slots=True)
class ListLink:
    """Whose an item is because a person linked what lists it: the reports and panels `lists`."""

    match: CertainMatch
    lists: tuple[int, ...]

    def holds(self, connection: Connection, store: InboxStore) -> bool:
        """Whether these are still that person's."""
        return store.belong_to(connection, self.lists, self.match.cadre)


def follow_people(reading: ItemReading, item: InboxItem, versions: Sequence[InboxItem]) -> Match:
    """A person's decision about an earlier version holds for the later ones, unless they say something else
    about whom they are of.
    """
    match = reading.match
    for earlier in reversed([one for one in versions if one.id < item.id]):
        if earlier.state == "linked" and earlier.cadre:
            other = isinstance(match, CertainMatch) and match.cadre != earlier.cadre
            if other or (reading.linked and says_otherwise(reading.said, reading.linked)):
                reasons = match.reasons if isinstance(match, Unmatched) else ()
                return Unmatched(reasons or ("belongs-to-another",), reading.candidates)
            return CertainMatch(earlier.cadre, (earlier.referral,) if earlier.referral else ())
        if "unlinked" in earlier.reasons:
            return Unmatched(("unlinked",), match.candidates if isinstance(match, Unmatched) else ())
    return match


def link_by_lists(
    store: InboxStore, item: InboxItem, reading: ItemReading, directory: ReferenceDirectory
) -> ListLink | None:
    """Whose an item is that is nobody's by itself, if a person linked what lists it, nothing but what was
    seen there speaks against that, and no other list is somebody else's.
    """
    if not isinstance(reading.match, Unmatched) or reading.match.reasons in _OVER or is_chosen(item):
        return None
    lists = [one for one in store.lists_of(item) if one.cadre and one.state in _TAKEN]
    if not lists or len({one.cadre for one in lists}) > 1:
        return None
    cadre = str(lists[0].cadre)
    agreeing = [
        one for one in lists if _is_decided(store, one) and _agrees(store, item, reading, one, directory)
    ]
    if not agreeing or corrects_another(store, item, cadre):
        return None
    referral = named_referral(reading, item, cadre)
    match = CertainMatch(cadre, (referral,) if referral else ())
    return ListLink(match, tuple(one.id for one in agreeing))


def _is_decided(store: InboxStore, listing: InboxItem) -> bool:
    """Whether a person said whose the list is: of this version, of an earlier one, or of what lists it."""
    versions = (one for one in store.of_lineage(listing.lineage) if one.cadre == listing.cadre)
    return any(one.state == "linked" or (one.state in _TAKEN and FOLLOWS in one.reasons) for one in versions)


def _agrees(
    store: InboxStore,
    item: InboxItem,
    reading: ItemReading,
    listing: InboxItem,
    directory: ReferenceDirectory,
) -> bool:
    """Whether nothing speaks against an item being its list's person's but what was seen in the list too."""
    if "marked-delivery" in item.reasons and "marked-delivery" not in listing.reasons:
        return False
    of_list, cadre = decide_item(store, listing, directory), str(listing.cadre)
    against = set(contradictions_to(reading, directory, cadre))
    seen = set(contradictions_to(of_list, directory, cadre))
    return against <= seen and set(reading.said.caveats) <= set(of_list.said.caveats)


def linked_along(store: InboxStore, versions: Sequence[InboxItem]) -> Iterator[InboxItem]:
    """What is somebody's because a person linked these versions of a report or panel: linked in that moment,
    or come later; and what that lists in turn. In its newest versions, each once.
    """
    seen = {one.lineage for one in versions}
    waiting = [list(versions)]
    while waiting:
        mine = waiting.pop()
        for one in listed_items(store, mine):
            if one.lineage in seen or len(seen) > MOST_MEMBERS:
                continue
            others = store.of_lineage(one.lineage)
            if any(_came_along(other, mine) for other in others):
                seen.add(one.lineage)
                yield one
                waiting.append(list(others))


def _came_along(one: InboxItem, lists: Collection[InboxItem]) -> bool:
    if one.state not in _TAKEN:
        return False
    if FOLLOWS in one.reasons:
        return any(one.cadre == each.cadre for each in lists)
    decided = {(each.cadre, each.settled_at, each.settled_by) for each in lists if each.state == "linked"}
    return one.state == "linked" and (one.cadre, one.settled_at, one.settled_by) in decided


def listed_items(store: InboxStore, versions: Sequence[InboxItem]) -> Sequence[InboxItem]:
    """What versions of a report or panel list, in its newest versions; of a very long one the first."""
    if not versions:
        return ()
    names = dict.fromkeys(name for one in versions for name in listed_members(one.resource))
    return store.newest_items_named(versions[0].hospital, list(islice(names, MOST_MEMBERS))) if names else ()
