"""A hospital that speaks HL7 v2, at the courses of a referral: what it sends for each event."""

from datetime import datetime

from hl7v2_centre import message

from adapter.fhir.codec import Resource
from adapter.hl7v2.conversion import convert_message
from adapter.hl7v2.message import parse_header, parse_message
from adapter.hl7v2.sender import SenderConventions
from adapter.referrals.lifecycle import ReferralEvent

__all__ = ["EVENT_MESSAGES", "resources_of"]

_E = ReferralEvent
IDENTITY = "ab" * 16
_ORC = f"|{IDENTITY}|BV-77"


def _order(control: str, status: str = "", *more: str) -> tuple[str, ...]:
    return ("ORM^O01", f"ORC|{control}{_ORC}||{status}|", *more)


def _result(status: str) -> tuple[str, ...]:
    obr = "|".join(("OBR", "1", IDENTITY, "BV-77", "X^Siêu âm tim^L", *[""] * 20, status))
    return ("ORU^R01", obr, f"OBX|1|ST|Y^Nhận xét^L||bình thường||||||{status}")


def _appointment(event: str) -> tuple[str, ...]:
    return (f"SIU^{event}", "|".join(("SCH", *[""] * 10, "^^^20261109080000", *[""] * 14, IDENTITY, "BV-77")))


EVENT_MESSAGES: dict[ReferralEvent, tuple[tuple[str, ...], ...]] = {
    _E.ACCEPT: (_order("OK"), _order("NA")),
    _E.DECLINE: (_order("UA"), _order("OC"), _order("SC", "DC")),
    _E.SCHEDULE: (_appointment("S12"), _appointment("S13"), _order("SC", "SC")),
    _E.NO_SHOW: (_appointment("S26"),),
    _E.CANCEL_APPOINTMENT: (_appointment("S15"),),
    _E.INTERIM_NOTE: (_result("P"), _order("SC", "A")),
    _E.OUTCOME: (_result("F"), _order("SC", "CM")),
    _E.CONFIRM_CANCELLATION: (_order("CR"), _order("SC", "CA")),
}
"""Each way to say it: type and segments."""


def resources_of(kind: str, *segments: str, ours: str, at: datetime) -> list[Resource]:
    """What a message of that moment becomes, references and all."""
    data = message(kind, *segments, at=f"{at:%Y%m%d%H%M%S%z}").encode()
    header = parse_header(data)
    profile = SenderConventions(ours, "https://bv-tinh.example/v2")
    converted = convert_message(parse_message(data, header, "utf-8"), profile)
    return [one["resource"] for one in converted.bundle["entry"]]
