"""Pages: what hospitals sent and this end refused for what it holds, why, and what is to become of it. What
was sent is not shown: whom it is about was never found out, and nobody may know of everybody.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from starlette.responses import Response

from adapter.authorization.staff_roles import Permission
from adapter.errors import Outdated, UsageError
from adapter.operations.operation import Operation
from adapter.operations.refused_requests import DiscardRefusedRequest, RetryRefusedRequest
from adapter.web.console.visit import ConsoleRoute, NotHereError, Visit

__all__ = ["ROUTES"]

_KIND: Final = "refused"
_LIST: Final = "/turned-away"


def _list(visit: Visit) -> Response:
    found = visit.insights.refused_requests()
    return visit.page("operating/turned_away.html", found=found, display=_displays(visit))


def _one(visit: Visit) -> Response:
    return _shown(visit, visit.number_of(_KIND, visit.path["request"]))


def _shown(visit: Visit, number: int, problem: str = "", status: int = 200) -> Response:
    try:
        found = visit.insights.refused_request(number)
    except UsageError:
        raise NotHereError from None
    return visit.page(
        "operating/turned_away_one.html",
        status=status,
        one=found.request,
        issues=found.issues,
        display=_displays(visit),
        version=RetryRefusedRequest(number).preview(visit.operations).version,
        here=f"{_LIST}/{visit.opaque(_KIND, number)}",
        problem=problem,
    )


def _perform(visit: Visit, made: Callable[[int], Operation[Any, Any]]) -> Response | Any:
    """What the operation gives, or the page that says why nothing was done."""
    number = visit.number_of(_KIND, visit.path["request"])
    try:
        return made(number).perform(visit.operations, visit.form.get("version"))
    except Outdated:
        return _shown(visit, number, visit.t("console.outdated"), 409)
    except UsageError:  # somebody else was first
        raise NotHereError from None


def _retry(visit: Visit) -> Response:
    """All of it is taken; or what is left waits on, under another number where it is less than before."""
    done = _perform(visit, RetryRefusedRequest)
    if isinstance(done, Response):
        return done
    return visit.redirect(_LIST, "console_turned_away.taken" if done is None else "console_turned_away.again")


def _discard(visit: Visit) -> Response:
    done = _perform(visit, DiscardRefusedRequest)
    return done if isinstance(done, Response) else visit.redirect(_LIST, "console_turned_away.discarded")


def _displays(visit: Visit) -> dict[str, str]:
    return {name: one.display for name, one in visit.adapter.settings.hospitals.items()}


_MAY: Final = Permission.DECIDE_REFUSED
ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", _LIST, _list, _MAY),
    ConsoleRoute("GET", "/turned-away/{request}", _one, _MAY),
    ConsoleRoute("POST", "/turned-away/{request}/retry", _retry, _MAY),
    ConsoleRoute("POST", "/turned-away/{request}/discard", _discard, _MAY),
)
