"""Undo of a result that a person found to be somebody else's."""

from typing import Any, cast

from sqlalchemy import Connection, select, update

from adapter.records import body as bodies
from adapter.records.feed import Feed
from adapter.records.model import Fulfilment, Referral, Result
from adapter.records.tables import record

__all__ = ["take_back"]


def take_back(connection: Connection, result_key: str) -> bool:
    """Make the result a tombstone and open again the referrals that it had fulfilled.

    Works in the caller's transaction; False when there is no such result.
    """
    feed = Feed(connection)
    mine = (record.c.kind == Result.kind) & (record.c.key == result_key) & record.c.deleted.is_(False)
    cadre = connection.execute(select(record.c.cadre).where(mine)).scalar()
    if cadre is None:
        return False
    connection.execute(update(record).where(mine).values(_values(None) | {"position": feed.next()}))
    referrals = select(record.c.key, record.c.body).where(
        record.c.kind == Referral.kind, record.c.cadre == cadre, record.c.deleted.is_(False)
    )
    for key, body in connection.execute(referrals).all():
        referral = cast(Referral, bodies.load(Referral.kind, body))
        if referral.fulfilled_by != result_key:
            continue
        reopened = referral.model_copy(
            update={"fulfilment": Fulfilment.NONE, "fulfilled_at": None, "fulfilled_by": None}
        )
        connection.execute(
            update(record)
            .where(record.c.kind == Referral.kind, record.c.key == key)
            .values(_values(bodies.body_of(reopened)) | {"position": feed.next()})
        )
    feed.close()
    return True


def _values(body: str | None) -> dict[str, Any]:
    return {"body": body, "digest": bodies.content_digest(body or ""), "deleted": body is None}
