"""All SQL on subscriptions but what notes and erases events (`changes`)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, and_, delete, func, insert, select, update

from adapter.database import read_transaction, write_transaction
from adapter.fhir import codec
from adapter.subscriptions.notification import NumberedChange
from adapter.subscriptions.retry import FailedTry
from adapter.subscriptions.tables import subscription, subscription_event

__all__ = ["StoredSubscription", "SubscriptionStore"]

_S, _E = subscription, subscription_event
_SHOWN = [column for column in _S.columns if column.name != "headers"]
_CHANGE = (_E.c.number, _E.c.at, _E.c.interaction, _E.c.type, _E.c.remote_id)
_AT_ONCE = 500  # events that get a number in one transaction
_ANEW = {"failures": 0, "failing_since": None, "problem": None, "due_at": None}


@dataclass(frozen=True, slots=True)
class StoredSubscription:
    """A subscription as it stands, without what its headers hold. `numbered` and `delivered` are event
    numbers: the last that was given, the last that the hospital took.
    """

    id: str
    hospital: str
    version: int
    updated: datetime
    status: str
    body: bytes
    numbered: int = 0
    delivered: int = 0
    failures: int = 0
    failing_since: datetime | None = None
    problem: str | None = None
    due_at: datetime | None = None
    contact_at: datetime | None = None

    @property
    def resource(self) -> codec.Resource:
        """What the hospital sent, masked."""
        found: codec.Resource = codec.loads(self.body)
        return found


class SubscriptionStore:
    """The subscriptions of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # -- what hospitals ask for ------------------------------------------------------------

    def of_hospital(self, hospital: str) -> list[StoredSubscription]:
        """All of a hospital's, the oldest first."""
        with read_transaction(self._engine) as connection:
            return self.listed(connection, hospital)

    @staticmethod
    def listed(connection: Connection, hospital: str) -> list[StoredSubscription]:
        """The same in the caller's transaction."""
        query = select(*_SHOWN).where(_S.c.hospital == hospital).order_by(_S.c.id)
        return [_stored(row) for row in connection.execute(query).all()]

    @staticmethod
    def locked(connection: Connection, hospital: str, id: str) -> StoredSubscription | None:
        """One, which nobody changes before the caller's transaction ends."""
        query = select(*_SHOWN).where(_S.c.hospital == hospital, _S.c.id == id).with_for_update()
        row = connection.execute(query).first()
        return _stored(row) if row else None

    @staticmethod
    def header_lines(connection: Connection, id: str) -> list[str]:
        """What its notifications carry. Not to be shown to anybody."""
        return _unpacked(connection.execute(select(_S.c.headers).where(_S.c.id == id)).scalar())

    @staticmethod
    def add(connection: Connection, one: StoredSubscription, lines: Sequence[str]) -> None:
        """A new one."""
        values = {column.name: getattr(one, column.name) for column in _SHOWN}
        connection.execute(insert(_S).values(**values, headers=_packed(lines)))

    @staticmethod
    def replace(connection: Connection, one: StoredSubscription, lines: Sequence[str]) -> None:
        """The hospital sent it anew: the next version, begun again, with the events that wait for it."""
        values = {"version": one.version, "updated": one.updated, "status": one.status, "body": one.body}
        connection.execute(
            update(_S)
            .where(_S.c.id == one.id)
            .values(**values, **_ANEW, contact_at=None, headers=_packed(lines))
        )
        if one.status == "off":
            _end(connection, one.id)

    @staticmethod
    def remove(connection: Connection, id: str) -> None:
        """It is gone, with all its events."""
        connection.execute(delete(_S).where(_S.c.id == id))
        connection.execute(delete(_E).where(_E.c.subscription == id))

    # -- notifying -------------------------------------------------------------------------

    def number_events(self, id: str) -> StoredSubscription | None:
        """Give its events that have none the next numbers, the oldest first, and say how it stands then; None
        where it is gone. For whoever has the turn to notify the hospital.
        """
        waiting = and_(_E.c.subscription == id, _E.c.number.is_(None))
        with read_transaction(self._engine) as connection:
            if connection.execute(select(_E.c.id).where(waiting).limit(1)).first() is None:
                row = connection.execute(select(*_SHOWN).where(_S.c.id == id)).first()
                return _stored(row) if row else None
        with write_transaction(self._engine) as connection:
            # deliveries that note events meanwhile need not wait for it
            mine = select(*_SHOWN).where(_S.c.id == id).with_for_update(key_share=True)
            row = connection.execute(mine).first()
            if row is None:
                return None
            found = select(_E.c.id).where(waiting).order_by(_E.c.id).limit(_AT_ONCE).with_for_update()
            number = row.numbered
            for number, event in enumerate(connection.execute(found).scalars().all(), row.numbered + 1):
                connection.execute(update(_E).where(_E.c.id == event).values(number=number))
            connection.execute(update(_S).where(_S.c.id == id).values(numbered=number))
            return _stored(row, numbered=number)

    def changes(self, id: str, first: int, last: int, limit: int) -> list[NumberedChange]:
        """Events with these numbers, in order, at most `limit`."""
        query = (
            select(*_CHANGE)
            .where(_E.c.subscription == id, _E.c.number >= first, _E.c.number <= last)
            .order_by(_E.c.number)
            .limit(limit)
        )
        with read_transaction(self._engine) as connection:
            return [NumberedChange(*row) for row in connection.execute(query).all()]

    def lines_of(self, id: str, version: int) -> list[str] | None:
        """See `header_lines`; None where that version is the newest no more, or gone."""
        query = select(_S.c.headers).where(_S.c.id == id, _S.c.version == version)
        with read_transaction(self._engine) as connection:
            found = connection.execute(query).first()
        return None if found is None else _unpacked(found.headers)

    def one(self, id: str) -> StoredSubscription | None:
        """One as it stands now; None where it is gone."""
        with read_transaction(self._engine) as connection:
            row = connection.execute(select(*_SHOWN).where(_S.c.id == id)).first()
        return _stored(row) if row else None

    def taken(self, one: StoredSubscription, number: int, now: datetime) -> bool:
        """The hospital took a notification with the events up to `number`; False where the subscription was
        changed meanwhile, or more of it was taken, and this is nothing to it.
        """
        values = {**_ANEW, "delivered": number, "contact_at": now}
        with write_transaction(self._engine) as connection:
            return _write(connection, one, values, "active", now, _S.c.delivered <= number)

    def failed(self, one: StoredSubscription, after: FailedTry, problem: str, now: datetime) -> bool:
        """It did not; the same."""
        values = {"failures": after.failures, "problem": problem[:40], "due_at": after.due_at}
        values["failing_since"] = one.failing_since or now
        with write_transaction(self._engine) as connection:
            return _write(connection, one, values, after.status, now)

    def turn_off(self, one: StoredSubscription, problem: str, now: datetime) -> bool:
        """It has ended: what waits for it is told nobody."""
        with write_transaction(self._engine) as connection:
            done = _write(connection, one, {**_ANEW, "problem": problem}, "off", now)
            if done:
                _end(connection, one.id)
            return done

    def purge(self, before: datetime) -> int:
        """Forget events of before that moment that were taken; how many. What waits stays."""
        taken = select(_S.c.id).where(_S.c.id == _E.c.subscription, _S.c.delivered >= _E.c.number).exists()
        with read_transaction(self._engine) as connection:
            if connection.execute(select(_E.c.id).where(_E.c.at < before, taken).limit(1)).first() is None:
                return 0
        old = select(_E.c.id).where(_E.c.at < before, taken).with_for_update(skip_locked=True)
        with write_transaction(self._engine) as connection:
            return connection.execute(delete(_E).where(_E.c.id.in_(old))).rowcount

    # -- looking ---------------------------------------------------------------------------

    def with_waiting(self, hospital: str) -> list[tuple[StoredSubscription, int]]:
        """Each of a hospital's, with how many events have no number yet."""
        waiting = select(_E.c.subscription, func.count()).where(_E.c.number.is_(None))
        with read_transaction(self._engine) as connection:
            found = self.listed(connection, hospital)
            theirs = waiting.where(_E.c.subscription.in_([one.id for one in found]))
            counts = {row[0]: int(row[1]) for row in connection.execute(theirs.group_by(_E.c.subscription))}
        return [(one, counts.get(one.id, 0)) for one in found]

    def in_error(self) -> Mapping[str, tuple[int, datetime | None]]:
        """By hospital, how many are in error, and since when its server takes nothing."""
        query = (
            select(_S.c.hospital, func.count(), func.min(_S.c.failing_since))
            .where(_S.c.status == "error")
            .group_by(_S.c.hospital)
        )
        with read_transaction(self._engine) as connection:
            return {row[0]: (row[1], row[2]) for row in connection.execute(query)}

    @staticmethod
    def all_bodies(connection: Connection) -> Iterator[tuple[str, bytes, str]]:
        """Of each the id, the resource, and what its headers hold; nobody changes one before the caller's
        transaction ends.
        """
        query = select(_S.c.id, _S.c.body, _S.c.headers).order_by(_S.c.id).with_for_update()
        for row in connection.execute(query).all():
            yield row.id, row.body, (row.headers or b"").decode("utf-8", "replace")

    @staticmethod
    def put_body(connection: Connection, id: str, body: bytes) -> None:
        """It says this from now on, and goes on as it stands."""
        connection.execute(update(_S).where(_S.c.id == id).values(body=body))


def _packed(lines: Sequence[str]) -> bytes | None:
    return codec.dumps(list(lines)) if lines else None


def _unpacked(headers: bytes | None) -> list[str]:
    return [str(line) for line in codec.loads(headers)] if headers else []


def _stored(row: Row[Any], **changed: Any) -> StoredSubscription:
    return StoredSubscription(**{**row._mapping, **changed})


def _write(
    connection: Connection,
    one: StoredSubscription,
    values: Mapping[str, Any],
    status: str,
    now: datetime,
    *more: ColumnElement[bool],
) -> bool:
    """Where nobody else has written it since; another status is another version."""
    fresh = {"status": status, "version": one.version + 1, "updated": now} if status != one.status else {}
    same = and_(_S.c.id == one.id, _S.c.version == one.version, *more)
    return bool(connection.execute(update(_S).where(same).values(**values, **fresh)).rowcount)


def _end(connection: Connection, id: str) -> None:
    """What has no number goes, what has one counts as taken: from there numbers go on if it begins again."""
    connection.execute(delete(_E).where(_E.c.subscription == id, _E.c.number.is_(None)))
    connection.execute(update(_S).where(_S.c.id == id).values(delivered=_S.c.numbered))
