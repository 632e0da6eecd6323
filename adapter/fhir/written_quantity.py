"""Numbers as senders of other forms write them, as a Quantity. Pure."""

import re
from decimal import Decimal
from typing import Final

from adapter.fhir.codec import Resource

__all__ = ["compared_quantity", "is_number", "quantity"]

_NUMBER: Final = re.compile(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})", re.ASCII)
_COMPARED: Final = re.compile(r"(<=|>=|<|>)\s*(\S+)")


def is_number(written: str) -> bool:
    """Whether it is digits with a point."""
    return _NUMBER.fullmatch(written) is not None


def quantity(written: str, unit: Resource, comparator: str = "") -> Resource:
    """A Quantity, digit for digit; `unit` is what it says of its unit."""
    plain = written.lstrip("+")
    value: int | Decimal = int(plain) if plain.lstrip("-").isdigit() and len(plain) < 18 else Decimal(plain)
    compared = {"comparator": comparator} if comparator else {}
    return {"value": value, **compared, **unit}


def compared_quantity(written: str, unit: Resource) -> Resource | None:
    """A Quantity of a number, alone or behind a comparator (`<0.5`); None of anything else."""
    if is_number(written):
        return quantity(written, unit)
    compared = _COMPARED.fullmatch(written)
    if compared and is_number(compared[2]):
        return quantity(compared[2], unit, compared[1])
    return None
