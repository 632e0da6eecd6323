"""Pages: who is meant, one person, and how a measure went."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response

from adapter.authorization.staff_roles import Permission
from adapter.insights.measure_trends import MeasureTrend, TrendPoint
from adapter.texts import has_text
from adapter.web.console.charts.trend import CurvePoint, trend_chart
from adapter.web.console.rendering import day
from adapter.web.console.visit import ConsoleRoute, NotHereError, Visit

__all__ = ["REASONS", "ROUTES", "trend_curve"]

REASONS: Final = ("care", "result", "referral", "check-up", "phone-call", "correction", "question")
"""Why somebody looks at a person; the audit keeps the word. Who says none looks for care."""
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
    why = _why(visit.form.get("why"))
    return visit.page(
        "people/list.html",
        found=found,
        typed=typed,
        number=number,
        why=why,
        reasons=_reasons(visit),
        born=born,
    )


def _person(visit: Visit) -> Response:
    key, why = visit.key_of("cadre", visit.path["person"]), _why(visit.query.get("why", ""))
    found = visit.insights.person_page(key, why, sees_t1=visit.account.sees_t1)
    if found is None:
        raise NotHereError
    curves = [(one, svg) for one in found.trends if (svg := trend_curve(visit, one)) and one.last.is_abnormal]
    return visit.page(
        "people/person.html",
        found=found,
        address=f"/people/{visit.path['person']}",
        why=why,
        curves=curves[:_MOST_CURVES],
        hospitals=_hospitals(visit),
        kept=lambda reason: visit.t(f"disclosure.{reason}") if has_text(f"disclosure.{reason}") else reason,
        born=born,
    )


def _trend(visit: Visit) -> Response:
    key, why = visit.key_of("cadre", visit.path["person"]), _why(visit.query.get("why", ""))
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
        born=born,
    )


def trend_curve(visit: Visit, trend: MeasureTrend) -> str:
    """The curve of what is a number in one unit; empty where that is fewer than two values."""
    points = [made for one in trend.points if (made := _curve_point(one)) is not None]
    return trend_chart(
        points, title=visit.t("console_people.curve_of", name=trend.name, unit=trend.unit or "–")
    )


def _curve_point(one: TrendPoint) -> CurvePoint | None:
    if one.number is None or one.at is None:
        return None
    words = f"{day(one.at)}: {one.words}"
    return CurvePoint(one.local_day, one.number, one.low, one.high, one.is_abnormal, words)


def born(birth_date: str) -> str:
    """What is known of a birthday, as it is written in Vietnam: 30/11/1962, 11/1962, 1962."""
    return "/".join(reversed(birth_date.split("-")))


def _why(said: str) -> str:
    return said if said in REASONS else REASONS[0]


def _reasons(visit: Visit) -> list[tuple[str, str]]:
    return [(one, visit.t(f"console_people.why_{one.replace('-', '_')}")) for one in REASONS]


def _hospitals(visit: Visit) -> Mapping[str, str]:
    return {name: one.display or name for name, one in visit.adapter.settings.hospitals.items()}


_SEE = Permission.SEE_PEOPLE
ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/people", _everybody, _SEE, menu="console_people.menu"),
    ConsoleRoute("POST", "/people", _search, _SEE),
    ConsoleRoute("GET", "/people/{person}", _person, _SEE),
    ConsoleRoute("GET", "/people/{person}/measures/{measure}", _trend, _SEE),
)
