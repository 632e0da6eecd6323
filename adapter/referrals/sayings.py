"""What a hospital's resource says of the referral that it answers, and what ours says in `Task.status`. Pure.

A hospital that names a business status of the referral guides is taken at its word; one that fills
`Task.status` alone, or sends its copy of the order, or a result, is understood as far as that goes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from adapter.referrals.lifecycle import BUSINESS_STATUS_SYSTEM, ReferralEvent, ReferralState
from adapter.referrals.reasons import ReferralReason, reason_of

__all__ = ["ReferralSaying", "TaskStatus", "saying_in_status", "saying_of", "task_status"]

TaskStatus = Literal["draft", "requested", "accepted", "rejected", "in-progress", "cancelled", "completed"]
_S, _E = ReferralState, ReferralEvent
_ASKS = ReferralReason.AWAITING_INFORMATION


@dataclass(frozen=True, slots=True)
class ReferralSaying:
    """`events`: what may be meant, the likeliest first; the first that the table has from where the referral
    stands is. `explicit`: a business status said it, so that what leads nowhere is odd.
    """

    events: tuple[ReferralEvent, ...]
    explicit: bool = False


_BY_BUSINESS_STATUS = {
    "3.0": _E.ACCEPT,
    "4.0": _E.DECLINE,
    "5.1.1": _E.SCHEDULE,
    "5.1.2": _E.NO_SHOW,
    "5.1.3": _E.CANCEL_APPOINTMENT,
    "5.1.4": _E.INTERIM_NOTE,
    "6.0": _E.CONFIRM_CANCELLATION,
    "7.0": _E.OUTCOME,
}
_GIVES_UP = (_E.CONFIRM_CANCELLATION, _E.DECLINE)  # the former where we asked for it
_BY_STATUS: Mapping[str, Mapping[str, tuple[ReferralEvent, ...]]] = {
    "Observation": dict.fromkeys(
        ("registered", "preliminary", "final", "amended", "corrected"), (_E.INTERIM_NOTE,)
    ),
    "DiagnosticReport": {
        "registered": (_E.ACCEPT,),
        **dict.fromkeys(("partial", "preliminary"), (_E.INTERIM_NOTE,)),
        **dict.fromkeys(("final", "amended", "corrected", "appended"), (_E.OUTCOME,)),
    },
    "Procedure": {
        "preparation": (_E.ACCEPT,),
        **dict.fromkeys(("in-progress", "on-hold"), (_E.INTERIM_NOTE,)),
        "completed": (_E.OUTCOME,),
        **dict.fromkeys(("not-done", "stopped"), (_E.DECLINE,)),
    },
    "Task": {
        **dict.fromkeys(("accepted", "ready", "in-progress", "on-hold"), (_E.ACCEPT,)),
        "completed": (_E.OUTCOME,),
        **dict.fromkeys(("rejected", "failed"), (_E.DECLINE,)),
        "cancelled": _GIVES_UP,
    },
    "ServiceRequest": {"completed": (_E.OUTCOME,), "revoked": _GIVES_UP},
}


_TASK_STATUS: Mapping[ReferralState, TaskStatus] = {
    _S.DRAFT: "draft",
    _S.RECEIVED: "requested",
    _S.ACCEPTED: "accepted",
    _S.DECLINED: "rejected",
    **dict.fromkeys(
        (
            _S.SCHEDULED,
            _S.NO_SHOW,
            _S.APPOINTMENT_CANCELLED,
            _S.VISIT_DONE,
            _S.CANCELLATION_ASKED,
        ),
        "in-progress",
    ),
    _S.CANCELLED: "cancelled",
    _S.COMPLETED: "completed",
}


def task_status(state: ReferralState) -> TaskStatus:
    """The `Task.status` of a referral in that state, beside its business status."""
    return _TASK_STATUS[state]


def saying_of(resource: Mapping[str, Any]) -> ReferralSaying | None:
    """What a resource (FHIR R4, JSON form) says about the referral it answers; None: nothing."""
    type_, status = str(resource.get("resourceType")), str(resource.get("status", ""))
    if type_ == "Task":
        for code in _business_codes(resource):
            if (event := _BY_BUSINESS_STATUS.get(code)) is not None:
                return ReferralSaying((event,), explicit=True)
        if status == "on-hold" and reason_of(resource.get("statusReason")) is _ASKS:
            return None  # who asks has not accepted yet
    return saying_in_status(type_, status)


def saying_in_status(type_: str, status: str) -> ReferralSaying | None:
    """What a resource of that type in that status says, where no business status does."""
    events = _BY_STATUS.get(type_, {}).get(status)
    return None if events is None else ReferralSaying(events)


def _business_codes(task: Mapping[str, Any]) -> Iterator[str]:
    concept = task.get("businessStatus")
    codings = concept.get("coding") if isinstance(concept, dict) else None
    for one in codings if isinstance(codings, list) else ():
        if isinstance(one, dict) and one.get("system") == BUSINESS_STATUS_SYSTEM:
            yield str(one.get("code", ""))
