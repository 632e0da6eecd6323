"""What waits for consent at a hospital, since policy, tiers or records changed for too many people at once.
Said from the ledger, without planning.
"""

from dataclasses import dataclass

from adapter.ledger.disclosures import DisclosureWeight
from adapter.pipeline.application import Adapter
from adapter.texts import say

__all__ = ["PendingDisclosure", "pending_disclosure"]


@dataclass(frozen=True, slots=True)
class PendingDisclosure:
    """What `hospital` is neither sent nor asked to delete until somebody accepts it."""

    hospital: str
    weight: DisclosureWeight

    def __str__(self) -> str:
        one = self.weight
        return say(
            "diff.disclosure_waits",
            hospital=self.hospital,
            newly=one.newly,
            newly_people=one.newly_people,
            taken=one.taken,
            taken_people=one.taken_people,
            held=one.held,
            held_people=one.held_people,
        )


def pending_disclosure(adapter: Adapter, name: str) -> PendingDisclosure | None:
    """What waits at the hospital, as far as is planned; None where nothing does."""
    weight = adapter.disclosures.weight(name)
    if weight is None or weight.is_within(adapter.settings.max_disclosure_percent):
        return None
    return PendingDisclosure(name, weight)
