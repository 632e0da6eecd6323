"""What a form says, and the resources that a FHIR client would send to say the same. Pure.

Task: http://hl7.org/fhir/R4/task.html, with the business status of the referral guides
(adapter.referrals.lifecycle); Observation and DiagnosticReport as docs/for-hospitals.md asks for them.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Final

from adapter.fhir.codec import Resource
from adapter.fhir.document_facts import DocumentFacts
from adapter.pdf.limits import LONGEST_PDF
from adapter.pdf.report import presented_pdf
from adapter.referrals.details import ONWARD, PROGRESS
from adapter.referrals.lifecycle import (
    BUSINESS_STATUS_SYSTEM,
    ReferralEvent,
    ReferralState,
    business_status,
)
from adapter.referrals.reasons import REASON_SYSTEM, ReferralReason
from adapter.referrals.sayings import task_status
from adapter.web.hospital_page.actions import EVENTS, REASONS, PageAction
from adapter.web.hospital_page.measures import FoundValue, PageMeasures, WrongValueError
from adapter.web.sent_forms import SentForm

__all__ = [
    "LONGEST_PDF",
    "ROWS",
    "AnsweredReferral",
    "FormProblem",
    "PageAnswer",
    "as_moment",
    "read_answer",
    "resources_of",
]

ROWS: Final = 30  # of findings in one form
_PDF: Final = b"%PDF-"
_VIETNAM: Final = timezone(timedelta(hours=7))
_FILLER: Final = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "FILL"}
_LONGEST_NUMBER: Final = 100
_LONGEST_REASON: Final = 500
_LONGEST_CONCLUSION: Final = 10_000
_LONGEST_VALUE: Final = 200
_FARTHEST: Final = timedelta(days=730)
_DAY: Final = re.compile(r"(?:(\d{4})-(\d{2})-(\d{2})|(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}))", re.ASCII)
_COUNT: Final = re.compile(r"\d{1,3}", re.ASCII)
_TIME: Final = re.compile(r"(\d{1,2})[:hg](\d{2})(?::\d{2})?", re.ASCII)
_STATES: Final = {
    ReferralEvent.ACCEPT: ReferralState.ACCEPTED,
    ReferralEvent.DECLINE: ReferralState.DECLINED,
    ReferralEvent.SCHEDULE: ReferralState.SCHEDULED,
    ReferralEvent.NO_SHOW: ReferralState.NO_SHOW,
    ReferralEvent.CANCEL_APPOINTMENT: ReferralState.APPOINTMENT_CANCELLED,
    ReferralEvent.INTERIM_NOTE: ReferralState.VISIT_DONE,
    ReferralEvent.OUTCOME: ReferralState.COMPLETED,
    ReferralEvent.CONFIRM_CANCELLATION: ReferralState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class FormProblem:
    """What is wrong with a field, as a text `page.wrong_…`; `row` counts from 1, 0: of no row. `expected` is
    what a value should be.
    """

    field: str
    text: str
    row: int = 0
    expected: str = ""


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What a clerk says of a referral. `number`: under which the hospital knows it; `onward`: to which
    hospital it was passed on; `progress`: how many of how many. Of findings, `is_final` says that they are
    all.
    """

    action: PageAction
    number: str = ""
    reason: str = ""
    why: ReferralReason | None = None
    onward: str = ""
    progress: tuple[int, int] | None = None
    appointment: date | datetime | None = None
    values: tuple[FoundValue, ...] = ()
    examined_on: date | None = None
    conclusion: str = ""
    pdf: bytes | None = None
    facts: DocumentFacts | None = None  # what was found in the PDF
    is_final: bool = False

    @property
    def event(self) -> ReferralEvent | None:
        """What that is in the life of the referral; None: it stays where it is."""
        events = EVENTS[self.action]
        if not events:
            return None
        return events[0] if self.is_final or len(events) == 1 else events[1]


@dataclass(frozen=True, slots=True)
class AnsweredReferral:
    """The referral as the hospital knows it: `identity`, that of its ServiceRequest, and `subject`, of its
    Patient, under `system`; `code` is what is asked for, a CodeableConcept; `number` the hospital's own so
    far.
    """

    system: str
    identity: str
    subject: str | None
    code: Resource | None
    hospital: str
    number: str = ""


def read_answer(
    action: PageAction, form: SentForm, measures: PageMeasures, now: datetime
) -> PageAnswer | Sequence[FormProblem]:
    """What the form says, or all that is wrong with it."""
    reader = _Reader(form, now.astimezone(_VIETNAM).date())
    answer = reader.answer(action, measures)
    return reader.problems or answer


class _Reader:
    def __init__(self, form: SentForm, today: date) -> None:
        self._form = form
        self._today = today
        self.problems: list[FormProblem] = []

    def answer(self, action: PageAction, measures: PageMeasures) -> PageAnswer:
        if action is PageAction.ACCEPT:
            return PageAnswer(action, number=self._text("number", _LONGEST_NUMBER))
        if action is PageAction.SCHEDULE:
            return PageAnswer(action, appointment=self._appointment())
        if action is PageAction.FINDINGS:
            return self._findings(action, measures)
        if action is PageAction.VISIT_DONE:
            return PageAnswer(action, progress=self._progress())
        if action is PageAction.ASK:
            why = ReferralReason.AWAITING_INFORMATION
            return PageAnswer(action, reason=self._text("reason", _LONGEST_REASON, needed=True), why=why)
        return self._with_reason(action)

    def _with_reason(self, action: PageAction) -> PageAnswer:
        why = next((one for one in REASONS[action] if one == self._form.get("why")), None)
        reason = self._text("reason", _LONGEST_REASON, needed=why is ReferralReason.OTHER)
        if action is PageAction.DECLINE and why is None and not reason:
            self._wrong("why", "no_choice")
        passed_on = why is ReferralReason.REFERRED_ONWARD
        onward = self._text("onward", _LONGEST_NUMBER, needed=True) if passed_on else ""
        return PageAnswer(action, reason=reason, why=why, onward=onward)

    def _progress(self) -> tuple[int, int] | None:
        written = self._form.get("done"), self._form.get("of")
        if not any(written):
            return None
        if all(_COUNT.fullmatch(one) for one in written) and 0 <= int(written[0]) <= int(written[1]) > 0:
            return int(written[0]), int(written[1])
        self._wrong("progress", "no_progress")
        return None

    def _wrong(self, field: str, text: str, row: int = 0) -> None:
        self.problems.append(FormProblem(field, text, row))

    def _text(self, name: str, most: int, *, needed: bool = False, lines: bool = False) -> str:
        text = self._form.get(name)
        text = text if lines else " ".join(text.split())
        if needed and not text:
            self._wrong(name, "missing")
        if len(text) > most:
            self._wrong(name, "too_long")
        return text

    def _day(self, name: str, *, needed: bool) -> date | None:
        written = self._form.get(name)
        if not written:
            if needed:
                self._wrong(name, "missing")
            return None
        if (match := _DAY.fullmatch(written)) is not None:
            year, month, day = (match[1], match[2], match[3]) if match[1] else (match[6], match[5], match[4])
            with suppress(ValueError):
                return date(int(year), int(month), int(day))
        self._wrong(name, "no_day")
        return None

    def _appointment(self) -> date | datetime | None:
        day, written = self._day("day", needed=True), self._form.get("time")
        if day is not None and not self._today <= day <= self._today + _FARTHEST:
            self._wrong("day", "not_ahead")
        if not written or day is None:
            return day
        if (match := _TIME.fullmatch(written)) is not None:
            with suppress(ValueError):
                return datetime.combine(day, time(int(match[1]), int(match[2])), _VIETNAM)
        self._wrong("time", "no_time")
        return day

    def _findings(self, action: PageAction, measures: PageMeasures) -> PageAnswer:
        examined = self._day("examined", needed=False)
        if examined is not None and not self._today - _FARTHEST <= examined <= self._today:
            self._wrong("examined", "not_behind")
        values = tuple(self._values(measures))
        conclusion = self._text("conclusion", _LONGEST_CONCLUSION, lines=True)
        pdf = self._form.file
        if pdf is not None and len(pdf) > LONGEST_PDF:
            self._wrong("pdf", "too_large")
        elif pdf is not None and not pdf.startswith(_PDF):
            self._wrong("pdf", "no_pdf")
        if not (values or conclusion or pdf or self.problems):
            self._wrong("conclusion", "nothing_found")
        if self._form.get("extent") not in ("all", "some"):
            self._wrong("extent", "missing")
        return PageAnswer(
            action,
            values=values,
            examined_on=examined,
            conclusion=conclusion,
            pdf=pdf,
            is_final=self._form.get("extent") == "all",
        )

    def _values(self, measures: PageMeasures) -> Sequence[FoundValue]:
        found = []
        for row in range(1, ROWS + 1):
            cells = [self._form.get(f"{name}-{row}") for name in ("measure", "value", "unit")]
            measure, value, unit = (" ".join(cell.split()) for cell in cells)
            if not (measure or value):
                continue
            if max(len(measure), len(value), len(unit)) > _LONGEST_VALUE:
                self._wrong("value", "too_long", row)
                continue
            try:
                found.append(measures.read(measure, value, unit))
            except WrongValueError as error:
                field = "value" if error.why == "range" else error.why
                self.problems.append(FormProblem(field, f"bad_{error.why}", row, error.expected))
        return found


def resources_of(
    answer: PageAnswer, about: AnsweredReferral, measures: PageMeasures, *, name: str, now: datetime
) -> Sequence[Resource]:
    """What says this, each with its id: the Observations, the DiagnosticReport that lists them, the Task. An
    interim finding needs no Task. `name` names the form: what is sent again has the same ids.
    """
    made: list[Resource] = []
    if answer.action is PageAction.FINDINGS:
        values = [
            {**_observation(answer, about, now), "id": f"{name[:32]}-{place}", **measures.observation(value)}
            for place, value in enumerate(answer.values, 1)
        ]
        report = _report(answer, about, [one["id"] for one in values], now)
        made += [*values, {**report, "id": name[:32]}]
        if not answer.is_final:
            return made
    return [*made, _task(answer, about, now)]


def _common(about: AnsweredReferral) -> Resource:
    order = {"type": "ServiceRequest", "identifier": {"system": about.system, "value": about.identity}}
    return {"basedOn": [order]}


def _person(about: AnsweredReferral) -> Resource | None:
    if about.subject is None:
        return None
    return {"type": "Patient", "identifier": {"system": about.system, "value": about.subject}}


def _hospital(about: AnsweredReferral) -> Resource:
    return {"type": "Organization", "display": about.hospital}


def as_moment(value: datetime) -> str:
    """A FHIR instant, by Viet Nam's clock."""
    return value.astimezone(_VIETNAM).isoformat(timespec="milliseconds")


def _result(type_: str, answer: PageAnswer, about: AnsweredReferral, now: datetime) -> Resource:
    status = "final" if answer.is_final or type_ == "Observation" else "preliminary"
    made: Resource = {"resourceType": type_, "status": status, **_common(about)}
    if (person := _person(about)) is not None:
        made["subject"] = person
    examined = answer.examined_on or now.astimezone(_VIETNAM).date()
    made |= {"effectiveDateTime": examined.isoformat(), "issued": as_moment(now)}
    return {**made, "performer": [_hospital(about)]}


def _observation(answer: PageAnswer, about: AnsweredReferral, now: datetime) -> Resource:
    return _result("Observation", answer, about, now)


def _report(answer: PageAnswer, about: AnsweredReferral, listed: Sequence[str], now: datetime) -> Resource:
    made = _result("DiagnosticReport", answer, about, now)
    made["code"] = about.code or {"text": "Kết quả khám"}
    if listed:
        made["result"] = [{"reference": f"Observation/{one}"} for one in listed]
    if answer.conclusion:
        made["conclusion"] = answer.conclusion
    if answer.pdf is not None:
        made["presentedForm"] = [{**presented_pdf(answer.pdf, answer.facts), "creation": as_moment(now)}]
    return made


def _task(answer: PageAnswer, about: AnsweredReferral, now: datetime) -> Resource:
    """The hospital's Task of this referral, of which each action is a version."""
    state = None if answer.event is None else _STATES[answer.event]
    number = answer.number or about.number
    made: Resource = {
        "resourceType": "Task",
        "id": f"page-{about.identity}"[:64],
        "identifier": [{"type": {"coding": [_FILLER]}, "value": number}] if number else None,
        **_common(about),
        "status": "on-hold" if state is None else task_status(state),
        "statusReason": _reason(answer),
        "businessStatus": None if state is None else _business_status(state),
        "intent": "order",
        "focus": _common(about)["basedOn"][0],
        "for": _person(about),
        "executionPeriod": _period(answer.appointment),
        "lastModified": as_moment(now),
        "owner": _hospital(about),
        "output": _outputs(answer) or None,
    }
    return {name: value for name, value in made.items() if value is not None}


def _business_status(state: ReferralState) -> Resource:
    return {"coding": [{"system": BUSINESS_STATUS_SYSTEM, "code": business_status(state)}]}


def _reason(answer: PageAnswer) -> Resource | None:
    coded = {"coding": [{"system": REASON_SYSTEM, "code": answer.why.value}]} if answer.why else {}
    return {**coded, **({"text": answer.reason} if answer.reason else {})} or None


def _outputs(answer: PageAnswer) -> list[Resource]:
    made: list[Resource] = []
    if answer.onward:
        made.append(_output(ONWARD, valueReference={"type": "Organization", "display": answer.onward}))
    if answer.progress is not None:
        done, all_ = ({"value": count} for count in answer.progress)
        made.append(_output(PROGRESS, valueRatio={"numerator": done, "denominator": all_}))
    return made


def _output(code: str, **value: Resource) -> Resource:
    return {"type": {"coding": [{"system": REASON_SYSTEM, "code": code}]}, **value}


def _period(appointment: date | datetime | None) -> Resource | None:
    if appointment is None:
        return None
    start = appointment.isoformat(timespec="seconds") if isinstance(appointment, datetime) else None
    return {"start": start or appointment.isoformat()}
