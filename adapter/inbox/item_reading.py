"""What one inbox item says, whom that leads to, and whose it is by that alone. Reads only."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from adapter.inbox import matching
from adapter.inbox.awaiting import names_awaited
from adapter.inbox.evidence import Evidence, read_evidence
from adapter.inbox.lineage import LINEAGE_DOUBTS, may_correct
from adapter.inbox.matching import Candidate, CertainMatch, LookupResult, Match, Unmatched
from adapter.inbox.ordering import ORDER_DOUBTS, REVISIONS
from adapter.inbox.ports import ReferenceDirectory, is_centres_own, look_up_evidence
from adapter.inbox.siblings import Siblings
from adapter.inbox.store import InboxItem, InboxStore

__all__ = [
    "STORED_TYPES",
    "ItemReading",
    "contradictions_to",
    "corrects_another",
    "decide_item",
    "is_chosen",
    "named_referral",
    "read_item",
]

STORED_TYPES = ("DiagnosticReport", "Observation", "Procedure")
_VERSION_DOUBTS = frozenset((*LINEAGE_DOUBTS, *ORDER_DOUBTS))


@dataclass(frozen=True, slots=True)
class ItemReading:
    """What an item says, whom that leads to, and whose it is."""

    said: Evidence
    found: LookupResult
    match: Match
    candidates: tuple[Candidate, ...] = ()
    doubt: str | None = None
    linked: Evidence | None = None  # what the last version said that a person linked
    awaits: Collection[str] = ()  # names that it was looked for by


def decide_item(store: InboxStore, item: InboxItem, directory: ReferenceDirectory) -> ItemReading:
    """Read the item, look up what it names, decide. Reads only."""
    said, asked = _read(store, item, directory)
    found = look_up_evidence(said, directory, lineage=item.lineage)
    match = matching.decide_match(said, found)
    if item.type in STORED_TYPES and is_centres_own(item.resource, directory):
        revised = item.resource.get("status") in REVISIONS
        match = Unmatched(("own-revised" if revised else "own",), matching.rank_candidates(said, found))
    unsure = isinstance(match, CertainMatch) and corrects_another(store, item, match.cadre)
    doubt = "corrects-unknown" if unsure else None
    earlier = store.linked_version(item)
    linked = read_item(store, earlier, directory) if earlier else None
    awaits = names_awaited(said, found, asked, directory)
    return ItemReading(said, found, match, matching.rank_candidates(said, found), doubt, linked, awaits)


def corrects_another(store: InboxStore, item: InboxItem, cadre: str) -> bool:
    """Whether it is a correction of that person's, and of what came under another number, as it seems."""
    if item.type not in STORED_TYPES or item.resource.get("status") not in REVISIONS:
        return False
    others = store.others_of(item, cadre)
    return store.is_first(item) and any(may_correct(item.resource, one) for one in others)


def contradictions_to(reading: ItemReading, directory: ReferenceDirectory, cadre: str) -> list[str]:
    """Why an item can hardly be this person's, as reasons."""
    person, found = directory.cadre(cadre), reading.found
    against = matching.contradictions(reading.said, person) if person else []
    certain = {
        *(one.cadre for one in found.referrals),
        *found.by_identity,
        *(one.cadre for one in found.by_number if one.trusted),
    }
    if certain and cadre not in certain:
        against.append("subject-differs")
    if cadre in found.never:
        against.append("said-never")
    return against


def read_item(store: InboxStore, item: InboxItem, directory: ReferenceDirectory) -> Evidence:
    """The evidence of an item: what the hospital sent before or along with it is read too."""
    return _read(store, item, directory)[0]


def _read(
    store: InboxStore, item: InboxItem, directory: ReferenceDirectory
) -> tuple[Evidence, Collection[str]]:
    """The evidence, and what of the same hospital was looked for, as `Type/id`."""
    resource = item.resource
    lists = (
        () if resource.get("subject") else store.listed_by(item.hospital, f"{item.type}/{item.resource_id}")
    )
    siblings = Siblings(store, item.hospital, directory.own_bases)
    siblings.fetch((resource, *lists))
    said = read_evidence(resource, siblings, listed_by=lists, own_bases=directory.own_bases)
    if siblings.changed_people:
        said = replace(said, caveats=(*said.caveats, "patient-changed"))
    if not siblings.is_whole:
        said = replace(said, caveats=tuple(dict.fromkeys((*said.caveats, "too-many-references"))))
    return said, (f"{item.type}/{item.resource_id}", *siblings.asked)


def is_chosen(item: InboxItem) -> bool:
    """Whether who links this version means that it holds, whatever else came: it waits for just that."""
    return item.state == "ignored" or bool(_VERSION_DOUBTS & set(item.reasons))


def named_referral(reading: ItemReading, item: InboxItem, cadre: str) -> str | None:
    """The referral of this person, at this hospital, that an item names."""
    for found in reading.found.referrals:
        if found.cadre == cadre and found.hospital == item.hospital:
            return found.key
    return None
