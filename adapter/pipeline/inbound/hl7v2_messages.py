"""One HL7 v2 message taken in: the transaction that it means is stored, is in the inbox, and is noted as
answered for, all at once. So it is known again whether the sender got the answer or not.
"""

import re
from datetime import datetime
from typing import Final

from adapter.errors import FhirError, MessageRefused
from adapter.fhir.codec import digest
from adapter.hl7v2.conversion import convert_message
from adapter.hl7v2.entries import ConvertedMessage
from adapter.hl7v2.message import MessageHeader, parse_header, parse_message
from adapter.hl7v2.refusals import BAD_VALUE, DUPLICATE, SegmentPlace, refusal
from adapter.hl7v2.sender import SenderConventions
from adapter.inbox.acknowledgements.store import AcknowledgedMessage
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.taken_once import known_before, named_message, own_numbers, store_once
from adapter.repository.interaction_errors import issues_of_error
from adapter.settings import Settings

__all__ = ["take_message"]

_ENTRY: Final = re.compile(r"Bundle\.entry\[(\d+)\]")
_CONTROL_ID: Final = SegmentPlace("MSH", 1, 10)
_SERVER_FAULT: Final = 500


def take_message(adapter: Adapter, hospital: str, data: bytes, now: datetime) -> AcknowledgedMessage:
    """Take it in, or know it again: what was answered then. Raises MessageRefused, with nothing stored."""
    header = parse_header(data)
    seen = _seen(hospital, header, data, now)
    if (known := _same(known_before(adapter, seen), seen)) is not None:
        return known
    profile = _profile(adapter.settings, hospital)
    converted = convert_message(parse_message(data, header, profile.charset), profile)
    try:
        taken = store_once(adapter, seen, converted.bundle)
    except FhirError as error:
        if error.status >= _SERVER_FAULT:
            raise
        raise _refused(error, converted) from None
    return _same(taken, seen) or seen


def _seen(hospital: str, header: MessageHeader, data: bytes, now: datetime) -> AcknowledgedMessage:
    """It is named by sender, MSH-10 and MSH-7: a sender that begins its numbers anew says another time. One
    that says none is known by its bytes alone.
    """
    sent = header.sent or digest(data)
    named = "\x1f".join((header.application, header.facility, header.control_id, sent))
    return named_message(hospital, named.encode(), data, now)


def _same(known: AcknowledgedMessage | None, seen: AcknowledgedMessage) -> AcknowledgedMessage | None:
    """What is known under the same control id. Raises MessageRefused where it was another message."""
    if known is not None and known.digest != seen.digest:
        raise refusal("AE", DUPLICATE, "control_id_again", _CONTROL_ID)
    return known


def _refused(error: FhirError, converted: ConvertedMessage) -> MessageRefused:
    """What the checks of the REST API say, of the segment that it is about."""
    issues = issues_of_error(error)
    first = next((one for one in issues if one.is_error), issues[0])
    found = _ENTRY.match(first.expression or "")
    if found is None:
        return refusal("AE", BAD_VALUE, "not_taken", said=first.text)
    return refusal("AE", BAD_VALUE, "refused", converted.places[int(found[1])], said=first.text)


def _profile(settings: Settings, name: str) -> SenderConventions:
    section, ours = settings.hospital(name).hl7v2, settings.centre.identifier_system
    return SenderConventions(
        ours=ours,
        own=own_numbers(settings, name, section.system),
        charset=section.charset,
        authorities=section.authorities,
    )
