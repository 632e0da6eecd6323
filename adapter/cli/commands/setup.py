"""`adapter init`, `template`, `sample`, `demo`: what one does on the first day."""

from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.terminal.context import AsJson, choices, settings_of
from adapter.cli.terminal.output import emit
from adapter.errors import UsageError
from adapter.operations.starting_files import write_key, write_settings
from adapter.texts import current_language, say, write_line

__all__ = ["register"]

_SAMPLE_YEAR = 2026
_CADRES = 934
_FEW = 20


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("init", help=say("cli.help_init"))(init)
    app.command("template", help=say("cli.help_template"))(template)
    app.command("sample", help=say("cli.help_sample"))(sample)
    app.command("demo", help=say("cli.help_demo"))(demo)


def init(context: typer.Context) -> None:
    """Write adapter.toml and data/identity.key."""
    from adapter.settings import DEFAULT_FILE

    file = choices(context).config or DEFAULT_FILE
    write_settings(file, current_language())
    key = file.parent / "data" / "identity.key"
    made = write_key(key)
    write_line(say("cli.init_done", path=str(file)))
    write_line(say("cli.init_key" if made else "cli.init_key_kept", path=str(key)))


def template(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("cli.help_template_file"))] = Path(
        "template.xlsx"
    ),
    wide: Annotated[bool, typer.Option("--wide", help=say("layout.help_wide"))] = False,
) -> None:
    """Write an empty workbook with all sheets."""
    from adapter.operations.starting_files import write_template

    _must_be_new(file)
    settings = settings_of(context)
    write_template(file, current_language(), settings, wide=wide)
    write_line(say("cli.template_done", path=str(file)))


def sample(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("cli.help_sample_file"))] = Path(
        "sample.xlsx"
    ),
    small: Annotated[bool, typer.Option("--small", help=say("cli.help_small"))] = False,
    seed: Annotated[int, typer.Option(help=say("cli.help_seed"))] = 1,
    year: Annotated[int, typer.Option(min=1900, max=2200, help=say("cli.help_year"))] = _SAMPLE_YEAR,
    as_json: AsJson = False,
) -> None:
    """Write the sample year."""
    from adapter.operations.starting_files import write_sample

    _must_be_new(file)
    counts = write_sample(file, seed=seed, cadres=_FEW if small else _CADRES, year=year)
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
    from adapter.demo.script import Demo

    ok = Demo(folder, seed=seed, small=small, keep=keep, sabotage=sabotage).run()
    raise typer.Exit(0 if ok else 1)


def _must_be_new(file: Path) -> None:
    """Raises UsageError when there is such a file, OSError when none can be made there: said before the
    work, not after it.
    """
    if file.exists():
        raise UsageError("cli.file_exists", path=str(file))
    if file.suffix:  # a folder is made with its parents
        file.touch()
        file.unlink()
