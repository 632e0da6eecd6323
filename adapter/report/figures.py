"""The figures of a year, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

__all__ = ["CLASS_SCALES", "Figure", "ReferralFigures", "YearReport"]

Figure = int | None
"""A figure; None is one that outsiders may not see."""

CLASS_SCALES = ("health_class", "cadre_class")


@dataclass(frozen=True, slots=True)
class ReferralFigures:
    """Referrals to one level of hospital. Overdue ones are neither completed nor given up."""

    made: Figure = 0
    completed: Figure = 0
    in_progress: Figure = 0
    failed: Figure = 0
    overdue: Figure = 0


@dataclass(frozen=True, slots=True)
class YearReport:
    """All figures of a year. Keys: tiers T1 to T5, hospital levels, ICD-10 codes, classes."""

    year: int
    as_of: date
    for_outsiders: bool
    managed_total: Figure
    managed: Mapping[str, Figure]  # people, by tier
    due: Mapping[str, Figure]  # people who should have a check-up: alive, or examined while they were
    due_total: Figure
    examined: Mapping[str, Figure]  # of those
    examined_total: Figure
    visits: Mapping[str, Figure]  # visits, by kind
    abnormal: Figure  # people
    worked_up: Figure
    treated: Figure
    new_diseases: Mapping[str, Figure]  # people, by ICD-10 code, most first
    referrals: Mapping[str, ReferralFigures]
    home_visits: Figure  # visits
    home_visits_with_samples: Figure
    specimens: Figure
    trips: Figure  # trips, not people
    trip_people: Figure
    classes: Mapping[str, Mapping[str, Figure]]  # people, by scale (never converted) and class
    classes_before: Mapping[str, Mapping[str, Figure]]  # the same of the year before
