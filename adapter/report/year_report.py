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
from adapter.report.figures import CLASS_SCALES, Figure, ReferralFigures, YearReport
from adapter.report.outsiders import for_outsiders as hide_small

__all__ = ["RecordSource", "latest_year", "year_report"]

_DONE = {
    "DiagnosticReport": ("final", "amended", "corrected", "appended"),
    "Procedure": ("completed",),
}


class RecordSource(Protocol):
    """Where the records come from; the record store is one."""

    def iterate(self, kind: str) -> Iterator[Any]:
        """All live records of a kind, one after the other."""


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
    examined = Counter(managed[key] for key in now.examined if key in managed)
    people = Counter(managed.values())
    tiers = sorted(people)
    report = YearReport(
        year=year,
        as_of=today,
        for_outsiders=False,
        managed_total=len(managed),
        managed={tier: people[tier] for tier in tiers},
        due={tier: due[tier] for tier in tiers},
        due_total=due.total(),
        examined={tier: examined[tier] for tier in tiers},
        examined_total=examined.total(),
        visits={kind.value: now.kinds[kind.value] for kind in VisitKind},
        abnormal=len(now.abnormal),
        worked_up=len(now.abnormal & (came_back["workup"] | came_back["consultation"])),
        treated=len(now.abnormal & came_back["treatment"]),
        new_diseases=_diseases(records, year, now.keys),
        referrals={level: ReferralFigures(**counts) for level, counts in sorted(referrals.items())},
        home_visits=now.kinds[VisitKind.HOME],
        home_visits_with_samples=now.sampled,
        specimens=now.specimens,
        trips=now.kinds[VisitKind.TRIP],
        trip_people=len(now.travellers),
        classes=_distributions(now),
        classes_before=_distributions(before),
    )
    return hide_small(report) if for_outsiders else report


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


def _diseases(records: RecordSource, year: int, visits: set[str]) -> dict[str, Figure]:
    people: dict[str, set[str]] = defaultdict(set)
    for diagnosis in cast(Iterable[Diagnosis], records.iterate("diagnosis")):
        recorded = diagnosis.recorded_on.year == year if diagnosis.recorded_on else diagnosis.visit in visits
        if diagnosis.is_new and diagnosis.certainty == "confirmed" and recorded:
            people[diagnosis.icd10].add(diagnosis.cadre)
    counts = {code: len(found) for code, found in people.items()}
    return {code: counts[code] for code in sorted(counts, key=lambda code: (-counts[code], code))}


def _distributions(visits: _Visits) -> dict[str, dict[str, Figure]]:
    return {
        scale: dict(sorted(Counter(class_ for _, class_ in found.values()).items()))
        for scale, found in visits.classes.items()
    }
