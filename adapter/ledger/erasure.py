"""Takes the name of a person who may no longer be kept out of the ledger. What hospitals hold is still
retracted, under a number that means nothing; then the line goes too.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, exists, select, update

from adapter.ledger.entries.comparison import PlannedAction, compare
from adapter.ledger.entries.row_values import retraction_row
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import UNKNOWN_RECORD, LedgerEntry
from adapter.ledger.shipments import ShipmentStore
from adapter.subscriptions.changes import forget_resources
from adapter.subscriptions.topic import REFERRAL_TYPES

__all__ = ["erase_cadre", "forget_bodies"]

_E, _R, _S, _P = tables.entry, tables.receipt, tables.shipment, tables.person_disclosure
_MANY = 500
_COLUMNS = [_E.c[name] for name in LedgerEntry.__dataclass_fields__]
_STATE = list(LedgerEntry.__dataclass_fields__).index("state")
_NO_NAMES = {"kind": UNKNOWN_RECORD[0], "key": UNKNOWN_RECORD[1]}
_WRITTEN = ("state", "desired_digest", "attempts", "mapping_version", "wished_at", "changed_at")


def erase_cadre(
    connection: Connection, cadre: str, records: Iterable[tuple[str, str]], number: str, now: datetime
) -> list[LedgerEntry]:
    """Every line of this person, or of these records (kind, key), is retracted as that of `number`; receipts
    keep no key. Returns the lines as they were, for the stores that hold what hospitals said of them.

    Whoever has the shipment under way loses the lease, as if it had died: what it sent is looked up.
    """
    records = list(records)
    hospitals = sorted(connection.execute(select(_S.c.hospital).where(_S.c.cadre == cadre)).scalars())
    for hospital in hospitals:
        ShipmentStore.lock(connection, hospital, [cadre])
    connection.execute(update(_S).where(_S.c.cadre == cadre).values(cadre=number))
    connection.execute(delete(_P).where(_P.c.cadre == cadre))
    lines = _lines(connection, cadre, records)
    told = _names_told(connection, lines, records)
    for line in lines:
        _retract(connection, line, number if line.cadre == cadre else line.cadre, now)
    for hospital in sorted({line.hospital for line in lines}.union(hospitals)):
        theirs = {line.cadre for line in lines if line.hospital == hospital} - {cadre}
        ShipmentStore.mark_due(connection, hospital, sorted(theirs | {number}), now)
    _drop_empty(connection, number)
    for kind, keys in _pages(records):
        connection.execute(update(_R).where(_R.c.kind == kind, _R.c.key.in_(keys)).values(_NO_NAMES))
    for hospital in sorted(told):
        forget_resources(connection, hospital, told[hospital])
    return lines


def forget_bodies(connection: Connection, records: Iterable[tuple[str, str]]) -> None:
    """What waits to be sent of these records is made anew by the next plan, and not sent as it is."""
    for kind, keys in _pages(records):
        waiting = and_(_E.c.kind == kind, _E.c.key.in_(keys), _E.c.body.is_not(None))
        connection.execute(update(_E).where(waiting).values(body=None))


def _names_told(
    connection: Connection, lines: Iterable[LedgerEntry], records: Iterable[tuple[str, str]]
) -> dict[str, list[tuple[str, str]]]:
    """By hospital, type and id there of what its subscribers may be told of: what it holds, and what it let
    go of, whose line has no id any more. Before receipts lose their keys.
    """
    names = [(line.hospital, line.type, line.remote_id) for line in lines]
    for kind, keys in _pages(records):
        gone = select(_R.c.hospital, _R.c.type, _R.c.remote_id).where(_R.c.kind == kind, _R.c.key.in_(keys))
        names += [(row.hospital, row.type, row.remote_id) for row in connection.execute(gone)]
    told: dict[str, list[tuple[str, str]]] = {}
    for hospital, type_, remote_id in names:
        if remote_id and type_ in REFERRAL_TYPES:
            told.setdefault(hospital, []).append((type_, remote_id))
    return told


def _lines(connection: Connection, cadre: str, records: Iterable[tuple[str, str]]) -> list[LedgerEntry]:
    found: dict[tuple[str, str], LedgerEntry] = {}
    conditions = [_E.c.cadre == cadre]
    conditions += [and_(_E.c.kind == kind, _E.c.key.in_(keys)) for kind, keys in _pages(records)]
    for condition in conditions:
        for row in connection.execute(select(*_COLUMNS).where(condition)):
            found[row.hospital, row.identity] = _entry(row)
    return list(found.values())


def _entry(row: Row[Any]) -> LedgerEntry:
    values = list(row)
    values[_STATE] = EntryState(values[_STATE])
    return LedgerEntry(*values)


def _retract(connection: Connection, line: LedgerEntry, owner: str, now: datetime) -> None:
    mine = and_(_E.c.hospital == line.hospital, _E.c.identity == line.identity)
    [change] = compare([line], ())
    if change.action in (PlannedAction.DROP, PlannedAction.UNCHANGED):
        connection.execute(delete(_E).where(mine))  # it was never there, or is there no more
        return
    values: dict[str, Any] = {**_NO_NAMES, "cadre": owner, "body": None, "reason": None, "detail": None}
    if change.action is PlannedAction.RETRACT:
        row = retraction_row(line, "", now)
        values |= {name: row[name] for name in _WRITTEN}
    connection.execute(update(_E).where(mine).values(**values, history=None))


def _drop_empty(connection: Connection, number: str) -> None:
    """Shipments with nothing to retract."""
    has_lines = exists().where(_E.c.hospital == _S.c.hospital, _E.c.cadre == _S.c.cadre)
    idle = and_(_S.c.cadre == number, _S.c.lease_token.is_(None))
    connection.execute(delete(_S).where(idle, ~has_lines))


def _pages(records: Iterable[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    by_kind: dict[str, list[str]] = {}
    for kind, key in records:
        by_kind.setdefault(kind, []).append(key)
    for kind, keys in by_kind.items():
        for start in range(0, len(keys), _MANY):
            yield kind, keys[start : start + _MANY]
