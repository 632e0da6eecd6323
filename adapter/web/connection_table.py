"""Who is connected, and who has to go when there are too many: whoever has kept us waiting for longest, of
the address that has most. A connection whose request is being answered never goes.
"""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["ConnectionTable"]

Connection = TypeVar("Connection", bound=Hashable)


class ConnectionTable(Generic[Connection]):
    """The connections of one server: at most `most`, of one address at most `most_of_an_address`."""

    def __init__(self, most: int, most_of_an_address: int) -> None:
        self._most = most
        self._most_of_an_address = most_of_an_address
        self._addresses: dict[Connection, str] = {}
        self._counts: Counter[str] = Counter()
        self._waiting: dict[str, dict[Connection, None]] = {}  # by address, the longest wait first

    def __len__(self) -> int:
        return len(self._addresses)

    def add(self, connection: Connection, address: str) -> Connection | None:
        """Add one that waits for its sender. Returns the one that must go for it, perhaps itself; it is
        removed already.
        """
        self._addresses[connection] = address
        self._counts[address] += 1
        self._waiting.setdefault(address, {})[connection] = None
        if self._counts[address] > self._most_of_an_address:
            return self._take_oldest(address)
        if len(self._addresses) > self._most:
            return self._take_oldest(max(self._waiting, key=lambda one: (len(self._waiting[one]), one)))
        return None

    def _take_oldest(self, address: str) -> Connection:
        oldest = next(iter(self._waiting[address]))
        self.remove(oldest)
        return oldest

    def is_waiting(self, connection: Connection, waits: bool) -> None:
        """Note whether it waits for its sender (idle, or for a header or body) from now on."""
        address = self._addresses.get(connection)
        if address is None:
            return
        if waits:
            self._waiting.setdefault(address, {}).setdefault(connection, None)
        else:
            self._stop_waiting(connection, address)

    def _stop_waiting(self, connection: Connection, address: str) -> None:
        waiting = self._waiting.get(address, {})
        waiting.pop(connection, None)
        if not waiting:
            self._waiting.pop(address, None)

    def remove(self, connection: Connection) -> None:
        """It is closed."""
        address = self._addresses.pop(connection, None)
        if address is None:
            return
        self._stop_waiting(connection, address)
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
