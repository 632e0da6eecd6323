"""How far a query has been read: the newest change met, kept with the records it brought."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from adapter.records.tables import record, source_cursor

__all__ = [
    "ChangeValue",
    "SourceCursor",
    "earlier_change",
    "later_change",
    "load_cursors",
    "next_value",
    "people_digest",
    "restart_value",
    "save_cursor",
]

ChangeValue = datetime | date | int | Decimal | str  # what a change column may hold
_SECOND = 19  # characters of a written time up to its seconds
_DIGITS = {12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


@dataclass(frozen=True, slots=True)
class SourceCursor:
    """Where the reading of one query stands.

    `version` is a digest of the query, `people` of whom the store knew: when either is another, what was
    read before says too little, and all is read again. `whole`: whether the last reading was of all.
    """

    source: str
    kind: str
    version: str
    people: str
    value: ChangeValue | None
    read_at: datetime
    rows: int
    whole: bool


def load_cursors(connection: Connection, source: str | None = None) -> dict[tuple[str, str], SourceCursor]:
    """The cursors (of a source) by (source, kind)."""
    query = select(source_cursor)
    if source is not None:
        query = query.where(source_cursor.c.source == source)
    found = {}
    for row in connection.execute(query):
        values = {**row._mapping, "value": None if row.value is None else _read_change(row.value)}
        found[row.source, row.kind] = SourceCursor(**values)
    return found


def save_cursor(connection: Connection, cursor: SourceCursor) -> None:
    """Put the cursor in the place of the one before."""
    table = source_cursor
    connection.execute(delete(table).where(table.c.source == cursor.source, table.c.kind == cursor.kind))
    values = {name: getattr(cursor, name) for name in table.c.keys()}  # noqa: SIM118 - a collection's names
    value = None if cursor.value is None else _write_change(cursor.value)
    connection.execute(insert(table).values({**values, "value": value}))


def people_digest(connection: Connection) -> str:
    """Digest of the keys of everybody that is known: another one, and somebody came or went."""
    query = (
        select(record.c.key)
        .where(record.c.kind == "cadre", record.c.deleted.is_(False))
        .order_by(record.c.key)
    )
    digest = blake2b(digest_size=16)
    for key in connection.execute(query).scalars():
        digest.update(key.encode() + b"\0")
    return digest.hexdigest()


def restart_value(value: ChangeValue, overlap: timedelta) -> ChangeValue:
    """From where to read again: a time moved back by the overlap, since what committed late may be older.
    A number (a version, a sequence) is taken as it is.
    """
    if isinstance(value, datetime):
        return value - overlap
    if isinstance(value, date):
        return (datetime(value.year, value.month, value.day) - overlap).date()  # noqa: DTZ001 - a day has no zone
    if isinstance(value, str):
        moment = _moment(value)
        return value if moment is None else _like(value, moment - overlap)
    return value


def next_value(
    before: ChangeValue | None,
    newest: ChangeValue | None,
    oldest_rejected: ChangeValue | None,
    now: datetime,
    zone: tzinfo,
) -> ChangeValue | None:
    """The next cursor: the newest change, but not past a row that was rejected, which may be corrected
    without being changed (a hospital missing in the settings), nor past now, should a clock be wrong.
    """
    value = later_change(before, newest)
    return (
        None
        if value is None
        else earlier_change(earlier_change(value, _now_like(value, now, zone)), oldest_rejected)
    )


def later_change(one: ChangeValue | None, other: ChangeValue | None) -> ChangeValue | None:
    """The later of two changes; the other one when the two cannot be compared."""
    if one is None or other is None:
        return one if other is None else other
    return max(one, other) if _alike(one, other) else other


def earlier_change(one: ChangeValue | None, other: ChangeValue | None) -> ChangeValue | None:
    """The earlier of two changes."""
    if one is None or other is None:
        return other if one is None else one
    if not _alike(one, other):
        return one
    return min(one, other)


def _alike(one: ChangeValue, other: ChangeValue) -> bool:
    """Whether the two can be compared."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return (one.tzinfo is None) == (other.tzinfo is None)
    numbers = isinstance(one, int | Decimal) and isinstance(other, int | Decimal)
    return numbers or type(one) is type(other)


def _now_like(value: ChangeValue | None, now: datetime, zone: tzinfo) -> ChangeValue | None:
    """Now in the form of a change, or None if it is no time."""
    here = now.astimezone(zone).replace(tzinfo=None)
    if isinstance(value, datetime):
        return now if value.tzinfo else here
    if isinstance(value, date):
        return here.date()
    if isinstance(value, str) and (moment := _moment(value)) is not None:
        return _like(value, now if moment.tzinfo else here)
    return None


def _moment(written: str) -> datetime | None:
    try:
        if written.isdigit() and len(written) in _DIGITS:
            return datetime.strptime(written, _DIGITS[len(written)])  # noqa: DTZ007 - the text says no zone
        return datetime.fromisoformat(written)
    except ValueError:
        return None


def _like(written: str, moment: datetime) -> str:
    """The moment written as the text is, so that the database compares the two letter by letter."""
    if len(written) == 10 and "-" in written:
        return moment.date().isoformat()
    if len(written) < _SECOND:
        return moment.strftime("%Y%m%d%H%M%S")[: len(written)] if written.isdigit() else moment.isoformat()
    zoned = _moment(written)
    if zoned is not None and zoned.tzinfo is not None:
        moment = moment.astimezone(zoned.tzinfo)
    text = moment.replace(microsecond=0).isoformat(sep=written[10])
    return text[:-6] + "Z" if written.endswith("Z") else text


def _write_change(value: ChangeValue) -> str:
    name = next(name for name, kind in _KINDS.items() if isinstance(value, kind))
    return json.dumps([name, value.isoformat() if isinstance(value, date) else str(value)])


def _read_change(written: str) -> ChangeValue:
    name, value = json.loads(written)
    readers: Mapping[str, Any] = {
        "moment": datetime.fromisoformat,
        "day": date.fromisoformat,
        "number": lambda text: int(text) if text.lstrip("-").isdigit() else Decimal(text),
        "text": str,
    }
    change: ChangeValue = readers[name](value)
    return change


_KINDS: dict[str, Any] = {"moment": datetime, "day": date, "number": int | Decimal, "text": str}
