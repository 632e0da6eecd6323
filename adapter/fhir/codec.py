"""JSON as FHIR R4 wants it: decimals keep their digits, bytes are the same for the same content.

`loads` gives `decimal.Decimal` for numbers with a point or exponent, so `5.30` stays `5.30`
(http://hl7.org/fhir/R4/datatypes.html#decimal); `dumps` writes them back digit for digit.
"""

import codecs
import json
from collections import Counter
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import orjson

__all__ = [
    "DuplicatePropertyError",
    "Resource",
    "SerialisedElements",
    "digest",
    "dumps",
    "is_worth_caching",
    "join_elements",
    "loads",
    "loads_strictly",
    "plain_decimal",
    "serialise_elements",
    "unique_properties",
]

Resource = dict[str, Any]
SerialisedElements = dict[str, bytes]  # the elements of a resource, each serialised by itself

_DIGITS_OF_64_BITS = 19
_MAX_EXPONENT = 1000
_LONGEST_PLAIN = 60  # places before or after the point: 1e999999999 would be a gigabyte of zeros


def plain_decimal(value: Decimal) -> str:
    """The decimal without an exponent, digits kept: Decimal("1E+2") is "100". One so large or small that it
    would be zeros for the most part keeps its exponent, as it was written.
    """
    is_long = max(value.adjusted(), -value.adjusted()) > _LONGEST_PLAIN
    return str(value) if is_long else format(value, "f")


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(plain_decimal(value))
    raise TypeError(f"{type(value).__name__} is not a FHIR JSON value")


def dumps(value: Any) -> bytes:
    """UTF-8 JSON in the order given, no white space. Raises TypeError for what JSON cannot hold."""
    return orjson.dumps(value, default=_default)


def serialise_elements(resource: Resource) -> SerialisedElements:
    """Each element serialised by itself: most are the same in many resources, and need be looked at once.
    Raises TypeError like `dumps`.
    """
    return {name: dumps(value) for name, value in resource.items()}


def is_worth_caching(name: str, value: object) -> bool:
    """Whether an element may be the same in other resources, and takes longer to look at than to remember:
    no plain value, and nothing that says whose it is.
    """
    one = value[0] if isinstance(value, list) and value else value
    return isinstance(one, dict) and "reference" not in one and name != "identifier"


def join_elements(parts: SerialisedElements) -> bytes:
    """The bytes that `dumps` gives of the resource with these elements."""
    return orjson.dumps({name: orjson.Fragment(part) for name, part in parts.items()})


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if ("e" in text or "E" in text) and abs(number.adjusted()) > _MAX_EXPONENT:
        raise ValueError("a number is too large or too small to be written out")
    return number


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) < _DIGITS_OF_64_BITS and text != "-0" else Decimal(text)


def loads(data: bytes | str) -> Any:
    """Parse JSON; decimals become Decimal, and so do whole numbers that `dumps` could not write as int.

    Raises ValueError (bad JSON, NaN, bad UTF-8, an exponent beyond all reason) or RecursionError.
    """
    return json.loads(data, parse_float=_decimal, parse_int=_whole, parse_constant=_refuse_constant)


class DuplicatePropertyError(ValueError):
    """A property that an object has twice, of which readers would take either; `args[0]` is its name."""


def unique_properties(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these properties. Raises DuplicatePropertyError where one is there twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        counted = Counter(name for name, _ in pairs)
        raise DuplicatePropertyError(next(name for name in counted if counted[name] > 1)[:60])
    return found


def loads_strictly(data: bytes) -> Any:
    """Parse FHIR's JSON, which is stricter than JSON: UTF-8 only, and a property once in an object
    (http://hl7.org/fhir/R4/json.html). A byte order mark is skipped, as editors write one.

    Raises UnicodeDecodeError, json.JSONDecodeError, DuplicatePropertyError, ValueError (a number beyond all
    reason)
    or RecursionError.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    text = data.decode()
    if b"\\ud" in data or b"\\uD" in data:
        orjson.loads(data)  # refuses half a surrogate pair, which `json` reads and nobody can write
    return json.loads(
        text,
        parse_float=_decimal,
        parse_int=_whole,
        parse_constant=_refuse_constant,
        object_pairs_hook=unique_properties,
    )


def digest(data: bytes) -> str:
    """Content hash of serialised bytes, 32 hexadecimal characters."""
    return blake2b(data, digest_size=16).hexdigest()
