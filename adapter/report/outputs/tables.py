"""A year's figures as tables with words: what is printed, drawn and written into files is these, so that it
says the same everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from adapter.report.figures import CLASS_SCALES, Figure, ReferralFigures, YearReport
from adapter.texts import say_in

__all__ = ["KEPT_BACK", "REFERRAL_STATES", "YearTable", "YearTableRow", "shown_figure", "year_tables"]

KEPT_BACK = "*"
"""What stands for a figure that outsiders may not see."""

REFERRAL_STATES = ("made", "completed", "in_progress", "failed", "overdue")


@dataclass(frozen=True, slots=True)
class YearTableRow:
    """`code` is the row's name for machines, `label` in words. A cell is "" where there is no such figure."""

    code: str
    label: str
    cells: Sequence[Figure | str]


@dataclass(frozen=True, slots=True)
class YearTable:
    """`name` for machines; `columns` are the headers of the cells, `head` that of the labels. `is_charted`:
    its columns are of one measure and can be drawn beside each other.
    """

    name: str
    title: str
    head: str
    columns: Sequence[str]
    rows: Sequence[YearTableRow]
    is_charted: bool = True


def shown_figure(figure: Figure | str) -> str:
    """As it is printed: digits alone, or what says that it is kept back."""
    return KEPT_BACK if figure is None else str(figure)


def year_tables(report: YearReport, before: YearReport, language: str) -> Sequence[YearTable]:
    """All figures of the year; `before` is the year before, seen by the same readers."""
    word = partial(_word, language)
    years = (str(report.year), str(before.year))
    return (
        YearTable(
            "headline", word("headline"), word("figure"), years, tuple(_headlines(report, before, language))
        ),
        YearTable(
            "tiers",
            word("tiers"),
            word("tier"),
            tuple(word(name) for name in ("managed", "due", "examined")),
            tuple(_tiers(report, language)),
        ),
        YearTable(
            "referrals",
            word("referrals"),
            word("level"),
            tuple(word(state) for state in REFERRAL_STATES),
            tuple(
                YearTableRow(level, word(f"level_{level}"), _states(figures))
                for level, figures in report.referrals.items()
            ),
        ),
        *(
            YearTable(scale, word(scale), word("class"), years, tuple(_classes(report, scale)))
            for scale in CLASS_SCALES
        ),
        YearTable(
            "new_diseases",
            word("new_diseases"),
            word("disease"),
            (word("people"),),
            tuple(
                YearTableRow(code, word("rare") if code == "other" else code, (count,))
                for code, count in report.new_diseases.items()
            ),
        ),
    )


def _word(language: str, name: str) -> str:
    return say_in(language, f"year.{name}")


def _headlines(report: YearReport, before: YearReport, language: str) -> Iterator[YearTableRow]:
    now, then = _headline_figures(report), _headline_figures(before)
    if report.for_outsiders:  # who is in one year's and not in the other's: a few people, by a subtraction
        then |= dict.fromkeys(("managed", "due", "examined"), "")
    for name, figure in now.items():
        yield YearTableRow(name, _word(language, name), (figure, then[name]))


def _headline_figures(report: YearReport) -> dict[str, Figure | str]:
    return {
        "managed": report.managed_total,
        "due": report.due_total,
        "examined": report.examined_total,
        "outpatient": report.visits["outpatient"],
        "abnormal": report.abnormal,
        "worked_up": report.worked_up,
        "treated": report.treated,
        "home_visits": report.home_visits,
        "with_samples": report.home_visits_with_samples,
        "specimens": report.specimens,
        "trips": report.trips,
        "trip_people": report.trip_people,
    }


def _tiers(report: YearReport, language: str) -> Iterator[YearTableRow]:
    for tier in report.managed:
        yield YearTableRow(tier, tier, (report.managed[tier], report.due[tier], report.examined[tier]))
    totals = (report.managed_total, report.due_total, report.examined_total)
    yield YearTableRow("total", _word(language, "total"), totals)


def _states(figures: ReferralFigures) -> Sequence[Figure]:
    return tuple(cast(Figure, getattr(figures, state)) for state in REFERRAL_STATES)


def _classes(report: YearReport, scale: str) -> Iterator[YearTableRow]:
    now: Mapping[str, Figure] = report.classes.get(scale, {})
    then: Mapping[str, Figure] = report.classes_before.get(scale, {})
    for name in sorted(now.keys() | then.keys()):
        yield YearTableRow(name, name, (now.get(name, 0), then.get(name, 0)))
