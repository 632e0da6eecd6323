"""A clerk of a hospital without any server, with a browser: the hospital page over HTTP, form by form."""

import re
from collections.abc import Mapping
from html import unescape
from http.cookiejar import CookieJar
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, Request, build_opener

from adapter.errors import AdapterError
from adapter.texts import current_language

__all__ = ["PageClerk"]

_REFERRAL: Final = re.compile(r'href="([^"]*/referrals/[0-9a-f]{32})"')
_FORM: Final = re.compile(r'<form method="post" action="([^"]*/([a-z-]+))".*?</form>', re.DOTALL)
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([a-z]+)" value="([^"]*)">')
_STATE: Final = re.compile(r'<span class="state">([^<]*)</span>')
_SECONDS: Final = 30
_BOUNDARY: Final = "a-form-of-the-demo"


class PageClerk:
    """Signed in with a link and a code. Each method raises AdapterError where the page does not take it."""

    def __init__(self, hospital: str, link: str, code: str) -> None:
        self._hospital = hospital
        self._browser: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()), ProxyHandler({}))
        self._here = link = f"{link}?lang={current_language()}"
        self._page = ""
        self._go(link)
        self._go(link, urlencode({"code": code}).encode(), "application/x-www-form-urlencoded")

    def open_first(self) -> str:
        """Follow the first referral of the list; the person's page as HTML."""
        found = _REFERRAL.search(self._page)
        if found is None:
            raise AdapterError("demo.no_answer", name=self._hospital, url=self._here)
        self._go(urljoin(self._here, unescape(found[1])))
        return self._page

    @property
    def state(self) -> str:
        """How far the referral is, in the page's words."""
        found = _STATE.search(self._page)
        return unescape(found[1]) if found else ""

    def fill_in(self, action: str, fields: Mapping[str, str]) -> None:
        """Fill in the form of an action and send it."""
        form = next((one for one in _FORM.finditer(self._page) if one[2] == action), None)
        if form is None:
            raise AdapterError("demo.no_answer", name=self._hospital, url=action)
        written = {**{name: unescape(value) for name, value in _HIDDEN.findall(form[0])}, **fields}
        address = urljoin(self._here, unescape(form[1]))
        if "multipart/form-data" in form[0]:
            self._go(address, _multipart(written), f"multipart/form-data; boundary={_BOUNDARY}")
        else:
            self._go(address, urlencode(written).encode(), "application/x-www-form-urlencoded")

    def _go(self, url: str, body: bytes | None = None, kind: str = "") -> None:
        request = Request(url, body, {"Content-Type": kind} if kind else {})  # noqa: S310 - of our own page
        try:
            with self._browser.open(request, timeout=_SECONDS) as answer:
                self._here, self._page = answer.geturl(), answer.read().decode()
        except (HTTPError, URLError, TimeoutError) as error:
            raise AdapterError("demo.no_answer", name=self._hospital, url=request.selector) from error


def _multipart(fields: Mapping[str, str]) -> bytes:
    """As a browser sends a form in which no file was chosen."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return "".join((*parts, f"--{_BOUNDARY}--\r\n")).encode()
