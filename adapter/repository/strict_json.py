"""FHIR's JSON, which is stricter than JSON (http://hl7.org/fhir/R4/json.html): a property may stand once in
an object, and a lone surrogate or a number of a million digits cannot be stored again. Pure.
"""

import codecs
import json
import re
from decimal import Decimal
from typing import Any, Final

import orjson

from adapter.fhir.codec import DuplicatePropertyError, unique_properties
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import RequestLimits, require_fitting_size

__all__ = ["BadNumberError", "parse_json", "parse_number", "require_printable"]

_LONGEST_NUMBER: Final = 60
_HIGHEST_EXPONENT: Final = 320  # HL7's example of decimals has 18 places and E-245
_ESCAPED_CONTROL: Final = re.compile(rb"\\u00(?:0[0-8bBcCeEfF]|1[0-9a-fA-F]|7[fF])")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


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
        require_printable(loose)
    try:
        return json.loads(
            body,
            parse_float=_decimal,
            parse_int=_integer,
            object_pairs_hook=unique_properties,
        )
    except BadNumberError:
        raise interaction_error(400, "value", "bad_number") from None
    except DuplicatePropertyError as error:
        raise interaction_error(400, "structure", "repeated_property", name=error.args[0]) from None
    except (ValueError, RecursionError):
        raise interaction_error(400, "structure", "not_json", line=1, column=1, problem="") from None


def parse_number(text: str) -> int | Decimal:
    """A number as it is written. Raises BadNumberError."""
    return _integer(text) if text.removeprefix("-").isdigit() else _decimal(text)


def require_printable(value: Any) -> None:
    """A FHIR string holds no control characters but tab, carriage return and line feed. Raises FhirError
    400.
    """
    if isinstance(value, str):
        if _CONTROL.search(value):
            raise interaction_error(400, "value", "control_in_text")
    elif isinstance(value, dict):
        for name, inner in value.items():
            require_printable(name)
            require_printable(inner)
    elif isinstance(value, list):
        for inner in value:
            require_printable(inner)


class BadNumberError(ValueError):
    """A number that no decimal of FHIR can hold."""


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    if len(text) > _LONGEST_NUMBER or not isinstance(exponent, int) or abs(exponent) > _HIGHEST_EXPONENT:
        raise BadNumberError
    return value


def _integer(text: str) -> int | Decimal:
    if len(text) > _LONGEST_NUMBER:
        raise BadNumberError
    return int(text) if len(text) <= 18 else Decimal(text)
