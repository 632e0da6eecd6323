"""HL7 v2 over MLLP and HTTP: stored before it is answered, known when it comes again, refused with a
reason.
"""

import random
import resource
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from endpoint_centre import DUC, calling
from hl7v2_centre import (
    HOSPITAL,
    PATIENT,
    MllpSender,
    centre_with_mllp,
    counted,
    field,
    malformed,
    message,
    new_certificates,
    referral,
    report_message,
    results,
)
from legacy_text import WRITERS
from sqlalchemy import func, select

from adapter.database import read_transaction
from adapter.errors import SettingsError
from adapter.inbox.acknowledgements.tables import acknowledged_message
from adapter.inbox.quarantine.tables import refused_request
from adapter.mllp.listener import MllpListener
from adapter.operations.operation import OperationContext
from adapter.operations.refused_requests import RetryRefusedRequest
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.hl7v2_reception import MessageReception
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.outbound.planning import forget_expired
from adapter.referrals.lifecycle import ReferralState
from adapter.testing import Centre, until

CentreWithMllp = tuple[Centre, int, str]


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def listening(adapter: Adapter) -> Iterator[None]:
    section = adapter.settings.mllp
    assert section is not None
    with MllpListener(adapter.settings, section, MessageReception(adapter, now)):
        yield


@contextmanager
def sending(centre: CentreWithMllp) -> Iterator[tuple[Adapter, MllpSender]]:
    """The adapter that listens in this process, and one connection to it."""
    with centre[0].open() as adapter, listening(adapter), MllpSender(centre[1]) as sender:
        yield adapter, sender


@pytest.fixture
def centre(tmp_path: Path, database_url: str) -> Iterator[CentreWithMllp]:
    with centre_with_mllp(tmp_path, database_url) as found:
        yield found


def acknowledged(adapter: Adapter) -> int:
    with read_transaction(adapter.engine) as connection:
        return connection.execute(select(func.count()).select_from(acknowledged_message)).scalar_one()


def stored(adapter: Adapter) -> tuple[int, int]:
    """Resources, and versions that are not the newest."""
    there = counted(adapter)
    return there["repository_resource"], there["repository_version"]


def verdict(answer: str) -> tuple[str, str]:
    """MSA-1, and the condition of ERR-3."""
    return field(answer, "MSA", 1), field(answer, "ERR", 3).partition("^")[0]


def test_a_result_is_in_the_record_and_completes_the_referral(centre: CentreWithMllp) -> None:
    with sending(centre) as (adapter, sender):
        answer = sender.ask(report_message(centre[2]))
        assert (field(answer, "MSA", 1), field(answer, "MSA", 2)) == ("AA", "1")
        assert (field(answer, "MSH", 3), field(answer, "MSH", 5), field(answer, "MSH", 9)) == (
            "ADAPTER", "LIS", "ACK^R01",
        )  # fmt: skip
        assert counted(adapter)["inbox_item"] == 3, "it is there once it is answered"
        process_inbox(adapter, now)
        [report] = [one for one in results(adapter) if one.type == "DiagnosticReport"]
        assert (report.referral, report.status) == ("GT-1", "final")
        assert report.content is not None
        [member] = report.content.members
        assert member.content is not None
        assert member.content.value is not None
        assert member.content.value.amount is not None
        assert (member.content.value.amount.value, member.content.value.amount.code) == ("104.0", "umol/L")
        assert referral(adapter).state is ReferralState.COMPLETED


def test_a_correction_is_the_next_version_of_the_same_result(centre: CentreWithMllp) -> None:
    with sending(centre) as (adapter, sender):
        for control_id, value, status in (("1", "140", "F"), ("2", "104", "C"), ("3", "104", "F")):
            sent = report_message(centre[2], control_id=control_id, value=value, status=status)
            assert verdict(sender.ask(sent))[0] == "AA"
        process_inbox(adapter, now)
        found = {one.type: one for one in results(adapter)}
        assert {type_: one.status for type_, one in found.items()} == {
            "DiagnosticReport": "corrected",
            "Observation": "corrected",
        }, "what was corrected does not become final again"
        assert '"value":104,' in found["Observation"].resource
        withdrawn = report_message(centre[2], control_id="4", value="104", status="C")
        withdrawn = withdrawn.replace("|N|||C\r", "|N|||W\r")
        assert verdict(sender.ask(withdrawn))[0] == "AA"
        process_inbox(adapter, now)
        assert {one.type: one.status for one in results(adapter)}["Observation"] == "entered-in-error"


def test_the_same_again_gets_the_same_answer_and_writes_nothing(centre: CentreWithMllp) -> None:
    with sending(centre) as (adapter, sender):
        sent = report_message(centre[2])
        first = sender.ask(sent)
        before = counted(adapter)
        with MllpSender(centre[1]) as another:
            assert another.ask(sent) == first
        assert (sender.ask(sent), counted(adapter)) == (first, before)
        other = sender.ask(report_message(centre[2], value="105"))
        assert (verdict(other), field(other, "ERR", 2)) == (("AE", "205"), "MSH^1^10")
        assert counted(adapter) == {**before, "refused_request": 1}
        anew = report_message(centre[2], value="106").replace("|20261102150500|", "|20261103080000|", 1)
        assert verdict(sender.ask(anew))[0] == "AA", "its numbers began anew after a restart"
        silent = report_message(centre[2], value="107").replace("|20261102150500|", "||", 1)
        assert [verdict(sender.ask(silent))[0] for _ in range(2)] == ["AA", "AA"]
        renamed = report_message(centre[2], value="105").replace("|LIS|", "|RIS|")
        assert verdict(sender.ask(renamed))[0] == "AA", "another sender counts for itself"


@pytest.mark.parametrize(
    ("accept", "application", "good", "bad"),
    [
        ("", "", "AA", "AE"),
        ("AL", "NE", "CA", "CE"),
        ("AL", "AL", "AA", "AE"),
        ("ER", "NE", "AA", "CE"),
        ("SU", "ER", "CA", "AE"),
        ("NE", "AL", "AA", "AE"),
        ("NE", "NE", "AA", "AE"),
    ],
)
def test_who_wants_to_hear_of_the_commit_alone_hears_of_it(
    centre: CentreWithMllp, accept: str, application: str, good: str, bad: str
) -> None:
    """MSH-15 and MSH-16 (table 0155)."""
    wanted = f"|P|2.5|||{accept}|{application}||UNICODE UTF-8"
    sent = report_message(centre[2]).replace("|P|2.5||||||UNICODE UTF-8", wanted)
    assert wanted in sent
    with sending(centre) as (_, sender):
        assert field(sender.ask(sent), "MSA", 1) == good
        wrong = sent.replace("|ORU^R01|1|", "|ORU^R01|2|").replace("OBR|1|", "OBX|1|")
        assert field(sender.ask(wrong), "MSA", 1) == bad


def test_what_says_the_same_under_another_control_id_is_answered_and_stored_once(
    centre: CentreWithMllp,
) -> None:
    with sending(centre) as (adapter, sender):
        sender.ask(report_message(centre[2], control_id="1"))
        before = counted(adapter)
        assert verdict(sender.ask(report_message(centre[2], control_id="2")))[0] == "AA"
        assert (counted(adapter), acknowledged(adapter)) == (before, 2)


def test_the_same_on_many_connections_at_once_is_stored_once(centre: CentreWithMllp) -> None:
    with centre[0].open() as adapter, listening(adapter):
        answers: list[str] = []
        together = threading.Barrier(6)

        def send() -> None:
            with MllpSender(centre[1]) as sender:
                together.wait()
                answers.append(sender.ask(report_message(centre[2])))

        threads = [threading.Thread(target=send) for _ in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert (len(answers), len({field(one, "MSA", 1) for one in answers})) == (6, 1)
        assert len({field(one, "MSH", 10) for one in answers}) == 1
        assert (stored(adapter), acknowledged(adapter)) == ((3, 0), 1)


@pytest.mark.parametrize(
    ("sent", "expected", "where"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", ("AR", "100"), ""),
        (message("ADT^A01", PATIENT), ("AR", "200"), "MSH^1^9"),
        (message("ORU^R01", PATIENT, version="2.9"), ("AR", "203"), "MSH^1^12"),
        (message("ORU^R01", PATIENT), ("AE", "100"), "OBR^1"),
        (message("ORU^R01", PATIENT, charset="KOI8"), ("AE", "103"), "MSH^1^18"),
        (report_message("x", status="?"), ("AE", "103"), "OBR^1^25"),
        (report_message("x").replace("20261102080000", "yesterday"), ("AE", "102"), "OBR^1^7"),
        (report_message("x").encode().replace("Đức".encode(), b"\xd0\xff"), ("AE", "102"), "MSH^1^18"),
        (message("ORM^O01", "ORC|NW|x|y"), ("AE", "103"), "ORC^1^1"),
    ],
    ids=("http", "type", "version", "no-order", "charset", "status", "time", "bytes", "new-order"),
)  # fmt: skip
def test_what_is_refused_says_where_and_waits_in_quarantine(
    centre: CentreWithMllp, sent: str | bytes, expected: tuple[str, str], where: str
) -> None:
    with sending(centre) as (adapter, sender):
        answer = sender.ask(sent)
        version = field(answer, "MSH", 12)
        if version in ("2.5", "2.5.1"):
            assert (verdict(answer), field(answer, "ERR", 2)) == (expected, where)
        assert field(answer, "MSA", 1) == expected[0]
        assert "Đức" not in answer
        assert counted(adapter)["refused_request"] == 1
        [waiting] = adapter.quarantine.waiting()
        assert (waiting.hospital, waiting.url) == (HOSPITAL, "hl7v2")
        found = adapter.quarantine.get(waiting.id)
        assert found is not None
        assert found.body == (sent if isinstance(sent, bytes) else sent.encode())
        assert verdict(sender.ask(report_message(centre[2], control_id="after")))[0] == "AA"


def test_a_refused_message_is_taken_once_its_hospital_is_set_right(centre: CentreWithMllp) -> None:
    """A hospital whose old system writes TCVN3, before and after somebody says so."""
    written = report_message(centre[2]).replace("UNICODE UTF-8", "")
    old_font = WRITERS["TCVN3 (ABC)"](written).encode("cp1252")
    with sending(centre) as (_, sender):
        assert verdict(sender.ask(old_font)) == ("AE", "102")
    text = centre[0].settings_file.read_text("utf-8")
    centre[0].settings_file.write_text(text.replace("addresses =", 'charset = "tcvn3"\naddresses ='), "utf-8")
    with centre[0].open() as adapter:
        [waiting] = adapter.quarantine.waiting()
        context = OperationContext(adapter, "cli:an", now)
        operation = RetryRefusedRequest(waiting.id)
        assert operation.perform(context, operation.preview(context).version) is None
        assert adapter.quarantine.waiting() == []
        process_inbox(adapter, now)
        assert any("Sinh hóa" in one.resource for one in results(adapter))
        assert referral(adapter).state is ReferralState.COMPLETED


def test_two_hundred_malformed_messages(centre: CentreWithMllp) -> None:
    """Each is answered with AE or AR and a reason, and is kept; or it is a message after all. The process
    grows by no more than a few messages.
    """
    chance = random.Random(20261130)  # noqa: S311 - no secret
    whole = report_message(centre[2]).encode()
    seen: Counter[str] = Counter()
    with sending(centre) as (adapter, sender):
        sender.ask(whole)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        refused = set()
        for number in range(200):
            sent = malformed(chance, whole.replace(b"|1|P|", b"|m%d|P|" % number))
            answer = sender.ask(sent)
            code = field(answer, "MSA", 1)
            seen[code] += 1
            assert code in ("AA", "AE", "AR"), answer
            if code != "AA":
                assert field(answer, "MSA", 3), answer
                refused.add(sent)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert counted(adapter)["refused_request"] == len(refused)
        with read_transaction(adapter.engine) as connection:
            bodies = set(connection.execute(select(refused_request.c.body)).scalars())
        assert bodies == refused
    assert seen["AE"] > 50, seen
    assert seen["AR"] > 20, seen
    assert grown < 60_000, "KB"


def test_what_is_too_long_is_answered_and_not_held(centre: CentreWithMllp) -> None:
    with sending(centre) as (adapter, sender):
        long = report_message(centre[2]).replace("Creatinin", "x" * 200_000)
        answer = sender.ask(long)
        assert (field(answer, "MSA", 1), field(answer, "MSA", 2)) == ("AR", "1")
        assert "100000" in answer
        assert counted(adapter)["refused_request"] == 0
        assert verdict(sender.ask(report_message(centre[2])))[0] == "AA"


def test_whoever_is_nobody_in_the_settings_is_hung_up_on(tmp_path: Path, database_url: str) -> None:
    with (
        centre_with_mllp(tmp_path, database_url, addresses=["10.0.0.0/8"]) as centre,
        sending(centre) as (adapter, sender),
    ):
        with pytest.raises(ConnectionError):
            sender.ask(report_message(centre[2]))
        assert counted(adapter)["inbox_item"] == 0


def test_another_name_from_the_same_address_is_refused(tmp_path: Path, database_url: str) -> None:
    with (
        centre_with_mllp(tmp_path, database_url, application="LIS", facility="BVT") as centre,
        sending(centre) as (adapter, sender),
    ):
        assert verdict(sender.ask(report_message(centre[2]).replace("|LIS|", "|HIS|"))) == ("AR", "207")
        assert counted(adapter)["refused_request"] == 0, "it is nobody's"
        assert verdict(sender.ask(report_message(centre[2])))[0] == "AA"


def test_no_more_connections_than_the_settings_allow(centre: CentreWithMllp) -> None:
    text = centre[0].settings_file.read_text("utf-8")
    centre[0].settings_file.write_text(text + "connections = 1\n", "utf-8")
    with sending(centre) as (_, sender):
        assert verdict(sender.ask(report_message(centre[2])))[0] == "AA"
        with MllpSender(centre[1]) as second, pytest.raises(ConnectionError):
            second.ask(report_message(centre[2]))
        sender.sock.close()

        def is_free() -> bool:
            try:
                with MllpSender(centre[1]) as third:
                    return verdict(third.ask(report_message(centre[2])))[0] == "AA"
            except ConnectionError:
                return False

        assert until(is_free, 10)


def test_a_certificate_says_who_sends(tmp_path: Path, database_url: str) -> None:
    made = new_certificates(tmp_path)
    section = {"addresses": []}
    with centre_with_mllp(tmp_path, database_url, **section) as centre:
        text = centre[0].settings_file.read_text("utf-8")
        files = "".join(f'{name} = "{made[name].name}"\n' for name in ("certificate", "key", "client_ca"))
        client = f'[hospitals.bv-tinh.client]\ncertificates = ["{made["fingerprint"]}"]\n'
        centre[0].settings_file.write_text(f"{text}{files}{client}", "utf-8")
        with centre[0].open() as adapter, listening(adapter):
            context = ssl.create_default_context(cafile=str(made["certificate"]))
            context.load_cert_chain(made["client"])
            with MllpSender(centre[1], context) as sender:
                assert verdict(sender.ask(report_message(centre[2])))[0] == "AA"
            context = ssl.create_default_context(cafile=str(made["certificate"]))
            with pytest.raises((OSError, ssl.SSLError)), MllpSender(centre[1], context) as sender:
                sender.ask(report_message(centre[2]))


def test_a_port_that_is_taken_is_said(centre: CentreWithMllp) -> None:
    with centre[0].open() as adapter, listening(adapter), pytest.raises(SettingsError), listening(adapter):
        pass


def test_a_message_that_was_stored_and_not_answered_is_answered_when_it_comes_again(
    centre: CentreWithMllp,
) -> None:
    """The process is killed with signal 9 once the message is stored, before its sender read an answer."""
    adapter_of, port, identity = centre
    adapter_of.start_endpoint()
    with MllpSender(port) as sender:
        sender.send(report_message(identity))
        with adapter_of.open() as adapter:
            assert until(lambda: acknowledged(adapter) == 1, 20, every=0.002)
        adapter_of.stop("serve", 9)
    with MllpSenderOfHalf(adapter_of, port, report_message(identity, control_id="2")):
        adapter_of.stop("serve", 9)
    adapter_of.start_endpoint()
    with MllpSender(port) as sender:
        first = sender.ask(report_message(identity))
        assert field(first, "MSA", 1) == "AA"
        assert sender.ask(report_message(identity)) == first
    adapter_of.wait_until_matched()
    with adapter_of.open() as adapter:
        assert (stored(adapter), acknowledged(adapter)) == ((3, 0), 1)
        assert referral(adapter).state is ReferralState.COMPLETED


def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_there_twice(centre: CentreWithMllp) -> None:
    """Whatever was answered AA is there; whatever was not is sent again until it is."""
    at, port, identity = centre
    chance = random.Random(7)  # noqa: S311 - no secret
    results = (report_message(identity, control_id=str(number)) for number in range(24))
    waiting = [one.replace("LAB-1", f"LAB-{number}") for number, one in enumerate(results)]
    count = len(waiting)
    answers: dict[str, str] = {}
    while waiting:
        at.start_endpoint()
        with MllpSender(port) as sender:
            for one in waiting[: chance.randrange(2, 8)]:
                answers[one] = sender.ask(one)
            waiting = [one for one in waiting if one not in answers]
            if waiting:
                sender.send(waiting[0])
                time.sleep(chance.uniform(0, 0.03))
            at.stop("serve", 9)
    assert {field(one, "MSA", 1) for one in answers.values()} == {"AA"}
    at.start_endpoint()
    with MllpSender(port) as sender:
        assert {one: sender.ask(one) for one in answers} == answers
    with at.open() as adapter:
        assert (stored(adapter)[0], acknowledged(adapter)) == (1 + 2 * count, count)


class MllpSenderOfHalf:
    """Starts the endpoint, and sends it the first half of a message."""

    def __init__(self, centre: Centre, port: int, sent: str) -> None:
        centre.start_endpoint()
        self._sender = MllpSender(port)
        self._half = b"\x0b" + sent.encode()[: len(sent) // 2]

    def __enter__(self) -> None:
        self._sender.sock.sendall(self._half)

    def __exit__(self, *error: object) -> None:
        self._sender.sock.close()


def test_over_http_with_the_token_of_the_endpoint(centre: CentreWithMllp) -> None:
    kind = {"Content-Type": "application/hl7-v2"}
    with calling(centre[0]) as client:
        taken = client.post("/hl7v2", content=report_message(centre[2]), headers=kind)
        assert (taken.status_code, field(taken.text, "MSA", 1)) == (200, "AA")
        assert taken.headers["content-type"] == "application/hl7-v2; charset=utf-8"
        assert client.post("/hl7v2", content=report_message(centre[2]), headers=kind).text == taken.text
        wrong = client.post("/hl7v2", content=message("ORU^R01", PATIENT, control_id="2"), headers=kind)
        assert (wrong.status_code, field(wrong.text, "MSA", 1)) == (422, "AE")
        unread = client.post("/hl7v2", content=b"{}", headers=kind)
        assert (unread.status_code, field(unread.text, "MSA", 1)) == (400, "AR")
        assert client.post("/hl7v2", content=b"{}").status_code == 415
        stranger = client.post("/hl7v2", content=b"", headers={**kind, "Authorization": "Bearer wrong"})
        assert stranger.status_code == 401
    with centre[0].open() as adapter:
        assert counted(adapter)["refused_request"] == 2
        assert counted(adapter)["inbox_item"] == 3


def test_answers_are_forgotten_after_a_month(centre: CentreWithMllp) -> None:
    with sending(centre) as (adapter, sender):
        sender.ask(report_message(centre[2]))
        forget_expired(adapter, HOSPITAL, now() + timedelta(days=29))
        assert acknowledged(adapter) == 1
        forget_expired(adapter, HOSPITAL, now() + timedelta(days=31))
        assert acknowledged(adapter) == 0


def test_nothing_that_was_refused_stays_of_who_is_t0_now(centre: CentreWithMllp) -> None:
    """By name, in parts and in an old font, and by number; what is of others stays."""
    old_font = WRITERS["TCVN3 (ABC)"](PATIENT).encode("cp1252")
    others = PATIENT.replace("Đức", "Dũng")
    with sending(centre) as (adapter, sender):
        header = message("ORU^R01", charset="").encode()
        sent = (
            header + PATIENT.encode(),
            header + old_font,
            header + f"PID|1||{DUC.national_id}".encode(),
            header + others.encode(),
        )
        for number, one in enumerate(sent):
            assert verdict(sender.ask(one.replace(b"|1|P|", b"|%d|P|" % number)))[0] == "AE"
        assert counted(adapter)["refused_request"] == len(sent)
    table = centre[0].folder / "cadres.csv"
    table.write_text(
        "Key;Name;Sex;Date of birth;Tier;Citizen id\n"
        f"{DUC.key};{DUC.name};Nam;12/03/1960;T0;{DUC.national_id}\n"
    )
    centre[0].run("import", str(table), "--allow-deletions")
    with centre[0].open() as adapter:
        [left] = adapter.quarantine.waiting()
        found = adapter.quarantine.get(left.id)
        assert found is not None
        assert "Dũng" in found.body.decode()
