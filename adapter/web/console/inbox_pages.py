"""Pages: results that found nobody are linked by a person, and every link can be taken back."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from starlette.responses import Response

from adapter.authorization.staff_roles import Permission
from adapter.errors import Outdated, UsageError
from adapter.insights.result_titles import worded
from adapter.operations.inbox import DiscardItem, LinkItem, ReopenItem, SeeItem, UnlinkItem
from adapter.operations.operation import Operation
from adapter.operations.rulings import AllowPerson, RuleOutPerson
from adapter.texts import has_text
from adapter.web.console.rendering import born
from adapter.web.console.visit import ConsoleRoute, NotHereError, Visit

__all__ = ["ROUTES"]

_PAGE: Final = 30
_STATES: Final = ("unmatched", "linked", "applied", "ignored")
_MOST: Final = 10  # people who are shown for an item
_FOUND: Final = 5  # of those whom somebody looked for
_SAID_HERE: Final = {"inbox.contradicts": "console_inbox.contradicts"}  # where the command line names options
_LONGEST: Final = 100  # characters that somebody looks for


def _list(visit: Visit) -> Response:
    state = visit.query.get("state", "unmatched")
    if state not in _STATES:
        raise NotHereError
    before = visit.number_of("item", visit.query["before"]) if "before" in visit.query else None
    found = visit.insights.inbox_page(state, before=before, limit=_PAGE + 1, sees_t1=visit.account.sees_t1)
    more = found[_PAGE - 1].id if len(found) > _PAGE else None
    return visit.page(
        "inbox/list.html",
        items=found[:_PAGE],
        state=state,
        states=_STATES,
        more=more,
        display=_displays(visit),
        reasons=lambda words: _reasons(visit, words),
    )


def _item(visit: Visit) -> Response:
    return _shown(visit, visit.number_of("item", visit.path["item"]))


def _find(visit: Visit) -> Response:
    """Whom the nurse thinks of stands among those it may be; looked for in a form, so in no address."""
    typed = visit.form.get("who")[:_LONGEST]
    number, sees_t1 = visit.number_of("item", visit.path["item"]), visit.account.sees_t1
    found = (
        visit.insights.people(typed, sees_t1=sees_t1, size=_FOUND, command="console inbox") if typed else None
    )
    return _shown(visit, number, typed=typed, also=[one.key for one in found.people] if found else [])


def _shown(
    visit: Visit,
    number: int,
    problem: str = "",
    status: int = 200,
    *,
    typed: str = "",
    also: Sequence[str] = (),
) -> Response:
    """The item as it is now; `problem`, said first, is what came in the way; `also` was found by `typed`."""
    try:
        report = visit.insights.inbox_item(number, sees_t1=visit.account.sees_t1, also=also)
    except UsageError:
        raise NotHereError from None
    seen = LinkItem(number, "").preview(visit.operations)
    return visit.page(
        "inbox/item.html",
        status=status,
        report=report,
        item=report.item,
        content_said=worded(report.content) if report.content else None,
        candidates=report.candidates[:_MOST],
        said_sexes=[
            visit.t(f"code.{one}") if has_text(f"code.{one}") else one for one in report.person.sexes
        ],
        said_born=[born(one) for one in report.person.birth_dates],
        version=seen.version,
        display=_displays(visit),
        problem=problem,
        typed=typed,
        also=also,
        reasons=lambda words: _reasons(visit, words),
        because=lambda words: ", ".join(visit.t(f"inbox.because_{one}") for one in words),
        who=_who,
    )


def _act(
    visit: Visit, operation: Callable[[int], Operation[Any, Any]], notice: str, *, about: str = ""
) -> Response:
    """Do it on what was seen. Who comes second is told who was first, and sees what it is now; whom it was
    `about` stays in sight where it is refused.
    """
    number = visit.number_of("item", visit.path["item"])
    try:
        visit.insights.inbox_item(number, sees_t1=visit.account.sees_t1)
    except UsageError:
        raise NotHereError from None
    try:
        operation(number).perform(visit.operations, visit.form.get("version"))
    except Outdated:
        return _shown(visit, number, _first(visit, number), 409)
    except UsageError as error:
        if LinkItem(number, "").preview(visit.operations).version != visit.form.get("version"):
            return _shown(visit, number, _first(visit, number), 409)  # it is wrong for what changed meanwhile
        problem = visit.t(_SAID_HERE.get(error.text, error.text), **error.params)
        return _shown(visit, number, problem, 400, also=[about] if about else [])
    return visit.redirect(f"/inbox/{visit.opaque('item', number)}", notice)


def _first(visit: Visit, number: int) -> str:
    """What the second of two people is told: who was first, as far as the item knows."""
    now = LinkItem(number, "").look(visit.operations)
    who = _who(now.settled_by)
    if who and now.state != "unmatched":
        return visit.t("console_inbox.somebody_first", who=who)
    return visit.t("console_inbox.never_first")


def _person(visit: Visit) -> str:
    return visit.key_of("cadre", visit.form.get("person"))


def _link(visit: Visit) -> Response:
    person = _person(visit)
    sent = visit.form.get("referral")
    referral = visit.key_of("referral", sent) if sent else None
    despite = visit.form.get("despite") == "yes"
    operation = partial(LinkItem, cadre=person, referral=referral, despite=despite)
    return _act(visit, operation, "console_inbox.linked", about=person)


def _never(visit: Visit) -> Response:
    person = _person(visit)
    return _act(visit, lambda one: RuleOutPerson(one, person), "console_inbox.never_said")


def _allow(visit: Visit) -> Response:
    person = _person(visit)
    return _act(visit, lambda one: AllowPerson(one, person), "console_inbox.allowed")


def _unlink(visit: Visit) -> Response:
    return _act(visit, UnlinkItem, "console_inbox.unlinked")


def _discard(visit: Visit) -> Response:
    reason = visit.form.get("reason")
    return _act(visit, lambda one: DiscardItem(one, reason), "console_inbox.discarded")


def _reopen(visit: Visit) -> Response:
    return _act(visit, ReopenItem, "console_inbox.reopened")


def _see(visit: Visit) -> Response:
    return _act(visit, SeeItem, "console_inbox.seen")


def _displays(visit: Visit) -> dict[str, str]:
    return {name: one.display for name, one in visit.adapter.settings.hospitals.items()}


def _reasons(visit: Visit, words: Sequence[str]) -> str:
    """Why it waits, in words."""
    return "; ".join(visit.t(f"inbox.{one}") if has_text(f"inbox.{one}") else one for one in words)


def _who(by: str | None) -> str:
    """Who of the staff, as colleagues know them; "" of what the matching did by itself."""
    return by.rpartition(":")[2] if by and ":" in by else ""


ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/inbox", _list, Permission.LINK_RESULTS, menu="console_inbox.menu"),
    ConsoleRoute("GET", "/inbox/{item}", _item, Permission.LINK_RESULTS),
    ConsoleRoute("POST", "/inbox/{item}/find", _find, Permission.LINK_RESULTS),
    ConsoleRoute("POST", "/inbox/{item}/link", _link, Permission.LINK_RESULTS),
    ConsoleRoute("POST", "/inbox/{item}/never", _never, Permission.LINK_RESULTS),
    ConsoleRoute("POST", "/inbox/{item}/allow", _allow, Permission.LINK_RESULTS),
    ConsoleRoute("POST", "/inbox/{item}/unlink", _unlink, Permission.LINK_RESULTS),
    ConsoleRoute("POST", "/inbox/{item}/discard", _discard, Permission.LINK_RESULTS),
    ConsoleRoute("POST", "/inbox/{item}/reopen", _reopen, Permission.LINK_RESULTS),
    ConsoleRoute("POST", "/inbox/{item}/seen", _see, Permission.LINK_RESULTS),
)
