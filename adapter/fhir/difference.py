"""What differs between two versions of a resource, element by element (pure).

Paths are FHIRPath with the positions of repeated elements (`Observation.code.coding[1].code`), those of
the later version where there is one.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Any

from adapter.fhir.codec import Resource, dumps

__all__ = ["Difference", "differences", "without_positions"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One plain value that differs: text as FHIR JSON has it, None where there is none."""

    path: str
    before: str | None
    after: str | None


def differences(before: Resource | None, after: Resource | None) -> list[Difference]:
    """Every plain value that differs; of a resource that is new or gone, every one there is."""
    known = after or before or {}
    return list(_walk(str(known.get("resourceType", "")), before, after))


def without_positions(path: str) -> str:
    """The path of the element whichever repetition it is: `Observation.code.coding.code`."""
    return re.sub(r"\[\d+\]", "", path)


def _walk(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            yield from _walk(f"{path}.{name}", before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(path, before, after)
    elif isinstance(before, dict | list) or isinstance(after, dict | list):
        yield from (Difference(at, value, None) for at, value in _leaves(path, before))
        yield from (Difference(at, None, value) for at, value in _leaves(path, after))
    elif (said := _said(before)) != (says := _said(after)):
        yield Difference(path, said, says)


def _lists(path: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[Difference]:
    """Items of lists of one length by position; else what was put in or taken out between the rest."""
    if len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _walk(f"{path}[{index}]", one, other)
        return
    old, new = [dumps(item) for item in before], [dumps(item) for item in after]
    for tag, start, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        both = min(end - start, last - first)
        for offset in range(both):
            yield from _walk(f"{path}[{first + offset}]", before[start + offset], after[first + offset])
        for index in range(start + both, end):
            yield from _walk(f"{path}[{index}]", before[index], None)
        for index in range(first + both, last):
            yield from _walk(f"{path}[{index}]", None, after[index])


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(f"{path}.{name}", item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(f"{path}[{index}]", item)
    elif value is not None:
        yield path, _said(value) or ""


def _said(value: Any) -> str | None:
    """A plain value as it goes out: 5.30 and 5.3 are two."""
    if value is None or isinstance(value, str):
        return value
    return dumps(value).decode() if isinstance(value, bool | int | Decimal) else str(value)
