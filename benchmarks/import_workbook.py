"""Import of the full sample workbook, everything included, against openpyxl's bare reading of it.

    .venv/bin/python benchmarks/import_workbook.py [--json] [--cadres N]

Both run in a process of their own in turns, so that neither warms the other; the ratio is of the
best of each. The measure of success is a ratio of at least 1. The second line is of four times the
people: memory must not grow with them, but for the workbook's table of shared strings.
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROUNDS = 3


def import_it(path: Path) -> dict[str, float]:
    """Import into a new SQLite file; seconds, rows, peak memory over the start in MB."""
    from adapter.database import migrate, open_database
    from adapter.records.importing import importer, rejects_file  # noqa: F401 - loaded before the clock starts

    file = path.with_name(f"{path.stem}-{os.getpid()}.db")
    engine = open_database(f"sqlite:///{file}")
    migrate(engine)
    before = peak()
    start = time.perf_counter()
    report = importer.run_import(
        engine,
        [path],
        max_deletions_percent=3,
        known_hospitals=frozenset({"bv-tinh", "bv-trung-uong"}),
        now=datetime.now(UTC),
    )
    seconds = time.perf_counter() - start
    assert report.problem_count == 0
    return {"seconds": seconds, "rows": report.rows, "megabytes": peak() - before}


def read_it(path: Path) -> dict[str, float]:
    """Iterate over every row with openpyxl in read-only mode, doing nothing with it."""
    from openpyxl import load_workbook

    before = peak()
    start = time.perf_counter()
    book = load_workbook(path, read_only=True)
    rows = sum(1 for page in book for _ in page.iter_rows(values_only=True))
    return {"seconds": time.perf_counter() - start, "rows": rows, "megabytes": peak() - before}


def peak() -> float:
    """Peak resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def alone(work: Callable[[Path], dict[str, float]], path: Path) -> dict[str, float]:
    """Run in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, (path,))


def measure(path: Path, rounds: int) -> dict[str, Any]:
    """Rows a second of both, best of `rounds`, and their ratio."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(alone(import_it, path))
        theirs.append(alone(read_it, path))
    best, bare = (min(runs, key=lambda run: run["seconds"]) for runs in (ours, theirs))
    ours_rate, bare_rate = (run["rows"] / run["seconds"] for run in (best, bare))
    return {
        "rows": int(best["rows"]),
        "import_rows_per_second": round(ours_rate),
        "openpyxl_rows_per_second": round(bare_rate),
        "ratio": round(ours_rate / bare_rate, 2),
        "import_megabytes": round(best["megabytes"], 1),
        "openpyxl_megabytes": round(bare["megabytes"], 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--cadres", type=int, default=934, help="people in the sample")
    options = parser.parse_args()
    from adapter.records.synthetic import write_workbook

    with tempfile.TemporaryDirectory() as folder:
        path, larger = Path(folder) / "sample.xlsx", Path(folder) / "larger.xlsx"
        write_workbook(path, cadres=options.cadres)
        write_workbook(larger, cadres=4 * options.cadres)
        found = {"one": measure(path, ROUNDS), "four": measure(larger, 1)}
    if options.json:
        print(json.dumps(found, indent=1))
        return
    heads = ("rows", "import/s", "openpyxl/s", "ratio", "import MB", "openpyxl MB")
    print(f"{'':24}" + "".join(f"{head:>12}" for head in heads))
    for name, figures in (("sample year", found["one"]), ("four times the people", found["four"])):
        print(f"{name:24}" + "".join(f"{value:>12}" for value in figures.values()))


if __name__ == "__main__":
    main()
