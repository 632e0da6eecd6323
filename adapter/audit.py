"""Who did what to whose data: append-only and hash-chained. It holds no clinical value and no name.

Each row holds the hash of the row before it, so a changed, removed or inserted row breaks the chain
from there on; the head row (`audit_head`) shows a cut-off end. Database triggers refuse UPDATE and
DELETE. Hashes are keyed by a secret that lies outside the database (`use_key`), so that whoever may drop
the triggers cannot make a row that holds; rows from before there was a key stay as they were. Cutting the
end off, or putting an older database back, is seen by whoever remembered `chain_head()` elsewhere
(`adapter.pipeline.remembered_head`).

`subject` is an opaque hash that the caller makes (a keyed hash of the cadre), never a key or a name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

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
from adapter.errors import SettingsError

__all__ = [
    "ChainHead",
    "ChainReading",
    "WithheldCount",
    "append",
    "audit",
    "audit_head",
    "chain_head",
    "check_chain",
    "configuration_digest",
    "disclosure_refusal",
    "forget_withheld",
    "has_appended",
    "hash_at",
    "newest",
    "set_withheld",
    "use_key",
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
    Column("keyed_from", BigInteger),  # the first row whose hash is keyed; all after it are
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

configuration_digest = Table(  # what settings and policy were when last looked at; changes are in `audit`
    "configuration_digest",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("digest", String(32), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

_MAKE_HEAD = text("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, :hash) ON CONFLICT (id) DO NOTHING")
_HEAD = select(audit_head.c.seq, audit_head.c.hash, audit_head.c.keyed_from)
_LOCKED_HEAD = _HEAD.with_for_update()
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


KeySource = Callable[[], bytes | None]

_keys: WeakKeyDictionary[Engine, KeySource] = WeakKeyDictionary()
_appended: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()


def use_key(engine: Engine, key: KeySource) -> None:
    """From now on what is appended through `engine` is keyed by what `key` gives; None where there is none
    yet. It is asked at each append, and keeps what it read.
    """
    _keys[engine] = key


def _key_of(engine: Engine) -> bytes | None:
    source = _keys.get(engine)
    return source() if source else None


def has_appended(engine: Engine) -> bool:
    """Whether this process has appended anything through `engine`."""
    return _appended.get(engine, False)


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
    """Append a row for each of these, in their order; returns the number of the last. Raises SettingsError
    where the rows before are keyed and the key is not there: a row without it would break the chain.
    """
    connection.execute(_MAKE_HEAD, {"hash": _GENESIS})
    seq, previous, keyed_from = connection.execute(_LOCKED_HEAD).one()
    key = _key_of(connection.engine)
    if key is None and keyed_from is not None:
        raise SettingsError("audit.no_key")
    keyed_from = keyed_from or (seq + 1 if key else None)
    rows = []
    for event in events:
        seq += 1
        details = orjson.dumps(dict(event.details), option=orjson.OPT_SORT_KEYS).decode()
        row = {"seq": seq, "at": at, "actor": actor, **event._asdict(), "details": details}
        row |= {"previous": previous, "hash": _hash(row | {"previous": previous}, key)}
        rows.append(row)
        previous = row["hash"]
    connection.execute(insert(audit), rows)
    connection.execute(update(audit_head).values(seq=seq, hash=previous, keyed_from=keyed_from))
    _appended[connection.engine] = True
    return int(seq)


def _hash(row: Mapping[str, Any], key: bytes | None) -> str:
    at: datetime = row["at"].astimezone(UTC)
    parts = [
        row["seq"],
        at.isoformat(timespec="microseconds"),
        *(row[name] for name in ("actor", "action", "subject", "hospital", "details", "previous")),
    ]
    return blake2b(orjson.dumps(parts), digest_size=32, key=key or b"").hexdigest()


class ChainHead(NamedTuple):
    """The newest row: its number (0 for an empty audit) and hash, and from which row on hashes are keyed."""

    seq: int
    hash: str
    keyed_from: int | None = None


def chain_head(engine: Engine) -> tuple[int, str]:
    """Number and hash of the newest row; (0, 64 zeros) for an empty audit."""
    return newest(engine)[:2]


def newest(engine: Engine) -> ChainHead:
    """The head, with from where on the chain is keyed."""
    with read_transaction(engine) as connection:
        row = connection.execute(_HEAD).first()
    return ChainHead(int(row.seq), str(row.hash), row.keyed_from) if row else ChainHead(0, _GENESIS)


def hash_at(engine: Engine, seq: int) -> str | None:
    """The hash of the row of that number; None where there is no such row."""
    with read_transaction(engine) as connection:
        found: str | None = connection.execute(select(audit.c.hash).where(audit.c.seq == seq)).scalar()
    return found


@dataclass(frozen=True, slots=True)
class ChainReading:
    """What reading the whole chain found. `broken` is the number of the first row that is missing, changed
    or out of place, None when the chain holds; rows from `keyed_from` on were checked with the key, or
    `without_key` only for how they hang together.
    """

    rows: int
    broken: int | None
    keyed_from: int | None
    without_key: bool


def verify_chain(engine: Engine) -> int | None:
    """Number of the first row that is missing, changed or out of place; None when the chain holds."""
    return check_chain(engine).broken


def check_chain(engine: Engine) -> ChainReading:
    """Read the whole chain and compare every hash, with the key that `use_key` gave."""
    key, expected, previous = _key_of(engine), 1, _GENESIS
    with read_transaction(engine) as connection:
        last = connection.execute(_HEAD).first()
        keyed_from = last.keyed_from if last else None
        without_key = keyed_from is not None and key is None
        for row in _rows(connection):
            keyed = keyed_from is not None and row.seq >= keyed_from
            known = (keyed and without_key) or row.hash == _hash(row._asdict(), key if keyed else None)
            if row.seq != expected or row.previous != previous or not known:
                return ChainReading(expected - 1, expected, keyed_from, without_key)
            expected, previous = expected + 1, row.hash
    whole = (last.seq, last.hash) == (expected - 1, previous) if last else expected == 1
    return ChainReading(expected - 1, None if whole else expected, keyed_from, without_key)


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
