"""HL7 v2 messages as they come, whatever brings them: each is answered, and what is refused is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapter.errors import MessageRefused
from adapter.fhir.codec import digest
from adapter.hl7v2.acknowledgements import Acknowledgement, acknowledgement_bytes
from adapter.hl7v2.message import MessageHeader, parse_header
from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.hl7v2_messages import take_message
from adapter.pipeline.inbound.quarantine import HL7V2_URL, keep_refused, message_issue, message_status

__all__ = ["MessageReception", "MessageReply", "answer_refused"]

_ID_LENGTH: Final = 20  # of MSH-10


@dataclass(frozen=True, slots=True)
class MessageReply:
    """`code` is MSA-1, `body` the acknowledgement's bytes."""

    code: str
    body: bytes


@dataclass(frozen=True)
class MessageReception:
    """Takes messages in; `received` is called after each that was, and only wakes whoever matches."""

    adapter: Adapter
    clock: Callable[[], datetime]
    received: Callable[[], None] = lambda: None

    def receive(self, hospital: str, data: bytes) -> MessageReply:
        """The answer to a message, after its transaction. Whatever else goes wrong than with the message (the
        database is away) is raised: then it must not be answered, so that it comes again.
        """
        now = self.clock()
        try:
            taken = take_message(self.adapter, hospital, data, now)
        except MessageRefused as error:
            return self._refuse(hospital, data, error, now)
        self.received()
        answer = Acknowledgement("AA", taken.answer_id, taken.at)
        return MessageReply("AA", acknowledgement_bytes(parse_header(data), answer))

    def _refuse(self, hospital: str, data: bytes, error: MessageRefused, now: datetime) -> MessageReply:
        issue = message_issue(error)
        refused = RefusedRequest(hospital, "POST", HL7V2_URL, data, message_status(error), (issue,))
        keep_refused(self.adapter, refused, now)
        return answer_refused(data, error, now)


def answer_refused(data: bytes, error: MessageRefused, now: datetime) -> MessageReply:
    """The answer to what was refused, or to the beginning of what was too long."""
    header: MessageHeader | None
    try:
        header = parse_header(data)
    except MessageRefused:
        header = None
    number = digest(data + now.isoformat().encode())[:_ID_LENGTH]
    answer = Acknowledgement(error.ack, number, now, error.condition, error.where, str(error))
    return MessageReply(error.ack, acknowledgement_bytes(header, answer))
