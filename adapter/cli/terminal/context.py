"""What the general options chose, and the adapter opened accordingly."""

import gc
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.terminal.hardening import leave_no_core, refuse_root
from adapter.texts import say, set_language, write_line

if TYPE_CHECKING:
    from adapter.cli.terminal.progress import ProgressCallback
    from adapter.insights.insights import Insights
    from adapter.operations.operation import OperationContext
    from adapter.pipeline.application import Adapter as Adapter  # noqa: PLC0414 - the commands take it here
    from adapter.settings import Settings

__all__ = [
    "AsJson",
    "Choices",
    "Hospitals",
    "actor",
    "choices",
    "chosen",
    "insights",
    "now",
    "open_adapter",
    "operating",
    "settings_of",
    "stopping",
]

# Seconds after which a thread that computes lets another go on, if it plans, say: one that delivers asks for
# its turn after each statement and each answer, and with Python's 5 ms a hospital would wait for us.
_SWITCH = 0.0005

Hospitals = Annotated[list[str] | None, typer.Argument(metavar="HOSPITAL", help=say("cli.help_hospitals"))]
AsJson = Annotated[bool, typer.Option("--json", help=say("cli.help_json"))]


@dataclass(frozen=True, slots=True)
class Choices:
    """The general options of one run."""

    config: Path | None = None
    lang: str | None = None
    debug: bool = False


def choices(context: typer.Context) -> Choices:
    """The general options that were given."""
    found: Any = context.find_root().obj
    return found if isinstance(found, Choices) else Choices()


def settings_of(context: typer.Context, *, optional: bool = False) -> "Settings":
    """Read the settings; their language holds unless `--lang` or ADAPTER_LANG chose one. Raises SettingsError
    where there are none, unless the defaults do too (`optional`).
    """
    from adapter.settings import load_settings

    chosen = choices(context)
    settings = load_settings(chosen.config)
    set_language(chosen.lang or settings.lang)
    if not optional:
        settings.require_chosen_database()
    return settings


@contextmanager
def open_adapter(context: typer.Context, *, service: bool = False) -> Iterator["Adapter"]:
    """The adapter of the settings, closed at the end. A service logs what the settings say; a
    command that answers a person logs only what went wrong (or everything, at level debug).
    """
    import logging

    from adapter.pipeline.application import Adapter
    from adapter.telemetry import configure_logging

    settings = settings_of(context)
    if service:
        refuse_root(settings)
    leave_no_core()
    level = settings.log_level if service or settings.log_level == "debug" else "warning"
    configure_logging(level=level, json=settings.log_json)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of every plugin it loads
    _tell_when_new(context, settings, at_once=service)
    with Adapter.open(settings) as adapter:
        # What is loaded now stays to the end: the collector need not walk it again and again.
        gc.freeze()
        sys.setswitchinterval(_SWITCH)
        yield adapter


def _tell_when_new(context: typer.Context, settings: "Settings", *, at_once: bool) -> None:
    """Say that an empty database will be made: a slip in its name must not pass in silence. After what a
    command has to say, and not beside an error, which stays one line.
    """
    file = settings.database_file
    if file is None or file.exists():
        return

    def tell() -> None:
        if sys.exc_info()[0] in (None, typer.Exit):
            write_line(say("cli.database_made", path=file), to_errors=True)

    if at_once:
        tell()
    else:
        context.find_root().call_on_close(tell)


def chosen(adapter: "Adapter", hospitals: Sequence[str] | None) -> list[str]:
    """The hospitals named, or all. Raises SettingsError for a name that is not in the settings."""
    names = list(hospitals or adapter.settings.hospitals)
    return [adapter.settings.hospital(name).name for name in dict.fromkeys(names)]


def insights(adapter: "Adapter") -> "Insights":
    """What the adapter can tell to whoever is at the terminal."""
    from adapter.insights.insights import Insights

    return Insights(adapter, actor(), now)


def operating(
    adapter: "Adapter",
    progress: "ProgressCallback | None" = None,
    stop: threading.Event | None = None,
) -> "OperationContext":
    """Whoever is at the terminal acts, watched by `progress`, until `stop` is set."""
    from adapter.operations.operation import OperationContext

    context = OperationContext(adapter, actor(), now, stop=stop or threading.Event())
    return replace(context, progress=progress) if progress else context


def now() -> datetime:
    """The clock; the one place where the command line reads it."""
    return datetime.now(UTC)


def actor() -> str:
    """Who is at the terminal, for the audit: the operating system's account."""
    import getpass

    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # an account without a name, as in some containers
        return "cli"


def stopping(stop: threading.Event | None = None) -> threading.Event:
    """An event that SIGTERM and Ctrl+C set, so that work ends at a good place; a second one kills."""
    import signal

    stop = stop or threading.Event()

    def told(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    return stop
