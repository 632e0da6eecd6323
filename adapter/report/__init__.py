"""The year in figures: `figures` computes them, `tables` lays them out for people."""

from adapter.report.figures import ReferralFigures, YearReport, newest_year, year_report
from adapter.report.tables import Section, sections

__all__ = ["ReferralFigures", "Section", "YearReport", "newest_year", "sections", "year_report"]
