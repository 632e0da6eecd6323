"""The model of people as hospitals name them: name, date of birth and sex, with weights of Vietnamese names.
Pure.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from math import log2
from pathlib import Path
from typing import Final

from adapter.linkage.birth_dates import compare_dates
from adapter.linkage.model import LinkageModel, Reading
from adapter.linkage.vietnamese_names import name_readings
from adapter.linkage.weights import Finding, Point, read_frequencies, read_weights, total_bits

__all__ = ["SEXES", "likeness", "people_model", "person_points", "prior_bits"]

SEXES: Final = ("male", "female")
_FOLDER: Final = Path(__file__).parent
_KINDS: Final = {"family": 100, "given": 400}  # different names that are in use and not listed


@cache
def people_model() -> LinkageModel:
    """The weights of the package's tables. Read once."""
    frequencies = read_frequencies((_FOLDER / "name_tokens.csv").read_text("utf-8"), _KINDS)
    frequencies["middle"] = frequencies["given"]  # middle tokens are words that given names are too
    return LinkageModel((), read_weights((_FOLDER / "weights.csv").read_text("utf-8"), frequencies))


def person_points(
    names: Sequence[str],
    birth_dates: Sequence[str],
    sexes: Sequence[str],
    *,
    name: str,
    birth_date: str,
    sex: str | None,
) -> tuple[Point, ...]:
    """What speaks for it that a recorded person is meant, and against. Of several names or dates that are
    said, the likeliest counts. Dates are ISO 8601 (a day, a month or a year), sexes FHIR's.
    """
    model = people_model()
    readings = (reading for said in names for reading in name_readings(said, name))
    return (
        *model.likeliest(readings),
        *model.likeliest(_dates(birth_dates, birth_date)),
        *model.likeliest(_sexes(sexes, sex)),
    )


def _dates(said: Iterable[str], own: str) -> Iterable[Reading]:
    levels = (compare_dates(one, own) for one in said)
    return [(Finding("birth-date", level),) for level in levels if level]


def _sexes(said: Iterable[str], own: str | None) -> Iterable[Reading]:
    if own not in SEXES:
        return []
    return [(Finding("sex", "same" if one == own else "other"),) for one in said if one in SEXES]


def prior_bits(people: int) -> float:
    """What it weighs, before anything is said, that it is one certain person of so many."""
    return -log2(max(people, 1))


def likeness(points: Iterable[Point], people: int) -> float:
    """The bits of all points together, among so many people: above 0 rather this person than another."""
    return total_bits(points) + prior_bits(people)
