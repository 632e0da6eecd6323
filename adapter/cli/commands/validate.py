"""`adapter validate`: R4 resources, Bundles or NDJSON, checked as what comes in is.

Files are read a document or a line at a time, so that a large NDJSON is never held as a whole.
"""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from adapter.cli.terminal.context import AsJson
from adapter.errors import UsageError
from adapter.texts import escaped_json, say, write_line

if TYPE_CHECKING:
    from adapter.insights.document_check import Issue, KnownProfiles

__all__ = ["register"]

_STDIN = "-"
_EVERY = 100  # documents between two signs of progress


@dataclass(frozen=True, slots=True)
class _Check:
    """How documents are looked at."""

    second_opinion: bool
    profiles: "KnownProfiles"


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found in one document; `line` is that of an NDJSON, counted from 1, None for a whole file."""

    file: str
    line: int | None
    issues: "tuple[Issue, ...]"


@dataclass(slots=True)
class _Counts:
    resources: int = 0
    refused: int = 0
    errors: int = 0
    warnings: int = 0

    def add(self, found: _Checked) -> None:
        errors = sum(issue.is_error for issue in found.issues)
        self.resources += 1
        self.refused += errors > 0
        self.errors += errors
        self.warnings += len(found.issues) - errors


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command("validate", help=say("validate.help"))(validate)


def validate(
    *,
    files: Annotated[list[str], typer.Argument(help=say("validate.help_files"), metavar="FILE… | -")],
    as_json: AsJson = False,
    ndjson: Annotated[bool, typer.Option("--ndjson", help=say("validate.help_ndjson"))] = False,
    second_opinion: Annotated[
        bool,
        typer.Option("--second-opinion/--no-second-opinion", help=say("validate.help_second_opinion")),
    ] = True,
    profiles: Annotated[
        list[Path] | None, typer.Option("--profiles", help=say("validate.help_profiles"), metavar="TABLE")
    ] = None,
) -> None:
    """Check files; exit 1 when any has an error."""
    from adapter.cli.terminal.progress import progress
    from adapter.insights.document_check import load_profiles

    for file in files:
        if file != _STDIN and not Path(file).is_file():
            raise UsageError("validate.no_file", path=file)
    check = _Check(second_opinion, load_profiles(profiles or ()))
    counts = _Counts()
    show = _as_lines if ndjson else _as_array if as_json else _as_words
    # a bar and lines on the same terminal would run into each other
    with progress(quiet=sys.stdout.isatty() or not sys.stderr.isatty()) as tell:
        show(_counted(_checked(files, check, ndjson=ndjson), counts, tell))
    if not (ndjson or as_json):
        write_line(say("validate.summary", **{name: getattr(counts, name) for name in _Counts.__slots__}))
    raise typer.Exit(1 if counts.errors else 0)


def _counted(
    found: Iterator[_Checked], counts: _Counts, tell: Callable[[str, str | None, int, int], None]
) -> Iterator[_Checked]:
    for one in found:
        counts.add(one)
        if counts.resources % _EVERY == 0:
            tell("validate", None, counts.resources, 0)
        yield one


def _checked(files: list[str], check: _Check, *, ndjson: bool) -> Iterator[_Checked]:
    from adapter.insights.document_check import check_document

    for file in files:
        name = os.fsencode(file).decode(errors="replace")  # a name need not be UTF-8, what is printed must
        for line, data in _documents(file, ndjson=ndjson):
            issues = check_document(data, second_opinion=check.second_opinion, profiles=check.profiles)
            yield _Checked(name, line, tuple(issues))


def _documents(file: str, *, ndjson: bool) -> Iterator[tuple[int | None, bytes]]:
    """(line or None, its JSON), one after the other."""
    if file == _STDIN:
        yield from _lines(sys.stdin.buffer) if ndjson else [(None, sys.stdin.buffer.read())]
    elif file.lower().endswith(".ndjson"):
        with Path(file).open("rb") as stream:
            yield from _lines(stream)
    else:
        yield None, Path(file).read_bytes()


def _lines(stream: BinaryIO) -> Iterator[tuple[int | None, bytes]]:
    for number, line in enumerate(stream, start=1):
        if line.strip():
            yield number, line


def _as_words(found: Iterator[_Checked]) -> None:
    for one in found:
        place = one.file if one.line is None else f"{one.file}:{one.line}"
        for issue in one.issues:
            severity = say("validate.severity_error" if issue.is_error else "validate.severity_warning")
            where = f"{issue.expression}: " if issue.expression else ""
            write_line(f"{place}: {severity} [{issue.rule}] {where}{issue.text}")


def _as_lines(found: Iterator[_Checked]) -> None:
    from adapter.insights.document_check import outcome_text

    for one in found:
        write_line(escaped_json(outcome_text(one.file, one.line, one.issues)))


def _as_array(found: Iterator[_Checked]) -> None:
    from adapter.insights.document_check import outcome_text

    before = "[\n"
    for one in found:
        write_line(before + escaped_json(outcome_text(one.file, one.line, one.issues)), end="")
        before = ",\n"
    write_line("\n]" if before == ",\n" else "[]")
