"""Wrong tokens make an address wait: after some, each doubles the time that it is told to wait for. A right
token never waits for the wrong ones of others behind the same address.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Final

from fastapi import Request

from adapter.errors import FhirError
from adapter.repository.interaction_errors import interaction_error
from adapter.telemetry import get_logger
from adapter.web.access_counter import client_address, count_refused_login

__all__ = ["LoginDelays", "delay_after_wrong_login", "login_refusal"]

_FREE: Final = 5  # wrong tokens that cost nothing
_LONGEST: Final = 60.0  # seconds
_FORGOTTEN: Final = 600.0  # seconds after the last wrong token
_ADDRESSES: Final = 10_000

_log = get_logger("web")


@dataclass(slots=True)
class _Wrong:
    count: int = 0
    until: float = 0.0
    last: float = 0.0


class LoginDelays:
    """The addresses with wrong tokens, of one process. Any number of threads may ask."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._addresses: OrderedDict[str, _Wrong] = OrderedDict()

    def seconds_left(self, name: str) -> int:
        """How long this one still has to wait; 0: not at all."""
        found = self._addresses.get(name)
        return 0 if found is None else max(ceil(found.until - self._clock()), 0)

    def wrong(self, address: str) -> int:
        """Note a wrong token. Returns the seconds that its address has to wait, 0: none yet."""
        now = self._clock()
        found = self._addresses.get(address, _Wrong())
        if now - found.last > _FORGOTTEN:
            found = _Wrong()
        found.last = now
        self._addresses[address] = found
        self._addresses.move_to_end(address)
        if len(self._addresses) > _ADDRESSES:
            self._addresses.popitem(last=False)
        if now < found.until:
            return ceil(found.until - now)
        found.count += 1
        if found.count <= _FREE:
            return 0
        wait = min(2.0 ** (found.count - _FREE - 1), _LONGEST)
        found.until = now + wait
        # The address is no matter of the log; the audit has it.
        _log.warning("web.wrong_tokens", count=found.count, seconds=wait)
        return ceil(wait)


def delay_after_wrong_login(request: Request) -> int:
    """Note a wrong token or assertion in the counts and delays that the application keeps: the endpoint does,
    a sandbox does not. Returns the seconds to wait.
    """
    count_refused_login(request)
    delays = getattr(request.app.state, "login_delays", None)
    return delays.wrong(client_address(request)) if isinstance(delays, LoginDelays) else 0


def login_refusal(request: Request, text: str) -> FhirError:
    """Why a token or certificate does not let in: 401, or 429 with Retry-After after many."""
    if seconds := delay_after_wrong_login(request):
        return interaction_error(429, "throttled", "wrong_logins", retry_after=seconds)
    return interaction_error(401, "login", text, "http.Authorization")
