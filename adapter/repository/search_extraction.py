"""What a resource can be found by, taken out of its JSON by R4's search parameters. Pure; never raises,
whatever the JSON is.
"""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

from adapter.fhir.codec import Resource, digest
from adapter.fhir.definitions.search_parameters import (
    ElementPath,
    SearchSource,
    search_parameters_of,
    short_name,
)
from adapter.repository.search_values import FOREVER, date_span
from adapter.text_folding import fold_text

__all__ = [
    "IndexRow",
    "RangeRow",
    "extracted_rows",
    "folded",
    "index_value",
    "modified_name",
    "relative_reference",
]

_LONGEST: Final = (
    200  # an index entry of PostgreSQL has a limit; longer values are cut and told apart by hash
)
_NAME_PARTS: Final = ("text", "family", "given", "prefix", "suffix")
_ADDRESS_PARTS: Final = ("text", "line", "city", "district", "state", "postalCode", "country")
_LARGEST: Final = 1e300


class IndexRow(NamedTuple):
    """One thing to find a resource by. `system` is "" for references and for no system; of a string, `value`
    is folded and `system` as it is written.
    """

    name: str
    system: str
    value: str


class RangeRow(NamedTuple):
    """A span to find a resource by: instants in milliseconds since 1970 to before `high`, or numbers to
    `high`. `key` is what stands beside it in a composite.
    """

    name: str
    low: float
    high: float
    key: str = ""
    system: str = ""
    code: str = ""
    unit: str = ""


def index_value(value: str) -> str:
    """The form of `value` in the index: itself, or for a long one its beginning and hash."""
    return value if len(value) <= _LONGEST else value[:_LONGEST] + "#" + digest(value.encode())


def folded(text: str) -> str:
    """A string as searches compare it: without case and accents, and not longer than the index takes."""
    return fold_text(text)[:_LONGEST]


def relative_reference(reference: str, base: str | None) -> str:
    """`reference` without the server's own base and without a version."""
    if base and reference.startswith(base + "/"):
        reference = reference[len(base) + 1 :]
    return reference.partition("/_history/")[0]


def modified_name(name: str, modifier: str) -> str:
    """The name of the rows beside a source's own that a modifier asks."""
    return short_name(f"{name}:{modifier}")


def extracted_rows(resource: Resource, base: str | None) -> Iterator[IndexRow | RangeRow]:
    """Every row of every parameter. `base` is the server's own URL."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str):
        return
    by_property, truths = _sources(kind)
    for name in resource:
        for source, path in by_property.get(name, ()):
            for value in _values(resource, path):
                yield from _ROWS[source.kind](source, path, value, base)
    for source in truths:
        if not any(path.steps[0] in resource for path in source.paths):
            yield IndexRow(source.name, "", "false")


@cache
def _sources(
    resource_type: str,
) -> tuple[dict[str, list[tuple[SearchSource, ElementPath]]], tuple[SearchSource, ...]]:
    """The sources of a type by the property that their paths begin with, and those of kind "truth"."""
    found: dict[str, SearchSource] = {}
    for parameter in search_parameters_of(resource_type).values():
        for component in parameter.components if parameter.of_resource else ():
            found.update((source.name, source) for source in component.sources)
        found.update((source.name, source) for source in parameter.sources)
    by_property: dict[str, list[tuple[SearchSource, ElementPath]]] = {}
    for source in found.values():
        for path in source.paths:
            by_property.setdefault(path.steps[0], []).append((source, path))
    return by_property, tuple(source for source in found.values() if source.kind == "truth")


def _values(value: Any, path: ElementPath) -> Iterable[Any]:
    """What stands at the end of a path, lists unrolled."""
    level = [value]
    filters = {place: (name, wanted) for place, name, wanted in path.filters}
    for place, step in enumerate(path.steps, start=1):
        below = []
        for one in level:
            inner = one.get(step) if isinstance(one, dict) else None
            if isinstance(inner, list):
                below += inner
            elif inner is not None:
                below.append(inner)
        if place in filters:
            name, wanted = filters[place]
            below = [one for one in below if isinstance(one, dict) and one.get(name) == wanted]
        if not below:
            return ()
        level = below
    return level


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            yield one


# Tokens


def _codes(value: Any) -> Iterator[tuple[str, str]]:
    """(system, code) of each token in a value, "" for what is not said."""
    if isinstance(value, bool):
        yield "", "true" if value else "false"
    elif isinstance(value, str):
        yield "", value
    elif isinstance(value, dict) and "coding" in value:
        for coding in _dicts(value["coding"]):
            yield _text(coding.get("system")), _text(coding.get("code"))
    elif isinstance(value, dict):
        yield _text(value.get("system")), _text(value.get("code")) or _text(value.get("value"))


def _tokens(source: SearchSource, path: ElementPath, value: Any, _: str | None) -> Iterator[IndexRow]:
    for system, code in _codes(value):
        if code:
            yield IndexRow(source.name, index_value(system), index_value(code))
    if path.element.type == "Identifier" and isinstance(value, dict) and _text(value.get("value")):
        for system, code in _codes(value.get("type") if isinstance(value.get("type"), dict) else None):
            written = index_value(f"{system}|{code}")
            yield IndexRow(modified_name(source.name, "of-type"), written, index_value(value["value"]))


def _truth(source: SearchSource, _: ElementPath, value: Any, __: str | None) -> Iterator[IndexRow]:
    yield IndexRow(source.name, "", "false" if value is False else "true")


# Words


def _words(value: Any, element_type: str | None) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and element_type in ("HumanName", "Address"):
        for part in _NAME_PARTS if element_type == "HumanName" else _ADDRESS_PARTS:
            said = value.get(part)
            yield from (one for one in (said if isinstance(said, list) else [said]) if isinstance(one, str))


def _strings(source: SearchSource, path: ElementPath, value: Any, _: str | None) -> Iterator[IndexRow]:
    for text in _words(value, path.element.type):
        yield IndexRow(source.name, index_value(text), folded(text))


def _uris(source: SearchSource, _: ElementPath, value: Any, __: str | None) -> Iterator[IndexRow]:
    if isinstance(value, str):
        yield IndexRow(source.name, "", index_value(value))


# References


def _links(value: Any, base: str | None) -> Iterator[str]:
    if isinstance(value, str):  # a canonical, with the version that it may have and without
        yield value
        if "|" in value:
            yield value.partition("|")[0]
    elif isinstance(value, dict) and isinstance(reference := value.get("reference"), str):
        yield relative_reference(reference, base)


def _references(source: SearchSource, _: ElementPath, value: Any, base: str | None) -> Iterator[IndexRow]:
    for link in _links(value, base):
        yield IndexRow(source.name, "", index_value(link))
    if isinstance(value, dict) and isinstance(identifier := value.get("identifier"), dict):
        for system, code in _codes(identifier):
            if code:
                yield IndexRow(
                    modified_name(source.name, "identifier"), index_value(system), index_value(code)
                )


# Spans


def _span(value: Any, element_type: str | None) -> tuple[float, float] | None:
    """The instants that a date, a Period or a Timing covers."""
    if isinstance(value, str):
        return date_span(value)
    if not isinstance(value, dict):
        return None
    if element_type == "Timing":
        events = value.get("event")
        spans = [span for one in (events if isinstance(events, list) else []) if (span := _span(one, None))]
        repeat = value.get("repeat")
        bounds = repeat.get("boundsPeriod") if isinstance(repeat, dict) else None
        if isinstance(bounds, dict) and (span := _span(bounds, "Period")):
            spans.append(span)
        return (min(low for low, _ in spans), max(high for _, high in spans)) if spans else None
    start, end = _span(value.get("start"), None), _span(value.get("end"), None)
    if start is None and end is None:
        return None
    return (start[0] if start else -FOREVER, end[1] if end else FOREVER)


def _dates(source: SearchSource, path: ElementPath, value: Any, _: str | None) -> Iterator[RangeRow]:
    if span := _span(value, path.element.type):
        yield RangeRow(source.name, float(span[0]), float(span[1]))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    return float(value) if -_LARGEST < value < _LARGEST else None  # not a number is neither


def _numbers(source: SearchSource, _: ElementPath, value: Any, __: str | None) -> Iterator[RangeRow]:
    if (number := _number(value)) is not None:
        yield RangeRow(source.name, number, number)


def _quantities(source: SearchSource, path: ElementPath, value: Any, _: str | None) -> Iterator[RangeRow]:
    if not isinstance(value, dict):
        return
    if path.element.type == "Range":
        low, high = value.get("low"), value.get("high")
        ends = [_number(one.get("value") if isinstance(one, dict) else None) for one in (low, high)]
        said = low if isinstance(low, dict) else high if isinstance(high, dict) else {}
    else:
        number = _number(value.get("value"))
        comparator = value.get("comparator")
        ends = [None if comparator in ("<", "<=") else number, None if comparator in (">", ">=") else number]
        said = value
    if ends == [None, None]:
        return
    yield RangeRow(
        source.name,
        -FOREVER if ends[0] is None else ends[0],
        FOREVER if ends[1] is None else ends[1],
        system=index_value(_text(said.get("system"))),
        code=index_value(_text(said.get("code")) or _text(said.get("currency"))),
        unit=index_value(_text(said.get("unit"))),
    )


# Composites


def _composites(
    source: SearchSource, _: ElementPath, value: Any, base: str | None
) -> Iterator[IndexRow | RangeRow]:
    """What stands together: the first part is the key of the second, in each form that may be asked."""
    (first, second) = source.parts
    keys = list(_keys(first, value, base)) if first[0] in ("token", "reference", "uri") else []
    for path in second[1]:
        for inner in _values(value, path):
            for key in keys:
                if second[0] in ("token", "reference", "uri"):
                    for written in _key_forms(second[0], inner, base):
                        yield IndexRow(source.name, "", index_value(f"{key}${written}"))
                elif second[0] in ("quantity", "date", "number"):
                    for row in _ROWS[second[0]](source, path, inner, base):
                        if isinstance(row, RangeRow):
                            yield row._replace(key=index_value(key))


def _keys(part: tuple[str, tuple[ElementPath, ...]], value: Any, base: str | None) -> Iterator[str]:
    for path in part[1]:
        for inner in _values(value, path):
            yield from _key_forms(part[0], inner, base)


def _key_forms(kind: str, value: Any, base: str | None) -> Iterator[str]:
    if kind == "reference":
        yield from _links(value, base)
    else:
        for system, code in _codes(value):
            yield code
            yield f"{system}|{code}"


_ROWS: Final[
    dict[str, Callable[[SearchSource, ElementPath, Any, str | None], Iterator[IndexRow | RangeRow]]]
] = {
    "token": _tokens,
    "truth": _truth,
    "string": _strings,
    "uri": _uris,
    "reference": _references,
    "date": _dates,
    "number": _numbers,
    "quantity": _quantities,
    "composite": _composites,
}
