"""Whom the centre may not keep any more, as keyed hashes: enough to ask, not enough to know.

They stand among as many made-up ones, in blocks of one size, so that nobody without the centre's identity key
can tell one from the other, or how many people were erased. Nobody knows the names any more, so when that key
is changed each hash is hashed again under the new one, and a name is asked for under every key there was.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from adapter.errors import SettingsError
from adapter.fhir.identity import IdentityFactory
from adapter.records.model import Cadre
from adapter.records.tables import erased_name, record

__all__ = ["ErasedNames", "change_key_of_erased", "everybody", "is_erased"]

_BLOCK: Final = 256
_ANY: Final = (  # made once: it is asked of everything that comes in
    select(erased_name.c.hash).where(erased_name.c.hash.in_(bindparam("hashes", expanding=True))).limit(1)
)


class ErasedNames:
    """Keys and numbers of people who were erased as T0. On `connection`, inside the caller's transaction;
    `identities` is called when it is needed first. May raise SettingsError then.
    """

    def __init__(self, connection: Connection, identities: Callable[[], IdentityFactory]) -> None:
        self._connection = connection
        self._identities = identities
        self._made: IdentityFactory | None = None
        self._stored: set[str] = set(connection.execute(select(erased_name.c.hash)).scalars())

    def prepare(self, admitted: Iterable[str] = ()) -> None:
        """Lay in the first block, before there is anybody: whether there was anybody cannot be told later.
        Of these keys a person said that they may come back.
        """
        if not self._stored:
            with suppress(SettingsError):  # no identity key yet, so nothing was sent either
                self._add_block()
        self.forget(admitted, ())

    def holds_any(self, keys: Iterable[str], numbers: Iterable[str] = ()) -> bool:
        """Whether one of these keys, or numbers in normal form, is an erased person's."""
        return bool(self._stored) and not self._stored.isdisjoint(self._hashes(keys, numbers))

    def add(self, keys: Iterable[str], numbers: Iterable[str], sent: Iterable[str] = ()) -> None:
        """Remember the names of somebody who was erased, each in the place of a made-up one. `sent` are those
        under which a hospital knows the person, after its own name and a bar.
        """
        named = [*self._listed(keys, numbers), *(self._hash("sent", one) for one in sent)]
        fresh = {one[-1] for one in named if self._stored.isdisjoint(one)}
        while len(free := self._decoys()) < len(fresh):
            self._add_block()
        self._replace(free[: len(fresh)], sorted(fresh))

    def forget(self, keys: Iterable[str], numbers: Iterable[str]) -> None:
        """The person may come back."""
        keys, numbers = list(keys), list(numbers)
        if not self._stored or not (keys or numbers):
            return
        gone = sorted(self._stored.intersection(self._hashes(keys, numbers)))
        made = (self._decoy(number) for number in count())
        free = (one for one in made if one not in self._stored)
        self._replace(gone, [next(free) for _ in gone])

    def _replace(self, old: Sequence[str], new: Sequence[str]) -> None:
        """All are written anew in their order: nor does a row's place or age tell which is made up."""
        if new:
            self._stored = self._stored.difference(old).union(new)
            self._connection.execute(delete(erased_name))
            self._connection.execute(insert(erased_name), [{"hash": one} for one in sorted(self._stored)])

    def _add_block(self) -> None:
        first = len(self._stored)
        self._replace((), [self._decoy(number) for number in range(first, first + _BLOCK)])

    def _decoys(self) -> list[str]:
        made = (one for number in range(len(self._stored)) for one in self._hash("made-up", str(number)))
        return sorted({one for one in made if one in self._stored})

    def _decoy(self, number: int) -> str:
        return self._hash("made-up", str(number))[-1]

    def _hashes(self, keys: Iterable[str], numbers: Iterable[str]) -> list[str]:
        """Under every key there was."""
        return [one for of_key in self._listed(keys, numbers) for one in of_key]

    def _listed(self, keys: Iterable[str], numbers: Iterable[str]) -> list[list[str]]:
        named = [self._hash("key", key.casefold()) for key in keys if key]
        return named + [self._hash("number", number) for number in numbers]

    def _hash(self, kind: str, value: str) -> list[str]:
        if self._made is None:
            self._made = self._identities()
        return _hash(self._made, kind, value)


def change_key_of_erased(connection: Connection, new: IdentityFactory) -> None:
    """Every hash under the key so far is hashed again under `new`, in the caller's transaction."""
    stored = connection.execute(select(erased_name.c.hash)).scalars().all()
    if stored:
        connection.execute(delete(erased_name))
        fresh = sorted(_again(new, one) for one in stored)
        connection.execute(insert(erased_name), [{"hash": one} for one in fresh])


def everybody(connection: Connection) -> list[str]:
    """The keys of all people of whom there is or was a record."""
    return list(connection.execute(select(record.c.key).where(record.c.kind == Cadre.kind)).scalars())


def is_erased(
    connection: Connection, identities: IdentityFactory, *, numbers: Iterable[str], sent: Iterable[str]
) -> bool:
    """Whether one of these names, as in `ErasedNames.add`, is an erased person's."""
    names = [("number", one) for one in numbers] + [("sent", one) for one in sent]
    hashes = [one for kind, value in names for one in _hash(identities, kind, value)]
    for start in range(0, len(hashes), _BLOCK):
        if connection.execute(_ANY, {"hashes": hashes[start : start + _BLOCK]}).first() is not None:
            return True
    return False


def _hash(identities: IdentityFactory, kind: str, value: str) -> list[str]:
    """Under every key there was, the one in use last; each but that was hashed again at every change."""
    found: list[str] = []
    for one in (*identities.formers, identities):
        found = [*(_again(one, before) for before in found), one.of("", "erased", kind, value)]
    return found


def _again(identities: IdentityFactory, before: str) -> str:
    return identities.of("", "erased", "again", before)
