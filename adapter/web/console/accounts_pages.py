"""Pages: the account of one's own, and those of all."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Final

import pyotp
import segno
from starlette.responses import Response

from adapter.authorization.staff_roles import Permission, StaffRole
from adapter.authorization.staff_sessions import change_password, set_second_factor
from adapter.errors import Outdated, UsageError
from adapter.operations.operation import Operation
from adapter.operations.staff import AddStaff, ChangeStaff, DisableStaff, ResetStaff
from adapter.web.console.visit import ConsoleRoute, Visit

__all__ = ["ROUTES"]

_NEW: Final[Mapping[str, Any]] = {"name": "", "display": "", "roles": (), "t1": False}


# -- one's own -----------------------------------------------------------------------------


def _own(visit: Visit) -> Response:
    return visit.page("accounts/own.html", problem="")


def _own_again(visit: Visit, problem: str) -> Response:
    return visit.page("accounts/own.html", status=400, problem=problem)


def _password(visit: Visit) -> Response:
    """Another password, for who knows the one of before. Other sessions of the account end."""
    form = visit.form
    if form.get("password") != form.get("again"):
        return _own_again(visit, visit.t("console.passwords_differ"))
    session = visit.session
    assert session is not None  # noqa: S101 - the route asks for a permission
    try:
        changed = change_password(
            visit.adapter.engine, session, form.get("old"), form.get("password"), visit.clock()
        )
    except UsageError as error:
        return _own_again(visit, visit.t(error.text, **error.params))
    if not changed:
        return _own_again(visit, visit.t("console_accounts.old_wrong"))
    return visit.redirect("/account", "console_accounts.password_changed")


def _factor_page(visit: Visit) -> Response:
    return _show_factor(visit, pyotp.random_base32(), "")


def _show_factor(visit: Visit, key: str, problem: str) -> Response:
    link = pyotp.TOTP(key).provisioning_uri(name=visit.account.name, issuer_name=visit.t("console.title"))
    picture = BytesIO()
    segno.make(link, error="m").save(
        picture, kind="svg", xmldecl=False, svgns=True, svgclass=None, lineclass=None, omitsize=True
    )
    return visit.page(
        "accounts/set_factor.html",
        status=400 if problem else 200,
        key=key,
        picture=picture.getvalue().decode(),
        sealed=visit.opaque(_factor_kind(visit), key),
        problem=problem,
    )


def _factor_kind(visit: Visit) -> str:
    return f"new-factor:{visit.account.name}"


def _factor(visit: Visit) -> Response:
    """A second factor from now on, once a code shows that the app has its key."""
    key = visit.key_of(_factor_kind(visit), visit.form.get("key"))
    code, engine = visit.form.get("code"), visit.adapter.engine
    if visit.account.has_second_factor:  # it is taken away first, which asks for the password
        return visit.redirect("/account")
    if not set_second_factor(engine, visit.account, key, code, keys=visit.tokens, now=visit.clock()):
        return _show_factor(visit, key, visit.t("console_accounts.factor_wrong"))
    return visit.redirect("/account", "console_accounts.factor_is_set")


def _factor_off(visit: Visit) -> Response:
    session = visit.session
    assert session is not None  # noqa: S101 - the route asks for a permission
    password, engine = visit.form.get("password"), visit.adapter.engine
    if not change_password(engine, session, password, None, visit.clock()):
        return _own_again(visit, visit.t("console_accounts.old_wrong"))
    set_second_factor(engine, visit.account, None, "", keys=visit.tokens, now=visit.clock())
    return visit.redirect("/account", "console_accounts.factor_is_gone")


# -- all -----------------------------------------------------------------------------------


def _all(visit: Visit) -> Response:
    return _show_all(visit, written=_NEW)


def _show_all(visit: Visit, status: int = 200, **more: Any) -> Response:
    known = {"problem": "", "code": "", "code_for": "", "written": _NEW, "roles": list(StaffRole)}
    return visit.page(
        "accounts/all.html", status=status, accounts=visit.insights.staff(), **{**known, **more}
    )


def _roles(visit: Visit) -> tuple[StaffRole, ...]:
    return tuple(role for role in StaffRole if visit.form.get(f"role-{role}"))


def _add(visit: Visit) -> Response:
    """A new account; its code is shown in the answer, this once."""
    form = visit.form
    written: dict[str, Any] = {
        "name": form.get("name"),
        "display": form.get("display"),
        "roles": _roles(visit),
        "t1": bool(form.get("t1")),
    }
    added = AddStaff(written["name"].lower(), written["display"], written["roles"], written["t1"])
    try:
        code = added.perform(visit.operations)
    except UsageError as error:
        return _show_all(visit, 400, problem=visit.t(error.text, **error.params), written=written)
    return _show_all(visit, code=code, code_for=added.account)


def _one(visit: Visit) -> Response:
    return _show_one(visit)


def _show_one(visit: Visit, status: int = 200, problem: str = "") -> Response:
    seen = ChangeStaff(visit.path["account"]).preview(visit.operations)
    return visit.page(
        "accounts/one.html",
        status=status,
        one=seen.shown,
        seen=seen.version,
        roles=list(StaffRole),
        problem=problem,
    )


def _act(visit: Visit, act: Operation[Any, Any], notice: str) -> Response:
    """Do it to what was seen, and say so."""
    name = visit.path["account"]
    try:
        act.perform(visit.operations, visit.form.get("seen"))
    except Outdated as error:
        return _show_one(visit, 409, visit.t(error.text, **error.params))
    except UsageError as error:
        return _show_one(visit, 400, visit.t(error.text, **error.params))
    return visit.redirect("/accounts", notice, name=name)


def _change(visit: Visit) -> Response:
    wanted = ChangeStaff(visit.path["account"], _roles(visit), bool(visit.form.get("t1")))
    return _act(visit, wanted, "console_accounts.changed")


def _shut(visit: Visit) -> Response:
    return _act(visit, DisableStaff(visit.path["account"]), "console_accounts.shut_out_now")


def _open(visit: Visit) -> Response:
    return _act(visit, DisableStaff(visit.path["account"], False), "console_accounts.let_in_now")


def _code(visit: Visit) -> Response:
    """A one-time code for an account; it is shown in the answer, this once."""
    name = visit.path["account"]
    try:
        code = ResetStaff(name).perform(visit.operations, visit.form.get("seen"))
    except Outdated as error:
        return _show_one(visit, 409, visit.t(error.text, **error.params))
    return _show_all(visit, code=code, code_for=name)


_OWN, _MANAGE = Permission.OWN_ACCOUNT, Permission.MANAGE_ACCOUNTS
ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/account", _own, _OWN),
    ConsoleRoute("POST", "/account/password", _password, _OWN),
    ConsoleRoute("GET", "/account/second-factor", _factor_page, _OWN),
    ConsoleRoute("POST", "/account/second-factor", _factor, _OWN),
    ConsoleRoute("POST", "/account/second-factor/off", _factor_off, _OWN),
    ConsoleRoute("GET", "/accounts", _all, _MANAGE, menu="console_accounts.menu"),
    ConsoleRoute("POST", "/accounts", _add, _MANAGE),
    ConsoleRoute("GET", "/accounts/{account}", _one, _MANAGE),
    ConsoleRoute("POST", "/accounts/{account}", _change, _MANAGE),
    ConsoleRoute("POST", "/accounts/{account}/code", _code, _MANAGE),
    ConsoleRoute("POST", "/accounts/{account}/shut", _shut, _MANAGE),
    ConsoleRoute("POST", "/accounts/{account}/open", _open, _MANAGE),
)
