"""Import of the full sample workbook, everything included, against openpyxl's bare reading of it.

    .venv/bin/python benchmarks/import_workbook.py [--json] [--cadres N]

Both run in a process of their own in turns, so that neither warms the other; the ratio is of the
best of each. The measure of success is a ratio of at least 1. The second line is of four times the
people: memory must not grow with them, but for the workbook's table of shared strings. The third is the same
year with a row a visit and a column a measure: as many records in a second as from the first.
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
    from adapter.pipeline.layout_context import layout_context
    from adapter.records.importing import importer, rejects_file  # noqa: F401 - loaded before the clock starts
    from adapter.records.plausible.ranges import load_ranges
    from adapter.records.sources.open_tabs import InputOptions
    from adapter.settings import Settings

    file = path.with_name(f"{path.stem}-{os.getpid()}.db")
    engine = open_database(f"sqlite:///{file}")
    migrate(engine)
    settings = Settings()
    inputs = InputOptions(layouts=layout_context(settings))
    plausible = load_ranges(settings.mappings_folder / "codes")
    before = peak()
    start = time.perf_counter()
    report = importer.run_import(
        engine,
        [path],
        max_deletions_percent=3,
        known_hospitals=frozenset({"bv-tinh", "bv-trung-uong"}),
        now=datetime.now(UTC),
        inputs=inputs,
        plausible=plausible,
    )
    seconds = time.perf_counter() - start
    assert (report.problem_count, report.held) == (0, 0)
    return {"seconds": seconds, "rows": report.rows, "megabytes": peak() - before}


def read_it(path: Path) -> dict[str, float]:
    """Iterate over every row with openpyxl in read-only mode, doing nothing with it."""
    from openpyxl import load_workbook

    before = peak()
    start = time.perf_counter()
    book = load_workbook(path, read_only=True)
    rows = sum(1 for page in book for _ in page.iter_rows(values_only=True))
    return {"seconds": time.perf_counter() - start, "rows": rows, "megabytes": peak() - before}


def write_wide(path: Path, cadres: int) -> None:
    """The sample year with its measurements a row a visit, without their ranges and flags."""
    from openpyxl import Workbook

    from adapter.records.sheets.layout import SHEETS
    from adapter.records.synthetic.sample_rows import sample_year

    rows = list(sample_year(1, cadres, 2026))
    book = Workbook(write_only=True)
    for sheet in SHEETS:
        if sheet.kind == "measurement":
            continue
        page = book.create_sheet(sheet.vi)
        page.append([column.vi for column in sheet.columns])
        for row in (row for kind, row in rows if kind == sheet.kind):
            page.append([row.get(column.field) for column in sheet.columns])
    measured = [row for kind, row in rows if kind == "measurement"]
    units = {row["measure"]: row["unit"] for row in measured}
    visits: dict[str, dict[str, Any]] = {}
    for row in measured:
        visits.setdefault(row["visit"], {})[row["measure"]] = row["value"]
    page = book.create_sheet("Kết quả theo hàng")
    page.append(["Mã lượt khám", *(f"{code} ({unit})" if unit else code for code, unit in units.items())])
    for visit, values in visits.items():
        page.append([visit, *(values.get(code) for code in units)])
    book.save(path)


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
        path, larger, wide = (Path(folder) / f"{name}.xlsx" for name in ("sample", "larger", "wide"))
        write_workbook(path, cadres=options.cadres)
        write_workbook(larger, cadres=4 * options.cadres)
        write_wide(wide, options.cadres)
        found = {"one": measure(path, ROUNDS), "four": measure(larger, 1), "wide": measure(wide, ROUNDS)}
    if options.json:
        print(json.dumps(found, indent=1))
        return
    heads = ("rows", "import/s", "openpyxl/s", "ratio", "import MB", "openpyxl MB")
    print(f"{'':24}" + "".join(f"{head:>12}" for head in heads))
    lines = {"sample year": "one", "four times the people": "four", "a row a visit (wide)": "wide"}
    for name, figures in ((name, found[key]) for name, key in lines.items()):
        print(f"{name:24}" + "".join(f"{value:>12}" for value in figures.values()))


if __name__ == "__main__":
    main()
