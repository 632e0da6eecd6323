"""Every command's help page and every way to word a command wrongly, as `adapter` says them.

Run as a process of its own, since a process speaks one language: `python command_walk.py vi` prints JSON,
words -> (code, said).
"""

import contextlib
import io
import json
import os
import sys
from functools import cache
from typing import Any

import typer.main

WIDTH = "200"


def wordings() -> list[list[str]]:
    """All help pages, and for each command what it can be told wrongly: nothing here runs any command."""
    from typer.main import get_command

    from adapter.cli.app import app

    found: list[list[str]] = []

    def walk(command: Any, path: list[str]) -> None:
        found.extend([[*path, "--help"], [*path, "--no-such-option"]])
        for parameter in command.params:
            of_one = _of_option if parameter.param_type_name == "option" else _of_argument
            found.extend([*path, *words] for words in of_one(parameter))
        children = getattr(command, "commands", {})
        if children and path:
            found.append([*path, "no-such-command"])
        elif path and not any(one.nargs == -1 for one in command.params):
            found.append([*path, *["word"] * 9])
        for name, child in children.items():
            if not child.hidden:
                walk(child, [*path, name])

    walk(get_command(app), [])
    return [
        *found,
        ["no-such-command"],
        ["statsu"],
        ["--lang", "fr", "status"],
        ["--config", "no.toml", "status"],
    ]


def _of_option(option: Any) -> list[list[str]]:
    name = max(option.opts, key=len)
    if option.is_flag:
        return [[f"{name}=x"]]
    numeric = option.type_descriptor.annotation in (int, float)
    return [[name], *([[name, "x"]] if numeric else [])]


def _of_argument(argument: Any) -> list[list[str]]:
    if not argument.required:
        return []
    return [[], *([["x"]] if argument.type_descriptor.annotation is int else [])]


def said(words: list[str]) -> tuple[int, str]:
    """The exit code, and all that stands on the terminal afterwards."""
    from adapter.cli import main

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            main(words)
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


if __name__ == "__main__":
    os.environ |= {"TERMINAL_WIDTH": WIDTH, "COLUMNS": WIDTH, "ADAPTER_LANG": sys.argv[1]}
    from adapter.texts import set_language

    set_language(sys.argv[1])  # before the commands are imported, as `main` does
    typer.main.get_command = cache(typer.main.get_command)  # which they are made into anew for each wording
    json.dump({" ".join(words): said(words) for words in wordings()}, sys.stdout, ensure_ascii=False)
