"""A hospital's own JSON taken in: as the transaction that its mapping makes of it, and once under its
idempotency key.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from adapter.errors import FhirError, MappingError
from adapter.fhir.codec import Resource, digest
from adapter.fhir.operation_outcome import Issue
from adapter.inbox.acknowledgements.store import AcknowledgedMessage
from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.mapping.inbound.conversion import ConvertedDocument, InboundConverter
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbound_mappings import InboundConverters
from adapter.pipeline.inbound.taken_once import known_before, named_message, store_all, store_once
from adapter.repository.interaction_errors import InteractionRefused, interaction_error, issues_of_error
from adapter.repository.request_limits import RequestLimits
from adapter.repository.strict_json import parse_json
from adapter.telemetry import get_logger

__all__ = ["IDEMPOTENCY_KEY", "WEBHOOK_URL", "DocumentReception", "refused_document", "take_document"]

WEBHOOK_URL: Final = "webhook"
"""Where a document is kept as sent to."""
IDEMPOTENCY_KEY: Final = "idempotency-key"
_LONGEST_KEY: Final = 255
_RETRY_SECONDS: Final = 300  # until a mapping may have been mended
_SERVER_FAULT: Final = 500
_ENTRY: Final = re.compile(r"Bundle\.entry\[(\d+)\](?:\.resource)?\.?")

_log = get_logger("inbox")


def take_document(
    adapter: Adapter,
    converters: InboundConverters,
    hospital: str,
    data: bytes,
    *,
    key: str,
    now: datetime,
) -> AcknowledgedMessage:
    """Take it in, or know it again by its key ("": it has none): what was answered. Raises FhirError, with
    nothing stored.
    """
    if len(key) > _LONGEST_KEY:
        raise interaction_error(400, "invalid", "long_key", f"http.{IDEMPOTENCY_KEY}", most=_LONGEST_KEY)
    seen = named_message(hospital, f"{WEBHOOK_URL}\x1f{key}".encode(), data, now)
    if key and (known := known_before(adapter, seen)) is not None:
        return _same(known, seen)
    converted = _converted(adapter, converters, hospital, data)
    try:
        if key:
            return _same(store_once(adapter, seen, converted.bundle), seen)
        store_all(adapter, hospital, converted.bundle)
    except FhirError as error:
        if error.status >= _SERVER_FAULT:
            raise
        raise _placed(error, converted) from None
    return replace(seen, answer_id=digest(f"{seen.answer_id}|{now.isoformat()}".encode())[:20])


def _same(known: AcknowledgedMessage, seen: AcknowledgedMessage) -> AcknowledgedMessage:
    if known.digest != seen.digest:
        raise interaction_error(422, "duplicate", "key_again", f"http.{IDEMPOTENCY_KEY}")
    return known


def _converted(
    adapter: Adapter, converters: InboundConverters, hospital: str, data: bytes
) -> ConvertedDocument:
    limits = RequestLimits(
        max_bytes=adapter.settings.max_body_bytes, max_depth=adapter.settings.max_body_depth
    )
    converter = converter_of(converters, hospital)
    converted = converter.convert(parse_json(data, limits), limits.max_entries)
    if converted.issues:
        raise InteractionRefused(422, converted.issues)
    return converted


def converter_of(converters: InboundConverters, hospital: str) -> InboundConverter:
    """The hospital's. Raises FhirError 403 where it has none, 503 where it cannot be read: then what comes is
    to come again.
    """
    try:
        found = converters.of(hospital)
    except MappingError as error:
        _log.error("webhook.mapping_wrong", hospital=hospital, problems=len(error.problems))
        raise interaction_error(503, "transient", "busy", retry_after=_RETRY_SECONDS) from None
    if found is None:
        raise interaction_error(403, "forbidden", "no_webhook")
    return found


def _placed(error: FhirError, converted: ConvertedDocument) -> FhirError:
    """What the checks of the REST API say, of the part of the document that it is about."""
    return InteractionRefused(error.status, [_moved(one, converted) for one in issues_of_error(error)])


def _moved(issue: Issue, converted: ConvertedDocument) -> Issue:
    found = _ENTRY.match(issue.expression or "")
    if found is None or int(found[1]) >= len(converted.places):
        return issue
    part, element = converted.places[int(found[1])], (issue.expression or "")[found.end() :]
    type_ = converted.bundle["entry"][int(found[1])]["resource"]["resourceType"]
    made = f"{type_}.{element}" if element else type_
    return replace(issue, text=f"{made}: {issue.text}", expression=part or None)


def refused_document(hospital: str, data: bytes, key: str, error: FhirError) -> RefusedRequest:
    """As it is kept."""
    conditions = {IDEMPOTENCY_KEY: key[:_LONGEST_KEY]} if key else {}
    return RefusedRequest(
        hospital, "POST", WEBHOOK_URL, data, error.status, issues_of_error(error), conditions
    )


@dataclass(frozen=True)
class DocumentReception:
    """Takes documents in; `keep` gets what was refused, before it is answered."""

    adapter: Adapter
    clock: Callable[[], datetime]
    keep: Callable[[RefusedRequest], None]
    converters: InboundConverters = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "converters", InboundConverters(self.adapter.settings))

    def types(self, hospital: str) -> tuple[str, ...]:
        """What the hospital's documents become. Raises FhirError like `receive`."""
        return converter_of(self.converters, hospital).mapping.types

    def receive(self, hospital: str, data: bytes, key: str) -> Resource:
        """The answer to a document, after its transaction. Raises FhirError; what is the document's fault is
        kept.
        """
        try:
            taken = take_document(self.adapter, self.converters, hospital, data, key=key, now=self.clock())
        except FhirError as error:
            self.keep(refused_document(hospital, data, key, error))
            raise
        return {"id": taken.answer_id, "at": taken.at.isoformat()}
