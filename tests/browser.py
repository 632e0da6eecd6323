"""A real browser without a screen: Chromium, driven by its WebDriver (https://www.w3.org/TR/webdriver2/)."""

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from adapter.testing import free_port, until

__all__ = ["ENTER", "PHONE", "SPACE", "TAB", "Browser", "browsing", "missing_browser"]

TAB, ENTER, SPACE = "\ue004", "\ue007", "\ue00d"
PHONE = (390, 844)


def missing_browser() -> str | None:
    """What is not installed here; None where the browser is."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"no {' and no '.join(missing)}: apt-get install chromium chromium-driver" if missing else None


class Browser:
    """One window."""

    def __init__(self, client: httpx.Client, session: str) -> None:
        self._client = client
        self._session = session

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        content = {"json": body} if method == "POST" else {}
        answer = self._client.request(method, f"/session/{self._session}/{path}", **content)
        value = answer.json()["value"]
        assert answer.status_code == 200, value
        return value

    def open(self, url: str) -> None:
        self._ask("POST", "url", url=url)

    @property
    def url(self) -> str:
        return str(self._ask("GET", "url"))

    def script(self, text: str) -> Any:
        """What a function body returns."""
        return self._ask("POST", "execute/sync", script=text, args=[])

    @property
    def text(self) -> str:
        """What is seen of the page."""
        return str(self.script("return document.body.innerText"))

    def press(self, *keys: str) -> None:
        """Press and let go, one after the other: as a keyboard does it, to whatever has the focus."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._ask("POST", "actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def write(self, text: str) -> None:
        self.press(*text)

    @property
    def focus(self) -> str:
        """What has the focus: the name of a field with its row, the words of a button, link or summary."""
        return str(
            self.script(
                "const one = document.activeElement;"
                "return one.name || one.innerText.trim().split('\\n')[0] || one.tagName;"
            )
        )

    def tab_to(self, wanted: str, *, most: int = 60) -> int:
        """Go there with the tab key; after how many times. Raises AssertionError where it does not lead."""
        for count in range(most):
            if self.focus == wanted:
                return count
            self.press(TAB)
        raise AssertionError(f"the tab key does not lead to {wanted!r}; now at {self.focus!r}")

    def picture(self, file: Path) -> None:
        """The window as PNG."""
        file.write_bytes(base64.b64decode(self._ask("GET", "screenshot")))


@contextmanager
def browsing(size: tuple[int, int] = (1280, 900)) -> Iterator[Browser]:
    """A browser of this size, in CSS pixels."""
    port = free_port()
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LANG": "C.UTF-8"},
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:

            def is_up() -> bool:
                try:
                    return bool(client.get("/status").json()["value"]["ready"])
                except httpx.HTTPError:
                    return False

            assert until(is_up, 30)
            session = client.post("/session", json={"capabilities": {"alwaysMatch": _wanted(*size)}})
            assert session.status_code == 200, session.text
            id_ = session.json()["value"]["sessionId"]
            try:
                yield Browser(client, id_)
            finally:
                client.delete(f"/session/{id_}")
    finally:
        driver.terminate()
        driver.wait(20)


def _wanted(width: int, height: int) -> dict[str, Any]:
    metrics = {"width": width, "height": height, "pixelRatio": 1.0, "touch": False, "mobile": width < 600}
    arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--lang=vi"]
    return {
        "browserName": "chrome",
        "goog:chromeOptions": {
            "args": [*arguments, f"--window-size={width},{height}"],
            "mobileEmulation": {"deviceMetrics": metrics},
        },
    }
