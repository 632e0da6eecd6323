"""What is answered to each form that somebody is shown: what was done, what another did first, what was left
out, what is not there, what one may not do. Each is a page like any other.
"""

import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path

import pytest
from console_browser import SIZES, ConsoleWindow, opened
from console_centre import Console, console_on, small_centre
from console_crawl import crawl, route_of
from console_found_forms import FoundForm, forms_of
from console_hearing import hears_what_is_seen
from console_traffic import put_traffic
from playwright.sync_api import Browser

from adapter.authorization.staff_roles import StaffRole, permissions_of
from adapter.web.console.routes import ROUTES
from adapter.web.console.visit import ConsoleRoute

LOOKS = [(size, dark) for size in SIZES for dark in (False, True)]
VERSIONS = ("version", "seen")  # the fields that say what somebody has seen
ELSEWHERE = {"/sign-out", "/language"}  # they end at another page, or the session
MUST = {  # what each meets at least; a form is looked at as the first of these who may send it
    StaffRole.DOCTOR: {200, 400, 403, 404, 409},
    StaffRole.CLERK: {400, 403},
    StaffRole.IT: {200, 400, 403, 404, 409},
    StaffRole.HEAD: {403, 404},
}


@pytest.fixture
def fresh(filled_centre: Path, tmp_path: Path) -> Iterator[Console]:
    """A console of its own: each form is really sent."""
    shutil.copytree(filled_centre / "data", tmp_path / "data")
    with small_centre(tmp_path) as centre, console_on(centre) as console:
        put_traffic(console.adapter)
        yield console


def ways_to_send(form: FoundForm, route: ConsoleRoute) -> Iterator[tuple[str, Mapping[str, str]]]:
    """As somebody who was late, then where nothing is, then as it stands."""
    if any(name in form.fields for name in VERSIONS):
        yield form.action, {name: "0" * 24 if name in VERSIONS else form.fields[name] for name in form.fields}
    if "{" in route.path:
        yield re.sub(r"\{\w+\}", lambda _: secrets.token_urlsafe(24), route.path), form.fields
    if route.path != "/year/export":  # which gives a file
        yield form.action, form.fields


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("role", MUST)
def test_every_answer_is_sound_and_is_heard_as_it_is_seen(
    fresh: Console, chromium: Browser, role: StaffRole, language: str
) -> None:
    forms: dict[str, tuple[FoundForm, ConsoleRoute]] = {}
    for one in crawl(fresh, role, language):
        if "text/html" in one.answer.headers["content-type"]:
            for form in forms_of(one.answer.text):
                route = route_of(form.action, "POST")
                assert route is not None, form.action
                if route.path not in ELSEWHERE and role is next(one for one in MUST if may(one, route)):
                    forms.setdefault(route.path, (form, route))
    looks, met = cycle(LOOKS), set()
    with opened(chromium, fresh, role, language=language) as browser:
        browser.open("/account")
        for form, route in forms.values():
            for path, fields in ways_to_send(form, route):
                met.add(sound_answer(browser, path, fields, *next(looks)))
        forbidden = next(one for one in ROUTES if one.method == "POST" and not may(role, one))
        for size, dark in LOOKS:
            path = re.sub(r"\{\w+\}", "x" * 30, forbidden.path)
            met.add(sound_answer(browser, path, {}, size, dark))
    assert met >= MUST[role], met


def may(role: StaffRole, route: ConsoleRoute) -> bool:
    """Whether this role may what is done there."""
    return route.permission is None or route.permission in permissions_of([role])


def sound_answer(
    browser: ConsoleWindow, path: str, fields: Mapping[str, str], size: tuple[int, int], dark: bool
) -> int:
    """Send it, look at what comes, and give its status."""
    browser.look(size, dark=dark)
    browser.complaints.clear()
    status = browser.send(path, fields)
    browser.complaints = [one for one in browser.complaints if f"status of {status}" not in one]
    assert status < 500, path
    browser.check()
    hears_what_is_seen(browser)
    return status
