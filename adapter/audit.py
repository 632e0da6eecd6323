"""Who did what to whose data: append-only and hash-chained. It holds no clinical value and no name.

Each row holds the hash of the row before it, so a changed, removed or inserted row breaks the chain
from there on; the head row (`audit_head`) shows a cut-off end. Database triggers refuse UPDATE and
DELETE. Whoever may drop the triggers and rewrite every hash can still forge the whole chain: note
`chain_head()` down elsewhere from time to time.

`subject` is an opaque hash that the caller makes (a keyed hash of the cadre), never a key or a name.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)

from adapter.database import UtcDateTime, metadata, read_transaction

__all__ = [
    "WithheldCount",
    "append",
    "audit",
    "audit_head",
    "chain_head",
    "disclosure_refusal",
    "forget_withheld",
    "set_withheld",
    "verify_chain",
    "withheld_counts",
    "withheld_of_subject",
]

_GENESIS = "0" * 64

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(100), nullable=False),  # "sync", "hospital:bv-tinh", a person's login
    Column("action", String(60), nullable=False),  # "disclosure.refused", "inbox.linked", …
    Column("subject", String(64)),
    Column("hospital", String(60)),
    Column("details", Text, nullable=False),  # JSON object: codes and counts only
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)

audit_head = Table(  # one row; its lock makes appends from several processes wait for each other
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

disclosure_refusal = Table(  # what policy keeps back now; the history of it is in `audit`
    "disclosure_refusal",
    metadata,
    Column("hospital", String(60), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("kind", String(40), primary_key=True),
    Column("reason", String(60), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

_MAKE_HEAD = text("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, :hash) ON CONFLICT (id) DO NOTHING")
_LOCKED_HEAD = select(audit_head.c.seq, audit_head.c.hash).with_for_update()
_THESE = (disclosure_refusal.c.hospital == bindparam("b_hospital")) & disclosure_refusal.c.subject.in_(
    bindparam("b_subjects", expanding=True)
)
_STATED = select(
    disclosure_refusal.c.subject,
    disclosure_refusal.c.kind,
    disclosure_refusal.c.reason,
    disclosure_refusal.c["count"],
).where(_THESE)
_CLEAR = delete(disclosure_refusal).where(_THESE)


def append(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str | None = None,
    hospital: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> int:
    """Append one row in the caller's transaction; returns its number (1, 2, 3, …).

    The head row stays locked until the transaction ends: append last, and end soon.
    """
    return _append(connection, at, actor, [_Event(action, subject, hospital, details or {})])


class _Event(NamedTuple):
    """What is appended, but when and by whom."""

    action: str
    subject: str | None
    hospital: str | None
    details: Mapping[str, Any]


def _append(connection: Connection, at: datetime, actor: str, events: Sequence[_Event]) -> int:
    """Append a row for each of these, in their order; returns the number of the last."""
    connection.execute(_MAKE_HEAD, {"hash": _GENESIS})
    seq, previous = connection.execute(_LOCKED_HEAD).one()
    rows = []
    for event in events:
        seq += 1
        details = orjson.dumps(dict(event.details), option=orjson.OPT_SORT_KEYS).decode()
        row = {"seq": seq, "at": at, "actor": actor, **event._asdict(), "details": details}
        row |= {"previous": previous, "hash": _hash(row | {"previous": previous})}
        rows.append(row)
        previous = row["hash"]
    connection.execute(insert(audit), rows)
    connection.execute(update(audit_head).values(seq=seq, hash=previous))
    return int(seq)


def _hash(row: Mapping[str, Any]) -> str:
    at: datetime = row["at"].astimezone(UTC)
    parts = [
        row["seq"],
        at.isoformat(timespec="microseconds"),
        *(row[name] for name in ("actor", "action", "subject", "hospital", "details", "previous")),
    ]
    return blake2b(orjson.dumps(parts), digest_size=32).hexdigest()


def chain_head(engine: Engine) -> tuple[int, str]:
    """Number and hash of the newest row; (0, 64 zeros) for an empty audit."""
    with read_transaction(engine) as connection:
        row = connection.execute(select(audit_head.c.seq, audit_head.c.hash)).first()
    return (int(row.seq), str(row.hash)) if row else (0, _GENESIS)


def verify_chain(engine: Engine) -> int | None:
    """Number of the first row that is missing, changed or out of place; None when the chain holds."""
    expected, previous = 1, _GENESIS
    with read_transaction(engine) as connection:
        for row in _rows(connection):
            as_dict = row._asdict()
            if row.seq != expected or row.previous != previous or row.hash != _hash(as_dict):
                return expected
            expected, previous = expected + 1, row.hash
        last = connection.execute(select(audit_head.c.seq, audit_head.c.hash)).first()
    if (last.seq, last.hash) != (expected - 1, previous) if last else expected > 1:
        return expected
    return None


def _rows(connection: Connection, page: int = 1_000) -> Iterator[Row[Any]]:
    """All rows in order, a page at a time: the same small memory on every driver."""
    after = -1
    while True:
        rows = connection.execute(
            select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(page)
        ).all()
        yield from rows
        if len(rows) < page:
            return
        after = rows[-1].seq


class WithheldCount(NamedTuple):
    """How many records of one kind are kept back for one reason, and of how many people."""

    kind: str
    reason: str
    records: int
    people: int


def set_withheld(
    connection: Connection,
    hospital: str,
    refused: Mapping[str, Mapping[tuple[str, str], int]],
    now: datetime,
    *,
    actor: str = "sync",
) -> Sequence[str]:
    """State what policy keeps back from `hospital` about each subject: {subject: {(kind, reason): count}}.

    Writes and audits, in the order given, only what differs from what was stated before: returns about whom.
    """
    wanted = {
        subject: {key: count for key, count in sorted(counts.items()) if count}
        for subject, counts in refused.items()
    }
    before = _stated(connection, hospital, list(wanted))
    news = {subject: counts for subject, counts in wanted.items() if counts != before.get(subject, {})}
    if before.keys() & news.keys():
        gone = {"b_hospital": hospital, "b_subjects": [subject for subject in news if subject in before]}
        connection.execute(_CLEAR, gone)
    rows = [
        {
            "hospital": hospital,
            "subject": subject,
            "kind": kind,
            "reason": reason,
            "count": count,
            "since": now,
        }
        for subject, counts in news.items()
        for (kind, reason), count in counts.items()
    ]
    if rows:
        connection.execute(insert(disclosure_refusal), rows)
    if news:
        _append(connection, now, actor, [_told(hospital, *one) for one in news.items()])
    return list(news)


def _told(hospital: str, subject: str, counts: Mapping[tuple[str, str], int]) -> _Event:
    """What the audit says of a subject's refusals."""
    action = "disclosure.refused" if counts else "disclosure.cleared"
    listed = [[kind, reason, count] for (kind, reason), count in counts.items()]
    return _Event(action, subject, hospital, {"refused": listed})


def _stated(
    connection: Connection, hospital: str, subjects: Sequence[str]
) -> dict[str, dict[tuple[str, str], int]]:
    """By subject, of those about whom anything is stated."""
    found: dict[str, dict[tuple[str, str], int]] = {}
    rows = connection.execute(_STATED, {"b_hospital": hospital, "b_subjects": subjects})
    for subject, kind, reason, count in rows:
        found.setdefault(subject, {})[kind, reason] = count
    return found


def withheld_of_subject(engine: Engine, hospital: str, subject: str) -> dict[tuple[str, str], int]:
    """What is kept back from `hospital` about `subject`: {(kind, reason): count}."""
    with read_transaction(engine) as connection:
        return _stated(connection, hospital, [subject]).get(subject, {})


def forget_withheld(connection: Connection, subject: str) -> None:
    """Nothing is withheld any more about somebody who is not in the records. The history of it stays."""
    connection.execute(delete(disclosure_refusal).where(disclosure_refusal.c.subject == subject))


def withheld_counts(engine: Engine, hospital: str) -> list[WithheldCount]:
    """All that is kept back from `hospital`, most first."""
    table = disclosure_refusal.c
    total = func.sum(table["count"])
    query = (
        select(table.kind, table.reason, total, func.count(table.subject.distinct()))
        .where(table.hospital == hospital)
        .group_by(table.kind, table.reason)
        .order_by(total.desc(), table.kind, table.reason)
    )
    with read_transaction(engine) as connection:
        return [WithheldCount(row[0], row[1], int(row[2]), int(row[3])) for row in connection.execute(query)]
