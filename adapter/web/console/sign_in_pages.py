"""Pages: signing in and out, the first account, and where everybody begins."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response

from adapter.authorization.staff_accounts import all_accounts, set_language
from adapter.authorization.staff_roles import Permission
from adapter.authorization.staff_sessions import (
    choose_password,
    confirm_second_factor,
    end_session,
    sign_in,
)
from adapter.errors import UsageError
from adapter.web.console.rendering import LANGUAGES
from adapter.web.console.visit import ConsoleRoute, Visit

__all__ = ["ROUTES"]

_FIELDS: Final = ("name", "display", "code")


def _start(visit: Visit) -> Response:
    """The first page of the menu."""
    if visit.session is None or not visit.session.is_whole:
        return visit.redirect("/sign-in")
    return visit.redirect(next((one.path for one in visit.menu), "/account"))


def _sign_in_page(visit: Visit) -> Response:
    if visit.session is not None:
        return visit.redirect("/" if visit.session.is_whole else "/second-factor")
    if not all_accounts(visit.adapter.engine):  # the first day: nothing can be signed in to
        return visit.redirect(f"/code?lang={visit.language}")
    return visit.page("accounts/sign_in.html", name="", problem="")


def _sign_in(visit: Visit) -> Response:
    """Name and password against a session, always another than the browser had."""
    name, engine, now = visit.form.get("name").lower(), visit.adapter.engine, visit.clock()
    waits = visit.delays.seconds_left(_guessed(name))
    opened = None if waits else sign_in(engine, name, visit.form.get("password"), now)
    if opened is None:  # of a name that is guessed at, even the right password is not looked at
        seconds = waits or max(visit.delays.wrong(_guessed(name)), visit.delays.wrong(visit.address))
        return _refused(visit, "accounts/sign_in.html", seconds, name=name)
    answer = visit.redirect("/" if opened.is_whole else "/second-factor")
    visit.set_cookie(answer, opened.token)
    return answer


def _guessed(name: str) -> str:
    return f"name:{name[:40]}"


def _refused(visit: Visit, template: str, seconds: int, **facts: str) -> Response:
    problem = visit.t("console.wait", seconds=seconds) if seconds else visit.t("console.sign_in_refused")
    answer = visit.page(template, status=429 if seconds else 403, problem=problem, **facts)
    if seconds:
        answer.headers["Retry-After"] = str(seconds)
    return answer


def _second_factor_page(visit: Visit) -> Response:
    if visit.session is None or visit.session.is_whole:
        return visit.redirect("/sign-in")
    return visit.page("accounts/second_factor.html", problem="")


def _second_factor(visit: Visit) -> Response:
    session = visit.session
    if session is None or session.is_whole:
        return visit.redirect("/sign-in")
    code = visit.form.get("code")
    opened = confirm_second_factor(visit.adapter.engine, session, code, visit.tokens, visit.clock())
    if opened is None:
        return _refused(visit, "accounts/second_factor.html", visit.delays.wrong(visit.address))
    answer = visit.redirect("/")
    visit.set_cookie(answer, opened.token)
    return answer


def _code_page(visit: Visit) -> Response:
    return visit.page("accounts/code.html", problem="", written=dict.fromkeys(_FIELDS, ""))


def _use_code(visit: Visit) -> Response:
    """A one-time code against a password, and a session."""
    form = visit.form
    written = {name: form.get(name) for name in _FIELDS}
    if form.get("password") != form.get("again"):
        return _code_again(visit, 400, visit.t("console.passwords_differ"), written)
    try:
        opened = choose_password(
            visit.adapter.engine,
            written["code"],
            written["name"].lower(),
            form.get("password"),
            display=written["display"],
            now=visit.clock(),
        )
    except UsageError as error:
        return _code_again(visit, 400, visit.t(error.text, **error.params), written)
    if opened is None:
        seconds = visit.delays.wrong(visit.address)
        problem = visit.t("console.wait", seconds=seconds) if seconds else visit.t("console.code_refused")
        return _code_again(visit, 429 if seconds else 403, problem, written)
    set_language(visit.adapter.engine, written["name"].lower(), visit.language)  # what they read just now
    answer = visit.redirect("/")
    visit.set_cookie(answer, opened.token)
    return answer


def _code_again(visit: Visit, status: int, problem: str, written: Mapping[str, str]) -> Response:
    return visit.page("accounts/code.html", status=status, problem=problem, written=written)


def _sign_out(visit: Visit) -> Response:
    if visit.session is not None:
        end_session(visit.adapter.engine, visit.session, visit.clock())
    answer = visit.redirect("/sign-in")
    visit.set_cookie(answer, "")
    return answer


def _language(visit: Visit) -> Response:
    """Another language for the account; then the page that it was asked on."""
    wanted, back = visit.form.get("language"), visit.form.get("back")
    if wanted in LANGUAGES:
        set_language(visit.adapter.engine, visit.account.name, wanted)
    return visit.redirect(visit.tokens.show("back", back) or "/")


ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/", _start, None),
    ConsoleRoute("GET", "/sign-in", _sign_in_page, None),
    ConsoleRoute("POST", "/sign-in", _sign_in, None),
    ConsoleRoute("GET", "/second-factor", _second_factor_page, None),
    ConsoleRoute("POST", "/second-factor", _second_factor, None),
    ConsoleRoute("GET", "/code", _code_page, None),
    ConsoleRoute("POST", "/code", _use_code, None),
    ConsoleRoute("POST", "/sign-out", _sign_out, None),
    ConsoleRoute("POST", "/language", _language, Permission.OWN_ACCOUNT),
)
