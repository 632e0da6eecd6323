"""What a hospital's client is given by those who count and hold back its requests."""

from typing import Protocol

__all__ = ["RateLimiter", "RequestMeter"]


class RateLimiter(Protocol):
    """What every request of a hospital passes, whichever worker sends it."""

    def acquire(self) -> None:
        """Wait until a request may go."""
        ...

    def observe(self, status: int | None, retry_after: float | None) -> None:
        """It was answered with a status (None: not at all), and asked to be left alone for some seconds."""
        ...


class RequestMeter(Protocol):
    """Counts the requests that left."""

    def count(self, status: int | None, seconds: float) -> None:
        """A request was answered with a status (None: not at all) after so many seconds."""
        ...

    def flush(self) -> None:
        """No more requests are to come."""
        ...
