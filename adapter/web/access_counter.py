"""Who read what at the endpoint, and whose login was refused: in the audit at once for the first of an hour,
then as one sum when the hour is over. A stranger who knocks all night fills no disk, and none of it is lost
but the last sum of a process that is killed.
"""

import ipaddress
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from fastapi import Request
from sqlalchemy import Engine

from adapter import audit
from adapter.database import write_transaction

__all__ = ["AccessCounter", "client_address", "count_read", "count_refused_login"]

_MOST = 100  # that are told apart in an hour
_OTHERS = "others"


class _Access(NamedTuple):
    """What is counted: an action, whose it is, and how."""

    action: str
    hospital: str | None
    how: str


class AccessCounter:
    """The accesses of the present hour. Any number of threads may count."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._hour: datetime | None = None
        self._more: Counter[_Access] = Counter()  # of each, those after the first

    def refused_login(self, client: str) -> None:
        """Somebody had no token, or one that is nobody's."""
        self._count(_Access("login.refused", None, client))

    def read(self, hospital: str, how: str) -> None:
        """A hospital read what it had sent: by `read`, `search`, `history`, `everything` or in a `bundle`."""
        self._count(_Access("endpoint.read", hospital, how))

    def flush(self) -> None:
        """Write down the sums: the hour is over, or the process."""
        with self._lock:
            self._sum_up(self._clock())

    def _count(self, access: _Access) -> None:
        now = self._clock()
        hour = now.replace(minute=0, second=0, microsecond=0)
        with self._lock:
            if hour != self._hour:
                self._sum_up(now)
                self._hour = hour
            if access not in self._more and len(self._more) >= _MOST:
                access = access._replace(hospital=None, how=_OTHERS)
            if access in self._more:
                self._more[access] += 1
                return
            self._write(now, Counter({access: 1}))
            self._more[access] = 0

    def _sum_up(self, now: datetime) -> None:
        self._write(now, +self._more)
        self._more.clear()

    def _write(self, now: datetime, counted: "Counter[_Access]") -> None:
        if not counted:
            return
        with write_transaction(self._engine) as connection:
            for access, count in counted.items():
                details = {"how": access.how, "count": count}
                audit.append(
                    connection,
                    at=now,
                    actor="endpoint",
                    action=access.action,
                    hospital=access.hospital,
                    details=details,
                )


def count_refused_login(request: Request) -> None:
    """Count it where the application keeps counts: the endpoint does, a sandbox does not."""
    counter = getattr(request.app.state, "access_counter", None)
    if isinstance(counter, AccessCounter):
        counter.refused_login(client_address(request))


def count_read(request: Request, hospital: str, how: str) -> None:
    """Count it where the application keeps counts."""
    counter = getattr(request.app.state, "access_counter", None)
    if isinstance(counter, AccessCounter):
        counter.read(hospital, how)


def client_address(request: Request) -> str:
    """The address that it came from; of IPv6 the network, of which one subscriber has all addresses."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return "unknown"
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))
