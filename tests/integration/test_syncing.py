"""One sync: planning and delivery side by side, beside other processes, and stopped."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapter.database import open_database
from adapter.errors import Busy
from adapter.ledger.schema.states import EntryState
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.sync import SyncSummary
from adapter.pipeline.outbound.sync import sync as run_sync
from adapter.sandbox.app import SandboxHospital
from adapter.settings import HospitalSettings, Settings
from adapter.testing import CAPABLE_SERVER, serving

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
NAME = "bv-tinh"


@pytest.fixture
def adapter(sample_engine: Engine, tmp_path: Path) -> Iterator[Adapter]:
    """A centre with the small sample, and its hospital: a sandbox over real HTTP."""
    (tmp_path / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    store = open_database(f"sqlite:///{tmp_path / 'hospital.db'}")
    with serving(SandboxHospital(store, NAME).app) as base:
        hospital = HospitalSettings(name=NAME, display=NAME, level="provincial", base_url=f"{base}/fhir")
        settings = Settings(
            identity_key=f"file:{tmp_path / 'identity.key'}",
            database_url=f"sqlite:///{tmp_path / 'adapter.db'}",
            hospitals={NAME: hospital},
        )
        opened = Adapter(settings, sample_engine)
        opened.cards.put(NAME, CAPABLE_SERVER, NOW)
        yield opened
    store.dispose()


def sync(
    adapter: Adapter,
    stop: threading.Event | None = None,
    progress: Callable[[str, str | None, int, int], None] = lambda *_: None,
) -> SyncSummary:
    return run_sync(adapter, [NAME], lambda: datetime.now(UTC), progress, stop)


def test_what_is_planned_is_delivered_while_more_is_planned(adapter: Adapter) -> None:
    delivering = threading.Event()
    was_delivering: list[bool] = []

    def progress(stage: str, _hospital: str | None, at: int, total: int) -> None:
        if stage == "deliver":
            delivering.set()
        elif 0 < at < total:  # the planner waits between two pages, until something was delivered
            was_delivering.append(delivering.wait(30))

    done = sync(adapter, progress=progress)
    assert done.hospitals[NAME].delivered == done.hospitals[NAME].planned > 900
    assert was_delivering
    assert all(was_delivering)
    assert adapter.ledger.counts(NAME) == {EntryState.DELIVERED: done.hospitals[NAME].delivered}


def test_a_stop_after_which_nothing_is_left_is_none(adapter: Adapter) -> None:
    sync(adapter)
    told = threading.Event()
    told.set()
    assert not sync(adapter, told).stopped


def test_a_sync_that_is_stopped_says_so_and_the_next_goes_on(adapter: Adapter) -> None:
    stop = threading.Event()
    first = sync(adapter, stop, lambda stage, *_: stop.set() if stage == "plan" else None)
    assert first.stopped
    assert first.exit_code == 1
    second = sync(adapter)
    assert not second.stopped
    assert second.exit_code == 0
    assert first.hospitals[NAME].delivered + second.hospitals[NAME].delivered > 900


def test_one_plans_at_a_time_and_anybody_delivers(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter.pipeline.outbound.sync._WAIT", 0.3)
    other = Adapter(adapter.settings, adapter.engine)
    turn = other.ledger.named_locks.acquire(f"plan:{NAME}", 600)
    assert turn is not None
    with pytest.raises(Busy):
        sync(adapter)
    other.ledger.named_locks.give_back(turn)
    found: list[SyncSummary] = []
    threads = [threading.Thread(target=lambda who=who: found.append(sync(who))) for who in (adapter, other)]
    monkeypatch.setattr("adapter.pipeline.outbound.sync._WAIT", 120.0)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.hospitals[NAME].planned for one in found) == sum(
        one.hospitals[NAME].delivered for one in found
    )
    assert [one.exit_code for one in found] == [0, 0]


def test_a_hospital_that_another_process_plans_for_delays_no_other(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.pipeline.outbound.sync._WAIT", 0.3)
    second = adapter.settings.hospital(NAME).model_copy(update={"name": "bv-khac"})
    adapter.settings.hospitals["bv-khac"] = second
    other = Adapter(adapter.settings, adapter.engine)
    assert other.ledger.named_locks.acquire("plan:bv-khac", 600) is not None
    done = run_sync(adapter, ["bv-khac", NAME], lambda: datetime.now(UTC), lambda *_: None)
    assert done.hospitals[NAME].delivered > 900
    left = done.hospitals["bv-khac"]
    assert (left.delivered, left.unreachable, len(left.problems)) == (0, False, 1)
    assert done.exit_code == 1


def test_a_token_that_is_not_there_is_the_settings_fault_and_not_the_hospitals(adapter: Adapter) -> None:
    blind = adapter.settings.hospital(NAME).model_copy(update={"token": "env:NO_SUCH_TOKEN_ANYWHERE"})
    adapter.settings.hospitals[NAME] = blind
    found = sync(adapter).hospitals[NAME]
    assert (found.unreachable, len(found.problems)) == (False, 1)
