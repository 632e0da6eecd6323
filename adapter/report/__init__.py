"""The year in figures.

In: the records, with what came back. Out: one frozen report, computed and never kept.
"""

from adapter.report.figures import Figure, ReferralFigures, YearReport
from adapter.report.year_report import latest_year, year_report

__all__ = ["Figure", "ReferralFigures", "YearReport", "latest_year", "year_report"]
