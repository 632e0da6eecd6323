"""The endpoint under eight hospitals, and under seven with the eighth flooding it: what a small create takes.

`adapter serve` runs as a process of its own on SQLite. Each hospital that is not flooding sends one request
after the other with pauses: of four, two create one Observation, one reads what it created and one searches.
A flood is one hospital with FLOOD connections that send transactions of 50 Observations as fast as they are
answered. Quiet and flooded phases take turns in one run; printed are the percentiles of the creates, how many
times the quiet p95 the flooded one is, p99 against p50 under the flood, and the memory of the process.
"""

import argparse
import http.client
import itertools
import json
import multiprocessing
import os
import random
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from support.centre import Centre, free_port, machine

NAMES = [f"bv-{number}" for number in range(8)]
FLOODING = NAMES[-1]
FLOOD = 16  # connections
PAUSE = (0.1, 0.6)  # seconds between a hospital's requests
ENTRIES = 50  # of a transaction
FHIR = "application/fhir+json"


def observation(hospital: str, number: str) -> dict[str, Any]:
    """A result of somebody whom the centre does not know."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "identifier": [{"system": f"urn:oid:2.999.{hospital[3:]}", "value": number}],
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
                                  "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": "Kali"},
        "subject": {"identifier": {"system": f"urn:oid:2.999.{hospital[3:]}.1", "value": f"P{number}"}},
        "effectiveDateTime": "2026-03-04T08:15:00+07:00",
        "valueQuantity": {"value": 4.1, "unit": "mmol/L", "system": "http://unitsofmeasure.org",
                          "code": "mmol/L"},
    }  # fmt: skip


class Caller:
    """One connection of one hospital."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": FHIR}

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, float, bytes]:
        """The status, the seconds, the body."""
        started = time.perf_counter()
        self._connection.request(method, f"/fhir{path}", body, self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        return answer.status, time.perf_counter() - started, content


def flood(port: int, token: str, stop: Event, done: Any) -> None:
    """Send transactions on all connections until told to stop; puts how many were taken. It gives way to the
    server, whose cores a flood from another machine would not take either.
    """
    os.nice(10)
    counts = itertools.count()
    taken: list[int] = []

    def send() -> None:
        caller = Caller(port, token)
        while not stop.is_set():
            name = f"f{time.time_ns()}-{next(counts)}"
            bodies = [observation(FLOODING, f"{name}-{place}") for place in range(ENTRIES)]
            entries = [
                {"resource": one, "request": {"method": "POST", "url": "Observation"}} for one in bodies
            ]
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
            status, _, _ = caller.call("POST", "", json.dumps(bundle).encode())
            if status == 200:
                taken.append(ENTRIES)
            elif status == 429:
                time.sleep(1)

    threads = [threading.Thread(target=send, daemon=True) for _ in range(FLOOD)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    done.put(sum(taken))


def work(caller: Caller, hospital: str, ends: float, found: list[float], odd: list[int]) -> None:
    """What a hospital does all day; appends the seconds of each create, and statuses that are none of 2xx."""
    chance = random.Random(hospital)  # noqa: S311 - pauses
    last = ""
    for number in itertools.count():
        time.sleep(chance.uniform(*PAUSE))
        if time.monotonic() >= ends:
            return
        if number % 4 == 2 and last:
            status, _, _ = caller.call("GET", f"/Observation/{last}")
        elif number % 4 == 3:
            status, _, _ = caller.call("GET", "/Observation?code=2823-3&_count=10")
        else:
            body = json.dumps(observation(hospital, f"{time.time_ns()}")).encode()
            status, seconds, content = caller.call("POST", "/Observation", body)
            if status == 201:
                found.append(seconds)
                last = str(json.loads(content)["id"])
        if status not in (200, 201):
            odd.append(status)


def phase(port: int, tokens: dict[str, str], seconds: float, *, flooded: bool) -> tuple[list[float], int]:
    """The seconds of all creates of those who do not flood, and what the flood brought in."""
    stop, done = multiprocessing.Event(), multiprocessing.Queue()
    flooder = multiprocessing.Process(target=flood, args=(port, tokens[FLOODING], stop, done))
    if flooded:
        flooder.start()
        time.sleep(1)
    found: list[float] = []
    odd: list[int] = []
    ends = time.monotonic() + seconds
    names = NAMES[:-1] if flooded else NAMES
    threads = [
        threading.Thread(target=work, args=(Caller(port, tokens[name]), name, ends, found, odd))
        for name in names
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    brought = 0
    if flooded:
        stop.set()
        brought = int(done.get(timeout=120))
        flooder.join()
    if odd:
        print(f"   {len(odd)} other answers: {sorted(set(odd))}")
    return found, brought


def told(name: str, found: Sequence[float]) -> tuple[float, float, float]:
    """Print and return p50, p95, p99 in milliseconds."""
    cuts = quantiles((1000 * one for one in found), n=100)
    p50, p95, p99 = cuts[49], cuts[94], cuts[98]
    print(
        f"   {name:8} {len(found):5} creates  p50 {p50:6.1f}  p95 {p95:6.1f}  p99 {p99:6.1f} ms", flush=True
    )
    return p50, p95, p99


def resident(pid: int) -> float:
    """Megabytes of a process, now."""
    line = next(
        one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


def main() -> None:
    """Print a line for each phase and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of each phase")
    parser.add_argument("--pairs", type=int, default=3, help="of phases")
    asked = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as place:
        centre = Centre(Path(place), {name: {"base_url": "http://127.0.0.1:9/fhir"} for name in NAMES})
        made = {name: centre.run("hospital", "token", name, "--json").output for name in NAMES}
        tokens = {name: json.loads(output)["token"] for name, output in made.items()}
        port = free_port()
        serving = centre.start("serve", "--port", str(port))
        try:
            wait_for(port)
            compare(port, tokens, serving.pid, asked.pairs, asked.seconds)
        finally:
            serving.terminate()
            serving.wait()


def wait_for(port: int) -> None:
    """Until the endpoint answers."""
    for _ in range(300):
        with suppress(OSError):
            Caller(port, "").call("GET", "/metadata")
            return
        time.sleep(0.1)
    raise RuntimeError("adapter serve does not answer")


def compare(port: int, tokens: dict[str, str], pid: int, pairs: int, seconds: float) -> None:
    """Phases in turn, and what comes of them."""
    phase(port, tokens, 5, flooded=False)  # warm
    times, tails = [], []
    for number in range(pairs):
        print(f"pair {number + 1}")
        _, quiet, _ = told("quiet", phase(port, tokens, seconds, flooded=False)[0])
        creates, brought = phase(port, tokens, seconds, flooded=True)
        p50, p95, p99 = told("flooded", creates)
        print(f"   the flood brought {brought / seconds:.0f} a second; {resident(pid):.0f} MB")
        times.append(p95 / quiet)
        tails.append(p99 / p50)
    for name, found in (
        ("p95 under a flood against without", times),
        ("p99 against p50 under a flood", tails),
    ):
        print(f"{name}: {median(found):.2f} ({min(found):.2f} to {max(found):.2f})")


if __name__ == "__main__":
    main()
