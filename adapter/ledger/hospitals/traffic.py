"""How many requests went to a hospital in an hour, what became of them and how long the answers took; all SQL
on it. Nothing is known of a single request: counts by outcome and by classes of latency, kept for a month.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Engine, bindparam, delete, select, text

from adapter.database import read_transaction, write_transaction
from adapter.ledger.schema import tables

__all__ = ["KEPT", "LATENCY_CLASSES", "TrafficCell", "TrafficHour", "TrafficOutcome", "TrafficStore"]

KEPT: Final = timedelta(days=31)
LATENCY_CLASSES: Final = (100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000)
"""Milliseconds that an answer took at most; beyond the last there is one more class, 0."""

_T = tables.traffic
_ADD = text(
    "INSERT INTO hospital_traffic (hospital, hour, outcome, within_ms, requests) "
    "VALUES (:hospital, :hour, :outcome, :within_ms, :requests) "
    "ON CONFLICT (hospital, hour, outcome, within_ms) "
    "DO UPDATE SET requests = hospital_traffic.requests + excluded.requests"
).bindparams(bindparam("hour", type_=_T.c.hour.type))


class TrafficOutcome(StrEnum):
    """What became of a request."""

    DONE = "done"
    REFUSED = "refused"  # for what it asked
    BUSY = "busy"  # asked to come again later
    FAILED = "failed"  # the server had trouble
    SILENT = "silent"  # no whole answer

    @classmethod
    def of_status(cls, status: int | None) -> "TrafficOutcome":
        """By the status of the answer; None: there was none."""
        if status is None:
            return cls.SILENT
        if status in (429, 503):
            return cls.BUSY
        return cls.FAILED if status >= 500 else cls.REFUSED if status >= 400 else cls.DONE


@dataclass(frozen=True, slots=True)
class TrafficCell:
    """Requests of one hour with the same outcome and of the same class of latency, which names the most
    milliseconds that they took; 0: more than all classes.
    """

    hour: datetime
    outcome: TrafficOutcome
    within_ms: int

    @classmethod
    def of_request(cls, at: datetime, status: int | None, seconds: float) -> "TrafficCell":
        """Where a request that was answered `at` this moment is counted."""
        took = seconds * 1_000
        within = next((most for most in LATENCY_CLASSES if took <= most), 0)
        hour = at.replace(minute=0, second=0, microsecond=0)
        return cls(hour, TrafficOutcome.of_status(status), within)


@dataclass(frozen=True, slots=True)
class TrafficHour:
    """An hour's requests by outcome, and those that were answered by class of latency, ascending; 0 last."""

    hour: datetime
    outcomes: Mapping[TrafficOutcome, int] = field(default_factory=dict)
    latencies: Mapping[int, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.outcomes.values())

    def within(self, share: float) -> int | None:
        """The class of latency in which that share of the answers is: 0.5 gives the median's. None without
        an answer; 0: longer than all classes.
        """
        answered, so_far = sum(self.latencies.values()), 0
        for most, count in self.latencies.items():
            so_far += count
            if so_far >= share * answered:
                return most
        return None


class TrafficStore:
    """The counts of all processes. Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, hospital: str, counted: Mapping[TrafficCell, int]) -> None:
        """Add what one process counted."""
        values = [
            {"hospital": hospital, "hour": cell.hour, "outcome": str(cell.outcome)}
            | {"within_ms": cell.within_ms, "requests": count}
            for cell, count in counted.items()
        ]
        if values:
            with write_transaction(self._engine) as connection:
                connection.execute(_ADD, values)

    def hours(self, hospital: str, since: datetime, until: datetime) -> Sequence[TrafficHour]:
        """The hours from `since` to `until` in which there were requests, in their order."""
        query = select(_T.c.hour, _T.c.outcome, _T.c.within_ms, _T.c.requests).where(
            _T.c.hospital == hospital, _T.c.hour >= since, _T.c.hour < until
        )
        with read_transaction(self._engine) as connection:
            rows = connection.execute(query).all()
        found: dict[datetime, Counter[tuple[TrafficOutcome, int]]] = defaultdict(Counter)
        for row in rows:
            found[row.hour][TrafficOutcome(row.outcome), row.within_ms] += row.requests
        return tuple(_hour(hour, found[hour]) for hour in sorted(found))

    def forget(self, hospital: str, before: datetime) -> int:
        """Forget the hours before that moment; returns how many counts."""
        with write_transaction(self._engine) as connection:
            return connection.execute(
                delete(_T).where(_T.c.hospital == hospital, before > _T.c.hour)
            ).rowcount


def _hour(hour: datetime, counts: Mapping[tuple[TrafficOutcome, int], int]) -> TrafficHour:
    outcomes: Counter[TrafficOutcome] = Counter()
    latencies: Counter[int] = Counter()
    for (outcome, within), count in counts.items():
        outcomes[outcome] += count
        if outcome is not TrafficOutcome.SILENT:
            latencies[within] += count
    ordered = {most: latencies[most] for most in _ascending() if latencies[most]}
    return TrafficHour(hour, dict(outcomes), ordered)


def _ascending() -> Iterator[int]:
    yield from LATENCY_CLASSES
    yield 0
