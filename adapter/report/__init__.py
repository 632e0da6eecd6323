"""The year in figures, computed from the records and from what came back."""

from adapter.report.year_report import Figure, ReferralFigures, YearReport, latest_year, year_report

__all__ = ["Figure", "ReferralFigures", "YearReport", "latest_year", "year_report"]
