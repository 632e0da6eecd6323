"""The year in figures, computed from the records and from what came back."""

from adapter.report.figures import Cell, ReferralFigures, YearReport, newest_year, year_report

__all__ = ["Cell", "ReferralFigures", "YearReport", "newest_year", "year_report"]
