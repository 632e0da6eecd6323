"""All that leaves in a year, and all golden resources, are valid for every validator there is.

medplum and `fhir.resources` read every resource. HAPI, which takes some milliseconds for each, reads
every golden resource, one of each shape of the year (the same elements, codes, systems and units; only
free values differ), and 3,000 more, drawn by a fixed seed.
"""

import random
from functools import cache
from typing import Any

from conformance.export import fixtures, sample_year
from conformance.validators import hapi, is_refused_by_models, medplum, resolved

from adapter.fhir import codec
from adapter.fhir.validation.checker import check_resource

DRAWN = 3000
_TELLING = frozenset(
    (
        *("code", "comparator", "gender", "intent", "mode", "resourceType", "role"),
        *("status", "system", "type", "unit", "url", "use"),
    )
)


@cache
def year() -> tuple[bytes, ...]:
    return tuple(map(resolved, sample_year()))


def shape(value: Any, name: str = "") -> object:
    """Equal for resources that differ in free values only."""
    if isinstance(value, dict):
        return tuple((key, shape(part, key)) for key, part in sorted(value.items()))
    if isinstance(value, list):
        return tuple(sorted({shape(part, name) for part in value}, key=repr))
    return value if name in _TELLING else type(value).__name__


def of_each_shape() -> list[bytes]:
    return list({shape(codec.loads(line)): line for line in year()}.values())


def wrong(lines: list[bytes], answers: list[list[str]]) -> list[tuple[str, list[str]]]:
    found = [(line.decode(), answer) for line, answer in zip(lines, answers, strict=True) if answer]
    return found[:5]


def test_the_year_is_whole() -> None:
    assert len(year()) > 60_000
    assert len(of_each_shape()) > 150


def test_for_medplum(figures: list[str]) -> None:
    lines = [*map(resolved, fixtures()), *year()]
    assert wrong(lines, medplum(lines)) == []
    figures.append(f"valid for medplum: {len(lines)} resources that leave")


def test_for_hapi(figures: list[str]) -> None:
    draw = random.Random("hapi")  # noqa: S311 - the same ones each time
    shapes = of_each_shape()
    lines = [*map(resolved, fixtures()), *shapes, *draw.sample(year(), DRAWN)]
    assert wrong(lines, hapi(lines)) == []
    figures.append(f"valid for HAPI: {len(lines)} resources that leave, of all {len(shapes)} shapes")


def test_for_the_models_and_the_checker(figures: list[str]) -> None:
    lines = [*map(resolved, fixtures()), *year()]
    resources = [codec.loads(line) for line in lines]
    refused = [
        one
        for one in resources
        if is_refused_by_models(one) or any(issue.is_error for issue in check_resource(one))
    ]
    assert refused[:3] == []
    figures.append(f"valid for the checker and for fhir.resources: {len(lines)} resources that leave")
