"""The few verbs that predicates are made of, after FHIRPath's functions of like name."""

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

__all__ = [
    "UCUM",
    "Json",
    "Predicate",
    "choice_exists",
    "count",
    "distinct",
    "each",
    "has",
    "has_coding",
    "not_after",
    "one_of",
    "ordered",
    "quantity_value",
]

Json = dict[str, Any]
Predicate = Callable[[Any], bool]

UCUM = "http://unitsofmeasure.org"


def has(element: Json, name: str) -> bool:
    """`name.exists()`: a value, or the extensions that stand in its place."""
    return name in element or "_" + name in element


def count(element: Json, *names: str) -> int:
    """How many of single elements exist."""
    return sum(has(element, name) for name in names)


def choice_exists(element: Json, choice: str) -> bool:
    """`choice.exists()` of a choice of types: `valueQuantity` for "value"."""
    return any(name.startswith((choice, "_" + choice)) for name in element)


def each(element: Json, *names: str) -> list[Json]:
    """The objects along `names`, lists opened: `each(bundle, "entry", "resource")`."""
    found = [element]
    for name in names:
        found = [child for one in found if isinstance(one, dict) for child in _listed(one.get(name))]
    return [one for one in found if isinstance(one, dict)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def one_of(value: object, *allowed: str) -> bool:
    """Whether a code is one of these."""
    return isinstance(value, str) and value in allowed


def has_coding(element: Json, name: str, system: str, *codes: str) -> bool:
    """Whether the concept `name` has a coding of `system` with one of `codes`."""
    return any(
        one.get("system") == system and one.get("code") in codes for one in each(element, name, "coding")
    )


def distinct(values: Iterable[Hashable]) -> bool:
    """`isDistinct()`."""
    listed = list(values)
    return len(listed) == len(set(listed))


def quantity_value(quantity: Json) -> Decimal | None:
    """The value of a quantity, None without one."""
    value = quantity.get("value")
    return None if value is None else Decimal(str(value))


def ordered(low: Json, high: Json) -> bool:
    """`low <= high` for quantities; true where they cannot be compared, being of different units."""
    if any(low.get(name) != high.get(name) for name in ("system", "code", "unit")):
        return True
    smaller, larger = quantity_value(low), quantity_value(high)
    return smaller is None or larger is None or smaller <= larger


def not_after(start: object, end: object) -> bool:
    """`start <= end` for dates and date-times; true unless it is certainly not so.

    Where one is less precise, or has no offset, only what both say is compared.
    """
    if not isinstance(start, str) or not isinstance(end, str):
        return True
    if "T" in start and "T" in end:
        return _moment(start) <= _moment(end)
    digits = min(len(start), len(end), 10)
    return start[:digits] <= end[:digits]


def _moment(text: str) -> datetime:
    # a leap second is no moment that Python knows
    return datetime.fromisoformat(
        text[:17] + text[17:].replace("60", "59", 1) if text[17:19] == "60" else text
    )
