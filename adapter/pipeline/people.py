"""Everybody with changes, page by page: their records, what a hospital should hold, and what is new."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

from adapter.ledger.diff import Action, Change, compare
from adapter.ledger.model import STRANGER, Entry
from adapter.ledger.state import State
from adapter.pipeline.circle import Key
from adapter.pipeline.links import links
from adapter.pipeline.opened import Adapter, Outlet
from adapter.pipeline.wishes import Origin, Wishes, centre_wishes, wishes
from adapter.records.model import Record
from adapter.records.store import StoredRecord

__all__ = ["NOBODY", "Changed", "Person", "everybody", "in_pages", "pages", "some", "wishes_of"]

NOBODY = ""  # whose shipment the centre's own resources are: no person has this key
_PAGE = 50  # people planned in one transaction
_FIRST_PAGES = (4, 8, 16, 32)  # what is planned can be delivered, which begins at once
_AHEAD = 1_000  # people asked for at a time: to find who is next, all that changed is gone through

Changed = tuple[str, int]  # a person, and the position of the newest change


@dataclass(frozen=True)
class Person:
    """One person's part of a plan; `position` is that of the newest change in the feed."""

    cadre: str
    position: int
    records: Sequence[Record]
    origins: Mapping[Key, Origin]
    entries: Sequence[Entry]
    losers: Sequence[str] = ()  # who was merged into this person and stays at the hospital with a link
    wishes: Wishes = field(default_factory=Wishes)
    changes: list[Change] = field(default_factory=list)

    def leaving(self) -> list[Change]:
        """The changes that take away what records or policy say must go, whatever the mapping says: also what
        the hospital holds as another's, since it cannot be told now whose it is.
        """
        records = {(record.kind, record.key) for record in self.records}
        stays = records - set(self.wishes.withheld or {})
        going = ((one, one.entry) for one in self.changes if one.action in (Action.RETRACT, Action.DROP))
        anothers = [one for one in self.entries if one.cadre != self.cadre and _record(one) != STRANGER]
        return [
            *(
                change
                for change, entry in going
                if entry is not None and entry.cadre == self.cadre and _record(entry) not in stays
            ),
            *compare(anothers, ()),
        ]


def pages(adapter: Adapter, outlet: Outlet, since: int) -> Iterator[list[Person]]:
    """Everybody with a change after `since`, in pages; from the start on, the centre itself before them."""
    name = outlet.hospital.name
    if since == 0:
        yield [_nobody(adapter, outlet)]
    strangers = _strangers(adapter, name)
    sizes = chain(_FIRST_PAGES, repeat(_PAGE))
    while changed := adapter.records.changed_cadres(since, _AHEAD):
        for page in in_pages(changed, sizes):
            yield _people(adapter, outlet, page, strangers)
        since = changed[-1][1]


def in_pages(changed: Sequence[Changed], sizes: Iterator[int]) -> Iterator[Sequence[Changed]]:
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
    adapter: Adapter, outlet: Outlet, page: Sequence[Changed], strangers: Mapping[str, Entry]
) -> list[Person]:
    cadres = [cadre for cadre, _ in page]
    origins = _origins(adapter, cadres) if outlet.rules.tells_origin else {}
    records = adapter.records.of_cadres(cadres)
    entries = _lines(adapter, outlet.hospital.name, records)
    losers = adapter.records.merges.losers_of(cadres) if outlet.hospital.merged == "link" else {}
    people = (
        Person(cadre, position, records[cadre], origins.get(cadre, {}), entries[cadre], losers.get(cadre, ()))
        for cadre, position in page
    )
    return [_planned(outlet, person, strangers) for person in people]


def _lines(
    adapter: Adapter, hospital: str, records: Mapping[str, Sequence[Record]]
) -> dict[str, list[Entry]]:
    """The ledger's lines of these people, by whose record each is of: one of a record that was given to
    somebody else may stand under its former owner, who leaves it to the new one.
    """
    found = adapter.ledger.entries(hospital, list(records))
    gone: set[Key] = set()
    for cadre, listed in found.items():
        gone |= {_record(entry) for entry in listed} - {(one.kind, one.key) for one in records[cadre]}
    given = adapter.records.moved_of(gone) if gone else {}
    lines = {
        cadre: [entry for entry in listed if given.get(_record(entry), cadre) == cadre]
        for cadre, listed in found.items()
    }
    whose = adapter.records.moved_to(list(records))
    for entry in adapter.ledger.of_records(hospital, whose):
        if entry.cadre != (cadre := whose[_record(entry)]):
            lines[cadre].append(entry)
    return lines


def _record(entry: Entry) -> Key:
    return entry.kind, entry.key


def _strangers(adapter: Adapter, hospital: str) -> dict[str, Entry]:
    """Lines, by identity, of what the hospital held of ours when no record was known for it."""
    return {one.identity: one for one in adapter.ledger.of_records(hospital, [STRANGER])}


def some(adapter: Adapter, outlet: Outlet, cadres: Collection[str]) -> Iterator[Person]:
    """These people; the centre, if it is among them."""
    if NOBODY in cadres:
        yield _nobody(adapter, outlet)
    strangers = _strangers(adapter, outlet.hospital.name) if cadres else {}
    for cadre in cadres:
        if cadre != NOBODY:
            yield from _people(adapter, outlet, [(cadre, 0)], strangers)


def everybody(adapter: Adapter, outlet: Outlet) -> Iterator[Person]:
    """Everybody there is a record of, and the centre."""
    for page in pages(adapter, outlet, 0):
        yield from page


def _nobody(adapter: Adapter, outlet: Outlet) -> Person:
    """The centre itself."""
    entries = adapter.ledger.entries(outlet.hospital.name, [NOBODY])[NOBODY]
    return _planned(outlet, Person(NOBODY, 0, (), {}, entries))


def _planned(outlet: Outlet, person: Person, strangers: Mapping[str, Entry] | None = None) -> Person:
    wanted = wishes_of(person, outlet)
    if person.losers:
        linked = links(outlet, wanted.desired, person.losers, person.entries)
        wanted = replace(wanted, desired=(*wanted.desired, *linked))
    if strangers:
        known = [strangers[wish.identity] for wish in wanted.desired if wish.identity in strangers]
        own = {entry.identity for entry in person.entries}
        person = replace(
            person, entries=[*person.entries, *(one for one in known if one.identity not in own)]
        )
    return replace(person, wishes=wanted, changes=compare(person.entries, wanted.desired))


def wishes_of(person: Person, outlet: Outlet, valid: Mapping[str, str] | None = None) -> Wishes:
    """What the hospital should hold of these records by the mapping of `outlet`. `valid` gives digests, by
    identity, of content that needs no check, besides what was checked before.
    """
    known = {**_checked(person.entries), **(valid or {})}
    if person.cadre == NOBODY:
        return centre_wishes(outlet, outlet.centre, known)
    return wishes(outlet, person.records, known, person.origins)


def _checked(entries: Sequence[Entry]) -> dict[str, str]:
    """Digests, by identity, of content that was found valid and need not be checked again."""
    return {
        entry.identity: entry.desired_digest
        for entry in entries
        if entry.desired_digest and entry.state is not State.PARKED and entry.reason != "invalid"
    }


def _origins(adapter: Adapter, cadres: Collection[str]) -> dict[str, dict[Key, Origin]]:
    """Where each of these people's records came from. A file's name may be personal, so it becomes opaque."""
    return {
        cadre: {(one.kind, one.key): _origin(adapter, one) for one in stored}
        for cadre, stored in adapter.records.stored_of_cadres(cadres).items()
    }


def _origin(adapter: Adapter, stored: StoredRecord) -> Origin:
    return Origin(
        source=adapter.identities.of("", "source", "file", stored.source) if stored.source else None,
        sheet=stored.sheet,
        row=stored.row,
        imported_at=stored.imported_at,
    )
