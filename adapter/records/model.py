"""The records: one local fact each, typed and frozen, with a stable key.

A record never holds what was not in its source: an absent reference range is None, not a default, and a
moment of which no time was written is a date.
Keys are the centre's own and never leave it (identity at a hospital is a keyed hash of them).
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from adapter.records.partial_dates import PartialDate
from adapter.referrals.lifecycle import ReferralState
from adapter.referrals.reasons import ReferralReason
from adapter.result_content import ResultContent

__all__ = [
    "KINDS",
    "MAPPED_TYPES",
    "RECORD_TYPES",
    "Cadre",
    "Centre",
    "Diagnosis",
    "Fulfilment",
    "Immunization",
    "Measurement",
    "Procedure",
    "Record",
    "Referral",
    "Result",
    "Sex",
    "Tier",
    "Visit",
    "VisitKind",
]


class Tier(StrEnum):
    """Diện quản lý. T0 never becomes a record: the import refuses it before anything is stored."""

    T1 = "T1"
    T2 = "T2"
    T3 = "T3"
    T4 = "T4"
    T5 = "T5"


class Sex(StrEnum):
    """FHIR's administrative-gender codes that the centre's data can hold."""

    MALE = "male"
    FEMALE = "female"
    UNKNOWN = "unknown"


class VisitKind(StrEnum):
    """What the centre does with a person."""

    CHECKUP = "checkup"  # khám sức khỏe định kỳ
    CONGRESS = "congress"  # khám trước đại hội
    OUTPATIENT = "outpatient"  # khám ngoại trú
    HOME = "home"  # thăm khám tại nhà
    TRIP = "trip"  # chuyến đưa đi tuyến trung ương
    COUNCIL = "council"  # hội đồng tư vấn / hội chẩn


class Fulfilment(StrEnum):
    """How far a hospital got with a referral, in four words: made of its state."""

    NONE = "none"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    FAILED = "failed"


_FULFILMENTS = {
    ReferralState.DRAFT: Fulfilment.NONE,
    ReferralState.RECEIVED: Fulfilment.NONE,
    ReferralState.DECLINED: Fulfilment.FAILED,
    ReferralState.CANCELLED: Fulfilment.FAILED,
    ReferralState.COMPLETED: Fulfilment.COMPLETED,
}


class Record(BaseModel):
    """What every record has. `kind` names the type in tables, mappings and the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]
    key: str


class Cadre(Record):
    """A person whose health the centre manages. `tier` and `position` never leave."""

    kind: ClassVar[str] = "cadre"
    name: str
    sex: Sex
    birth_date: date | PartialDate  # old papers may say a year alone
    tier: Tier
    position: str | None = None
    national_id: str | None = None  # CCCD, 12 digits
    old_national_id: str | None = None  # CMND, 9 digits, history
    insurance: tuple[str, ...] = ()  # BHYT: 15 characters, 10 or 12 digits; several may be live
    phone: str | None = None
    address: str | None = None
    province: str | None = None  # 2 digits, the 34 provinces since 1 July 2025
    ethnic_group: str | None = None  # 01 … 55, 99
    consents: tuple[str, ...] = ()  # groups consented to: hiv, mental, reproductive
    deceased_on: date | None = None

    @property
    def cadre(self) -> str:
        """A cadre's own key: every record answers `cadre`."""
        return self.key


class Visit(Record):
    """One visit. For a trip, `hospital` is where the person was escorted to (a name in the settings)."""

    kind: ClassVar[str] = "visit"
    cadre: str
    type: VisitKind
    started_at: date | datetime
    ended_at: date | datetime | None = None
    hospital: str | None = None
    reason: str | None = None
    conclusion: str | None = None
    advice: Literal["normal", "follow-up", "continue", "refer", "other"] | None = None
    health_class: str | None = None  # QĐ 1613 I to V; never leaves
    cadre_class: str | None = None  # the cadre scale A to D; never leaves
    specimens: int | None = None  # samples taken (home visits)


class Measurement(Record):
    """One indicator of one visit: value as it was written, unit as it was written.

    `value` is the text of the cell in normal form (decimal point, NFC): "5.30", "<0.1", "120/80",
    "âm tính", "ĐNT 3m". `low`, `high`, `flag` come from the laboratory or are None.
    """

    kind: ClassVar[str] = "measurement"
    cadre: str
    visit: str
    measure: str  # local code, mappings/codes/measures.csv
    name: str | None = None  # what the sheet calls it, for codes nobody knows
    value: str
    unit: str | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    flag: Literal["H", "L", "HH", "LL", "A", "N"] | None = None
    taken_at: date | datetime | None = None
    status: Literal["final", "preliminary", "corrected", "entered-in-error"] = "final"


class Diagnosis(Record):
    """One ICD-10 diagnosis of a visit, or of a person's history."""

    kind: ClassVar[str] = "diagnosis"
    cadre: str
    visit: str | None = None
    icd10: str
    text: str | None = None
    certainty: Literal["provisional", "confirmed"] = "confirmed"
    is_new: bool = False
    recorded_on: date | None = None


class Procedure(Record):
    """Something done to a person: a dressing, an infusion, an endoscopy (thủ thuật, can thiệp)."""

    kind: ClassVar[str] = "procedure"
    cadre: str
    visit: str | None = None
    code: str  # local code, mappings/codes/procedures.csv
    name: str | None = None  # what the sheet calls it, for codes nobody knows
    status: Literal["completed", "in-progress", "not-done", "entered-in-error"] = "completed"
    started_at: date | datetime
    ended_at: date | datetime | None = None
    body_site: str | None = None
    outcome: str | None = None
    icd10: str | None = None  # the diagnosis it was done for


class Immunization(Record):
    """One dose of a vaccine (mũi tiêm chủng). `given_at` is a date where no time was written."""

    kind: ClassVar[str] = "immunization"
    cadre: str
    visit: str | None = None
    vaccine: str  # local code, mappings/codes/vaccines.csv
    name: str | None = None  # what the sheet calls it, for codes nobody knows
    given_at: date | datetime
    lot: str | None = None
    dose_number: int | None = None  # from 1
    series: str | None = None
    site: str | None = None
    expires_on: date | None = None
    status: Literal["completed", "entered-in-error", "not-done"] = "completed"
    reason_not_done: str | None = None


class Referral(Record):
    """A request to one hospital (a name in the settings) to examine or treat.

    `supporting` lists the local codes of the measurements the hospital needs; none listed means
    all of that visit. `state` and what follows are written by the inbox alone.
    """

    kind: ClassVar[str] = "referral"
    cadre: str
    visit: str | None = None
    hospital: str
    category: Literal["workup", "treatment", "consultation"] = "workup"
    service: str  # local code of the service asked for, mappings/codes/services.csv
    reason: str | None = None
    icd10: str | None = None
    priority: Literal["routine", "urgent", "asap", "stat"] = "routine"
    status: Literal["active", "on-hold", "revoked", "entered-in-error"] = "active"
    ordered_at: date | datetime
    due_on: date | None = None
    supporting: tuple[str, ...] = ()
    state: ReferralState = ReferralState.RECEIVED
    fulfilled_at: datetime | None = None
    fulfilled_by: str | None = None  # key of the result that led to the state
    appointment_at: date | datetime | None = None  # as the hospital said it last
    hospital_number: str | None = None  # under which the hospital knows it
    said: str | None = None  # why it is in that state, in the hospital's words
    reason_code: ReferralReason | None = None  # the same as a code
    onward: str | None = None  # the hospital that its hospital passed it on to
    progress: str | None = None  # how many of a series are done: 4/10
    question: str | None = None  # what its hospital asked last
    asked_at: datetime | None = None
    answer: str | None = None  # what the centre answered last
    answered_at: datetime | None = None
    answered_by: str | None = None
    cancel_asked_at: datetime | None = None
    cancel_needs_answer: bool | None = None  # whether the hospital had begun when we asked
    cancel_reason: str | None = None
    acknowledged_at: datetime | None = None  # a doctor has seen what came back
    acknowledged_by: str | None = None
    called_at: datetime | None = None  # somebody of the centre called its hospital about it last
    called_by: str | None = None

    @property
    def open_since(self) -> datetime | None:
        """When its hospital asked what the centre has not answered."""
        is_answered = self.asked_at and self.answered_at and self.answered_at >= self.asked_at
        return None if self.question is None or is_answered else self.asked_at

    @property
    def fulfilment(self) -> Fulfilment:
        """How far its hospital got, in four words."""
        return _FULFILMENTS.get(self.state, Fulfilment.IN_PROGRESS)


class Result(Record):
    """What a hospital found or did. `content` is all that it says, in its parts; title, value and conclusion
    are made of them for lists. `resource` is the FHIR resource as it was received.
    """

    kind: ClassVar[str] = "result"
    cadre: str
    hospital: str
    referral: str | None = None
    type: Literal["DiagnosticReport", "Observation", "Procedure"]
    status: str
    code: str | None = None  # system|code of the first coding
    title: str | None = None
    conclusion: str | None = None
    value: str | None = None
    content: ResultContent | None = None  # None of what was recorded before results had parts
    issued_at: datetime | None = None
    resource: str  # FHIR JSON


class Centre(Record):
    """The centre itself, from the settings: no file holds it and no table stores it."""

    kind: ClassVar[str] = "centre"
    name: str
    facility_code: str | None = None
    display: str | None = None
    address: str | None = None
    phone: str | None = None


# What the tables hold, people first, and what refers to others after these.
RECORD_TYPES: dict[str, type[Record]] = {
    type_.kind: type_
    for type_ in (Cadre, Visit, Measurement, Diagnosis, Procedure, Immunization, Referral, Result)
}
KINDS = tuple(RECORD_TYPES)
# What a mapping may be written for.
MAPPED_TYPES: dict[str, type[Record]] = {**RECORD_TYPES, Centre.kind: Centre}
