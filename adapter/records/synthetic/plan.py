"""Who is seen when, and what comes of it: drawn once for the whole sample, before any row is written.

Treatments are drawn from a generator of their own, so that the rest of the sample does not depend on them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from adapter.records.synthetic.clinical_values import ABNORMAL_FINDINGS, AbnormalFinding
from adapter.records.synthetic.namesakes import alike
from adapter.records.synthetic.people import FictitiousPerson, make_person

__all__ = ["CENTRAL", "FULL_SAMPLE_SIZE", "PROVINCIAL", "AbnormalCase", "SamplePlan", "TreatmentPlan"]

PROVINCIAL, CENTRAL = "bv-tinh", "bv-trung-uong"
FULL_SAMPLE_SIZE = 934
# How many a centre of 934 has in a year; fewer people have them in proportion.
_TIERS = {"T1": 24, "T2": 110, "T3": 150, "T4": 250, "T5": 400}
_HOME_VISITS, _TRIPS, _ABNORMAL, _TREATED, _OUTPATIENT, _CONGRESS, _COUNCILS = 200, 115, 83, 35, 500, 40, 12
_REFUSED = 3
_PROCEDURES, _INFLUENZA, _PNEUMOCOCCAL = 60, 240, 60


@dataclass(frozen=True)
class AbnormalCase:
    """Somebody abnormal: what was found, and whether treatment followed."""

    condition: AbnormalFinding
    treated: bool


class TreatmentPlan:
    """Who gets what in a year. `visits` counts each person's visits by the letter of their keys."""

    def __init__(self, seed: int, scale: float, people: Sequence[int], visits: dict[str, Any]) -> None:
        random = Random(f"{seed}/care")  # noqa: S311 - a sample must be the same for the same seed
        at = [
            (index, letter, number)
            for letter, counts in visits.items()
            for index in sorted(counts)
            for number in range(counts[index])
        ]
        self.procedures = _by_person(random.sample(at, min(len(at), _share(_PROCEDURES, scale))))
        doses = [
            (index, number, number)
            for number, count in enumerate((_INFLUENZA, _PNEUMOCOCCAL))
            for index in random.sample(people, min(len(people), _share(count, scale)))
        ]
        self.vaccines = _by_person(doses)


class SamplePlan:
    """The plan of a sample: who is of which tier, who is abnormal, who gets which visits."""

    def __init__(self, seed: int = 1, cadres: int = FULL_SAMPLE_SIZE, year: int = 2026) -> None:
        self.seed, self.year = seed, year
        random = Random(f"{seed}/year")  # noqa: S311 - a sample must be the same for the same seed
        self._tiers = _tiers(random, cadres)
        scale = cadres / FULL_SAMPLE_SIZE
        ours = [index for index, tier in enumerate(self._tiers) if tier != "T0"]
        held = [index for index in ours if self._tiers[index] == "T1"]
        others = [index for index in ours if self._tiers[index] != "T1"]
        self.cases = self._cases(random, held, others, scale)
        self.home = Counter(random.choices(ours, k=_share(_HOME_VISITS, scale)))
        ill = [index for index in self.cases if self._tiers[index] != "T1"]
        self.trips = Counter(random.choices([*ill * 4, *others], k=_share(_TRIPS, scale)))
        self.outpatient = Counter(random.choices(ours, k=_share(_OUTPATIENT, scale)))
        self.congress = frozenset(
            random.sample([i for i in others if self._tiers[i] in ("T2", "T3")], _share(_CONGRESS, scale))
        )
        self.councils = frozenset(random.sample(sorted(self.cases), _share(_COUNCILS, scale)))
        visits = {"H": self.home, "N": self.outpatient, "C": self.trips}
        self.care = TreatmentPlan(seed, scale, ours, visits)

    def _cases(
        self, random: Random, held: list[int], others: list[int], scale: float
    ) -> dict[int, AbnormalCase]:
        of_held = min(2, len(held), max(1, round(2 * scale)))
        count = max(_share(_ABNORMAL, scale), of_held + 2)
        found = random.sample(others, count - of_held)
        treated = set(found[: _share(_TREATED, scale)])
        people = sorted([*random.sample(held, of_held), *found])
        return {index: AbnormalCase(random.choice(ABNORMAL_FINDINGS), index in treated) for index in people}

    def people(self) -> Iterator[tuple[int, FictitiousPerson]]:
        """Everybody with a number, T0 people too, a few at a time in memory."""
        for index in range(len(self._tiers)):
            yield index, alike(index, self._drawn(index), self._drawn)

    def _drawn(self, index: int) -> FictitiousPerson:
        return make_person(self.seed, index, self._tiers[index], self.year)

    def random(self, index: int, what: str) -> Random:
        """A generator for one aspect of one person."""
        return Random(f"{self.seed}/{what}/{index}")  # noqa: S311 - as above

    def seen_at(self, index: int, what: str, number: int = 0) -> datetime:
        """When a person is seen: a working morning between February and October."""
        random = self.random(index, f"{what}{number}")
        day = date(self.year, 2, 2) + timedelta(days=random.randrange(270))
        day -= timedelta(days=max(0, day.weekday() - 4))
        return datetime(day.year, day.month, day.day, random.randint(7, 10), random.choice((0, 15, 30, 45)))  # noqa: DTZ001 - the sheet writes local time without a zone


def _share(count: int, scale: float) -> int:
    return max(1, round(count * scale))


def _tiers(random: Random, cadres: int) -> list[str]:
    scale = cadres / FULL_SAMPLE_SIZE
    tiers = [tier for tier, count in _TIERS.items() for _ in range(_share(count, scale))][:cadres]
    tiers += ["T5"] * (cadres - len(tiers))
    random.shuffle(tiers)
    for place in (cadres // 8, cadres // 2, cadres - 1)[:_REFUSED]:
        tiers.insert(place, "T0")
    return tiers


def _by_person(found: list[tuple[int, Any, int]]) -> dict[int, list[tuple[Any, int]]]:
    people: dict[int, list[tuple[Any, int]]] = {}
    for index, what, number in sorted(found):
        people.setdefault(index, []).append((what, number))
    return people
