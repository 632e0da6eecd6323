"""Cells, file names and servers' words reach the terminal clean; keys cannot be guessed; no core is left."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from adapter.cli import main
from adapter.cli.terminal.command_words import CommandLine
from adapter.cli.terminal.output import as_json, console, errors, rows, table
from adapter.fhir.identity import is_weak_key
from adapter.texts import printable, say, set_language

NASTY = {
    "an escape": "\x1b[2J\x1b]0;title\x07",
    "a carriage return": "real\rfake",
    "a backspace": "abc\b\b\b",
    "a C1 introducer": "\x9b31m",
    "a direction": "a\u202etxt.exe",
    "an isolate": "\u2066x\u2069",
    "a line separator": "a\u2028b",
    "a null": "a\x00b",
    "delete": "a\x7fb",
}
OBEYED = {*map(chr, (*range(9), *range(11, 32), *range(127, 160))), *"\u061c\u200e\u200f\u2028\u2029"}
OBEYED |= {*map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A)))}


@pytest.fixture(autouse=True)
def _english() -> None:
    set_language("en")


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_what_a_terminal_obeys_is_shown_and_not_obeyed(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console().print(text)
    console().print(rows(table("One", "Two"), [(text, 5)]))
    errors().print(text)
    print(say("cli.error", problem=text))
    done = capsys.readouterr()
    assert not OBEYED & set(done.out + done.err)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_json_says_the_same_in_escapes(text: str) -> None:
    document = as_json({"value": text, "name": "Nguyễn Văn Ả"})
    assert not OBEYED & set(document)
    assert json.loads(document) == {"value": text, "name": "Nguyễn Văn Ả"}
    assert "Nguyễn Văn Ả" in document


def test_what_is_no_control_stays() -> None:
    text = "Nguyễn Thị Ánh\tơ ư đ: 1,5 µmol/L\n≥ 5 – “ok” 👩‍⚕️"
    assert printable(text) == text
    assert say("cli.error", problem=5).endswith("5")


def test_signs_are_shown_by_their_pictures() -> None:
    assert printable("\x1b[1m\x00\x7f\x9b") == "␛[1m␀␡\ufffd"


@pytest.mark.parametrize(
    "key",
    [
        "a" * 64,
        "ab" * 32,
        "0000000000000000000000000000001",
        "1234567812345678",
        "abcdefghabcdefghabcdefg",
        "changeme-changeme-changeme-1",
        "This-Is-My-Password-2026",
        "an-example-of-a-key-0123456789",
        "aabbccddeeffggaabb"[:16],
    ],
)
def test_a_key_that_can_be_guessed_is_weak(key: str) -> None:
    assert is_weak_key(key.encode())


def test_a_key_that_is_made_is_never_weak() -> None:
    assert not any(is_weak_key(secrets.token_hex(32).encode()) for _ in range(2000))
    assert not any(is_weak_key(secrets.token_bytes(32)) for _ in range(2000))


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_process_that_holds_people_leaves_no_core(tmp_path: Path) -> None:
    """In a process of its own: this one stays as it is."""
    code = (
        "import ctypes, resource\n"
        "from adapter.cli.terminal.hardening import leave_no_core\n"
        "leave_no_core()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "(0, 0) 0"


def _whole_numbers(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The words of each command that takes a whole number, and the parameter."""
    for name, one in getattr(command, "commands", {}).items():
        yield from _whole_numbers(one, (*path, name))
    for parameter in command.params:
        if parameter.bare_type() == "int":
            yield path, parameter


def _words(command: Any, meant: Any, number: str) -> Iterator[str]:
    for parameter in command.params:
        if parameter is meant and parameter.param_type_name == "option":
            yield from (parameter.opts[0], number)
        elif parameter is meant or (parameter.required and parameter.param_type_name == "argument"):
            yield number if parameter is meant else "1"
        elif parameter.required:
            yield from (parameter.opts[0], "1")


@pytest.mark.parametrize("number", [str(2**63), "9" * 40])
def test_no_command_takes_a_number_that_no_database_holds(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from adapter.cli.app import app

    root = typer.main.get_command(app)
    found = list(_whole_numbers(root, ()))
    assert len(found) > 15
    for path, parameter in found:
        command: Any = root
        for name in path:
            command = command.commands[name]
        with pytest.raises(SystemExit) as ended:
            main([*path, *_words(command, parameter, number)])
        assert ended.value.code == 2, path
        said = capsys.readouterr().err
        assert "so large a number" in said or "at most" in said, (path, said)


def test_the_table_of_commands_says_what_their_modules_make() -> None:
    from adapter.cli.app import COMMANDS, app

    made = typer.main.get_command(app).commands
    assert {name: command.help for name, command in made.items()} == {
        name: say(place.help) for name, place in COMMANDS.items()
    }
    modules = {place.module for place in COMMANDS.values()}
    registered: dict[str, str] = {}
    for module in modules:
        alone = CommandLine()
        import_module(module).register(alone)
        registered |= dict.fromkeys(typer.main.get_group(alone).commands, module)
    assert registered == {name: place.module for name, place in COMMANDS.items()}


def test_the_list_of_commands_is_written_without_their_modules() -> None:
    looked = (
        "import sys; from adapter.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith('adapter.cli.commands.')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "identity-key" in done.stdout
