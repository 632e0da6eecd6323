"""The chain is read whole, and sealed where its key is changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, insert, update

from adapter.audit.log import (
    GENESIS,
    HEAD,
    LOCKED_HEAD,
    MAKE_HEAD,
    all_rows,
    audit,
    audit_head,
    key_mark_of,
    key_of,
    row_hash,
)
from adapter.database import read_transaction

__all__ = ["ChainReading", "change_key", "check_chain", "verify_chain"]


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
        return _read_chain(connection, key_of(engine))


def _read_chain(connection: Connection, key: bytes | None) -> ChainReading:
    """Rows before the one that seals them are of another key: how they hang together is looked at, and their
    content by the seal. A seal that is not there, or is no row of this key, breaks the chain where it stands.
    """
    expected, previous = 1, GENESIS
    last = connection.execute(HEAD).first()
    keyed_from, sealed_from = (last.keyed_from, last.sealed_from or 0) if last else (None, 0)
    without_key = keyed_from is not None and key is None
    seal = _Seal(key) if key and sealed_from else None
    for row in all_rows(connection):
        keyed = keyed_from is not None and row.seq >= keyed_from
        known = (keyed and without_key) or row.seq < sealed_from
        known = known or row.hash == row_hash(row._asdict(), key if keyed else None)
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
    connection.execute(MAKE_HEAD, {"hash": GENESIS})
    seq, previous, *_ = connection.execute(LOCKED_HEAD).one()
    if _read_chain(connection, key_of(connection.engine)).broken is not None:
        return False
    seal = _Seal(new)
    for row in all_rows(connection):
        seal.add(row._asdict())
    told = orjson.dumps({**details, "sealed": seal.hex()}, option=orjson.OPT_SORT_KEYS).decode()
    made = {"seq": seq + 1, "at": at, "actor": actor, "action": action, "subject": None, "hospital": None}
    made |= {"details": told, "previous": previous}
    made["hash"] = row_hash(made, new)
    connection.execute(insert(audit), [made])
    head = {"seq": seq + 1, "hash": made["hash"], "keyed_from": seq + 1, "sealed_from": seq + 1}
    connection.execute(update(audit_head).values(**head, key_mark=key_mark_of(new)))
    return True


class _Seal:
    """One keyed digest of many rows, whatever their own hashes were made with."""

    def __init__(self, key: bytes) -> None:
        self._digest = blake2b(digest_size=32, key=key, person=b"sealed-rows")

    def add(self, row: Mapping[str, Any]) -> None:
        self._digest.update(row_hash(row, None).encode() + str(row["hash"]).encode())

    def hex(self) -> str:
        return self._digest.hexdigest()
