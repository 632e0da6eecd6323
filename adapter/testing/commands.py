"""Runs the command as its users do, as processes, and knows what it started."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from adapter.demo.hospital import HospitalView
from adapter.demo.processes import until

__all__ = ["ADAPTER", "Commands"]

ADAPTER = Path(sys.executable).with_name("adapter")
"""The command that is installed beside this Python."""

_RUN_SECONDS = 120.0
_START_SECONDS = 30.0
_END_SECONDS = 30.0


class Commands:
    """Runs `adapter …` in `folder` and in `environment`, which may be changed between two commands: this
    process's without ADAPTER_…, and with what is given. Use it in a `with`, or close it.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ADAPTER_")}
        self.environment = {**kept, **(environment or {})}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.views: list[HospitalView] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def attempt(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command, whatever comes of it."""
        return subprocess.run(  # noqa: S603 - our own command
            [ADAPTER, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_RUN_SECONDS,
            check=False,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command; its standard output. AssertionError when it does not end with `code`."""
        done = self.attempt(*arguments)
        if done.returncode != code:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def run_json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with --json; what it says."""
        return json.loads(self.run(*arguments, "--json", code=code))

    def start(self, name: str, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command in the background under a name; its output goes to NAME.log."""
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own command
                [ADAPTER, *arguments], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        self.processes[name] = process
        return process

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


def _has_ended(process: "subprocess.Popen[bytes] | None") -> bool:
    return process is not None and process.poll() is not None
