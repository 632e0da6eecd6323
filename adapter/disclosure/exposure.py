"""How much of a person a tier lets out, as one number that can be compared (pure)."""

from collections import defaultdict
from dataclasses import replace
from enum import IntEnum

from adapter.disclosure.policy import HospitalRules
from adapter.disclosure.policy_schema import DisclosureForm

__all__ = ["Exposure", "exposure_of", "rules_with_exposure"]


class Exposure(IntEnum):
    """What a hospital is told of who somebody is, from nothing to everything."""

    NOTHING = 0
    PSEUDONYM = 1
    PSEUDONYM_WITH_TEXT = 2
    FULL = 3


def exposure_of(rules: HospitalRules, tier: str) -> Exposure:
    """What these rules let out of a person of this tier."""
    form = rules.tiers.get(tier, DisclosureForm.HOLD)
    if form is DisclosureForm.FULL:
        return Exposure.FULL
    if form is not DisclosureForm.PSEUDONYM:
        return Exposure.NOTHING
    return Exposure.PSEUDONYM_WITH_TEXT if tier in rules.free_text else Exposure.PSEUDONYM


def rules_with_exposure(rules: HospitalRules, exposure: Exposure) -> HospitalRules:
    """The same rules, were everybody of a tier with that exposure: for a person whose tier was another."""
    form = DisclosureForm.HOLD
    if exposure is Exposure.FULL:
        form = DisclosureForm.FULL
    elif exposure is not Exposure.NOTHING:
        form = DisclosureForm.PSEUDONYM
    tiers = defaultdict(lambda: form, dict.fromkeys(rules.tiers, form))
    free = frozenset(tiers) if exposure is Exposure.PSEUDONYM_WITH_TEXT else frozenset()
    return replace(rules, tiers=tiers, free_text=free)
