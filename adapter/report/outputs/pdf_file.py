"""The year's report on A4, as the board reads it: bars, and the table behind each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapter.report.outputs.bars import bars
from adapter.report.outputs.tables import YearTable, shown_figure

__all__ = ["pdf_bytes"]

_TEMPLATES = Path(__file__).parent / "templates"
_FONTS = Path(__file__).parents[2] / "pdf" / "fonts"
_FONT_FILES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")


def pdf_bytes(
    tables: Sequence[YearTable], *, language: str, title: str, centre: str, notes: Sequence[str]
) -> bytes:
    """Text that can be marked and copied. Nothing is fetched but our own font."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup
    from weasyprint import HTML

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template("year.html").render(
        language=language,
        fonts=[(_FONTS / name).as_uri() for name in _FONT_FILES],
        title=title,
        centre=centre,
        notes=notes,
        tables=tables,
        figure=shown_figure,
        chart=lambda table: Markup(bars(table)),  # noqa: S704 # made here, of escaped words
    )
    made: bytes = HTML(string=page, base_url="about:blank", url_fetcher=_our_font).write_pdf()
    return made


def _our_font(url: str, *_: Any, **__: Any) -> Any:
    """Whoever draws takes a refusal for a file that is not there, and goes on without."""
    from weasyprint.urls import URLFetcherResponse

    if url not in [(_FONTS / name).as_uri() for name in _FONT_FILES]:
        raise ValueError("refused")
    return URLFetcherResponse(
        url, (_FONTS / url.rpartition("/")[2]).read_bytes(), {"Content-Type": "font/ttf"}
    )
