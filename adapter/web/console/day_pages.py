"""Pages: today's work, and what stands behind its lines that has no area of its own: what hospitals refused,
rows that wait, numbers of two people.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from adapter.authorization.staff_roles import Permission
from adapter.errors import MappingError, Outdated, UsageError
from adapter.insights.day import Day, DayAct, DayLine, WaitingInTime
from adapter.operations.held_rows import DropHeldRow, ReleaseHeldRow
from adapter.operations.release import ReleaseParked
from adapter.web.console.visit import ConsoleRoute, NotHereError, Visit

__all__ = ["ROUTES"]

_MOST: Final = 50  # of what a hospital refused
# Where each act is done, and what it asks for; a referral's line leads to its referrals.
_PLACES: Final = {
    DayAct.LINK: ("/inbox", Permission.LINK_RESULTS),
    DayAct.ACKNOWLEDGE: ("/results", Permission.SEE_RESULTS),
    DayAct.CORRECT: ("/refused", Permission.SEE_PEOPLE),
    DayAct.DECIDE: ("/held", Permission.IMPORT_RECORDS),
    DayAct.COMPARE: ("/doubles", Permission.SEE_PEOPLE),
}
_WAITING: Final = {
    WaitingInTime.RESULTS: ("/results", Permission.SEE_RESULTS),
    WaitingInTime.TO_SEE: ("/referrals?waits=us", Permission.SEE_REFERRALS),
    WaitingInTime.AT_HOSPITALS: ("/referrals?waits=hospital", Permission.SEE_REFERRALS),
}
_OF_REFERRALS: Final = (DayAct.ANSWER, DayAct.CALL, DayAct.RESEND, DayAct.LOOK)


def _day(visit: Visit) -> Response:
    found = visit.insights.today(sees_t1=visit.account.sees_t1)
    shown = [
        {"line": one, "sentence": one.sentence(visit.language), "acts": _acts(visit, one)}
        for one in found.lines
    ]
    alone = visit.may(Permission.MANAGE_ACCOUNTS) and len(visit.insights.staff()) == 1
    return visit.page("day/day.html", lines=shown, in_time=_in_time(visit, found), is_alone=alone)


def _in_time(visit: Visit, found: Day) -> Sequence[tuple[str, str]]:
    """What need not be done today: words, and where it is; "" for who may not look there."""
    return [
        (visit.t(f"day.in_time_{what}", count=count), path if visit.may(permission) else "")
        for what, count in found.in_time.items()
        for path, permission in (_WAITING[what],)
    ]


def _acts(visit: Visit, line: DayLine) -> Sequence[dict[str, str]]:
    """What helps: words, and where that is done; "" where it is said to somebody."""
    found = []
    for act in line.acts:
        words, place = visit.t(f"day.act_{act}"), ""
        if act is DayAct.CALL and line.telephone:
            words, place = visit.t("console_day.call", telephone=line.telephone), _telephone(line.telephone)
        elif act in _PLACES:
            path, permission = _PLACES[act]
            place = path if visit.may(permission) else ""
        elif line.code == "refused":
            place = "/turned-away" if visit.may(Permission.DECIDE_REFUSED) else ""
            words = words if place else visit.t("day.act_tell-it")
        elif line.code in ("parked", "unreachable"):
            place = "/refused" if act is DayAct.RESEND and visit.may(Permission.SEE_PEOPLE) else ""
        elif act in _OF_REFERRALS and visit.may(Permission.SEE_REFERRALS):
            place = f"/referrals?{urlencode({'late': '1', 'hospital': line.hospital})}"
        found.append({"words": words, "place": place})
    return found


def _telephone(written: str) -> str:
    digits = "".join(one for one in written if one.isdigit() or one == "+")
    return f"tel:{digits}" if digits else ""


# -- what hospitals refused --------------------------------------------------------------------


def _refused(visit: Visit, problem: str = "", status: int = 200) -> Response:
    names = list(visit.adapter.settings.hospitals)
    try:
        cells = visit.insights.refused(names, _MOST, command="console refused", sees_t1=visit.account.sees_t1)
    except MappingError:  # nothing can be traced then; what waits is said all the same
        cells = ()
    causes = [
        {"cause": one, "version": _release(one.hospital, one.reason).preview(visit.operations).version}
        for one in visit.insights.parked(names)
    ]
    display = {name: visit.adapter.settings.hospitals[name].display for name in names}
    return visit.page(
        "day/refused.html", status=status, causes=causes, cells=cells, display=display, problem=problem
    )


def _release(hospital: str, reason: str) -> ReleaseParked:
    return ReleaseParked((hospital,), reason)


def _send_again(visit: Visit) -> Response:
    hospital, reason = visit.form.get("hospital"), visit.form.get("reason")
    if hospital not in visit.adapter.settings.hospitals:
        raise NotHereError
    try:
        done = _release(hospital, reason).perform(visit.operations, visit.form.get("version"))
    except Outdated:
        return _refused(visit, visit.t("console.outdated"), 409)
    count = sum(one.released for one in done)
    return visit.redirect("/refused", "console_day.goes_again", count=count)


# -- rows that hardly can be true --------------------------------------------------------------


def _held(visit: Visit, problem: str = "", typed: str = "", at: int = 0, status: int = 200) -> Response:
    rows = visit.insights.held_rows("waiting", "console held", sees_t1=visit.account.sees_t1)
    versions = {one.id: ReleaseHeldRow(one.id, "-").preview(visit.operations).version for one in rows}
    return visit.page(
        "day/held.html", status=status, rows=rows, versions=versions, problem=problem, typed=typed, at=at
    )


def _decide(visit: Visit) -> Response:
    number, reason = visit.number_of("held", visit.path["row"]), visit.form.get("reason")
    shown = visit.insights.held_rows("waiting", "console held", sees_t1=visit.account.sees_t1)
    if not any(one.id == number for one in shown):
        return _held(visit, visit.t("console_day.held_decided"), status=409)
    drops = visit.form.get("decision") == "drop"
    operation = (DropHeldRow if drops else ReleaseHeldRow)(number, reason)
    try:
        operation.perform(visit.operations, visit.form.get("version"))
    except Outdated:
        return _held(visit, visit.t("console.outdated"), reason, number, 409)
    except UsageError as error:
        return _held(visit, visit.t(error.text, **error.params), reason, number, 400)
    return visit.redirect("/held", "console_day.was_dropped" if drops else "console_day.was_let_in")


def _doubles(visit: Visit) -> Response:
    found = visit.insights.doubles("console doubles", sees_t1=visit.account.sees_t1)
    return visit.page("day/doubles.html", doubles=found)


def _refused_page(visit: Visit) -> Response:
    return _refused(visit)


def _held_page(visit: Visit) -> Response:
    return _held(visit)


ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/day", _day, Permission.SEE_DAY, menu="console_day.menu"),
    ConsoleRoute("GET", "/refused", _refused_page, Permission.SEE_PEOPLE),
    ConsoleRoute("POST", "/refused", _send_again, Permission.ACT_ON_REFERRALS),
    ConsoleRoute("GET", "/held", _held_page, Permission.IMPORT_RECORDS),
    ConsoleRoute("POST", "/held/{row}", _decide, Permission.IMPORT_RECORDS),
    ConsoleRoute("GET", "/doubles", _doubles, Permission.SEE_PEOPLE),
)
