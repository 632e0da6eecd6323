"""The policy file's words, checked: what is missing or mistyped is refused, never read as permission."""

import re
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from adapter.text_folding import compile_folded_pattern
from adapter.texts import say

__all__ = [
    "MANDATORY_GROUPS",
    "NEVER_FIELDS",
    "SEALED_FIELDS",
    "DisclosureForm",
    "HospitalPolicy",
    "NeverDisclosed",
    "PolicyFile",
    "SealedContent",
    "SensitiveGroup",
    "ShareScope",
    "TierName",
]

NEVER_FIELDS = ("tier", "position")  # hidden whatever the file says
# Closed until a hospital's line opens them, whatever else the file says: what they are called in `open`,
# and the fields that only an opened mapping may read.
SEALED_FIELDS = {
    "health-class": ("health_class", "cadre_class"),
    "origin": ("origin",),  # from which import a record came
    "centre": (),  # the centre's own Organization and Location
}
MANDATORY_GROUPS = ("hiv", "mental", "reproductive")
_ICD10 = re.compile(r"([A-Z](?:\d\d(?:\.\d{1,2})?)?)(?:-([A-Z]\d\d(?:\.\d{1,2})?))?")


class DisclosureForm(StrEnum):
    """What may be disclosed of a person's identity."""

    REFUSE = "refuse"
    HOLD = "hold"
    PSEUDONYM = "pseudonym"
    FULL = "full"


class ShareScope(StrEnum):
    """Which records a hospital gets."""

    NOTHING = "nothing"
    REFERRAL = "referral"
    EVERYTHING = "everything"


def _expression(text: str) -> str:
    try:
        compile_folded_pattern((text,))
    except re.error as error:
        raise ValueError(say("disclosure.not_expression", text=text, problem=error)) from error
    if not text.strip():
        raise ValueError(say("disclosure.empty_expression"))
    return text


def _icd10(text: str) -> str:
    match = _ICD10.fullmatch(text)
    if match is None or (match[2] and not (len(match[1]) == len(match[2]) and match[1] <= match[2])):
        raise ValueError(say("disclosure.not_icd10", text=text))
    return text


Expression = Annotated[str, AfterValidator(_expression)]
Icd10 = Annotated[str, AfterValidator(_icd10)]
TierName = Literal["T0", "T1", "T2", "T3", "T4", "T5"]
SealName = Literal["health-class", "origin", "centre"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SensitiveGroup(_Strict):
    """What belongs to a sensitive group: codes as they are, and words to be found in codes and texts."""

    measures: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    icd10: tuple[Icd10, ...] = ()
    words: tuple[Expression, ...] = ()


class SealedContent(_Strict):
    """What leaves only where it is opened: measures by code, and words and phrases as in `never`."""

    measures: tuple[str, ...] = ()
    words: tuple[Expression, ...] = ()
    phrases: tuple[Expression, ...] = ()


class HospitalPolicy(_Strict):
    """What holds for one hospital, or for one level of hospitals. `pseudonyms` is which records it gets of
    people under a pseudonym, and never opens more than `share`.
    """

    share: ShareScope
    pseudonyms: ShareScope = ShareScope.REFERRAL
    tiers: dict[TierName, DisclosureForm] = Field(default_factory=dict)
    free_text: dict[TierName, bool] = Field(default_factory=dict)
    open: tuple[SealName, ...] = ()

    @field_validator("tiers")
    @classmethod
    def _never_t0(cls, value: dict[TierName, DisclosureForm]) -> dict[TierName, DisclosureForm]:
        if value.get("T0", DisclosureForm.REFUSE) is not DisclosureForm.REFUSE:
            raise ValueError(say("disclosure.t0_refuse"))
        return value


class NeverDisclosed(_Strict):
    """What leaves for nobody. Tier and position belong to it even where the file forgets them."""

    fields: tuple[str, ...]
    measures: tuple[str, ...] = ()
    words: tuple[Expression, ...] = ()
    phrases: tuple[Expression, ...] = Field(min_length=1)

    @field_validator("fields")
    @classmethod
    def _floor(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*NEVER_FIELDS, *value)))


class PolicyFile(_Strict):
    """The whole file."""

    tiers: dict[TierName, DisclosureForm]
    free_text: dict[TierName, bool] = Field(default_factory=dict)
    plain_values: tuple[Expression, ...] = ()
    levels: dict[Literal["provincial", "central"], HospitalPolicy] = Field(default_factory=dict)
    hospitals: dict[str, HospitalPolicy] = Field(default_factory=dict)
    groups: dict[str, SensitiveGroup]
    sealed: dict[SealName, SealedContent] = Field(default_factory=dict)
    never: NeverDisclosed

    @field_validator("tiers")
    @classmethod
    def _t0_is_refused(cls, value: dict[TierName, DisclosureForm]) -> dict[TierName, DisclosureForm]:
        if value.get("T0") is not DisclosureForm.REFUSE:
            raise ValueError(say("disclosure.t0_missing"))
        return value

    @model_validator(mode="after")
    def _nothing_is_forgotten(self) -> Self:
        for name in MANDATORY_GROUPS:
            group = self.groups.get(name)
            if group is None or not group.icd10 or not group.words:
                raise ValueError(say("disclosure.group_missing", name=name))
        classes = self.sealed.get("health-class")
        if classes is None or not classes.words or not classes.phrases:
            raise ValueError(say("disclosure.seal_missing"))
        return self
