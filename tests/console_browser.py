"""Chromium as somebody at the centre has it, driven by the keyboard, and what must hold for every page."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import html5lib
from axe_playwright_python.sync_playwright import Axe
from console_centre import Console
from playwright.sync_api import Browser, Page, Response

from adapter.web.console.app import COOKIE

__all__ = ["CHROMIUM", "DESK", "PHONE", "SIZES", "ConsoleWindow", "opened"]

CHROMIUM = "/usr/bin/chromium"
DESK, PHONE = (1280, 900), (390, 844)
SIZES = (DESK, PHONE)
_AXE = Axe()
_SEND = """([path, fields]) => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = path;
  for (const [name, value] of Object.entries(fields)) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}"""
_FOCUS = (
    "() => { const one = document.activeElement; if (!one || one === document.body) return '';"
    "const label = one.labels && one.labels[0];"
    "return (one.getAttribute('aria-label') || (label && label.innerText) || one.innerText || one.name || '')"
    ".trim().replace(/\\s+/g, ' '); }"
)


@dataclass
class ConsoleWindow:
    """A window with the console in it. What it complained of is in `complaints`."""

    console: Console
    page: Page
    complaints: list[str] = field(default_factory=list)
    sent: Response | None = None  # the answer to the last form of `send`

    def open(self, path: str) -> None:
        """Write an address into the window."""
        self.sent = None
        self.page.goto(self.console.base + path, wait_until="load")

    @property
    def text(self) -> str:
        """What is seen."""
        return self.page.inner_text("body")

    @property
    def path(self) -> str:
        """Where this is, below the console's address."""
        return self.page.url.removeprefix(self.console.base)

    @property
    def focus(self) -> str:
        """What has the focus: its label or words."""
        return str(self.page.evaluate(_FOCUS))

    def tab_to(self, wanted: str, *, most: int = 120) -> None:
        """Go with the tab key to what begins with these words. AssertionError where none has them."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if self.focus.startswith(wanted):
                return
        raise AssertionError(f"the tab key does not lead to {wanted!r}; now at {self.focus!r}\n{self.text}")

    def write(self, wanted: str, text: str) -> None:
        """Write into the field of this label, over what is there."""
        self.tab_to(wanted)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(text)

    def press(self, wanted: str, key: str = "Enter") -> None:
        """Press the button, or follow the link, of these words, and wait for the page after it."""
        self.tab_to(wanted)
        self.sent = None
        with self.page.expect_navigation(wait_until="load"):
            self.page.keyboard.press(key)

    def tick(self, wanted: str) -> None:
        """Tick, or untick, the box of this label."""
        self.tab_to(wanted)
        self.page.keyboard.press("Space")

    def check(self) -> None:
        """What must hold for every page: `check_look`, strict HTML, one first heading, no complaint of the
        browser.
        """
        self.check_look()
        check_html(self.page.request.get(self.page.url).text() if self.sent is None else self.sent.text())
        assert len(self.page.query_selector_all("h1")) == 1
        assert self.complaints == []

    def check_look(self) -> None:
        """What must hold in every width and scheme: no violation that axe finds, nothing that must be
        scrolled sideways.
        """
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(_AXE.axe_script)
        found = self.page.evaluate("() => axe.run({resultTypes: ['violations']})")["violations"]
        assert not found, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
        wide = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, f"{self.path} is {wide} pixels too wide"

    def look(self, size: tuple[int, int], *, dark: bool) -> None:
        """The same page in a window of this size, and in this scheme."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.emulate_media(color_scheme="dark" if dark else "light")

    def send(self, path: str, fields: Mapping[str, str]) -> int:
        """Send a form there, as a page of the console does; the status of what comes of it in the end."""
        with self.page.expect_navigation(wait_until="load") as gone:
            self.page.evaluate(_SEND, [path, dict(fields)])
        self.sent = gone.value
        assert self.sent is not None
        return self.sent.status


def check_html(text: str) -> Any:
    """The document; AssertionError where it is not valid by html5lib's strict parser."""
    parser = html5lib.HTMLParser(strict=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        document = parser.parse(text)
    lines = text.splitlines()
    assert not parser.errors, [(lines[place[0] - 1], code, data) for place, code, data in parser.errors]
    return document


@contextmanager
def opened(
    browser: Browser,
    console: Console,
    name: str | None,
    *,
    language: str = "vi",
    size: tuple[int, int] = DESK,
    dark: bool = False,
) -> Iterator[ConsoleWindow]:
    """A window in which the account of this name is signed in; None: nobody."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        locale="vi-VN",
        reduced_motion="reduce",
    )
    if name is not None:
        cookie = {"name": COOKIE, "value": console.cookie(name, language), "url": console.base}
        context.add_cookies([cookie])  # type: ignore[list-item] # Playwright's own type of a plain dict
    page = context.new_page()
    page.set_default_timeout(15_000)
    window = ConsoleWindow(console, page)

    def complain(message: Any) -> None:
        if message.type in ("error", "warning"):
            window.complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: window.complaints.append(str(error)))
    try:
        yield window
    finally:
        context.close()
