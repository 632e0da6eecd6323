"""A report as outsiders may see it: small figures kept back, and those from which they could be worked out.

What belongs together is one table for `suppression`: tiers with who was examined and what was found; each
level's referrals; visits at home; each distribution of classes. Where figures overlap without saying how much
(worked up, treated) any overlap that fits serves: what an outsider can work out does not depend on it.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import cast

from adapter.report.figures import Figure, ReferralFigures, YearReport
from adapter.report.suppression import FigureTable, is_small

__all__ = ["for_outsiders", "people_table", "referral_table"]

_NO_TIER = "-"  # of whom there is a check-up and no record
_FOUND = ("worked_up+treated", "worked_up", "treated", "neither", "normal")  # of who was examined
_REST = ("missed", "gone")  # due and not examined; died in the year without being due
_EVERYBODY = frozenset(_FOUND + _REST)
_PEOPLE = {  # figure: which of them it counts
    "managed": _EVERYBODY,
    "due": frozenset((*_FOUND, "missed")),
    "examined": frozenset(_FOUND),
}
_OUTCOMES = {
    "abnormal": frozenset(_FOUND[:4]),
    "worked_up": frozenset(_FOUND[:2]),
    "treated": frozenset((_FOUND[0], _FOUND[2])),
}
_REFERRAL_SUMS = {
    "made": frozenset(("completed", "failed", "going", "going late", "waiting", "waiting late")),
    "completed": frozenset(("completed",)),
    "in_progress": frozenset(("going", "going late")),
    "failed": frozenset(("failed",)),
    "overdue": frozenset(("going late", "waiting late")),
}


def for_outsiders(report: YearReport) -> YearReport:
    """The same report without what outsiders may not know. Counts under five of one code become "other"."""
    people = people_table(report).hidden()
    home = _home_table(report).hidden()
    hidden = {
        *people,
        *home,
        *(name for name in ("specimens", "trips", "trip_people") if is_small(_count(report, name))),
    }
    if "home_visits_with_samples" in hidden:
        hidden.add("specimens")  # there are no fewer of them
    if "trips" in hidden:
        hidden.add("trip_people")  # there are no more of them
    single = {name: None for name in hidden if hasattr(report, name)}
    return replace(
        report,
        for_outsiders=True,
        managed=_without(report.managed, people, "managed"),
        due=_without(report.due, people, "due"),
        examined=_without(report.examined, people, "examined"),
        visits=_visits(report, hidden),
        new_diseases=_diseases(report.new_diseases),
        referrals={level: _referrals(figures) for level, figures in report.referrals.items()},
        classes={scale: _classes(cells) for scale, cells in report.classes.items()},
        classes_before={scale: _classes(cells) for scale, cells in report.classes_before.items()},
        **single,  # type: ignore[arg-type] # figures, by their names
    )


def people_table(report: YearReport) -> FigureTable:
    """Who is managed, due and examined by tier, and what was found: "managed T4", "managed_total"."""
    tiers = list(report.managed)
    atoms = _people_atoms(report)
    figures = {
        f"{figure} {tier}": frozenset(f"{tier} {part}" for part in parts)
        for figure, parts in _PEOPLE.items()
        for tier in tiers
    }
    everywhere = {**{f"{name}_total": parts for name, parts in _PEOPLE.items()}, **_OUTCOMES}
    figures |= {name: _over([*tiers, _NO_TIER], parts) for name, parts in everywhere.items()}
    differences = (
        {"missed"},
        {"gone"},
        {"missed", "gone"},
        {"normal"},
        {"neither", "treated"},
        {"neither", "worked_up"},
    )
    guarded = {" ".join(sorted(parts)): _over([*tiers, _NO_TIER], parts) for parts in differences}
    for tier in tiers:
        for parts in differences[:3]:
            guarded[f"{tier}: {' '.join(sorted(parts))}"] = _over([tier], parts)
    return FigureTable(atoms, figures, guarded)


def _over(tiers: list[str], parts: frozenset[str] | set[str]) -> frozenset[str]:
    return frozenset(f"{tier} {part}" for tier in tiers for part in parts)


def _people_atoms(report: YearReport) -> dict[str, int]:
    """What was found is not known by tier: it is dealt out to the tiers' examined in order."""
    abnormal, worked, treated = (_count(report, name) for name in _OUTCOMES)
    both = min(worked, treated)
    left = dict(
        zip(_FOUND[:4], (both, worked - both, treated - both, abnormal - max(worked, treated)), strict=True)
    )
    atoms: dict[str, int] = {}
    for tier in report.managed:
        managed, due, examined = (cast(int, getattr(report, figure)[tier]) for figure in _PEOPLE)
        atoms |= {f"{tier} missed": due - examined, f"{tier} gone": managed - due}
        for part, count in left.items():
            taken = min(count, examined)
            atoms[f"{tier} {part}"], left[part] = taken, count - taken
            examined -= taken
        atoms[f"{tier} normal"] = examined
    return atoms | {f"{_NO_TIER} {part}": left.get(part, 0) for part in (*_FOUND, *_REST)}


def _home_table(report: YearReport) -> FigureTable:
    visits, sampled = _count(report, "home_visits"), _count(report, "home_visits_with_samples")
    return FigureTable(
        {"with": sampled, "without": visits - sampled},
        {"home_visits": frozenset(("with", "without")), "home_visits_with_samples": frozenset(("with",))},
        {"without": frozenset(("without",))},
    )


def referral_table(figures: ReferralFigures) -> FigureTable:
    """The referrals to one level. Those that nobody has answered are printed nowhere, and guarded."""
    made, completed, going, failed, overdue = (cast(int, getattr(figures, name)) for name in _REFERRAL_SUMS)
    late = min(overdue, going)
    waiting = made - completed - going - failed
    atoms = {
        "completed": completed,
        "failed": failed,
        "going late": late,
        "going": going - late,
        "waiting late": overdue - late,
        "waiting": waiting - (overdue - late),
    }
    return FigureTable(atoms, _REFERRAL_SUMS, {"unanswered": frozenset(("waiting", "waiting late"))})


def _referrals(figures: ReferralFigures) -> ReferralFigures:
    hidden = referral_table(figures).hidden()
    return ReferralFigures(
        **{name: None if name in hidden else count for name, count in asdict(figures).items()}
    )


def _classes(cells: Mapping[str, Figure]) -> Mapping[str, Figure]:
    """How many have a class at all may be known."""
    atoms = {name: count or 0 for name, count in cells.items()}
    figures = {name: frozenset((name,)) for name in atoms}
    hidden = FigureTable(atoms, figures, known={"all": frozenset(atoms)}).hidden()
    return {name: None if name in hidden else count for name, count in cells.items()}


def _visits(report: YearReport, hidden: set[str]) -> Mapping[str, Figure]:
    """Each kind of visits is printed elsewhere too, or is as many as the people examined."""
    same = {"home": "home_visits", "trip": "trips", "checkup": "examined_total"}
    return {
        kind: None if same.get(kind) in hidden or is_small(count or 0) else count
        for kind, count in report.visits.items()
    }


def _diseases(people: Mapping[str, Figure]) -> Mapping[str, Figure]:
    shown = {code: count for code, count in people.items() if not is_small(count or 0)}
    rare = sum(count or 0 for count in people.values()) - sum(count or 0 for count in shown.values())
    return shown | ({"other": None if is_small(rare) else rare} if rare else {})


def _without(cells: Mapping[str, Figure], hidden: frozenset[str], figure: str) -> Mapping[str, Figure]:
    return {tier: None if f"{figure} {tier}" in hidden else count for tier, count in cells.items()}


def _count(report: YearReport, name: str) -> int:
    return cast(int, getattr(report, name))
