"""What of a refused request is not kept: header lines of a Subscription, which may hold a secret (pure).

No other element of FHIR R4 is called header, so whatever is called so is masked.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, Final

from adapter.fhir import codec
from adapter.fhir.xml.reader import loads_xml
from adapter.subscriptions.header import masked

__all__ = ["without_header_lines"]

_HEADER: Final = b"header"
_SUBSCRIPTION: Final = b"subscription"
_PATCH: Final = b"patch"  # which may be base64
_ESCAPE: Final = re.compile(rb"\\u00([4-7][0-9a-f])", re.IGNORECASE)  # as which JSON may write any letter
_WORD: Final = re.compile(r"(?<![a-z])headers?(?![a-z])", re.IGNORECASE)  # no MessageHeader
_NAME: Final = re.compile(r"\W*_*headers?\W*", re.IGNORECASE)
# Where it cannot be read: the value of whatever is called header, to its end or to that of the body.
_JSON: Final = re.compile(
    rb'"_?headers?"\s*:\s*(?:\[(?:[^\]"]|"(?:[^"\\]|\\.)*"?)*\]?|"(?:[^"\\]|\\.)*"?)',
    re.DOTALL | re.IGNORECASE,
)
_XML: Final = re.compile(rb"<(?:[\w.-]+:)?headers?\b[^>]*>?", re.DOTALL | re.IGNORECASE)


def without_header_lines(body: bytes) -> bytes:
    """The body with whatever is called header masked: as it came where nothing is. Empty where one may be in
    it that cannot be found: in another encoding, or in a patch.
    """
    zeroless = body.replace(b"\0", b"")  # letters of UTF-16 have a zero each
    folded = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), zeroless).lower()
    if _HEADER not in folded and _PATCH not in folded:
        return body
    is_named = _HEADER in folded and _SUBSCRIPTION in folded
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return b"" if is_named else body
    if zeroless != body:
        return b"" if is_named else body
    try:
        found = loads_xml(body) if body.lstrip()[:1] == b"<" else codec.loads_strictly(body)
        if isinstance(found, list):
            return b"" if _names_header(found) else body  # a JSON Patch
        if not _mask(found):
            return body
        is_patch = found.get("resourceType") == "Parameters" and "parameter" not in found
        return b"" if is_patch else codec.dumps(found)
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return _unread(body) if is_named else body


def _unread(body: bytes) -> bytes:
    """Nothing where a header may be left in it."""
    left = _XML.sub(b"", _JSON.sub(b"", body))
    return b"" if _ESCAPE.search(left) or _WORD.search(left.decode("utf-8", "replace")) else left


def _mask(node: Any) -> bool:
    """Mask in place; whether anything was to be masked."""
    if isinstance(node, list):
        return sum(map(_mask, node)) > 0  # all of them, not up to the first
    if not isinstance(node, dict):
        return False
    done = False
    for name in list(node):
        if not _NAME.fullmatch(name):
            done |= _mask(node[name])
            continue
        done, lines = True, node.pop(name)
        if isinstance(lines, list) and not name.startswith("_"):
            node[name] = [masked(one) if isinstance(one, str) else None for one in lines]
    for content in ("parameter", "data"):  # a patch, as Parameters or Binary
        if content in node and _is_patch_of_header(node, content):
            del node[content]
            done = True
    return done


def _is_patch_of_header(node: Any, content: str) -> bool:
    if content == "parameter":
        return any(_WORD.search(one) for one in _texts(node[content]))
    if "patch" not in str(node.get("contentType")).lower():
        return False
    try:
        return _names_header([b64decode(str(node[content])).decode("utf-8", "replace")])
    except ValueError:
        return True


def _names_header(node: Any) -> bool:
    text = codec.dumps(node).decode("utf-8", "replace")
    return _WORD.search(text) is not None or _ESCAPE.search(text.encode()) is not None


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _texts(one)
