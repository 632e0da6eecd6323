"""Draws the year's report on a terminal."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from adapter.cli.terminal.output import rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from rich.console import Console

    from adapter.report.figures import Figure, YearReport

__all__ = ["draw"]

_NEW_DISEASES = 8  # lines
_REFERRAL = ("made", "completed", "in_progress", "failed", "overdue")


def draw(out: "Console", report: "YearReport") -> None:
    """The headline figures, then tiers, referrals, classes and new diseases."""
    out.print(say("cli.report_title", year=report.year))
    out.print(rows(table(say("cli.report_figure"), "", numbers=(1,)), _headlines(report)))
    headers = [say(f"cli.report_{word}") for word in ("tier", "managed", "due", "examined")]
    tiers = (
        (tier, *_cells(report.managed[tier], report.due[tier], report.examined[tier])) for tier in report.due
    )
    out.print(rows(table(*headers, numbers=(1, 2, 3)), tiers))
    headers = [say(f"cli.report_{word}") for word in ("referrals", *_REFERRAL)]
    levels = (
        (say(f"cli.report_{level}"), *_cells(*(getattr(figures, word) for word in _REFERRAL)))
        for level, figures in report.referrals.items()
    )
    out.print(rows(table(*headers, numbers=range(1, 1 + len(_REFERRAL))), levels))
    for scale, classes in report.classes.items():
        _draw_classes(out, scale, classes, report.classes_before.get(scale, {}))
    diseases = list(report.new_diseases.items())
    shown = (("-" if code == "other" else code, *_cells(count)) for code, count in diseases[:_NEW_DISEASES])
    if diseases:
        out.print(rows(table(say("cli.report_new_disease"), say("cli.report_people"), numbers=(1,)), shown))
    if report.for_outsiders:
        out.print(say("cli.report_hidden"))


def _headlines(report: "YearReport") -> Iterator[tuple[object, ...]]:
    figures = (
        ("managed", report.managed_total),
        ("outpatient", report.visits["outpatient"]),
        ("abnormal", report.abnormal),
        ("worked_up", report.worked_up),
        ("treated", report.treated),
        ("home_visits", report.home_visits),
        ("with_samples", report.home_visits_with_samples),
        ("trips", report.trips),
    )
    for word, figure in figures:
        yield say(f"cli.report_{word}"), *_cells(figure)


def _draw_classes(
    out: "Console", scale: str, classes: "Mapping[str, Figure]", before: "Mapping[str, Figure]"
) -> None:
    names = sorted(classes.keys() | before.keys())
    headers = [say(f"cli.report_{word}") for word in (scale, "people", "year_before")]
    lines = ((name, *_cells(classes.get(name, 0), before.get(name, 0))) for name in names)
    out.print(rows(table(*headers, numbers=(1, 2)), lines))


def _cells(*figures: "Figure") -> tuple[object, ...]:
    """Figures as they are shown: a star for one that is kept back, which need not be under five."""
    return tuple("*" if figure is None else figure for figure in figures)
