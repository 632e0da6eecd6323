"""One HL7 v2 message taken in: the transaction that it means is stored, is in the inbox, and is noted as
answered for, all at once. So it is known again whether the sender got the answer or not.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from adapter.database import read_transaction, write_transaction
from adapter.errors import FhirError, MessageRefused
from adapter.fhir.codec import digest
from adapter.hl7v2.conversion import convert_message
from adapter.hl7v2.entries import ConvertedMessage
from adapter.hl7v2.message import MessageHeader, parse_header, parse_message
from adapter.hl7v2.refusals import BAD_VALUE, DUPLICATE, SegmentPlace, refusal
from adapter.hl7v2.sender import SenderConventions
from adapter.inbox.acknowledgements.store import AcknowledgedMessage, AcknowledgementStore
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.reception import repository_of
from adapter.repository.interaction_errors import issues_of_error
from adapter.settings import Settings

__all__ = ["take_message"]

_ENTRY: Final = re.compile(r"Bundle\.entry\[(\d+)\]")
_CONTROL_ID: Final = SegmentPlace("MSH", 1, 10)
_SERVER_FAULT: Final = 500
_ID_LENGTH: Final = 20  # of MSH-10


@dataclass(slots=True)
class _Note:
    """Notes the message in the transaction that stores what it means."""

    message: AcknowledgedMessage
    is_made: bool = False

    def make(self, connection: Connection) -> None:
        if not self.is_made:
            AcknowledgementStore.add(connection, self.message)
            self.is_made = True


def take_message(adapter: Adapter, hospital: str, data: bytes, now: datetime) -> AcknowledgedMessage:
    """Take it in, or know it again: what was answered then. Raises MessageRefused, with nothing stored."""
    header = parse_header(data)
    seen = _seen(hospital, header, data, now)
    if (known := _known(adapter, seen)) is not None:
        return known
    profile = _profile(adapter.settings, hospital)
    converted = convert_message(parse_message(data, header, profile.charset), profile)
    note = _Note(seen)
    try:
        _store(adapter, hospital, converted, note)
    except IntegrityError:  # the same came twice at once
        known = _known(adapter, seen)
        if known is None:
            raise
        return known
    return seen


def _seen(hospital: str, header: MessageHeader, data: bytes, now: datetime) -> AcknowledgedMessage:
    named = "\x1f".join((header.application, header.facility, header.control_id))
    name, content = digest(named.encode()), digest(data)
    answer_id = digest(f"{hospital}|{name}|{content}".encode())[:_ID_LENGTH]
    return AcknowledgedMessage(hospital, name, content, answer_id, now.replace(microsecond=0))


def _known(adapter: Adapter, seen: AcknowledgedMessage) -> AcknowledgedMessage | None:
    with read_transaction(adapter.engine) as connection:
        known = AcknowledgementStore.find(connection, seen.hospital, seen.message)
    if known is not None and known.digest != seen.digest:
        raise refusal("AE", DUPLICATE, "control_id_again", _CONTROL_ID)
    return known


def _store(adapter: Adapter, hospital: str, converted: ConvertedMessage, note: _Note) -> None:
    repository = repository_of(adapter, in_transaction=note.make)
    try:
        repository.bundle(hospital, converted.bundle, base=adapter.settings.public_url or "")
    except FhirError as error:
        if error.status >= _SERVER_FAULT:
            raise
        raise _refused(error, converted) from None
    if not note.is_made:  # all of it was there already
        with write_transaction(adapter.engine) as connection:
            note.make(connection)


def _refused(error: FhirError, converted: ConvertedMessage) -> MessageRefused:
    """What the checks of the REST API say, of the segment that it is about."""
    issues = issues_of_error(error)
    first = next((one for one in issues if one.is_error), issues[0])
    found = _ENTRY.match(first.expression or "")
    if found is None:
        return refusal("AE", BAD_VALUE, "not_taken", said=first.text)
    return refusal("AE", BAD_VALUE, "refused", converted.places[int(found[1])], said=first.text)


def _profile(settings: Settings, name: str) -> SenderConventions:
    hospital = settings.hospital(name)
    section, ours = hospital.hl7v2, settings.centre.identifier_system
    # a system of its own where it has no server
    own = hospital.base_url or f"{ours.rstrip('/')}/{hospital.name}"
    return SenderConventions(
        ours=ours,
        own=section.system or own.rstrip("/"),
        charset=section.charset,
        authorities=section.authorities,
    )
