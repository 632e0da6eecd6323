"""Referrals that a hospital has, and that nothing came back for: its push may have given up."""

from dataclasses import dataclass
from datetime import datetime

from adapter.ledger.waiting import Aged
from adapter.pipeline.opened import Adapter
from adapter.records.model import Fulfilment, Referral

__all__ = ["Unanswered", "aged", "unanswered"]

_OPEN = (Fulfilment.NONE, Fulfilment.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A referral that its hospital has `since` then. `fulfilment`: none, or in-progress, as it last said."""

    hospital: str
    referral: str
    cadre: str
    since: datetime
    fulfilment: str


def unanswered(adapter: Adapter, hospital: str, before: datetime) -> list[Unanswered]:
    """What `hospital` has since before that moment and has neither answered nor failed, the oldest first."""
    held = {key: at for key, at in adapter.waiting.held_referrals(hospital).items() if at < before}
    if not held:
        return []
    found = [
        Unanswered(hospital, one.key, one.cadre, held[one.key], one.fulfilment.value)
        for one in adapter.records.iterate(Referral.kind)
        if isinstance(one, Referral) and one.key in held and _is_open(one, hospital)
    ]
    return sorted(found, key=lambda one: (one.since, one.referral))


def aged(found: list[Unanswered]) -> Aged:
    """How many, and since when the oldest waits."""
    return Aged(len(found), found[0].since if found else None)


def _is_open(referral: Referral, hospital: str) -> bool:
    return (
        referral.hospital == hospital
        and referral.status in ("active", "on-hold")
        and referral.fulfilment in _OPEN
    )
