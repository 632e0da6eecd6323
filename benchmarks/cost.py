"""What the adapter itself costs: CPU seconds for 1,000 resources delivered, all included.

    python benchmarks/cost.py [--cadres 300] [--rounds 2]

The sample year of some people goes to a hospital that takes everything at once, in a process of its own
(support/stub.py). Counted are the user and system seconds of `adapter sync`: mapping, policy, validation,
ledger, HTTP, and its start; beside it a bare loader (httpx, orjson) that posts the Bundles that
`adapter plan --out` wrote. The measure of success is at most 0.6 seconds. About a minute.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.centre import Centre, machine, stub


def bare(url: str, bundles: Sequence[Path], threads: int) -> tuple[int, float, float]:
    """Post ready Bundles, reading each answer: resources, seconds on the clock, CPU seconds."""
    import httpx
    import orjson

    def post(path: Path) -> int:
        answer = client.post(url, content=path.read_bytes(), headers=headers)
        answer.raise_for_status()
        entries = orjson.loads(answer.content)["entry"]
        assert all(entry["response"]["status"].startswith("20") for entry in entries)
        return len(entries)

    headers = {"Content-Type": "application/fhir+json"}
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(threads) as pool:
        count = sum(pool.map(post, bundles))
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return count, seconds, cpu


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cadres", type=int, default=300, help="people of the sample year")
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    from adapter.records.synthetic import write_workbook

    print(machine())
    print(f"{'':14}{'resources':>10}{'seconds':>9}{'per s':>8}{'CPU s':>8}{'CPU s per 1,000':>17}{'MB':>6}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_workbook(folder / "year.xlsx", cadres=options.cadres)
        for number in range(options.rounds):
            with stub() as url:
                centre = Centre(folder / str(number), {"bv-tinh": {"base_url": url}})
                centre.write_card("bv-tinh")
                centre.run("import", str(folder / "year.xlsx"), "--json")
                centre.run("plan", "bv-tinh", "--out", str(centre.folder / "bundles"))
                used = centre.run("sync", "bv-tinh", "--json")
                count = sum(one["delivered"] for one in json.loads(used.output)["hospitals"].values())
                line("adapter sync", count, used.seconds, used.cpu, f"{used.megabytes:6.0f}")
                again = centre.run("sync", "bv-tinh", "--json")
                print(f"{'  nothing new':14}{'':10}{again.seconds:9.2f}{'':8}{again.cpu:8.2f}")
            with stub() as url:
                bundles = sorted((centre.folder / "bundles").rglob("bundle-*.json"))
                line("bare loader", *bare(url, bundles, 2))


def line(what: str, count: int, seconds: float, cpu: float, more: str = "") -> None:
    """One line of the table."""
    print(
        f"{what:14}{count:10,}{seconds:9.1f}{count / seconds:8,.0f}{cpu:8.2f}{cpu / count * 1e3:17.3f}{more}",
        flush=True,
    )


if __name__ == "__main__":
    main()
