"""The pages as HTML, in the language of who reads them. All that is filled in is escaped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.responses import Response

from adapter.texts import say_in
from adapter.web.hospital_page.actions import REASONS, may_finish, may_note
from adapter.web.hospital_page.answers import ROWS, FormProblem

__all__ = [
    "DEFAULT_LANGUAGE",
    "LANGUAGES",
    "PAGE_POLICY",
    "PageRenderer",
    "PageVisitor",
    "problem_lines",
    "style_sheet",
    "written_fields",
]

LANGUAGES: Final = {"vi": "Tiếng Việt", "en": "English"}  # each in its own words
DEFAULT_LANGUAGE: Final = "vi"
PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FOLDER: Final = Path(__file__).parent / "templates"
_VIETNAM: Final = timezone(timedelta(hours=7))


@dataclass(frozen=True, slots=True)
class PageVisitor:
    """Who reads a page: in which language, and as whose clerk; `form_key` is of the session. Nobody is signed
    in where it is empty.
    """

    language: str
    hospital: str = ""
    form_key: str = ""


class PageRenderer:
    """Fills the templates. `root` is where the pages begin, such as `/page`."""

    def __init__(self, root: str, centre: str) -> None:
        self.root = root
        self._centre = centre

    def __call__(
        self, name: str, reader: PageVisitor, here: str, status: int = 200, **values: Any
    ) -> Response:
        """The page `name` as a response; `here` is its address below the root."""
        text: Callable[..., str] = partial(say_in, reader.language)
        html = _template(name).render(
            t=text,
            reader=reader,
            root=self.root,
            here=self.root + here,
            centre=self._centre,
            languages=LANGUAGES,
            rows=range(1, ROWS + 1),
            may_note=may_note,
            may_finish=may_finish,
            reasons=REASONS,
            moment=_moment,
            **values,
        )
        headers = {"Content-Security-Policy": PAGE_POLICY, "Content-Language": reader.language}
        return Response(html, status, headers, "text/html; charset=utf-8")

    def message(self, reader: PageVisitor, status: int, text: str, **headers: str) -> Response:
        """A page that says one thing, the text `page.<text>`."""
        response = self("message.html", reader, "", status, text=text)
        response.headers.update(headers)
        return response


def style_sheet() -> bytes:
    """The one style sheet."""
    return (_FOLDER / "style.css").read_bytes()


def problem_lines(problems: Sequence[FormProblem], language: str) -> list[str]:
    """What is wrong with a form, a line each."""
    lines = []
    for one in problems:
        field = say_in(language, f"page.field_{one.field}")
        where = say_in(language, "page.in_row", row=one.row) if one.row else ""
        lines.append(f"{field}{where}: {say_in(language, f'page.wrong_{one.text}', expected=one.expected)}")
    return lines


def written_fields(fields: Mapping[str, str]) -> Callable[[str], str]:
    """What was written in a field, so that nobody writes it twice."""
    return lambda name: fields.get(name, "")


def _moment(value: datetime | None) -> str:
    return "" if value is None else value.astimezone(_VIETNAM).strftime("%H:%M %d/%m/%Y")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _template(name: str) -> Template:
    return _environment().get_template(name)
