"""Hospitals' rows in the ledger: how far planning got, whether and how fast each is served. All SQL on them.

All workers share the row, so it is written only for news: health when it changes, requests a second in
blocks.
"""

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, select, text, update

from adapter import audit
from adapter.database import read_transaction, write_transaction
from adapter.ledger.hospitals import circuit_breaker, token_bucket
from adapter.ledger.hospitals.circuit_breaker import (
    Admission,
    BreakerState,
    HospitalHealth,
    HospitalMode,
    PaceLimits,
)
from adapter.ledger.hospitals.token_bucket import TokenBucket
from adapter.ledger.hospitals.values import HospitalState
from adapter.ledger.schema import tables

__all__ = ["HospitalStore"]

_H = tables.hospital

_COLUMNS = [_H.c[name] for name in HospitalState.__dataclass_fields__]
_ROW = select(*_COLUMNS).where(_H.c.name == bindparam("b_name"))
_ROWS = select(*_COLUMNS).where(_H.c.name.in_(bindparam("b_names", expanding=True)))
_ROW_LOCKED = _ROW.with_for_update()
_NAMED = select(_H.c.name).where(_H.c.name == bindparam("b_name"))
_MAKE = text(
    "INSERT INTO ledger_hospital (name, planned_position, planned_version, failures) "
    "VALUES (:name, 0, '', 0) ON CONFLICT (name) DO NOTHING"  # another may be as quick
)
_PLANNED = (
    update(_H)
    .where(_H.c.name == bindparam("b_name"))
    .values(planned_position=bindparam("b_position"), planned_version=bindparam("b_version"))
)
_CONTACT_NEWS = timedelta(seconds=10)


def _unchecked() -> None:
    """Whatever it was when somebody looked."""


class HospitalStore:
    """What all workers must know of a hospital. Every method is one transaction, but those that take a
    connection, which take part in the caller's. `limits` by name: what the settings say; a hospital that
    is not among them has none. `jitter` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        engine: Engine,
        limits: Mapping[str, PaceLimits] | None = None,
        *,
        jitter: random.Random | None = None,
    ) -> None:
        self._engine = engine
        self._limits = limits or {}
        self._jitter = jitter or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._well: dict[str, datetime] = {}  # hospitals that this process knows to be well, since when

    def row(self, name: str) -> HospitalState:
        """The hospital's row; one that was never planned for has position 0."""
        with read_transaction(self._engine) as connection:
            return self._row(connection, name)

    def rows(self, names: Collection[str]) -> dict[str, HospitalState]:
        """The same of several, in one statement."""
        with read_transaction(self._engine) as connection:
            found = {row.name: row for row in connection.execute(_ROWS, {"b_names": list(names)})}
        return {
            name: HospitalState(**found[name]._mapping) if name in found else HospitalState(name)
            for name in names
        }

    @staticmethod
    def _row(connection: Connection, name: str, *, lock: bool = False) -> HospitalState:
        row = connection.execute(_ROW_LOCKED if lock else _ROW, {"b_name": name}).one_or_none()
        return HospitalState(**row._mapping) if row else HospitalState(name)

    def limits(self, name: str) -> PaceLimits:
        """What the settings say of its pace."""
        return self._limits.get(name, circuit_breaker.UNLIMITED)

    # -- whether it is served --------------------------------------------------------------

    def admission(self, name: str, now: datetime) -> Admission:
        """How many shipments may be in flight now over all workers; where none, why and until when."""
        row = self.row(name)
        return circuit_breaker.admission(row.health, self.limits(name), now, row.halted)

    def max_in_flight(self, connection: Connection, name: str, now: datetime) -> int:
        """How many shipments may be in flight at the hospital now over all workers: 0 where it is paused,
        outside its hours or its breaker is open, 1 while half-open. For who compares it with the leases
        that are held, and is the only one to do so until his transaction ends.
        """
        row = self._row(connection, name)
        health = row.health
        found = circuit_breaker.admission(health, self.limits(name), now, row.halted)
        if found.probing or not found.max_in_flight:
            self._well.pop(name, None)
        if found.probing and health.breaker is BreakerState.OPEN:
            opened = (_H.c.name == name) & (_H.c.breaker == BreakerState.OPEN)
            connection.execute(
                update(_H).where(opened).values(breaker=circuit_breaker.half_opened(health).breaker)
            )
        return found.max_in_flight

    def record_success(self, name: str, now: datetime) -> None:
        """The hospital answered as it should: a breaker that is half-open closes. Written, and even read,
        only when that may be news.
        """
        known = self._well.get(name)
        if known is not None and abs(now - known) < _CONTACT_NEWS:
            return
        state = self.row(name)
        recently = state.last_contact is not None and abs(now - state.last_contact) < _CONTACT_NEWS
        if not recently or circuit_breaker.after_success(state.health) != state.health:
            with write_transaction(self._engine) as connection:
                self.ensure(connection, name)
                state = self._row(connection, name, lock=True)
                self._put(connection, name, circuit_breaker.after_success(state.health), last_contact=now)
        if state.breaker != BreakerState.OPEN:
            self._well[name] = now

    def record_failure(
        self, name: str, why: str, *, retry_after: float | None = None, now: datetime
    ) -> HospitalHealth:
        """The hospital could not be reached, is busy or refuses our token: its breaker opens, longer after
        each failure in a row, and for `retry_after` seconds where it named a time.
        """
        self._well.pop(name, None)
        return self._change(
            name,
            lambda health: circuit_breaker.after_failure(
                health, why, retry_after, now, limits=self.limits(name), jitter=self._jitter.random()
            ),
        )

    def record_throttling(self, name: str, now: datetime) -> None:
        """The hospital said that this is too much at a time, in an answer that was tried again at once."""
        self._change(name, lambda health: circuit_breaker.after_throttling(health, self.limits(name), now))

    def allow_probe(self, name: str, now: datetime) -> None:
        """A person's run may try at once, unless the hospital asked to be left alone, or refuses our token:
        one shipment goes first.
        """

        def at_once(health: HospitalHealth) -> HospitalHealth:
            asked = circuit_breaker.pending_until(health.asked_until, now)
            return health if asked or not health.not_before else circuit_breaker.without_wait(health)

        self._change(name, at_once)

    def record_token_mark(self, name: str, mark: str, now: datetime) -> None:
        """`mark` changes with the token in the settings: where the hospital refused the former one, it is
        tried again at once.
        """
        marked = select(_H.c.token_mark).where(_H.c.name == name)
        with read_transaction(self._engine) as connection:
            if connection.execute(marked).scalar_one_or_none() == mark:
                return
        with write_transaction(self._engine) as connection:
            self.ensure(connection, name)
            health = self._row(connection, name, lock=True).health
            refused = health.last_error == "auth" and health.breaker is BreakerState.OPEN
            self._put(
                connection, name, circuit_breaker.without_wait(health) if refused else health, token_mark=mark
            )

    def _change(self, name: str, how: Callable[[HospitalHealth], HospitalHealth]) -> HospitalHealth:
        """The row's health as `how` changes it, written where it does."""
        with write_transaction(self._engine) as connection:
            self.ensure(connection, name)
            before = self._row(connection, name, lock=True).health
            after = how(before)
            if after != before:
                self._put(connection, name, after)
        return after

    @staticmethod
    def _put(connection: Connection, name: str, health: HospitalHealth, **more: Any) -> None:
        connection.execute(update(_H).where(_H.c.name == name).values(**asdict(health), **more))

    # -- how fast --------------------------------------------------------------------------

    def reserve_requests(self, name: str, count: int) -> float:
        """Reserve `count` requests: seconds until the first may go; the others follow at the hospital's
        rate. By the clock of the database, since those of several hosts differ.
        """
        rate = self.limits(name).per_second
        with write_transaction(self._engine) as connection:
            self.ensure(connection, name)
            columns = select(_H.c.tokens, _H.c.tokens_at).where(_H.c.name == name).with_for_update()
            row = connection.execute(columns).one()
            held = (
                TokenBucket(row.tokens, row.tokens_at) if row.tokens_at and row.tokens is not None else None
            )
            bucket, wait = token_bucket.reserve_tokens(held, self._now(connection), rate, count)
            connection.execute(
                update(_H).where(_H.c.name == name).values(tokens=bucket.tokens, tokens_at=bucket.at)
            )
        return wait

    @staticmethod
    def _now(connection: Connection) -> datetime:
        if connection.dialect.name == "postgresql":
            at: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            return at
        return datetime.now(UTC)  # SQLite: one host

    def record_answers(self, name: str, *, good: int, entries: int | None, now: datetime) -> HospitalState:
        """`good` answers came in time; `entries` is the new size of a Bundle, None where it stays. Returns
        the row, written only where it changes.
        """
        with write_transaction(self._engine) as connection:
            self.ensure(connection, name)
            state = self._row(connection, name, lock=True)
            after = (
                circuit_breaker.after_good_answers(state.health, self.limits(name), good, now)
                if good
                else state.health
            )
            size = state.entries if entries is None else entries
            if (after, size) == (state.health, state.entries):
                return state
            self._put(connection, name, after, entries=size)
            return self._row(connection, name)

    # -- what a person says ----------------------------------------------------------------

    def set_mode(
        self,
        name: str,
        mode: HospitalMode,
        *,
        by: str,
        note: str | None,
        now: datetime,
        unchanged: Callable[[], None] = _unchecked,
    ) -> None:
        """Pause, drain or resume. Audited; the note is not, being words. `unchanged` may raise while the row
        is locked: then nothing is done.
        """
        with write_transaction(self._engine) as connection:
            self.ensure(connection, name)
            self._row(connection, name, lock=True)
            unchanged()
            values = {
                "mode": mode,
                "mode_by": by[:100],
                "mode_at": now,
                "mode_note": (note or "")[:200] or None,
            }
            connection.execute(update(_H).where(_H.c.name == name).values(**values))
            audit.append(connection, at=now, actor=by, action=f"hospital.{mode}", hospital=name)
        self._well.pop(name, None)

    def reset(self, name: str, *, by: str, now: datetime, unchanged: Callable[[], None] = _unchecked) -> None:
        """Close the breaker by hand, forget what was learnt of its pace. Audited; `unchanged` as above."""
        with write_transaction(self._engine) as connection:
            self.ensure(connection, name)
            health = circuit_breaker.after_reset(self._row(connection, name, lock=True).health)
            unchanged()
            self._put(connection, name, health, entries=None, tokens=None, tokens_at=None)
            audit.append(connection, at=now, actor=by, action="hospital.reset", hospital=name)
        self._well.pop(name, None)

    # -- planning --------------------------------------------------------------------------

    @staticmethod
    def ensure(connection: Connection, name: str) -> None:
        """Make the hospital's row where there is none."""
        if connection.execute(_NAMED, {"b_name": name}).one_or_none() is None:
            connection.execute(_MAKE, {"name": name})

    @staticmethod
    def record_plan_position(connection: Connection, name: str, *, position: int, version: str) -> None:
        """Planning got as far as feed `position` under plan `version`."""
        HospitalStore.ensure(connection, name)
        where = {"b_name": name, "b_position": position, "b_version": version}
        connection.execute(_PLANNED, where)
