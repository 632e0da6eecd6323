"""1, 2, 4 and 8 `adapter worker` processes on one PostgreSQL, against a server that takes 500 ms a Bundle.

    python benchmarks/workers.py [--people 1200] [--seconds 10] [--workers 1 2 4 8]

The server sleeps (support/stub.py), so that it costs next to nothing; each worker has two threads. A backlog
is planned while the hospital is paused; each round starts its workers, waits until all are at work, counts
the Bundles answered in the given time, and stops them. Linear is as many times what one worker manages; the
measure of success is 0.85 of it until the cores are full, which the last column tells: how busy the whole
machine was, benchmark, PostgreSQL and all. About 3 minutes.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from sqlalchemy import text
from support.centre import Centre, machine, stub

sys.path.append(str(Path(__file__).parents[1] / "tests"))

_THREADS = 2
_DELAY = 0.5
_PATIENCE = 60.0  # seconds until all workers are at work
_HOSPITAL = {"concurrency": 16, "schedule": "0 0 1 1 *", "doctor_schedule": ""}


def stats(url: str) -> dict[str, int]:
    """What the server counted."""
    with urllib.request.urlopen(f"{url}/$stats") as answer:  # noqa: S310 - our own loopback address
        found: dict[str, int] = json.load(answer)
        return found


def busy() -> tuple[float, float]:
    """Seconds that the machine's cores were busy, and in all, since it was started."""
    fields = [float(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def round_of(centre: Centre, url: str, workers: int, seconds: float) -> tuple[float, float, float]:
    """Bundles and resources a second, and how busy the machine was, 0 to 1."""
    running = [centre.start("worker", "bv-tinh", "--threads", str(_THREADS)) for _ in range(workers)]
    try:
        end = time.monotonic() + _PATIENCE
        while stats(url)["flying"] < workers * _THREADS and time.monotonic() < end:
            time.sleep(0.5)
        before, work, started = stats(url), busy(), time.perf_counter()
        time.sleep(seconds)
        after, worked, took = stats(url), busy(), time.perf_counter() - started
        if after["flying"] < workers * _THREADS / 2:
            raise RuntimeError("everybody has been sent: --people wants to be more")
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait()
    rates = ((after[name] - before[name]) / took for name in ("writes", "entries"))
    return (*rates, (worked[0] - work[0]) / (worked[1] - work[1]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    options = parser.parse_args()
    from postgres import Postgres

    from adapter.database import open_database
    from adapter.records.synthetic import write_workbook

    print(machine())
    postgres = Postgres()
    try:
        database = postgres.create("bench_workers")
        with tempfile.TemporaryDirectory() as name, stub(_DELAY) as url:
            write_workbook(Path(name) / "year.xlsx", cadres=options.people)
            centre = Centre(Path(name) / "centre", {"bv-tinh": {"base_url": url, **_HOSPITAL}}, database)
            centre.write_card("bv-tinh")
            centre.run("import", str(Path(name) / "year.xlsx"), "--json")
            centre.run("hospital", "pause", "bv-tinh")
            centre.run("sync", "bv-tinh", "--json", fine=(0, 1))
            centre.run("hospital", "resume", "bv-tinh")
            engine = open_database(database)
            print(
                f"{'workers':>8}{'Bundles/s':>11}{'resources/s':>13}{'times':>8}{'of linear':>11}{'busy':>7}"
            )
            first = 0.0
            for workers in options.workers:
                with engine.begin() as connection:  # as a hospital that has been well for long
                    connection.execute(text("UPDATE ledger_hospital SET allowed = 16"))
                bundles, resources, full = round_of(centre, url, workers, options.seconds)
                first = first or bundles / workers
                print(
                    f"{workers:>8}{bundles:>11.1f}{resources:>13.0f}{bundles / first:>8.2f}"
                    f"{bundles / first / workers:>11.2f}{full:>7.0%}",
                    flush=True,
                )
            engine.dispose()
    finally:
        postgres.stop()


if __name__ == "__main__":
    main()
