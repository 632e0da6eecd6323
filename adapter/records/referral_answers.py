"""What answers a referral, once the result or Task that did is withdrawn or was another person's."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, select, update

from adapter.records import serialisation as bodies
from adapter.records.change_feed import ChangeFeed
from adapter.records.merges import MergeStore
from adapter.records.model import Referral, Result
from adapter.records.tables import record
from adapter.referrals.course import take_step
from adapter.referrals.details import TaskDetails
from adapter.referrals.lifecycle import ReferralEvent, ReferralState
from adapter.referrals.reasons import ReferralReason
from adapter.referrals.sayings import ReferralSaying, saying_in_status

__all__ = [
    "ASKING",
    "OrderStatement",
    "OrderStatements",
    "ReferralMoment",
    "answer_again",
    "answered",
    "asked_to_cancel",
    "course_of",
    "no_statements",
    "open_again",
]

ASKING = ReferralSaying((ReferralEvent.ASK_TO_CANCEL,), explicit=True)
"""That the centre asks the hospital to cancel a referral."""
_NOT_BEGUN = (ReferralState.RECEIVED, ReferralState.ACCEPTED)
_BLANK: dict[str, Any] = {
    "state": ReferralState.RECEIVED,
    "fulfilled_at": None,
    "fulfilled_by": None,
    "appointment_at": None,
    "hospital_number": None,
    "said": None,
    "reason_code": None,
    "onward": None,
    "progress": None,
    "question": None,
    "asked_at": None,
}
_WHY: dict[str, Any] = {"said": None, "reason_code": None, "onward": None}
"""Of the state before: a new one has its own reason, or none."""


@dataclass(frozen=True, slots=True)
class OrderStatement:
    """What a hospital's Task, or its copy of the order, says of a referral."""

    referral: str
    saying: ReferralSaying | None
    at: datetime
    details: TaskDetails | None = None


@dataclass(frozen=True, slots=True)
class ReferralMoment:
    """What was said of a referral: `what` is the type of the resource, empty of our own asking to cancel;
    `state` is where the referral stood then, `is_odd` that it fits nowhere, `reason` why it was said.
    """

    at: datetime | None
    what: str
    status: str
    state: ReferralState
    is_odd: bool
    reason: ReferralReason | None = None


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
        after = _answered_anew(referral, answers)
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


def _answered_anew(referral: Referral, answers: Iterable[Result | OrderStatement]) -> Referral:
    """The referral as it stands when nobody but these has answered it, and as we asked since."""
    found = referral.model_copy(update=_BLANK)
    for one in _with_our_asking(referral, answers):
        found = _after(found, one)
    return found


def _with_our_asking(
    referral: Referral, answers: Iterable[Result | OrderStatement]
) -> Iterator[Result | OrderStatement | datetime]:
    """The moment at which we asked to cancel, before what came later."""
    asked = referral.cancel_asked_at
    for one in answers:
        at = one.at if isinstance(one, OrderStatement) else one.issued_at
        if asked is not None and (at is None or at >= asked):
            yield asked
            asked = None
        yield one
    if asked is not None:
        yield asked


def _after(referral: Referral, one: Result | OrderStatement | datetime) -> Referral:
    if isinstance(one, datetime):
        return asked_to_cancel(referral, one)
    if isinstance(one, OrderStatement):
        return answered(referral, one.saying, one.details, by=None, at=one.at)
    return answered(referral, saying_in_status(one.type, one.status), None, by=one.key, at=one.issued_at)


def course_of(
    connection: Connection, referral: Referral, statements: OrderStatements
) -> Sequence[ReferralMoment]:
    """What was said of a referral, by the hospital and by us, in its order, and where each took it."""
    same = MergeStore.same_people(connection, [referral.cadre])
    mine = [one for one in _results(connection, same, None) if one.referral == referral.key]
    said = [one for one in statements(connection, same) if one.referral == referral.key]
    found, now = [], referral.model_copy(update=_BLANK)
    for one in _with_our_asking(referral, _in_order(mine, said)):
        saying, what, status, at = _told(one)
        after = _after(now, one)
        is_odd = saying is not None and take_step(now.state, saying).is_odd
        reason = one.details.reason_code if isinstance(one, OrderStatement) and one.details else None
        found.append(ReferralMoment(at, what, status, after.state, is_odd, reason))
        now = after
    return found


def _told(
    one: Result | OrderStatement | datetime,
) -> tuple[ReferralSaying | None, str, str, datetime | None]:
    if isinstance(one, datetime):
        return ASKING, "", "", one
    if isinstance(one, OrderStatement):
        asks = one.details is not None and one.details.question is not None
        word = one.saying.events[0].value if one.saying else "question" if asks else ""
        return one.saying, "Task", word, one.at
    return saying_in_status(one.type, one.status), one.type, one.status, one.issued_at


def asked_to_cancel(referral: Referral, at: datetime, reason: str | None = None) -> Referral:
    """The referral when we have asked to cancel it: where the hospital has not begun, that is ours to do. The
    same one where it is at its end, or asked for already.
    """
    asked = answered(referral, ASKING, None, by=None, at=at)
    if asked is referral:
        return referral
    needs_answer = referral.state not in _NOT_BEGUN
    if not needs_answer:
        confirmed = ReferralSaying((ReferralEvent.CONFIRM_CANCELLATION,))
        asked = answered(asked, confirmed, None, by=None, at=at)
    said = {"cancel_asked_at": at, "cancel_needs_answer": needs_answer or None}
    return asked.model_copy(update=said if reason is None else {**said, "cancel_reason": reason})


def answered(
    referral: Referral,
    saying: ReferralSaying | None,
    details: TaskDetails | None,
    *,
    by: str | None,
    at: datetime | None,
) -> Referral:
    """The referral as that leaves it; the same one where it changes nothing."""
    said: dict[str, Any] = {}
    if saying is not None:
        step = take_step(referral.state, saying)
        if step.after is not step.before:
            said = {"state": step.after, "fulfilled_at": at, "fulfilled_by": by, **_WHY}
    if details is not None:
        named = {
            "appointment_at": details.appointment,
            "hospital_number": details.hospital_number,
            "said": details.reason,
            "reason_code": details.reason_code,
            "onward": details.onward,
            "progress": details.progress,
        }
        said |= {name: value for name, value in named.items() if value is not None}
        if details.question is not None and details.question != referral.question:
            said |= {"question": details.question, "asked_at": at}
    return referral.model_copy(update=said) if said else referral
