"""The formats of FHIR R4's primitives (http://hl7.org/fhir/R4/datatypes.html#primitive) and of references.

The expressions are R4's own, with two additions of its text: a date must exist, and a text should hold
something else than white space, which is only a warning (`is_blank`).
"""

import math
import re
from calendar import monthrange
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

__all__ = [
    "PRIMITIVES",
    "TEXTS",
    "is_absolute",
    "is_base64",
    "is_blank",
    "is_code",
    "is_date",
    "is_date_time",
    "is_dense_base64",
    "is_id",
    "is_instant",
    "is_string",
    "is_time",
    "is_uri",
    "read_reference",
    "target_of",
]

_YEAR: Final = r"(?!0000)[0-9]{4}"
_DAY: Final = r"-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
_ZONE: Final = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_DATE: Final = re.compile(rf"{_YEAR}(?:-(?:0[1-9]|1[0-2])|{_DAY})?").fullmatch
_INSTANT: Final = re.compile(f"{_YEAR}{_DAY}T{_CLOCK}{_ZONE}").fullmatch
_TIME: Final = re.compile(_CLOCK).fullmatch
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}").fullmatch
# with re.ASCII, since XML's white space is meant, not the no-break spaces of Unicode
_CODE: Final = re.compile(r"\S+(?: \S+)*", re.ASCII).fullmatch
_TEXT: Final = re.compile(r"[ \r\n\t\S]+", re.ASCII).fullmatch
_UUID_FORM: Final = r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OID_FORM: Final = r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+"
_UUID: Final = re.compile(_UUID_FORM).fullmatch
_OID: Final = re.compile(_OID_FORM).fullmatch
# what calls itself a UUID or an OID is one, with what a canonical may have after it
_URI: Final = re.compile(
    rf"(?!urn:(?:uuid|oid):)\S+|(?:{_UUID_FORM}|{_OID_FORM})(?:[|#?/]\S*)?", re.ASCII
).fullmatch
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+", re.ASCII).fullmatch
_BASE64: Final = re.compile(r"[0-9A-Za-z+/]*={0,2}").fullmatch
_REFERENCE: Final = re.compile(
    r"(?:[a-z][a-z0-9+.\-]*://\S+/)?([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?"
    r"|([A-Z][A-Za-z]+)\?[^\s=]+=\S+"
    r"|urn:(?:uuid|oid):[0-9A-Za-z.\-]+|[a-z][a-z0-9+.\-]*://\S+|#\S*"
).fullmatch

_MOST_CHARACTERS: Final = 1024 * 1024  # of a string; datatypes.html#string
_SMALLEST, _LARGEST = -(2**31), 2**31 - 1


def is_date(value: str) -> bool:
    """`YYYY`, `YYYY-MM` or `YYYY-MM-DD` of a day that exists."""
    return _DATE(value) is not None and _exists(value)


def is_date_time(value: str) -> bool:
    """A date, or a date with a time to the second and an offset."""
    return is_instant(value) if "T" in value else is_date(value)


def is_instant(value: str) -> bool:
    """A full date with a time to the second and an offset."""
    return _INSTANT(value) is not None and _exists(value)


def _exists(value: str) -> bool:
    """Whether the day is one of its month's; every month has 28."""
    return value[8:10] <= "28" or int(value[8:10]) <= monthrange(int(value[:4]), int(value[5:7]))[1]


def is_time(value: str) -> bool:
    """`hh:mm:ss`, without an offset."""
    return _TIME(value) is not None


def is_id(value: str) -> bool:
    """Letters, digits, `-` and `.`, 64 at most."""
    return _ID(value) is not None


def is_code(value: str) -> bool:
    """No white space at either end, single spaces inside, and no other white space."""
    return _CODE(value) is not None


def is_uri(value: str) -> bool:
    """No white space; also url and canonical. A `urn:uuid:` or `urn:oid:` must be a whole one."""
    return _URI(value) is not None


def is_absolute(value: str) -> bool:
    """A URI that begins with a scheme (RFC 3986 section 4.3)."""
    return _ABSOLUTE(value) is not None


def is_string(value: str) -> bool:
    """Something else than white space, a million characters at most, no control characters."""
    # The quick way to say yes: no white space but the space is printable, and it stands before "!".
    if value > "!" and value.isprintable() and len(value) <= _MOST_CHARACTERS:
        return True
    if not value or value.isspace() or len(value) > _MOST_CHARACTERS:
        return False
    return _TEXT(value) is not None and _has_no_controls(value)


def is_blank(value: str) -> bool:
    """White space only, which R4 advises against in a string and does not forbid."""
    return value.isspace() and len(value) <= _MOST_CHARACTERS and _has_no_controls(value)


def _has_no_controls(value: str) -> bool:
    """Neither control characters nor half a surrogate pair, which no UTF-8 can hold."""
    return not any(
        (character < " " and character not in "\t\r\n") or "\ud800" <= character <= "\udfff"
        for character in value
    )


def is_base64(value: str) -> bool:
    """Base 64 with its padding; white space between is allowed, and nothing else."""
    if is_dense_base64(value):
        return True
    dense = "".join(value.split())
    return dense != value and is_dense_base64(dense)


def is_dense_base64(value: str) -> bool:
    """Base 64 without any white space, as RFC 4648 has it and most readers want it."""
    return value != "" and len(value) % 4 == 0 and _BASE64(value) is not None


def target_of(reference: str) -> str | None:
    """The type that a literal or conditional reference points to; None where it does not say."""
    return read_reference(reference)[1]


def read_reference(value: str) -> tuple[bool, str | None]:
    """Whether it is a reference (literal, absolute, conditional such as `Patient?identifier=…`, `urn:uuid:`
    or contained `#id`), and its `target_of`.
    """
    match = _REFERENCE(value)
    return (False, None) if match is None else (True, match[1] or match[2])


def _is_boolean(value: object) -> bool:
    return type(value) is bool


def _is_integer(value: object) -> bool:
    return type(value) is int and _SMALLEST <= value <= _LARGEST


def _is_unsigned(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LARGEST


def _is_positive(value: object) -> bool:
    return type(value) is int and 0 < value <= _LARGEST


def _is_decimal(value: object) -> bool:
    if type(value) is int:
        return True
    return isinstance(value, Decimal | float) and math.isfinite(value)


def _texts(is_right: Callable[[str], bool]) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and is_right(value)


# Of primitives that are texts in JSON: whether a text is one.
TEXTS: Final[dict[str, Callable[[str], bool]]] = {
    "string": is_string,
    "markdown": is_string,
    "xhtml": lambda value: not value.isspace() and value != "",
    "code": is_code,
    "id": is_id,
    "uri": is_uri,
    "url": is_uri,
    "canonical": is_uri,
    "oid": lambda value: _OID(value) is not None,
    "uuid": lambda value: _UUID(value) is not None,
    "date": is_date,
    "dateTime": is_date_time,
    "instant": is_instant,
    "time": is_time,
    "base64Binary": is_base64,
}

# By primitive: whether a JSON value is one, and the text that says what was expected.
PRIMITIVES: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "boolean": (_is_boolean, "validation.not_boolean"),
    "integer": (_is_integer, "validation.not_integer"),
    "unsignedInt": (_is_unsigned, "validation.not_unsigned"),
    "positiveInt": (_is_positive, "validation.not_positive"),
    "decimal": (_is_decimal, "validation.not_number"),
    "string": (_texts(TEXTS["string"]), "validation.bad_text"),
    "markdown": (_texts(TEXTS["markdown"]), "validation.bad_text"),
    "xhtml": (_texts(TEXTS["xhtml"]), "validation.bad_text"),
    "code": (_texts(TEXTS["code"]), "validation.not_code"),
    "id": (_texts(TEXTS["id"]), "validation.not_id"),
    "uri": (_texts(TEXTS["uri"]), "validation.not_uri"),
    "url": (_texts(TEXTS["url"]), "validation.not_uri"),
    "canonical": (_texts(TEXTS["canonical"]), "validation.not_uri"),
    "oid": (_texts(TEXTS["oid"]), "validation.not_oid"),
    "uuid": (_texts(TEXTS["uuid"]), "validation.not_uuid"),
    "date": (_texts(TEXTS["date"]), "validation.not_date"),
    "dateTime": (_texts(TEXTS["dateTime"]), "validation.not_date_time"),
    "instant": (_texts(TEXTS["instant"]), "validation.not_instant"),
    "time": (_texts(TEXTS["time"]), "validation.not_time"),
    "base64Binary": (_texts(TEXTS["base64Binary"]), "validation.not_base64"),
}
