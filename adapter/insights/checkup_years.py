"""Check-ups year by year: what each ended with, what is new in it, and when the next is due. Pure."""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from adapter.insights.measure_trends import MeasureTrend, TrendPoint
from adapter.records.model import Cadre, Diagnosis, Visit, VisitKind
from adapter.records.partial_dates import centre_day

__all__ = ["FoundDisease", "NewValue", "NextCheckup", "YearlyCheckup", "checkup_years", "next_checkup"]

CHECKUPS: Final = (VisitKind.CHECKUP, VisitKind.CONGRESS)
_ROMAN: Final = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5}


@dataclass(frozen=True, slots=True)
class FoundDisease:
    """A diagnosis of a check-up. `is_new`: no earlier check-up has it, or the doctor said so."""

    icd10: str
    text: str
    is_new: bool
    is_provisional: bool


@dataclass(frozen=True, slots=True)
class NewValue:
    """A value that was flagged, or beyond its own range, and was not the time before. `before` None: it was
    not measured then.
    """

    name: str
    now: TrendPoint
    before: TrendPoint | None


@dataclass(frozen=True, slots=True)
class YearlyCheckup:
    """The check-ups of a calendar year, the last one's words. `is_worse`: a class that is worse than that of
    the check-up before, on the same scale: the two are never converted.
    """

    year: int
    days: tuple[date, ...]
    health_class: str | None
    cadre_class: str | None
    health_before: str | None
    cadre_before: str | None
    is_worse: bool
    conclusion: str | None
    advice: str | None
    diseases: tuple[FoundDisease, ...]
    new_values: tuple[NewValue, ...]


@dataclass(frozen=True, slots=True)
class NextCheckup:
    """When the next is due: every so many `months` since the last one; without one it is due now."""

    due: date
    months: int
    last: date | None
    is_overdue: bool


def checkup_years(
    visits: Sequence[Visit], diagnoses: Sequence[Diagnosis], trends: Sequence[MeasureTrend]
) -> tuple[YearlyCheckup, ...]:
    """The newest year first."""
    by_year: dict[int, list[Visit]] = defaultdict(list)
    for one in sorted(visits, key=lambda one: centre_day(one.started_at)):
        if one.type in CHECKUPS:
            by_year[centre_day(one.started_at).year].append(one)
    found: list[YearlyCheckup] = []
    known: set[str] = set()
    before: Sequence[Visit] = ()
    for year, mine in sorted(by_year.items()):
        keys = {one.key for one in mine}
        diseases = _diseases([one for one in diagnoses if one.visit in keys], known, is_first=not before)
        found.append(_year(year, mine, before, diseases, _new_values(trends, keys, before)))
        known |= {one.icd10 for one in diseases}
        before = mine
    return tuple(reversed(found))


def _year(
    year: int,
    mine: Sequence[Visit],
    before: Sequence[Visit],
    diseases: tuple[FoundDisease, ...],
    new_values: tuple[NewValue, ...],
) -> YearlyCheckup:
    health, cadre = _last(mine, "health_class"), _last(mine, "cadre_class")
    health_before, cadre_before = _last(before, "health_class"), _last(before, "cadre_class")
    return YearlyCheckup(
        year=year,
        days=tuple(centre_day(one.started_at) for one in mine),
        health_class=health,
        cadre_class=cadre,
        health_before=health_before,
        cadre_before=cadre_before,
        is_worse=_is_worse(health, health_before) or _is_worse(cadre, cadre_before),
        conclusion=_last(mine, "conclusion"),
        advice=_last(mine, "advice"),
        diseases=diseases,
        new_values=new_values,
    )


def _last(visits: Sequence[Visit], name: str) -> str | None:
    return next((str(said) for one in reversed(visits) if (said := getattr(one, name))), None)


def _is_worse(now: str | None, before: str | None) -> bool:
    """Within one scale: V is worse than I, D than A, B2 than B1. Nobody knows how a bare B is to B1."""
    if not now or not before or now == before:
        return False
    if now in _ROMAN and before in _ROMAN:
        return _ROMAN[now] > _ROMAN[before]
    if now[0] != before[0]:
        return now[0] > before[0]
    return now > before if len(now) == len(before) else False


def _diseases(
    mine: Sequence[Diagnosis], known: Collection[str], *, is_first: bool
) -> tuple[FoundDisease, ...]:
    found: dict[str, FoundDisease] = {}
    for one in mine:
        is_new = one.is_new or (not is_first and one.icd10 not in known)
        found.setdefault(
            one.icd10, FoundDisease(one.icd10, one.text or "", is_new, one.certainty == "provisional")
        )
    return tuple(sorted(found.values(), key=lambda one: (not one.is_new, one.icd10)))


def _new_values(
    trends: Sequence[MeasureTrend], visits: Collection[str], before: Sequence[Visit]
) -> tuple[NewValue, ...]:
    if not before:
        return ()  # a first check-up has nothing to be new against
    earlier = {one.key for one in before}
    found = []
    for trend in trends:
        now = next((one for one in reversed(trend.points) if one.visit in visits), None)
        was = next((one for one in reversed(trend.points) if one.visit in earlier), None)
        if now is not None and now.is_abnormal and not (was is not None and was.is_abnormal):
            found.append(NewValue(trend.name, now, was))
    return tuple(found)


def next_checkup(
    person: Cadre, visits: Sequence[Visit], months_by_tier: Mapping[str, int], today: date
) -> NextCheckup | None:
    """None of who has died. A tier that `months_by_tier` does not name has a check-up a year."""
    if person.deceased_on is not None:
        return None
    months = months_by_tier.get(person.tier.value, 12)
    days = [centre_day(one.started_at) for one in visits if one.type in CHECKUPS]
    last = max((one for one in days if one <= today), default=None)
    due = _later(last, months) if last is not None else today
    return NextCheckup(due, months, last, last is None or due < today)


def _later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
