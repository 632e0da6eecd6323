"""A T0 row whose key is somebody else's: erasing by it would destroy the records of that person for good."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from adapter.errors import ImportRefused
from adapter.person_names import names_agree
from adapter.records.importing.hidden_people import HiddenRow, PersonWords
from adapter.records.importing.stored_records import StoredRecords
from adapter.records.model import Cadre
from adapter.records.serialisation import parse_record

__all__ = ["refuse_others_keys"]

_PAGE = 500
_NAMED = 10


@dataclass(frozen=True, slots=True)
class _Owner:
    """Who has a key, in the store or in a row that is not T0's."""

    person: PersonWords
    name: str


def refuse_others_keys(
    rows: Sequence[HiddenRow], others: Collection[PersonWords], stored: StoredRecords, key_space: str
) -> None:
    """Raise ImportRefused where a T0 row has the key of somebody else: of a stored person, or of one of the
    `others` in the files, who by their own rows are not T0. Only rows are named.
    """
    beside: dict[str, list[_Owner]] = {}
    for one in others:
        beside.setdefault(one.key, []).append(_Owner(one, one.name))
    owners: dict[str, list[_Owner]] = {}
    keys = sorted({f"{row.person.key}{key_space}" for row in rows if row.person.key})
    for owner in _stored(stored, keys):
        key = owner.person.key.removesuffix(key_space) if key_space else owner.person.key
        owners.setdefault(key, []).append(owner)
    wrong = [
        row
        for row in rows
        if _is_anothers(row.person, owners.get(row.person.key, ()))
        or not all(_is(row.person, one) for one in beside.get(row.person.key, ()))
    ]
    if wrong:
        named = ", ".join(f"{row.sheet} {row.number}" for row in wrong[:_NAMED])
        more = ", …" if len(wrong) > _NAMED else ""
        raise ImportRefused("import.hidden_key_of_another", rows=named + more)


def _stored(stored: StoredRecords, keys: Sequence[str]) -> Iterator[_Owner]:
    for start in range(0, len(keys), _PAGE):
        for _, body in stored.live_bodies(Cadre.kind, keys[start : start + _PAGE]):
            cadre = cast(Cadre, parse_record(Cadre.kind, body))
            yield _Owner(PersonWords.of_stored(cadre), cadre.name)


def _is(person: PersonWords, other: _Owner) -> bool:
    """Whether a row that says T0 and one that says another tier are one person's: not by the key alone."""
    return bool(person.name or person.birth_date or person.numbers) and _may_be(person, other)


def _is_anothers(person: PersonWords, owners: Collection[_Owner]) -> bool:
    return bool(owners) and not any(_may_be(person, owner) for owner in owners)


def _may_be(person: PersonWords, owner: _Owner) -> bool:
    """Whether more speaks for one person than against it: name, date of birth, numbers. A row that says none
    of them says nothing but the key.
    """
    said = []
    if person.name:
        said.append(names_agree((person.name, *person.readings), owner.name) is not False)
    if person.birth_date and owner.person.birth_date:
        said.append(person.birth_date == owner.person.birth_date)
    if person.numbers and owner.person.numbers:
        said.append(not person.numbers.isdisjoint(owner.person.numbers))
    return not said or sum(said) * 2 > len(said)
