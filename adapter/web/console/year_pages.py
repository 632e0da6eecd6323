"""Pages: the year in figures, as the board asks for them, and the files to take along."""

from collections.abc import Sequence

from starlette.responses import Response

from adapter.authorization.staff_roles import Permission
from adapter.errors import Outdated
from adapter.operations.operation import version_of
from adapter.operations.year_report import YEAR_FORMATS, ExportYear
from adapter.report.outputs.bars import bars
from adapter.report.outputs.tables import shown_figure, year_tables
from adapter.web.console.visit import ConsoleRoute, NotHereError, Visit

__all__ = ["ROUTES"]

_FILES = {
    "pdf": ("application/pdf", "pdf"),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    "csv": ("text/csv; charset=utf-8", "csv"),
    "fhir": ("application/fhir+json", "json"),
}
_MOST_BARS = 20
"""Rows; a longer table is read as a table."""


def _year(visit: Visit) -> Response:
    for_outsiders = visit.query.get("outsiders") == "1"
    shown = visit.insights.year(_number(visit.query.get("year", "")), for_outsiders=for_outsiders)
    if shown is None:
        return visit.page("year/nothing.html")
    return visit.page(
        "year/year.html",
        shown=shown,
        tables=year_tables(shown.report, shown.before, visit.language),
        bars=bars,
        most_bars=_MOST_BARS,
        figure=shown_figure,
        formats=YEAR_FORMATS,
        version=version_of(shown),
        may_export=visit.may(Permission.EXPORT_YEAR),
    )


def _export(visit: Visit) -> Response:
    form, year = visit.form, _number(visit.form.get("year"))
    kind = next((one for one in YEAR_FORMATS if one == form.get("format")), None)
    if kind is None or year is None:
        raise NotHereError
    for_outsiders = form.get("outsiders") == "1"
    operation = ExportYear(kind, year, for_outsiders, visit.insights.day_here, visit.language)
    try:
        made = operation.perform(visit.operations, form.get("version") or None)
    except Outdated:
        audience = "&outsiders=1" if for_outsiders else ""
        return visit.redirect(f"/year?year={year}{audience}", "console_year.outdated")
    media_type, suffix = _FILES[kind]
    return visit.file(made, media_type, f"{'year-outsiders' if for_outsiders else 'year'}-{year}.{suffix}")


def _number(text: str) -> int | None:
    """A calendar year; None of what is none."""
    return int(text) if len(text) == 4 and text.isascii() and text.isdigit() and text >= "1900" else None


ROUTES: Sequence[ConsoleRoute] = (
    ConsoleRoute("GET", "/year", _year, Permission.SEE_YEAR, menu="console_year.menu"),
    ConsoleRoute("POST", "/year/export", _export, Permission.EXPORT_YEAR),
)
