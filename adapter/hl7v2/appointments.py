"""SIU: appointments of a referral, as Tasks. Pure."""

from typing import Final

from adapter.hl7v2.entries import TransactionEntries
from adapter.hl7v2.message import Message, Segment
from adapter.hl7v2.orders import TaskSaying, add_task
from adapter.hl7v2.patients import add_patient
from adapter.hl7v2.refusals import MISSING_FIELD, refusal
from adapter.hl7v2.reports import OrderNumbers
from adapter.hl7v2.sender import SenderConventions
from adapter.hl7v2.timestamps import instant, moment_at, zone_of
from adapter.referrals.lifecycle import ReferralState

__all__ = ["APPOINTMENT_EVENTS", "convert_appointment"]

APPOINTMENT_EVENTS: Final = {
    "S12": ReferralState.SCHEDULED,
    "S13": ReferralState.SCHEDULED,
    "S14": ReferralState.SCHEDULED,
    "S15": ReferralState.APPOINTMENT_CANCELLED,
    "S17": ReferralState.APPOINTMENT_CANCELLED,
    "S26": ReferralState.NO_SHOW,
}
"""Event -> where the referral is: booked, moved, changed; cancelled, deleted; nobody came."""


def convert_appointment(message: Message, profile: SenderConventions, entries: TransactionEntries) -> None:
    """Add the Task that says so. The referral is SCH-26, or ORC-2 in its order group. Raises
    MessageRefused.
    """
    sch = message.required("SCH")
    zone = zone_of(message)
    state = APPOINTMENT_EVENTS[message.header.event]
    placer, filler = sch.first(26), sch.first(27)
    orc = message.one("ORC")
    if orc is not None:
        placer, filler = placer or orc.first(2), filler or orc.first(3)
    if not placer:
        raise refusal("AE", MISSING_FIELD, "missing_field", sch.at(26))
    saying = TaskSaying(
        state,
        reason=sch.first(6, 2) or sch.first(6) if state is not ReferralState.SCHEDULED else "",
        appointment=_begin(message, sch, zone) if state is ReferralState.SCHEDULED else None,
        modified=instant(moment_at(message.msh, 7, zone)),
    )
    patient = add_patient(message, entries, profile)
    add_task(entries, OrderNumbers(placer, filler), saying, sch.at(), profile=profile, patient=patient)


def _begin(message: Message, sch: Segment, zone: str) -> str | None:
    """When it begins: SCH-11.4, in later versions TQ1-7 or AIS-4."""
    found = moment_at(sch, 11, zone, 4)
    for name, field in (("TQ1", 7), ("AIS", 4)):
        segment = message.one(name)
        found = found or (moment_at(segment, field, zone) if segment is not None else None)
    return found
