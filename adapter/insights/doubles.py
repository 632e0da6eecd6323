"""People who share a national or insurance number."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapter.database import read_transaction
from adapter.pipeline.application import Adapter
from adapter.records.doubles import shared_numbers
from adapter.records.model import Cadre

__all__ = ["Double", "DoubleSide", "find_doubles"]


@dataclass(frozen=True, slots=True)
class DoubleSide:
    """One of the people: as much as tells whether it is the same person."""

    key: str
    name: str
    sex: str
    birth_date: str


@dataclass(frozen=True, slots=True)
class Double:
    """A number, as its last four characters, and who has it."""

    ending: str
    sides: tuple[DoubleSide, ...]


def find_doubles(adapter: Adapter) -> Sequence[Double]:
    """All of them, with both sides."""
    with read_transaction(adapter.engine) as connection:
        shared = shared_numbers(connection)
    return [Double(one.ending, tuple(_side(adapter, key) for key in one.cadres)) for one in shared]


def _side(adapter: Adapter, key: str) -> DoubleSide:
    found = adapter.records.get(Cadre.kind, key)
    if not isinstance(found, Cadre):
        return DoubleSide(key, "", "", "")
    return DoubleSide(key, found.name, found.sex, str(found.birth_date))
