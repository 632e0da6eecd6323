"""A sandbox hospital as a real process: real HTTP, a store on disk, and it can be killed."""

import signal
from pathlib import Path
from typing import Self

import httpx

from adapter.demo.hospital import HospitalView
from adapter.demo.processes import free_port
from adapter.testing.commands import Commands

__all__ = ["HospitalProcess", "sandbox_arguments"]


class HospitalProcess:
    """`adapter sandbox` on a free port, with its store and its log in `folder`. In a `with` it runs from
    the beginning to the end; it may be stopped or killed and started again, and holds what it held.

    `faults` as `adapter sandbox --fault` takes them ("503:0.1"); `options` are any other of its options.
    """

    def __init__(
        self,
        folder: Path,
        name: str = "bv-tinh",
        *,
        faults: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}/fhir"
        self._options = (*(word for fault in faults for word in ("--fault", fault)), *options)
        self._commands = Commands(folder)
        self._view: HospitalView | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def view(self) -> HospitalView:
        """What it holds, as its own staff see it."""
        if self._view is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._view

    def start(self) -> None:
        """Start it, with the faults that it was made with; returns once it takes requests."""
        arguments = sandbox_arguments(self.name, self.port, self._commands.folder)
        self._commands.start(self.name, *arguments, *self._options)
        self._view = self._commands.view(self.name, self.base_url)

    def set_faults(self, *faults: str) -> None:
        """From now on it misbehaves in these ways and no other. ValueError for an unknown one."""
        answer = httpx.post(f"http://127.0.0.1:{self.port}/$sandbox/faults", json={"faults": faults})
        if answer.status_code != httpx.codes.OK:
            raise ValueError(answer.text)

    def kill(self) -> None:
        """As `kill -9` does it: nothing is finished, nothing is closed."""
        self._commands.stop(self.name, signal.SIGKILL)

    def stop(self) -> int:
        """Let it finish what it does; its exit code."""
        return self._commands.stop(self.name)

    def close(self) -> None:
        """Kill it if it runs, and close all connections."""
        self._commands.close()


def sandbox_arguments(name: str, port: int, data: Path) -> tuple[str, ...]:
    """The command that starts a sandbox hospital, after `adapter`."""
    return ("sandbox", "--name", name, "--port", str(port), "--data", str(data))
