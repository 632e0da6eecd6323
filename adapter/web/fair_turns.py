"""Whose request is worked on next: each hospital in its turn, and none has more than half of the workers. A
hospital that sends a thousand requests at once waits for itself, and while others are here too it has one
worker, gives way to them between the parts of what it sent, and rests after each long turn: what it does in
one process slows them down, whoever's turn it is.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from math import ceil
from time import monotonic, sleep
from typing import Final

from adapter.repository.interaction_errors import interaction_error

__all__ = ["FairTurns", "HospitalShare", "RequestRate", "Turn"]

WORKERS: Final = 4
_HERE_SECONDS: Final = 1.0  # so long a hospital counts as here after its last request
_SHORT_SECONDS: Final = 0.02  # a turn after which nobody rests
_REST: Final = 5.0  # times what a longer turn took
_LONGEST_REST: Final = 5.0
_GIVES_WAY_SECONDS: Final = 1.0  # in one turn, at most
_ASKS_SECONDS: Final = 0.001
_PREEMPTIONS: Final = 8  # of one turn, at most


@dataclass(frozen=True, slots=True)
class HospitalShare:
    """What one hospital may do to the endpoint: requests a second (0: no limit), and so many at once, those
    that wait for their turn counted.
    """

    requests_per_second: float = 0
    concurrency: int = 32


class RequestRate:
    """How many requests a second came from each hospital: a token bucket for each, one second deep."""

    def __init__(
        self, share_of: Callable[[str], HospitalShare], clock: Callable[[], float] = monotonic
    ) -> None:
        self._share_of = share_of
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, as of when

    def take(self, hospital: str) -> None:
        """Count one request. Raises FhirError 429 with Retry-After when there were too many."""
        rate = self._share_of(hospital).requests_per_second
        if not rate:
            return
        now = self._clock()
        depth = max(rate, 1.0)
        tokens, then = self._buckets.get(hospital, (depth, now))
        tokens = min(depth, tokens + (now - then) * rate)
        if tokens < 1:
            wait = ceil((1 - tokens) / rate)
            raise interaction_error(429, "throttled", "too_fast", rate=rate, retry_after=wait)
        self._buckets[hospital] = (tokens - 1, now)


class Turn:
    """One hospital's turn. `paused` are the seconds for which it gave way, `preemptions` how often it was
    told to let others go first.
    """

    def __init__(self, others: Callable[[], bool], clock: Callable[[], float]) -> None:
        self._others = others
        self._clock = clock
        self.paused = 0.0
        self.preemptions = 0

    def is_preempted(self) -> bool:
        """Whether others came while it holds them up. For the thread that works; it then gives way."""
        may_be = self.preemptions < _PREEMPTIONS and self.paused < _GIVES_WAY_SECONDS
        if is_now := may_be and self._others():
            self.preemptions += 1
        return is_now

    def give_way(self) -> None:
        """Wait while others are at work, but not for long. For the thread that works."""
        while self.paused < _GIVES_WAY_SECONDS and self._others():
            began = self._clock()
            sleep(_ASKS_SECONDS)
            self.paused += self._clock() - began


class FairTurns:
    """The turns of one server's workers. To be used within one event loop."""

    def __init__(
        self,
        share_of: Callable[[str], HospitalShare],
        workers: int = WORKERS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._share_of = share_of
        self._clock = clock
        self._here: dict[str, float] = {}  # when each was here last
        self._resting: dict[str, asyncio.TimerHandle] = {}
        self._workers = workers
        self._most_of_one = max(workers // 2, 1)
        self._arriving = 0
        self._at_work: Counter[str] = Counter()
        self._present: Counter[str] = Counter()  # at work or waiting
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def present(self, hospital: str) -> AsyncIterator[None]:
        """A request of the hospital is here. Raises FhirError 429 when too many are."""
        most = self._share_of(hospital).concurrency
        if self._present[hospital] >= most:
            raise interaction_error(429, "throttled", "too_many_at_once", limit=most, retry_after=1)
        self._present[hospital] += 1
        try:
            yield
        finally:
            self._here[hospital] = self._clock()
            self._present[hospital] -= 1
            if not self._present[hospital]:
                del self._present[hospital]

    @asynccontextmanager
    async def turn(self, hospital: str) -> AsyncIterator[Turn]:
        """One worker, as soon as it is this hospital's turn."""
        if hospital in self._waiting or not self._is_free(hospital):
            await self._wait(hospital)
        else:
            self._at_work[hospital] += 1
        began = self._clock()
        turn = Turn(lambda: self._is_anybody_else_at_work(hospital), self._clock)
        try:
            yield turn
        finally:
            self._rest(hospital, self._clock() - began - turn.paused)
            self._give_back(hospital)

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """A request is here of which it is not known yet whose it is."""
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    def _is_anybody_else_at_work(self, hospital: str) -> bool:
        return bool(self._arriving) or any(one != hospital for one in tuple(self._at_work))

    def _rest(self, hospital: str, seconds: float) -> None:
        """After a turn that took so long, where others are here."""
        if seconds <= _SHORT_SECONDS or self._is_alone(hospital):
            return
        rest = min(_REST * seconds, _LONGEST_REST)
        timer = asyncio.get_running_loop().call_later(rest, self._end_rest, hospital)
        if (earlier := self._resting.get(hospital)) is not None:
            earlier, timer = sorted((earlier, timer), key=asyncio.TimerHandle.when)
            earlier.cancel()
        self._resting[hospital] = timer

    def _end_rest(self, hospital: str) -> None:
        del self._resting[hospital]
        self._hand_out()

    def _is_alone(self, hospital: str) -> bool:
        lately = self._clock() - _HERE_SECONDS
        here = {*self._present, *(one for one, last in self._here.items() if last > lately)}
        return not here - {hospital}

    def _is_free(self, hospital: str) -> bool:
        if self._at_work.total() >= self._workers:
            return False
        if self._is_alone(hospital):
            return self._at_work[hospital] < self._most_of_one
        return not self._at_work[hospital] and hospital not in self._resting

    async def _wait(self, hospital: str) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(hospital, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._give_back(hospital)  # it was this one's turn already
            else:
                self._leave(hospital, place)
            raise

    def _leave(self, hospital: str, place: "asyncio.Future[None]") -> None:
        places = self._waiting.get(hospital)
        if places is not None and place in places:
            places.remove(place)
            if not places:
                del self._waiting[hospital]

    def _give_back(self, hospital: str) -> None:
        self._at_work[hospital] -= 1
        if not self._at_work[hospital]:
            del self._at_work[hospital]
        self._hand_out()

    def _hand_out(self) -> None:
        while (following := next((one for one in self._waiting if self._is_free(one)), None)) is not None:
            place = self._waiting[following].popleft()
            if self._waiting[following]:
                self._waiting.move_to_end(following)
            else:
                del self._waiting[following]
            if not place.done():  # else it was given up just now
                self._at_work[following] += 1
                place.set_result(None)
