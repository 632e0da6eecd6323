"""What a person was told, and when he is told again (`compare_alarms` is pure); all SQL on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, insert, select

from adapter.database import read_transaction, write_transaction
from adapter.ledger.schema import tables

__all__ = ["AlarmChanges", "AlarmKey", "AlarmState", "AlarmStore", "compare_alarms"]

_A = tables.alarm
_MUCH = 10  # more than when it was told, and twice as many: worth telling again

AlarmKey = tuple[str, str]  # hospital ("" for the adapter itself), code


@dataclass(frozen=True, slots=True)
class AlarmState:
    """A trouble that lasts: since when, how much, and what a person was last told of it."""

    since: datetime
    count: int
    told_at: datetime | None = None
    told_count: int | None = None


@dataclass(frozen=True)
class AlarmChanges:
    """What there is to tell: what began, goes on and should be said again, and ended. `alarms` are all that
    last, as they stand before anything is told.
    """

    alarms: Mapping[AlarmKey, AlarmState]
    began: Sequence[AlarmKey]
    again: Sequence[AlarmKey]
    ended: Sequence[AlarmKey]

    @property
    def is_news(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.began or self.again or self.ended)

    def after_sending(self, now: datetime) -> dict[AlarmKey, AlarmState]:
        """The bells once all of it was told."""
        said = {*self.began, *self.again}
        return {
            key: replace(bell, told_at=now, told_count=bell.count) if key in said else bell
            for key, bell in self.alarms.items()
        }

    def after_failed_sending(self, before: Mapping[AlarmKey, AlarmState]) -> dict[AlarmKey, AlarmState]:
        """The bells where telling failed: what ended is kept, so that it can be told next time."""
        return {**self.alarms, **{key: before[key] for key in self.ended}}


def compare_alarms(
    before: Mapping[AlarmKey, AlarmState],
    problems: Mapping[AlarmKey, tuple[datetime | None, int]],
    now: datetime,
    repeat: timedelta,
) -> AlarmChanges:
    """Compare what was known `before` with the `problems` there are: (since, how much) of each. Told when
    one begins, when it grows much, again every `repeat`, and when it ends.
    """
    bells, began, again = {}, [], []
    for key, (since, count) in problems.items():
        known = before.get(key)
        begin = min(known.since if known else now, since or now)
        bell = AlarmState(begin, count, known.told_at if known else None, known.told_count if known else None)
        bells[key] = bell
        if bell.told_at is None:
            began.append(key)
        elif abs(now - bell.told_at) >= repeat or _grew(bell):
            again.append(key)
    ended = [key for key, bell in before.items() if key not in problems and bell.told_at is not None]
    return AlarmChanges(bells, tuple(began), tuple(again), tuple(ended))


def _grew(bell: AlarmState) -> bool:
    told = bell.told_count or 0
    return bell.count >= 2 * told and bell.count - told >= _MUCH


class AlarmStore:
    """The troubles that last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> dict[AlarmKey, AlarmState]:
        """By hospital and code."""
        with read_transaction(self._engine) as connection:
            return {
                (row.hospital, row.code): AlarmState(
                    row.since, row._mapping["count"], row.told_at, row.told_count
                )
                for row in connection.execute(select(_A))
            }

    def put(self, bells: Mapping[AlarmKey, AlarmState], before: Mapping[AlarmKey, AlarmState]) -> None:
        """Keep these and no others; nothing is written where nothing changed since `before`."""
        if bells == before:
            return
        rows = [
            {
                "hospital": hospital,
                "code": code,
                "since": bell.since,
                "count": bell.count,
                "told_at": bell.told_at,
                "told_count": bell.told_count,
            }
            for (hospital, code), bell in bells.items()
        ]
        with write_transaction(self._engine) as connection:
            connection.execute(delete(_A))
            if rows:
                connection.execute(insert(_A), rows)
