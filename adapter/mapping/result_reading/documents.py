"""Documents that come with a result: attachments and what can be told of them, the narrative as text."""

import base64
import binascii
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from adapter.fhir import document_facts
from adapter.fhir.codec import digest
from adapter.mapping.result_reading.elements import as_objects, as_text
from adapter.result_content import DocumentSignature, ResultAttachment

__all__ = ["as_attachment", "narrative_text"]

_LINES = frozenset(
    ("p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "dt", "hr", "pre")
)
_STRUCK = frozenset(("del", "s", "strike"))
_CELLS = frozenset(("td", "th", "dd"))
_TEXT_TYPES = ("text/plain", "text/markdown", "text/csv")
_MARKUP_TYPES = ("text/html", "application/xhtml+xml")


def as_attachment(attachment: dict[str, Any], place: str) -> ResultAttachment | None:
    """An Attachment, or a Binary that one leads to; None where it says nothing at all."""
    type_ = as_text(attachment.get("contentType"))
    data, bad = _bytes(attachment.get("data"))
    facts = document_facts.read_facts(attachment)
    made = ResultAttachment(
        place=place,
        content_type=type_,
        title=as_text(attachment.get("title")),
        language=as_text(attachment.get("language")),
        created=as_text(attachment.get("creation")),
        url=as_text(attachment.get("url")),
        size=len(data) if data is not None else _size(attachment.get("size")),
        digest=digest(data) if data is not None else None,
        text=_text(data, type_) if data is not None else None,
        unreadable=bad,
        remarks=facts.remarks if facts else (),
        signatures=tuple(map(_signature, facts.signatures)) if facts else (),
    )
    return made if made != ResultAttachment(place=place) else None


def _signature(one: document_facts.DocumentSignature) -> DocumentSignature:
    return DocumentSignature(
        state=one.state,
        signer=one.signer or None,
        issuer=one.issuer or None,
        signed_at=one.signed_at or None,
        is_stamped=one.is_stamped,
        trust=one.trust or None,
    )


def _bytes(data: object) -> tuple[bytes | None, bool]:
    """What base64 says (blanks in it are allowed, see http://hl7.org/fhir/R4/datatypes.html#base64Binary)."""
    if not isinstance(data, str) or not data.strip():
        return None, False
    try:
        return base64.b64decode("".join(data.split()), validate=True), False
    except (binascii.Error, ValueError):
        return None, True


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(data: bytes, content_type: str | None) -> str | None:
    kind, _, parameters = (content_type or "").casefold().partition(";")
    if kind.strip() not in (*_TEXT_TYPES, *_MARKUP_TYPES):
        return None
    _, _, charset = parameters.partition("charset=")
    for encoding in (charset.strip(' "') or "utf-8", "utf-8"):
        try:
            said = data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        return _without_markup(said) if kind.strip() in _MARKUP_TYPES else said.replace("\x00", "").strip()
    return None


def narrative_text(resource: dict[str, Any]) -> str | None:
    """The narrative without its mark-up, a line for each paragraph or row; None where there is none."""
    for text in as_objects(resource.get("text")):
        if div := as_text(text.get("div")):
            return _without_markup(div) or None
    return None


class _Lines(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "script"):
            self._hidden += 1
        elif tag in _LINES:
            self.parts.append("\n")
        elif tag in _CELLS:
            self.parts.append(" | ")
        elif tag in _STRUCK:
            self.parts.append("[-")  # struck out: it must not read as if it were said
        elif tag == "img":
            self.parts.append(f"[{dict(attrs).get('alt') or 'img'}]")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self._hidden = max(0, self._hidden - 1)
        elif tag in _LINES:
            self.parts.append("\n")
        elif tag in _STRUCK:
            self.parts.append("-]")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(" ".join(data.split("\n")) if data.strip() else " ")


def _without_markup(text: str) -> str:
    reader = _Lines()
    reader.feed(text)
    reader.close()
    return "\n".join(_lines("".join(reader.parts).replace("\x00", "")))


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if said := " ".join(line.split()).removeprefix("| ").strip():
            yield said
