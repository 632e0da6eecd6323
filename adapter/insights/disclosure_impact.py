"""What policy, tiers and records that are gone disclose or take back at a hospital, before it is done."""

from dataclasses import dataclass, field

from adapter.ledger.disclosures import DisclosureWeight
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import changed_pages
from adapter.pipeline.mappings.activation import ProgressCallback
from adapter.pipeline.outbound.disclosure_guard import DisclosureGuard, guarded_people
from adapter.pipeline.outbound.pending_disclosure import pending_disclosure

__all__ = ["DisclosureImpact", "disclosure_impact"]


@dataclass(frozen=True, slots=True)
class DisclosureImpact:
    """How much would newly go and be taken back, and whether that waits for somebody to accept it.
    `is_policy_changed`: another policy is in force at the hospital than the file says.
    """

    weight: DisclosureWeight = field(default_factory=DisclosureWeight)
    needs_accepting: bool = False
    is_policy_changed: bool = False


def disclosure_impact(adapter: Adapter, name: str, progress: ProgressCallback) -> DisclosureImpact:
    """What the next sync would set aside. Where all is planned it is known; else everybody is planned, and
    nothing written.
    """
    destination = adapter.destination(name)
    guard = DisclosureGuard(adapter, destination)
    state = adapter.ledger.hospitals.row(name)
    head = adapter.records.newest_position()
    if state.planned_version == destination.version and state.planned_position >= head:
        waits = pending_disclosure(adapter, name)
        weight = waits.weight if waits else DisclosureWeight()
        return DisclosureImpact(weight, waits is not None, guard.is_policy_changed)
    total = adapter.records.counts()["cadre"]
    people = guarded_people(guard, changed_pages(adapter, destination, 0))
    for done, _ in enumerate(people, 1):
        progress("compare", name, done, max(done, total))
    return DisclosureImpact(guard.weight, guard.pending() is not None, guard.is_policy_changed)
