"""Pages: who is meant, one person, and how a measure went."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from starlette.responses import Response

from adapter.authorization.staff_roles import Permission
from adapter.texts import has_text
from adapter.web.console.curves import trend_curve
from adapter.web.console.looking import look_choices, look_reason
from adapter.web.console.visit import ConsoleRoute, NotHereError, Visit

__all__ = ["ROUTES"]

_SIZE: Final = 50
_MOST_CURVES: Final = 4  # on a person's page; each of the others is one link away
_LONGEST: Final = 100  # characters that somebody looks for


def _everybody(visit: Visit) -> Response:
    """All of them by name, to be leafed through; and where somebody is looked for."""
    return _list(visit, "", visit.page_number())


def _search(visit: Visit) -> Response:
    """What is looked for comes in a form, so that no name stands in an address."""
    page = visit.form.get("page")
    number = max(int(page), 1) if page.isascii() and page.isdigit() and len(page) < len("100000") else 1
    return _list(visit, visit.form.get("who")[:_LONGEST], number)


def _list(visit: Visit, typed: str, number: int) -> Response:
    found = visit.insights.people(typed, sees_t1=visit.account.sees_t1, page=number, size=_SIZE)
    why = look_reason(visit.form.get("why"))
    return visit.page(
        "people/list.html",
        found=found,
        typed=typed,
        number=number,
        why=why,
        reasons=look_choices(visit),
    )


def _person(visit: Visit) -> Response:
    key, why = visit.key_of("cadre", visit.path["person"]), look_reason(visit.query.get("why", ""))
    found = visit.insights.person_page(key, why, sees_t1=visit.account.sees_t1)
    if found is None:
        raise NotHereError
    abnormal = ((one, trend_curve(visit, one)) for one in found.trends if one.last.is_abnormal)
    curves = list(islice(((one, svg) for one, svg in abnormal if svg), _MOST_CURVES))
    return visit.page(
        "people/person.html",
        found=found,
        address=f"/people/{visit.path['person']}",
        why=why,
        curves=curves,
        hospitals=_hospitals(visit),
        kept=lambda reason: visit.t(f"disclosure.{reason}") if has_text(f"disclosure.{reason}") else reason,
    )


def _trend(visit: Visit) -> Response:
    key, why = visit.key_of("cadre", visit.path["person"]), look_reason(visit.query.get("why", ""))
    measure = visit.key_of("measure", visit.path["measure"])
    found = visit.insights.person_trend(key, measure, why, sees_t1=visit.account.sees_t1)
    if found is None:
        raise NotHereError
    person, trend = found
    return visit.page(
        "people/trend.html",
        person=person,
        trend=trend,
        svg=trend_curve(visit, trend),
        address=f"/people/{visit.path['person']}",
        why=why,
        hospitals=_hospitals(visit),
    )


def _hospitals(visit: Visit) -> Mapping[str, str]:
    return {name: one.display or name for name, one in visit.adapter.settings.hospitals.items()}


_SEE = Permission.SEE_PEOPLE
ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/people", _everybody, _SEE, menu="console_people.menu"),
    ConsoleRoute("POST", "/people", _search, _SEE),
    ConsoleRoute("GET", "/people/{person}", _person, _SEE),
    ConsoleRoute("GET", "/people/{person}/measures/{measure}", _trend, _SEE),
)
