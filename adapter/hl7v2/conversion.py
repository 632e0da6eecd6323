"""A message as the transaction that the same hospital would have sent to the REST API. Pure."""

from collections.abc import Callable
from typing import Final

from adapter.hl7v2.appointments import APPOINTMENT_EVENTS, convert_appointment
from adapter.hl7v2.documents import DOCUMENT_EVENTS, convert_document
from adapter.hl7v2.entries import ConvertedMessage, TransactionEntries
from adapter.hl7v2.message import Message
from adapter.hl7v2.orders import convert_orders
from adapter.hl7v2.refusals import UNKNOWN_TYPE, SegmentPlace, refusal
from adapter.hl7v2.reports import convert_results
from adapter.hl7v2.sender import SenderConventions

__all__ = ["MESSAGE_TYPES", "convert_message"]

_Convert = Callable[[Message, SenderConventions, TransactionEntries], None]
_ORDERS: Final = (
    ("ORM", "O01"),
    ("ORR", "O02"),
    ("OML", "O21"),
    ("ORL", "O22"),
    ("OMG", "O19"),
    ("ORG", "O20"),
)
MESSAGE_TYPES: Final[dict[tuple[str, str], _Convert]] = {
    ("ORU", "R01"): convert_results,
    **{("MDM", event): convert_document for event in DOCUMENT_EVENTS},
    **dict.fromkeys(_ORDERS, convert_orders),
    **{("SIU", event): convert_appointment for event in APPOINTMENT_EVENTS},
}
"""What is understood, by type and event of MSH-9."""


def convert_message(message: Message, profile: SenderConventions) -> ConvertedMessage:
    """What it says. Raises MessageRefused: AR for a type or event that is not understood, AE for what is
    wrong in it.
    """
    convert = MESSAGE_TYPES.get((message.header.type, message.header.event))
    if convert is None:
        known = ", ".join(f"{type_}^{event}" for type_, event in MESSAGE_TYPES)
        raise refusal("AR", UNKNOWN_TYPE, "unknown_type", SegmentPlace("MSH", 1, 9), known=known)
    entries = TransactionEntries()
    convert(message, profile, entries)
    return entries.converted()
