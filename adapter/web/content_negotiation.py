"""Content negotiation and preferences (http://hl7.org/fhir/R4/http.html#mime-type, #ops)."""

from collections.abc import Mapping
from email.utils import formatdate
from typing import Final, Literal

from fastapi import Request, Response

from adapter.errors import FhirError
from adapter.fhir.codec import dumps, loads
from adapter.fhir.operation_outcome import Issue, operation_outcome
from adapter.fhir.xml.writer import NotInXmlError, dumps_xml
from adapter.repository.interaction_errors import interaction_error, issues_of_error

__all__ = [
    "FHIR_JSON",
    "FHIR_XML",
    "check_accept",
    "error_response",
    "http_date",
    "in_wanted_format",
    "parse_prefer",
    "sent_format",
    "success_outcome",
    "wants_xml",
]

FHIR_JSON: Final = "application/fhir+json; charset=utf-8"
FHIR_XML: Final = "application/fhir+xml; charset=utf-8"
_JSON: Final = frozenset({"application/fhir+json", "application/json", "text/json", "json"})
_XML: Final = frozenset({"application/fhir+xml", "application/xml", "text/xml", "xml"})
_ANY: Final = frozenset({"*/*", "application/*", "text/*", "*"})

Format = Literal["json", "xml"]

Return = Literal["minimal", "representation", "OperationOutcome"]


def _media(text: str) -> tuple[str, dict[str, str]]:
    kind, *rest = (part.strip() for part in text.split(";"))
    pairs = (part.partition("=") for part in rest if part)
    return kind.lower(), {name.strip().lower(): value.strip().strip('"').lower() for name, _, value in pairs}


def _version_is_r4(params: Mapping[str, str]) -> bool:
    return params.get("fhirversion", "4.0") in ("4.0", "4.0.1")


def check_accept(request: Request) -> None:
    """Raise FhirError 406 unless the caller takes JSON or XML."""
    _wanted_format(request)


def _wanted_format(request: Request) -> Format:
    """The format of the answer: what `_format` says, or Accept, or else that of the body."""
    said = request.query_params.get("_format")
    if said is not None:
        # "+" of application/fhir+xml arrives as a blank when it was not encoded.
        found = _format(said.replace(" ", "+"))
        if found is None:
            raise interaction_error(406, "not-supported", "only_json_or_xml", "http._format")
        return found
    own = _format(request.headers.get("content-type", "")) or "json"
    accepted = [part for part in ",".join(request.headers.getlist("accept")).split(",") if part.strip()]
    ranked = [
        (weight, found)
        for item in accepted
        if (found := _format(item, ranges=own)) and (weight := _weight(_media(item)[1].get("q", "1"))) > 0
    ]
    if ranked:
        return min(ranked, key=lambda one: (-one[0], one[1]))[1]  # JSON, where both are liked as well
    if accepted:
        raise interaction_error(406, "not-supported", "only_json_or_xml", "http.Accept")
    return own


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0


def _format(media_type: str, *, ranges: Format | None = None) -> Format | None:
    """The format that a media type names; `ranges` is that of a range such as `*/*`."""
    kind, params = _media(media_type)
    if not _version_is_r4(params):
        return None
    if kind in _ANY:
        return ranges
    return "json" if kind in _JSON else "xml" if kind in _XML else None


def sent_format(request: Request) -> Format:
    """The format of the body. Raises FhirError 415 unless it is said to be FHIR R4 in UTF-8."""
    header = request.headers.get("content-type")
    if header is None:
        return "json"
    found = _format(header)
    if found is None or _media(header)[1].get("charset", "utf-8") not in ("utf-8", "utf8"):
        raise interaction_error(415, "not-supported", "content_type", "http.Content-Type")
    return found


def wants_xml(request: Request) -> bool:
    """Whether the answer is to be XML; who takes neither format is told so in JSON."""
    try:
        return _wanted_format(request) == "xml"
    except FhirError:
        return False


def in_wanted_format(request: Request, response: Response) -> Response:
    """The answer, in XML where the caller wants it. What XML cannot hold is answered with 406, in JSON."""
    if response.media_type != FHIR_JSON or not response.body or not wants_xml(request):
        return response
    try:
        body = dumps_xml(loads(bytes(response.body)))
    except NotInXmlError as error:
        refused = interaction_error(406, "not-supported", "not_in_xml", name=error.args[0])
        return error_response(refused)
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in ("content-length", "content-type")
    }
    return Response(body, response.status_code, headers, FHIR_XML)


def parse_prefer(request: Request) -> dict[str, str]:
    """The preferences of the Prefer header: `return`, `handling`."""
    found = {}
    for item in ",".join(request.headers.getlist("prefer")).replace(";", ",").split(","):
        name, mark, value = item.partition("=")
        if mark:
            found[name.strip().lower()] = value.strip().strip('"')
    return found


def http_date(millis: int) -> str:
    """Last-Modified's form of an instant."""
    return formatdate(millis // 1000, usegmt=True)


def error_response(error: FhirError) -> Response:
    """The OperationOutcome of an error; one about a header or parameter has it in `location`
    (`http.` and its name), since an expression can only name an element.
    """
    outcome = operation_outcome(issues_of_error(error))
    for issue in outcome["issue"]:
        if issue.get("expression", [""])[0].startswith("http."):
            issue["location"] = issue.pop("expression")
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="fhir"'
    if allow := error.params.get("allow"):
        headers["Allow"] = allow
    if after := error.params.get("retry_after"):
        headers["Retry-After"] = str(after)
    if error.params.get("hang_up"):
        headers["Connection"] = "close"
    return Response(dumps(outcome), error.status, headers, FHIR_JSON)


def success_outcome(text: str) -> bytes:
    """An OperationOutcome that says all went well."""
    return dumps(operation_outcome([Issue("information", "informational", text)]))
