"""The command line: what a person types. Typer parses, `terminal` prints, everything else is elsewhere.

In: words and options. Out: lines for people or JSON for programs, errors in words, an exit code.

`main` chooses the language before the commands are imported, because their help is in it; each
command imports what it needs when it runs, so that `adapter --help` stays quick.
"""

import os
import sys
import tomllib
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from adapter.cli.foreign_errors import in_words
from adapter.errors import AdapterError, UsageError
from adapter.texts import LANGUAGES, say, set_language, write_line

__all__ = ["main"]

_ANYWHERE = {"--lang": True, "--config": True, "--debug": False}  # option: takes a value


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 all well, 1 something waits for a person, 2 wrong usage or settings.

    Whatever it writes is for this account alone: nearly every file holds people, or a secret.
    """
    os.umask(0o077)
    general, rest = _hoist(list(sys.argv[1:] if arguments is None else arguments))
    set_language(_language(general))
    sys.excepthook = _crash
    from adapter.cli.app import app
    from adapter.cli.terminal.command_words import CLICK_REFUSAL, complaint

    try:
        code = app(args=[*general, *rest], prog_name="adapter", standalone_mode=False)
    except CLICK_REFUSAL as error:
        for line in complaint(error):
            write_line(line, to_errors=True)
        raise SystemExit(UsageError.exit_code) from None
    except AdapterError as error:
        if "--debug" in general:
            raise
        _complain(error)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:  # e.g. `adapter status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except Exception as error:
        words = None if "--debug" in general else in_words(error)
        if words is None:
            raise
        write_line(say("cli.error", problem=words), to_errors=True)
        raise SystemExit(1) from None
    raise SystemExit(code or 0)


def _hoist(arguments: list[str]) -> tuple[list[str], list[str]]:
    """General options may stand anywhere: `adapter status --lang vi` is `adapter --lang vi status`."""
    general: list[str] = []
    rest: list[str] = []
    while arguments:
        word = arguments.pop(0)
        if word == "--":
            return general, [*rest, word, *arguments]
        if word.partition("=")[0] in _ANYWHERE:
            general.append(word)
            if _ANYWHERE.get(word) and arguments:
                general.append(arguments.pop(0))
        else:
            rest.append(word)
    return general, rest


def _language(general: Sequence[str]) -> str:
    """Of help and usage errors, for which no settings are loaded: their file is asked for `lang` alone."""
    for chosen in (_value(general, "--lang"), os.environ.get("ADAPTER_LANG")):
        if chosen in LANGUAGES:
            return str(chosen)
    file = _value(general, "--config") or os.environ.get("ADAPTER_CONFIG") or "adapter.toml"
    return _lang_of_settings(Path(file))


def _value(general: Sequence[str], option: str) -> str | None:
    for index, word in enumerate(general):
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
        if word == option and index + 1 < len(general):
            return general[index + 1]
    return None


def _lang_of_settings(file: Path) -> str:
    """The language that a settings file chooses; English where it cannot be read, which others say."""
    try:
        return str(tomllib.loads(file.read_text("utf-8")).get("lang", "en"))
    except (OSError, ValueError):
        return "en"


def _crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A fault of our own, as Python says it: what others said may stand in its words."""
    write_line("".join(traceback.format_exception(kind, error, trace)), to_errors=True, end="")


def _complain(error: AdapterError) -> None:
    """One clear line, and below it whatever the error lists."""
    lines = [
        say("cli.error", problem=str(error)),
        *(f"  {line}" for line in getattr(error, "problems", ())),
    ]
    write_line("\n".join(lines), to_errors=True)
