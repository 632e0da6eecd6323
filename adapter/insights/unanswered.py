"""Referrals that a hospital has, and that nothing came back for: its push may have given up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapter.ledger.monitoring.overdue import Backlog
from adapter.pipeline.application import Adapter
from adapter.records.model import Fulfilment, Referral

__all__ = ["UnansweredReferral", "backlog_of", "unanswered_referrals"]

_OPEN = (Fulfilment.NONE, Fulfilment.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class UnansweredReferral:
    """A referral that its hospital has `since` then. `fulfilment`: none, or in-progress, as it last said."""

    hospital: str
    referral: str
    cadre: str
    since: datetime
    fulfilment: str


def unanswered_referrals(
    adapter: Adapter, hospitals: Iterable[str], before: datetime
) -> list[UnansweredReferral]:
    """What these hospitals have since before that moment and have neither answered nor failed, the oldest
    first.
    """
    held = {
        (hospital, key): at
        for hospital in hospitals
        for key, at in adapter.overdue.delivered_referrals(hospital).items()
        if at < before
    }
    if not held:
        return []
    found = []
    for one in adapter.records.iterate(Referral.kind):
        if isinstance(one, Referral) and _is_open(one) and (at := held.get((one.hospital, one.key))):
            found.append(UnansweredReferral(one.hospital, one.key, one.cadre, at, one.fulfilment.value))
    return sorted(found, key=lambda one: (one.since, one.referral))


def backlog_of(found: Sequence[UnansweredReferral], hospital: str) -> Backlog:
    """How many at a hospital, and since when the oldest waits."""
    there = [one.since for one in found if one.hospital == hospital]
    return Backlog(len(there), min(there, default=None))


def _is_open(referral: Referral) -> bool:
    return referral.status in ("active", "on-hold") and referral.fulfilment in _OPEN
