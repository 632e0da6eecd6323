"""A hospital that has its page and no server: what is planned for it stands there, and nothing waits."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import page_centre
import pytest
from inbox_centre import put_records
from page_centre import HOME, PUBLIC, at_the_page, records, referral, state_of
from sqlalchemy import update

from adapter.database import write_transaction
from adapter.delivery.worker import DeliverySummary
from adapter.errors import ServerChanged, SettingsError
from adapter.insights.problems import current_problems
from adapter.insights.referrals import referral_line
from adapter.ledger.schema.states import EntryState
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.page_delivery import show_due
from adapter.pipeline.outbound.server_identity import ensure_same_server
from adapter.records.change_feed import ChangeFeed
from adapter.records.model import Referral
from adapter.records.tables import record
from adapter.referrals.lifecycle import ReferralState
from adapter.testing import Centre


def centre_of(folder: Path, database_url: str, **hospital: str) -> Centre:
    hospitals = {HOME: {"display": "Bệnh viện tỉnh", "timeout_seconds": 5, **hospital}}
    return Centre(folder, hospitals=hospitals, database_url=database_url, settings={"public_url": PUBLIC})


@pytest.fixture
def centre(tmp_path: Path, database_url: str) -> Iterator[Centre]:
    """Two referrals, of which no sync has been yet."""
    centre = centre_of(tmp_path, database_url, base_url="")
    text = centre.settings_file.read_text("utf-8").replace('base_url = ""\n', "")
    centre.settings_file.write_text(text, "utf-8")
    with centre.open() as adapter:
        put_records(adapter.engine, records(referral("GT-1"), referral("GT-2")))
    yield centre
    centre.close()


def show(adapter: Adapter) -> DeliverySummary:
    return show_due(
        adapter.ledger,
        HOME,
        lease_seconds=60,
        clock=lambda: datetime.now(UTC),
        stop=threading.Event(),
        on_shown=lambda _: None,
    )


def states(adapter: Adapter) -> dict[EntryState, int]:
    return {state: count for state, count in adapter.ledger.counts(HOME).items() if count}


def test_a_sync_shows_what_is_planned_and_nothing_waits(centre: Centre) -> None:
    [done] = centre.run_json("sync", "--accept")["hospitals"].values()
    assert done["delivered"] == done["planned"] > 5
    assert (done["waiting"], done["parked"], done["requests"]) == (0, 0, 0)
    with centre.open() as adapter:
        now = datetime.now(UTC)
        assert states(adapter).keys() == {EntryState.DELIVERED}
        line = referral_line(adapter, "GT-1", now)
        assert (line.state, line.waits_for) == (ReferralState.RECEIVED, "not-accepted")
        assert [one.code for one in current_problems(adapter, now) if one.hospital == HOME] == []
        with at_the_page(adapter) as clerk:
            assert clerk.browser.get("/page").text.count("/page/referrals/") == 2
            clerk.send("GT-1", "accept")
        assert state_of(adapter, "GT-1") is ReferralState.ACCEPTED
    [again] = centre.run_json("sync")["hospitals"].values()
    assert (again["planned"], again["delivered"]) == (0, 0)


def test_a_worker_shows_it_too(centre: Centre) -> None:
    centre.run("worker", "--once")
    with centre.open() as adapter:
        assert states(adapter).keys() == {EntryState.DELIVERED}


def test_what_is_withdrawn_leaves_the_page_with_a_receipt(centre: Centre) -> None:
    with centre.open() as adapter:
        page_centre.plan(adapter)
        assert show(adapter).resources > 5
        with write_transaction(adapter.engine) as connection:
            feed = ChangeFeed(connection)
            mine = (record.c.kind == Referral.kind) & (record.c.key == "GT-2")
            connection.execute(update(record).where(mine).values(deleted=True, position=feed.next()))
            feed.close()
        page_centre.plan(adapter)
        assert show(adapter).retracted == 2  # the order and its Task
        left = {one.state for one in adapter.ledger.entries_of_record(Referral.kind, "GT-2")}
        assert left == {EntryState.RETRACTED}
        assert len(adapter.record_history.receipts(Referral.kind, "GT-2")) == 2
        with at_the_page(adapter) as clerk:
            listed = clerk.browser.get("/page").text + clerk.browser.get("/page?closed=1").text
            assert listed.count("/page/referrals/") == 1
            assert clerk.browser.get(clerk.address("GT-2")).status_code == 404


def test_what_a_process_left_in_the_middle_is_shown(centre: Centre) -> None:
    with centre.open() as adapter:
        page_centre.plan(adapter)
        [lease] = adapter.ledger.shipments.claim(HOME, datetime.now(UTC), 60)
        entries = adapter.ledger.entries(HOME, [lease.cadre])[lease.cadre]
        begun = {one.identity: one.desired_digest or "" for one in entries[:3]}
        lease = adapter.ledger.start(lease, begun, datetime.now(UTC), 60)
        adapter.ledger.shipments.give_back(lease)
        show(adapter)
        assert states(adapter).keys() == {EntryState.DELIVERED}


def test_a_server_that_it_gets_later_is_another(centre: Centre) -> None:
    centre.run("sync", "--accept")
    text = centre.settings_file.read_text("utf-8")
    with_server = text.replace(
        f"[hospitals.{HOME}]", f'[hospitals.{HOME}]\nbase_url = "http://10.0.0.9/fhir"'
    )
    centre.settings_file.write_text(with_server, "utf-8")
    with centre.open() as adapter, pytest.raises(ServerChanged):
        ensure_same_server(adapter, HOME)
    centre.run("hospital", "forget", HOME, "--yes")
    with centre.open() as adapter:
        ensure_same_server(adapter, HOME)
        assert states(adapter).keys() == {EntryState.PENDING}


def test_there_is_no_server_to_measure_or_to_ask(centre: Centre) -> None:
    done = centre.attempt("doctor")
    assert (done.returncode, "no server to measure" in done.stderr) == (0, True)
    assert "never measured" not in centre.attempt("status").stdout
    asked = centre.attempt("reconcile", HOME)
    assert (asked.returncode, "has no server" in asked.stderr) == (2, True)
    assert centre.run_json("hospital", "list")[0]["base_url"] is None


@pytest.mark.parametrize(
    ("more", "public", "said"),
    [('token = "env:T"', True, "token needs a base_url"), ("", False, "needs public_url")],
)
def test_settings_that_cannot_be(centre: Centre, more: str, public: bool, said: str) -> None:
    text = centre.settings_file.read_text("utf-8")
    text = text.replace(f"[hospitals.{HOME}]", f"[hospitals.{HOME}]\n{more}")
    centre.settings_file.write_text(text if public else text.replace("public_url", "#public_url"), "utf-8")
    with pytest.raises(SettingsError, match=said):
        centre.settings()
