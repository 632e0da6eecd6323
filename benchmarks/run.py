"""Runs every benchmark of this folder, one after the other, each in a process of its own.

`make bench`, or `python benchmarks/run.py [NAME…]` for some of them: mapping, import_workbook, sync.
Figures are ratios or counts of one run; nothing here is a test, and nothing fails for being slow.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> int:
    """Run the named benchmarks, or all; the number of those that failed."""
    found = {path.stem: path for path in sorted(FOLDER.glob("*.py")) if path.name != Path(__file__).name}
    wanted = sys.argv[1:] or list(found)
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
