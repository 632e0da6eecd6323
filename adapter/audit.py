"""Who did what to whose data: append-only and hash-chained. It holds no clinical value and no name.

Each row holds the hash of the row before it, so a changed, removed or inserted row breaks the chain
from there on; the head row (`audit_head`) shows a cut-off end. Database triggers refuse UPDATE and
DELETE. Hashes are keyed by a secret that lies outside the database (`use_key`), so that whoever may drop
the triggers cannot make a row that holds; rows from before there was a key stay as they were. Where the key
is changed, the first row under the new one seals all rows before it (`change_key`): their own key is not
needed any more. Cutting the end off, or putting an older database back, is seen by whoever remembered
`chain_head()` elsewhere (`adapter.pipeline.remembered_head`).

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
    "append",
    "append_events",
    "audit",
    "audit_head",
    "chain_head",
    "change_key",
    "check_chain",
    "configuration_digest",
    "has_appended",
    "hash_at",
    "newest",
    "use_key",
    "verify_chain",
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

_MAKE_HEAD = text("INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, :hash) ON CONFLICT (id) DO NOTHING")
_HEAD = select(
    audit_head.c.seq,
    audit_head.c.hash,
    audit_head.c.keyed_from,
    audit_head.c.key_mark,
    audit_head.c.sealed_from,
)
_LOCKED_HEAD = _HEAD.with_for_update()
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
    return append_events(connection, at, actor, [(action, subject, hospital, details or {})])


AuditEvent = tuple[str, str | None, str | None, Mapping[str, Any]]
"""What is appended, but when and by whom: action, subject, hospital, details."""


def append_events(connection: Connection, at: datetime, actor: str, events: Sequence[AuditEvent]) -> int:
    """Append a row for each of these, in their order; returns the number of the last. Raises SettingsError
    where the rows before are keyed and the key is not there, or is another: a row without it would break
    the chain.
    """
    connection.execute(_MAKE_HEAD, {"hash": _GENESIS})
    seq, previous, keyed_from, key_mark, _ = connection.execute(_LOCKED_HEAD).one()
    key = _key_of(connection.engine)
    if key is None and keyed_from is not None:
        raise SettingsError("audit.no_key")
    if key is not None and key_mark not in (None, _mark(key)):
        raise SettingsError("audit.other_key")
    keyed_from = keyed_from or (seq + 1 if key else None)
    rows = []
    for action, subject, hospital, told in events:
        seq += 1
        row = {"seq": seq, "at": at, "actor": actor}
        row |= {"action": action, "subject": subject, "hospital": hospital}
        row["details"] = orjson.dumps(dict(told), option=orjson.OPT_SORT_KEYS).decode()
        row |= {"previous": previous, "hash": _hash(row | {"previous": previous}, key)}
        rows.append(row)
        previous = row["hash"]
    connection.execute(insert(audit), rows)
    head = {
        "seq": seq,
        "hash": previous,
        "keyed_from": keyed_from,
        "key_mark": _mark(key) if key else None,
    }
    connection.execute(update(audit_head).values(**head))
    _appended[connection.engine] = True
    return int(seq)


def _mark(key: bytes) -> str:
    return blake2b(b"mark", digest_size=16, key=key).hexdigest()


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
    with read_transaction(engine) as connection:
        return _read_chain(connection, _key_of(engine))


def _read_chain(connection: Connection, key: bytes | None) -> ChainReading:
    """Rows before the one that seals them are of another key: how they hang together is looked at, and their
    content by the seal. A seal that is not there, or is no row of this key, breaks the chain where it stands.
    """
    expected, previous = 1, _GENESIS
    last = connection.execute(_HEAD).first()
    keyed_from, sealed_from = (last.keyed_from, last.sealed_from or 0) if last else (None, 0)
    without_key = keyed_from is not None and key is None
    seal = _Seal(key) if key and sealed_from else None
    for row in _rows(connection):
        keyed = keyed_from is not None and row.seq >= keyed_from
        known = (keyed and without_key) or row.seq < sealed_from
        known = known or row.hash == _hash(row._asdict(), key if keyed else None)
        if seal and row.seq < sealed_from:
            seal.add(row._asdict())
        elif seal and row.seq == sealed_from:
            known = known and orjson.loads(row.details).get("sealed") == seal.hex()
        if row.seq != expected or row.previous != previous or not known:
            return ChainReading(expected - 1, expected, keyed_from, without_key)
        expected, previous = expected + 1, row.hash
    whole = (last.seq, last.hash) == (expected - 1, previous) if last else expected == 1
    whole = whole and sealed_from < expected
    return ChainReading(expected - 1, None if whole else expected, keyed_from, without_key)


def change_key(
    connection: Connection, new: bytes, *, at: datetime, actor: str, action: str, details: Mapping[str, Any]
) -> bool:
    """Append a row under the key `new`, which seals all before it; from then on rows are of that key. False,
    and nothing is appended, where the chain does not hold as it is: a break must not be sealed.
    """
    connection.execute(_MAKE_HEAD, {"hash": _GENESIS})
    seq, previous, *_ = connection.execute(_LOCKED_HEAD).one()
    if _read_chain(connection, _key_of(connection.engine)).broken is not None:
        return False
    seal = _Seal(new)
    for row in _rows(connection):
        seal.add(row._asdict())
    told = orjson.dumps({**details, "sealed": seal.hex()}, option=orjson.OPT_SORT_KEYS).decode()
    made = {"seq": seq + 1, "at": at, "actor": actor, "action": action, "subject": None, "hospital": None}
    made |= {"details": told, "previous": previous}
    made["hash"] = _hash(made, new)
    connection.execute(insert(audit), [made])
    head = {"seq": seq + 1, "hash": made["hash"], "keyed_from": seq + 1, "sealed_from": seq + 1}
    connection.execute(update(audit_head).values(**head, key_mark=_mark(new)))
    return True


class _Seal:
    """One keyed digest of many rows, whatever their own hashes were made with."""

    def __init__(self, key: bytes) -> None:
        self._digest = blake2b(digest_size=32, key=key, person=b"sealed-rows")

    def add(self, row: Mapping[str, Any]) -> None:
        self._digest.update(_hash(row, None).encode() + str(row["hash"]).encode())

    def hex(self) -> str:
        return self._digest.hexdigest()
