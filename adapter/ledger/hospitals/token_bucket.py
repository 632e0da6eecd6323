"""How many requests a second go to a hospital, all workers together (pure): a token bucket in its row."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite

__all__ = ["BURST_SECONDS", "TokenBucket", "reservation_size", "reserve_tokens"]

BURST_SECONDS = 0.25  # seconds: as much of its rate may go at once, and a process reserves no more


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """`tokens` requests may go as of `at`; below 0 they are promised already."""

    tokens: float
    at: datetime


def reservation_size(per_second: float) -> int:
    """Requests that a process reserves at a time at most, so that the row is written four times a second
    for each process, or once for each request of one that sends few.
    """
    return max(1, int(per_second * BURST_SECONDS))


def reserve_tokens(
    bucket: TokenBucket | None, now: datetime, per_second: float, count: int
) -> tuple[TokenBucket, float]:
    """Reserve `count` requests: the bucket after it, and the seconds until the first of them may go. The
    others follow 1 / `per_second` apart.
    """
    burst = max(1.0, per_second * BURST_SECONDS)
    held = burst
    if bucket is not None and isfinite(bucket.tokens):
        passed = max(0.0, (now - bucket.at).total_seconds())
        held = min(burst, bucket.tokens + passed * per_second)
    return TokenBucket(held - count, now), max(0.0, (1 - held) / per_second)
