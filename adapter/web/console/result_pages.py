"""Pages: results are read and acknowledged."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from starlette.responses import Response

from adapter.authorization.staff_accounts import all_accounts
from adapter.authorization.staff_roles import Permission
from adapter.errors import Outdated, UsageError
from adapter.insights.measure_trends import MeasureTrend, TrendPoint
from adapter.insights.result_item import ResultItem
from adapter.operations.results import AcknowledgeResult, CloseResultTask, Decision, UnacknowledgeResult
from adapter.web.console.curves import trend_curve
from adapter.web.console.looking import look_reason
from adapter.web.console.rendering import day, moment
from adapter.web.console.visit import ConsoleRoute, NotHereError, Visit

__all__ = ["ROUTES"]

_MOST_CURVES: Final = 6  # of one report; the other measures stand in tables
_LONGEST_NOTE: Final = 1_000
_COMMAND: Final = "console result"


def _list(visit: Visit) -> Response:
    """What is to be seen, and what is to follow."""
    with_normal, sees_t1 = visit.query.get("all") == "1", visit.account.sees_t1
    return visit.page(
        "results/list.html",
        waiting=visit.insights.unseen_results(with_normal=with_normal, sees_t1=sees_t1),
        tasks=visit.insights.result_tasks(sees_t1=sees_t1),
        with_normal=with_normal,
        names=_names(visit),
        hospitals=_hospitals(visit),
    )


def _show(visit: Visit) -> Response:
    return _page(visit, _item(visit))


def _acknowledge(visit: Visit) -> Response:
    """A doctor has seen it. What was decided on an older version is asked anew, with what was written."""
    item, form = _item(visit), visit.form
    written = {"decision": form.get("decision"), "note": form.get("note"), "reason": ""}
    decision = next((one for one in Decision if one.value == written["decision"]), None)
    if decision is None:
        return _page(visit, item, status=400, problem="console_results.choose", written=written)
    if len(written["note"]) > _LONGEST_NOTE:
        return _page(visit, item, status=400, problem="console_results.note_too_long", written=written)
    operation = AcknowledgeResult(item.shown.key, decision, " ".join(written["note"].split()) or None)
    try:
        operation.perform(visit.operations, form.get("version"))
    except Outdated:
        return _page(visit, _item(visit), status=409, problem="console_results.outdated", written=written)
    return visit.redirect(_address(visit, item), f"console_results.done_{decision.value}")


def _withdraw(visit: Visit) -> Response:
    """What was acknowledged last is taken back."""
    item = _item(visit)
    try:
        UnacknowledgeResult(item.shown.key).perform(visit.operations, visit.form.get("version"))
    except Outdated:
        return _page(visit, _item(visit), status=409, problem="console_results.outdated")
    return visit.redirect(_address(visit, item), "console_results.withdrawn")


def _close(visit: Visit) -> Response:
    """What was to follow is ended by hand."""
    item = _item(visit)
    written = {"decision": "", "note": "", "reason": visit.form.get("reason")}
    if not written["reason"]:
        return _page(visit, item, status=400, problem="console_results.say_why", written=written)
    try:
        close = CloseResultTask(item.shown.key, written["reason"][:_LONGEST_NOTE])
        close.perform(visit.operations, visit.form.get("version"))
    except Outdated:
        return _page(visit, _item(visit), status=409, problem="console_results.outdated", written=written)
    return visit.redirect(_address(visit, item), "console_results.closed")


def _item(visit: Visit) -> ResultItem:
    key = visit.key_of("result", visit.path["result"])
    try:
        return visit.insights.result(key, _COMMAND, _why(visit), sees_t1=visit.account.sees_t1)
    except UsageError:
        raise NotHereError from None


def _page(
    visit: Visit,
    item: ResultItem,
    *,
    status: int = 200,
    problem: str = "",
    written: dict[str, str] | None = None,
) -> Response:
    key, curves = item.shown.key, _curves(visit, item)
    drawn = {(one.measure, one.name) for one, _ in curves}
    return visit.page(
        "results/result.html",
        status=status,
        item=item,
        when=_when,
        taken=lambda at: moment(at) if isinstance(at, datetime) else day(at),
        local=_local,
        person=f"/people/{visit.opaque('cadre', item.person.key)}"
        if visit.may(Permission.SEE_PEOPLE)
        else "",
        why=_why(visit),
        curves=curves,
        earlier=[one for one in item.earlier if len(one.values) > 1 and (one.measure, one.name) not in drawn],
        address=_address(visit, item),
        version=AcknowledgeResult(key).preview(visit.operations).version,
        problem=visit.t(problem) if problem else "",
        written=written or {"decision": "", "note": "", "reason": ""},
        decisions=[(one.value, visit.t(f"console_results.decide_{one.value}")) for one in Decision],
        names=_names(visit),
        hospitals=_hospitals(visit),
        may_acknowledge=visit.may(Permission.ACKNOWLEDGE_RESULTS),
        has_task=item.view is not None and item.view.is_task,
    )


def _curves(visit: Visit, item: ResultItem) -> list[tuple[MeasureTrend, str]]:
    """What can be drawn of its measures, the abnormal ones first."""
    trends = sorted(item.trends, key=lambda one: not one.last.is_abnormal)
    drawn = [(one, svg) for one in trends if (svg := trend_curve(visit, one))]
    return drawn[:_MOST_CURVES]


def _why(visit: Visit) -> str:
    """Who opens a result and says nothing else looks at it for itself."""
    return look_reason(visit.query.get("why", ""), "result")


def _address(visit: Visit, item: ResultItem) -> str:
    return f"/results/{visit.opaque('result', item.shown.key)}"


def _local(trend: MeasureTrend, one: TrendPoint) -> str:
    """A value as the curve has it, where that is another than was written."""
    words = "" if one.number is None else f"{one.number:f} {trend.unit}".strip()
    return "" if words == one.words else words


def _when(said: str) -> str:
    """A day or moment of a value, as exactly as it is known: HH:MM dd/MM/yyyy, 11/2026."""
    day, _, time = said.replace("T", " ").partition(" ")
    return f"{time[:5]} {'/'.join(reversed(day.split('-')))}".strip()


def _names(visit: Visit) -> dict[str, str]:
    """Who acted, as colleagues read it."""
    return {one.actor: one.display for one in all_accounts(visit.adapter.engine)}


def _hospitals(visit: Visit) -> dict[str, str]:
    return {name: one.display or name for name, one in visit.adapter.settings.hospitals.items()}


_SEE, _ACT = Permission.SEE_RESULTS, Permission.ACKNOWLEDGE_RESULTS
ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/results", _list, _SEE, menu="console_results.menu"),
    ConsoleRoute("GET", "/results/{result}", _show, _SEE),
    ConsoleRoute("POST", "/results/{result}/acknowledge", _acknowledge, _ACT),
    ConsoleRoute("POST", "/results/{result}/withdraw", _withdraw, _ACT),
    ConsoleRoute("POST", "/results/{result}/close", _close, _ACT),
)
