"""Events: noted in the transaction that records what a hospital was sent, forgotten in those that erase."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, or_, select, update

from adapter.bulk_insert import insert_rows
from adapter.subscriptions.tables import subscription, subscription_event

__all__ = ["ReferralChange", "forget_hospital", "forget_resources", "note_changes"]

_S, _E = subscription, subscription_event
_MANY = 300
# Who deletes one of them waits until this transaction ends, so that no event stays of what is gone.
_WHO = (
    select(_S.c.id)
    .where(_S.c.hospital == bindparam("hospital"), _S.c.status != "off")
    .order_by(_S.c.id)  # all lock them in this order
    .with_for_update(read=True, key_share=True)
)


@dataclass(frozen=True, slots=True)
class ReferralChange:
    """A referral, as the hospital's server names it, and what happened to it: create, update or delete."""

    type: str
    remote_id: str
    interaction: str


def note_changes(
    connection: Connection, hospital: str, changes: Sequence[ReferralChange], now: datetime
) -> None:
    """The hospital holds these referrals so from now on; who subscribed there is told."""
    if not changes:
        return
    listening = connection.execute(_WHO, {"hospital": hospital}).scalars().all()
    rows = [
        {
            "subscription": one,
            "interaction": change.interaction,
            "type": change.type,
            "remote_id": change.remote_id,
            "at": now,
        }
        for one in listening
        for change in changes
    ]
    insert_rows(connection, _E, rows)


def forget_resources(connection: Connection, hospital: str, names: Iterable[tuple[str, str]]) -> None:
    """Nothing is said any more of these resources (type, id at the hospital's server). An event that has its
    number keeps that: its number comes, and no reference with it.
    """
    named = list(dict.fromkeys(names))
    theirs = _held(connection, hospital) if named else []
    for start in range(0, len(named), _MANY):
        listed = named[start : start + _MANY]
        meant = or_(*(and_(_E.c.type == type_, _E.c.remote_id == remote_id) for type_, remote_id in listed))
        _forget(connection, and_(_E.c.subscription.in_(theirs), meant))


def forget_hospital(connection: Connection, hospital: str) -> None:
    """The same of all resources at a hospital: ids of its former server mean nothing."""
    _forget(connection, _E.c.subscription.in_(_held(connection, hospital)))


def _held(connection: Connection, hospital: str) -> list[str]:
    """The hospital's subscriptions, whose events nobody numbers before this transaction ends."""
    theirs = select(_S.c.id).where(_S.c.hospital == hospital).order_by(_S.c.id)
    return list(connection.execute(theirs.with_for_update(key_share=True)).scalars())


def _forget(connection: Connection, meant: ColumnElement[bool]) -> None:
    connection.execute(delete(_E).where(meant, _E.c.number.is_(None)))
    connection.execute(update(_E).where(meant).values(type=None, remote_id=None))
