"""A centre with its settings in a folder of its own, and the processes that a test starts and kills."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fakes import GOOD

from adapter.database import migrate, open_database
from adapter.demo.hospital import HospitalView
from adapter.demo.processes import free_port, until
from adapter.ledger.server_cards.store import ServerCardStore
from adapter.settings import load_settings

ADAPTER = Path(sys.executable).with_name("adapter")
ROOT = Path(__file__).parents[1]
SMALL = ROOT / "fixtures" / "sample" / "small.xlsx"
LEVELS = {"bv-tinh": "provincial", "bv-trung-uong": "central"}


class Centre:
    """Runs `adapter …` in `folder` against two hospitals on ports of their own."""

    def __init__(self, folder: Path, database_url: str | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.ports = {name: free_port() for name in LEVELS}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.views: list[HospitalView] = []
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ADAPTER_")}
        self.environment = {**kept, "ADAPTER_CONFIG": str(folder / "adapter.toml")}
        lines = [
            'identity_key = "file:identity.key"',
            f"listen_port = {self.port}",
            "patience_seconds = 3",
            "lease_seconds = 10",
        ]
        if database_url:
            lines.append(f'database_url = "{database_url}"')
        for name, level in LEVELS.items():
            url = f"http://127.0.0.1:{self.ports[name]}/fhir"
            lines += [
                f"[hospitals.{name}]",
                f'display = "{name}"',
                f'level = "{level}"',
                f'base_url = "{url}"',
            ]
            lines += ["timeout_seconds = 5"]
        (folder / "adapter.toml").write_text("\n".join(lines), "utf-8")
        (folder / "identity.key").write_text("0123456789abcdef" * 4)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command that must end with `code`; its standard output."""
        done = self.attempt(*arguments)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def attempt(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command, whatever comes of it."""
        return subprocess.run(
            [ADAPTER, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def facts(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with --json; what it says."""
        return json.loads(self.run(*arguments, "--json", code=code))

    def start(self, name: str, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command in the background; its output goes to NAME.log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [ADAPTER, *arguments], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        self.processes[name] = process
        return process

    def measured(self) -> None:
        """Every hospital has the card of a good server, as after `adapter doctor`: fifty entries a Bundle."""
        settings = load_settings(self.folder / "adapter.toml")
        engine = open_database(settings.resolved_database_url)
        try:
            migrate(engine)
            for name in self.ports:
                ServerCardStore(engine).put(name, GOOD, datetime.now(UTC))
        finally:
            engine.dispose()

    def hospital(self, name: str, *options: str) -> HospitalView:
        """Start a sandbox and wait until it answers."""
        port = self.ports[name]
        self.start(name, "sandbox", "--name", name, "--port", str(port), "--data", f"at-{name}", *options)
        return self.look(name, port)

    def look(self, name: str, port: int | None = None) -> HospitalView:
        """A view of a server that is up, or will be within seconds; closed with the centre."""
        view = HospitalView(name, f"http://127.0.0.1:{port or self.ports[name]}/fhir", "")
        self.views.append(view)
        assert until(view.is_up, 30)
        return view

    def endpoint(self) -> str:
        """Start `adapter serve` and wait until it answers; its base."""
        self.start("serve", "serve")
        return self.look("serve", self.port).base_url

    def end(self, name: str, number: int = signal.SIGTERM) -> int:
        """Send a signal to a process and wait; its exit code."""
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(30)

    def close(self) -> None:
        """Kill what still runs."""
        for view in self.views:
            view.close()
        for process in self.processes.values():
            process.kill()
            process.wait()
