"""Content negotiation and preferences (http://hl7.org/fhir/R4/http.html#mime-type, #ops)."""

from collections.abc import Mapping
from email.utils import formatdate
from typing import Final, Literal

from fastapi import Request, Response

from adapter.errors import FhirError
from adapter.fhir.codec import dumps
from adapter.fhir.operation_outcome import Issue, operation_outcome
from adapter.repository.interaction_errors import interaction_error, issues_of_error

__all__ = ["FHIR_JSON", "check_accept", "check_content_type", "error_response", "http_date", "parse_prefer"]

FHIR_JSON: Final = "application/fhir+json; charset=utf-8"
_JSON: Final = frozenset({"application/fhir+json", "application/json", "text/json", "json"})
_ANY: Final = frozenset({"*/*", "application/*", "text/*", "*"})

Return = Literal["minimal", "representation", "OperationOutcome"]


def _media(text: str) -> tuple[str, dict[str, str]]:
    kind, *rest = (part.strip() for part in text.split(";"))
    pairs = (part.partition("=") for part in rest if part)
    return kind.lower(), {name.strip().lower(): value.strip().strip('"').lower() for name, _, value in pairs}


def _version_is_r4(params: Mapping[str, str]) -> bool:
    return params.get("fhirversion", "4.0") in ("4.0", "4.0.1")


def check_accept(request: Request) -> None:
    """Raise FhirError 406 unless the caller takes JSON; `_format` counts more than Accept."""
    wanted = request.query_params.get("_format")
    if wanted is not None:
        # "+" of application/fhir+json arrives as a blank when it was not encoded.
        offered = [wanted.replace(" ", "+")]
    else:
        offered = [part for part in ",".join(request.headers.getlist("accept")).split(",") if part.strip()]
    for item in offered:
        kind, params = _media(item)
        if params.get("q", "1").strip("0.") == "":
            continue
        if (kind in _JSON or (kind in _ANY and wanted is None)) and _version_is_r4(params):
            return
    if offered:
        raise interaction_error(
            406, "not-supported", "only_json", "http._format" if wanted else "http.Accept"
        )


def check_content_type(request: Request) -> None:
    """Raise FhirError 415 unless the body is said to be FHIR R4 JSON in UTF-8."""
    header = request.headers.get("content-type")
    if header is None:
        return
    kind, params = _media(header)
    if (
        kind not in _JSON
        or params.get("charset", "utf-8") not in ("utf-8", "utf8")
        or not _version_is_r4(params)
    ):
        raise interaction_error(415, "not-supported", "content_type", "http.Content-Type")


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
