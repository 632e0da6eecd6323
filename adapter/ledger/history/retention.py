"""What need not be remembered any more. The ledger holds a row for what a hospital should hold, and no more:
bodies go when they are delivered, histories are cut, and what was retracted long ago is forgotten here.
"""

from datetime import datetime

from sqlalchemy import Engine, and_, delete, exists, or_, select

from adapter.database import read_transaction, write_transaction
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import UNKNOWN_RECORD

__all__ = ["purge_expired"]

_E, _R, _S = tables.entry, tables.receipt, tables.shipment


def purge_expired(engine: Engine, hospital: str, before: datetime) -> int:
    """Forget receipts, and lines of what was retracted, from `before`; returns how many. The hospital does
    not have it, so a new wish for it begins like any other. Lines of no known record go at once.
    """
    nobodys = _E.c.kind == UNKNOWN_RECORD[0]  # of no record, or of somebody who was erased
    is_old = or_(before > _E.c.changed_at, nobodys)
    gone = and_(_E.c.hospital == hospital, _E.c.state == EntryState.RETRACTED, is_old)
    old = and_(_R.c.hospital == hospital, before > _R.c.proved_at)
    with read_transaction(engine) as connection:
        if not connection.execute(select(exists().where(gone) | exists().where(old))).scalar():
            return 0
    empty = and_(
        _S.c.hospital == hospital,
        _S.c.lease_token.is_(None),
        ~exists().where(_E.c.hospital == _S.c.hospital, _E.c.cadre == _S.c.cadre),
    )
    with write_transaction(engine) as connection:
        count = connection.execute(delete(_E).where(gone)).rowcount
        count += connection.execute(delete(_R).where(old)).rowcount
        connection.execute(delete(_S).where(empty))
    return count
