"""Pages: what is parked and why, a record's way from its cells to a hospital, what works and what does not,
and the audit.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from typing import Final

from starlette.responses import Response

from adapter.authorization.staff_roles import Permission
from adapter.errors import MappingError
from adapter.insights.audit_log import AuditFilter
from adapter.operations.release import ReleaseParked
from adapter.web.console.looking import look_choices, look_reason
from adapter.web.console.reasons import reason_words
from adapter.web.console.visit import ConsoleRoute, NotHereError, Visit

__all__ = ["ROUTES"]

_VIETNAM: Final = timezone(timedelta(hours=7))
_SHOWN: Final = 20  # refused resources of each hospital
_ROWS: Final = 50  # of the audit
_LONGEST_KEY: Final = 200  # characters


def _parked(visit: Visit) -> Response:
    """By cause; what the cells hold is shown to who may trace values alone."""
    names = list(visit.adapter.settings.hospitals)
    causes = visit.insights.parked(names)
    refused, trouble = [], ""
    if visit.may(Permission.TRACE_VALUES):
        there = list(dict.fromkeys(one.hospital for one in causes))
        try:
            found = visit.insights.refused(
                there, _SHOWN, command="console parked", sees_t1=visit.account.sees_t1
            )
            refused = list(found)
        except MappingError as error:
            trouble = str(error)
    seen = {
        (one.hospital, one.reason): ReleaseParked((one.hospital,), one.reason)
        .preview(visit.operations)
        .version
        for one in causes
        if one.released or one.too_old
    }
    return visit.page(
        "operating/parked.html",
        causes=causes,
        refused=refused,
        trouble=trouble,
        seen=seen,
        why=lambda reason: reason_words(visit, reason),
        displays={name: visit.adapter.settings.hospital(name).display for name in names},
    )


def _release(visit: Visit) -> Response:
    hospital, reason = visit.form.get("hospital"), visit.form.get("reason")
    if hospital not in visit.adapter.settings.hospitals:
        raise NotHereError
    done = ReleaseParked((hospital,), reason).perform(visit.operations, visit.form.get("seen"))
    count = sum(one.released for one in done)
    return visit.redirect("/parked", "console_operating.now_released", count=count)


def _ask_trace(visit: Visit) -> Response:
    return _trace_page(visit, "", "")


def _trace(visit: Visit) -> Response:
    """Asked for with a form: a record's key is a person's, and stands in no address."""
    key, hospital = visit.form.get("key")[:_LONGEST_KEY], visit.form.get("hospital")
    if hospital not in visit.adapter.settings.hospitals:
        raise NotHereError
    return _trace_page(visit, key, hospital)


def _trace_page(visit: Visit, key: str, hospital: str) -> Response:
    trouble, found, why = "", None, look_reason(visit.form.get("why"), "correction")
    if key:
        try:
            found = visit.insights.trace(
                key, hospital, sees_t1=visit.account.sees_t1, command="console trace", why=why
            )
        except MappingError as error:
            trouble = str(error)
    hospitals = [(one.name, one.display) for one in visit.adapter.settings.hospitals.values()]
    return visit.page(
        "operating/trace.html",
        key=key,
        hospital=hospital,
        hospitals=hospitals,
        found=found,
        trouble=trouble,
        looks=look_choices(visit),
        looks_for=why,
        why=lambda reason: reason_words(visit, reason),
    )


def _state(visit: Visit) -> Response:
    return visit.page(
        "operating/state.html",
        problems=visit.insights.problems(),
        configuration=visit.insights.configuration_problems(),
        workers=visit.insights.workers(),
        displays={one.name: one.display for one in visit.adapter.settings.hospitals.values()},
        quiet=timedelta(minutes=10),
        now=visit.clock(),
    )


def _audit(visit: Visit) -> Response:
    return _audit_page(visit, AuditFilter(), None)


def _search_audit(visit: Visit) -> Response:
    """Who is looked for stands in no address either."""
    form = visit.form
    person = form.get("person")[:_LONGEST_KEY]
    wanted = AuditFilter(
        who=form.get("who") or None,
        action=form.get("action") or None,
        hospital=form.get("hospital") or None,
        subjects=visit.insights.audit_subjects(person) if person else (),
        since=_midnight(form.get("since")),
        until=_midnight(form.get("until"), days=1),
    )
    before = form.get("before")
    return _audit_page(visit, wanted, int(before) if before.isascii() and before.isdigit() else None)


def _midnight(day: str, days: int = 0) -> datetime | None:
    """When a day begins in Vietnam, or the one that many days later; None where it is no day."""
    try:
        at = date.fromisoformat(day) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return datetime(at.year, at.month, at.day, tzinfo=_VIETNAM)


def _audit_page(visit: Visit, wanted: AuditFilter, before: int | None, chain: object = None) -> Response:
    names = ("who", "action", "hospital", "person", "since", "until")
    return visit.page(
        "operating/audit.html",
        asked={name: visit.form.get(name) for name in names},
        audit=visit.insights.audit_page(wanted, before=before, limit=_ROWS),
        hospitals=[(one.name, one.display) for one in visit.adapter.settings.hospitals.values()],
        chain=chain,
        head=visit.insights.audit_head(),
    )


def _verify(visit: Visit) -> Response:
    return _audit_page(visit, AuditFilter(), None, visit.insights.audit_chain())


_SEE, _RUN, _TRACE, _AUDIT = (
    Permission.SEE_HOSPITALS,
    Permission.RUN_HOSPITALS,
    Permission.TRACE_VALUES,
    Permission.SEE_AUDIT,
)
ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/parked", _parked, _SEE, menu="console_operating.menu_parked"),
    ConsoleRoute("POST", "/parked", _release, _RUN),
    ConsoleRoute("GET", "/trace", _ask_trace, _TRACE, menu="console_operating.menu_trace"),
    ConsoleRoute("POST", "/trace", _trace, _TRACE),
    ConsoleRoute("GET", "/state", _state, _RUN, menu="console_operating.menu_state"),
    ConsoleRoute("GET", "/audit", _audit, _AUDIT, menu="console_operating.menu_audit"),
    ConsoleRoute("POST", "/audit", _search_audit, _AUDIT),
    ConsoleRoute("POST", "/audit/verify", _verify, _AUDIT),
)
