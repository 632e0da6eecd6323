"""A model of the ledger and its workers: whatever happens in whatever order, a hospital ends up with
exactly what it should hold, and never holds anything twice.

Hypothesis makes up the stories: wishes change, workers are stopped at every request, die there, lose
their leases and settle late; requests are lost, done and not answered, done later, throttled, refused;
the hospital deletes, changes and doubles what it has. `ADAPTER_MODEL_STORIES` says how many are told.
"""

import json
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from model.hospital import Arrived, ModelHospital, outcome
from model.workers import LEASE, NAME, SYSTEM, TIMEOUT, Process, Worker, open_quickly
from sqlalchemy import text

from adapter.database import migrate, open_database, write_transaction
from adapter.fhir import codec
from adapter.ledger.entries.comparison import PlannedChange, compare
from adapter.ledger.parking import ParkedSelection, ParkedStore
from adapter.ledger.schema.states import EntryEvent, EntryState, next_state
from adapter.ledger.schema.values import DesiredResource
from adapter.ledger.store import LedgerStore
from adapter.testing import ManualClock

STORIES = int(os.environ.get("ADAPTER_MODEL_STORIES", "40"))
STEPS = 50
CADRES = ("c1", "c2")
NUMBERS = ("1", "2", "3")
_ROUNDS = 40  # of an hour each, until all must have arrived

READ_FAULTS = ("none", "lost", "timeout", "503", "429", "html", "truncated")
WRITE_FAULTS = (*READ_FAULTS, "unanswered", "later", "500", "500-done", "401", "half")
FAULTS = st.one_of(st.just("none"), st.sampled_from(WRITE_FAULTS))

Move = tuple[
    int, str, str, int
]  # which worker, what it does, what befalls its next request, its Bundles' size
MOVES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(("go on", "at once", "die")),
        FAULTS,
        st.sampled_from((50, 2, 1)),
    ),
    min_size=2,
    max_size=10,
)

told: Counter[str] = Counter()  # over all stories


def _may_follow() -> set[tuple[EntryState, EntryState]]:
    """Every pair of states that the state machine lets follow each other, in one step or, where a plan
    finds that what is wished for again is there already, in two.
    """
    pairs = set()
    for state in EntryState:
        for happened in EntryEvent:
            try:
                after = next_state(state, happened)
            except ValueError:
                continue
            pairs.add((state, after))
            if happened is EntryEvent.DESIRE and after is EntryState.PENDING:
                pairs.add((state, next_state(after, EntryEvent.CONFIRM)))
    return pairs


_PAIRS = _may_follow()


def _identity(kind: str, key: str) -> str:
    return codec.digest(f"{kind}/{key}".encode())


def _desired(kind: str, rank: int, key: str, content: dict[str, Any]) -> DesiredResource:
    value = _identity(kind, key)
    body = codec.dumps({"resourceType": kind, "identifier": [{"system": SYSTEM, "value": value}], **content})
    return DesiredResource(value, kind, rank, kind.lower(), key, codec.digest(body), body)


def _patient(cadre: str, name: int) -> DesiredResource:
    return _desired("Patient", 0, cadre, {"name": [{"text": f"n{name}"}]})


def _observation(cadre: str, number: str, value: int) -> DesiredResource:
    subject = {"reference": f"Patient?identifier={SYSTEM}|{_identity('Patient', cadre)}"}
    content = {"status": "final", "subject": subject, "valueInteger": value}
    return _desired("Observation", 2, f"{cadre}-{number}", content)


class LedgerModel(RuleBasedStateMachine):
    """One hospital, two people, up to three workers."""

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")  # noqa: S108 - only where the files are
        self.folder = Path(tempfile.mkdtemp(prefix="adapter-model-", dir=memory if memory.is_dir() else None))
        self.file = self.folder / "adapter.db"
        shutil.copy(_template(), self.file)
        self.clock = ManualClock(step=timedelta(milliseconds=1))
        self.engine = open_quickly(self.file)
        self.engines = [open_quickly(self.file) for _ in range(4)]
        self.processes = [Process(engine, self.clock) for engine in self.engines]
        self.ledger = LedgerStore(self.engine)
        self.hospital = ModelHospital()
        self.workers: dict[int, Worker] = {}
        self.wishes: dict[str, dict[str, DesiredResource]] = {cadre: {} for cadre in CADRES}
        self.under_way: list[tuple[float, Arrived]] = []  # seconds of the clock, request
        self.doubled: set[str] = set()
        self.touched: set[str] = set()  # what the hospital did behind our back
        self.compared: dict[str, list[PlannedChange]] = {}
        self.position = self.value = 0
        told["stories"] += 1

    @initialize(on_deleted=st.sampled_from((None, 404, 409, 410)))
    def begin(self, on_deleted: int | None) -> None:
        self.hospital.on_deleted = on_deleted
        for cadre in CADRES:
            self.wish(cadre, NUMBERS, change=True)

    # -- the hospital's side of a request --------------------------------------------------

    def serve(self, request: httpx.Request, fault: str) -> httpx.Response | httpx.HTTPError:
        told[f"request {fault}"] += 1
        self.commit_due()
        reading = request.method == "GET"
        if reading and fault not in READ_FAULTS:
            fault = "lost"
        if fault == "lost":
            return httpx.RemoteProtocolError("gone")
        if fault == "timeout":
            self.clock.advance(seconds=TIMEOUT)
            return httpx.ReadTimeout("late")
        if fault in ("503", "429", "500", "401"):
            headers = {"retry-after": "7"} if fault == "429" else None
            return outcome(int(fault), "throttled" if fault == "429" else "exception", headers)
        if fault == "html":
            return httpx.Response(200, text="<html>", headers={"content-type": "text/html"})
        if reading:
            answer = self.hospital.read(request)
            return httpx.RemoteProtocolError("cut short") if fault == "truncated" else answer
        return self._write(request, fault)

    def _write(self, request: httpx.Request, fault: str) -> httpx.Response | httpx.HTTPError:
        if fault == "half":
            return self._half(request)
        arrived = self.hospital.arrive(request)
        if fault == "later":  # it is done within the time that a request may take
            self.under_way.append((self.clock.now.timestamp() + TIMEOUT * 0.8, arrived))
            return httpx.RemoteProtocolError("the connection broke")
        answer = self.hospital.commit(arrived)
        if fault in ("truncated", "unanswered"):
            return httpx.ReadError("cut short")
        return outcome(500, "exception") if fault == "500-done" else answer

    def _half(self, request: httpx.Request) -> httpx.Response:
        """429 inside a 200: the first half is done."""
        body = json.loads(request.content)
        entries = body.get("entry", [])
        done = len(entries) // 2
        if not done:
            return outcome(429, "throttled")
        first = httpx.Request("POST", request.url, json={**body, "entry": entries[:done]})
        answer = self.hospital.commit(self.hospital.arrive(first))
        if answer.status_code != 200:
            return answer
        busy = {"response": {"status": "429"}}
        whole = json.loads(answer.content)
        whole["entry"] += [busy] * (len(entries) - done)
        return httpx.Response(200, json=whole)

    def commit_due(self) -> None:
        now = self.clock.now.timestamp()
        for due, arrived in [one for one in self.under_way if one[0] <= now]:
            self.under_way.remove((due, arrived))
            self.hospital.commit(arrived)

    # -- what happens ----------------------------------------------------------------------

    @rule(
        cadre=st.sampled_from(CADRES),
        numbers=st.lists(st.sampled_from(NUMBERS), unique=True, max_size=3),
        change=st.booleans(),
    )
    def wish(self, cadre: str, numbers: tuple[str, ...] | list[str], change: bool) -> None:
        """Records changed: other observations of a person, with new values or the old ones."""
        self._wish(cadre, numbers, change)
        self._plan(cadre, self._compare(cadre))

    @rule(cadre=st.sampled_from(CADRES))
    def forget(self, cadre: str) -> None:
        """A person is not cared for any more."""
        self.wishes[cadre] = {}
        self._plan(cadre, self._compare(cadre))

    @rule(cadre=st.sampled_from(CADRES), numbers=st.lists(st.sampled_from(NUMBERS), unique=True))
    def compare_early(self, cadre: str, numbers: list[str]) -> None:
        """A plan is made from the ledger as it is, to be written later."""
        if not self.compared:
            self._wish(cadre, numbers, True)
            self.compared = {cadre: self._compare(cadre)}

    @precondition(lambda self: bool(self.compared))
    @rule()
    def plan_late(self) -> None:
        (cadre, changes), *_ = self.compared.items()
        self.compared = {}
        self._plan(cadre, changes)

    def _wish(self, cadre: str, numbers: tuple[str, ...] | list[str], change: bool) -> None:
        old = self.wishes[cadre]
        self.value += 1
        new = [_patient(cadre, self.value if change else 0)]
        new += [_observation(cadre, number, self.value if change else 0) for number in numbers]
        keep = {} if change else {key: old[key] for key in (one.identity for one in new) if key in old}
        self.wishes[cadre] = {one.identity: keep.get(one.identity, one) for one in new}

    def _compare(self, cadre: str) -> list[PlannedChange]:
        return compare(self.ledger.entries(NAME, [cadre])[cadre], self.wishes[cadre].values())

    def _plan(self, cadre: str, changes: list[PlannedChange]) -> None:
        if self.compared.pop(cadre, None) is not None:
            changes = self._compare(cadre)  # a plan is written by one process, in its order
        self.position += 1
        with write_transaction(self.engine) as connection:
            self.ledger.plan(
                connection,
                NAME,
                {cadre: changes},
                mapping_version="m1",
                version="v1",
                position=self.position,
                now=self.clock(),
            )

    @rule(moves=MOVES)
    def work(self, moves: list[Move]) -> None:
        """Workers come, go as far as their next answer, or die, in any order."""
        for which, what, fault, size in moves:
            told["moves"] += 1
            worker = self.workers.get(which)
            if worker is None:
                told["workers"] += 1
                if what == "at once":
                    self.wish(CADRES[which % 2], NUMBERS[:size], change=True)
                self.time_passes({"die": 3700.0, "go on": LEASE + 1, "at once": 2.0}[what])
                worker = Worker(self.processes[which], self.clock, self.serve, fault, size)
            elif what == "die":
                told["deaths"] += 1
                worker.die()
                self.processes[which] = Process(self.engines[which], self.clock)
            else:
                worker.go_on(fault)
            self.workers[which] = worker
            self._gone()

    @rule(moves=MOVES)
    def work_more(self, moves: list[Move]) -> None:
        """The same: what workers do is what all this is about."""
        self.work(moves)

    @rule(moves=MOVES)
    def work_on(self, moves: list[Move]) -> None:
        self.work(moves)

    @rule(seconds=st.sampled_from((0.5, TIMEOUT, TIMEOUT * 2, LEASE + 1, 3700.0)))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        self.commit_due()

    def _gone(self) -> None:
        self.workers = {which: worker for which, worker in self.workers.items() if not worker.done}

    # -- what the hospital does by itself --------------------------------------------------

    @precondition(lambda self: any(kind == "Observation" for kind, _ in self.hospital.resources))
    @rule(data=st.data())
    def hospital_deletes(self, data: st.DataObject) -> None:
        at = data.draw(st.sampled_from(sorted(k for k in self.hospital.resources if k[0] == "Observation")))
        gone = self.hospital.resources.pop(at)
        self.hospital.deleted.add(at)
        self.touched.add(gone["identifier"][0]["value"])

    @precondition(lambda self: bool(self.hospital.resources))
    @rule(data=st.data())
    def hospital_changes(self, data: st.DataObject) -> None:
        at = data.draw(st.sampled_from(sorted(self.hospital.resources)))
        one = self.hospital.resources[at]
        version = str(int(one["meta"]["versionId"]) + 1)
        self.hospital.resources[at] = {**one, "language": "vi", "meta": {"versionId": version}}
        self.touched.add(one["identifier"][0]["value"])

    @precondition(lambda self: any(kind == "Observation" for kind, _ in self.hospital.resources))
    @rule(data=st.data())
    def hospital_doubles(self, data: st.DataObject) -> None:
        at = data.draw(st.sampled_from(sorted(k for k in self.hospital.resources if k[0] == "Observation")))
        one = self.hospital.resources[at]
        id_ = f"twin-{len(self.doubled)}-{at[1]}"
        self.hospital.resources["Observation", id_] = {**one, "id": id_}
        self.doubled.add(one["identifier"][0]["value"])
        self.touched.add(one["identifier"][0]["value"])

    # -- what must hold --------------------------------------------------------------------

    @invariant()
    def nothing_is_there_twice(self) -> None:
        told["steps"] += 1
        twice = {name for name, count in self.hospital.identities().items() if count > 1}
        assert twice <= self.doubled

    @invariant()
    def states_follow_each_other_as_they_may(self) -> None:
        with self.engine.connect() as connection:
            seen = connection.execute(text("SELECT DISTINCT before, after FROM moved")).all()
        assert {(EntryState(before), EntryState(after)) for before, after in seen} <= _PAIRS

    def teardown(self) -> None:
        try:
            self._drain()
        finally:
            for worker in self.workers.values():
                if not worker.done:
                    worker.die()
            for engine in (self.engine, *self.engines):
                engine.dispose()
            shutil.rmtree(self.folder)

    def _drain(self) -> None:
        """All faults end; persons see to what waits for them; then everything must come right."""
        while self.workers:
            next(iter(self.workers.values())).go_on("none")
            self._gone()
        self.time_passes(TIMEOUT)
        self._see_to_doubles()
        for cadre in CADRES:  # what the hospital did to a resource shows when it is next written
            wishes = self.wishes[cadre]
            for identity in self.touched & wishes.keys():
                self.value += 1
                content = codec.loads(wishes[identity].body) | {"language": f"x-{self.value}"}
                body = codec.dumps(content)
                wishes[identity] = replace(wishes[identity], body=body, digest=codec.digest(body))
            self._plan(cadre, self._compare(cadre))
        for _ in range(_ROUNDS):
            self._release()
            worker = Worker(self.processes[3], self.clock, self.serve, "none", 50)
            while not worker.done:
                worker.go_on("none")
            self.clock.advance(seconds=3700)
            if not self._open():
                break
        assert not self._open(), self._lines()
        should = {
            wish.identity: json.loads(wish.body)
            for listed in self.wishes.values()
            for wish in listed.values()
        }
        for one in should.values():
            if "subject" in one:
                one["subject"] = {"reference": one["subject"]["reference"].rpartition("|")[2]}
        assert self.hospital.plainly() == should, self._lines()
        assert all(count == 1 for count in self.hospital.identities().values()), self._lines()
        self.states_follow_each_other_as_they_may()

    def _see_to_doubles(self) -> None:
        for identity in self.doubled:
            twins = [
                at for at, o in self.hospital.resources.items() if o["identifier"][0]["value"] == identity
            ]
            for at in twins[1:]:
                self.hospital.deleted.add(at)
                del self.hospital.resources[at]
        self.doubled = set()

    def _release(self) -> None:
        with write_transaction(self.engine) as connection:
            ParkedStore(self.engine).release(connection, ParkedSelection(NAME), None, self.clock())

    def _open(self) -> bool:
        counts = self.ledger.counts(NAME)
        return any(
            count
            for state, count in counts.items()
            if state not in (EntryState.DELIVERED, EntryState.RETRACTED)
        )

    def _lines(self) -> str:
        with self.engine.connect() as connection:
            query = text("SELECT type, key, state, reason, detail, remote_id, attempts FROM ledger_entry")
            return "\n".join(str(row) for row in connection.execute(query))


_made: list[Path] = []


def _template() -> Path:
    """A migrated database that writes down how states move."""
    if not _made:
        path = Path(tempfile.mkdtemp(prefix="adapter-model-")) / "template.db"
        engine = open_database(f"sqlite:///{path}")
        migrate(engine)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE moved (before TEXT, after TEXT)"))
            connection.execute(
                text(
                    "CREATE TRIGGER moving AFTER UPDATE OF state ON ledger_entry WHEN OLD.state <> NEW.state "
                    "BEGIN INSERT INTO moved VALUES (OLD.state, NEW.state); END"
                )
            )
        engine.dispose()
        _made.append(path)
    return _made[0]


LedgerModel.TestCase.settings = settings(
    max_examples=STORIES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize="ADAPTER_MODEL_STORIES" not in os.environ,  # the same stories in every `make test`
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


class TestLedgerModel(LedgerModel.TestCase):  # type: ignore[misc,valid-type]  # Hypothesis makes it
    """Tells the stories, and says how many."""

    @classmethod
    def tearDownClass(cls) -> None:
        for path in _made:
            shutil.rmtree(path.parent)
        _made.clear()
        assert told["moves"] > STORIES * 10, told
