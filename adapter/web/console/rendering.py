"""Pages as HTML, in the language of who reads them. All that is filled in is escaped."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.responses import Response

from adapter.web.console.security import PAGE_POLICY

__all__ = ["LANGUAGES", "Renderer", "born", "day", "moment", "static_file"]

LANGUAGES: Final = {"vi": "Tiếng Việt", "en": "English"}  # each in its own words
_HERE: Final = Path(__file__).parent
_VIETNAM: Final = timezone(timedelta(hours=7))
_TYPES: Final = {
    ".svg": "image/svg+xml",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


class Renderer:
    """Fills the templates of the console for the centre of this name."""

    def __init__(self, centre: str) -> None:
        self._centre = centre

    def page(self, language: str, template: str, status: int, facts: Mapping[str, Any]) -> Response:
        """The page as a response, "vi" or "en"."""
        html = _template(template).render(
            {
                "centre": self._centre,
                "languages": LANGUAGES,
                "day": day,
                "moment": moment,
                "born": born,
                "asset": _asset,
                **facts,
            }
        )
        headers = {"Content-Security-Policy": PAGE_POLICY, "Content-Language": language}
        return Response(html, status, headers, "text/html; charset=utf-8")


def day(value: date | datetime | None) -> str:
    """dd/MM/yyyy, of a moment the day in Vietnam."""
    if isinstance(value, datetime):
        value = value.astimezone(_VIETNAM).date()
    return "" if value is None else value.strftime("%d/%m/%Y")


def born(written: str) -> str:
    """A day of birth as a record has it, of which only the year or month may be known: dd/MM/yyyy."""
    return "/".join(reversed(written.split("-"))) if written else "–"


def moment(value: datetime | None) -> str:
    """HH:MM dd/MM/yyyy in Vietnam."""
    if value is None:
        return ""
    return (
        (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(_VIETNAM).strftime("%H:%M %d/%m/%Y")
    )


@cache
def static_file(name: str) -> tuple[bytes, str] | None:
    """What is sent as it is, and its type; None of a name that is none."""
    known = {path.name: path for path in (_HERE / "static").iterdir() if path.suffix in _TYPES}
    path = known.get(name)
    return None if path is None else (path.read_bytes(), _TYPES[path.suffix])


@cache
def _asset(name: str) -> str:
    """The address of a file of `static/`: another one as soon as its content is."""
    found = static_file(name)
    if found is None:
        raise FileNotFoundError(name)
    return f"/static/{name}?{hashlib.sha256(found[0]).hexdigest()[:12]}"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _template(name: str) -> Template:
    return _environment().get_template(name)
