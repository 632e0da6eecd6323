"""All pages of the console that somebody can reach: by the menu, links, and nothing else."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

import httpx
from console_centre import Console

from adapter.web.console.routes import ROUTES
from adapter.web.console.visit import ConsoleRoute

__all__ = ["CrawledPage", "crawl", "route_of"]

_LINK = re.compile(r'<a[^>]*\shref="(/[^"]*)"')
_EACH = 6  # pages of one route: more of the same show nothing new


@dataclass(frozen=True)
class CrawledPage:
    """What somebody got at an address."""

    path: str
    route: ConsoleRoute
    answer: httpx.Response


def route_of(path: str, method: str = "GET") -> ConsoleRoute | None:
    """The route that answers at an address; what names a thing comes before what takes any."""
    fitting = [
        one
        for one in ROUTES
        if one.method == method
        and re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(one.path)), path.partition("?")[0])
    ]
    return min(fitting, key=lambda one: one.path.count("{"), default=None)


def crawl(console: Console, name: str, language: str = "vi", *, each: int = _EACH) -> Iterator[CrawledPage]:
    """The pages that the account of this name is led to, a few (`each`) of each route."""
    client = console.client(name, language)
    waiting, seen, count = ["/", *(one.path for one in ROUTES if one.menu)], set(), dict[str, int]()
    while waiting:
        path = waiting.pop(0)
        route = route_of(path)
        if path in seen or route is None or count.get(route.path, 0) >= each:
            continue
        seen.add(path)
        answer = client.get(path)
        if answer.is_redirect:
            waiting.append(answer.headers["location"])
            continue
        if answer.status_code == 403:  # of the menu of others
            continue
        count[route.path] = count.get(route.path, 0) + 1
        yield CrawledPage(path, route, answer)
        if "text/html" in answer.headers["content-type"]:
            waiting += [unescape(link).partition("#")[0] for link in _LINK.findall(answer.text)]
