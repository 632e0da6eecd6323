"""What ORM, OML, OMG, and their answers ORR, ORL, ORG say of an order, as Tasks. Pure.

ORC-1 says what happened, ORC-5 how far it got; the business status is that of the referral guides.
"""

from dataclasses import dataclass, replace
from typing import Final

from adapter.fhir.codec import Resource
from adapter.hl7v2.entries import TransactionEntries
from adapter.hl7v2.message import Message, Segment
from adapter.hl7v2.patients import add_patient
from adapter.hl7v2.refusals import MISSING_FIELD, UNKNOWN_CODE, SegmentPlace, refusal
from adapter.hl7v2.reports import OrderNumbers, order_numbers
from adapter.hl7v2.sender import SenderConventions
from adapter.hl7v2.timestamps import instant, moment_at, zone_of
from adapter.referrals.lifecycle import BUSINESS_STATUS_SYSTEM, ReferralState, business_status
from adapter.referrals.reasons import REASON_SYSTEM, ReferralReason, reason_word
from adapter.referrals.sayings import task_status

__all__ = ["ORDER_CONTROLS", "ORDER_STATUSES", "TaskSaying", "add_task", "convert_orders"]

_S = ReferralState
_CONTROL: Final[dict[str, ReferralState | None]] = {  # table 0119, of what the filler says
    "OK": _S.ACCEPTED,
    "NA": _S.ACCEPTED,  # it gave the order a number
    "UA": _S.DECLINED,
    "OC": _S.DECLINED,
    "OD": _S.DECLINED,
    "OE": _S.ACCEPTED,  # released
    "OR": _S.ACCEPTED,
    "HR": None,
    "OH": None,
    "CR": _S.CANCELLED,
    "DR": _S.CANCELLED,
    "UC": None,
    "UD": None,
    "UH": None,
    "UM": None,
    "UR": None,
    "UX": None,
}
_REQUEST_RECEIVED: Final = "RR"  # it has the order, and says no more
_STATUS_CHANGED: Final = ("SC", "SR", "XX")
ORDER_STATUSES: Final = {  # table 0038, ORC-5
    "A": _S.VISIT_DONE,
    "CA": _S.CANCELLED,
    "CM": _S.COMPLETED,
    "DC": _S.DECLINED,
    "ER": _S.DECLINED,
    "HD": None,
    "IP": _S.ACCEPTED,
    "SC": _S.SCHEDULED,
}
ORDER_CONTROLS: Final = frozenset((*_CONTROL, _REQUEST_RECEIVED, *_STATUS_CHANGED))
_HELD: Final = ("HR", "OH", "HD")


@dataclass(frozen=True, slots=True)
class TaskSaying:
    """`state`: where it says the referral is; None: it goes on as it was, and `status` is the Task's."""

    state: ReferralState | None
    status: str = "in-progress"
    reason: str = ""
    appointment: str | None = None
    modified: str | None = None
    reason_code: ReferralReason | None = None


def convert_orders(message: Message, profile: SenderConventions, entries: TransactionEntries) -> None:
    """Add a Task for each ORC. Raises MessageRefused for what is no answer to a referral."""
    message.required("ORC")
    zone = zone_of(message)
    sent = instant(moment_at(message.msh, 7, zone))
    patient = add_patient(message, entries, profile)
    for place, orc in enumerate(message.segments):
        if orc.name != "ORC":
            continue
        obr, timing = _details(message, place)
        add_task(
            entries,
            order_numbers(orc, obr),
            replace(_saying(orc, obr, timing, zone), modified=instant(moment_at(orc, 9, zone)) or sent),
            orc.at(),
            profile=profile,
            patient=patient,
        )


def _details(message: Message, place: int) -> tuple[Segment | None, Segment | None]:
    """The OBR and TQ1 that belong to the ORC at that place."""
    obr: Segment | None = None
    timing: Segment | None = None
    for segment in message.segments[place + 1 :]:
        if segment.name == "ORC":
            break
        if segment.name == "OBR" and obr is None:
            obr = segment
        if segment.name == "TQ1" and timing is None:
            timing = segment
    return obr, timing


def _saying(orc: Segment, obr: Segment | None, timing: Segment | None, zone: str) -> TaskSaying:
    control, status = orc.required(1).upper(), orc.first(5).upper()
    if control in _STATUS_CHANGED:
        if not status:
            raise refusal("AE", MISSING_FIELD, "missing_field", orc.at(5))
        if status not in ORDER_STATUSES:
            raise refusal("AE", UNKNOWN_CODE, "unknown_code", orc.at(5))
        state, word = ORDER_STATUSES[status], status
    elif control in _CONTROL:
        state, word = _CONTROL[control], control
    elif control == _REQUEST_RECEIVED:
        return TaskSaying(None, "received")
    else:
        raise refusal("AE", UNKNOWN_CODE, "no_answer", orc.at(1))
    if control in ("OK", "NA", "OE") and status == "SC":
        state = _S.SCHEDULED  # accepted, and with an appointment
    appointment = None
    if state is _S.SCHEDULED:
        appointment = (
            (moment_at(timing, 7, zone) if timing is not None else None)
            or (moment_at(obr, 36, zone) if obr is not None else None)
            or moment_at(orc, 7, zone, 4)
        )
    reason = orc.first(16, 2) or orc.first(16, 5) or orc.first(16, 1)
    held = "on-hold" if word in _HELD else "in-progress"
    return TaskSaying(state, held, reason, appointment, reason_code=reason_word(orc.first(16, 1)))


def add_task(
    entries: TransactionEntries,
    numbers: OrderNumbers,
    saying: TaskSaying,
    place: SegmentPlace,
    *,
    profile: SenderConventions,
    patient: Resource | None,
) -> None:
    """Add the Task of one order. Raises MessageRefused where it is not said of which."""
    if not numbers.placer:
        raise refusal("AE", MISSING_FIELD, "missing_field", SegmentPlace(place.segment, place.number, 2))
    order = profile.order_identifier(numbers.placer)
    identifiers = [profile.numbered("task", numbers.placer)]
    if numbers.filler:
        identifiers.append(profile.filler_identifier(numbers.filler))
    task: Resource = {
        "resourceType": "Task",
        "identifier": identifiers,
        "status": saying.status if saying.state is None else task_status(saying.state),
        "intent": "order",
        "focus": {"type": "ServiceRequest", "identifier": order},
    }
    if saying.state is not None:
        coding = {"system": BUSINESS_STATUS_SYSTEM, "code": business_status(saying.state)}
        task["businessStatus"] = {"coding": [coding]}
    if saying.reason_code is not None:
        task["statusReason"] = {"coding": [{"system": REASON_SYSTEM, "code": saying.reason_code.value}]}
    if saying.reason and saying.reason != saying.reason_code:
        task["statusReason"] = {**task.get("statusReason", {}), "text": saying.reason}
    if patient is not None:
        task["for"] = patient
    if saying.appointment:
        task["executionPeriod"] = {"start": saying.appointment}
    if saying.modified:
        task["lastModified"] = saying.modified
    entries.add(task, place)
