"""What the fault runs do to a host does what it says."""

import subprocess
import sys
from pathlib import Path

import pytest
from troubles import Clock

_SLEEPER = """
import threading, time
monotonic, wall = time.monotonic(), time.time()
while time.time() - wall < 1800 and time.monotonic() - monotonic < 20:
    print("asleep", flush=True)
    time.sleep(0.2)
    threading.Event().wait(0.2)
print(time.monotonic() - monotonic, time.time() - wall)
"""


def test_a_clock_jumps_in_a_running_process_and_its_sleeps_last_as_long_as_before(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    if not clock.available:
        pytest.skip("libfaketime not found")
    command = [sys.executable, "-c", _SLEEPER]
    with subprocess.Popen(command, env=clock.environment, stdout=subprocess.PIPE, text=True) as sleeper:
        assert sleeper.stdout is not None
        assert sleeper.stdout.readline() == "asleep\n"
        clock.set(3600)
        *naps, last = sleeper.stdout.read().splitlines()
    monotonic, wall = map(float, last.split())
    assert sleeper.returncode == 0
    assert 3600 <= wall - monotonic + 1 <= 3602
    assert 0.4 * (len(naps) + 1) <= monotonic < 20
