"""Workers whose fellows died elsewhere, and whose database is away for a moment."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledger_books import Books
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from adapter.database import open_database
from adapter.delivery.http.client import HospitalClient
from adapter.delivery.worker import DeliverySummary, deliver
from adapter.duties.duty import Duty
from adapter.duties.planning import PlanHospital
from adapter.duties.services import run_worker
from adapter.fhir import codec
from adapter.insights.problems import current_problems
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.ledger.schema.values import DeliveryOutcome, DesiredResource
from adapter.ledger.store import LedgerStore
from adapter.pipeline.application import Adapter
from adapter.sandbox.app import SandboxHospital
from adapter.settings import HospitalSettings, Settings
from adapter.testing import CAPABLE_SERVER, FakeHospital, serving

NAME = "bv"
_IDENTITY = codec.digest(b"a")
_BODY = codec.dumps(
    {"resourceType": "Patient", "identifier": [{"system": "https://centre.test/sid", "value": _IDENTITY}]}
)
PERSON = DesiredResource(_IDENTITY, "Patient", 0, "cadre", "a", codec.digest(_BODY), _BODY)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def adapter(engine: Engine, tmp_path: Path) -> Iterator[Adapter]:
    """A centre without records, and its hospital: a sandbox over real HTTP."""
    (tmp_path / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    store = open_database(f"sqlite:///{tmp_path / 'hospital.db'}")
    with serving(SandboxHospital(store, NAME).app) as base:
        hospital = HospitalSettings(
            name=NAME, display=NAME, level="provincial", base_url=f"{base}/fhir", timeout_seconds=1
        )
        settings = Settings(
            identity_key=f"file:{tmp_path / 'identity.key'}", lease_seconds=10, hospitals={NAME: hospital}
        )
        settings._folder = tmp_path
        opened = Adapter(settings, engine)
        opened.cards.put(NAME, CAPABLE_SERVER, now())
        yield opened
    store.dispose()


def planning(adapter: Adapter, stop: threading.Event) -> list[Duty]:
    return [PlanHospital(adapter, now, NAME, stop)]


def until(found: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not found():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def test_what_a_dead_host_had_under_way_goes_on_though_nothing_else_is_due(
    adapter: Adapter, engine: Engine
) -> None:
    Books(engine, NAME).wish(PERSON)
    assert LedgerStore(engine).shipments.claim(NAME, now() + timedelta(days=1), 10)
    stop = threading.Event()
    thread = threading.Thread(target=run_worker, args=(adapter, [NAME], planning(adapter, stop), now, stop))
    thread.start()
    try:
        assert until(lambda: adapter.ledger.counts(NAME) == {EntryState.DELIVERED: 1}, 30)
    finally:
        stop.set()
        thread.join()


def test_a_run_waits_until_the_leases_of_the_dead_end(engine: Engine) -> None:
    Books(engine, NAME).wish(PERSON)
    dead, ledger, hospital = LedgerStore(engine), LedgerStore(engine), FakeHospital()
    assert dead.shipments.claim(NAME, now() + timedelta(days=1), 2)
    with HospitalClient(hospital.base, transport=hospital.transport) as client:
        done: DeliverySummary = deliver(
            NAME,
            client,
            ledger,
            system="https://centre.test/sid",
            timeout=0.5,
            lease_seconds=2,
            max_entries=50,
            max_bytes=1_000_000,
            concurrency=1,
            patience=0.5,
            clock=now,
            stop=threading.Event(),
            card=CAPABLE_SERVER,
        )
    assert done.resources == 1


def test_a_plan_for_which_the_database_was_away_is_made_when_it_is_back(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.duties.planning._AWAY", 0.01)
    tried: list[str] = []
    stop = threading.Event()

    def plan(duty: PlanHospital) -> None:
        tried.append(duty.hospital)
        if len(tried) < 3:
            raise OperationalError("SELECT 1", None, Exception("away"))
        stop.set()

    monkeypatch.setattr(PlanHospital, "_plan", plan)
    run_worker(adapter, [NAME], planning(adapter, stop), now, stop, once=True)
    assert tried == [NAME] * 3


def test_a_worker_outlives_connections_that_are_all_in_use(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.pipeline.outbound.crews._AWAY", 0.01)
    stop, looks = threading.Event(), 0

    def due(_names: object, _now: datetime) -> list[str]:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise PoolTimeout("all in use")
        stop.set()
        return []

    monkeypatch.setattr(adapter.ledger.shipments, "hospitals_due", due)
    run_worker(adapter, [NAME], (), now, stop)
    assert looks == 3


def test_a_worker_that_cannot_go_on_ends_as_a_whole(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def due(_names: object, _now: datetime) -> list[str]:
        raise ZeroDivisionError

    monkeypatch.setattr(adapter.ledger.shipments, "hospitals_due", due)
    stop = threading.Event()
    with pytest.raises(ZeroDivisionError):
        run_worker(adapter, [NAME], (), now, stop)
    assert stop.is_set()


def test_what_waits_for_a_hospital_that_is_not_in_the_settings_is_found(
    adapter: Adapter, engine: Engine
) -> None:
    for name in (NAME, "bv-gone", "bv-done"):
        Books(engine, name).wish(PERSON)
    done = Books(engine, "bv-done")
    lease = done.claim()
    done.ledger.start(lease, {PERSON.identity: PERSON.digest}, now(), 60)
    done.ledger.settle(lease, [DeliveryOutcome(PERSON.identity, EntryEvent.CONFIRM)], now())
    found = [one for one in current_problems(adapter, now()) if one.code == "removed"]
    assert [(one.hospital, one.count) for one in found] == [("bv-gone", 1)]
