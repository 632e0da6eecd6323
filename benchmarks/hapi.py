"""First sync of the sample year into HAPI FHIR on PostgreSQL, against loaders that do less.

    python benchmarks/hapi.py [--people 934] [--rounds 2] [--rivals 40] [--concurrency 2]

In turn: a bare loader (httpx, orjson) posts the transaction Bundles that `adapter plan --out` wrote, and
`adapter sync` makes and sends the same, mapping, policy, validation and ledger included; under a new identity
key each time, so that everything is created each time. The server is warmed up by a whole turn before (a JVM
gets faster for minutes), and measured once by `adapter doctor`. Then fhirpy and fhir-kindling do the job for
some people. The measures of success: 0.9 times the bare loader, 2.5 times fhirpy, twice fhir-kindling. HAPI
is that of `make interop`; the rivals run in .venv/bench. `make bench-hapi` makes both. About 15 minutes on an
idle machine of 2 cores.
"""

import argparse
import json
import os
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import orjson
from sqlalchemy import text
from support.bundles import Person, people
from support.centre import Centre, machine

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))

_HOSPITAL = "bv-tinh"
_RIVALS = {"fhirpy": "with_fhirpy.py", "fhir-kindling": "with_kindling.py"}
_RIVALS_PYTHON = Path(os.environ.get("BENCH_PYTHON", ROOT / ".venv" / "bench" / "bin" / "python"))


def bare(url: str, everybody: list[Person], threads: int) -> tuple[int, float]:
    """Post ready Bundles and read each answer: resources, seconds."""
    headers = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}

    def send(person: Person) -> int:
        count = 0
        for body in person.bodies():
            answer = client.post(url, content=body, headers=headers)
            answer.raise_for_status()
            said = [entry["response"] for entry in orjson.loads(answer.content)["entry"]]
            assert all(one["status"].startswith("201") for one in said), "not everything was created"
            person.learn(orjson.loads(body)["entry"], [one["location"] for one in said])
            count += len(said)
        return count

    started = time.perf_counter()
    with httpx.Client(timeout=120) as client, ThreadPoolExecutor(threads) as pool:
        count = sum(pool.map(send, everybody))
    return count, time.perf_counter() - started


class Bench:
    """One running server, and a centre that was imported and has measured it: the start of every turn."""

    def __init__(self, folder: Path, url: str, cadres: int, threads: int) -> None:
        from adapter.records.synthetic import write_workbook

        self.folder, self.url, self.threads, self._turns = folder, url, threads, 0
        self._section = {"base_url": url, "concurrency": threads}
        self._first = Centre(folder / "first", {_HOSPITAL: self._section})
        write_workbook(folder / "year.xlsx", cadres=cadres)
        self._first.run("import", str(folder / "year.xlsx"), "--json")
        self._first.run("doctor", _HOSPITAL, "--json", fine=(0, 1))

    def turn(self) -> Centre:
        """The same centre with a new key: the hospital has seen nothing of it."""
        self._turns += 1
        centre = Centre(self.folder / f"turn-{self._turns}", {_HOSPITAL: self._section})
        shutil.copytree(self._first.folder / "data", centre.folder / "data")
        (centre.folder / "key").write_text(secrets.token_hex(32))
        return centre

    def planned(self, limit: int | None = None) -> tuple[Path, list[Person]]:
        """The Bundles of a turn, of some of its people."""
        centre = self.turn()
        out = centre.folder / "bundles"
        centre.run("plan", _HOSPITAL, "--out", str(out))
        everybody = people(out)
        for person in everybody[limit:] if limit else ():
            for path in person.paths:
                path.unlink()
        return out, everybody[:limit]

    def ours(self) -> tuple[int, float, float]:
        """Resources, seconds, CPU seconds of a first sync."""
        centre = self.turn()
        _let_in(centre, self.threads)
        used = centre.run("sync", _HOSPITAL, "--json")
        done = json.loads(used.output)["hospitals"][_HOSPITAL]
        return done["delivered"], used.seconds, used.cpu

    def rival(self, script: str, limit: int) -> tuple[int, float, float]:
        """Resources and seconds of a rival, as it says itself: without its start; CPU seconds, with it."""
        out, _ = self.planned(limit)
        before = _cpu_of_children()
        done = subprocess.run(
            [_RIVALS_PYTHON, ROOT / "benchmarks" / "rivals" / script, self.url, out, str(self.threads)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        count, seconds = done.stdout.split()[-2:]
        return int(count), float(seconds), _cpu_of_children() - before


def _cpu_of_children() -> float:
    """CPU seconds of the processes that were waited for: the server, which goes on, is not among them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _let_in(centre: Centre, threads: int) -> None:
    """Begin with the concurrency that the others have, as with a hospital that has been well for long."""
    from adapter.pipeline.application import Adapter
    from adapter.settings import load_settings

    settings = load_settings(centre.folder / "adapter.toml")
    with Adapter.open(settings) as adapter, adapter.engine.begin() as connection:
        adapter.ledger.hospitals.ensure(connection, _HOSPITAL)
        connection.execute(text("UPDATE ledger_hospital SET allowed = :threads"), {"threads": threads})


def line(what: str, count: int, seconds: float, cpu: float | None = None) -> float:
    """One line; resources a second."""
    more = "" if cpu is None else f"{cpu / count * 1000:8.3f} CPU s per 1,000"
    print(f"{what:16}{count:10,} resources{seconds:9.1f} s{count / seconds:9.0f} a second{more}", flush=True)
    return count / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=934)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rivals", type=int, default=40, help="people that the rivals send; 0: none")
    parser.add_argument("--concurrency", type=int, default=2)
    options = parser.parse_args()
    os.environ.setdefault("ADAPTER_TEST_JAVA", "-Xmx2g")  # a server as hospitals run it, not a cheap one
    from interop.servers import serving

    print(machine())
    with tempfile.TemporaryDirectory() as name, serving("hapi-postgresql") as url:
        bench = Bench(Path(name), url, options.people, options.concurrency)
        line("(warming up)", *bare(url, bench.planned()[1], options.concurrency))
        rates: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(options.rounds):
            rates["bare"].append(line("bare loader", *bare(url, bench.planned()[1], options.concurrency)))
            rates["ours"].append(line("adapter sync", *bench.ours()))
        mean = {what: sum(found) / len(found) for what, found in rates.items()}
        print(f"adapter sync: {mean['ours'] / mean['bare']:.2f} times the bare loader")
        for rival, script in _RIVALS.items() if options.rivals else ():
            rate = line(rival, *bench.rival(script, options.rivals))
            print(f"adapter sync: {mean['ours'] / rate:.1f} times {rival}")


if __name__ == "__main__":
    main()
