"""Pages: referrals, the overdue ones first, and what the centre does about each."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from adapter.authorization.staff_roles import Permission
from adapter.errors import Outdated, UsageError
from adapter.insights.referrals import ReferralLine
from adapter.operations.operation import Operation
from adapter.operations.referrals import AnswerReferral, CancelReferral, NoteCall
from adapter.operations.release import ReleaseParked
from adapter.referrals.clocks import ReferralClock
from adapter.referrals.lifecycle import ReferralState
from adapter.web.console.reasons import reason_words
from adapter.web.console.visit import ConsoleRoute, NotHereError, Visit

__all__ = ["ROUTES"]

_PAGE: Final = 50
_WHO: Final = ("us", "hospital")
_LONGEST: Final = 1_000  # characters of an answer


def _list(visit: Visit) -> Response:
    hospitals = visit.adapter.settings.hospitals
    asked = visit.query.get("hospital", "")
    if asked and asked not in hospitals:
        raise NotHereError
    is_late, closed = visit.query.get("late") == "1", visit.query.get("closed") == "1"
    found = visit.insights.referrals(
        [asked] if asked else list(hospitals), with_closed=closed, sees_t1=visit.account.sees_t1
    )
    waits = visit.query.get("waits", "") if visit.query.get("waits") in _WHO else ""
    found = [one for one in found if (one.is_late or not is_late) and (not waits or waits == _who(one))]
    number = visit.page_number()
    shown = found[(number - 1) * _PAGE : number * _PAGE]
    people = visit.insights.names((one.cadre for one in shown), "console referrals")
    return visit.page(
        "referrals/list.html",
        lines=shown,
        people=people,
        hospitals=hospitals,
        asked=asked,
        is_late=is_late,
        closed=closed,
        waits=waits,
        services=visit.insights.service_names(),
        number=number,
        is_last=number * _PAGE >= len(found),
        total=len(found),
    )


def _who(one: ReferralLine) -> str:
    """Who is waited for."""
    return "us" if one.waits_for == ReferralClock.ACKNOWLEDGEMENT else "hospital"


def _key(visit: Visit) -> str:
    return visit.key_of("referral", visit.path["referral"])


def _referral(visit: Visit) -> Response:
    return _shown(visit, _key(visit))


def _shown(visit: Visit, key: str, problem: str = "", typed: str = "", status: int = 200) -> Response:
    try:
        course = visit.insights.referral(key, sees_t1=visit.account.sees_t1)
    except UsageError:
        raise NotHereError from None
    line = course.line
    return visit.page(
        "referrals/referral.html",
        status=status,
        course=course,
        line=line,
        name=visit.insights.names([line.cadre], "console referral")[line.cadre],
        hospital=visit.adapter.settings.hospitals[line.hospital],
        service=visit.insights.service_names().get(line.service, line.service),
        not_there=visit.insights.referral_not_there(key) if line.state is ReferralState.DRAFT else None,
        why=lambda reason: reason_words(visit, reason),
        version=NoteCall(key).preview(visit.operations).version,
        parked=_parked(visit, key),
        is_open=line.waits_for is not None or line.state is ReferralState.DRAFT,
        problem=problem,
        typed=typed,
        longest=_LONGEST,
        who=lambda by: (by or "").rpartition(":")[2],
    )


def _parked(visit: Visit, key: str) -> str:
    """The version of what of it is parked; "" where nothing is."""
    try:
        seen = ReleaseParked((key,)).preview(visit.operations)
    except UsageError:
        return ""
    return seen.version if seen.shown else ""


def _act(
    visit: Visit, operation: Operation[Any, Any], notice: str, *, typed: str = "", seen: str | None = None
) -> Response:
    key = _key(visit)
    try:
        visit.insights.referral(key, sees_t1=visit.account.sees_t1)
    except UsageError:
        raise NotHereError from None
    try:
        operation.perform(visit.operations, seen)
    except Outdated:
        return _shown(visit, key, visit.t("console_referrals.changed"), typed, 409)
    except UsageError as error:
        return _shown(visit, key, visit.t(error.text, **error.params), typed, 400)
    return visit.redirect(f"/referrals/{visit.path['referral']}", notice)


def _called(visit: Visit) -> Response:
    return _act(visit, NoteCall(_key(visit)), "console_referrals.call_noted", seen=visit.form.get("version"))


def _again(visit: Visit) -> Response:
    operation = ReleaseParked((_key(visit),))
    return _act(visit, operation, "console_referrals.goes_again", seen=visit.form.get("version"))


def _answer(visit: Visit) -> Response:
    words = " ".join(visit.form.get("answer").split())
    if not 0 < len(words) <= _LONGEST:
        said = visit.t("console_referrals.no_answer", most=_LONGEST)
        return _shown(visit, _key(visit), said, words, 400)
    operation = AnswerReferral(_key(visit), words)
    return _act(visit, operation, "console_referrals.answered", typed=words, seen=visit.form.get("version"))


def _cancel(visit: Visit) -> Response:
    reason = " ".join(visit.form.get("reason").split())
    if not reason:
        return _shown(visit, _key(visit), visit.t("console_referrals.no_reason"), status=400)
    operation = CancelReferral(_key(visit), reason)
    return _act(visit, operation, "console_referrals.cancelled", seen=visit.form.get("version"))


ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/referrals", _list, Permission.SEE_REFERRALS, menu="console_referrals.menu"),
    ConsoleRoute("GET", "/referrals/{referral}", _referral, Permission.SEE_REFERRALS),
    ConsoleRoute("POST", "/referrals/{referral}/called", _called, Permission.ACT_ON_REFERRALS),
    ConsoleRoute("POST", "/referrals/{referral}/again", _again, Permission.ACT_ON_REFERRALS),
    ConsoleRoute("POST", "/referrals/{referral}/answer", _answer, Permission.ACT_ON_REFERRALS),
    ConsoleRoute("POST", "/referrals/{referral}/cancel", _cancel, Permission.ACT_ON_REFERRALS),
)
