"""Problems are found in a real database and told by a real web server and a real mail server."""

import json
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from alarm_places import Hook, Mailbox, certificate, webhook
from centre_states import CentreStates
from ledger_books import START, Books, wish
from sqlalchemy import Engine, insert

from adapter.database import write_transaction
from adapter.delivery.mail import send_mail
from adapter.insights.problems import current_problems
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryEvent
from adapter.operations.alarms import send_alarms
from adapter.operations.alarms import test_channels as channel_troubles
from adapter.pipeline.application import Adapter
from adapter.settings import AlarmSettings, CentreSettings, HospitalSettings, MailSettings, Settings
from adapter.testing import Centre, free_port
from adapter.texts import OBEYED, set_language

HOUR = timedelta(hours=1)
LETTER = {"host": "localhost", "user": "", "password": None, "sender": "a@c.test", "to": ("it@c.test",)}


NO_KEY_MADE_THESE = {"other-key": 1}  # the books' identities are the records' keys


@pytest.fixture
def adapter(engine: Engine, tmp_path: Path) -> Adapter:
    return opened(engine, tmp_path, AlarmSettings(disk_free_mb=0))


def opened(engine: Engine, folder: Path, alarm: AlarmSettings) -> Adapter:
    (folder / "identity.key").write_text("0123456789abcdef" * 4)
    (folder / "hook.token").write_text("hook-secret")
    (folder / "mail.password").write_text("right")
    hospital = HospitalSettings(display="Bệnh viện", level="central", base_url="http://hospital.test")
    settings = Settings(
        identity_key=f"file:{folder / 'identity.key'}", hospitals={"bv": hospital}, alarm=alarm
    )
    settings._folder = folder
    (folder / "data").mkdir()
    return Adapter(settings, engine)


def codes(adapter: Adapter, books: Books) -> dict[str, int]:
    return {one.key[1]: one.count for one in current_problems(adapter, books.now)}


def test_nothing_wrong_is_nothing_to_tell(adapter: Adapter) -> None:
    assert current_problems(adapter, START) == []
    assert send_alarms(adapter, START).problems == ()


def test_what_waits_too_long_is_found(adapter: Adapter) -> None:
    books = Books(adapter.engine)
    referral, patient = wish("r", type_="ServiceRequest"), wish("p", type_="Patient")
    books.wish(wish("a"), wish("gone"), referral, wish("bad", problem="no code"))
    books.send(wish("gone"))
    books.wish(wish("b"), cadre="c2")
    lease = books.claim()
    books.start(lease, wish("b"))
    books.settle(lease, *())
    books.wish(wish("a"), referral, wish("bad", problem="no code"))
    books.ledger.hospitals.record_success("bv", books.now)
    assert codes(adapter, books) == {"no-card": 1, "parked-invalid": 1, **NO_KEY_MADE_THESE}
    books.now += 25 * HOUR
    found = codes(adapter, books)
    assert found == {
        "no-card": 1, "parked-invalid": 1, "unknown": 1, "leaving": 1, "referrals": 1, "idle": 2,
        **NO_KEY_MADE_THESE,
    }  # fmt: skip
    since = {one.code: one.since for one in current_problems(adapter, books.now)}
    assert since["referrals"] == START + timedelta(seconds=1)
    assert patient.kind == "cadre"


def test_a_hospital_that_fails_and_one_that_is_stopped_are_found(adapter: Adapter) -> None:
    books = Books(adapter.engine)
    books.ledger.hospitals.record_failure("bv", "timeout", now=books.now)
    books.now += 2 * HOUR
    assert codes(adapter, books) == {"unreachable": 1}
    books.ledger.hospitals.record_failure("bv", "auth", now=books.now)
    assert codes(adapter, books).keys() == {"auth"}
    books.ledger.hospitals.set_mode("bv", HospitalMode.PAUSED, by="it", note=None, now=books.now)
    assert codes(adapter, books) == {}
    books.now += 25 * HOUR
    assert codes(adapter, books) == {"paused": 1}


def test_a_worker_that_went_silent_and_an_inbox_that_waits_are_found(adapter: Adapter) -> None:
    books = Books(adapter.engine)
    worker = {"id": "w1", "host": "h", "pid": 1, "version": "1", "started_at": START, "seen_at": START}
    item = {
        "hospital": "bv", "type": "Observation", "resource_id": "1", "version": 1, "digest": "d",
        "body": "{}", "received_at": START, "state": "unmatched", "reasons": "[]", "candidates": "[]",
        "attempts": 0,
    }  # fmt: skip
    from adapter.inbox.tables import inbox_item

    with write_transaction(adapter.engine) as connection:
        connection.execute(insert(tables.worker).values(**worker))
        connection.execute(insert(inbox_item).values(**item))
    assert codes(adapter, books) == {}
    books.now += 25 * HOUR
    assert codes(adapter, books) == {"worker": 1, "unmatched": 1}


@pytest.fixture
def hook() -> Iterator[tuple[int, Hook]]:
    port = free_port()
    with webhook(port) as found:
        yield port, found


def troubled(adapter: Adapter) -> Books:
    books = Books(adapter.engine)
    books.wish(wish("secret-key"))
    books.send(wish("secret-key"), event=EntryEvent.REFUSE, reason="refused")
    books.ledger.hospitals.record_success("bv", books.now)
    return books


def test_a_problem_is_told_once_when_it_begins_daily_and_when_it_ends(
    engine: Engine, tmp_path: Path, hook: tuple[int, Hook]
) -> None:
    port, found = hook
    alarm = AlarmSettings(
        disk_free_mb=0, webhook=f"http://127.0.0.1:{port}/", webhook_token="file:hook.token"
    )
    adapter = opened(engine, tmp_path, alarm)
    books = troubled(adapter)
    assert send_alarms(adapter, books.now).told
    headers, said = found.posts[0]
    assert headers["authorization"] == "Bearer hook-secret"
    assert headers["content-type"] == "application/json"
    assert [(one["code"], one["cause"], one["hospital"]) for one in said["began"]] == [
        ("parked", "refused", "bv"),
        ("no-card", "", "bv"),
        ("other-key", "", "bv"),
    ]
    assert said["began"][0]["command"] == "adapter release bv --reason refused"
    assert "secret-key" not in json.dumps(said)
    assert not send_alarms(adapter, books.now + HOUR).told
    assert len(found.posts) == 1
    assert send_alarms(adapter, books.now + 25 * HOUR).told
    assert [one["code"] for one in found.posts[1][1]["goes_on"]] == ["parked", "no-card", "other-key"]
    books.wish()
    books.ledger.hospitals.record_success("bv", books.now + 26 * HOUR)
    assert send_alarms(adapter, books.now + timedelta(seconds=2)).told
    assert {"hospital": "bv", "code": "parked-refused"} in found.posts[2][1]["ended"]
    assert adapter.alarm_store.all().keys().isdisjoint({("bv", "parked-refused")})


def test_what_could_not_be_told_is_told_later(engine: Engine, tmp_path: Path, hook: tuple[int, Hook]) -> None:
    port, found = hook
    adapter = opened(engine, tmp_path, AlarmSettings(disk_free_mb=0, webhook=f"http://127.0.0.1:{port}/"))
    books = troubled(adapter)
    found.status = 500
    raised = send_alarms(adapter, books.now)
    assert (raised.told, raised.failed) == (False, {"webhook": "HTTP 500"})
    assert codes(adapter, books)["way-webhook"] == 1
    found.status = 204
    assert send_alarms(adapter, books.now + HOUR).told
    assert "parked" in {one["code"] for one in found.posts[1][1]["began"]}
    assert "way-webhook" not in codes(adapter, books)
    assert not send_alarms(adapter, books.now + HOUR).told


def test_a_way_that_fails_is_told_by_the_other_and_nothing_is_told_twice(
    engine: Engine, tmp_path: Path, hook: tuple[int, Hook]
) -> None:
    port, found = hook
    nowhere = MailSettings(
        host="127.0.0.1", port=free_port(), starttls=False, sender="a@c.test", to=("it@c.test",)
    )
    alarm = AlarmSettings(disk_free_mb=0, webhook=f"http://127.0.0.1:{port}/", mail=nowhere)
    adapter = opened(engine, tmp_path, alarm)
    books = troubled(adapter)
    for minute in range(5):
        send_alarms(adapter, books.now + timedelta(minutes=minute))
    assert [[one["code"] for one in said["began"]] for _, said in found.posts] == [
        ["parked", "no-card", "other-key"],
        ["way"],
    ]


def test_what_is_told_moves_nothing(engine: Engine, tmp_path: Path, hook: tuple[int, Hook]) -> None:
    """By mail and by webhook; and no line of a subject is a header of its own."""
    port, found = hook
    at = free_port()
    mail = MailSettings(host="localhost", port=at, starttls=False, sender="a@c.test", to=("it@c.test",))
    adapter = opened(
        engine, tmp_path, AlarmSettings(disk_free_mb=0, webhook=f"http://127.0.0.1:{port}/", mail=mail)
    )
    name = "a\x1b]0;x\x07\x9b31m\u202e\nBcc: all@c.test"
    adapter.settings = adapter.settings.model_copy(update={"centre": CentreSettings(name=name)})
    with Mailbox(at) as box:
        assert channel_troubles(adapter, START) == {"webhook": None, "mail": None}
    [(receivers, letter)] = box.letters
    assert receivers == ["it@c.test"]
    assert letter["Bcc"] is None
    [(_, posted)] = found.posts
    for said in (letter["Subject"], letter.get_content(), posted["subject"], posted["text"]):
        assert not OBEYED.search(said.replace("\r\n", "\n"))


@pytest.mark.parametrize("missing", ["file:nowhere", "http://[bad"])
def test_a_webhook_that_cannot_even_be_called_is_a_failure_like_others(
    engine: Engine, tmp_path: Path, missing: str
) -> None:
    adapter = opened(engine, tmp_path, AlarmSettings(disk_free_mb=0, webhook=missing))
    books = troubled(adapter)
    assert send_alarms(adapter, books.now).failed.keys() == {"webhook"}


def test_a_letter_goes_over_tls_with_an_account(tmp_path: Path) -> None:
    made, key = certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(made))
    port = free_port()
    with Mailbox(port, (made, key), refused="nobody@c.test") as box:
        letter = {**LETTER, "port": port, "starttls": True, "user": "adapter"}

        def send(**other: object) -> str | None:
            return send_mail("Chủ đề", "Nội dung: đã hết", **{**letter, "trust": trust, **other})  # type: ignore[arg-type]

        assert send(password="wrong") == "SMTPAuthenticationError"
        assert send(password="right", starttls=False) is not None
        assert send(password="right", trust=None) == "tls"  # nobody we trust has signed it
        assert send(password="right", to=("nobody@c.test",)) == "SMTPRecipientsRefused"
        assert send(password="right", to=("it@c.test", "nobody@c.test")) == "refused"
        assert send(password="right") is None
        [(to, got)] = [one for one in box.letters if one[0] == ["it@c.test"]][-1:]
    assert to == ["it@c.test"]
    assert got["Subject"] == "Chủ đề"
    assert got["Auto-Submitted"] == "auto-generated"
    assert "đã hết" in got.get_content()


def test_a_mail_server_that_is_not_there_is_a_word() -> None:
    assert send_mail("s", "b", **{**LETTER, "port": free_port(), "starttls": False}) == "unreachable"  # type: ignore[arg-type]


def test_the_letter_says_it_in_the_language_of_the_centre(engine: Engine, tmp_path: Path) -> None:
    port = free_port()
    mail = MailSettings(host="localhost", port=port, starttls=False, sender="a@c.test", to=("it@c.test",))
    adapter = opened(engine, tmp_path, AlarmSettings(disk_free_mb=0, mail=mail))
    books = troubled(adapter)
    try:
        set_language("vi")
        with Mailbox(port) as box:
            assert send_alarms(adapter, books.now).told
            assert channel_troubles(adapter, books.now) == {"mail": None}
    finally:
        set_language("en")
    [(_, alarm), (_, test)] = box.letters
    assert "1 mục bị gác lại, chờ người xử lý: " in alarm.get_content()
    assert "secret-key" not in alarm.get_content()
    assert "gửi thử" in test["Subject"]


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    centre_states.put_empty(tmp_path)
    centre = Centre(tmp_path)
    yield centre
    centre.close()


def test_the_commands_end_as_monitoring_wants_it(centre: Centre) -> None:
    quiet = centre.run("status", "--problems")
    assert quiet.startswith("OK")
    assert centre.run_json("status", "--problems") == []
    with centre.open() as adapter:
        books = Books(adapter.engine, "bv-tinh")
        books.wish(wish("a"))
        books.send(wish("a"), event=EntryEvent.REFUSE, reason="refused")
    said = centre.run("status", "--problems", code=1)
    assert said.startswith("WARNING")
    assert "adapter release bv-tinh --reason refused" in said
    assert centre.run("status", "--problems", "--lang", "vi", code=1).startswith("CẢNH BÁO")
    listed = centre.run_json("status", "--problems", code=1)
    assert {(one["hospital"], one["code"]) for one in listed} >= {("bv-tinh", "parked")}
    assert centre.run_json("alarm")["told"] is False
    assert centre.attempt("alarm", "--test").returncode == 2
    port = free_port()
    centre.environment["ADAPTER_ALARM__WEBHOOK"] = f"http://127.0.0.1:{port}/"
    assert "unreachable" in centre.run("alarm", "--test", code=1)
    with webhook(port) as hook:
        assert centre.run_json("alarm", "--test") == {"webhook": None}
        assert centre.run_json("alarm")["told"] is True
    assert sorted(hook.posts[0][1]) == ["at", "centre", "subject", "test", "text"]


def test_a_worker_tells_by_itself(centre: Centre) -> None:
    centre.run("status")
    with centre.open() as adapter:
        books = Books(adapter.engine, "bv-tinh")
        books.wish(wish("a"))
        books.send(wish("a"), event=EntryEvent.REFUSE, reason="refused")
    port = free_port()
    centre.environment["ADAPTER_ALARM__WEBHOOK"] = f"http://127.0.0.1:{port}/"
    with webhook(port) as hook:
        centre.run("worker", "--once", "bv-tinh")
    [(_, said)] = hook.posts
    assert ("bv-tinh", "parked") in {(one["hospital"], one["code"]) for one in said["began"]}
