"""Every page that anybody is led to, as it is seen and as it is heard: sound HTML, no violation that axe
finds, and in the tree of a screen reader what is on the screen.
"""

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from console_browser import DESK, PHONE, ConsoleWindow
from console_centre import Console
from console_crawl import crawl

from adapter.authorization.staff_roles import StaffRole, permissions_of
from adapter.web.console.routes import ROUTES
from adapter.web.console.visit import ConsoleRoute

WAYS = {  # either language, width and scheme
    "vi-desk-light": {"language": "vi", "size": DESK, "dark": False},
    "en-phone-dark": {"language": "en", "size": PHONE, "dark": True},
}
# Each page is looked at as the first of these who may open it.
ROLES = (
    *(StaffRole.DOCTOR, StaffRole.CLERK, StaffRole.IT),
    *(StaffRole.HEAD, StaffRole.AUDITOR, StaffRole.NURSE),
)
_SEEN = """() => {
  const shown = (one) => one.checkVisibility({visibilityProperty: true});
  const words = (one) => (one.innerText || "").trim().replace(/\\s+/g, " ");
  const all = (what) => [...document.querySelectorAll(what)].filter(shown);
  return {
    headings: all("h1, h2, h3").map((one) => [Number(one.tagName[1]), words(one)]),
    buttons: all("button, summary").map(words),
    fields: all("input:not([type=hidden]), select, textarea").length,
    tables: all("table").map((one) => ({
      caption: one.caption ? one.caption.textContent.trim().replace(/\\s+/g, " ") : "",
      heads: [...one.querySelectorAll("thead th")].map((head) => [head.scope, words(head)]),
      rows: [...one.querySelectorAll("tbody tr")].map((row) => [...row.cells].map((cell) => words(cell))),
      named: [...one.querySelectorAll("tbody tr")].every(
        (row) => row.querySelector("th[scope=row]") || row.cells.length === 1),
    })),
  };
}"""


def plain(text: str) -> str:
    """As both compare: signs before words are for the eye alone."""
    return re.sub(r"[^\w%/:.,]+", " ", text).strip().lower()


def looks_at(role: StaffRole, route: ConsoleRoute) -> bool:
    """Whether the pages of this route are this role's to be looked at."""
    if route.method != "GET" or route.permission is None:
        return False
    return role is next(one for one in ROLES if route.permission in permissions_of([one]))


@pytest.fixture(
    scope="module", params=[one for one in ROLES if any(looks_at(one, route) for route in ROUTES)]
)
def role(request: pytest.FixtureRequest) -> StaffRole:
    return StaffRole(request.param)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_page_is_sound_and_is_heard_as_it_is_seen(
    console: Console, window: Callable[..., ConsoleWindow], role: StaffRole, way: str
) -> None:
    how = WAYS[way]
    led_to = {}
    for one in crawl(console, role, str(how["language"])):
        if looks_at(role, one.route) and "text/html" in one.answer.headers["content-type"]:
            led_to.setdefault(one.route.path, one.path)
    assert led_to, f"nothing leads the {role} to a page"
    browser = window(role, **how)
    for path in led_to.values():
        browser.open(path)
        browser.check()
        hears_what_is_seen(browser)


def hears_what_is_seen(browser: ConsoleWindow) -> None:
    """The accessibility tree has each heading, button, field and cell that the window shows."""
    heard = browser.page.locator("body").aria_snapshot()
    seen = browser.page.evaluate(_SEEN)
    tree = plain(heard)
    for level, words in seen["headings"]:
        assert plain(words) in tree, (browser.path, words)
        assert f"[level={level}]" in heard
    levels = [level for level, _ in seen["headings"]]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    for words in seen["buttons"]:
        assert words, f"a button without words at {browser.path}"
        assert plain(words) in tree, (browser.path, words)
    fields = re.findall(r"- (?:textbox|searchbox|combobox|checkbox|radio|spinbutton)\b([^\n]*)", heard)
    assert all(re.match(r' "[^"]+"', one) for one in fields), (browser.path, fields)
    for table in seen["tables"]:
        assert table["caption"], f"a table without a caption at {browser.path}"
        assert all(scope == "col" for scope, _ in table["heads"]), table["caption"]
        assert table["named"], f"rows without a head: {table['caption']} at {browser.path}"
        for row in table["rows"]:
            for cell in row:
                assert plain(cell) in tree, (browser.path, cell)
