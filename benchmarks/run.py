"""Runs the benchmarks of this folder, one after the other, each in a process of its own.

`make bench`, or `python benchmarks/run.py [NAME…]` for some of them: mapping, import_workbook, sync, cost,
endpoint, console. Not without being named run those that need a server of their own or many minutes: `make
bench-ledger`, `make bench-workers`, `make bench-hapi`, `make bench-matching`. Figures are ratios or counts of
one run; nothing here is a test, and nothing fails for being slow.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
LONG = {"hapi", "ledger", "matching", "workers"}


def main() -> int:
    """Run the named benchmarks, or all; the number of those that failed."""
    found = {path.stem: path for path in sorted(FOLDER.glob("*.py")) if path.name != Path(__file__).name}
    wanted = sys.argv[1:] or [name for name in found if name not in LONG]
    if unknown := set(wanted) - found.keys():
        print(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(found)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    failed = 0
    for name in wanted:
        print(f"\n== {name}", flush=True)
        failed += subprocess.run([sys.executable, found[name]], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
