"""What need not be remembered any more. The ledger holds a row for what a hospital should hold, and no more:
bodies go when they are delivered, histories are cut, and what was retracted long ago is forgotten here.
"""

from datetime import datetime

from sqlalchemy import Engine, and_, delete, exists, select

from adapter.database import read, write
from adapter.ledger import tables
from adapter.ledger.state import State

__all__ = ["forget"]

_E, _R, _S = tables.entry, tables.receipt, tables.shipment


def forget(engine: Engine, hospital: str, before: datetime) -> int:
    """Forget receipts, and lines of what was retracted, from `before`; returns how many. The hospital does
    not have it, so a new wish for it begins like any other.
    """
    gone = and_(_E.c.hospital == hospital, _E.c.state == State.RETRACTED, before > _E.c.changed_at)
    old = and_(_R.c.hospital == hospital, before > _R.c.proved_at)
    with read(engine) as connection:
        if not connection.execute(select(exists().where(gone) | exists().where(old))).scalar():
            return 0
    empty = and_(
        _S.c.hospital == hospital,
        _S.c.lease_token.is_(None),
        ~exists().where(_E.c.hospital == _S.c.hospital, _E.c.cadre == _S.c.cadre),
    )
    with write(engine) as connection:
        count = connection.execute(delete(_E).where(gone)).rowcount
        count += connection.execute(delete(_R).where(old)).rowcount
        connection.execute(delete(_S).where(empty))
    return count
