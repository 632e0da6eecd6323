"""FHIR messages: the header of one, and the message that answers it (http://hl7.org/fhir/R4/messaging.html)."""

from datetime import UTC, datetime
from uuid import uuid4

from adapter.fhir.codec import Resource, dumps, loads
from adapter.fhir.operation_outcome import Issue, operation_outcome, parse_issues
from adapter.repository.interaction_errors import interaction_error
from adapter.texts import say

__all__ = ["message_header", "message_response"]


def message_header(bundle: Resource) -> Resource:
    """The MessageHeader that a message begins with. Raises FhirError 400 for what is no message."""
    entries = bundle.get("entry")
    first = entries[0] if isinstance(entries, list) and entries else None
    header = first.get("resource") if isinstance(first, dict) else None
    is_message = bundle["resourceType"] == "Bundle" and bundle.get("type") == "message"
    if not is_message or not isinstance(header, dict) or header.get("resourceType") != "MessageHeader":
        raise interaction_error(400, "invalid", "no_message", "Bundle.entry[0].resource")
    return header


def message_response(bundle: Resource, header: Resource, answer: bytes, base: str) -> bytes:
    """The message that says what became of one; `answer` is the response Bundle of what it holds."""
    outcomes = (entry["response"].get("outcome") for entry in loads(answer).get("entry", ()))
    issues = [issue for outcome in outcomes for issue in parse_issues(outcome)]
    said = operation_outcome(issues or [Issue("information", "informational", say("fhir.stored"))])
    at, details = f"urn:uuid:{uuid4()}", f"urn:uuid:{uuid4()}"
    is_whole = not any(issue.is_error for issue in issues)
    answering: Resource = {
        "resourceType": "MessageHeader",
        **{name: header[name] for name in ("eventCoding", "eventUri") if name in header},
        "source": {"endpoint": base},
        "response": {
            "identifier": str(header.get("id") or bundle.get("id") or "unknown"),
            "code": "ok" if is_whole else "fatal-error",
            "details": {"reference": details},
        },
    }
    return dumps(
        {
            "resourceType": "Bundle",
            "type": "message",
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "entry": [{"fullUrl": at, "resource": answering}, {"fullUrl": details, "resource": said}],
        }
    )
