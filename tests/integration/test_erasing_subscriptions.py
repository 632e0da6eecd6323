"""Who is erased while a hospital changes its Subscription: neither writes over the other."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from subscription_centre import PUBLIC, subscribing_centre, subscription

from adapter.database import write_transaction
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.hospital_subscriptions import HospitalSubscriptions
from adapter.records.erasure import lock_erasures
from adapter.subscriptions.store import SubscriptionStore

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@pytest.fixture
def adapter(tmp_path: Path, database_url: str) -> Iterator[Adapter]:
    with subscribing_centre(tmp_path, database_url) as centre, centre.open() as adapter:
        yield adapter


def begun(act: threading.Thread) -> None:
    """It runs, and has had time to wait for a lock."""
    act.start()
    act.join(0.5)


def test_an_erasure_writes_nothing_older_over_what_a_hospital_says_meanwhile(adapter: Adapter) -> None:
    subscriptions = HospitalSubscriptions(adapter, PUBLIC, lambda: START)
    one = subscriptions.create("bv-tinh", subscription(reason="Cũ"))
    changed = subscription(reason="Mới", channel={"header": None})
    hospital = threading.Thread(target=lambda: subscriptions.update("bv-tinh", one.id, changed))
    with write_transaction(adapter.engine) as connection:
        [(id_, body, _)] = SubscriptionStore.all_bodies(connection)
        begun(hospital)
        assert hospital.is_alive()
        SubscriptionStore.put_body(connection, id_, body.replace("Cũ".encode(), b"-"))
    hospital.join()
    assert subscriptions.read("bv-tinh", one.id).resource["reason"] == "Mới"


@pytest.mark.parametrize("is_new", [True, False])
def test_what_a_hospital_says_waits_for_an_erasure_under_way(adapter: Adapter, is_new: bool) -> None:
    """Whom it names may be erased in it: that is known only when it is done."""
    subscriptions = HospitalSubscriptions(adapter, PUBLIC, lambda: START)
    one = None if is_new else subscriptions.create("bv-tinh", subscription(reason="Cũ"))

    def say() -> None:
        said = subscription(reason="Mới")
        if one is None:
            subscriptions.create("bv-tinh", said)
        else:
            subscriptions.update("bv-tinh", one.id, subscription(reason="Mới", channel={"header": None}))

    hospital = threading.Thread(target=say)
    with write_transaction(adapter.engine) as connection:
        lock_erasures(connection)
        begun(hospital)
        assert hospital.is_alive()
        held = connection.execute(text("SELECT id FROM subscription")).scalars().all()
        assert held == ([] if one is None else [one.id])
        assert len(list(SubscriptionStore.all_bodies(connection))) == len(held)  # and waits for nobody
    hospital.join()
    [found] = subscriptions.all("bv-tinh")
    assert found.resource["reason"] == "Mới"
