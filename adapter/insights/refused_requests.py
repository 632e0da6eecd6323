"""What the endpoint refused for its content: a list without anything that was sent, and one as it came."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapter.errors import UsageError
from adapter.fhir.operation_outcome import parse_issues
from adapter.inbox.quarantine.store import QuarantinedRequest
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.quarantine import HL7V2_URL, NATIONAL_XML_URL, PDF_URL, is_pdf
from adapter.pipeline.inbound.webhook_documents import WEBHOOK_URL
from adapter.texts import has_text, say

__all__ = ["ListedRefusal", "RefusalIssue", "RefusedRequestReport", "refused_list", "refused_request_report"]

_SENT: Final = {
    **{HL7V2_URL: "hl7v2", NATIONAL_XML_URL: "national_xml", PDF_URL: "pdf", WEBHOOK_URL: "document"},
    **dict.fromkeys(("", "Bundle", "$process-message"), "bundle"),
}


@dataclass(frozen=True, slots=True)
class RefusalIssue:
    """One reason: the code of the issue, the element (FHIRPath), and words."""

    code: str
    expression: str | None
    text: str


@dataclass(frozen=True, slots=True)
class ListedRefusal:
    """A refused request as it may be listed. `path` is its URL without the query, `digest` names all that was
    sent, `times` is how often exactly this came.
    """

    id: int
    hospital: str
    method: str
    path: str
    status: int
    kind: str
    digest: str
    times: int
    first_at: datetime
    last_at: datetime

    @property
    def sent(self) -> str:
        """What it was to be, in words of the language in use."""
        place = self.path.strip("/").partition("/")[0]
        word = _SENT.get(place, place.lower())
        return say(f"refused.sent_{word if has_text(f'refused.sent_{word}') else 'other'}")


@dataclass(frozen=True, slots=True)
class RefusedRequestReport:
    """One refused request, with all that was sent. `body` is text; what is no UTF-8 in it is replaced."""

    request: ListedRefusal
    url: str
    conditions: Mapping[str, str]
    issues: tuple[RefusalIssue, ...]
    body: str


def refused_list(adapter: Adapter) -> tuple[ListedRefusal, ...]:
    """What waits, the newest first, the newest 200."""
    return tuple(_listed(one) for one in adapter.quarantine.waiting())


def refused_request_report(adapter: Adapter, number: int) -> RefusedRequestReport:
    """The one of that number. Raises UsageError where there is none."""
    found = adapter.quarantine.get(number)
    if found is None:
        raise UsageError("refused.no_request", number=number)
    issues = tuple(RefusalIssue(one.code, one.expression, one.text) for one in parse_issues(found.outcome))
    body = found.body.decode("utf-8", "replace")
    if is_pdf(found.url):  # which no terminal shows
        body = say("refused.a_file", bytes=len(found.body))
    return RefusedRequestReport(_listed(found), found.url, found.conditions, issues, body)


def _listed(one: QuarantinedRequest) -> ListedRefusal:
    return ListedRefusal(
        one.id,
        one.hospital,
        one.method,
        one.url.partition("?")[0],
        one.status,
        one.kind,
        one.digest,
        one.times,
        one.first_at,
        one.last_at,
    )
