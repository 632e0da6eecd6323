"""People who share a national or insurance number."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapter.database import read_transaction
from adapter.pipeline.application import Adapter
from adapter.records.change_feed import records_state
from adapter.records.doubles import SharedNumber, shared_numbers
from adapter.records.model import Cadre

__all__ = ["Double", "DoubleSide", "find_doubles", "numbers_of_two"]


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
    shared = numbers_of_two(adapter)
    return [Double(one.ending, tuple(_side(adapter, key) for key in one.cadres)) for one in shared]


def numbers_of_two(adapter: Adapter) -> Sequence[SharedNumber]:
    """Numbers that more than one person has; looked for anew when the records have changed."""
    with read_transaction(adapter.engine) as connection:
        state = records_state(connection)

    def look() -> Sequence[SharedNumber]:
        with read_transaction(adapter.engine) as connection:
            return tuple(shared_numbers(connection))

    return adapter.remembered("numbers-of-two", state, look)


def _side(adapter: Adapter, key: str) -> DoubleSide:
    found = adapter.records.get(Cadre.kind, key)
    if not isinstance(found, Cadre):
        return DoubleSide(key, "", "", "")
    return DoubleSide(key, found.name, found.sex, str(found.birth_date))
