"""An endpoint that is killed with signal 9 in the middle of each of its interactions, again and again, while
others call it too: `python tests/killing.py 200` does so on SQLite and on PostgreSQL and prints a table.

What was acknowledged must be there, once, as it was sent, in the inbox too; what was not is whole or absent,
and may be sent again.
"""

import argparse
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import forking
from endpoint_centre import centre_of_one
from kill_checks import Stored, wrong_in_the_whole
from kill_requests import KINDS, Attempt, Caller
from postgres import Postgres
from sqlalchemy import Engine, func, select, text

from adapter.database import open_database, read_transaction
from adapter.hospital_tokens import issue_token
from adapter.inbox.tables import inbox_item
from adapter.testing import Centre, until
from adapter.testing.commands import Commands

__all__ = ["KillFigures", "is_at_work", "run_kills"]

HOSPITAL = "bv-tinh"
_CALLERS = 4  # that call all the while
_WARM = 6  # requests that are answered before one is aimed at
_WARM_SECONDS = 5.0
_PATIENCE = 30.0  # seconds in which something is to be matched
_FIRST_GUESS = 0.05  # seconds that a request takes, before one was measured


@dataclass
class KillFigures:
    """What a run met: by kind how often it was killed at, and requests by what became of them."""

    database: str
    aimed: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)  # not answered, and there
    absent: Counter[str] = field(default_factory=Counter)  # not answered, and not there
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        lines = [
            f"{self.database}: {self.aimed.total()} kills in {self.seconds:.0f} s, {self.answered.total()} "
            f"requests answered; not answered and whole {self.whole.total()}, absent {self.absent.total()}; "
            f"wrong: {len(self.wrong)}",
            f"  {'interaction':<20}{'kills':>6}{'answered':>10}{'whole':>7}{'absent':>8}",
        ]
        for kind in KINDS:
            lines.append(
                f"  {kind:<20}{self.aimed[kind]:>6}{self.answered[kind]:>10}{self.whole[kind]:>7}"
                f"{self.absent[kind]:>8}"
            )
        return "\n".join([*lines, *(f"  WRONG {one}" for one in self.wrong[:20])])


class _Run:
    """The endpoint of one centre, its callers, and what they know of what they sent."""

    def __init__(self, centre: Centre, engine: Engine, seed: int, figures: KillFigures) -> None:
        self.centre, self.engine, self.figures = centre, engine, figures
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        token = issue_token(engine, HOSPITAL, datetime.now(UTC), by="test")
        self.callers = [Caller(centre.port, token, f"{seed}-{number}") for number in range(_CALLERS + 1)]
        self.taken: dict[str, list[float]] = {}

    def kill_once(self, kind: str) -> None:
        """Start the endpoint, let all call, kill it in the middle of one `kind`, and look what is there."""
        self.centre.start_endpoint()
        over, counted = threading.Event(), threading.Semaphore(0)
        *callers, aiming = self.callers
        loads = [threading.Thread(target=self._call, args=(one, over, counted)) for one in callers]
        for one in loads:
            one.start()
        deadline = time.monotonic() + _WARM_SECONDS
        for _ in range(_WARM):
            counted.acquire(timeout=max(deadline - time.monotonic(), 0.01))
        attempt = aiming.attempt(kind)
        aimed = threading.Thread(target=self._send, args=(aiming, attempt))
        usual = median(self.taken.get(kind, [_FIRST_GUESS])[-9:])
        aimed.start()
        time.sleep(self.chance.uniform(0, usual))
        self.centre.stop("serve", signal.SIGKILL)
        over.set()
        for one in (*loads, aimed):
            one.join()
        self.figures.aimed[kind] += 1
        self._look()

    def _call(self, caller: Caller, over: threading.Event, counted: threading.Semaphore) -> None:
        while not over.is_set():
            kind = caller.chance.choice(list(KINDS))
            if self._send(caller, caller.attempt(kind)) is None:
                return
            counted.release()

    def _send(self, caller: Caller, attempt: Attempt) -> int | None:
        begun = time.perf_counter()
        status = caller.send(attempt)
        if status is not None:
            self.taken.setdefault(attempt.kind, []).append(time.perf_counter() - begun)
        return status

    def _look(self) -> None:
        """Compare what each caller sent since the last time with what is there."""
        until(lambda: not is_at_work(self.engine), _PATIENCE, every=0.01)
        stored = Stored(self.engine, HOSPITAL)
        for caller in self.callers:
            attempts = caller.take_attempts()
            wrong, whole = stored.look(caller, attempts)
            self.figures.wrong += wrong
            self.figures.whole.update(whole)
            for one in attempts:
                if one.status is not None:
                    self.figures.answered[one.kind] += 1
                elif one.kind not in whole:
                    self.figures.absent[one.kind] += 1
                    caller.again.append(one)

    def finish(self) -> None:
        """Send again what was not taken, let all be matched, and look at the whole."""
        self.centre.start_endpoint()
        stored = Stored(self.engine, HOSPITAL)
        for caller in self.callers:
            for one in caller.again:
                there = {value: sure for value in one.parts if (sure := caller.held[value].sure) is not None}
                if one.method == "POST" and caller.send(one) is None:  # a change may be outdated by now
                    self.figures.wrong.append(f"{one.kind}: sent again, and not answered")
                for value, sure in there.items():  # of a batch: it is a repeat, and was changed meanwhile
                    caller.held[value].sure = sure
            self.figures.wrong += stored.look(caller, caller.take_attempts())[0]
        self._wait_until_matched()
        if self.centre.stop("serve") != 0:
            self.figures.wrong.append("the endpoint did not end cleanly")
        self.figures.wrong += wrong_in_the_whole(
            self.engine, HOSPITAL, {one: held for caller in self.callers for one, held in caller.held.items()}
        )

    def _wait_until_matched(self) -> None:
        """However long it takes, as long as it goes on: most came while the endpoint lived for a moment."""
        left = -1
        while (now := self._unmatched()) and now != left:
            left = now
            until(lambda: not self._unmatched(), _PATIENCE, every=0.1)
        self.figures.wrong += [f"{now} are not matched, and nothing goes on"] if now else []

    def _unmatched(self) -> int:
        with read_transaction(self.engine) as connection:
            query = select(func.count()).where(inbox_item.c.state == "new")
            return int(connection.execute(query).scalar_one())


def is_at_work(engine: Engine) -> bool:
    """Whether PostgreSQL still carries out what a killed process asked for last. A commit goes on without its
    client; whoever writes for that hospital next waits for it, who only reads does not.
    """
    if engine.dialect.name != "postgresql":
        return False
    with read_transaction(engine) as connection:
        query = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()"
        )
        return bool(connection.execute(query).scalar_one())


@contextmanager
def _centre(folder: Path, url: str | None) -> Iterator[tuple[Centre, Engine]]:
    with centre_of_one(folder, url or f"sqlite:///{folder / 'centre.db'}", received_per_second=0) as centre:
        engine = open_database(centre.settings().database_url)
        try:
            yield centre, engine
        finally:
            engine.dispose()


def run_kills(folder: Path, url: str | None, kills: int, seed: int) -> KillFigures:
    """So many kills, each interaction in its turn, on that database (None: SQLite in the folder)."""
    figures = KillFigures("SQLite" if url is None or url.startswith("sqlite") else "PostgreSQL")
    begun = time.monotonic()
    with _centre(folder, url) as (centre, engine):
        run = _Run(centre, engine, seed, figures)
        kinds: Sequence[str] = list(KINDS)
        for number in range(kills):
            run.kill_once(kinds[number % len(kinds)])
        run.finish()
    figures.seconds = time.monotonic() - begun
    return figures


def main() -> int:
    """Kill so often on each database system; 1 where something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int, help="on each database system")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    asked = parser.parse_args()
    Commands.launch = staticmethod(forking.launch)
    found = []
    with tempfile.TemporaryDirectory(prefix="adapter-kills-") as name:
        if asked.only != "postgresql":
            found.append(run_kills(Path(name) / "sqlite", None, asked.kills, asked.seed))
            print(found[-1], flush=True)
        if asked.only != "sqlite" and Postgres.installed():
            postgres = Postgres(counts_rows=True)
            try:
                url = postgres.create("kills")
                found.append(run_kills(Path(name) / "postgresql", url, asked.kills, asked.seed))
                print(found[-1], flush=True)
            finally:
                with suppress(OSError):
                    postgres.stop()
    return 1 if any(one.wrong for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
