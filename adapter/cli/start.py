"""`adapter init`, `template`, `sample`, `demo`: what one does on the first day."""

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.context import AsJson, choices
from adapter.cli.show import emit
from adapter.errors import UsageError
from adapter.texts import language, say

__all__ = ["register", "write_key", "write_settings"]

_TEMPLATES = Path(__file__).parent / "templates"
_SAMPLE_YEAR = 2026
_CADRES = 934
_FEW = 20


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("init", help=say("cli.help_init"))(init)
    app.command("template", help=say("cli.help_template"))(template)
    app.command("sample", help=say("cli.help_sample"))(sample)
    app.command("demo", help=say("cli.help_demo"))(demo)


def write_settings(file: Path, lang: str) -> None:
    """Write the commented settings. Raises UsageError when `file` is there already."""
    text = (_TEMPLATES / f"adapter.{lang}.toml").read_text("utf-8")
    text = text.replace('#lang = "en"', f'lang = "{lang}"')
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError("cli.init_exists", path=str(file)) from None


def write_key(file: Path) -> bool:
    """Make the identity key, readable by this account alone; False when there is one, which stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_hex(32) + "\n")
    return True


def init(context: typer.Context) -> None:
    """Write adapter.toml and data/identity.key."""
    from adapter.settings import DEFAULT_FILE

    file = choices(context).config or DEFAULT_FILE
    write_settings(file, language())
    key = file.parent / "data" / "identity.key"
    made = write_key(key)
    typer.echo(say("cli.init_done", path=str(file)))
    typer.echo(say("cli.init_key" if made else "cli.init_key_kept", path=str(key)))


def template(
    file: Annotated[Path, typer.Argument(help=say("cli.help_template_file"))] = Path("template.xlsx"),
) -> None:
    """Write an empty workbook with all sheets."""
    from adapter.records.template import write_template

    if file.exists():
        raise UsageError("cli.file_exists", path=str(file))
    write_template(file, language())
    typer.echo(say("cli.template_done", path=str(file)))


def sample(
    file: Annotated[Path, typer.Argument(help=say("cli.help_sample_file"))] = Path("sample.xlsx"),
    small: Annotated[bool, typer.Option("--small", help=say("cli.help_small"))] = False,
    seed: Annotated[int, typer.Option(help=say("cli.help_seed"))] = 1,
    year: Annotated[int, typer.Option(help=say("cli.help_year"))] = _SAMPLE_YEAR,
    as_json: AsJson = False,
) -> None:
    """Write the sample year."""
    from adapter.records.synthetic import write_csv, write_workbook

    if file.exists():
        raise UsageError("cli.file_exists", path=str(file))
    write = write_workbook if file.suffix else write_csv
    counts = write(file, seed=seed, cadres=_FEW if small else _CADRES, year=year)
    facts = {"file": str(file), "seed": seed, "year": year, "rows": counts}
    done = say("cli.sample_done", path=str(file), people=counts["cadre"], measurements=counts["measurement"])
    emit(facts, as_json, lambda out: out.print(done))


def demo(
    folder: Annotated[Path, typer.Option(help=say("cli.help_demo_folder"))] = Path("demo"),
    keep: Annotated[bool, typer.Option("--keep", help=say("cli.help_keep"))] = False,
    small: Annotated[bool, typer.Option("--small", help=say("cli.help_small"))] = False,
    seed: Annotated[int, typer.Option(help=say("cli.help_seed"))] = 1,
    sabotage: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the whole round trip with real processes, and check it."""
    from adapter.cli.demo.script import Demo

    ok = Demo(folder, seed=seed, small=small, keep=keep, sabotage=sabotage).run()
    raise typer.Exit(0 if ok else 1)
