"""Pages of the console against an empty Jinja2 page of the same size, with the people of a year and ten times
as many; and what twenty people who click at once do to a sync.

The empty page is one of the same console, as large as the page that it stands beside: through the same
server, session, permission and headers, rendered by Jinja2 with the same frame (menu, who is signed in),
within which stands one long word. It asks the database for the session and for nothing else. All pages take
turns, so that they meet the same machine. Time is the server's own, from the request being read until all of
the answer is ready, on the clock and of the processor; each look at people writes the audit.

    python benchmarks/console.py [--people N] [--rounds N] [--pairs N]
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from starlette.responses import Response
from support.centre import Usage, free_port, machine, stub
from support.console_year import UNREACHABLE, fill, filled_centre, open_centre, signed_in

from adapter.authorization.staff_roles import Permission
from adapter.testing import serving
from adapter.web.console.app import COOKIE, console_app
from adapter.web.console.routes import ROUTES
from adapter.web.console.visit import ConsoleRoute, Visit

WARM = 10  # rounds that are not counted


def empty(visit: Visit) -> Response:
    """A page of the console on which one word stands, as long as is asked for."""
    return visit.page("message.html", words="x" * int(visit.query["length"]))


class Timed:
    """Milliseconds of the last request to `app`: on the clock, and of the processor."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.state = app.state
        self.last = (0.0, 0.0)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand the request on, and note how long it took."""
        started, worked = time.perf_counter(), time.process_time()

        async def noting(message: Any) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                took, used = time.perf_counter() - started, time.process_time() - worked
                self.last = 1000 * took, 1000 * used
            await send(message)

        await self._app(scope, receive, noting)


def pages(client: httpx.Client) -> Mapping[str, Callable[[], httpx.Response]]:
    """How each page is asked for. A person is another one each time."""
    search = {"who": "nguyen"}  # fills the list
    listed = client.post("/people", data=search).raise_for_status().text
    people = [part.partition('"')[0] for part in listed.split('<th scope="row"><a href="')[1:]]
    turn = iter(range(1_000_000))
    return {
        "day": lambda: client.get("/day"),
        "person": lambda: client.get(people[next(turn) % len(people)]),
        "search": lambda: client.post("/people", data=search),
    }


class Measured:
    """A centre whose console is asked for its pages."""

    def __init__(self, people: int, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        centre = filled_centre(folder, people, {"bv-tinh": {"base_url": UNREACHABLE}})
        adapter = stack.enter_context(open_centre(centre))
        fill(adapter, people)
        routes = (*ROUTES, ConsoleRoute("GET", "/empty", empty, Permission.SEE_DAY))
        self._server = Timed(console_app(adapter, lambda: datetime.now(UTC), routes=routes))
        base = stack.enter_context(serving(self._server))
        self._client = stack.enter_context(httpx.Client(base_url=base, timeout=60))
        self._client.headers["Origin"] = base
        self._client.cookies.set(COOKIE, signed_in(adapter), domain="127.0.0.1")
        self._frame = len(self._client.get("/empty", params={"length": 0}).raise_for_status().content)
        self._pages = pages(self._client)
        self.times: dict[str, list[tuple[float, float]]] = {name: [] for name in self._pages}
        self.empty: dict[str, list[tuple[float, float]]] = {name: [] for name in self._pages}

    def take_turn(self, *, counts: bool) -> None:
        """Ask once for each page, and for the empty one beside it."""
        for name, ask in self._pages.items():
            answer = ask().raise_for_status()
            took, size = self._server.last, len(answer.content)
            self._client.get("/empty", params={"length": max(0, size - self._frame)}).raise_for_status()
            if counts:
                self.times[name].append(took)
                self.empty[name].append(self._server.last)


def p95(times: Sequence[float]) -> float:
    """Below which 95 of a hundred are."""
    return sorted(times)[int(0.95 * len(times))]


def measure_pages(people: int, rounds: int, times_more: int) -> None:
    """Print a line for each page."""
    with ExitStack() as stack:
        small = Measured(people, stack)
        large = Measured(people * times_more, stack)
        for number in range(rounds + WARM):
            for one in (small, large):
                one.take_turn(counts=number >= WARM)
    print(f"{people} people, {rounds} rounds; p95 and median at the server")
    for place, what in enumerate(("on the clock", "of the processor")):
        for name in small.times:
            mine, none, more = (
                [each[place] for each in times]
                for times in (small.times[name], small.empty[name], large.times[name])
            )
            print(
                f"  {name:<7} {what:<17}{p95(mine):>6.1f} ({median(mine):.1f}) ms, empty {p95(none):.1f}"
                f" ({median(none):.1f}): {p95(mine) / p95(none):.2f}"
                f" ({median(mine) / median(none):.2f}) times;"
                f" {times_more} times the people {p95(more) / p95(mine):.2f}"
                f" ({median(more) / median(mine):.2f}) times",
                flush=True,
            )


# -- people who click beside a sync -------------------------------------------------------------


def click(base: str, cookie: str, stop: threading.Event, pause: float, clicked: list[float]) -> None:
    """One person: a page, a while to read it, the next."""
    with httpx.Client(base_url=base, timeout=60, headers={"Origin": base}) as client:
        client.cookies.set(COOKIE, cookie, domain="127.0.0.1")
        asks = tuple(pages(client).values())
        number = 0
        while not stop.wait(pause):
            started = time.perf_counter()
            asks[number % len(asks)]().raise_for_status()
            clicked.append(1000 * (time.perf_counter() - started))
            number += 1


def synced(folder: Path, url: str, people: int, clickers: int, pause: float) -> tuple[Usage, list[float]]:
    """What a first sync of so many people took while so many click, and the milliseconds of their pages."""
    hospitals = {"bv-tinh": {"base_url": url}, "bv-trung-uong": {"base_url": url}}
    centre = filled_centre(folder, people, hospitals)
    for name in hospitals:
        centre.write_card(name)
    with open_centre(centre) as adapter:
        cookies = [signed_in(adapter) for _ in range(clickers)]
    port = free_port()
    console = centre.start("console", "--port", str(port))
    base, stop, clicked = f"http://127.0.0.1:{port}", threading.Event(), []  # type: ignore[var-annotated]
    try:
        wait_for(base)
        threads = [threading.Thread(target=click, args=(base, one, stop, pause, clicked)) for one in cookies]
        for one in threads:
            one.start()
        while len(clicked) < clickers:  # all of them are at it, and the console has read whom it knows
            time.sleep(0.1)
        used = centre.run("sync", "--json")
        stop.set()
        for one in threads:
            one.join()
    finally:
        stop.set()
        console.terminate()
        console.wait()
    return used, clicked


def wait_for(base: str) -> None:
    """Until the console answers."""
    for _ in range(300):
        try:
            httpx.get(f"{base}/sign-in")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("adapter console does not answer")


def measure_sync(people: int, pairs: int, clickers: int, pause: float) -> None:
    """Syncs without and with people who click, in turn."""
    ratios = []
    for number in range(pairs):
        with tempfile.TemporaryDirectory() as name, stub() as url:
            alone, _ = synced(Path(name) / "alone", url, people, 0, pause)
        with tempfile.TemporaryDirectory() as name, stub() as url:
            beside, clicked = synced(Path(name) / "beside", url, people, clickers, pause)
        ratios.append(beside.seconds / alone.seconds)
        print(
            f"  pair {number + 1}: a sync of {people} people {alone.seconds:.1f} s ({alone.cpu:.1f} of the"
            f" processor); {clickers} people beside it {beside.seconds:.1f} s ({beside.cpu:.1f}),"
            f" {ratios[-1]:.2f} times; they saw {len(clicked) / beside.seconds:.1f} pages a second, p95"
            f" {p95(clicked):.0f} ms",
            flush=True,
        )
    print(f"  median {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--people", type=int, default=934)
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--times", type=int, default=10, help="as many people, for the larger centre")
    options.add_argument("--sync-people", type=int, default=300, help="of the syncs that people click beside")
    options.add_argument("--pairs", type=int, default=3, help="of syncs, without people who click and with")
    options.add_argument("--clickers", type=int, default=20)
    options.add_argument("--pause", type=float, default=5.0, help="seconds between two clicks of one person")
    chosen = options.parse_args()
    print(machine())
    if chosen.rounds:
        measure_pages(chosen.people, chosen.rounds, chosen.times)
    if chosen.pairs:
        measure_sync(chosen.sync_people, chosen.pairs, chosen.clickers, chosen.pause)


if __name__ == "__main__":
    main()
