"""Runs the command as its users do, as processes, and knows what it started."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol, Self

from adapter.demo.hospital import HospitalView
from adapter.demo.processes import until

__all__ = ["ADAPTER", "Commands", "Launch", "Process", "execute"]

ADAPTER = Path(sys.executable).with_name("adapter")
"""The command that is installed beside this Python."""

_RUN_SECONDS = 120.0
_START_SECONDS = 30.0
_END_SECONDS = 30.0


class Process(Protocol):
    """A process that was started, as far as it is used here: what `subprocess.Popen` is."""

    pid: int

    def poll(self) -> int | None:
        """The exit code, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, -N if signal N ended it. Raises subprocess.TimeoutExpired."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal, unless it has ended."""

    def kill(self) -> None:
        """End it."""


class Launch(Protocol):
    """Starts `adapter ARGUMENTS` as a process."""

    def __call__(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: IO[bytes],
        stderr: IO[bytes],
    ) -> Process: ...


def execute(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes]
) -> Process:
    """Start the installed command by its path."""
    return subprocess.Popen([ADAPTER, *arguments], cwd=cwd, env=env, stdout=stdout, stderr=stderr)  # noqa: S603 - our own


class Commands:
    """Runs `adapter …` in `folder` and in `environment`, which may be changed between two commands: this
    process's without ADAPTER_…, with leave to run services as root (tests often do), and with what is given.
    Use it in a `with`, or close it.
    """

    launch: Launch = staticmethod(execute)
    """How a command becomes a process."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ADAPTER_")}
        self.environment = {**kept, "ADAPTER_ALLOW_ROOT": "true", **(environment or {})}
        self.processes: dict[str, Process] = {}
        self.views: list[HospitalView] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def attempt(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command, whatever comes of it."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self._launch(arguments, out, err)
            try:
                code = process.wait(_RUN_SECONDS)
            finally:
                process.kill()
            said = [_text(stream) for stream in (out, err)]
        return subprocess.CompletedProcess([str(ADAPTER), *arguments], code, *said)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command; its standard output. AssertionError when it does not end with `code`."""
        done = self.attempt(*arguments)
        if done.returncode != code:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def run_json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with --json; what it says."""
        return json.loads(self.run(*arguments, "--json", code=code))

    def start(self, name: str, *arguments: str) -> Process:
        """Start a command in the background under a name; its output goes to NAME.log."""
        with self.log(name).open("ab") as log:
            process = self._launch(arguments, log, log)
        self.processes[name] = process
        return process

    def _launch(self, arguments: Sequence[str], out: IO[bytes], err: IO[bytes]) -> Process:
        return self.launch(arguments, cwd=self.folder, env=self.environment, stdout=out, stderr=err)

    def log(self, name: str) -> Path:
        """Where the output of what was started under that name goes."""
        return self.folder / f"{name}.log"

    def view(self, name: str, base_url: str) -> HospitalView:
        """A view of the server that was started under that name, once it takes connections, whatever faults
        it then has; closed with the rest. AssertionError, with its log, when it ended instead, or does not
        within half a minute.
        """
        view = HospitalView(name, base_url, "")
        self.views.append(view)
        process = self.processes.get(name)
        until(lambda: _takes_connections(view.port) or _has_ended(process), _START_SECONDS, every=0.02)
        if not _takes_connections(view.port):
            log = self.log(name)
            raise AssertionError(f"{name} is not up\n{log.read_text('utf-8') if log.exists() else ''}")
        return view

    def stop(self, name: str, number: int = signal.SIGTERM) -> int:
        """Send a signal to what was started under that name, and wait; its exit code."""
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(_END_SECONDS)

    def close(self) -> None:
        """Kill what still runs."""
        for view in self.views:
            view.close()
        for process in self.processes.values():
            process.kill()
            process.wait()


def _takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _has_ended(process: Process | None) -> bool:
    return process is not None and process.poll() is not None


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode()
