"""What an expression gave, as FHIR's JSON takes it: without empty parts."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from jinja2 import Undefined

__all__ = ["SharedObject", "SplicedItems", "pruned", "shared_object"]

_WHOLE = 2**63  # what JSON is written with here takes no larger whole number, and FHIR has none


class SplicedItems(list[Any]):
    """What a `$each` made: its items join the list around it."""


class SharedObject(dict[str, Any]):
    """An object without empty parts that many resources share: nobody changes what is in it."""


def shared_object(value: Mapping[str, Any]) -> SharedObject:
    """The object, pruned once for all that will hold it."""
    return SharedObject(_pruned_fields(value) or {})


def pruned(value: Any) -> Any:
    """The value without empty parts, copied; None when nothing is left (FHIR JSON has no empty values).

    Raises TypeError for what is not a FHIR JSON value, such as a date that met no verb.
    """
    if type(value) is str:  # most values; the rest of the text types come below
        return value if value and not value.isspace() else None
    if isinstance(value, str):
        return str(value) if value and not value.isspace() else None
    if isinstance(value, SharedObject):
        return dict(value) or None
    if isinstance(value, dict):
        return _pruned_fields(value)
    if isinstance(value, list | tuple):
        return _pruned_list(value)
    if value is None or isinstance(value, Undefined):
        return None
    if isinstance(value, bool | Decimal) or (isinstance(value, int) and -_WHOLE <= value < _WHOLE):
        return value
    raise TypeError(f"{type(value).__name__} is not a FHIR value")


def _pruned_fields(value: Mapping[str, Any]) -> dict[str, Any] | None:
    kept: dict[str, Any] = {}
    for key, item in value.items():
        if item is None:
            continue
        kind = type(item)  # a call for each text and object would be most of all calls
        if kind is str:
            part = item if item and not item.isspace() else None
        elif kind is dict:
            part = _pruned_fields(item)
        elif kind is SharedObject:
            part = dict(item) or None
        else:
            part = pruned(item)
        if part is not None:
            kept[key] = part
    return kept or None


def _pruned_list(value: Iterable[Any]) -> list[Any] | None:
    kept: list[Any] = []
    for item in value:
        if isinstance(item, SplicedItems):
            kept.extend(part for each in item if (part := pruned(each)) is not None)
        elif (part := pruned(item)) is not None:
            kept.append(part)
    return kept or None
