"""The report as sections of plain text cells, in the language in use; drawing is for the caller."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields

from adapter.report.figures import Cell, ReferralFigures, YearReport
from adapter.texts import catalogue, say

__all__ = ["Section", "sections"]

_MOST_DISEASES = 15


@dataclass(frozen=True, slots=True)
class Section:
    """A table: the first column of every row is its label, all others are figures."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def sections(report: YearReport) -> Iterator[Section]:
    """All sections, in the order the board asks for them."""
    yield Section(
        say("report.title_people", year=report.year),
        (say("report.tier"), say("report.managed"), say("report.due"), say("report.examined")),
        (
            *(
                (tier, _cell(count), _cell(report.due[tier]), _cell(report.examined[tier]))
                for tier, count in report.managed.items()
            ),
            (
                say("report.total"),
                _cell(report.managed_total),
                _cell(report.due_total),
                _cell(report.examined_total),
            ),
        ),
    )
    yield _listed(
        say("report.title_year"),
        {
            "abnormal": report.abnormal,
            "worked_up": report.worked_up,
            "treated": report.treated,
            "outpatient": report.visits["outpatient"],
            "congress": report.visits["congress"],
            "council": report.visits["council"],
            "home_visits": report.home_visits,
            "home_visits_with_samples": report.home_visits_with_samples,
            "specimens": report.specimens,
            "trips": report.trips,
            "trip_people": report.trip_people,
        },
    )
    yield Section(
        say("report.title_referrals"),
        (say("report.level"), *(say(f"report.{one.name}") for one in fields(ReferralFigures))),
        tuple(
            (_named(level), *(_cell(count) for count in astuple(figures)))
            for level, figures in report.referrals.items()
        ),
    )
    yield from _classes(report)
    diseases = list(report.new_diseases.items())
    if diseases:
        more = len(diseases) - _MOST_DISEASES
        rows = [(_named(code), _cell(count)) for code, count in diseases[:_MOST_DISEASES]]
        if more > 0:
            rows.append((say("report.more_codes", count=more), ""))
        yield Section(say("report.title_diseases"), (say("report.icd10"), say("report.people")), tuple(rows))


def _classes(report: YearReport) -> Iterator[Section]:
    for scale, now in report.classes.items():
        before = report.classes_before[scale]
        if now or before:
            yield Section(
                say(f"report.title_{scale}"),
                (say("report.class"), str(report.year), str(report.year - 1)),
                tuple(
                    (name, _cell(now.get(name, 0)), _cell(before.get(name, 0)))
                    for name in sorted({*now, *before})
                ),
            )


def _listed(title: str, figures: Mapping[str, Cell]) -> Section:
    rows = tuple((say(f"report.{name}"), _cell(count)) for name, count in figures.items())
    return Section(title, ("", say("report.count")), rows)


def _named(code: str) -> str:
    key = f"report.name_{code}"
    return say(key) if key in catalogue("en") else code


def _cell(count: Cell) -> str:
    return "<5" if count is None else str(count)
