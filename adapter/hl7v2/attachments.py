"""Documents in OBX-5 (ED) and lines of text as Attachments. Pure."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

from adapter.fhir.codec import Resource
from adapter.hl7v2.message import Element, Segment
from adapter.hl7v2.refusals import BAD_VALUE, refusal

__all__ = ["attachment_of", "is_document", "text_attachment"]

_DOCUMENTS: Final = ("ED",)
_KINDS: Final = {
    "application": "application",
    "ap": "application",
    "image": "image",
    "im": "image",
    "text": "text",
    "tx": "text",
    "multipart": "multipart",
}
_SUBTYPES: Final = {
    "pdf": "application/pdf",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "tiff": "image/tiff",
    "html": "text/html",
    "xml": "application/xml",
    "txt": "text/plain",
    "plain": "text/plain",
}
_SUBTYPE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}")


def is_document(obx: Segment) -> bool:
    """Whether an OBX carries a document."""
    return obx.first(2).upper() in _DOCUMENTS and bool(obx.elements(5))


def attachment_of(obx: Segment, title: str) -> Resource:
    """The Attachment of an ED: source^type^subtype^encoding^data. Raises MessageRefused for data that are not
    in the encoding which is named.
    """
    element = obx.elements(5)[0]
    kind, subtype, encoding = (element.component(number).lower() for number in (2, 3, 4))
    found: Resource = {"data": base64.b64encode(_content(element, encoding, obx)).decode()}
    if type_ := _content_type(kind, subtype):
        found["contentType"] = type_
    if title:
        found["title"] = title
    return found


def text_attachment(lines: Sequence[str], title: str) -> Resource:
    """Lines of a document as plain text."""
    data = base64.b64encode("\n".join(lines).encode()).decode()
    found: Resource = {"contentType": "text/plain; charset=utf-8", "data": data}
    return {**found, "title": title} if title else found


def _content(element: Element, encoding: str, obx: Segment) -> bytes:
    written = element.component(5)
    plain = "".join(written.split())
    try:
        if encoding == "base64":
            return base64.b64decode(plain, validate=True)
        if encoding == "hex":
            return bytes.fromhex(plain)
    except (binascii.Error, ValueError):
        raise refusal("AE", BAD_VALUE, "bad_document", obx.at(5)) from None
    if encoding not in ("a", ""):
        raise refusal("AE", BAD_VALUE, "bad_document", obx.at(5))
    return written.encode()


def _content_type(kind: str, subtype: str) -> str | None:
    if subtype in _SUBTYPES:
        return _SUBTYPES[subtype]
    if "/" in subtype and all(_SUBTYPE.fullmatch(one) for one in subtype.split("/", 1)):
        return subtype
    if kind in _KINDS and _SUBTYPE.fullmatch(subtype):
        return f"{_KINDS[kind]}/{subtype}"
    return None
