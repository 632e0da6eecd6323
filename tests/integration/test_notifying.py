"""Hospitals are told what changed of their referrals: no number is skipped, and nothing else is said."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hook_receiver import HookReceiver, events, receiving, said
from ledger_books import Books, wish
from sqlalchemy import event, text
from subscription_centre import PUBLIC, SECRET, TOPIC, stored_texts, subscribing_centre, subscription

from adapter.database import write_transaction
from adapter.fhir.validation.checker import check_resource
from adapter.insights.problems import current_problems
from adapter.ledger.erasure import erase_cadre
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.identity_key import rename_lines
from adapter.ledger.repairs import Repair, RepairStore
from adapter.ledger.schema.states import EntryEvent
from adapter.ledger.schema.values import DeliveryOutcome
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.hospital_subscriptions import HospitalSubscriptions
from adapter.pipeline.outbound.notifying import Notified, notify_hospital
from adapter.subscriptions.retry import FAILURES_TO_ERROR
from adapter.subscriptions.store import StoredSubscription
from adapter.subscriptions.topic import HEARTBEAT_PERIOD, MAX_COUNT
from adapter.testing import Centre

START = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
REFERRAL = wish("r1", type_="ServiceRequest")


class Telling:
    """A centre, one hospital's subscription and receiver, and a clock."""

    def __init__(self, adapter: Adapter, receiver: HookReceiver) -> None:
        self.adapter = adapter
        self.receiver = receiver
        self.now = START
        self.endpoint = HospitalSubscriptions(adapter, PUBLIC, lambda: self.now)
        self.books = Books(adapter.engine, "bv-tinh")

    def subscribe(self, hospital: str = "bv-tinh", **changed: Any) -> StoredSubscription:
        channel = {"endpoint": f"{self.receiver.url}/changes", **changed.pop("channel", {})}
        return self.endpoint.create(hospital, subscription(channel=channel, **changed))

    def subscribe_twice(self) -> list[StoredSubscription]:
        """In the order in which they have their turns: of one millisecond, ids are in any."""
        return sorted((self.subscribe(), self.subscribe()), key=lambda one: one.id)

    def notify(self, later: float = 0, hospital: str = "bv-tinh") -> Notified:
        self.now += timedelta(seconds=later)
        return notify_hospital(self.adapter, hospital, lambda: self.now, threading.Event())

    def deliver(self, *wanted: Any, remote: str = "7", event: EntryEvent = EntryEvent.CONFIRM) -> None:
        """The hospital takes these resources, each under an id that tells them apart."""
        books = self.books
        books.wish(*wanted)
        lease = books.claim()
        books.start(lease, *wanted)
        books.settle(
            lease, *(DeliveryOutcome(one.identity, event, remote_id=f"{one.key}-{remote}") for one in wanted)
        )
        books.give_back(lease)

    def standing_of(self, one: StoredSubscription) -> StoredSubscription:
        return self.endpoint.read(one.hospital, one.id)

    def standing(self) -> StoredSubscription:
        [found] = self.adapter.subscriptions.of_hospital("bv-tinh")
        return found


@pytest.fixture
def receiver() -> Iterator[HookReceiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def centre(tmp_path: Path, database_url: str, receiver: HookReceiver) -> Iterator[Centre]:
    with subscribing_centre(tmp_path, database_url, hosts=[receiver.url]) as centre:
        yield centre


@pytest.fixture
def telling(centre: Centre, receiver: HookReceiver) -> Iterator[Telling]:
    with centre.open() as adapter:
        yield Telling(adapter, receiver)


def test_a_handshake_then_each_change_in_order(telling: Telling) -> None:
    one = telling.subscribe()
    assert telling.notify() == Notified(1, 0)
    assert telling.standing().status == "active"
    telling.deliver(REFERRAL, wish("p1", type_="Patient"), wish("t1", type_="Task"))
    telling.deliver(wish("r1", "v2", type_="ServiceRequest"))
    telling.notify()
    assert telling.notify() == Notified()
    handshake, told = telling.receiver.bundles()
    assert said(handshake) == {
        "subscription": f"{PUBLIC}/Subscription/{one.id}"
        and {"reference": f"{PUBLIC}/Subscription/{one.id}"},
        "topic": TOPIC,
        "status": "requested",
        "type": "handshake",
        "events-since-subscription-start": "0",
    }
    home = "http://10.0.0.7:8080/fhir"
    expected = [f"{home}/ServiceRequest/r1-7", f"{home}/Task/t1-7", f"{home}/ServiceRequest/r1-7"]
    assert [number for number, _ in events(told)] == [1, 2, 3]
    assert sorted(str(focus) for _, focus in events(told)) == sorted(expected)
    assert said(told)["events-since-subscription-start"] == "3"
    assert [one["fullUrl"] for one in told["entry"][1:]] == [focus for _, focus in events(told)]
    assert all("resource" not in one for one in told["entry"][1:])
    assert [one["response"]["status"] for one in told["entry"][1:]] == ["201", "201", "200"]
    for bundle in (handshake, told):
        assert check_resource(bundle) == []
    path, headers, _ = telling.receiver.came[1]
    assert path == "/changes"
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert headers["content-type"] == "application/fhir+json"


def test_what_is_told_is_ids_and_numbers_alone(telling: Telling, centre: Centre) -> None:
    telling.subscribe()
    telling.deliver(wish("khoá-của-phiếu", "Nguyễn Văn A", type_="ServiceRequest"), remote="9")
    telling.notify()
    text_ = str(telling.receiver.bundles())
    assert "Nguyễn" not in text_
    assert "khoá-của-phiếu-9" in text_  # what the hospital calls it
    assert SECRET not in text_
    assert SECRET not in stored_texts(centre)


def test_nothing_of_others_and_nothing_that_was_not_taken_is_told(telling: Telling) -> None:
    telling.subscribe()
    telling.notify()
    other = Books(telling.adapter.engine, "bv-huyen")
    other.wish(REFERRAL)
    other.send(REFERRAL)
    telling.books.wish(wish("r2", type_="ServiceRequest"))  # planned
    telling.deliver(wish("r3", type_="ServiceRequest"), event=EntryEvent.REFUSE)
    telling.deliver(wish("r4", type_="ServiceRequest"), event=EntryEvent.LOSE)
    telling.deliver(wish("o1", type_="Observation"))
    telling.notify()
    assert telling.receiver.kinds() == ["handshake"]
    assert telling.notify(hospital="bv-huyen") == Notified()


def test_what_was_never_answered_is_told_when_it_is_found_there(telling: Telling) -> None:
    telling.subscribe()
    telling.books.wish(REFERRAL)
    lease = telling.books.claim()
    telling.books.start(lease, REFERRAL)
    telling.books.settle(lease, DeliveryOutcome("r1", EntryEvent.LOSE))
    telling.notify()
    assert telling.receiver.numbers() == []
    telling.books.settle(lease, DeliveryOutcome("r1", EntryEvent.CONFIRM, remote_id="7"))
    telling.notify()
    assert telling.receiver.numbers() == [1]


def test_what_reading_back_finds_there_is_told_once(telling: Telling) -> None:
    telling.subscribe()
    telling.books.wish(REFERRAL)
    lease = telling.books.claim()
    telling.books.start(lease, REFERRAL)
    telling.books.settle(lease, DeliveryOutcome("r1", EntryEvent.LOSE))
    store = RepairStore(telling.adapter.engine)
    for _ in range(2):  # the second time it is delivered already
        found = Repair(telling.books.entry("r1"), True, REFERRAL, "7")
        assert store.write(lease, [found], telling.now) == 1
    telling.notify()
    assert telling.receiver.numbers() == [1]


def test_a_referral_that_is_taken_back_is_told(telling: Telling) -> None:
    telling.subscribe()
    telling.deliver(REFERRAL)
    telling.books.wish()
    lease = telling.books.claim()
    telling.books.settle(lease, DeliveryOutcome("r1", EntryEvent.GONE, proof="deleted"))
    telling.notify()
    entry = telling.receiver.bundles()[-1]["entry"][-1]
    assert entry["request"]["method"] == "DELETE"
    assert telling.receiver.numbers() == [1, 2]


def test_a_transaction_that_is_undone_notes_nothing(telling: Telling) -> None:
    telling.subscribe()
    telling.books.wish(REFERRAL)
    lease = telling.books.claim()
    telling.books.start(lease, REFERRAL)
    engine = telling.adapter.engine

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    event.listen(engine, "commit", killed)
    try:
        with pytest.raises(KeyboardInterrupt):
            telling.books.settle(lease, DeliveryOutcome("r1", EntryEvent.CONFIRM, remote_id="7"))
    finally:
        event.remove(engine, "commit", killed)
    telling.notify()
    assert telling.receiver.numbers() == []
    telling.books.settle(lease, DeliveryOutcome("r1", EntryEvent.CONFIRM, remote_id="7"))
    telling.notify()
    assert telling.receiver.numbers() == [1]


def test_who_asks_for_few_at_once_gets_few(telling: Telling) -> None:
    count = {"extension": [{"url": MAX_COUNT, "valuePositiveInt": 2}]}
    telling.subscribe(channel=count)
    telling.deliver(*(wish(f"r{n}", type_="ServiceRequest") for n in range(5)))
    telling.notify()
    assert [len(events(one)) for one in telling.receiver.bundles()] == [0, 2, 2, 1]
    assert telling.receiver.numbers() == [1, 2, 3, 4, 5]


def test_what_was_not_taken_comes_again_with_its_number_later_and_later(telling: Telling) -> None:
    telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    telling.receiver.answers = [(500, {})]
    assert telling.notify() == Notified(0, 1)
    standing = telling.standing()
    assert (standing.status, standing.failures, standing.problem) == ("active", 1, "refused")
    assert standing.due_at is not None
    assert 30 <= (standing.due_at - telling.now).total_seconds() <= 36
    assert telling.notify(later=29) == Notified()
    telling.receiver.answers = [(500, {})]
    telling.notify(later=8)
    standing = telling.standing()
    assert standing.due_at is not None
    assert 60 <= (standing.due_at - telling.now).total_seconds() <= 72
    telling.deliver(wish("r2", type_="ServiceRequest"))
    telling.notify(later=80)
    assert telling.receiver.numbers() == [1, 1, 1, 2]
    standing = telling.standing()
    assert (standing.failures, standing.problem, standing.delivered) == (0, None, 2)


def test_repeated_failure_is_an_error_that_shows_and_ends_by_itself(telling: Telling) -> None:
    one = telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    telling.receiver.answers = [(500, {})] * FAILURES_TO_ERROR
    for _ in range(FAILURES_TO_ERROR):
        telling.notify(later=5000)
    assert telling.standing().status == "error"
    shown = telling.endpoint.shown(telling.standing())
    assert shown["error"]
    assert check_resource(shown) == []
    [problem] = [one for one in current_problems(telling.adapter, telling.now) if one.code == "subscription"]
    assert (problem.hospital, problem.count) == ("bv-tinh", 1)
    assert problem.since is not None
    telling.deliver(wish("r2", type_="ServiceRequest"))
    assert telling.notify(later=60) == Notified()
    telling.notify(later=5000)
    assert telling.standing().status == "active"
    assert telling.receiver.numbers()[-2:] == [1, 2]
    assert "error" not in telling.endpoint.shown(telling.standing())
    assert telling.endpoint.status("bv-tinh", [one.id], [], "x")["total"] == 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((404, {}), "refused"),
        ((302, {"Location": "http://169.254.169.254/latest"}), "redirected"),
        ((307, {"Location": "/elsewhere"}), "redirected"),
    ],
)
def test_a_handshake_that_fails_is_an_error_and_comes_again_once_an_hour(
    telling: Telling, answer: tuple[int, dict[str, str]], problem: str
) -> None:
    one = telling.subscribe()
    telling.receiver.answers = [answer]
    telling.notify()
    standing = telling.standing()
    assert (standing.status, standing.problem) == ("error", problem)
    assert len(telling.receiver.came) == 1  # no redirect was followed
    telling.deliver(REFERRAL)
    assert telling.notify(later=3599) == Notified()
    telling.receiver.answers = [(500, {})]
    assert telling.notify(later=722) == Notified(0, 1)
    assert telling.notify(later=3599) == Notified()
    assert telling.standing().failing_since == START  # what waits is told of nobody that has not agreed
    telling.endpoint.update("bv-tinh", one.id, telling.endpoint.shown(standing))
    telling.notify()
    assert telling.standing().status == "active"
    assert telling.receiver.kinds() == ["handshake", "handshake", "handshake", "event-notification"]
    assert telling.receiver.came[-1][1]["authorization"] == f"Bearer {SECRET}"


def test_who_takes_a_later_handshake_is_told_what_waited(telling: Telling) -> None:
    one = telling.subscribe()
    telling.notify()  # what it asked for before was taken; this says nothing of what it asks for next
    telling.endpoint.update("bv-tinh", one.id, telling.endpoint.shown(telling.standing()))
    telling.receiver.answers = [(500, {})]
    telling.notify()
    telling.deliver(REFERRAL)
    assert telling.notify(later=4400) == Notified(2, 0)
    assert telling.receiver.kinds()[-2:] == ["handshake", "event-notification"]
    assert said(telling.receiver.bundles()[-2])["status"] == "requested"
    assert "error" not in said(telling.receiver.bundles()[-2])
    standing = telling.standing()
    assert (standing.status, standing.problem, standing.delivered) == ("active", None, 1)


def test_what_waits_has_nobody_look_for_what_may_be_forgotten(telling: Telling) -> None:
    telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    said_: list[str] = []
    event.listen(telling.adapter.engine, "before_cursor_execute", lambda *of: said_.append(of[2]))
    assert telling.adapter.subscriptions.purge(START + timedelta(days=60)) == 0
    assert not [one for one in said_ if "DELETE" in one]
    telling.notify()
    assert telling.adapter.subscriptions.purge(START + timedelta(days=60)) == 1


def test_one_that_cannot_be_read_delays_no_other(telling: Telling, caplog: pytest.LogCaptureFixture) -> None:
    broken, other = telling.subscribe_twice()
    with write_transaction(telling.adapter.engine) as connection:
        values = {"id": broken.id, "body": b'{"channel": {"endpoint": 7, "a": "bi-mat"}}'}
        connection.execute(text("UPDATE subscription SET body = :body WHERE id = :id"), values)
    telling.notify()
    assert [said(one)["subscription"] for one in telling.receiver.bundles()] == [
        {"reference": f"{PUBLIC}/Subscription/{other.id}"}
    ]
    assert "bi-mat" not in caplog.text


def test_a_new_secret_goes_to_the_new_endpoint_alone(telling: Telling) -> None:
    first, second = telling.subscribe_twice()
    moved = {"endpoint": f"{telling.receiver.url}/new", "header": ["Authorization: moi"]}
    answer = telling.receiver.answer

    def changed(path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        telling.receiver.answer = answer  # type: ignore[method-assign]
        telling.endpoint.update("bv-tinh", second.id, subscription(id=second.id, channel=moved))
        return answer(path, headers, body)

    telling.receiver.answer = changed  # type: ignore[method-assign]
    telling.notify()
    assert telling.standing_of(first).status == "active"
    telling.notify()
    came = [(path, headers["authorization"]) for path, headers, _ in telling.receiver.came]
    assert came == [("/changes", f"Bearer {SECRET}"), ("/new", "moi")]


@pytest.mark.parametrize("is_deleted", [True, False])
def test_nothing_is_sent_of_what_is_there_no_more(
    telling: Telling, is_deleted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was changed, or deleted, after its events were read and before its headers are."""
    one = telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    read = type(telling.adapter.subscriptions).changes
    moved = {"endpoint": f"{telling.receiver.url}/new", "header": ["Authorization: moi"]}

    def meanwhile(*of: Any) -> Any:
        found = read(*of)
        if is_deleted:
            telling.endpoint.delete("bv-tinh", one.id)
        else:
            telling.endpoint.update("bv-tinh", one.id, subscription(id=one.id, channel=moved))
        return found

    monkeypatch.setattr(type(telling.adapter.subscriptions), "changes", meanwhile)
    assert telling.notify() == Notified()
    assert telling.receiver.kinds() == ["handshake"]


def test_what_is_asked_for_anew_between_two_notifications_has_another_turn(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = telling.subscribe()
    store = type(telling.adapter.subscriptions)
    taken = store.taken
    moved = {"endpoint": f"{telling.receiver.url}/new", "header": ["Authorization: moi"]}

    def meanwhile(*of: Any) -> bool:
        done = taken(*of)
        monkeypatch.setattr(store, "taken", taken)
        telling.endpoint.update("bv-tinh", one.id, subscription(id=one.id, channel=moved))
        return done

    monkeypatch.setattr(store, "taken", meanwhile)
    telling.deliver(REFERRAL)
    telling.notify()
    assert [path for path, _, _ in telling.receiver.came] == ["/changes"]
    telling.notify()
    assert [path for path, _, _ in telling.receiver.came] == ["/changes", "/new", "/new"]


def test_what_was_taken_is_not_taken_back(telling: Telling) -> None:
    """By another process, whose answer came late."""
    telling.subscribe()
    telling.notify()
    telling.deliver(*(wish(f"r{n}", type_="ServiceRequest") for n in range(3)))
    store, one = telling.adapter.subscriptions, telling.standing()
    store.number_events(one.id)
    assert store.taken(one, 3, START)
    assert not store.taken(one, 2, START)
    assert telling.standing().delivered == 3


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        ("application/fhir+json", "application/fhir+json"),
        ("json", "application/fhir+json"),
    ],
)
def test_a_notification_has_the_content_type_that_was_asked_for(
    telling: Telling, payload: str, sent: str
) -> None:
    telling.subscribe(channel={"payload": payload})
    telling.notify()
    assert telling.receiver.came[0][1]["content-type"] == sent


def test_a_server_that_is_away_is_no_more_than_that(telling: Telling, centre: Centre) -> None:
    with receiving() as gone:
        pass
    with centre.open() as adapter:
        hospital = adapter.settings.hospitals["bv-tinh"]
        settings = adapter.settings.model_copy(
            update={
                "hospitals": adapter.settings.hospitals
                | {"bv-tinh": hospital.model_copy(update={"subscription_hosts": (gone.url,)})}
            }
        )
        away = Telling(Adapter(settings, adapter.engine), gone)
        away.subscribe()
        away.notify()
        assert away.standing().problem == "unreachable"


def test_heartbeats_come_when_nothing_else_did(telling: Telling) -> None:
    telling.subscribe(channel={"extension": [{"url": HEARTBEAT_PERIOD, "valueUnsignedInt": 60}]})
    telling.notify()
    telling.notify(later=59)
    assert telling.receiver.kinds() == ["handshake"]
    telling.notify(later=2)
    telling.deliver(REFERRAL)
    telling.notify(later=40)
    telling.notify(later=40)
    assert telling.receiver.kinds() == ["handshake", "heartbeat", "event-notification"]
    telling.notify(later=30)
    assert telling.receiver.kinds()[-1] == "heartbeat"
    assert said(telling.receiver.bundles()[-1])["events-since-subscription-start"] == "1"


def test_it_ends_when_its_end_comes_or_the_hospital_says_so(telling: Telling) -> None:
    end = (START + timedelta(hours=1)).isoformat()
    one = telling.subscribe(end=end)
    telling.notify()
    telling.deliver(REFERRAL)
    telling.notify(later=3601)
    assert telling.standing().status == "off"
    telling.deliver(wish("r2", type_="ServiceRequest"))
    telling.notify()
    assert telling.receiver.kinds() == ["handshake"]
    shown = telling.endpoint.shown(telling.standing())
    del shown["end"]
    telling.endpoint.update("bv-tinh", one.id, {**shown, "status": "requested"})
    telling.notify()
    telling.deliver(wish("r3", type_="ServiceRequest"))
    telling.notify()
    assert telling.receiver.numbers() == [1]
    shown = telling.endpoint.shown(telling.standing())
    telling.endpoint.update("bv-tinh", one.id, {**shown, "status": "off"})
    telling.deliver(wish("r4", type_="ServiceRequest"))
    assert telling.notify() == Notified()
    telling.endpoint.update("bv-tinh", one.id, {**shown, "status": "active"})
    telling.deliver(wish("r5", type_="ServiceRequest"))
    telling.notify()
    assert telling.receiver.numbers() == [1, 2]  # nothing skipped, nothing twice


def test_a_host_that_is_listed_no_more_is_told_nothing(telling: Telling) -> None:
    telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    hospital = telling.adapter.settings.hospitals["bv-tinh"].model_copy(update={"subscription_hosts": ()})
    hospitals = {**telling.adapter.settings.hospitals, "bv-tinh": hospital}
    settings = telling.adapter.settings.model_copy(update={"hospitals": hospitals})
    without = Telling(Adapter(settings, telling.adapter.engine), telling.receiver)
    without.notify()
    assert telling.receiver.kinds() == ["handshake"]
    assert (telling.standing().status, telling.standing().problem) == ("off", "host")


def test_a_paused_hospital_is_told_when_it_goes_on(telling: Telling) -> None:
    telling.subscribe()
    hospitals = telling.adapter.ledger.hospitals
    hospitals.set_mode("bv-tinh", HospitalMode.PAUSED, now=START, note=None, by="test")
    assert telling.notify() == Notified()
    hospitals.set_mode("bv-tinh", HospitalMode.RUNNING, now=START, note=None, by="test")
    assert telling.notify() == Notified(1, 0)


def test_who_is_erased_is_in_no_event_and_no_number_is_missing(telling: Telling) -> None:
    telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    telling.receiver.answers = [(500, {})]
    telling.notify()  # it has its number now
    telling.deliver(wish("r2", type_="ServiceRequest"))  # and this has none yet
    with write_transaction(telling.adapter.engine) as connection:
        erase_cadre(connection, "c1", [("referral", "r1"), ("referral", "r2")], "42", START)
        left = connection.execute(text("SELECT number, type, remote_id FROM subscription_event")).all()
    assert [tuple(row) for row in left] == [(1, None, None)]
    telling.notify(later=60)
    assert events(telling.receiver.bundles()[-1]) == [(1, None)]
    assert len(telling.receiver.bundles()[-1]["entry"]) == 1
    lease = telling.books.claim()
    telling.books.settle(lease, DeliveryOutcome("r1", EntryEvent.GONE, proof="deleted"))
    telling.notify()
    assert telling.receiver.numbers() == [1, 1]  # that it went is told by its deletion alone


@pytest.mark.parametrize("is_numbered", [False, True])
def test_who_is_erased_is_in_no_event_of_what_was_taken_back_before(
    telling: Telling, is_numbered: bool
) -> None:
    """Its line has no id any more: the receipt has."""
    telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    telling.books.wish()
    lease = telling.books.claim()
    telling.books.settle(lease, DeliveryOutcome("r1", EntryEvent.GONE, proof="deleted"))
    if is_numbered:
        telling.receiver.answers = [(500, {})]
        telling.notify()
    with write_transaction(telling.adapter.engine) as connection:
        erase_cadre(connection, "c1", [("referral", "r1")], "42", START)
    assert left_of(telling) == ([(1, None), (2, None)] if is_numbered else [])
    telling.receiver.came.clear()
    telling.notify(later=60)
    assert "r1-7" not in str(telling.receiver.came)


def left_of(telling: Telling) -> list[tuple[int | None, str | None]]:
    """Number and id of each event."""
    with write_transaction(telling.adapter.engine) as connection:
        rows = connection.execute(text("SELECT number, remote_id FROM subscription_event ORDER BY id"))
        return [(row.number, row.remote_id) for row in rows]


def test_an_id_that_no_line_has_any_more_is_in_no_event(telling: Telling) -> None:
    """Nothing would find it when the person is erased."""
    telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    telling.deliver(wish("r1", "v2", type_="ServiceRequest"), remote="8")  # made anew under another id
    assert left_of(telling) == [(None, "r1-8")]
    telling.books.wish(wish("r1", "v3", type_="ServiceRequest"))
    lease = telling.books.claim()
    telling.books.start(lease, wish("r1", "v3", type_="ServiceRequest"))
    telling.books.settle(lease, DeliveryOutcome("r1", EntryEvent.LOSE))
    telling.books.settle(lease, DeliveryOutcome("r1", EntryEvent.ABSENT, clear_remote_id=True))
    assert left_of(telling) == []


def test_an_id_that_reading_back_finds_replaced_is_in_no_event(telling: Telling) -> None:
    telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    telling.books.wish(wish("r1", "v2", type_="ServiceRequest"))
    lease = telling.books.claim()
    repair = Repair(telling.books.entry("r1"), True, wish("r1", "v2", type_="ServiceRequest"), "r1-8")
    assert RepairStore(telling.adapter.engine).write(lease, [repair], telling.now) == 1
    assert left_of(telling) == [(None, "r1-8")]


def test_an_id_of_a_server_before_is_in_no_event(telling: Telling) -> None:
    telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    telling.books.wish(wish("r1", "v2", type_="ServiceRequest"))  # waits
    address = telling.adapter.addresses["bv-tinh"]
    telling.adapter.ledger.servers.accept("bv-tinh", address, None, by="test", now=START)
    assert left_of(telling) == []


def test_a_deleted_subscription_leaves_no_event(telling: Telling) -> None:
    one = telling.subscribe()
    telling.deliver(REFERRAL)
    telling.endpoint.delete("bv-tinh", one.id)
    with write_transaction(telling.adapter.engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM subscription_event")).scalar_one() == 0
    assert telling.notify() == Notified()


def test_events_are_read_by_their_numbers_and_forgotten_in_time(telling: Telling) -> None:
    one = telling.subscribe()
    telling.deliver(*(wish(f"r{n}", type_="ServiceRequest") for n in range(4)))
    telling.notify()

    def read(first: int | None = None, last: int | None = None) -> list[int]:
        bundle = telling.endpoint.events("bv-tinh", one.id, first, last)
        assert check_resource(bundle) == []
        return [number for number, _ in events(bundle)]

    assert read() == [1, 2, 3, 4]
    assert read(2) == [2, 3, 4]
    assert read(2, 3) == [2, 3]
    telling.receiver.answers = [(500, {})] * 3
    telling.deliver(wish("r9", type_="ServiceRequest"))
    telling.notify()
    telling.notify(later=31 * 86_400)
    assert read() == [5]  # what waits is not forgotten
    telling.notify(later=86_400)
    assert telling.receiver.numbers()[-1] == 5


def test_what_the_hospital_asks_for_meanwhile_is_not_written_over(telling: Telling) -> None:
    one = telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    answer = telling.receiver.answer

    def changed(path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        shown = telling.endpoint.shown(telling.standing())
        telling.endpoint.update("bv-tinh", one.id, {**shown, "status": "requested"})
        telling.receiver.answer = answer  # type: ignore[method-assign]
        return answer(path, headers, body)

    telling.receiver.answer = changed  # type: ignore[method-assign]
    telling.notify()
    assert telling.standing().status == "requested"
    telling.notify()
    assert telling.receiver.kinds() == ["handshake", "event-notification", "handshake", "event-notification"]
    assert telling.receiver.numbers() == [1, 1]


def test_numbers_given_by_many_writers_have_no_gap(telling: Telling, centre: Centre) -> None:
    """Deliveries are recorded by several threads while another numbers and tells."""
    telling.subscribe()
    telling.notify()
    failed: list[BaseException] = []

    def deliver(cadre: str) -> None:
        try:
            books = Books(telling.adapter.engine, "bv-tinh")
            for n in range(6):
                wanted = wish(f"{cadre}-{n}", type_="ServiceRequest")
                books.write(books.compared(wanted, cadre=cadre), cadre)
                lease = books.ledger.shipments.claim_one("bv-tinh", cadre, books.now + timedelta(hours=1), 60)
                assert lease is not None
                books.start(lease, wanted)
                books.settle(
                    lease, DeliveryOutcome(wanted.identity, EntryEvent.CONFIRM, remote_id=wanted.key)
                )
                books.give_back(lease)
        except BaseException as error:  # noqa: BLE001 - it is looked at below
            failed.append(error)

    threads = [threading.Thread(target=deliver, args=(f"c{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        telling.notify()
    for thread in threads:
        thread.join()
    telling.notify()
    assert failed == []
    assert telling.receiver.numbers() == list(range(1, 19))
    foci = [focus for body in telling.receiver.bundles() for _, focus in events(body)]
    assert len(set(foci)) == 18


def test_where_nobody_may_be_told_any_more_the_endpoint_ends_it_when_it_starts(telling: Telling) -> None:
    telling.subscribe()
    telling.endpoint.end_unlisted()
    assert telling.standing().status == "requested"
    hospital = telling.adapter.settings.hospitals["bv-tinh"].model_copy(update={"subscription_hosts": ()})
    settings = telling.adapter.settings.model_copy(update={"hospitals": {"bv-tinh": hospital}})
    later = HospitalSubscriptions(Adapter(settings, telling.adapter.engine), PUBLIC, lambda: telling.now)
    later.end_unlisted()
    assert (telling.standing().status, telling.standing().problem) == ("off", "host")


def test_what_was_not_taken_before_it_was_switched_off_does_not_come_after(telling: Telling) -> None:
    one = telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    telling.receiver.answers = [(500, {})]
    telling.notify()
    shown = telling.endpoint.shown(telling.standing())
    telling.endpoint.update("bv-tinh", one.id, {**shown, "status": "off"})
    telling.endpoint.update("bv-tinh", one.id, {**shown, "status": "requested"})
    telling.deliver(wish("r2", type_="ServiceRequest"))
    telling.notify()
    assert telling.receiver.numbers() == [1, 2]
    assert [number for number, _ in events(telling.receiver.bundles()[-1])] == [2]
    read = telling.endpoint.events("bv-tinh", one.id, None, None)
    assert [number for number, _ in events(read)] == [1, 2]


def test_ids_of_a_server_that_was_given_up_are_told_nobody(telling: Telling) -> None:
    telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    telling.adapter.ledger.servers.forget(
        "bv-tinh",
        telling.adapter.addresses["bv-tinh"],
        by="test",
        now=START,
        unchanged=lambda: None,
        details={},
    )
    telling.deliver(REFERRAL, remote="anew")
    telling.notify()
    assert events(telling.receiver.bundles()[-1]) == [(1, "http://10.0.0.7:8080/fhir/ServiceRequest/r1-anew")]


def test_another_identity_key_leaves_events_as_they_are(telling: Telling) -> None:
    """They name resources by the hospital's own ids, which stay."""
    telling.subscribe()
    telling.notify()
    telling.deliver(REFERRAL)
    with write_transaction(telling.adapter.engine) as connection:
        rename_lines(connection, "bv-tinh", {"r1": "r1-under-the-new"}, START)
    telling.notify()
    assert events(telling.receiver.bundles()[-1]) == [(1, "http://10.0.0.7:8080/fhir/ServiceRequest/r1-7")]
