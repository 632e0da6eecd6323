"""Documents of hospitals' clients at URLs: key sets, and what an issuer says of itself; kept for a while."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

__all__ = ["KEYS_AWAY_SECONDS", "DocumentFetch", "KeysUnavailable", "RemoteDocuments"]

_KEPT: Final = 300.0  # seconds that a document is believed
KEYS_AWAY_SECONDS: Final = 30  # between two fetches of one document, however often it is asked for

_T = TypeVar("_T")

DocumentFetch = Callable[[str], object]  # the JSON at a URL, or KeysUnavailable


class KeysUnavailable(Exception):
    """The keys cannot be had: `why` is a word for the log, nothing that was in them. With `is_transient` it
    is worth asking again: nobody answers there just now.
    """

    def __init__(self, why: str, *, is_transient: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.is_transient = is_transient


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any
    at: float


class RemoteDocuments:
    """What was read of each URL. What serves no more is fetched again, but only now and then, since whoever
    sends a made-up token has us ask; what cannot be fetched leaves the last one in force.

    Any number of threads may ask. `clock` counts seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float], fetch: DocumentFetch) -> None:
        self._clock = clock
        self._fetch = fetch
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._tried: dict[str, float] = {}

    def get(
        self, url: str, read: Callable[[object], _T], serves: Callable[[_T], bool] = lambda _: True
    ) -> _T:
        """What `read` makes of the document, one that `serves` if it can be had. Raises KeysUnavailable."""
        with self._lock:
            kept, now = self._kept.get(url), self._clock()
            is_fresh = kept is not None and now - kept.at < _KEPT and serves(kept.value)
            was_tried = now - self._tried.get(url, -KEYS_AWAY_SECONDS) < KEYS_AWAY_SECONDS
            if kept is not None and (is_fresh or was_tried):
                return kept.value  # type: ignore[no-any-return]  # one URL is read in one way
            if was_tried:
                raise KeysUnavailable("unreachable", is_transient=True)
            self._tried[url] = now
        try:
            found = read(self._fetch(url))
        except KeysUnavailable:
            if kept is None:
                raise
            return kept.value  # type: ignore[no-any-return]  # as above
        with self._lock:
            self._kept[url] = _Kept(found, now)
        return found
