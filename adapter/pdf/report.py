"""The DiagnosticReport that presents a PDF: what a hospital's system would send of it. Pure."""

import base64
from hashlib import sha256

from adapter.fhir.codec import Resource
from adapter.fhir.document_facts import DocumentFacts, facts_extension

__all__ = ["REPORT_WORDS", "presented_pdf", "report_id", "report_of"]

REPORT_WORDS = "Kết quả khám"
"""What a report is called of which nothing better is known."""


def report_id(data: bytes) -> str:
    """The id under which a PDF is kept: the same bytes have the same."""
    return f"pdf-{sha256(data).hexdigest()[:48]}"


def report_of(
    data: bytes,
    facts: DocumentFacts,
    *,
    system: str,
    referrals: tuple[str, ...],
    is_final: bool,
) -> Resource:
    """`referrals` are identities under `system`. Its status is unknown, unless somebody said that it is
    final; so are times, which only the document has.
    """
    made: Resource = {
        "resourceType": "DiagnosticReport",
        "id": report_id(data),
        "status": "final" if is_final else "unknown",
        "code": {"text": REPORT_WORDS},
        "presentedForm": [presented_pdf(data, facts)],
    }
    if referrals:
        made["basedOn"] = [
            {"type": "ServiceRequest", "identifier": {"system": system, "value": one}} for one in referrals
        ]
    return made


def presented_pdf(data: bytes, facts: DocumentFacts | None) -> Resource:
    """The Attachment, with what was found out about it."""
    made: Resource = {"contentType": "application/pdf", "data": base64.b64encode(data).decode()}
    return made if facts is None else {"extension": [facts_extension(facts)], **made}
