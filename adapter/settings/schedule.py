"""When something is due, in cron's words."""

from datetime import UTC, datetime

from adapter.texts import say

__all__ = ["is_cron", "is_cron_or_never"]


def is_cron(value: str) -> str:
    """Five fields, or six with seconds first, that name a moment some day."""
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(value, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        raise ValueError(say("schedule.bad_cron", cron=value, problem=str(error) or "-")) from error
    return value


def is_cron_or_never(value: str) -> str:
    return is_cron(value) if value else value
