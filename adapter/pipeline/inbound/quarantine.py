"""Refused requests: kept when they come, tried again when a person says so."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import FhirError, MessageRefused, PdfRefused
from adapter.fhir import codec
from adapter.fhir.operation_outcome import Issue
from adapter.inbox.quarantine.masking import without_header_lines
from adapter.inbox.quarantine.refused_request import RefusedRequest, is_for_content, received_resource
from adapter.inbox.quarantine.store import QuarantinedRequest, QuarantineLimits, QuarantineStore
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.hl7v2_messages import take_message
from adapter.pipeline.inbound.inbound_mappings import InboundConverters
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.national_xml import take_file
from adapter.pipeline.inbound.pdf_documents import take_pdf
from adapter.pipeline.inbound.reception import repository_of
from adapter.pipeline.inbound.refusal import names_erased
from adapter.pipeline.inbound.webhook_documents import IDEMPOTENCY_KEY, WEBHOOK_URL, take_document
from adapter.repository.bundle_entries import parse_entry
from adapter.repository.interaction_errors import interaction_error, issues_of_error
from adapter.repository.repository import Repository
from adapter.telemetry import REFUSED_REQUESTS, get_logger

__all__ = [
    "HL7V2_URL",
    "NATIONAL_XML_URL",
    "PDF_STATUS",
    "PDF_URL",
    "discard_refused",
    "is_pdf",
    "keep_refused",
    "message_issue",
    "message_status",
    "pdf_issue",
    "retry_refused",
]

HL7V2_URL = "hl7v2"
"""Where an HL7 v2 message is kept as sent to, whatever brought it."""
NATIONAL_XML_URL = "national-xml"
"""The same of a file of the insurer's XML."""

PDF_URL = "pdf"
"""The same of a PDF; its query says which referral somebody named."""

_log = get_logger("inbox")
PDF_STATUS = 422
_BUNDLES = ("", "Bundle", "$process-message")  # where a Bundle is sent to
_HEADERS = {"if-none-exist": "ifNoneExist", "if-match": "ifMatch", "if-none-match": "ifNoneMatch"}


def keep_refused(adapter: Adapter, refused: RefusedRequest, now: datetime) -> bool:
    """Count, log and keep a refused request, in a transaction of its own; whether it is kept. Nothing stays
    of what names somebody who was erased; what is no loss (`is_for_content`) is nobody's concern.
    """
    if not is_for_content(refused.method, refused.status, refused.issues):
        return False
    REFUSED_REQUESTS.labels(hospital=refused.hospital, status=str(refused.status)).inc()
    settings = adapter.settings
    limits = QuarantineLimits(settings.refused_max_bytes, settings.refused_hospital_max_bytes)
    if not is_pdf(refused.url):  # which has no header of a Subscription
        refused = replace(refused, body=without_header_lines(refused.body))
    said = "\n".join((refused.url, *refused.conditions.values()))
    with write_transaction(adapter.engine) as connection:
        kept = not names_erased(adapter, connection, refused.hospital, said, refused.body)
        kept = kept and QuarantineStore.keep(connection, refused, limits, now)
    _log.warning(
        "inbox.refused" if kept else "inbox.refused_not_kept",
        hospital=refused.hospital,
        method=refused.method,
        status=refused.status,
        code=refused.issues[0].code,
        bytes=len(refused.body),
    )
    return kept


def discard_refused(adapter: Adapter, one: QuarantinedRequest, *, by: str, now: datetime) -> None:
    """A person says that nothing is lost with it."""
    with write_transaction(adapter.engine) as connection:
        QuarantineStore.remove(connection, [one.id])
        details = {"item": one.id, "digest": one.digest}
        audit.append(
            connection,
            at=now,
            actor=by,
            action="inbox.refused_discarded",
            hospital=one.hospital,
            details=details,
        )


def retry_refused(
    adapter: Adapter, one: QuarantinedRequest, *, by: str, now: datetime
) -> codec.Resource | None:
    """Take a request in as if it came now. What of it is refused again waits on with the new diagnosis, an
    OperationOutcome, which is given back; None where all was taken.
    """
    left, is_kept = None, True
    try:
        if one.url == HL7V2_URL:
            take_message(adapter, one.hospital, one.body, now)
        elif one.url == WEBHOOK_URL:
            key = one.conditions.get(IDEMPOTENCY_KEY, "")
            converters = InboundConverters(adapter.settings)
            take_document(adapter, converters, one.hospital, one.body, key=key, now=now)
        elif one.url == NATIONAL_XML_URL:
            take_file(adapter, one.hospital, one.body, now)
        elif is_pdf(one.url):
            said = dict(parse_qsl(one.url.partition("?")[2]))
            final = said.get("final") == "true"
            take_pdf(
                adapter, one.hospital, one.body, said=said.get("referral"), is_final=final, by=by, now=now
            )
        else:
            left = _take(repository_of(adapter), one, adapter.settings.public_url)
    except MessageRefused as refused:
        left = _left(one, one.body, message_status(refused), (message_issue(refused),))
    except PdfRefused as refused:
        is_kept = refused.why != "not_kept"
        left = _left(one, one.body, PDF_STATUS, (pdf_issue(refused),))
    except FhirError as error:
        left = _left(one, one.body, error.status, issues_of_error(error))
    settings = adapter.settings
    limits = QuarantineLimits(settings.refused_max_bytes, settings.refused_hospital_max_bytes)
    with write_transaction(adapter.engine) as connection:
        if left is not None and left.digest == one.digest and is_kept:
            QuarantineStore.diagnose(connection, one.id, left)
        else:
            QuarantineStore.remove(connection, [one.id])
            if left is not None and is_kept:
                QuarantineStore.keep(connection, left, limits, now)
        details = {"item": one.id, "digest": one.digest, "taken": left is None}
        audit.append(
            connection,
            at=now,
            actor=by,
            action="inbox.refused_retried",
            hospital=one.hospital,
            details=details,
        )
    process_inbox(adapter, lambda: now)
    return left.outcome if left else None


def is_pdf(url: str) -> bool:
    """Whether a refused request is a PDF, kept as sent to `PDF_URL`."""
    return url.partition("?")[0] == PDF_URL


def pdf_issue(error: PdfRefused) -> Issue:
    """Why a PDF was refused."""
    return Issue("error", "business-rule" if error.why == "other_referral" else "value", str(error))


def message_issue(error: MessageRefused) -> Issue:
    """Why a message was refused. Which of several segments it is in does not tell kinds apart."""
    segment, _, rest = error.where.partition("^")
    field = rest.partition("^")[2]
    place = "-".join(filter(None, (segment, field)))
    return Issue("error", "value" if error.ack == "AE" else "not-supported", str(error), place or None)


def message_status(error: MessageRefused) -> int:
    """The HTTP status that says the same."""
    return 422 if error.ack == "AE" else 400


def _left(one: QuarantinedRequest, body: bytes, status: int, issues: Sequence[Issue]) -> RefusedRequest:
    return RefusedRequest(one.hospital, one.method, one.url, body, status, tuple(issues), one.conditions)


def _take(repository: Repository, one: QuarantinedRequest, base: str | None) -> RefusedRequest | None:
    """What of it is left over. Raises FhirError where all of it is refused."""
    resource = _parsed(one.body)
    if one.url.strip("/") in _BUNDLES and resource.get("resourceType") == "Bundle":
        left = repository.bundle(one.hospital, resource, base=base or "").left
        return _left(one, codec.dumps(left.bundle), left.status, left.issues) if left else None
    request = {"method": one.method, "url": one.url.lstrip("/")}
    request |= {_HEADERS[name]: value for name, value in one.conditions.items() if name in _HEADERS}
    entry = parse_entry({"resource": resource, "request": request}, 0, base, repository.checks)
    repository.perform(one.hospital, replace(entry, position=None, where=""))
    return None


def _parsed(body: bytes) -> codec.Resource:
    try:
        return received_resource(body)
    except (ValueError, RecursionError):
        raise interaction_error(400, "structure", "not_json", line=1, column=1, problem="") from None
