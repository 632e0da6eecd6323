"""R4's search parameters (http://hl7.org/fhir/R4/searchparameter-registry.html), compiled.

`search.json` is made by `generate_search` and checked in: by resource type and code, the parameter's type,
the FHIRPath expressions, and the types that a reference leads to. They use a small part of FHIRPath: paths,
`as`, `where(field='x')`, `where(resolve() is X)` and one `exists()`. They become *sources*: the JSON paths to
look at. Two parameters that look at the same path share a source, so it is indexed once.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from adapter.fhir.definitions.types import Element, elements, is_resource_type

__all__ = [
    "SEARCH_FILE",
    "ElementPath",
    "SearchParameter",
    "SearchSource",
    "search_parameters_of",
    "short_name",
]

SEARCH_FILE: Final = Path(__file__).with_name("search.json")

_CAST: Final = re.compile(r"\.as\((\w+)\)")
_OUTER_CAST: Final = re.compile(r"\(([\w.]+) as (\w+)\)(.*)")
_TARGET: Final = re.compile(r"\.where\(resolve\(\) is (\w+)\)$")
_FILTER: Final = re.compile(r"\.where\((\w+) ?= ?'([^']+)'\)")
_TRUTH: Final = re.compile(r"([\w.]+)\.exists\(\) and \1 != false")
_LONGEST: Final = 32  # of a source's name


@dataclass(frozen=True, slots=True)
class ElementPath:
    """One way through a resource's JSON: property names, the last element, and what must stand on the way
    (`filters`: after so many steps, this property has this value).
    """

    steps: tuple[str, ...]
    element: Element
    filters: tuple[tuple[int, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SearchSource:
    """What is indexed together under one name: `kind` is a search type, or "truth" (there, and not false).

    `parts` are the further paths of a composite, seen from where `paths` end, each with its search type.
    """

    name: str
    kind: str
    paths: tuple[ElementPath, ...]
    parts: tuple[tuple[str, tuple[ElementPath, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """A search parameter of one type: where it looks, and of a reference, what it may lead to.

    `system` is what a token's system must be besides (phone: "phone"). Of a composite, `components` are the
    parameters whose values are asked together; `of_resource`: whether the resource may have one in each.
    """

    code: str
    kind: str
    sources: tuple[SearchSource, ...]
    targets: tuple[str, ...] = ()
    system: str | None = None
    components: tuple["SearchParameter", ...] = ()
    of_resource: bool = False


@cache
def _table(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SEARCH_FILE.read_bytes())[part]
    return found


def summary_elements(resource_type: str) -> frozenset[str]:
    """The elements of a type that HL7 calls its summary, a choice without its type."""
    return frozenset(_table("summary").get(resource_type, ()))


@cache
def search_parameters_of(resource_type: str) -> dict[str, SearchParameter]:
    """The parameters of a type by code, those of every resource too, but `_id` and `_lastUpdated`."""
    listed = _table("parameters")
    said = {**listed["Resource"], **listed.get("DomainResource", {}), **listed.get(resource_type, {})}
    compiled = {
        code: _parameter(resource_type, code, one)
        for code, one in sorted(said.items())
        if code not in ("_id", "_lastUpdated")
    }
    return {code: one for code, one in compiled.items() if _is_usable(one)}


def _is_usable(parameter: SearchParameter) -> bool:
    """Whether all of it was understood: HL7 has a few with a function that nothing else uses."""
    if parameter.kind == "composite":
        return len(parameter.components) == 2 and all(map(_is_usable, parameter.components))
    return bool(parameter.sources) and all(source.paths for source in parameter.sources)


def _parameter(resource_type: str, code: str, said: dict[str, Any]) -> SearchParameter:
    kind = said["type"]
    if kind == "composite":
        return _composite(resource_type, code, said)
    sources, narrowed, system = [], set(), None
    for expression in said["expression"]:
        if target := _TARGET.search(expression):
            narrowed.add(target[1])
        source, wanted = _source(resource_type, kind, _TARGET.sub("", expression))
        system = system or wanted
        sources.append(source)
    targets = tuple(sorted(narrowed)) or tuple(said.get("targets", ()))
    return SearchParameter(code, kind, _unique(sources), targets, system)


def _unique(sources: list[SearchSource]) -> tuple[SearchSource, ...]:
    return tuple({one.name: one for one in sources}.values())


def _source(resource_type: str, kind: str, expression: str) -> tuple[SearchSource, str | None]:
    """The source of one expression, and the system that its values must have."""
    if truth := _TRUTH.fullmatch(expression):
        paths = _paths(resource_type, truth[1].split(".")[1:])
        return SearchSource(short_name("?" + truth[1].partition(".")[2]), "truth", paths), None
    text, system, filters = _plain(expression), None, {}
    while found := _FILTER.search(text):
        rest = text[found.end() :]
        if found[1] == "system" and not rest:
            system = found[2]
        else:
            filters[text[: found.start()].count(".")] = (found[1], found[2])
        text = text[: found.start()] + rest
    path = text.partition(".")[2]
    steps = path.split(".") if path else []
    name = path + "".join(f"?{value}" for _, value in filters.values())
    shown = f"~{name}" if kind == "string" else name
    return SearchSource(short_name(shown), kind, _paths(resource_type, steps, filters)), system


def _plain(expression: str) -> str:
    """The expression with a cast as a name of FHIR's JSON: `(Observation.value as Quantity)` is
    `Observation.valueQuantity`.
    """
    if outer := _OUTER_CAST.fullmatch(expression):
        expression = f"{outer[1]}.as({outer[2]}){outer[3]}"
    return _CAST.sub(lambda found: "!" + found[1][0].upper() + found[1][1:], expression).replace("!", "")


def _paths(
    type_name: str, steps: list[str], filters: dict[int, tuple[str, str]] | None = None
) -> tuple[ElementPath, ...]:
    """Every way through the JSON that the steps name: a choice without a cast has several."""
    ways: list[tuple[tuple[str, ...], Element | None]] = [((), None)]
    for step in steps:
        ways = [
            ((*taken, element.name), element)
            for taken, last in ways
            for element in elements((last.type or "") if last else type_name).values()
            if step in (element.name, element.fhirpath_name)
        ]
    placed = tuple((place, *said) for place, said in (filters or {}).items())
    return tuple(ElementPath(taken, last, placed) for taken, last in ways if last is not None)


def short_name(path: str) -> str:
    """A path as a name that the index takes: a long one is cut and told apart by hash."""
    if len(path) <= _LONGEST:
        return path
    return f"{path[: _LONGEST - 9]}#{blake2b(path.encode(), digest_size=4).hexdigest()}"


def _composite(resource_type: str, code: str, said: dict[str, Any]) -> SearchParameter:
    """Asked of the resource itself, a composite is its components together; of an element that repeats, it
    has sources of its own, which keep together what stands together.
    """
    of_resource = any(map(is_resource_type, said["expression"]))
    bases = [""] if of_resource else [base.partition(".")[2] for base in said["expression"]]
    components = tuple(_component(resource_type, bases, kind, text) for kind, text in said["components"])
    sources = []
    for base in said["expression"]:
        if is_resource_type(base):
            continue
        path = base.partition(".")[2]
        (here,) = _paths(resource_type, path.split("."))
        parts = tuple(
            (component.kind, _below(here.element.type or "", text))
            for component, (_, text) in zip(components, said["components"], strict=True)
        )
        written = "$".join(_plain(text) for _, text in said["components"])
        sources.append(SearchSource(short_name(f"{path}.{written}"), "composite", (here,), parts))
    return SearchParameter(code, "composite", tuple(sources), components=components, of_resource=of_resource)


def _below(type_name: str, expression: str) -> tuple[ElementPath, ...]:
    return tuple(
        one for way in expression.split("|") for one in _paths(type_name, _plain(way.strip()).split("."))
    )


def _component(resource_type: str, bases: list[str], kind: str, text: str) -> SearchParameter:
    """A component by itself, wherever the composite looks. HL7 gives one the type of the other: what its
    element is, counts.
    """
    ways = [
        ".".join(filter(None, (resource_type, base, _plain(way.strip()))))
        for base in bases
        for way in text.split("|")
    ]
    sources = [one for way in ways if (one := _source(resource_type, kind, way)[0]).paths]
    if kind == "reference" and all(path.element.type is None for one in sources for path in one.paths):
        kind = "token"
    elif kind == "token" and all(path.element.type == "Reference" for one in sources for path in one.paths):
        kind = "reference"
    return SearchParameter("", kind, tuple(sources))
