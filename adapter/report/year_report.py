"""The year in figures, as the board asks for them: computed from the records, never from constants.

People are counted where people are meant, visits and trips where those are. Abnormal is a person
whose check-up ended with the advice to refer; worked up and treated are those of them for whom a
final report or a completed procedure came back for a referral of that sort. Reads the records as a
stream; what it keeps is the keys of a year's people, visits and referrals.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol, cast

from adapter.records.model import Cadre, Diagnosis, Fulfilment, Referral, Result, Visit, VisitKind
from adapter.records.partial_dates import centre_day, is_before

__all__ = ["Figure", "RecordSource", "ReferralFigures", "YearReport", "latest_year", "year_report"]

Figure = int | None
"""A figure; None is one under five that outsiders may not see."""

CLASS_SCALES = ("health_class", "cadre_class")
_SMALLEST = 5
_DONE = {
    "DiagnosticReport": ("final", "amended", "corrected", "appended"),
    "Procedure": ("completed",),
}


class RecordSource(Protocol):
    """Where the records come from; the record store is one."""

    def iterate(self, kind: str) -> Iterator[Any]:
        """All live records of a kind, one after the other."""


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


@dataclass(slots=True)
class _Visits:
    """What one pass over the visits gathers."""

    kinds: Counter[str] = field(default_factory=Counter)
    examined: set[str] = field(default_factory=set)
    abnormal: set[str] = field(default_factory=set)
    travellers: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    sampled: int = 0
    specimens: int = 0
    # scale → person → (when, class): a person counts once, with the year's last class
    classes: dict[str, dict[str, tuple[date, str]]] = field(
        default_factory=lambda: {scale: {} for scale in CLASS_SCALES}
    )


def latest_year(records: RecordSource, today: date) -> int | None:
    """The newest calendar year until now, in Viet Nam, that has a visit; None without visits. A slip such as
    2062 makes no year.
    """
    years = (_year(visit.started_at) for visit in records.iterate("visit"))
    return max((year for year in years if year <= today.year), default=None)


def year_report(
    records: RecordSource,
    year: int,
    *,
    levels: Mapping[str, str],
    today: date,
    for_outsiders: bool = False,
) -> YearReport:
    """The figures of a calendar year. `levels` gives each hospital's level, `today` decides what is
    overdue; with `for_outsiders`, cells under five are kept back, and so are the cells from which
    they could be worked out.
    """
    now, before = _visits(records, year)
    managed: dict[str, str] = {}
    due: Counter[str] = Counter()
    for cadre in cast(Iterable[Cadre], records.iterate("cadre")):
        if cadre.deceased_on is None or cadre.deceased_on.year >= year:
            managed[cadre.key] = str(cadre.tier)
            due[cadre.tier] += cadre.deceased_on is None or cadre.key in now.examined
    referrals, wanted = _referrals(records, year, levels, today)
    came_back = _came_back(records, wanted)
    hide = _hide if for_outsiders else _show
    one = _one if for_outsiders else _as_it_is
    tiers = sorted(set(managed.values()))
    examined = Counter(managed[key] for key in now.examined if key in managed)
    people = Counter(managed.values())
    return YearReport(
        year=year,
        as_of=today,
        for_outsiders=for_outsiders,
        managed_total=one(len(managed)),
        managed=hide({tier: people[tier] for tier in tiers}),
        due=hide({tier: due[tier] for tier in tiers}),
        due_total=one(due.total()),
        examined=hide({tier: examined[tier] for tier in tiers}),
        examined_total=one(examined.total()),
        visits={kind.value: one(now.kinds[kind.value]) for kind in VisitKind},
        abnormal=one(len(now.abnormal)),
        worked_up=one(len(now.abnormal & (came_back["workup"] | came_back["consultation"]))),
        treated=one(len(now.abnormal & came_back["treatment"])),
        new_diseases=_diseases(records, year, now.keys, for_outsiders=for_outsiders),
        referrals={
            level: ReferralFigures(**{name: one(count) for name, count in counts.items()})
            for level, counts in sorted(referrals.items())
        },
        home_visits=one(now.kinds[VisitKind.HOME]),
        home_visits_with_samples=one(now.sampled),
        specimens=one(now.specimens),
        trips=one(now.kinds[VisitKind.TRIP]),
        trip_people=one(len(now.travellers)),
        classes=_distributions(now, hide),
        classes_before=_distributions(before, hide),
    )


def _year(at: date) -> int:
    return centre_day(at).year


def _visits(records: RecordSource, year: int) -> tuple[_Visits, _Visits]:
    gathered = {year: _Visits(), year - 1: _Visits()}
    for visit in cast(Iterable[Visit], records.iterate("visit")):
        if into := gathered.get(_year(visit.started_at)):
            _gather(into, visit)
    return gathered[year], gathered[year - 1]


def _gather(into: _Visits, visit: Visit) -> None:
    into.kinds[visit.type.value] += 1
    into.keys.add(visit.key)
    if visit.type is VisitKind.TRIP:
        into.travellers.add(visit.cadre)
    elif visit.type is VisitKind.HOME:
        into.sampled += bool(visit.specimens)
        into.specimens += visit.specimens or 0
    elif visit.type is VisitKind.CHECKUP:
        into.examined.add(visit.cadre)
        if visit.advice == "refer":
            into.abnormal.add(visit.cadre)
    for scale in CLASS_SCALES:
        class_ = getattr(visit, scale)
        earlier = into.classes[scale].get(visit.cadre)
        if class_ and (earlier is None or not is_before(visit.started_at, earlier[0])):
            into.classes[scale][visit.cadre] = (visit.started_at, class_)


def _referrals(
    records: RecordSource, year: int, levels: Mapping[str, str], today: date
) -> tuple[dict[str, Counter[str]], dict[str, str]]:
    """Figures by level, and the category of each referral of the year by its key."""
    figures: dict[str, Counter[str]] = defaultdict(Counter)
    categories: dict[str, str] = {}
    for referral in cast(Iterable[Referral], records.iterate("referral")):
        if _year(referral.ordered_at) != year or referral.status == "entered-in-error":
            continue
        categories[referral.key] = referral.category
        counts = figures[levels.get(referral.hospital, "other")]
        counts["made"] += 1
        if referral.fulfilment is not Fulfilment.NONE:
            counts[referral.fulfilment.value.replace("-", "_")] += 1
        open_ = referral.fulfilment in (Fulfilment.NONE, Fulfilment.IN_PROGRESS)
        if open_ and referral.status == "active" and referral.due_on and referral.due_on < today:
            counts["overdue"] += 1
    return figures, categories


def _came_back(records: RecordSource, categories: Mapping[str, str]) -> dict[str, set[str]]:
    """People by category of the referral for which something final came back."""
    people: dict[str, set[str]] = {"workup": set(), "consultation": set(), "treatment": set()}
    for result in cast(Iterable[Result], records.iterate("result")):
        category = categories.get(result.referral or "")
        if category is None or result.status not in _DONE.get(result.type, ()):
            continue
        if category != "treatment" or result.type == "Procedure":
            people[category].add(result.cadre)
    return people


def _diseases(
    records: RecordSource, year: int, visits: set[str], *, for_outsiders: bool
) -> dict[str, Figure]:
    people: dict[str, set[str]] = defaultdict(set)
    for diagnosis in cast(Iterable[Diagnosis], records.iterate("diagnosis")):
        recorded = diagnosis.recorded_on.year == year if diagnosis.recorded_on else diagnosis.visit in visits
        if diagnosis.is_new and diagnosis.certainty == "confirmed" and recorded:
            people[diagnosis.icd10].add(diagnosis.cadre)
    counts = Counter({code: len(found) for code, found in people.items()})
    listed = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if not for_outsiders:
        return dict(listed)
    shown: dict[str, Figure] = {code: count for code, count in listed if count >= _SMALLEST}
    rare = sum(count for _, count in listed if count < _SMALLEST)
    return shown | ({"other": _one(rare)} if rare else {})


def _distributions(visits: _Visits, hide: Any) -> dict[str, dict[str, Figure]]:
    return {
        scale: hide(dict(sorted(Counter(class_ for _, class_ in found.values()).items())))
        for scale, found in visits.classes.items()
    }


def _show(cells: dict[str, int]) -> Mapping[str, Figure]:
    return dict(cells)


def _as_it_is(count: int) -> Figure:
    return count


def _one(count: int) -> Figure:
    return None if 0 < count < _SMALLEST else count


def _hide(cells: dict[str, int]) -> Mapping[str, Figure]:
    """Keep back cells under five, and then the next smallest ones until the hidden ones together
    are two or more cells and five or more people: the total is known, so less could be worked out.
    """
    hidden = {name for name, count in cells.items() if _one(count) is None}
    rest = sorted((count, name) for name, count in cells.items() if count and name not in hidden)
    while hidden and rest and (len(hidden) < 2 or sum(cells[name] for name in hidden) < _SMALLEST):
        hidden.add(rest.pop(0)[1])
    return {name: None if name in hidden else count for name, count in cells.items()}
