"""Every page that anybody is led to, as it is seen and as it is heard: sound HTML, no violation that axe
finds, and in the tree of a screen reader what is on the screen.
"""

from collections.abc import Callable

import pytest
from console_browser import SIZES, ConsoleWindow
from console_centre import Console
from console_crawl import crawl
from console_hearing import hears_what_is_seen
from console_traffic import put_traffic

from adapter.authorization.staff_roles import StaffRole, permissions_of
from adapter.web.console.routes import ROUTES
from adapter.web.console.visit import ConsoleRoute

LOOKS = [(size, dark) for size in SIZES for dark in (False, True)]
# Each page is looked at as the first of these who may open it.
ROLES = (
    *(StaffRole.DOCTOR, StaffRole.CLERK, StaffRole.IT),
    *(StaffRole.HEAD, StaffRole.AUDITOR, StaffRole.NURSE),
)


def looks_at(role: StaffRole, route: ConsoleRoute) -> bool:
    """Whether the pages of this route are this role's to be looked at."""
    if route.method != "GET" or route.permission is None:
        return False
    return role is next(one for one in ROLES if route.permission in permissions_of([one]))


@pytest.fixture(scope="module")
def busy(console: Console) -> Console:
    """The same with traffic, and with values that the hospital refused."""
    put_traffic(console.adapter)
    return console


@pytest.fixture(
    scope="module", params=[one for one in ROLES if any(looks_at(one, route) for route in ROUTES)]
)
def role(request: pytest.FixtureRequest) -> StaffRole:
    return StaffRole(request.param)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_page_is_sound_and_is_heard_as_it_is_seen(
    busy: Console, window: Callable[..., ConsoleWindow], role: StaffRole, language: str
) -> None:
    """At either width and in either scheme."""
    led_to = {}
    for one in crawl(busy, role, language):
        if looks_at(role, one.route) and "text/html" in one.answer.headers["content-type"]:
            led_to.setdefault(one.route.path, one.path)
    assert led_to, f"nothing leads the {role} to a page"
    browser = window(role, language=language)
    for path in led_to.values():
        browser.open(path)
        browser.check()
        for size, dark in LOOKS:
            browser.look(size, dark=dark)
            browser.check_look()
            hears_what_is_seen(browser)
