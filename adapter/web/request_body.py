"""Request bodies: read within a limit, unpacked within the same limit, parsed strictly.

FHIR's JSON is stricter than JSON (http://hl7.org/fhir/R4/json.html): a property may stand once in
an object, and a lone surrogate or a number of a million digits cannot be stored again.
"""

import codecs
import json
import re
import zlib
from decimal import Decimal
from typing import Any, Final, Literal

import orjson
from fastapi import Request
from starlette.requests import ClientDisconnect

from adapter.fhir.codec import DuplicatePropertyError, Resource, unique_properties
from adapter.fhir.xml.reader import BadXmlError, loads_xml
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import RequestLimits, over_limit, require_fitting_size
from adapter.texts import say

__all__ = ["parse_json", "parse_resource", "parse_xml", "read_body"]

# A sender that is cut off in the middle sees a broken connection instead of our answer, so a body
# that is a little too long is read to its end and thrown away.
_PATIENCE: Final = 4
_MOST_MEMBERS: Final = 1000  # of one gzip stream
_LONGEST_NUMBER: Final = 60
_TAGS_OF_A_VALUE: Final = 4  # of XML: opened and closed, and as many in the narrative
_HIGHEST_EXPONENT: Final = 100
_ESCAPED_CONTROL: Final = re.compile(rb"\\u00(?:0[0-8bBcCeEfF]|1[0-9a-fA-F]|7[fF])")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


async def read_body(request: Request, limits: RequestLimits) -> bytes:
    """The body, unpacked. Never holds more than the limit. Raises FhirError 413, 415 or 400."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limits.max_bytes * _PATIENCE:
        raise _too_long(limits, int(declared), hang_up=True)
    unpack = _unpacker(request.headers.get("content-encoding", "identity"))
    body = bytearray()
    received = 0
    try:
        async for chunk in request.stream():
            received += len(chunk)
            if received > limits.max_bytes * _PATIENCE:
                raise _too_long(limits, received, hang_up=True)
            if len(body) <= limits.max_bytes:
                body += (
                    chunk if unpack is None else _unpacked(unpack, chunk, limits.max_bytes - len(body) + 1)
                )
    except ClientDisconnect:
        raise interaction_error(408, "timeout", "ended_early", hang_up=True) from None
    if len(body) > limits.max_bytes:
        raise _too_long(limits, len(body), hang_up=False)
    if unpack is not None and not unpack.eof:
        raise interaction_error(400, "structure", "bad_gzip")
    return bytes(body)


def _too_long(limits: RequestLimits, sent: int, *, hang_up: bool) -> Exception:
    error = over_limit(limits, "max_bytes", sent)
    error.params["hang_up"] = hang_up
    return error


def _unpacker(encoding: str) -> "_Gunzip | None":
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding not in ("gzip", "x-gzip"):
        raise interaction_error(415, "not-supported", "content_encoding")
    return _Gunzip()


class _Gunzip:
    """Unpacks a stream of gzip, of as many members as a sender writes (RFC 1952, 2.2), up to a limit: each
    costs more to begin than it takes to send.
    """

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 1

    @property
    def eof(self) -> bool:
        """Whether the last member is whole."""
        return self._member.eof

    def decompress(self, chunk: bytes, limit: int) -> bytes:
        """At most `limit` bytes; what is left of the chunk then is lost. Raises zlib.error."""
        found = bytearray()
        while chunk and len(found) < limit:
            if self._member.eof:
                if self._members >= _MOST_MEMBERS:
                    raise zlib.error("too many members")
                self._member, self._members = zlib.decompressobj(wbits=31), self._members + 1
            found += self._member.decompress(chunk, limit - len(found))
            chunk = self._member.unused_data
        return bytes(found)


def _unpacked(unpack: _Gunzip, chunk: bytes, limit: int) -> bytes:
    try:
        return unpack.decompress(chunk, limit)
    except zlib.error:
        raise interaction_error(400, "structure", "bad_gzip") from None


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


def parse_json(body: bytes, limits: RequestLimits) -> Any:
    """JSON with its decimals as Decimal. Raises FhirError 400 that says line and column, 413 for too much."""
    body = body.removeprefix(codecs.BOM_UTF8)  # some editors and Windows libraries begin a file with it
    if not body.strip():
        raise interaction_error(400, "structure", "body_empty")
    try:
        loose = orjson.loads(body)  # strict UTF-8, no lone surrogates, a bounded depth; and fast
    except orjson.JSONDecodeError as error:
        raise interaction_error(
            400, "structure", "not_json", line=error.lineno, column=error.colno, problem=error.msg
        ) from None
    require_fitting_size(loose, limits)
    if _ESCAPED_CONTROL.search(body):
        _check_characters(loose)
    try:
        return json.loads(
            body,
            parse_float=_decimal,
            parse_int=_integer,
            object_pairs_hook=unique_properties,
        )
    except _BadNumberError:
        raise interaction_error(400, "value", "bad_number") from None
    except DuplicatePropertyError as error:
        raise interaction_error(400, "structure", "repeated_property", name=error.args[0]) from None
    except (ValueError, RecursionError):
        raise interaction_error(400, "structure", "not_json", line=1, column=1, problem="") from None


def parse_xml(body: bytes, limits: RequestLimits) -> Resource:
    """A resource in XML, held to the limits of JSON. Raises FhirError 413, or 400 with line and column."""
    if not body.strip():
        raise interaction_error(400, "structure", "body_empty")
    if (tags := body.count(b"<")) > limits.max_values * _TAGS_OF_A_VALUE:
        raise over_limit(limits, "max_values", tags // _TAGS_OF_A_VALUE)
    try:
        resource = loads_xml(body, max_depth=limits.max_depth, number=_number)
    except _BadNumberError:
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
        _check_characters(resource)
    return resource


def _number(text: str) -> int | Decimal:
    return _integer(text) if text.removeprefix("-").isdigit() else _decimal(text)


def _check_characters(value: Any) -> None:
    """A FHIR string holds no control characters but tab, carriage return and line feed."""
    if isinstance(value, str):
        if _CONTROL.search(value):
            raise interaction_error(400, "value", "control_in_text")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_characters(name)
            _check_characters(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_characters(inner)


class _BadNumberError(ValueError):
    """A number that no decimal of FHIR can hold."""


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    if len(text) > _LONGEST_NUMBER or not isinstance(exponent, int) or abs(exponent) > _HIGHEST_EXPONENT:
        raise _BadNumberError
    return value


def _integer(text: str) -> int | Decimal:
    if len(text) > _LONGEST_NUMBER:
        raise _BadNumberError
    return int(text) if len(text) <= 18 else Decimal(text)
