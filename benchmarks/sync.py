"""The first sync of the sample year to two sandbox hospitals, and the no-change sync after it.

Real processes over HTTP without faults. Prints seconds, write requests and peak memory (maximum
resident set of the syncing process) for the full year, and for a tenth of it: what memory grows by
is caches, not records. `--cadres N` for another size.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapter.demo.processes import free_port, until
from adapter.records.synthetic import write_workbook

ADAPTER = Path(sys.executable).with_name("adapter")
HOSPITALS = {"bv-tinh": "provincial", "bv-trung-uong": "central"}


def run(folder: Path, *arguments: str, fine: tuple[int, ...] = (0,)) -> tuple[float, float, str]:
    """Run one command: seconds, peak memory in MB, standard output."""
    environment = {**os.environ, "ADAPTER_CONFIG": str(folder / "adapter.toml")}
    started = time.perf_counter()
    with (folder / "out").open("w+") as out:
        process = subprocess.Popen([ADAPTER, *arguments], env=environment, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        out.seek(0)
        text = out.read()
    assert process.returncode in fine, text
    return seconds, usage.ru_maxrss / 1024, text


@contextmanager
def hospitals(folder: Path) -> Iterator[dict[str, int]]:
    """Two sandboxes; their ports."""
    ports = {name: free_port() for name in HOSPITALS}
    lines = ['identity_key = "file:key"']
    for name, level in HOSPITALS.items():
        url = f"http://127.0.0.1:{ports[name]}/fhir"
        lines += [f"[hospitals.{name}]", f'display = "{name}"', f'level = "{level}"', f'base_url = "{url}"']
    (folder / "adapter.toml").write_text("\n".join(lines))
    (folder / "key").write_text("0123456789abcdef" * 4)
    running = [
        subprocess.Popen(
            [ADAPTER, "sandbox", "--name", name, "--port", str(port), "--data", str(folder / name)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name, port in ports.items()
    ]
    try:
        for port in ports.values():
            assert until(lambda port=port: writes(port) is not None, 30)
        yield ports
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def writes(port: int) -> int | None:
    """The write requests that a sandbox counted; None while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/$sandbox/stats") as answer:
            return int(json.load(answer)["write_requests"])
    except OSError:
        return None


def measure(cadres: int) -> None:
    """One line of the table for a year of so many people."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_workbook(folder / "year.xlsx", cadres=cadres)
        with hospitals(folder) as ports:
            import_seconds, import_peak, _ = run(folder, "import", str(folder / "year.xlsx"), "--json")
            run(folder, "doctor", "--json", fine=(0, 1))  # else all goes in the slowest way
            measured = sum(writes(port) or 0 for port in ports.values())
            first, first_peak, text = run(folder, "sync", "--json")
            sent = sum(one["delivered"] for one in json.loads(text)["hospitals"].values())
            before = sum(writes(port) or 0 for port in ports.values())
            second, second_peak, _ = run(folder, "sync", "--json")
            after = sum(writes(port) or 0 for port in ports.values())
    print(
        f"{cadres:>7} {sum(rows.values()):>8} {import_seconds:>9.1f} {import_peak:>6.0f}"
        f" {sent:>10} {first:>8.1f} {sent / first:>7.0f} {first_peak:>6.0f} {before - measured:>7}"
        f" {second:>8.2f} {second / first:>7.2%} {second_peak:>6.0f} {after - before:>7}",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cadres", type=int, action="append")
    print(
        f"{'people':>7} {'rows':>8} {'import s':>9} {'MB':>6} {'resources':>10} {'first s':>8} {'per s':>7}"
        f" {'MB':>6} {'writes':>7} {'again s':>8} {'share':>7} {'MB':>6} {'writes':>7}"
    )
    for cadres in parser.parse_args().cadres or (93, 934):
        measure(cadres)


if __name__ == "__main__":
    main()
