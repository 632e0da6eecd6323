"""A centre in a folder of its own: settings, key, database; and the commands that are measured."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["Centre", "Usage", "free_port", "machine", "stub"]

ADAPTER = Path(sys.executable).with_name("adapter")
_HOSPITALS = {"bv-tinh": "provincial", "bv-trung-uong": "central"}
_STUB = Path(__file__).with_name("stub.py")


@dataclass(frozen=True)
class Usage:
    """What a process took: seconds on the clock, user and system CPU seconds, megabytes at most."""

    seconds: float
    cpu: float
    megabytes: float
    output: str = ""


def machine() -> str:
    """The size of the machine, as a line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{os.cpu_count()} cores ({os.uname().machine}), {memory:.0f} GB, Python {python}"


def free_port() -> int:
    """A TCP port of this machine that is free now; of BENCH_PORTS ("23000-23999") where that is set."""
    first, last = map(int, os.environ.get("BENCH_PORTS", "0-0").split("-"))
    for port in range(first, last + 1):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise RuntimeError("no free port in BENCH_PORTS")


@contextmanager
def stub(delay: float = 0.0) -> Iterator[str]:
    """The base URL of a hospital that takes everything (see stub.py)."""
    port = free_port()
    process = subprocess.Popen([sys.executable, _STUB, "--port", str(port), "--delay", str(delay)])
    url = f"http://127.0.0.1:{port}/fhir"
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


class Centre:
    """Settings and data of one centre in `folder`; hospitals by name with what their sections say. Those that
    the sample year names are there in any case.
    """

    def __init__(
        self, folder: Path, hospitals: Mapping[str, Mapping[str, Any]], database: str | None = None
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "key").write_text(secrets.token_hex(32))  # a new key: no identity was seen before
        lines = ['identity_key = "file:key"']
        lines += [f"database_url = {json.dumps(database)}"] if database else []
        for name in dict.fromkeys([*_HOSPITALS, *hospitals]):
            section = hospitals.get(name, {"base_url": "http://127.0.0.1:9/fhir"})
            values = {"display": name, "level": _HOSPITALS.get(name, "provincial"), **section}
            lines += [
                f"[hospitals.{name}]",
                *(f"{key} = {json.dumps(value)}" for key, value in values.items()),
            ]
        (folder / "adapter.toml").write_text("\n".join(lines) + "\n")

    @property
    def environment(self) -> dict[str, str]:
        """Of the commands."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ADAPTER_")}
        return kept | {"ADAPTER_CONFIG": str(self.folder / "adapter.toml"), "ADAPTER_ALLOW_ROOT": "true"}

    def write_card(self, hospital: str) -> None:
        """Let the hospital have been measured, and do all as R4 says: support/stub.py keeps too little to
        be measured, and a hospital that was not gets everything the slowest way.
        """
        from adapter.ledger.server_cards.card import ServerCard
        from adapter.pipeline.application import Adapter
        from adapter.settings import load_settings

        yes = (
            *("transaction", "atomic", "batch", "urn_references", "paired", "names_ids", "encoded_urls"),
            *("conditional_create", "conditional_update", "if_match", "bundle_if_match", "deletes"),
            *("search_by_identifier", "search_is_fresh", "search_several", "paging", "revives_deleted"),
        )
        card = ServerCard(
            fhir_version="4.0.1", max_entries=500, max_bytes=5_000_000, **dict.fromkeys(yes, True)
        )
        with Adapter.open(load_settings(self.folder / "adapter.toml")) as adapter:
            adapter.cards.put(hospital, card, datetime.now(UTC))

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """A command that goes on; its output goes nowhere."""
        quiet = subprocess.DEVNULL
        return subprocess.Popen([ADAPTER, *arguments], env=self.environment, stdout=quiet, stderr=quiet)

    def run(self, *arguments: str, fine: Sequence[int] = (0,)) -> Usage:
        """A command to its end, and what it took. Raises when its exit code is none of `fine`."""
        with (self.folder / "out").open("w+") as out:
            started = time.perf_counter()
            process = subprocess.Popen([ADAPTER, *arguments], env=self.environment, stdout=out)
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            output = out.read()
        if process.returncode not in fine:
            raise RuntimeError(
                f"adapter {' '.join(arguments)}: exit code {process.returncode}\n{output[:1000]}"
            )
        return Usage(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, output)
