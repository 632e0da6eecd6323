"""The identity key that the database is under, those before it, and lines that get another identity: all SQL
on that. Which identity a line gets is its caller's to say.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from secrets import token_bytes
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update

from adapter.fhir.identity import IdentityFactory
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.transitions import pack_transition
from adapter.ledger.schema.values import UNKNOWN_RECORD

__all__ = [
    "LedgerLine",
    "count_under_former",
    "has_lines",
    "hold_shipments",
    "hospitals_with_lines",
    "key_in_use",
    "lines_of",
    "rename_lines",
    "replace_key",
    "shipments_under_way",
    "with_former_keys",
]

_E, _S, _K, _F = tables.entry, tables.shipment, tables.identity_key, tables.former_identity_key
_SALT = 16
_PAGE = 1000


class LedgerLine(NamedTuple):
    """What of a line says which identity it has, and where it stands."""

    identity: str
    type: str
    kind: str
    key: str
    state: EntryState
    is_there: bool  # or may be

    @property
    def stays(self) -> str:
        """In a word, why it keeps its identity; empty where it may have another."""
        if self.kind == UNKNOWN_RECORD[0]:
            return "others"
        words = {EntryState.RETRACTING: "leaving", EntryState.SENDING: "unanswered"}
        return words.get(self.state, "unanswered" if self.state is EntryState.UNKNOWN else "")


# -- the key -------------------------------------------------------------------------------


def key_in_use(connection: Connection) -> str | None:
    """The mark of the key that the database is under; None where it never was changed."""
    found: str | None = connection.execute(select(_K.c.mark)).scalar()
    return found


def with_former_keys(connection: Connection, identities: IdentityFactory) -> IdentityFactory:
    """The same with the keys before it; the database is under this one."""
    rows = connection.execute(select(_F.c.salt, _F.c.wrapped).order_by(_F.c.number)).all()
    return identities.with_formers(
        [identities.unwrap(bytes.fromhex(row.wrapped), bytes.fromhex(row.salt)) for row in rows]
    )


def replace_key(connection: Connection, old: IdentityFactory, new: IdentityFactory, now: datetime) -> None:
    """The database is under the key of `new` from now on; `old` and those before it are kept, wrapped."""
    connection.execute(delete(_K))
    connection.execute(insert(_K).values(id=1, mark=new.mark, since=now))
    rows = []
    for number, former in enumerate((*old.formers, old), 1):
        salt = token_bytes(_SALT)
        wrapped = new.wrap(former, salt).hex()
        rows.append({"number": number, "salt": salt.hex(), "wrapped": wrapped, "mark": former.mark})
    connection.execute(delete(_F))
    connection.execute(insert(_F), rows)


# -- the lines -----------------------------------------------------------------------------


def has_lines(connection: Connection) -> bool:
    """Whether any resource was ever planned, so that the key is in use."""
    return connection.execute(select(_E.c.identity).limit(1)).first() is not None


def hospitals_with_lines(connection: Connection) -> list[str]:
    """Hospitals that the ledger knows anything of."""
    return sorted(connection.execute(select(_E.c.hospital).distinct()).scalars())


def lines_of(connection: Connection, hospital: str) -> Iterable[LedgerLine]:
    """Every line of a hospital but what is retracted, a page at a time."""
    there = or_(_E.c.remote_id.is_not(None), _E.c.sent_digest.is_not(None))
    query = select(_E.c.identity, _E.c.type, _E.c.kind, _E.c.key, _E.c.state, there).where(
        _E.c.hospital == hospital, _E.c.state != EntryState.RETRACTED
    )
    last = ""
    while True:
        page = query.where(_E.c.identity > last).order_by(_E.c.identity).limit(_PAGE)
        rows = connection.execute(page).all()
        for row in rows:
            yield LedgerLine(row[0], row[1], row[2], row[3], EntryState(row[4]), bool(row[5]))
        if len(rows) < _PAGE:
            return
        last = rows[-1].identity


def rename_lines(connection: Connection, hospital: str, names: Mapping[str, str], now: datetime) -> None:
    """These lines (identity -> the new one) get another identity. Ids and versions at the hospital stay; what
    waits is made anew by the next plan. What a hospital may hold is known by the identity before, too.
    """
    if not names:
        return
    there = or_(_E.c.remote_id.is_not(None), _E.c.sent_digest.is_not(None))
    rows = [{"b_identity": old, "b_new": new} for old, new in names.items()]
    mine = and_(_E.c.hospital == hospital, _E.c.identity == bindparam("b_identity"))
    connection.execute(
        update(_E).where(mine, there).values(former_identity=_E.c.identity, delivered_digest=None), rows
    )
    step = pack_transition(EntryState.PENDING, now, "key-changed")
    values = {
        "identity": bindparam("b_new"),
        "state": EntryState.PENDING,
        "body": None,
        "reason": "key-changed",
        "detail": None,
        "changed_at": now,
        "history": tables.append_history(connection.dialect.name, step),
    }
    connection.execute(update(_E).where(mine).values(**values), rows)


def count_under_former(connection: Connection, hospital: str) -> int:
    """How many resources a hospital still holds, or may hold, under the identity of the key before."""
    unsent = and_(_E.c.former_identity.is_not(None), _E.c.delivered_digest.is_(None))
    waits = and_(_E.c.hospital == hospital, unsent, _E.c.state != EntryState.RETRACTED)
    return int(connection.execute(select(func.count()).where(waits)).scalar_one())


def hold_shipments(connection: Connection) -> None:
    """Nobody takes a shipment until the transaction ends."""
    if connection.dialect.name != "sqlite":  # where a transaction that writes is alone anyhow
        every = select(_S.c.cadre).order_by(_S.c.hospital, _S.c.cadre)
        connection.execute(every.with_for_update())


def shipments_under_way(connection: Connection) -> int:
    """How many shipments somebody has under way."""
    return int(connection.execute(select(func.count()).where(_S.c.lease_token.is_not(None))).scalar_one())
