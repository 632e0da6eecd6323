"""A doctor has seen a result, and says what is to follow; takes that back; or what was to follow is ended."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sqlalchemy import Connection

from adapter import audit
from adapter.database import read_transaction, write_transaction
from adapter.errors import UsageError
from adapter.insights.results_to_see import listed_results
from adapter.operations.operation import Operation, OperationContext
from adapter.records.model import Cadre, Referral, Result
from adapter.records.result_views import (
    ResultView,
    attention_of,
    close_task,
    note_stated,
    put_view,
    reopen_task,
    views_of,
    withdraw_view,
)
from adapter.records.stated_content import Decision, stated
from adapter.referrals.lifecycle import ReferralState

__all__ = [
    "AcknowledgeResult",
    "CloseResultTask",
    "Decision",
    "ResultState",
    "UnacknowledgeResult",
    "result_state",
]


@dataclass(frozen=True, slots=True)
class ResultState:
    """A result, what it lists, and who has seen them. `stated` names what each tells now; `view` is the
    newest that holds of the result itself.
    """

    result: str
    hospital: str
    cadre: str
    title: str
    stated: tuple[tuple[str, str], ...]
    view: ResultView | None

    @property
    def is_seen(self) -> bool:
        """Whether what it tells now was seen."""
        return self.view is not None and self.view.digest == dict(self.stated)[self.result]


def result_state(context: OperationContext, key: str) -> ResultState:
    """A result as it is. Raises UsageError where there is none of that key."""
    return _state(context, key)[0]


def _state(context: OperationContext, key: str) -> tuple[ResultState, list[Result]]:
    records = context.adapter.records
    result = records.get(Result.kind, key)
    if not isinstance(result, Result):
        raise UsageError("result.unknown", key=key)
    # an import tells of none, so what is listed is read of the person's records as they are
    members = _with_members(
        result, [one for one in records.of_cadre(result.cadre) if isinstance(one, Result)]
    )
    with read_transaction(context.adapter.engine) as connection:
        views = views_of(connection, [key])
    state = ResultState(
        result=key,
        hospital=result.hospital,
        cadre=result.cadre,
        title=result.title or "",
        stated=tuple((one.key, stated(one, one.content).digest) for one in members),
        view=views[0] if views else None,
    )
    return state, members


def _with_members(result: Result, among: list[Result]) -> list[Result]:
    """The result, and what it lists in turn."""
    found, ahead = {result.key: result}, [result]
    while ahead:
        for one in listed_results(ahead.pop(), among):
            if one.key not in found:
                found[one.key] = one
                ahead.append(one)
    return list(found.values())


def _newest(views: Sequence[ResultView]) -> Mapping[str, ResultView]:
    """By result, of views that begin with the newest."""
    return {one.result: one for one in reversed(views)}


def _kept(before: ResultView | None) -> tuple[Decision, str | None]:
    """What was to follow a member that is seen again with its report is to follow still."""
    if before is None or before.closed_at is not None:
        return Decision.NOTHING, None
    return before.decision, before.note


@dataclass(frozen=True)
class AcknowledgeResult(Operation[ResultState, ResultState]):
    """A doctor has seen result `result`, with what it lists, and decides what is to follow. It holds until
    the result tells something else. A referral that it completed counts as seen too.
    """

    name: ClassVar[str] = "result.acknowledge"
    audited_as: ClassVar[tuple[str, ...]] = ("result.acknowledged",)
    result: str
    decision: Decision = Decision.NOTHING
    note: str | None = None

    def look(self, context: OperationContext) -> ResultState:
        """The result as it is. Raises UsageError for one that is not known."""
        return result_state(context, self.result)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ResultState:
        """Write down who saw what, and when."""
        cadre = self.look(context).cadre
        now, records = context.clock(), context.adapter.records
        with write_transaction(context.adapter.engine) as connection:
            records.lives(cadre, connection=connection)  # no other version is written meanwhile
            unchanged()
            state, members = _state(context, self.result)
            keys = [one.key for one in members]
            known, newest = attention_of(connection, keys), _newest(views_of(connection, keys))
            for one in members:
                if one.key not in known:  # it came before results were to be seen
                    note_stated(connection, one, now)
                tells, before = stated(one, one.content), newest.get(one.key)
                if one.key == self.result:
                    put_view(connection, one.key, tells, self.decision, self.note, now=now, by=context.by)
                elif before is None or before.digest != tells.digest:
                    decision, note = _kept(before)
                    put_view(connection, one.key, tells, decision, note, now=now, by=context.by)
            _see_referrals(context, connection, members, now)
            _audit(context, connection, self.audited_as[0], state, decision=self.decision.value)
        return result_state(context, self.result)

    def undo(self, before: ResultState) -> "UnacknowledgeResult":
        """What was seen before holds again."""
        return UnacknowledgeResult(self.result)


@dataclass(frozen=True)
class UnacknowledgeResult(Operation[ResultState, ResultState]):
    """Take the newest acknowledgement of a result back: what was said before it holds again."""

    name: ClassVar[str] = "result.unacknowledge"
    audited_as: ClassVar[tuple[str, ...]] = ("result.unacknowledged",)
    result: str

    def look(self, context: OperationContext) -> ResultState:
        """The result as it is. Raises UsageError for one that nobody has seen."""
        state = result_state(context, self.result)
        if state.view is None:
            raise UsageError("result.not_seen", key=self.result)
        return state

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ResultState:
        """Take it back, with what it lists that was seen in that moment."""
        cadre, now = self.look(context).cadre, context.clock()
        with write_transaction(context.adapter.engine) as connection:
            context.adapter.records.lives(cadre, connection=connection)
            unchanged()
            self.look(context)
            state, members = _state(context, self.result)
            last = views_of(connection, [self.result])[0]
            for view in _newest(views_of(connection, [one.key for one in members])).values():
                if (view.seen_at, view.seen_by) == (last.seen_at, last.seen_by):
                    withdraw_view(connection, view, now=now, by=context.by)
            _unsee_referrals(context, connection, members, last)
            _audit(context, connection, self.audited_as[0], state)
        return result_state(context, self.result)

    def undo(self, before: ResultState) -> AcknowledgeResult | None:
        """It is seen again, with what was decided."""
        if before.view is None:
            return None
        return AcknowledgeResult(self.result, before.view.decision, before.view.note)


@dataclass(frozen=True)
class CloseResultTask(Operation[ResultState, ResultState]):
    """What was to follow a result is ended by hand, with a reason; `reopened`: it is to follow after all."""

    name: ClassVar[str] = "result.close"
    audited_as: ClassVar[tuple[str, ...]] = ("result.task-closed",)
    result: str
    reason: str = ""
    reopened: bool = False

    def look(self, context: OperationContext) -> ResultState:
        """The result as it is. Raises UsageError where nothing is to follow, or no reason is given."""
        state = result_state(context, self.result)
        view = state.view
        if view is None or view.decision is Decision.NOTHING or view.is_task == self.reopened:
            raise UsageError("result.nothing_follows", key=self.result)
        if not (self.reopened or self.reason.strip()):
            raise UsageError("result.no_reason")
        return state

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> ResultState:
        """Write it down: who, when and why."""
        cadre, now = self.look(context).cadre, context.clock()
        with write_transaction(context.adapter.engine) as connection:
            context.adapter.records.lives(cadre, connection=connection)
            unchanged()
            state = self.look(context)
            assert state.view is not None  # noqa: S101 - it was looked at
            if self.reopened:
                reopen_task(connection, state.view.id)
            else:
                close_task(connection, state.view.id, now=now, by=context.by, reason=self.reason.strip())
            _audit(context, connection, self.audited_as[0], state, reopened=self.reopened)
        return result_state(context, self.result)

    def undo(self, before: ResultState) -> "CloseResultTask | None":
        """It is to follow again; or is ended for the reason that was given."""
        if not self.reopened:
            return CloseResultTask(self.result, reopened=True)
        reason = before.view.closed_reason if before.view else None
        return CloseResultTask(self.result, reason) if reason else None


def _see_referrals(
    context: OperationContext, connection: Connection, members: list[Result], now: datetime
) -> None:
    """Whoever saw a result has seen what came back for the referral that it completed."""

    def seen(one: Referral) -> Referral:
        if one.state is not ReferralState.COMPLETED or one.acknowledged_at:
            return one
        return one.model_copy(update={"acknowledged_at": now, "acknowledged_by": context.by})

    for key in sorted({one.referral for one in members if one.referral}):
        context.adapter.records.amend_referral(key, seen, connection=connection)


def _unsee_referrals(
    context: OperationContext, connection: Connection, members: list[Result], view: ResultView
) -> None:
    def unseen(one: Referral) -> Referral:
        if (one.acknowledged_at, one.acknowledged_by) != (view.seen_at, view.seen_by):
            return one
        return one.model_copy(update={"acknowledged_at": None, "acknowledged_by": None})

    for key in sorted({one.referral for one in members if one.referral}):
        context.adapter.records.amend_referral(key, unseen, connection=connection)


def _audit(
    context: OperationContext, connection: Connection, action: str, state: ResultState, **details: object
) -> None:
    person = context.adapter.records.get(Cadre.kind, state.cadre)
    audit.append(
        connection,
        at=context.clock(),
        actor=context.by,
        action=action,
        subject=None if person is None else context.adapter.audit_subject(state.cadre),
        hospital=state.hospital,
        details={"results": len(state.stated), **details},
    )
