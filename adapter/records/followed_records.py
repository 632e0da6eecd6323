"""What is made of all records of a kind and kept in memory, for what no index of a database finds. It follows
the records by their change feed, and starts anew after an erasure: nothing stays of who left the records.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from adapter.database import read_transaction
from adapter.records.change_feed import RecordsState, records_state
from adapter.records.model import Record

if TYPE_CHECKING:
    from adapter.records.store import RecordStore

__all__ = ["Followed", "FollowedRecords"]

_PAGE = 2_000
_T = TypeVar("_T")


@dataclass(frozen=True)
class Followed(Generic[_T]):
    """By key what was made of each record, as the records were in `state` or, of some, later: another state
    is another object.
    """

    state: RecordsState
    by_key: Mapping[str, _T]


class FollowedRecords(Generic[_T]):
    """Keeps what `make` gives of each live record of a kind; None is not kept. Threads may ask at once."""

    def __init__(self, records: "RecordStore", kind: str, make: Callable[[Record], _T | None]) -> None:
        self._records = records
        self._kind = kind
        self._make = make
        self._lock = threading.Lock()
        self._known: Followed[_T] = Followed(RecordsState("", 0), {})
        self._is_new = True

    def current(self) -> Followed[_T]:
        """As the records are now."""
        with self._lock:
            with read_transaction(self._records.engine) as connection:
                state = records_state(connection)
            if self._is_new or state.mark != self._known.state.mark:
                self._known, self._is_new = Followed(state, dict(self._all())), False
            elif state.position > self._known.state.position:  # a reader of an older snapshot may come later
                self._known = Followed(state, self._changed(self._known))
            return self._known

    def _all(self) -> Iterator[tuple[str, _T]]:
        for one in self._records.stored_of_kind(self._kind):
            if one.record is not None and (made := self._make(one.record)) is not None:
                yield one.key, made

    def _changed(self, known: Followed[_T]) -> Mapping[str, _T]:
        found: dict[str, _T | None] = {}
        since = known.state.position
        while page := self._records.changed_records((self._kind,), since, _PAGE):
            for one in page:
                found[one.key] = None if one.record is None else self._make(one.record)
            since = page[-1].position
        if not found:
            return known.by_key
        both = {**known.by_key, **found}
        return {key: made for key, made in both.items() if made is not None}
