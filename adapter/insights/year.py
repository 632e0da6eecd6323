"""A year's figures and the year's before, as one reader may see both."""

from dataclasses import dataclass
from datetime import date

from adapter.pipeline.application import Adapter
from adapter.report import YearReport, latest_year, year_report

__all__ = ["ShownYear", "shown_year"]


@dataclass(frozen=True, slots=True)
class ShownYear:
    """The same readers may see both. `centre` is whose figures they are."""

    report: YearReport
    before: YearReport
    centre: str


def shown_year(adapter: Adapter, year: int | None, *, for_outsiders: bool, today: date) -> ShownYear | None:
    """Of a calendar year, by default the newest; None where there are no visits."""
    of = year or latest_year(adapter.records, today)
    if of is None:
        return None
    levels = {one.name: one.level for one in adapter.settings.hospitals.values()}
    report, before = (
        year_report(adapter.records, one, levels=levels, today=today, for_outsiders=for_outsiders)
        for one in (of, of - 1)
    )
    return ShownYear(report, before, adapter.settings.centre.name)
