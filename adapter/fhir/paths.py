"""Paths of elements: as JSON steps, as text, and read from what servers write as FHIRPath (pure).

http://hl7.org/fhir/R4/fhirpath.html. Servers write one element in many ways:
`Bundle.entry[0].resource.ofType(Observation).value.unit`, `Observation.valueQuantity.unit`,
`(Observation.value as Quantity).unit`, `/f:Observation/f:valueQuantity/f:unit`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["Path", "leaf_values", "matching_paths", "parse_path", "path_text"]

Path = tuple[str | int, ...]

_TYPED = re.compile(r"\s+(?:as|is)\s+[\w.]+|\.(?:ofType|as|is|where|extension)\([^()]*\)")
_INSIDE = re.compile(r"^.*\bentry\[?\d*\]?\.resource\b\.?", re.IGNORECASE)
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")


def path_text(path: Path) -> str:
    """`("code", "coding", 1, "code")` as `code.coding[1].code`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def leaf_values(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every leaf of a FHIR JSON value with its path, in order."""
    if isinstance(value, dict | list):
        for step, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaf_values(part, (*path, step))
    else:
        yield path, value


def parse_path(expression: str, resource_type: str) -> Path | None:
    """The steps of an expression inside its resource, `()` for the resource itself; None when it is no
    path. Type filters and what is before the resource (`Bundle.entry[0].resource`) are left out.
    """
    from_one = expression.strip().startswith("/")  # XPath counts from 1
    text = re.sub(r"/\*.*?\*/", "", expression).strip()  # the Java validator names the entry's resource so
    text = re.sub(r"/(?:\w+:)?", ".", text).strip(".")
    text = _INSIDE.sub("", _TYPED.sub("", text).replace("(", "").replace(")", ""))
    if re.fullmatch(r"Bundle(?:\.entry(?:\[\d+\])?)?(?:\.resource)?", text, re.IGNORECASE):
        return ()
    if not re.fullmatch(r"[\w.\[\]]*", text):
        return None
    parts = [part for part in text.split(".") if part]
    if parts and parts[0].split("[")[0].casefold() == resource_type.casefold():
        parts = parts[1:]
    steps: list[str | int] = []
    for part in parts:
        found = _STEP.fullmatch(part)
        if found is None:
            return None
        steps.append(found[1])
        if found[2] is not None:
            steps.append(int(found[2]) - from_one)
    return tuple(steps)


def matching_paths(steps: Path, paths: Iterable[Path], *, around: bool = False) -> list[Path]:
    """The paths at or under `steps`; with `around`, where there are none, of the nearest element around.

    Letter case and a choice's type (`value`, `valueQuantity`) do not matter, an index only where both
    have one: `name.given` means every given name, `code[0]` the one code.
    """
    listed = list(paths)
    for length in range(len(steps), 0 if around else len(steps) - 1, -1):
        found = [path for path in listed if _leads(steps[:length], path)]
        if found:
            return found
    return []


def _leads(steps: Path, path: Path) -> bool:
    at = 0
    for number, step in enumerate(steps):
        if isinstance(step, int):
            if at < len(path) and isinstance(path[at], int):
                if path[at] != step:
                    return False
                at += 1
            continue
        if number and at < len(path) and isinstance(path[at], int):
            at += 1  # no index was written: any will do
        if at >= len(path) or not _same(step, path[at]):
            return False
        at += 1
    return True


def _same(written: str, step: str | int) -> bool:
    """Whether a written name means an element: `value` means `valueQuantity` too, `Value` means `value`."""
    if isinstance(step, int) or not step.casefold().startswith(written.casefold()):
        return False
    rest = step[len(written) :]
    return not rest or rest[0].isupper()
