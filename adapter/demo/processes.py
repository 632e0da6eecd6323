"""The demo's processes: every step is the command that a person would type."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from adapter.errors import AdapterError
from adapter.texts import current_language, say, write_line

__all__ = ["Commands", "free_port", "until"]

_STOP_SECONDS = 15.0


def _command() -> Path:
    """The command that this process was started as, or else the one that is installed beside this Python."""
    started = Path(sys.argv[0])
    return started if started.name == "adapter" else Path(sys.executable).with_name("adapter")


def free_port() -> int:
    """A TCP port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(true: Callable[[], bool], seconds: float, *, every: float = 0.2) -> bool:
    """Ask again until it is true; False when `seconds` have passed."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


class Commands:
    """Runs `adapter …` on the demo's settings; knows what it started, and stops it."""

    def __init__(self, settings: Path, logs: Path) -> None:
        self._logs = logs
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ADAPTER_")}
        self._environment = kept | {
            "ADAPTER_CONFIG": str(settings),
            "ADAPTER_LANG": current_language(),
            "ADAPTER_ALLOW_ROOT": "true",  # whoever tries it out, perhaps in a container
        }
        self._services: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *arguments: str, may_fail: bool = False) -> int:
        """Show the command, run it on this terminal, and return its exit code."""
        self._show(arguments)
        code = subprocess.run([_command(), *arguments], env=self._environment, check=False).returncode  # noqa: S603 - our own command
        if code and not may_fail:
            raise AdapterError("demo.command_failed", command=shlex.join(["adapter", *arguments]), code=code)
        return code

    def read(self, *arguments: str, may_fail: bool = False) -> str:
        """Run the command unseen; its standard output."""
        done = subprocess.run(  # noqa: S603 - our own command
            [_command(), *arguments], env=self._environment, check=False, stdout=subprocess.PIPE, text=True
        )
        if done.returncode and not may_fail:
            command = shlex.join(["adapter", *arguments])
            raise AdapterError("demo.command_failed", command=command, code=done.returncode)
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Show the command and start it on this terminal; the caller kills or awaits it."""
        self._show(arguments)
        return subprocess.Popen([_command(), *arguments], env=self._environment)  # noqa: S603 - our own command

    def serve(self, name: str, *arguments: str) -> None:
        """Show the command and start it in the background; its output goes to `logs/NAME.log`."""
        self._show(arguments)
        with (self._logs / f"{name}.log").open("ab") as log:
            self._services[name] = subprocess.Popen(  # noqa: S603 - our own command
                [_command(), *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl+C reaches the demo, which then stops them in order
            )

    def check_alive(self) -> None:
        """Raises AdapterError when a service has ended by itself."""
        for name, process in self._services.items():
            if process.poll() is not None:
                raise AdapterError("demo.service_ended", name=name, log=str(self._logs / f"{name}.log"))

    def stop(self) -> bool:
        """Stop all services with SIGTERM; False when one had to be killed."""
        clean = True
        for process in self._services.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._services.values():
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                clean = False
        self._services.clear()
        return clean

    def release(self) -> list[int]:
        """Leave the services running; their process ids."""
        return [process.pid for process in self._services.values()]

    @staticmethod
    def _show(arguments: tuple[str, ...]) -> None:
        write_line(say("demo.typed", command=shlex.join(["adapter", *arguments])))
