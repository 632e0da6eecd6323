"""What answers a referral, once the result or Task that did is withdrawn or was another person's."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, select, update

from adapter.fulfilment_effects import FulfilmentEffect, fulfilment_effect
from adapter.records import serialisation as bodies
from adapter.records.change_feed import ChangeFeed
from adapter.records.merges import MergeStore
from adapter.records.model import Fulfilment, Referral, Result
from adapter.records.tables import record

__all__ = ["OrderStatement", "OrderStatements", "answer_again", "no_statements", "open_again"]

_BLANK: dict[str, Any] = {"fulfilment": Fulfilment.NONE, "fulfilled_at": None, "fulfilled_by": None}


@dataclass(frozen=True, slots=True)
class OrderStatement:
    """How far a hospital's Task, or its copy of the order, says that a referral got."""

    referral: str
    effect: FulfilmentEffect
    at: datetime


OrderStatements = Callable[[Connection, Collection[str]], Sequence[OrderStatement]]
"""Those that hold of the referrals of these people, in the order of their arrival. The records keep none."""


def no_statements(_: Connection, __: Collection[str]) -> Sequence[OrderStatement]:
    """Where nothing but results ever answers."""
    return ()


def open_again(
    connection: Connection, feed: ChangeFeed, cadre: str, result: str, statements: OrderStatements
) -> None:
    """The person's referrals that this result fulfilled are as if it had never come: open, or as far as what
    else answers them says.
    """
    same = MergeStore.same_people(connection, [cadre])
    opened = [one for one in _referrals(connection, same) if one.fulfilled_by == result]
    _answer(connection, feed, same, opened, statements, but=result)


def answer_again(
    connection: Connection, feed: ChangeFeed, cadre: str, referral: str, statements: OrderStatements
) -> None:
    """A referral is as what else answers it says, once a Task that answered it does not count any more."""
    same = MergeStore.same_people(connection, [cadre])
    opened = [one for one in _referrals(connection, same) if one.key == referral and not one.fulfilled_by]
    _answer(connection, feed, same, opened, statements)


def _referrals(connection: Connection, cadres: set[str]) -> list[Referral]:
    theirs = record.c.cadre.in_(cadres) & record.c.deleted.is_(False)
    bodies_of_all = select(record.c.body).where((record.c.kind == Referral.kind) & theirs)
    found = connection.execute(bodies_of_all).scalars()
    return [cast(Referral, bodies.parse_record(Referral.kind, body)) for body in found]


def _answer(
    connection: Connection,
    feed: ChangeFeed,
    cadres: set[str],
    opened: Sequence[Referral],
    statements: OrderStatements,
    *,
    but: str | None = None,
) -> None:
    if not opened:
        return
    results, said = _results(connection, cadres, but), statements(connection, cadres)
    for referral in opened:
        answers = _in_order(
            [one for one in results if one.referral == referral.key],
            [one for one in said if one.referral == referral.key],
        )
        after = referral.model_copy(update=_said_by(answers))
        if after == referral:
            continue
        text = bodies.serialise_record(after)
        connection.execute(
            update(record)
            .where(record.c.kind == Referral.kind, record.c.key == referral.key)
            .values(body=text, digest=bodies.body_digest(text), position=feed.next())
        )


def _results(connection: Connection, cadres: set[str], but: str | None) -> list[Result]:
    """Of these people, in the order in which they came to be as they are."""
    found = connection.execute(
        select(record.c.body)
        .where(record.c.kind == Result.kind, record.c.cadre.in_(cadres), record.c.deleted.is_(False))
        .where(record.c.key != (but or ""))
        .order_by(record.c.position)
    ).scalars()
    return [cast(Result, bodies.parse_record(Result.kind, body)) for body in found]


def _in_order(results: Sequence[Result], said: Sequence[OrderStatement]) -> Iterator[Result | OrderStatement]:
    """Results as they came, a statement before what was issued later."""
    left = list(said)
    for one in results:
        while left and (one.issued_at is None or left[0].at <= one.issued_at):
            yield left.pop(0)
        yield one
    yield from left


def _said_by(answers: Iterator[Result | OrderStatement]) -> dict[str, Any]:
    """The fulfilment that these leave; a completed referral stays completed, by what completed it first."""
    said = _BLANK
    for one in answers:
        effect, at, by = (
            (one.effect, one.at, None)
            if isinstance(one, OrderStatement)
            else (fulfilment_effect(one.type, one.status), one.issued_at, one.key)
        )
        if effect and said["fulfilment"] not in (Fulfilment.COMPLETED, effect):
            said = {"fulfilment": Fulfilment(effect), "fulfilled_at": at, "fulfilled_by": by}
    return said
