"""`adapter hospital xml`: a file of the insurer's XML, as a hospital exported it."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.terminal.context import AsJson, open_adapter, operating, settings_of
from adapter.cli.terminal.output import emit, moment, rows, table
from adapter.texts import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from adapter.operations.national_xml import FilePreview
    from adapter.settings import Settings

__all__ = ["register"]


def register(hospital: typer.Typer) -> None:
    """Add this command to the group `hospital`."""
    hospital.command("xml", help=say("national_xml.help"))(hospital_xml)


def hospital_xml(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help=say("cli.help_hospital_name"))],
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("national_xml.help_file"))],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("national_xml.help_dry_run"))] = False,
    as_json: AsJson = False,
) -> None:
    """What one of the insurer's files would become; without --dry-run it is taken in."""
    from adapter.operations.national_xml import TakeNationalXml

    settings = settings_of(context)
    hospital = settings.hospital(name)
    operation = TakeNationalXml(hospital.name, _content(file, settings))
    with open_adapter(context) as adapter:
        if dry_run:
            seen = operation.preview(operating(adapter)).shown
            facts = {
                "hospital": seen.hospital,
                "visits": seen.visits,
                "unread": seen.unread,
                "strangers": seen.strangers,
                "resources": seen.resources,
            }
            emit(facts, as_json, lambda out: _draw(out, seen))
            return
        taken = operation.perform(operating(adapter))
    done = say("national_xml.done", hospital=hospital.display, visits=taken.visits, entries=taken.entries)
    if taken.strangers:
        done = f"{done}\n{say('national_xml.strangers', count=taken.strangers)}"
    if taken.is_known:
        done = say("national_xml.known", at=moment(taken.at))
    emit({"hospital": hospital.name, **_facts(taken)}, as_json, lambda out: out.print(done))


def _facts(taken: Any) -> dict[str, Any]:
    return {
        "known": taken.is_known,
        "at": taken.at,
        "visits": taken.visits,
        "entries": taken.entries,
        "strangers": taken.strangers,
    }


def _content(file: Path, settings: "Settings") -> bytes:
    """The file within the limit of the endpoint. Raises UsageError for a larger one."""
    from adapter.errors import UsageError

    most = settings.max_body_bytes
    try:
        with file.open("rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        raise UsageError("import.no_file", file=str(file)) from error
    if len(data) > most:
        raise UsageError("national_xml.file_too_large", limit=f"{most:,}")
    return data


def _draw(out: "Console", seen: "FilePreview") -> None:
    entries = len(seen.resources)
    out.print(say("national_xml.would_take", visits=seen.visits, entries=entries))
    if seen.strangers:
        out.print(say("national_xml.strangers", count=seen.strangers))
    counts = Counter(one["resourceType"] for one in seen.resources)
    heads = (say("national_xml.col_resource"), say("national_xml.col_count"))
    out.print(rows(table(*heads), counts.items()))
    columns = (say(f"national_xml.col_{word}") for word in ("resource", "what", "value"))
    out.print(rows(table(*columns), _lines(seen)))
    if seen.unread:
        out.print(say("national_xml.unread", sheets=", ".join(seen.unread)))


def _lines(seen: "FilePreview") -> "Iterator[tuple[str, str, str]]":
    for one in seen.resources:
        if one["resourceType"] in ("DiagnosticReport", "Observation"):
            code = one["code"]
            text = code.get("text") or code["coding"][0]["code"]
            yield one["resourceType"], text, _value(one)


def _value(one: dict[str, Any]) -> str:
    """What it says, in one line as far as it goes."""
    if amount := one.get("valueQuantity"):
        number = f"{amount.get('comparator', '')}{amount['value']}"
        return " ".join(filter(None, (number, amount.get("unit"))))
    return str(one.get("valueString") or one.get("conclusion") or "")
