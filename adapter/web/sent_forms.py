"""What a browser sends of a form: `application/x-www-form-urlencoded` or `multipart/form-data` (RFC 7578).
Pure.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl

from adapter.texts import OBEYED

__all__ = ["BadFormError", "SentForm", "parse_form"]

_MOST_FIELDS: Final = 200
_LONGEST_TEXT: Final = 20_000  # characters
_LONGEST_HEADER: Final = 2_000  # bytes of a part's
_BOUNDARY: Final = re.compile(r"""boundary=(?:"([^"\r\n]{1,70})"|([\w'+.:=?-]{1,70}))\s*(?:;|$)""", re.ASCII)
_NAME: Final = re.compile(rb'form-data;(?:.*;)?\s*name="([a-z0-9-]{1,40})"', re.IGNORECASE)
_FILE: Final = re.compile(rb";\s*filename\*?=", re.IGNORECASE)
_NEW_LINES: Final = re.compile(r"\r\n?")


class BadFormError(Exception):
    """It is no form that a browser makes of our pages."""


@dataclass(frozen=True, slots=True)
class SentForm:
    """The fields with what was written, trimmed; `file` is what was uploaded. Its name is not looked at: it
    may be a person's.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    file: bytes | None = None

    def get(self, name: str) -> str:
        """What was written in a field; "" where it is not there."""
        return self.fields.get(name, "")

    def digest(self, *around: str) -> str:
        """Names this content, sent in these circumstances: the same form sent twice has the same."""
        made = sha256()
        for text in (*around, *(f"{name}\x1e{value}" for name, value in sorted(self.fields.items()))):
            made.update(text.encode("utf-8", "surrogatepass") + b"\x1f")
        made.update(b"" if self.file is None else sha256(self.file).digest())
        return made.hexdigest()


def parse_form(content_type: str, body: bytes) -> SentForm:
    """The form in a body. Raises BadFormError."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return _urlencoded(body)
    boundary = _BOUNDARY.search(content_type) if kind == "multipart/form-data" else None
    if boundary is None:
        raise BadFormError
    return _multipart(body, (boundary[1] or boundary[2]).encode())


def _urlencoded(body: bytes) -> SentForm:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise BadFormError from None
    return SentForm(_fields(iter(pairs)))


def _multipart(body: bytes, boundary: bytes) -> SentForm:
    mark = b"\r\n--" + boundary
    whole = b"\r\n" + body
    if not whole.startswith(mark) or whole.count(mark) > _MOST_FIELDS + 1:
        raise BadFormError
    _, *parts, end = whole.split(mark)
    if end.strip() != b"--":
        raise BadFormError
    texts, file = [], None
    for part in parts:
        head, blank, _ = part[: _LONGEST_HEADER + 4].partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not blank or not part.startswith(b"\r\n") or name is None:
            raise BadFormError
        if _FILE.search(head) is None:
            if len(part) > 4 * _LONGEST_TEXT:
                raise BadFormError
            texts.append((name[1].decode(), part[len(head) + 4 :]))
        elif len(part) > len(head) + 4:  # an empty one is none that was chosen
            if file is not None:
                raise BadFormError
            file = part[len(head) + 4 :]
    try:
        return SentForm(_fields((name, text.decode()) for name, text in texts), file)
    except UnicodeDecodeError:
        raise BadFormError from None


def _fields(pairs: Iterator[tuple[str, str]]) -> dict[str, str]:
    """Each once, without what a terminal obeys. Raises BadFormError."""
    found: dict[str, str] = {}
    for name, value in pairs:
        text = _NEW_LINES.sub("\n", value).strip()
        if name in found or len(text) > _LONGEST_TEXT or OBEYED.search(text):
            raise BadFormError
        found[name] = text
    return found
