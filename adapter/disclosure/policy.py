"""What may leave (pure): a policy, the facts of one record, and a decision with its reason.

Closed by default: a tier, hospital or level that the policy does not name gets nothing. Every
decision is a value; whoever asks counts and audits the refusals.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapter.errors import MappingError

__all__ = ["Decision", "Facts", "Form", "Policy", "Reason", "Rules", "Share", "mentions", "parse"]


class Form(StrEnum):
    """What may be disclosed of a person's identity."""

    REFUSE = "refuse"
    HOLD = "hold"
    PSEUDONYM = "pseudonym"
    FULL = "full"


class Share(StrEnum):
    """Which records a hospital gets."""

    NOTHING = "nothing"
    REFERRAL = "referral"
    EVERYTHING = "everything"


class Reason(StrEnum):
    """Why something is withheld. Each has a text `disclosure.<reason>` and a line in docs/operating.md."""

    TIER_REFUSED = "tier-refused"
    TIER_HELD = "tier-held"
    HOSPITAL_CLOSED = "hospital-closed"
    NOT_NEEDED = "not-needed"
    OTHER_HOSPITAL = "other-hospital"
    NO_CONSENT = "no-consent"
    NEVER_LEAVES = "never-leaves"
    TEXT_IDENTIFIES = "text-identifies"
    TEXT_CLASSIFIES = "text-classifies"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision depends on. `needed`: a referral or trip to this hospital needs the record.
    `addressee` is the hospital that a referral goes to.
    """

    kind: str
    tier: str
    consents: tuple[str, ...] = ()
    needed: bool = False
    addressee: str | None = None
    measure: str | None = None
    icd10: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Disclose in `form` with the confidentiality label `label` (N or R), or withhold for `reason`."""

    form: Form | None
    reason: Reason | None = None
    label: Literal["N", "R"] = "N"

    @property
    def allowed(self) -> bool:
        """Whether it may leave."""
        return self.reason is None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Group(_Strict):
    measures: tuple[str, ...] = ()
    icd10: tuple[str, ...] = ()


class _HospitalLine(_Strict):
    share: Share
    tiers: dict[str, Form] = Field(default_factory=dict)


class _Never(_Strict):
    fields: tuple[str, ...]
    measures: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()


class Policy(_Strict):
    """The policy file, checked. `rules()` gives what holds for one hospital."""

    tiers: dict[str, Form]
    levels: dict[Literal["provincial", "central"], _HospitalLine] = Field(default_factory=dict)
    hospitals: dict[str, _HospitalLine] = Field(default_factory=dict)
    groups: dict[str, _Group] = Field(default_factory=dict)
    never: _Never

    @cached_property
    def phrases(self) -> re.Pattern[str] | None:
        """All phrases that never leave, as one pattern."""
        listed = self.never.phrases
        return re.compile("|".join(f"(?:{phrase})" for phrase in listed), re.IGNORECASE) if listed else None

    def rules(self, hospital: str, level: str) -> "Rules":
        """What holds for one hospital: its own line, else its level's, else nothing at all."""
        line = self.hospitals.get(hospital)
        if line is None:
            line = {str(name): found for name, found in self.levels.items()}.get(level)
        share = line.share if line else Share.NOTHING
        tiers = {**self.tiers, **(line.tiers if line else {})}
        # Refusal is the province's, not a hospital's: a hospital's line cannot open it.
        tiers |= {tier: form for tier, form in self.tiers.items() if form is Form.REFUSE}
        return Rules(hospital, share, tiers, self.groups, frozenset(self.never.measures))


@dataclass(frozen=True)
class Rules:
    """The policy as it stands for one hospital."""

    hospital: str
    share: Share
    tiers: Mapping[str, Form]
    groups: Mapping[str, _Group]
    never_measures: frozenset[str]
    _groups_of: dict[tuple[str | None, str | None], tuple[str, ...]] = field(default_factory=dict)

    def decide(self, facts: Facts) -> Decision:
        """May this record go to this hospital, and in which form?"""
        form = self.tiers.get(facts.tier, Form.HOLD)
        reason = self._refusal(form, facts)
        if reason is not None:
            return Decision(None, reason)
        groups = self._groups(facts)
        if not set(groups) <= set(facts.consents):
            return Decision(None, Reason.NO_CONSENT)
        return Decision(form, label="R" if groups else "N")

    def _refusal(self, form: Form, facts: Facts) -> Reason | None:
        if form is Form.REFUSE:
            return Reason.TIER_REFUSED
        if form is Form.HOLD:
            return Reason.TIER_HELD
        if self.share is Share.NOTHING:
            return Reason.HOSPITAL_CLOSED
        if facts.measure in self.never_measures:
            return Reason.NEVER_LEAVES
        if facts.addressee is not None and facts.addressee != self.hospital:
            return Reason.OTHER_HOSPITAL
        if self.share is Share.REFERRAL and not facts.needed:
            return Reason.NOT_NEEDED
        return None

    def _groups(self, facts: Facts) -> tuple[str, ...]:
        asked = (facts.measure, facts.icd10)
        if asked not in self._groups_of:
            self._groups_of[asked] = tuple(
                name
                for name, group in self.groups.items()
                if facts.measure in group.measures
                or (facts.icd10 and any(_covers(range_, facts.icd10) for range_ in group.icd10))
            )
        return self._groups_of[asked]


def _covers(range_: str, code: str) -> bool:
    """Whether an ICD-10 code is in "F", "B20" or "N70-N99"."""
    first, _, last = range_.partition("-")
    return first <= code[: len(first)] <= (last or first)


def parse(data: Mapping[str, Any], *, where: str) -> Policy:
    """The policy in `data` (the YAML file as it was read). Raises MappingError with every mistake."""
    try:
        policy = Policy.model_validate(data)
        _ = policy.phrases
    except ValidationError as error:
        problems = tuple(
            f"{where}: {'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        raise MappingError("disclosure.invalid", problems, path=where) from error
    except re.error as error:
        problem = f"{where}: never.phrases: {error.pattern!r}: {error}"
        raise MappingError("disclosure.invalid", (problem,), path=where) from error
    return policy


def mentions(folded: str, words: Iterable[str]) -> bool:
    """Whether any of `words` (4 characters or more) stands in `folded`, a case-folded text."""
    return any(word.casefold() in folded for word in words if len(word) >= 4)
