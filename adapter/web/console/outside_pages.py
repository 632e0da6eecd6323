"""Pages: signing in as the centre's own sign-in (OpenID Connect) says, and linking an account to it."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from adapter.authorization.identity_provider import IdentityProvider, PendingSignIn, SignInRefused
from adapter.authorization.outside_accounts import link_outside, sign_in_outside
from adapter.authorization.staff_accounts import account_named
from adapter.authorization.staff_roles import Permission
from adapter.telemetry import get_logger
from adapter.web.console.visit import ConsoleRoute, NotHereError, Visit

__all__ = ["ROUTES"]

_COOKIE: Final = "console-outside"
_BACK: Final = "/outside/answer"
_HOLDS: Final = 600  # seconds

_log = get_logger("console")


def _provider(visit: Visit) -> IdentityProvider:
    if visit.provider is None:
        raise NotHereError
    return visit.provider


def _redirect_uri(visit: Visit) -> str:
    return f"{(visit.adapter.settings.console.url or '').rstrip('/')}{_BACK}"


def _go(visit: Visit) -> Response:
    """To the provider, who sends the browser back."""
    return _away(visit, "")


def _link(visit: Visit) -> Response:
    """The same, for who is signed in and links this account to it. A form may lead nowhere else (its policy):
    so a page leads on.
    """
    return _away(visit, visit.account.name)


def _away(visit: Visit, account: str) -> Response:
    provider = _provider(visit)
    try:
        address, pending = provider.begin(_redirect_uri(visit), visit.clock().timestamp(), account=account)
    except SignInRefused as refused:
        return _refused(visit, refused)
    if account:
        answer = visit.page("accounts/outside.html", words=visit.t("console.outside_go"), address=address)
    else:
        answer = Response(status_code=303, headers={"Location": address})
    _keep(visit, answer, visit.tokens.hide("outside", pending.written()))
    return answer


def _keep(visit: Visit, answer: Response, sealed: str) -> None:
    """In the browser, which sends it also where the provider leads it back: that is another's link to us."""
    answer.set_cookie(
        _COOKIE,
        sealed,
        max_age=_HOLDS if sealed else 0,
        path=_BACK,
        secure=visit.is_secure,
        httponly=True,
        samesite="lax",
    )


def _answer(visit: Visit) -> Response:
    """What the provider says. The browser sends no cookie of ours here but the one that is kept for this, and
    would send none where we lead on to by ourselves: so a page of ours does.
    """
    provider, kept = _provider(visit), visit.tokens.show("outside", visit.cookies.get(_COOKIE, ""))
    if kept is None:
        return _refused(visit, SignInRefused("another-browser"))
    try:
        pending, now = PendingSignIn.read(kept), visit.clock()
        issuer, subject = provider.finish(pending, visit.query, _redirect_uri(visit), now.timestamp())
    except SignInRefused as refused:
        return _refused(visit, refused)
    engine = visit.adapter.engine
    if pending.account:
        account = account_named(engine, pending.account)
        done = account.disabled_at is None and link_outside(engine, account, (issuer, subject), now)
        text = "console.outside_linked" if done else "console.outside_taken"
        answer = visit.page("accounts/outside.html", words=visit.t(text), address="/account")
    else:
        opened = sign_in_outside(engine, issuer, subject, now)
        if opened is None:
            return _refused(visit, SignInRefused("no-account"))
        answer = visit.page("accounts/outside.html", words=visit.t("console.outside_done"), address="/")
        visit.set_cookie(answer, opened.token)
        answer.headers["Refresh"] = "0; url=/"
    _keep(visit, answer, "")
    return answer


def _refused(visit: Visit, refused: SignInRefused) -> Response:
    _log.warning("console.outside_refused", error=refused.why)
    text = "console.outside_away" if refused.is_transient else "console.outside_refused"
    status = 503 if refused.is_transient else 403
    return visit.page("accounts/outside.html", status=status, words=visit.t(text), address="/sign-in")


def _unlink(visit: Visit) -> Response:
    link_outside(visit.adapter.engine, visit.account, None, visit.clock())
    return visit.redirect("/account", "console.outside_unlinked")


ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/outside", _go, None),
    ConsoleRoute("GET", _BACK, _answer, None),
    ConsoleRoute("POST", "/account/outside", _link, Permission.OWN_ACCOUNT),
    ConsoleRoute("POST", "/account/outside/end", _unlink, Permission.OWN_ACCOUNT),
)
