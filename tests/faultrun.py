"""One fault run: a centre of real processes, two hospitals behind fault proxies, and all that can go
wrong going wrong by the dice of a seed. `python tests/faultrun.py 20` makes 20 runs and prints a table.

Records change from round to round while everything is killed and started again; then the faults end,
and what the hospitals hold must be what a hospital holds that never saw one.
"""

import argparse
import csv
import itertools
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faultchecks
import httpx
import troubles
from faultproxy import FaultProxy
from postgres import Postgres
from sample import ROOT

from adapter.testing import HOSPITALS, Centre, HospitalView, until

__all__ = ["Result", "run_seed"]

SAMPLE = ROOT / "fixtures" / "sample" / "small-csv"
TIMEOUT = 2.0  # seconds, of a request to a hospital
SHARE = 0.2  # of the requests meet a fault
SLOW = 10.0  # seconds that the next kill waits for requests at most
LINGER = 80  # requests that meet faults once the kills are over
DISK = 200  # megabytes
EAGER = {"timeout_seconds": TIMEOUT, "max_entries": 6, "schedule": "*/2 * * * * *"}
DRAIN = 60.0  # seconds until all must have arrived once the faults have ended
_FIRST, _LAST = 22000, 22900  # ports below the ephemeral ones: free while a process is dead
_EACH = 40  # ports between the first ones of runs that are started beside each other
_PORTS = itertools.cycle(range(_FIRST, _LAST))


@dataclass
class Result:
    """What a run met and what was wrong after it (nothing, if all is well)."""

    seed: int
    database: str
    faults: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    acknowledged: int = 0
    seconds: float = 0.0
    measured: bool = False  # the servers have cards, else all goes in the slowest way
    wrong: list[str] = field(default_factory=list)


def _ports_of(seed: int) -> Iterator[int]:
    """Ports in turn, from others on than another seed's."""
    start = _FIRST + seed * _EACH % (_LAST - _FIRST)
    return itertools.cycle([*range(start, _LAST), *range(_FIRST, start)])


def _port() -> int:
    for port in _PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable")


def _centre(folder: Path, database_url: str | None = None, via: Mapping[str, int] | None = None) -> Centre:
    """A centre in `folder`; it reaches its hospitals by the ports of `via`, else directly."""
    ports = via or {name: _port() for name in HOSPITALS}
    hospitals = {
        name: {**section, **EAGER, "base_url": f"http://127.0.0.1:{ports[name]}/fhir"}
        for name, section in HOSPITALS.items()
    }
    centre = Centre(folder, hospitals=hospitals, database_url=database_url, port=_port())
    centre.ports = dict(ports)
    return centre


_CHANGING = ("VS-HR", "BIO-CREA")  # of which a living person may have what the dice give


class Rows:
    """The centre's files: the sample, changed from round to round."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.folder = folder
        self._dice = dice
        self._taken: list[dict[str, str]] = []
        shutil.copytree(SAMPLE, folder)

    def change(self) -> None:
        """Other values, reasons and addresses; some measurements are gone, others are back."""
        measured = self._read("Chỉ số")
        numbers = [row for row in measured if row["Mã chỉ số"] in _CHANGING]
        for row in self._dice.sample(numbers, 30):
            row["Giá trị"] = str(self._dice.randrange(40, 140))
        back, self._taken = self._taken[:5], self._taken[5:]
        gone = self._dice.sample(range(len(measured)), 10)
        self._taken += [measured[index] for index in gone]
        self._write("Chỉ số", [row for index, row in enumerate(measured) if index not in set(gone)] + back)
        self._set("Lượt khám", "Lý do", 5)
        self._set("Cán bộ", "Địa chỉ", 3)

    def _set(self, sheet: str, column: str, count: int) -> None:
        rows = self._read(sheet)
        for row in self._dice.sample(rows, count):
            row[column] = f"Số {self._dice.randrange(1, 400)}, phường Đồi Thông"
        self._write(sheet, rows)

    def _read(self, sheet: str) -> list[dict[str, str]]:
        with (self.folder / f"{sheet}.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))

    def _write(self, sheet: str, rows: Sequence[dict[str, str]]) -> None:
        with (self.folder / f"{sheet}.csv").open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
            writer.writeheader()
            writer.writerows(rows)


class Reporter:
    """A hospital that pushes results, each until it is acknowledged."""

    def __init__(self, base: str, token: str) -> None:
        self.acknowledged: set[str] = set()
        self._base, self._token = base, token
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _work(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/fhir+json"}
        with httpx.Client(headers=headers, timeout=5) as client:
            for number in itertools.count(1):
                value = f"R-{number}"
                body = _report(value)
                while not self._stop.wait(0.3):
                    try:
                        answer = client.post(f"{self._base}/DiagnosticReport", json=body)
                    except httpx.HTTPError:
                        continue
                    if answer.status_code in (200, 201):
                        self.acknowledged.add(value)
                        break
                if self._stop.is_set():
                    return


def _report(value: str) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "https://bv-tinh.example/sid/report", "value": value}],
        "status": "final",
        "code": {"text": "Kết quả khám"},
        "issued": "2026-11-20T09:00:00+07:00",
    }


class Run:
    """The moves of one run."""

    def __init__(self, folder: Path, seed: int, stack: ExitStack, postgres: Postgres | None) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - dice, not a secret
        self.result = Result(seed, "postgresql" if postgres else "sqlite")
        self.postgres = postgres
        self.folder = folder
        self.mounted = stack.enter_context(troubles.small_disk(folder / "data", DISK))
        self.proxies = {}
        sandboxes = {name: _port() for name in ("bv-tinh", "bv-trung-uong")}
        for offset, (name, port) in enumerate(sandboxes.items()):
            proxy = FaultProxy(port, seed=seed * 10 + offset, timeout=TIMEOUT, port=_port())
            self.proxies[name] = stack.enter_context(proxy)
        self.url = postgres.create(f"faults_{seed}") if postgres else None
        self.centre = _centre(folder, self.url, {n: p.port for n, p in self.proxies.items()})
        self.centre.ports = sandboxes
        stack.callback(self.centre.close)
        self.clock = troubles.Clock(folder)
        self.rows = Rows(folder / "rows", self.dice)
        # One after the other on SQLite; on PostgreSQL two workers beside each other.
        self.senders = ["worker-1", "worker-2"] if postgres else ["sync"]

    @property
    def database(self) -> str:
        return self.url or f"sqlite:///{self.folder / 'data' / 'adapter.db'}"

    # -- processes -------------------------------------------------------------------------

    def start(self, name: str) -> None:
        if name in self.centre.ports:
            port = str(self.centre.ports[name])
            self.centre.start(name, "sandbox", "--name", name, "--port", port, "--data", f"at-{name}")
        elif name == "serve":
            self.centre.start("serve", "serve")
        else:
            plain = self.centre.environment
            self.centre.environment = plain | self.clock.environment
            self.centre.start(name, name.partition("-")[0])
            self.centre.environment = plain

    def keep_up(self) -> None:
        """Start again what has ended."""
        for name, process in list(self.centre.processes.items()):
            if process.poll() is not None:
                self.start(name)

    def kill(self) -> None:
        name = self.dice.choice([*(self.senders * 3)[:3], "serve", *self.centre.ports])
        process = self.centre.processes[name]
        if process.poll() is None:
            self.result.kills[name] += 1
        process.kill()
        process.wait()
        time.sleep(self.dice.uniform(0, 0.3))
        self.start(name)

    def live(self, kills: int) -> None:
        """Let requests come and go, killing now and then: between two of them, or on the way to one."""
        for _ in range(kills):
            wanted = self._seen() + self.dice.randrange(40)
            end = time.monotonic() + SLOW
            while self._seen() < wanted and time.monotonic() < end:
                self.keep_up()
                time.sleep(0.02)
            time.sleep(self.dice.uniform(0, 0.3))
            self.kill()

    def linger(self) -> None:
        """Faults alone for a while: most of what has piled up goes through them."""
        wanted, end = self._seen() + LINGER, time.monotonic() + DRAIN
        while self._seen() < wanted and time.monotonic() < end:
            self.keep_up()
            time.sleep(0.1)

    def _seen(self) -> int:
        return sum(proxy.requests for proxy in self.proxies.values())

    def bring_in(self) -> None:
        """Import the rows, killed half way or not; done when it says so."""
        if self.dice.random() < 0.5:
            process = self.centre.start("import", "import", str(self.rows.folder), "--allow-deletions")
            time.sleep(self.dice.uniform(0.2, 1.2))
            self.result.kills["import"] += process.poll() is None
            self.centre.stop("import", signal.SIGKILL)
        assert until(self._imported, 60, every=0.5), "the import does not end"

    def _imported(self) -> bool:
        self.keep_up()
        return self.centre.attempt("import", str(self.rows.folder), "--allow-deletions").returncode == 0

    # -- troubles --------------------------------------------------------------------------

    @contextmanager
    def trouble(self, kind: str) -> Iterator[None]:
        self.result.troubles[kind] += kind != "none"
        with self._trouble(kind):
            yield

    def _trouble(self, kind: str) -> AbstractContextManager[None]:
        if kind == "clock":
            return troubles.clock_jumps(self.clock, self.dice)
        if kind == "lock" and self.url:
            return troubles.locked_postgres(self.url, 2)
        if kind == "lock":
            return troubles.locked_sqlite(self.folder / "data" / "adapter.db", 2)
        if kind == "restart" and self.postgres:
            return troubles.restarted(self.postgres, self.dice)
        if kind == "disk":
            file = self.folder / "data" / "adapter.db"
            wal = file.with_name("adapter.db-wal")
            return troubles.full_disk(
                wal if wal.exists() else file, mounted=self.mounted, processes=self._writers
            )
        return nullcontext()

    def _writers(self) -> list[int]:
        return [self.centre.processes[name].pid for name in (*self.senders, "serve")]

    def kinds(self) -> list[str]:
        kinds = ["none", "lock", "restart" if self.url else "disk"]
        return [*kinds, "clock"] if self.clock.available else kinds

    # -- the run ---------------------------------------------------------------------------

    def go(self, rounds: int, kills: int) -> Result:
        for name in self.centre.ports:
            self.start(name)
        token = self.centre.run("hospital", "token", "bv-tinh").strip()
        self.result.measured = bool(self.result.seed % 3)
        if self.result.measured:
            self.centre.put_server_cards()
        self.start("serve")
        reporter = Reporter(f"http://127.0.0.1:{self.centre.port}/fhir", token)
        self.centre.run("import", str(self.rows.folder))
        for proxy in self.proxies.values():
            proxy.share = SHARE
        reporter.start()
        for name in self.senders:
            self.start(name)
        order = self.kinds()
        self.dice.shuffle(order)
        for number in range(rounds):
            with self.trouble(order[number % len(order)]):
                self.live(kills)
            self.rows.change()
            self.bring_in()
        self.live(1)
        self.linger()
        reporter.end()
        for proxy in self.proxies.values():
            proxy.share = 0
        self.drain()
        self.check(reporter, token)
        for proxy in self.proxies.values():
            self.result.faults += proxy.injected
            self.result.requests += proxy.requests
        self.result.acknowledged = len(reporter.acknowledged)
        return self.result

    def drain(self) -> None:
        """The faults are over: until a sync finds everything done. A clock that was an hour ahead may
        have put something off by that hour, so the clock goes on by two after a while.
        """
        for name in (*self.centre.ports, "serve"):
            if self.centre.processes[name].poll() is not None:
                self.start(name)
        for name in self.senders:
            process = self.centre.processes.pop(name)
            process.terminate()
            process.wait(60)
        self.centre.environment |= self.clock.environment
        started, said = time.monotonic(), ""
        while time.monotonic() < started + DRAIN:
            done = self.centre.attempt("sync", "--json")
            said = f"{done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
            if done.returncode == 0 and not self._waiting():
                return
            if time.monotonic() > started + DRAIN / 3 and self.clock.available:
                self.clock.set(7200)
        self.result.wrong.append(f"not everything arrived: {said}")

    def _waiting(self) -> int:
        keys = ("waiting", "parked", "unknown")
        return sum(int(line[key] or 0) for line in self.centre.run_json("status") for key in keys)

    def check(self, reporter: Reporter, token: str) -> None:
        wrong = self.result.wrong
        views = {name: self.centre.hospital_view(name) for name in self.centre.ports}
        for name, should in self.reference().items():
            holds, odd = faultchecks.shelf(views[name])
            wrong += odd + faultchecks.differences(name, should, holds)
        view = HospitalView("serve", f"http://127.0.0.1:{self.centre.port}/fhir", token)
        self.centre.views.append(view)
        assert until(view.is_up, 30)
        stored = Counter(one["identifier"][0]["value"] for one in view.all("DiagnosticReport"))
        wrong += [
            f"result {value} was acknowledged and is lost" for value in reporter.acknowledged - set(stored)
        ]
        wrong += [f"result {value} is stored {n} times" for value, n in stored.items() if n > 1]
        inbox = sum(self.centre.run_json("inbox")["counts"].values())
        if inbox != len(stored):
            wrong.append(f"{len(stored)} results are stored and {inbox} are in the inbox")
        logs = self.folder.glob("*.log")
        values = faultchecks.personal_values(SAMPLE) | faultchecks.personal_values(self.rows.folder)
        wrong += [f"{name} holds something personal" for name in faultchecks.personal_in(logs, values)]

    def reference(self) -> dict[str, dict[str, str]]:
        """What two hospitals hold that never met a fault, from a ledger of their own; and the imports
        are compared with one import of the last rows.
        """
        folder = self.folder / "without-faults"
        centre = _centre(folder)
        try:
            views = [centre.start_hospital(name) for name in centre.ports]
            url = f"sqlite:///{folder / 'data' / 'adapter.db'}"
            centre.run("import", str(self.rows.folder))
            if faultchecks.imported(self.database) != faultchecks.imported(url):
                self.result.wrong.append("the records are not those of the last import")
            faultchecks.copy_records(self.database, url)
            centre.run("sync")
            return {view.name: faultchecks.shelf(view)[0] for view in views}
        finally:
            centre.close()


def run_seed(folder: Path, seed: int, *, rounds: int = 4, kills: int = 3, postgres: bool = False) -> Result:
    """One run in `folder`; what went wrong is in the result, never an exception of a check."""
    global _PORTS  # noqa: PLW0603 - several runs may go on beside each other
    _PORTS = _ports_of(seed)
    started = time.monotonic()
    with ExitStack() as stack:
        server = None
        if postgres:
            server = Postgres(_port())
            stack.callback(server.stop)
        run = Run(folder, seed, stack, server)
        result = run.go(rounds, kills)
    result.seconds = time.monotonic() - started
    return result


def _print(result: Result) -> None:
    faults = " ".join(f"{kind} {count}" for kind, count in sorted(result.faults.items()))
    kills = " ".join(f"{name} {count}" for name, count in sorted(result.kills.items()))
    met = " ".join(f"{kind} {count}" for kind, count in sorted(result.troubles.items()))
    print(
        f"seed {result.seed} {result.database}: {'passed' if not result.wrong else 'FAILED'}, "
        f"{'measured' if result.measured else 'no cards'}, {result.seconds:.0f} s, "
        f"{result.requests} requests, {sum(result.faults.values())} faults "
        f"({faults}), {sum(result.kills.values())} kills ({kills}), troubles: {met or '-'}, "
        f"{result.acknowledged} results acknowledged",
        flush=True,
    )
    for line in result.wrong[:20]:
        print(f"  {line}", flush=True)


def main() -> int:
    """Run the seeds, on SQLite and on PostgreSQL by turns; 1 when one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", type=int, help="how many")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folders of runs that failed")
    asked = parser.parse_args()
    results = []
    for seed in range(asked.first, asked.first + asked.seeds):
        folder = Path(tempfile.mkdtemp(prefix=f"adapter-faults-{seed}-"))
        result = run_seed(folder, seed, postgres=Postgres.installed() and seed % 2 == 0)
        _print(result)
        results.append(result)
        if result.wrong and asked.keep:
            print(f"  kept: {folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    total = Result(0, "all")
    for result in results:
        total.faults += result.faults
        total.kills += result.kills
        total.troubles += result.troubles
        total.requests += result.requests
        total.seconds += result.seconds
        total.acknowledged += result.acknowledged
    failed = [result.seed for result in results if result.wrong]
    print(f"{len(results)} seeds, failed: {failed or 'none'}. In all:")
    _print(total)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
