"""What is parked, by cause: how much of it waits, since when, and what a release would do with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from adapter.errors import UsageError
from adapter.ledger.entries.row_values import REASON_INVALID
from adapter.ledger.parking import REASON_TOO_OLD, ParkedGroup, ParkedSelection
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.too_old import too_old_before
from adapter.texts import has_text

__all__ = ["ParkedCause", "ParkedSelection", "parked_causes", "select_parked"]


@dataclass(frozen=True, slots=True)
class ParkedCause:
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


def select_parked(
    adapter: Adapter, words: Sequence[str], reason: str | None = None, *, everything: bool = False
) -> list[ParkedSelection]:
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
        return [ParkedSelection(name, reason) for name in names or adapter.settings.hospitals]
    found = [
        ParkedSelection(name, reason, key) for key in keys for name in names or adapter.settings.hospitals
    ]
    for key in keys:
        if not adapter.parked_store.groups(one for one in found if one.key == key):
            raise UsageError("release.nothing_parked", key=key)
    return found


def _check_cause(adapter: Adapter, reason: str) -> None:
    """Raises UsageError for a word that is no cause: that nothing is parked for it would mislead."""
    now = {
        group.reason
        for group in adapter.parked_store.groups(
            [ParkedSelection(name) for name in adapter.settings.hospitals]
        )
    }
    if reason not in now and not has_text(f"reason.{reason}"):
        raise UsageError("release.no_cause", reason=reason, known=", ".join(sorted(now)) or "-")


def parked_causes(adapter: Adapter, choices: Sequence[ParkedSelection], now: datetime) -> list[ParkedCause]:
    """What is parked of `choices`, by hospital and cause, referrals first. Writes nothing."""
    found: dict[tuple[str, str], ParkedCause] = {}
    for choice in choices:
        for group in adapter.parked_store.groups([choice]):
            cutoff = None if choice.is_explicit else too_old_before(adapter, choice.hospital, now)
            old = adapter.parked_store.count_too_old(ParkedSelection(choice.hospital, group.reason), cutoff)
            one = _parked(group, old, is_meant=choice.is_explicit)
            before = found.get((one.hospital, one.reason))
            found[one.hospital, one.reason] = _sum(before, one) if before else one
    return sorted(found.values(), key=lambda one: (-bool(one.referrals), one.since, one.hospital, one.reason))


def _parked(group: ParkedGroup, old: int, *, is_meant: bool) -> ParkedCause:
    is_kept = group.reason == REASON_INVALID or (group.reason == REASON_TOO_OLD and not is_meant)
    command = (
        None
        if group.reason == REASON_INVALID
        else f"adapter release {group.hospital} --reason {group.reason}"
    )
    return ParkedCause(
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


def _sum(one: ParkedCause, other: ParkedCause) -> ParkedCause:
    """Two keys' parts of the same cause, as one."""
    return ParkedCause(
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
