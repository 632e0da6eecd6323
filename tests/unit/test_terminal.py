"""Cells, file names and servers' words reach the terminal clean; keys cannot be guessed; no core is left."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

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
