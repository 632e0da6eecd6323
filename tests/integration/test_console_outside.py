"""The centre's own sign-in opens an account of the console, once somebody who has the account linked it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from oidc_provider import CLIENT, SECRET, Provider, oidc_provider
from sqlalchemy import select

from adapter import audit
from adapter.authorization.staff_accounts import account_named
from adapter.authorization.staff_roles import StaffRole
from adapter.authorization.staff_sessions import choose_password
from adapter.database import read_transaction
from adapter.errors import SettingsError
from adapter.operations.operation import OperationContext
from adapter.operations.staff import AddStaff, DisableStaff
from adapter.pipeline.application import Adapter
from adapter.settings import load_settings
from adapter.testing import Centre, serving
from adapter.web.console.app import COOKIE, console_app

PASSWORD = "ba bông hoa cúc vàng"
_FORM = "application/x-www-form-urlencoded"
SEEN_AT = "http://127.0.0.1:8090"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with oidc_provider() as running:
        yield running


class Browser:
    """Follows no redirect by itself, and sends no cookie that a browser would keep back."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> httpx.Response:
        return self._ask("GET", path, COOKIE)

    def post(self, path: str, **form: str) -> httpx.Response:
        return self._ask(
            "POST", path, COOKIE, data=form, headers={"Origin": self.base, "Content-Type": _FORM}
        )

    def _ask(self, method: str, path: str, cookie: str, **more: Any) -> httpx.Response:
        own = {cookie: self.cookies[cookie]} if cookie in self.cookies else {}
        answer = httpx.request(method, self.base + path, cookies=own, trust_env=False, **more)
        self.cookies.update(answer.cookies)
        return answer

    def sign_in(self, name: str) -> None:
        assert self.post("/sign-in", name=name, password=PASSWORD).headers["location"] == "/"

    def at_provider(self, address: str) -> httpx.Response:
        """Go there; then back, as a link from elsewhere: cookies for this site alone are not sent."""
        back = httpx.get(address, trust_env=False).headers["location"]
        assert back.startswith(f"{SEEN_AT}/outside/answer?")
        parts = urlsplit(back)
        return self._ask("GET", f"{parts.path}?{parts.query}", "console-outside")

    def link(self) -> httpx.Response:
        page = self.post("/account/outside")
        assert page.status_code == 200
        return self.at_provider(_address_in(page.text))


def _address_in(page: str) -> str:
    from html import unescape

    return unescape(page.partition('class="button" href="')[2].partition('"')[0])


@contextmanager
def console(folder: Path, provider: Provider) -> Iterator[tuple[Adapter, Browser]]:
    (folder / "oidc.secret").write_text(SECRET)
    oidc = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": "file:oidc.secret"}
    settings = {"console": {"url": SEEN_AT, "oidc": oidc}}
    centre = Centre(folder, settings=settings, database_url=f"sqlite:///{folder / 'adapter.db'}")
    with centre.open() as adapter, serving(console_app(adapter, now, url=SEEN_AT)) as base:
        context = OperationContext(adapter, "test", now)
        for name, role in (("quan", StaffRole.HEAD), ("lan", StaffRole.NURSE)):
            code = AddStaff(name, f"Chị {name.title()}", (role,)).perform(context)
            assert choose_password(adapter.engine, code, name, PASSWORD, display="", now=now()) is not None
        yield adapter, Browser(base)


def actions(adapter: Adapter) -> list[tuple[str, str]]:
    with read_transaction(adapter.engine) as connection:
        found = connection.execute(select(audit.audit).order_by(audit.audit.c.seq))
        return [(row.actor, row.action) for row in found]


def test_an_account_that_was_linked_is_opened_by_the_other_sign_in(
    tmp_path: Path, provider: Provider
) -> None:
    provider.does(subject="lan@centre.example")
    with console(tmp_path, provider) as (adapter, browser):
        browser.sign_in("lan")
        linked = browser.link()
        assert linked.status_code == 200
        assert ("staff:lan", "staff.outside") in actions(adapter)
        assert account_named(adapter.engine, "lan").is_outside

        other = Browser(browser.base)
        gone = other.get("/outside")
        assert gone.headers["location"].startswith(provider.issuer)
        done = other.at_provider(gone.headers["location"])
        assert (done.status_code, done.headers["refresh"]) == (200, "0; url=/")
        session = done.cookies[COOKIE]
        assert "samesite=strict" in done.headers["set-cookie"].lower()
        start = httpx.get(f"{browser.base}/account", cookies={COOKIE: session}, trust_env=False)
        assert start.status_code in (200, 404), "signed in: not led to sign in"
        assert actions(adapter)[-1] == ("staff:lan", "staff.signed-in")
        with read_transaction(adapter.engine) as connection:
            stored = connection.exec_driver_sql("SELECT * FROM staff_account").all()
        assert "lan@centre.example" not in str(stored)


def test_who_linked_nothing_gets_in_nowhere(tmp_path: Path, provider: Provider) -> None:
    provider.does(subject="stranger")
    with console(tmp_path, provider) as (adapter, browser):
        refused = browser.at_provider(browser.get("/outside").headers["location"])
        assert refused.status_code == 403
        assert COOKIE not in refused.cookies
        assert ("staff:lan", "staff.outside") not in actions(adapter)


def test_a_sign_in_opens_one_account(tmp_path: Path, provider: Provider) -> None:
    provider.does(subject="one")
    with console(tmp_path, provider) as (adapter, browser):
        for name in ("lan", "quan"):
            somebody = Browser(browser.base)
            somebody.sign_in(name)
            somebody.link()
        assert account_named(adapter.engine, "lan").is_outside
        assert not account_named(adapter.engine, "quan").is_outside
        browser.sign_in("lan")
        assert browser.post("/account/outside/end").status_code == 303
        assert not account_named(adapter.engine, "lan").is_outside


def test_an_answer_that_the_browser_did_not_ask_for_signs_nobody_in(
    tmp_path: Path, provider: Provider
) -> None:
    """Else somebody could have another work in his own account, and read what was written there."""
    provider.does(subject="attacker")
    with console(tmp_path, provider) as (_, browser):
        gone = browser.get("/outside").headers["location"]
        back = httpx.get(gone, trust_env=False).headers["location"]
        parts = urlsplit(back)
        for cookie in ("", "console-outside=made-up"):
            victim = httpx.get(
                f"{browser.base}{parts.path}?{parts.query}", headers={"Cookie": cookie}, trust_env=False
            )
            assert victim.status_code == 403
            assert COOKIE not in victim.cookies


def test_who_is_shut_out_here_is_not_let_in_from_there(tmp_path: Path, provider: Provider) -> None:
    provider.does(subject="leaver")
    with console(tmp_path, provider) as (adapter, browser):
        browser.sign_in("lan")
        browser.link()
        DisableStaff("lan").perform(OperationContext(adapter, "test", now))
        refused = Browser(browser.base)
        answer = refused.at_provider(refused.get("/outside").headers["location"])
        assert answer.status_code == 403
        assert COOKIE not in answer.cookies


def test_without_a_provider_there_is_no_such_page(tmp_path: Path) -> None:
    centre = Centre(tmp_path, database_url=f"sqlite:///{tmp_path / 'adapter.db'}")
    with centre.open() as adapter, serving(console_app(adapter, now)) as base:
        assert httpx.get(f"{base}/outside", trust_env=False).status_code == 404
        assert httpx.get(f"{base}/outside/answer?code=1&state=2", trust_env=False).status_code == 404
        assert "/outside" not in httpx.get(f"{base}/sign-in", trust_env=False).text


def test_a_provider_needs_the_way_back(tmp_path: Path) -> None:
    file = tmp_path / "adapter.toml"
    oidc = '[console.oidc]\nissuer = "https://a.example"\nclient_id = "c"\nclient_secret = "env:X"\n'
    file.write_text(oidc)
    with pytest.raises(SettingsError):
        load_settings(file)
