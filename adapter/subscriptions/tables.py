"""Subscriptions of hospitals, and the events that they are told of."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table

from adapter.database import UtcDateTime, metadata

__all__ = ["subscription", "subscription_event"]

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

subscription = Table(
    "subscription",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("hospital", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated", UtcDateTime, nullable=False),
    Column("status", String(10), nullable=False),
    Column("body", LargeBinary, nullable=False),  # without id, status and what its headers hold
    Column("headers", LargeBinary),  # JSON, as sent: read by who sends notifications alone
    Column("numbered", Integer, nullable=False, server_default="0"),  # events that have a number
    Column("delivered", Integer, nullable=False, server_default="0"),  # the last number that was taken
    Column("failures", Integer, nullable=False, server_default="0"),  # in a row
    Column("failing_since", UtcDateTime),
    Column("problem", String(40)),  # why the last try failed, in a word
    Column("due_at", UtcDateTime),  # not before; NULL: at once
    Column("contact_at", UtcDateTime),  # when a notification was taken last
    Index("ix_subscription_hospital", "hospital"),
)

# The number is given when it is about to be sent, one process at a time: so none is skipped or used twice,
# whoever delivers referrals meanwhile.
subscription_event = Table(
    "subscription_event",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("subscription", String(64), nullable=False),
    Column("number", Integer),
    Column("interaction", String(6), nullable=False),  # create, update or delete
    Column("type", String(40)),  # with its id at the hospital's server; NULL: nothing may be said of it
    Column("remote_id", String(64)),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_subscription_event_number", "subscription", "number"),
    Index("ix_subscription_event_at", "at"),
    sqlite_autoincrement=True,
)
