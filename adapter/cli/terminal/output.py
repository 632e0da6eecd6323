"""Printing: tables for people, JSON for programs, problems and progress on standard error."""

import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from adapter.texts import escaped_json, has_text, say, write_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

__all__ = [
    "LOCAL",
    "Fitting",
    "as_json",
    "code_words",
    "console",
    "emit",
    "errors",
    "moment",
    "number",
    "pages",
    "rows",
    "table",
    "why",
]

LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
_REASONS = ("reason", "disclosure")
_WIDTH_OF_A_FILE = 10_000  # where output is no terminal, nothing is folded: somebody may search in it


def code_words(code: str) -> str:
    """A code of the records (a sex, a kind of visit, a status) in words; one that has none stays as it is."""
    key = f"code.{code}"
    return say(key) if has_text(key) else code


def console() -> "Console":
    """Standard output."""
    return _console(stderr=False)


def errors() -> "Console":
    """Standard error: problems, warnings, progress."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from adapter.cli.terminal.clean_console import CleanConsole

    is_terminal = sys.stderr.isatty() if stderr else sys.stdout.isatty()
    width = None if is_terminal else _WIDTH_OF_A_FILE
    return CleanConsole(stderr=stderr, highlight=False, markup=False, width=width, soft_wrap=not is_terminal)


def emit(facts: Any, wanted: bool, render: "Callable[[Console], None]") -> None:
    """Print `facts` as one JSON document if wanted, else let `render` draw them."""
    if wanted:
        write_line(as_json(facts))
    else:
        render(console())


def as_json(facts: Any) -> str:
    """`facts` (dataclasses, models, dates, decimals, mappings, sequences) as indented JSON."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    return escaped_json(orjson.dumps(facts, default=_plain, option=options).decode())


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(exclude_none=True)
    if hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def table(*headers: str, numbers: Iterable[int] = (), title: str | None = None) -> "Table":
    """An empty table; the columns at the indexes `numbers` are right-aligned."""
    from rich import box
    from rich.table import Table

    right = set(numbers)
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for index, header in enumerate(headers):
        made.add_column(header, justify="right" if index in right else "left", overflow="fold")
    return made


def number(value: int) -> str:
    """An integer with thin grouping, the same in both languages: 60 048."""
    return f"{value:,}".replace(",", "\u202f") if sys.stdout.isatty() else str(value)


def moment(at: datetime | None) -> str:
    """A point in time in Vietnam's zone, or a dash."""
    return at.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S") if at else "-"


def rows(made: "Table", lines: Iterable[Sequence[object]]) -> "Fitting":
    """`made` with one row per line; where the terminal is too narrow for it, a small block per line."""
    cells = [[number(cell) if isinstance(cell, int) else str(cell) for cell in line] for line in lines]
    for line in cells:
        made.add_row(*line)
    return Fitting(made, cells)


class Fitting:
    """A table, or where it does not fit the same cells below each other: no name or id is ever split."""

    def __init__(self, made: "Table", cells: list[list[str]]) -> None:
        self._table = made
        self._cells = cells

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        wide = options.update(max_width=_WIDTH_OF_A_FILE)
        if self._table.__rich_measure__(console, wide).maximum <= options.max_width:
            yield self._table
            return
        from rich.table import Table
        from rich.text import Text

        headers = [str(column.header) for column in self._table.columns]
        if self._table.title:
            yield Text(str(self._table.title), style="bold")
        for first, *others in self._cells:
            yield Text(f"{headers[0]}: {first}".lstrip(": "), style="bold")
            block = Table.grid(padding=(0, 2))
            block.add_column(no_wrap=True)
            block.add_column(overflow="fold")
            for header, cell in zip(headers[1:], others, strict=True):
                block.add_row(f"  {header}", Text(cell))
            yield block
            yield Text("")


def why(reason: str) -> str:
    """A reason in words: of delivery, or of disclosure."""
    known = next((f"{area}.{reason}" for area in _REASONS if has_text(f"{area}.{reason}")), None)
    return say(known) if known else reason


def pages(reasons: Iterable[str]) -> list[str]:
    """A line for each reason why something is parked: where it is said what to do."""
    return [say("reason.page", why=why(reason), section=reason) for reason in dict.fromkeys(reasons)]
