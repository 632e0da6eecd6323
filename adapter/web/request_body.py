"""Request bodies: read within a limit, unpacked within the same limit, parsed strictly."""

from typing import Final, Literal

from fastapi import Request
from starlette.requests import ClientDisconnect

from adapter.fhir.codec import Resource
from adapter.fhir.xml.reader import BadXmlError, loads_xml
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import RequestLimits, over_limit, require_fitting_size
from adapter.repository.strict_json import BadNumberError, parse_json, parse_number, require_printable
from adapter.texts import say
from adapter.unpacking import GZIP, BadPackingError, BoundedUnpacker, UnpackedTooLongError

__all__ = ["parse_resource", "parse_xml", "read_body"]

# A sender that is cut off in the middle sees a broken connection instead of our answer, so a body
# that is a little too long is read to its end and thrown away.
_PATIENCE: Final = 4
_TAGS_OF_A_VALUE: Final = 4  # of XML: opened and closed, and as many in the narrative


async def read_body(request: Request, limits: RequestLimits) -> bytes:
    """The body, unpacked. Never holds more than the limit. Raises FhirError 413, 415 or 400."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.max_bytes * _PATIENCE:
        raise _too_long(limits, int(declared), hang_up=True)
    unpacker = _unpacker(request.headers.get("content-encoding", "identity"), limits)
    body = bytearray()
    received, is_too_long = 0, False
    try:
        async for chunk in request.stream():
            received += len(chunk)
            if received > limits.max_bytes * _PATIENCE:
                raise _too_long(limits, received, hang_up=True)
            if is_too_long:
                continue
            try:
                body += chunk if unpacker is None else unpacker.unpack(chunk)
                is_too_long = len(body) > limits.max_bytes
            except UnpackedTooLongError:
                is_too_long = True
    except ClientDisconnect:
        raise interaction_error(408, "timeout", "ended_early", hang_up=True) from None
    except BadPackingError:
        raise interaction_error(400, "structure", "bad_gzip") from None
    if is_too_long:
        raise _too_long(limits, max(len(body), limits.max_bytes + 1), hang_up=False)
    if unpacker is not None and not unpacker.is_whole:
        raise interaction_error(400, "structure", "bad_gzip")
    return bytes(body)


def _too_long(limits: RequestLimits, sent: int, *, hang_up: bool) -> Exception:
    error = over_limit(limits, "max_bytes", sent)
    error.params["hang_up"] = hang_up
    return error


def _unpacker(encoding: str, limits: RequestLimits) -> BoundedUnpacker | None:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding not in ("gzip", "x-gzip"):
        raise interaction_error(415, "not-supported", "content_encoding")
    return BoundedUnpacker(GZIP, limits.max_bytes)


def parse_resource(body: bytes, limits: RequestLimits, *, form: Literal["json", "xml"] = "json") -> Resource:
    """The body as a resource: an object with a resourceType. Raises FhirError 400 or 413."""
    if form == "xml":
        return parse_xml(body, limits)
    resource = parse_json(body, limits)
    if not isinstance(resource, dict):
        raise interaction_error(400, "structure", "body_no_object")
    if "resourceType" not in resource:
        raise interaction_error(400, "required", "no_resource_type", "resourceType")
    return resource


def parse_xml(body: bytes, limits: RequestLimits) -> Resource:
    """A resource in XML, held to the limits of JSON. Raises FhirError 413, or 400 with line and column."""
    if not body.strip():
        raise interaction_error(400, "structure", "body_empty")
    if (tags := body.count(b"<")) > limits.max_values * _TAGS_OF_A_VALUE:
        raise over_limit(limits, "max_values", tags // _TAGS_OF_A_VALUE)
    try:
        resource = loads_xml(body, max_depth=limits.max_depth, number=parse_number)
    except BadNumberError:
        raise interaction_error(400, "value", "bad_number") from None
    except BadXmlError as error:
        if error.reason == "too_deep":
            raise over_limit(limits, "max_depth", limits.max_depth + 1) from None
        problem = say(f"fhir.xml_{error.reason}", name=error.name)
        raise interaction_error(
            400, "structure", "not_xml", line=error.line, column=error.column, problem=problem
        ) from None
    require_fitting_size(resource, limits)
    if b"\x7f" in body or b"&#" in body:
        require_printable(resource)
    return resource
