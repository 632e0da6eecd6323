"""What is parked is let go again: seen by cause first, then released on a person's word, which is audited."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapter import audit
from adapter.database import write
from adapter.errors import UsageError
from adapter.ledger.parking import TOO_OLD, Choice, Group
from adapter.ledger.rows import INVALID
from adapter.pipeline.opened import Adapter
from adapter.texts import catalogue

__all__ = ["Parked", "choices_of", "outdate", "parked", "release"]


@dataclass(frozen=True, slots=True)
class Parked:
    """What is parked at a hospital for one cause, and what a release does with it: `released` go again,
    `too_old` wait as too old, `kept` stay. `command` is what a person does about it; None where records or
    the mapping must be corrected.
    """

    hospital: str
    reason: str
    count: int
    referrals: int
    since: datetime
    released: int
    too_old: int
    kept: int
    command: str | None


def choices_of(
    adapter: Adapter, words: Sequence[str], reason: str | None = None, *, everything: bool = False
) -> list[Choice]:
    """What is meant: each word is a hospital's name, or a record's key or an identity at any hospital.
    Raises UsageError when nothing says what, nothing parked has such a key, or no cause that name.
    """
    if not (words or reason or everything):
        raise UsageError("release.nothing_said")
    if reason is not None:
        _check_cause(adapter, reason)
    names = [word for word in words if word in adapter.settings.hospitals]
    keys = [word for word in dict.fromkeys(words) if word not in adapter.settings.hospitals]
    if not keys:
        return [Choice(name, reason) for name in names or adapter.settings.hospitals]
    found = [Choice(name, reason, key) for key in keys for name in names or adapter.settings.hospitals]
    for key in keys:
        if not adapter.parked.groups(one for one in found if one.key == key):
            raise UsageError("release.nothing_parked", key=key)
    return found


def _check_cause(adapter: Adapter, reason: str) -> None:
    """Raises UsageError for a word that is no cause: that nothing is parked for it would mislead."""
    now = {
        group.reason for group in adapter.parked.groups([Choice(name) for name in adapter.settings.hospitals])
    }
    if reason not in now and f"reason.{reason}" not in catalogue("en"):
        raise UsageError("release.no_cause", reason=reason, known=", ".join(sorted(now)) or "-")


def parked(adapter: Adapter, choices: Sequence[Choice], now: datetime) -> list[Parked]:
    """What is parked of `choices`, by hospital and cause, referrals first. Writes nothing."""
    found: dict[tuple[str, str], Parked] = {}
    for choice in choices:
        for group in adapter.parked.groups([choice]):
            cutoff = None if choice.is_meant else _cutoff(adapter, choice, now)
            old = adapter.parked.old(Choice(choice.hospital, group.reason), cutoff)
            one = _parked(group, old, is_meant=choice.is_meant)
            before = found.get((one.hospital, one.reason))
            found[one.hospital, one.reason] = _sum(before, one) if before else one
    return sorted(found.values(), key=lambda one: (-bool(one.referrals), one.since, one.hospital, one.reason))


def release(adapter: Adapter, choices: Sequence[Choice], now: datetime, by: str) -> list[Parked]:
    """Let go what is parked of `choices`, in one transaction for each; what was done, as `parked` says it."""
    done = parked(adapter, choices, now)
    for choice in choices:
        whose = adapter.parked.cadres(choice) if choice.key else []
        with write(adapter.engine) as connection:
            released, too_old = adapter.parked.release(connection, choice, _cutoff(adapter, choice, now), now)
            if not released and not too_old:
                continue
            audit.record(
                connection,
                at=now,
                actor=by,
                action="parked.released",
                subject=adapter.subject(whose[0]) if whose else None,
                hospital=choice.hospital,
                details={"reason": choice.reason, "released": released, "too_old": too_old},
            )
    return done


def outdate(adapter: Adapter, hospital: str, now: datetime) -> int:
    """Park what the hospital should have had long ago and never got; returns how much that is."""
    cutoff = _cutoff(adapter, Choice(hospital), now)
    return adapter.parked.outdate(hospital, cutoff, now) if cutoff else 0


def _cutoff(adapter: Adapter, choice: Choice, now: datetime) -> datetime | None:
    days = adapter.settings.hospital(choice.hospital).max_age_days
    return now - timedelta(days=days) if days else None


def _parked(group: Group, old: int, *, is_meant: bool) -> Parked:
    is_kept = group.reason == INVALID or (group.reason == TOO_OLD and not is_meant)
    command = None if group.reason == INVALID else f"adapter release {group.hospital} --reason {group.reason}"
    return Parked(
        hospital=group.hospital,
        reason=group.reason,
        count=group.count,
        referrals=group.referrals,
        since=group.since,
        released=0 if is_kept else group.count - old,
        too_old=0 if is_kept else old,
        kept=group.count if is_kept else 0,
        command=command,
    )


def _sum(one: Parked, other: Parked) -> Parked:
    """Two keys' parts of the same cause, as one."""
    return Parked(
        hospital=one.hospital,
        reason=one.reason,
        count=one.count + other.count,
        referrals=one.referrals + other.referrals,
        since=min(one.since, other.since),
        released=one.released + other.released,
        too_old=one.too_old + other.too_old,
        kept=one.kept + other.kept,
        command=one.command,
    )
