"""What may leave (pure): a policy, the facts of one record, and a decision with its reason.

Closed by default: a tier, hospital or level that the policy does not name gets nothing. Every
decision is a value; whoever asks counts and audits the refusals.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

from pydantic import ValidationError

from adapter.disclosure.policy_schema import (
    SEALED_FIELDS,
    DisclosureForm,
    HospitalPolicy,
    PolicyFile,
    SensitiveGroup,
    ShareScope,
)
from adapter.errors import PolicyError
from adapter.invalid_entries import describe_invalid_entry
from adapter.text_folding import compile_folded_pattern, fold_text
from adapter.texts import say

__all__ = [
    "DisclosureDecision",
    "DisclosureFacts",
    "DisclosureForm",
    "HospitalRules",
    "Policy",
    "ShareScope",
    "WithholdReason",
    "parse_policy",
]

_NEVER = "\0never"  # groups' names in memory; no file can write them
_OPENED = "\0opened"
_CLASSES = "health-class"
_CLASS_CODES = "cls-"  # local codes of classes, sealed whatever the file says
_SCOPES = (ShareScope.NOTHING, ShareScope.REFERRAL, ShareScope.EVERYTHING)
_REMEMBERED = 20_000  # texts; keeps memory bounded
# An ICD-10 code within a text, and no part of a longer code; a mask N95 is none.
_CODE_IN_TEXT = re.compile(r"(?<!trang )(?<!mask )(?<![\w.-])[A-Z]\d\d(?:\.\d{1,2})?(?![\w-])")
_NUMBERS = re.compile(r"[\d.,+-][\d\s:.,+/TZ-]*")  # dates and numbers: most texts, and no words


class WithholdReason(StrEnum):
    """Why something is withheld. Each has a text `disclosure.<reason>` and a line in docs/operating.md."""

    TIER_REFUSED = "tier-refused"
    TIER_HELD = "tier-held"
    HOSPITAL_CLOSED = "hospital-closed"
    NOT_NEEDED = "not-needed"
    ORDER_WITHHELD = "order-withheld"
    OTHER_HOSPITAL = "other-hospital"
    NO_CONSENT = "no-consent"
    NEVER_LEAVES = "never-leaves"
    FREE_TEXT = "free-text"
    TEXT_IDENTIFIES = "text-identifies"
    TEXT_CLASSIFIES = "text-classifies"


@dataclass(frozen=True, slots=True)
class DisclosureFacts:
    """What a decision depends on. `needed`: a referral or trip to this hospital needs the record.
    `addressee` is the hospital that a referral goes to. `texts` are the record's own words: what the
    sheet calls a measure, its value, a reason.
    """

    kind: str
    tier: str
    consents: tuple[str, ...] = ()
    needed: bool = False
    addressee: str | None = None
    measure: str | None = None
    icd10: str | None = None
    service: str | None = None
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DisclosureDecision:
    """Disclose in `form` with the confidentiality label `label` (N or R), or withhold for `reason`.
    `free_text`: whether words that somebody wrote go with it.
    """

    form: DisclosureForm | None
    reason: WithholdReason | None = None
    label: Literal["N", "R"] = "N"
    free_text: bool = False

    @property
    def allowed(self) -> bool:
        """Whether it may leave."""
        return self.reason is None


class Policy(PolicyFile):
    """The policy file, checked. `rules()` gives what holds for one hospital."""

    @cached_property
    def plain_values_pattern(self) -> re.Pattern[str] | None:
        """All values in words that identify nobody, as one pattern for a whole folded text."""
        return compile_folded_pattern(self.plain_values)

    def rules(self, hospital: str, level: str) -> "HospitalRules":
        """What holds for one hospital: its own line, else its level's, else nothing at all."""
        line = self.hospitals.get(hospital)
        if line is None:
            line = {str(name): found for name, found in self.levels.items()}.get(level)
        line = line or HospitalPolicy(share=ShareScope.NOTHING)
        tiers: dict[str, DisclosureForm] = dict((*self.tiers.items(), *line.tiers.items()))
        # Refusal is the province's, not a hospital's: a hospital's line cannot open it.
        tiers |= {tier: form for tier, form in self.tiers.items() if form is DisclosureForm.REFUSE}
        written = {**self.free_text, **line.free_text}
        free = frozenset(str(tier) for tier, goes in written.items() if goes)
        closed = [found for name, found in self.sealed.items() if name not in line.open]
        never = SensitiveGroup(
            measures=(*self.never.measures, *(code for one in closed for code in one.measures)),
            words=(*self.never.words, *(words for one in closed for words in one.words)),
        )
        opened = [self.sealed[name] for name in line.open if name in self.sealed]
        open_ = SensitiveGroup(
            measures=tuple(code for one in opened for code in one.measures),
            words=tuple(words for one in opened for words in (*one.words, *one.phrases)),
        )
        phrases = (*self.never.phrases, *never.words, *(text for one in closed for text in one.phrases))
        return HospitalRules(
            hospital=hospital,
            share=line.share,
            pseudonyms=min(line.share, line.pseudonyms, key=_SCOPES.index),
            tiers=tiers,
            free_text=free,
            groups={**self.groups, _NEVER: never, _OPENED: open_},
            unsealed=frozenset(str(name) for name in line.open),
            phrases=compile_folded_pattern(phrases),
        )

    def unknown_codes(self, measures: Collection[str], services: Collection[str]) -> tuple[str, ...]:
        """Measures and services that the policy names and no code table knows: slips of the pen that
        would open what they mean to close. One line each.
        """
        named = {f"groups.{name}": group for name, group in self.groups.items()}
        places: list[tuple[str, str, Collection[str]]] = [
            (f"never.measures: {code}", code, measures) for code in self.never.measures
        ]
        for name, sealed in self.sealed.items():
            places += [(f"sealed.{name}.measures: {code}", code, measures) for code in sealed.measures]
        for place, group in named.items():
            places += [(f"{place}.measures: {code}", code, measures) for code in group.measures]
            places += [(f"{place}.services: {code}", code, services) for code in group.services]
        known = {id(table): {code.casefold() for code in table} for table in (measures, services)}
        return tuple(
            say("disclosure.no_code", place=place)
            for place, code, table in places
            if code.casefold() not in known[id(table)]
        )

    def unknown_hospitals(self, hospitals: Collection[str]) -> tuple[str, ...]:
        """Hospitals that the policy names and the settings do not."""
        return tuple(sorted(set(self.hospitals) - set(hospitals)))

    def misspelled_hospitals(self, hospitals: Collection[str]) -> tuple[str, ...]:
        """Hospitals of the settings without a line, where a line that nobody uses has nearly their
        name: falling back to the level's line would be a guess. One line each.
        """
        strangers = self.unknown_hospitals(hospitals)
        return tuple(
            say("disclosure.misspelled", name=name, line=line)
            for name in sorted(set(hospitals) - set(self.hospitals))
            for line in strangers
            if _distance(name, line) <= 2
        )


@dataclass(frozen=True)
class HospitalRules:
    """The policy as it stands for one hospital. `share` is of people by name, `pseudonyms` of others;
    `unsealed` names what is sealed elsewhere; `phrases` never leave, as one pattern for folded text.
    """

    hospital: str
    share: ShareScope
    tiers: Mapping[str, DisclosureForm]
    free_text: frozenset[str]
    groups: Mapping[str, SensitiveGroup]
    unsealed: frozenset[str] = frozenset()
    pseudonyms: ShareScope = ShareScope.REFERRAL
    phrases: re.Pattern[str] | None = None
    _of_words: dict[str, frozenset[str]] = field(default_factory=dict)
    _of_code: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)

    def decide(self, facts: DisclosureFacts) -> DisclosureDecision:
        """May this record go to this hospital, and in which form?"""
        form = self.tiers.get(facts.tier, DisclosureForm.HOLD)
        reason = self._closed(form) or self._elsewhere(facts, self._scope(form))
        if reason is not None:
            return DisclosureDecision(None, reason)
        free_text = form is DisclosureForm.FULL or facts.tier in self.free_text
        return self._weighed(
            DisclosureDecision(form, free_text=free_text), self._groups(facts), facts.consents
        )

    def reconsider(
        self, decision: DisclosureDecision, texts: Iterable[str], consents: Collection[str]
    ) -> DisclosureDecision:
        """The decision once it is known in which words the resource says it: a display of a code table,
        or what was copied from another record, may tell of what the record's own words do not.
        """
        found: frozenset[str] = frozenset()
        for text in texts:
            found |= self._by_words(text)
        return self._weighed(decision, found, consents)

    def _weighed(
        self, decision: DisclosureDecision, groups: frozenset[str], consents: Collection[str]
    ) -> DisclosureDecision:
        if _NEVER in groups:
            return DisclosureDecision(None, WithholdReason.NEVER_LEAVES)
        if not groups - {_OPENED} <= set(consents):
            return DisclosureDecision(None, WithholdReason.NO_CONSENT)
        return replace(decision, label="R") if groups else decision

    @cached_property
    def sealed_fields(self) -> frozenset[str]:
        """Fields that make a mapping which reads one of them withheld at this hospital."""
        closed = (fields for name, fields in SEALED_FIELDS.items() if name not in self.unsealed)
        return frozenset(field for fields in closed for field in fields)

    def gives_only_what_is_needed(self, tier: str) -> bool:
        """Whether records of this tier go only where a referral or trip to this hospital needs them."""
        return self._scope(self.tiers.get(tier, DisclosureForm.HOLD)) is ShareScope.REFERRAL

    @property
    def restricted_fields(self) -> frozenset[str]:
        """Opened fields of a health class: what is made of one is labelled R."""
        return frozenset(SEALED_FIELDS[_CLASSES] if _CLASSES in self.unsealed else ())

    @property
    def discloses_centre(self) -> bool:
        """Whether the hospital gets the centre's own Organization and Location."""
        return self.share is not ShareScope.NOTHING and "centre" in self.unsealed

    @property
    def discloses_origin(self) -> bool:
        """Whether the hospital is told from which import a record came."""
        return "origin" in self.unsealed

    def _closed(self, form: DisclosureForm) -> WithholdReason | None:
        if form is DisclosureForm.REFUSE:
            return WithholdReason.TIER_REFUSED
        if form is DisclosureForm.HOLD:
            return WithholdReason.TIER_HELD
        return WithholdReason.HOSPITAL_CLOSED if self._scope(form) is ShareScope.NOTHING else None

    def _scope(self, form: DisclosureForm) -> ShareScope:
        return self.pseudonyms if form is DisclosureForm.PSEUDONYM else self.share

    def _elsewhere(self, facts: DisclosureFacts, scope: ShareScope) -> WithholdReason | None:
        if facts.addressee is not None and facts.addressee != self.hospital:
            return WithholdReason.OTHER_HOSPITAL
        if scope is ShareScope.REFERRAL and not facts.needed:
            return WithholdReason.NOT_NEEDED
        return None

    def _groups(self, facts: DisclosureFacts) -> frozenset[str]:
        found: frozenset[str] = frozenset()
        for kind, code in (("m", facts.measure), ("s", facts.service), ("i", facts.icd10)):
            if code:
                found |= self._by_code(kind, code)
        for text in facts.texts:
            found |= self._by_words(text)
        return found

    def _by_code(self, kind: str, code: str) -> frozenset[str]:
        asked = (kind, code)
        found = self._of_code.get(asked)
        if found is None:
            folded = code.casefold()
            named = {name for name, group in self.groups.items() if _names(group, kind, folded)}
            if kind == "m" and folded.startswith(_CLASS_CODES):
                named.add(_OPENED if _CLASSES in self.unsealed else _NEVER)
            found = self._of_code[asked] = frozenset(named) | self._by_words(code)
        return found

    def _by_words(self, text: str) -> frozenset[str]:
        found = self._of_words.get(text)
        if found is None and _NUMBERS.fullmatch(text):
            return frozenset()
        if found is None:
            folded = fold_text(text)
            found = frozenset(name for name, words in self._words if words.search(folded))
            found |= self._by_written_codes(text)
            if len(self._of_words) < _REMEMBERED:
                self._of_words[text] = found
        return found

    def _by_written_codes(self, text: str) -> frozenset[str]:
        """Groups of the ICD-10 codes that somebody wrote into a text ("theo dõi B24")."""
        return frozenset(
            name
            for code in _CODE_IN_TEXT.findall(text)
            for name, group in self.groups.items()
            if _names(group, "i", code)
        )

    @cached_property
    def _words(self) -> list[tuple[str, re.Pattern[str]]]:
        compiled = ((name, compile_folded_pattern(group.words)) for name, group in self.groups.items())
        return [(name, words) for name, words in compiled if words is not None]


def _names(group: SensitiveGroup, kind: str, code: str) -> bool:
    if kind == "i":
        return any(_covers(range_, code.upper()) for range_ in group.icd10)
    return code in {one.casefold() for one in (group.measures if kind == "m" else group.services)}


def _covers(range_: str, code: str) -> bool:
    """Whether an ICD-10 code is in "F", "B20" or "N70-N99"."""
    first, _, last = range_.partition("-")
    return first <= code[: len(first)] <= (last or first)


def _distance(one: str, other: str) -> int:
    """How many letters must be changed, added or removed to make one of the other."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        before, row[0] = row[0], number
        for column, sign in enumerate(other, 1):
            before, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, before + (letter != sign)),
            )
    return row[-1]


def parse_policy(data: Mapping[str, Any], *, where: str) -> Policy:
    """The policy in `data` (the YAML file as it was read). Raises PolicyError with every mistake."""
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        problems: Iterable[str] = (
            f"{where}: {'.'.join(str(part) for part in item['loc'])}: {describe_invalid_entry(item)}"
            for item in error.errors()
        )
        raise PolicyError("disclosure.invalid", tuple(problems), path=where) from error
