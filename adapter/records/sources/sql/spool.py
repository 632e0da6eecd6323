"""Rows read ahead of the import: packed and in memory alone, since a T0 person's may be among them."""

import pickle
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

__all__ = ["Spool"]

_PAGE = 1000
_LEVEL = 1  # quick; rows of a table resemble each other, so a tenth remains all the same


class Spool:
    """What `rows` gave, read to its end at once, then given once (`peek` takes nothing away). `on_page` is
    called for every page.
    """

    def __init__(self, rows: Iterable[Any], on_page: Callable[[], None]) -> None:
        self._pages: deque[bytes] = deque()
        given = iter(rows)
        while page := list(islice(given, _PAGE)):
            self._pages.append(zlib.compress(pickle.dumps(page, pickle.HIGHEST_PROTOCOL), _LEVEL))
            on_page()

    def pages(self) -> Iterator[list[Any]]:
        """The rows, a page at a time; each is let go of."""
        while self._pages:
            yield pickle.loads(zlib.decompress(self._pages.popleft()))  # noqa: S301 - packed just above

    def peek(self) -> Iterator[Any]:
        """The rows, and they stay."""
        for packed in self._pages:
            yield from pickle.loads(zlib.decompress(packed))  # noqa: S301 - packed just above

    def __iter__(self) -> Iterator[Any]:
        for page in self.pages():
            yield from page
