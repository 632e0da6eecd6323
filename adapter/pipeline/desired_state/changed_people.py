"""Everybody with changes, page by page: their records, what a hospital should hold, and what is new."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

from adapter.ledger.entries.comparison import PlannedAction, PlannedChange, compare
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import UNKNOWN_RECORD, LedgerEntry
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.desired import (
    DesiredState,
    RecordOrigin,
    centre_desired_state,
    desired_state,
)
from adapter.pipeline.desired_state.merged_patients import merged_patient_links
from adapter.pipeline.desired_state.related_records import RecordKey, is_withdrawn
from adapter.pipeline.destination import Destination
from adapter.records.model import Record, Referral
from adapter.records.store import StoredRecord

__all__ = [
    "CENTRE_KEY",
    "FeedChange",
    "PlannedPerson",
    "all_people",
    "changed_pages",
    "desired_state_of",
    "paginate",
    "selected_people",
    "without_unsent_withdrawn",
]

CENTRE_KEY = ""  # whose shipment the centre's own resources are: no person has this key
_PAGE = 50  # people planned in one transaction
_FIRST_PAGES = (4, 8, 16, 32)  # what is planned can be delivered, which begins at once
_AHEAD = 1_000  # people asked for at a time: to find who is next, all that changed is gone through

FeedChange = tuple[str, int]  # a person, and the position of the newest change


@dataclass(frozen=True)
class PlannedPerson:
    """One person's part of a plan; `position` is that of the newest change in the feed."""

    cadre: str
    position: int
    records: Sequence[Record]
    origins: Mapping[RecordKey, RecordOrigin]
    entries: Sequence[LedgerEntry]
    losers: Sequence[str] = ()  # who was merged into this person and stays at the hospital with a link
    desired_state: DesiredState = field(default_factory=DesiredState)
    changes: list[PlannedChange] = field(default_factory=list)

    def required_removals(self) -> list[PlannedChange]:
        """The changes that take away what records or policy say must go, whatever the mapping says: also what
        the hospital holds as another's, since it cannot be told now whose it is.
        """
        records = {(record.kind, record.key) for record in self.records}
        stays = records - set(self.desired_state.withheld or {})
        going = (
            (one, one.entry)
            for one in self.changes
            if one.action in (PlannedAction.RETRACT, PlannedAction.DROP)
        )
        anothers = [one for one in self.entries if one.cadre != self.cadre and _record(one) != UNKNOWN_RECORD]
        return [
            *(
                change
                for change, entry in going
                if entry is not None and entry.cadre == self.cadre and _record(entry) not in stays
            ),
            *compare(anothers, ()),
        ]


def changed_pages(adapter: Adapter, destination: Destination, since: int) -> Iterator[list[PlannedPerson]]:
    """Everybody with a change after `since`, in pages; from the start on, the centre itself before them."""
    name = destination.hospital.name
    if since == 0:
        yield [_nobody(adapter, destination)]
    strangers = _strangers(adapter, name)
    sizes = chain(_FIRST_PAGES, repeat(_PAGE))
    while changed := adapter.records.changed_cadres(since, _AHEAD):
        for page in paginate(changed, sizes):
            yield _people(adapter, destination, page, strangers)
        since = changed[-1][1]


def paginate(changed: Sequence[FeedChange], sizes: Iterator[int]) -> Iterator[Sequence[FeedChange]]:
    """People with their positions, in pages of these sizes. Those who share a position stay together, since
    whoever ends between two pages goes on after the last position of the former.
    """
    start = 0
    while start < len(changed):
        end = start + next(sizes)
        while end < len(changed) and changed[end][1] == changed[end - 1][1]:
            end += 1
        yield changed[start:end]
        start = end


def _people(
    adapter: Adapter,
    destination: Destination,
    page: Sequence[FeedChange],
    strangers: Mapping[str, LedgerEntry],
) -> list[PlannedPerson]:
    cadres = [cadre for cadre, _ in page]
    origins = _origins(adapter, cadres) if destination.rules.discloses_origin else {}
    records = adapter.records.of_cadres(cadres)
    entries = _lines(adapter, destination.hospital.name, records)
    losers = adapter.records.merges.losers_of(cadres) if destination.hospital.merged == "link" else {}
    people = (
        PlannedPerson(
            cadre, position, records[cadre], origins.get(cadre, {}), entries[cadre], losers.get(cadre, ())
        )
        for cadre, position in page
    )
    return [_planned(destination, person, strangers) for person in people]


def _lines(
    adapter: Adapter, hospital: str, records: Mapping[str, Sequence[Record]]
) -> dict[str, list[LedgerEntry]]:
    """The ledger's lines of these people, by whose record each is of: one of a record that was given to
    somebody else may stand under its former owner, who leaves it to the new one.
    """
    found = adapter.ledger.entries(hospital, list(records))
    gone: set[RecordKey] = set()
    for cadre, listed in found.items():
        gone |= {_record(entry) for entry in listed} - {(one.kind, one.key) for one in records[cadre]}
    given = adapter.records.reassigned_among(gone) if gone else {}
    lines = {
        cadre: [entry for entry in listed if given.get(_record(entry), cadre) == cadre]
        for cadre, listed in found.items()
    }
    whose = adapter.records.reassigned_to(list(records))
    for entry in adapter.ledger.entries_of_records(hospital, whose):
        if entry.cadre != (cadre := whose[_record(entry)]):
            lines[cadre].append(entry)
    return lines


def _record(entry: LedgerEntry) -> RecordKey:
    return entry.kind, entry.key


def _strangers(adapter: Adapter, hospital: str) -> dict[str, LedgerEntry]:
    """Lines, by identity, of what the hospital held of ours when no record was known for it."""
    return {one.identity: one for one in adapter.ledger.entries_of_records(hospital, [UNKNOWN_RECORD])}


def selected_people(
    adapter: Adapter, destination: Destination, cadres: Collection[str]
) -> Iterator[PlannedPerson]:
    """These people; the centre, if it is among them."""
    if CENTRE_KEY in cadres:
        yield _nobody(adapter, destination)
    strangers = _strangers(adapter, destination.hospital.name) if cadres else {}
    for cadre in cadres:
        if cadre != CENTRE_KEY:
            yield from _people(adapter, destination, [(cadre, 0)], strangers)


def all_people(adapter: Adapter, destination: Destination) -> Iterator[PlannedPerson]:
    """Everybody there is a record of, and the centre."""
    for page in changed_pages(adapter, destination, 0):
        yield from page


def _nobody(adapter: Adapter, destination: Destination) -> PlannedPerson:
    """The centre itself."""
    entries = adapter.ledger.entries(destination.hospital.name, [CENTRE_KEY])[CENTRE_KEY]
    return _planned(destination, PlannedPerson(CENTRE_KEY, 0, (), {}, entries))


def _planned(
    destination: Destination, person: PlannedPerson, strangers: Mapping[str, LedgerEntry] | None = None
) -> PlannedPerson:
    wanted = desired_state_of(person, destination)
    if person.losers:
        linked = merged_patient_links(destination, wanted.desired, person.losers, person.entries)
        wanted = replace(wanted, desired=(*wanted.desired, *linked))
    if strangers:
        known = [strangers[one.identity] for one in wanted.desired if one.identity in strangers]
        own = {entry.identity for entry in person.entries}
        person = replace(
            person, entries=[*person.entries, *(one for one in known if one.identity not in own)]
        )
    return replace(person, desired_state=wanted, changes=compare(person.entries, wanted.desired))


def desired_state_of(
    person: PlannedPerson, destination: Destination, valid: Mapping[str, str] | None = None
) -> DesiredState:
    """What the hospital should hold of these records by the mapping of `destination`. `valid` gives digests,
    by identity, of content that needs no check, besides what was checked before.
    """
    known = {**_checked(person.entries), **(valid or {})}
    if person.cadre == CENTRE_KEY:
        return centre_desired_state(destination, destination.centre, known)
    records = without_unsent_withdrawn(person.records, destination.hospital.name, person.entries)
    return desired_state(destination, records, known, person.origins)


def without_unsent_withdrawn(
    records: Sequence[Record], hospital: str, entries: Sequence[LedgerEntry]
) -> list[Record]:
    """Without the referrals that were withdrawn before the hospital had anything of them: it would learn of
    the person by being told.
    """
    there = {entry.key for entry in entries if entry.kind == Referral.kind and _may_be_there(entry)}
    return [
        one
        for one in records
        if not (isinstance(one, Referral) and one.hospital == hospital and is_withdrawn(one))
        or one.key in there
    ]


def _may_be_there(entry: LedgerEntry) -> bool:
    is_held = entry.remote_id is not None or entry.delivered_digest is not None
    return is_held or entry.state in (EntryState.SENDING, EntryState.UNKNOWN)


def _checked(entries: Sequence[LedgerEntry]) -> dict[str, str]:
    """Digests, by identity, of content that was found valid and need not be checked again."""
    return {
        entry.identity: entry.desired_digest
        for entry in entries
        if entry.desired_digest and entry.state is not EntryState.PARKED and entry.reason != "invalid"
    }


def _origins(adapter: Adapter, cadres: Collection[str]) -> dict[str, dict[RecordKey, RecordOrigin]]:
    """Where each of these people's records came from. A file's name may be personal, so it becomes opaque."""
    return {
        cadre: {(one.kind, one.key): _origin(adapter, one) for one in stored}
        for cadre, stored in adapter.records.stored_of_cadres(cadres).items()
    }


def _origin(adapter: Adapter, stored: StoredRecord) -> RecordOrigin:
    return RecordOrigin(
        source=adapter.identities.of("", "source", "file", stored.source) if stored.source else None,
        sheet=stored.sheet,
        row=stored.row,
        imported_at=stored.imported_at,
    )
