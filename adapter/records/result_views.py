"""All SQL of who saw what a result stated: what waits to be seen, what was decided, what is to follow.

What is seen is what it tells (`stated_content`), not a version: a result that comes again and tells the same
stays seen, one that tells something else waits again. Rows hold keys of results alone, so whose they are
follows the records.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, literal_column, select, update

from adapter.records.change_feed import newest_position
from adapter.records.hidden_words import HiddenWords
from adapter.records.model import Result
from adapter.records.stated_content import Decision, StatedContent, Urgency, stated
from adapter.records.stated_content import urgency as urgency_of
from adapter.records.tables import record, result_attention, result_view

__all__ = [
    "Attention",
    "ResultView",
    "attention_of",
    "close_task",
    "erase_views",
    "forget_result",
    "forget_telling",
    "note_stated",
    "open_tasks",
    "put_view",
    "reopen_task",
    "unseen",
    "views_of",
    "withdraw_view",
]

_A, _V = result_attention.c, result_view.c
_IS_TASK = (_V.decision != literal_column("'nothing'")) & _V.withdrawn_at.is_(None) & _V.closed_at.is_(None)
_UNSEEN = (
    select(result_attention)
    .where(_A.urgency == bindparam("b_urgency"), _A.waits_since.is_not(None))
    .order_by(_A.waits_since, _A.result)
    .limit(bindparam("b_most"))
)
_UNSEEN_BEFORE = _UNSEEN.where(_A.waits_since < bindparam("b_before"))


@dataclass(frozen=True, slots=True)
class Attention:
    """What a result tells now (by its digest), and since when that waits to be seen; None: it was."""

    result: str
    hospital: str
    digest: str
    urgency: Urgency
    waits_since: datetime | None


@dataclass(frozen=True, slots=True)
class ResultView:
    """That somebody saw what a result stated. `closed_…`: what was to follow was ended by hand."""

    id: int
    result: str
    digest: str
    stated: StatedContent
    decision: Decision
    note: str | None
    seen_at: datetime
    seen_by: str
    position: int
    closed_at: datetime | None
    closed_by: str | None
    closed_reason: str | None

    @property
    def is_task(self) -> bool:
        """Whether something is to follow that nobody ended by hand."""
        return self.decision is not Decision.NOTHING and self.closed_at is None


def note_stated(connection: Connection, one: Result, at: datetime) -> None:
    """What a result tells now; in the transaction that writes it. What stated something else and was not seen
    yet waits since it did; what is withdrawn before anybody saw it waits no more.
    """
    before = attention_of(connection, [one.key]).get(one.key)
    seen = views_of(connection, [one.key])
    tells, urgency = stated(one, one.content), urgency_of(one.content)
    if tells.is_withdrawn:
        # who acted on it must know; nobody else
        urgency = Urgency.ABNORMAL if seen else Urgency.NORMAL
    now = Attention(one.key, one.hospital, tells.digest, urgency, _waits_since(before, seen, tells, at))
    values = asdict(now)
    if before is None:
        connection.execute(insert(result_attention).values(values))
    elif before != now:
        connection.execute(update(result_attention).where(_A.result == one.key).values(values))


def _waits_since(
    before: Attention | None, seen: Sequence[ResultView], tells: StatedContent, at: datetime
) -> datetime | None:
    if seen[0].digest == tells.digest if seen else tells.is_withdrawn:
        return None
    if before is None or before.waits_since is None:
        return at
    waits = before.urgency is not Urgency.NORMAL or before.digest == tells.digest
    return before.waits_since if waits else at


def forget_result(connection: Connection, result: str) -> None:
    """It is in no record any more: who said what of it holds for nobody."""
    connection.execute(delete(result_attention).where(_A.result == result))
    connection.execute(delete(result_view).where(_V.result == result))


def attention_of(connection: Connection, results: Collection[str]) -> Mapping[str, Attention]:
    """Of these results, as far as they came since results are to be seen."""
    query = select(result_attention).where(_A.result.in_(results))
    found = (_attention(row) for row in connection.execute(query)) if results else ()
    return {one.result: one for one in found}


def unseen(
    connection: Connection, urgency: Urgency, *, most: int, before: datetime | None = None
) -> Sequence[Attention]:
    """What of that urgency nobody has seen, the oldest first; with `before` what waits since before that."""
    asked = {"b_urgency": urgency.value, "b_most": most, "b_before": before}
    rows = connection.execute(_UNSEEN if before is None else _UNSEEN_BEFORE, asked)
    return [_attention(row) for row in rows]


def views_of(connection: Connection, results: Collection[str]) -> Sequence[ResultView]:
    """Who saw these results, the newest first, without what was taken back."""
    if not results:
        return []
    query = select(result_view).where(_V.result.in_(results), _V.withdrawn_at.is_(None))
    return [_view(row) for row in connection.execute(query.order_by(_V.id.desc()))]


def put_view(
    connection: Connection,
    result: str,
    seen: StatedContent,
    decision: Decision,
    note: str | None,
    *,
    now: datetime,
    by: str,
) -> None:
    """Somebody has seen what it tells."""
    values = {"digest": seen.digest, "stated": seen.as_text(), "decision": decision, "note": note}
    position = newest_position(connection)
    who = {"seen_at": now, "seen_by": by, "position": position}
    connection.execute(insert(result_view).values(result=result, **values, **who))
    _mark_seen(connection, result, now)


def withdraw_view(connection: Connection, view: ResultView, *, now: datetime, by: str) -> None:
    """Take that back: the view before holds again, if there is one."""
    gone = {"withdrawn_at": now, "withdrawn_by": by}
    connection.execute(update(result_view).where(_V.id == view.id).values(gone))
    _mark_seen(connection, view.result, now)


def open_tasks(connection: Connection, most: int) -> Sequence[ResultView]:
    """What doctors said is to follow, the oldest first, unless it was ended by hand or somebody decided
    something else since.
    """
    rows = connection.execute(select(result_view).where(_IS_TASK).order_by(_V.seen_at).limit(most))
    tasks = [_view(row) for row in rows]
    newest: dict[str, int] = {}
    for one in views_of(connection, {task.result for task in tasks}):
        newest.setdefault(one.result, one.id)
    return [one for one in tasks if newest.get(one.result) == one.id]


def close_task(connection: Connection, view: int, *, now: datetime, by: str, reason: str) -> None:
    """What was to follow is ended by hand."""
    closed = {"closed_at": now, "closed_by": by, "closed_reason": reason}
    connection.execute(update(result_view).where(_V.id == view).values(closed))


def reopen_task(connection: Connection, view: int) -> None:
    """It is to follow after all."""
    closed = dict.fromkeys(("closed_at", "closed_by", "closed_reason"))
    connection.execute(update(result_view).where(_V.id == view).values(closed))


def erase_views(connection: Connection, cadre: str) -> None:
    """Nothing stays of who saw this person's results; before the records themselves go."""
    mine = select(record.c.key).where(record.c.cadre == cadre, record.c.kind == "result").scalar_subquery()
    connection.execute(delete(result_attention).where(_A.result.in_(mine)))
    connection.execute(delete(result_view).where(_V.result.in_(mine)))


def forget_telling(connection: Connection, words: HiddenWords) -> None:
    """What doctors wrote and saw of others' results goes where it tells of hidden people."""
    rows = connection.execute(select(_V.id, _V.stated, _V.note, _V.closed_reason)).all()
    for row in rows:
        tells, *free = (words.look(text or "") for text in row[1:])
        if tells:
            connection.execute(
                update(result_view).where(_V.id == row.id).values(stated=StatedContent().as_text())
            )
        if any(free):
            gone = {"note": None, "closed_reason": None}
            connection.execute(update(result_view).where(_V.id == row.id).values(gone))


def _mark_seen(connection: Connection, result: str, now: datetime) -> None:
    """Whether what it tells now is what was seen last; what is to be seen again waits since `now`."""
    digest = connection.execute(select(_A.digest).where(_A.result == result)).scalar()
    seen = views_of(connection, [result])
    since = None if seen and seen[0].digest == digest else now
    connection.execute(update(result_attention).where(_A.result == result).values(waits_since=since))


def _attention(row: Row[Any]) -> Attention:
    return Attention(row.result, row.hospital, row.digest, Urgency(row.urgency), row.waits_since)


def _view(row: Row[Any]) -> ResultView:
    fields = {name: row._mapping[name] for name in ResultView.__slots__}
    fields |= {"stated": StatedContent.from_text(row.stated), "decision": Decision(row.decision)}
    return ResultView(**fields)
