"""An executable that forks is, for whoever starts it, the command."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import forking
import pytest

from adapter.demo.hospital import HospitalView
from adapter.testing import free_port, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")


@pytest.fixture
def command(tmp_path: Path) -> Path:
    return forking.executable(tmp_path)


def started(command: Path, folder: Path) -> "subprocess.Popen[bytes]":
    port = free_port()
    arguments = [command, "sandbox", "--name", "bv-tinh", "--port", str(port)]
    process = subprocess.Popen(arguments, cwd=folder, env=os.environ | {"ADAPTER_ALLOW_ROOT": "true"})
    view = HospitalView("bv-tinh", f"http://127.0.0.1:{port}/fhir", "")
    with contextlib.closing(view):
        assert until(view.is_up, 30)
    assert child_of(folder)
    return process


def child_of(folder: Path) -> str:
    """The process that works in the folder and is not the executable; "" where there is none."""
    for one in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(one / "cwd") == str(folder) and b"-IS" not in (one / "cmdline").read_bytes():
                return one.name
        except OSError:
            continue
    return ""


def test_it_says_what_the_command_says_and_ends_as_it_does(command: Path) -> None:
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("adapter ")
    wrong = subprocess.run([command, "no-such-thing"], capture_output=True, text=True, check=False)
    assert (wrong.returncode, "no-such-thing" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_signal_ends_what_it_forked(command: Path, tmp_path: Path, number: int, code: int) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    process = started(command, folder)
    process.send_signal(number)
    assert process.wait(20) == code
    assert until(lambda: child_of(folder) == "", 20)
