"""The audit's rows, and how one is appended."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    insert,
    select,
    text,
    update,
)

from adapter.database import UtcDateTime, metadata, read_transaction
from adapter.errors import SettingsError

__all__ = [
    "GENESIS",
    "HEAD",
    "LOCKED_HEAD",
    "MAKE_HEAD",
    "ChainHead",
    "Event",
    "all_rows",
    "append",
    "append_events",
    "audit",
    "audit_head",
    "chain_head",
    "configuration_digest",
    "has_appended",
    "hash_at",
    "key_mark_of",
    "key_of",
    "newest",
    "row_hash",
    "use_key",
]

GENESIS = "0" * 64

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
    Column("key_mark", String(32)),  # tells the key in use from others
    Column("sealed_from", BigInteger),  # the row that seals those before it, which are of another key
)

configuration_digest = Table(  # what settings and policy were when last looked at; changes are in `audit`
    "configuration_digest",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("digest", String(32), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

MAKE_HEAD = text("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, :hash) ON CONFLICT (id) DO NOTHING")
HEAD = select(
    audit_head.c.seq,
    audit_head.c.hash,
    audit_head.c.keyed_from,
    audit_head.c.key_mark,
    audit_head.c.sealed_from,
)
LOCKED_HEAD = HEAD.with_for_update()
KeySource = Callable[[], bytes | None]

_keys: WeakKeyDictionary[Engine, KeySource] = WeakKeyDictionary()
_appended: WeakKeyDictionary[Engine, bool] = WeakKeyDictionary()


def use_key(engine: Engine, key: KeySource) -> None:
    """From now on what is appended through `engine` is keyed by what `key` gives; None where there is none
    yet. It is asked at each append, and keeps what it read.
    """
    _keys[engine] = key


def key_of(engine: Engine) -> bytes | None:
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
    return append_events(connection, at, actor, [Event(action, subject, hospital, details or {})])


class Event(NamedTuple):
    """What is appended, but when and by whom."""

    action: str
    subject: str | None
    hospital: str | None
    details: Mapping[str, Any]


def append_events(connection: Connection, at: datetime, actor: str, events: Sequence[Event]) -> int:
    """Append a row for each of these, in their order; returns the number of the last. Raises SettingsError
    where the rows before are keyed and the key is not there, or is another: a row without it would break
    the chain.
    """
    connection.execute(MAKE_HEAD, {"hash": GENESIS})
    seq, previous, keyed_from, key_mark, _ = connection.execute(LOCKED_HEAD).one()
    key = key_of(connection.engine)
    if key is None and keyed_from is not None:
        raise SettingsError("audit.no_key")
    if key is not None and key_mark not in (None, key_mark_of(key)):
        raise SettingsError("audit.other_key")
    keyed_from = keyed_from or (seq + 1 if key else None)
    rows = []
    for event in events:
        seq += 1
        details = orjson.dumps(dict(event.details), option=orjson.OPT_SORT_KEYS).decode()
        row = {"seq": seq, "at": at, "actor": actor, **event._asdict(), "details": details}
        row |= {"previous": previous, "hash": row_hash(row | {"previous": previous}, key)}
        rows.append(row)
        previous = row["hash"]
    connection.execute(insert(audit), rows)
    head = {
        "seq": seq,
        "hash": previous,
        "keyed_from": keyed_from,
        "key_mark": key_mark_of(key) if key else None,
    }
    connection.execute(update(audit_head).values(**head))
    _appended[connection.engine] = True
    return int(seq)


def key_mark_of(key: bytes) -> str:
    return blake2b(b"mark", digest_size=16, key=key).hexdigest()


def row_hash(row: Mapping[str, Any], key: bytes | None) -> str:
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
        row = connection.execute(HEAD).first()
    return ChainHead(int(row.seq), str(row.hash), row.keyed_from) if row else ChainHead(0, GENESIS)


def hash_at(engine: Engine, seq: int) -> str | None:
    """The hash of the row of that number; None where there is no such row."""
    with read_transaction(engine) as connection:
        found: str | None = connection.execute(select(audit.c.hash).where(audit.c.seq == seq)).scalar()
    return found


def all_rows(connection: Connection, page: int = 1_000) -> Iterator[Row[Any]]:
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
