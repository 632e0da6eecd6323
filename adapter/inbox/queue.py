"""Which items are looked at next. Hospitals take turns, so that one's flood delays no other's item.

Nothing here grows with what waits: an item is looked at when it is new, when a name that it awaits arrives,
and otherwise after ever longer pauses, at most once a day.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from time import monotonic

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, func, select, update

from adapter.awaited import has_arrivals, take_arrivals
from adapter.database import read_transaction, write_transaction
from adapter.inbox.store import InboxItem, inbox_item_of
from adapter.inbox.tables import inbox_item

__all__ = ["PATIENCE", "InboxQueue", "match_in_turns", "next_look"]

PATIENCE = 5  # failures in a row, after which the item waits for a person
_FIRST_LOOK = timedelta(minutes=5)
_LONGEST_PAUSE = timedelta(days=1)
_FIRST_TRY = timedelta(seconds=30)
_TURN_SECONDS = 0.1
_PAGE = 20
_CHUNK = 500

_I = inbox_item.c
_FOLLOWING = select(func.min(_I.hospital)).where(_I.hospital > bindparam("name"), _I.due_at.is_not(None))
_IS_DUE = select(_I.id).where(_I.hospital == bindparam("name"), _I.due_at <= bindparam("now")).limit(1)

_DUE = (
    select(inbox_item)
    .where(_I.hospital == bindparam("name"), _I.due_at <= bindparam("now"))
    .order_by(_I.due_at, _I.id)
    .limit(bindparam("limit"))
)


def next_look(looks: int, now: datetime) -> datetime:
    """When an item that was looked at so often, and has nobody yet, is looked at again unasked."""
    pause: timedelta = _FIRST_LOOK * 4 ** min(looks, 5)
    return now + min(pause, _LONGEST_PAUSE)


class InboxQueue:
    """The items of one database that are due."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def hospitals(self, now: datetime) -> list[str]:
        """The hospitals of which something is due."""
        with read_transaction(self._engine) as connection:
            return list(self._hospitals(connection, now))

    def _hospitals(self, connection: Connection, now: datetime) -> Iterator[str]:
        name = ""
        while (found := connection.execute(_FOLLOWING, {"name": name}).scalar()) is not None:
            name = str(found)
            if connection.execute(_IS_DUE, {"name": name, "now": now}).first() is not None:
                yield name

    def due(self, hospital: str, now: datetime, limit: int = _PAGE) -> Sequence[InboxItem]:
        """What of a hospital is due, for the longest first."""
        wanted = {"name": hospital, "now": now, "limit": limit}
        with read_transaction(self._engine) as connection:
            rows = connection.execute(_DUE, wanted).all()
        return [inbox_item_of(row) for row in rows]

    def wake_awaiting(self, now: datetime, limit: int = _CHUNK) -> None:
        """What awaited a name that arrived is due."""
        with read_transaction(self._engine) as connection:
            if not has_arrivals(connection):
                return
        with write_transaction(self._engine) as connection:
            items = take_arrivals(connection, limit)
            for start in range(0, len(items), _CHUNK):
                mine = _I.id.in_(items[start : start + _CHUNK])
                connection.execute(update(inbox_item).where(mine, *_waiting()).values(due_at=now))

    @staticmethod
    def wake_all(connection: Connection, now: datetime, hospital: str | None = None) -> None:
        """All that waits for a person is due, of one hospital or of all: it is read by other settings now."""
        mine = [_I.hospital == hospital] if hospital else []
        connection.execute(update(inbox_item).where(*_waiting(), *mine).values(due_at=now))

    def record_failure(self, item: InboxItem, now: datetime) -> None:
        """Count an attempt that failed inside the adapter: it is tried again after ever longer pauses, then
        waits for a person.
        """
        failures = item.failures + 1
        values = {"failures": failures, "due_at": now + _FIRST_TRY * 4 ** (failures - 1)}
        if failures >= PATIENCE:
            values |= {
                "state": "unmatched",
                "reasons": '["processing-failed"]',
                "settled_at": now,
                "settled_by": "matching",
                "due_at": None,
            }
        undecided = (_I.id == item.id) & _I.state.in_(("new", "unmatched"))
        with write_transaction(self._engine) as connection:
            connection.execute(update(inbox_item).where(undecided).values(values))


def _waiting() -> tuple[ColumnElement[bool], ...]:
    """What is looked at again some time; not what waits for a person alone."""
    return _I.state == "unmatched", _I.due_at.is_not(None)


def match_in_turns(
    queue: InboxQueue,
    process: Callable[[InboxItem], str],
    clock: Callable[[], datetime],
    *,
    seconds: float | None = None,
    stop: Callable[[], bool] = lambda: False,
    after: str = "",
    pause: Callable[[], None] = lambda: None,
) -> Counter[str]:
    """Call `process` with all that is due, for at most so many seconds (None: until nothing is) or until told
    to stop; counts by what it answered. A hospital's turn ends with the first item after a tenth of a second,
    so nobody waits longer for others' items than that for each hospital. The first turn is that of the
    hospital `after` this one. After each item there is a `pause`.
    """
    done: Counter[str] = Counter()
    ends = monotonic() + seconds if seconds is not None else None

    def is_over() -> bool:
        return stop() or (ends is not None and monotonic() >= ends)

    while not is_over() and (names := queue.hospitals(clock())):
        for name in sorted(names, key=lambda one: (one <= after, one)):
            for item in _turn(queue, name, clock()):
                done[process(item)] += 1
                pause()
                if is_over():
                    return done
    return done


def _turn(queue: InboxQueue, hospital: str, now: datetime) -> Iterator[InboxItem]:
    """The hospital's next items, until its time is over."""
    ends = monotonic() + _TURN_SECONDS
    for item in queue.due(hospital, now):
        yield item
        if monotonic() >= ends:
            return
