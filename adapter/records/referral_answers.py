"""Which result answers a referral, once the one that did is withdrawn or was another person's."""

from typing import Any, cast

from sqlalchemy import Connection, select, update

from adapter.fulfilment_effects import fulfilment_effect
from adapter.records import serialisation as bodies
from adapter.records.change_feed import ChangeFeed
from adapter.records.merges import MergeStore
from adapter.records.model import Fulfilment, Referral, Result
from adapter.records.tables import record

__all__ = ["open_again"]

_BLANK: dict[str, Any] = {"fulfilment": Fulfilment.NONE, "fulfilled_at": None, "fulfilled_by": None}


def open_again(connection: Connection, feed: ChangeFeed, cadre: str, result: str) -> None:
    """The person's referrals that this result fulfilled are as if it had never come: open, or as far as the
    other results that answer them say.
    """
    same = MergeStore.same_people(connection, [cadre])
    theirs = record.c.cadre.in_(same) & record.c.deleted.is_(False)
    of_referrals = select(record.c.key, record.c.body).where((record.c.kind == Referral.kind) & theirs)
    opened = [
        referral
        for row in connection.execute(of_referrals).all()
        if (referral := cast(Referral, bodies.parse_record(Referral.kind, row.body))).fulfilled_by == result
    ]
    if not opened:
        return
    others = _other_results(connection, same, result)
    for referral in opened:
        answers = [one for one in others if one.referral == referral.key]
        text = bodies.serialise_record(referral.model_copy(update=_said_by(answers)))
        connection.execute(
            update(record)
            .where(record.c.kind == Referral.kind, record.c.key == referral.key)
            .values(body=text, digest=bodies.body_digest(text), position=feed.next())
        )


def _other_results(connection: Connection, cadres: set[str], but: str) -> list[Result]:
    """Of these people, in the order in which they came to be as they are."""
    found = connection.execute(
        select(record.c.body)
        .where(record.c.kind == Result.kind, record.c.cadre.in_(cadres), record.c.deleted.is_(False))
        .where(record.c.key != but)
        .order_by(record.c.position)
    ).scalars()
    return [cast(Result, bodies.parse_record(Result.kind, body)) for body in found]


def _said_by(answers: list[Result]) -> dict[str, Any]:
    """The fulfilment that these leave; a completed referral stays completed, by what completed it first."""
    said = _BLANK
    for one in answers:
        effect = fulfilment_effect(one.type, one.status)
        if effect and said["fulfilment"] not in (Fulfilment.COMPLETED, effect):
            said = {
                "fulfilment": Fulfilment(effect),
                "fulfilled_at": one.issued_at,
                "fulfilled_by": one.key,
            }
    return said
