"""A hospital's own JSON: stored before it is answered, once under its key, believed when it is signed, and
refused with a reason.
"""

import random
import resource
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from endpoint_centre import calling
from hl7v2_centre import HOSPITAL, counted, referral, results
from sqlalchemy import func, select
from webhook_centre import NEXT_SECRET, SECRET, example, post, signed, webhook_centre

from adapter.database import read_transaction
from adapter.fhir import codec
from adapter.inbox.acknowledgements.tables import acknowledged_message
from adapter.inbox.quarantine.tables import refused_request
from adapter.operations.operation import OperationContext
from adapter.operations.refused_requests import RetryRefusedRequest
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.outbound.planning import forget_expired
from adapter.referrals.lifecycle import ReferralState
from adapter.testing import Centre, serving, until
from adapter.web.endpoint import adapter_endpoint

CentreWithWebhook = tuple[Centre, str]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def centre(tmp_path: Path, database_url: str) -> Iterator[CentreWithWebhook]:
    with webhook_centre(tmp_path, database_url) as found:
        yield found


@contextmanager
def sending(centre: CentreWithWebhook) -> Iterator[tuple[Adapter, httpx.Client]]:
    with (
        centre[0].open() as adapter,
        serving(adapter_endpoint(adapter)) as base,
        httpx.Client(base_url=base, timeout=30) as client,
    ):
        yield adapter, client


def acknowledged(adapter: Adapter) -> int:
    with read_transaction(adapter.engine) as connection:
        return connection.execute(select(func.count()).select_from(acknowledged_message)).scalar_one()


def stored(adapter: Adapter) -> tuple[int, int]:
    """Resources, and versions that are not the newest."""
    there = counted(adapter)
    return there["repository_resource"], there["repository_version"]


def issue(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and place of what was refused."""
    [first, *_] = answer.json()["issue"]
    return answer.status_code, first["code"], (first.get("expression") or first.get("location") or [None])[0]


def test_a_result_is_in_the_record_and_completes_the_referral(centre: CentreWithWebhook) -> None:
    with sending(centre) as (adapter, client):
        answer = post(client, example("laboratory", centre[1]))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        assert set(answer.json()) == {"id", "at"}
        assert counted(adapter)["inbox_item"] == 7, "it is there once it is answered"
        process_inbox(adapter, now)
        [report] = [one for one in results(adapter) if one.type == "DiagnosticReport"]
        assert (report.referral, report.status, report.cadre) == ("GT-1", "final", "CB-1")
        assert report.content is not None
        values = [one.content.value for one in report.content.members if one.content is not None]
        assert [one.amount.value for one in values if one and one.amount] == ["104.0", "7.80", "0.5"]
        assert referral(adapter).state is ReferralState.COMPLETED


def test_a_correction_is_the_next_version_and_a_withdrawn_report_is_gone(centre: CentreWithWebhook) -> None:
    with sending(centre) as (adapter, client):
        for name in ("laboratory", "imaging", "corrected", "withdrawn"):
            assert post(client, example(name, centre[1])).status_code == 200
        process_inbox(adapter, now)
        found = {codec.loads(one.resource)["identifier"][0]["value"]: one.status for one in results(adapter)}
        assert found == {
            "LAB-1": "corrected",
            "LAB-1/CREA": "corrected",
            "LAB-1/GLU": "final",
            "LAB-1/CRP": "final",
            "LAB-1/HBSAG": "final",
            "LAB-1/MOI-9": "final",
            "CDHA-3": "entered-in-error",
        }


@pytest.mark.parametrize(
    ("names", "state"),
    [
        (("accepted",), ReferralState.ACCEPTED),
        (("accepted", "scheduled"), ReferralState.SCHEDULED),
        (("accepted", "scheduled", "no-show"), ReferralState.NO_SHOW),
        (("declined",), ReferralState.DECLINED),
        (("accepted", "scheduled", "completed"), ReferralState.COMPLETED),
    ],
    ids=lambda value: str(value[-1]) if isinstance(value, tuple) else "",
)
def test_what_is_said_of_a_referral_moves_it(
    centre: CentreWithWebhook, names: tuple[str, ...], state: ReferralState
) -> None:
    with sending(centre) as (adapter, client):
        for name in names:
            assert post(client, example(name, centre[1])).status_code == 200
            process_inbox(adapter, now)
        found = referral(adapter)
        assert found.state is state
        assert found.hospital_number == "BV-77"
        if state is ReferralState.SCHEDULED:
            assert found.appointment_at == datetime.fromisoformat("2026-11-09T08:00:00+07:00")
        if state is ReferralState.DECLINED:
            assert found.said == "Máy chụp đang sửa, đề nghị chuyển tuyến trên"


def test_the_same_key_gets_the_same_answer_and_another_body_under_it_is_refused(
    centre: CentreWithWebhook,
) -> None:
    key = {"Idempotency-Key": "7d0c2c6e"}
    with sending(centre) as (adapter, client):
        first = post(client, example("laboratory", centre[1]), **key)
        before = counted(adapter)
        time.sleep(1.1)
        again = post(client, example("laboratory", centre[1]), **key)
        assert (again.status_code, again.content) == (200, first.content)
        assert counted(adapter) == before
        other = post(client, example("corrected", centre[1]), **key)
        assert issue(other) == (422, "duplicate", "http.idempotency-key")
        assert counted(adapter) == {**before, "refused_request": 1}
        assert post(client, example("corrected", centre[1]), **{"Idempotency-Key": "x"}).status_code == 200
        assert issue(post(client, b"{}", **{"Idempotency-Key": "x" * 256}))[:2] == (400, "invalid")
        forget_expired(adapter, HOSPITAL, now() + timedelta(days=29))
        assert acknowledged(adapter) == 2
        forget_expired(adapter, HOSPITAL, now() + timedelta(days=31))
        assert acknowledged(adapter) == 0


def test_without_a_key_the_same_again_is_stored_once(centre: CentreWithWebhook) -> None:
    with sending(centre) as (adapter, client):
        for _ in range(2):
            assert post(client, example("laboratory", centre[1])).status_code == 200
        assert (stored(adapter), acknowledged(adapter)) == ((7, 0), 0)


def test_the_same_on_many_connections_at_once_is_stored_once(centre: CentreWithWebhook) -> None:
    body, key = example("laboratory", centre[1]), {"Idempotency-Key": "one"}
    with sending(centre) as (adapter, client):
        together, answers = threading.Barrier(6), list[bytes]()

        def send() -> None:
            together.wait()
            answers.append(post(client, body, **key).content)

        threads = [threading.Thread(target=send) for _ in range(6)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert (len(answers), len(set(answers))) == (6, 1), answers
        assert (stored(adapter), acknowledged(adapter)) == ((7, 0), 1)


def test_a_signature_is_of_a_known_key_over_this_body_and_of_now(centre: CentreWithWebhook) -> None:
    body = example("accepted", centre[1])
    moment = now().timestamp()
    with sending(centre) as (adapter, client):

        def status(**more: object) -> int:
            headers = signed(body, **more)  # type: ignore[arg-type]
            return client.post("/webhook", content=body, headers=headers).status_code

        assert status(key="bvt-2", secret=NEXT_SECRET) == 200, "two keys are alive"
        assert status(at=moment - 250) == 200
        before = counted(adapter)
        assert status(at=moment - 320) == 401
        assert status(at=moment + 320) == 401
        assert status(key="bvt-2") == 401, "the secret of another key"
        assert status(key="nobody") == 401
        other = client.post("/webhook", content=body + b" ", headers=signed(body))
        assert issue(other) == (401, "login", "http.Authorization")
        half = {**signed(body), "Webhook-Signature": "v1=00"}
        assert client.post("/webhook", content=body, headers=half).status_code == 401
        assert (
            client.post("/webhook", content=body, headers={"Content-Type": "application/json"}).status_code
            == 401
        )
        assert counted(adapter) == before, "nothing of a stranger is kept"
        (centre[0].folder / "one.key").write_text("a new secret of one, and long enough", "utf-8")
        assert status(secret="a new secret of one, and long enough") == 200, "it holds at once"
        (centre[0].folder / "one.key").write_text("short", "utf-8")
        assert status() == 503, "the centre's mistake: the sender tries again"


def test_many_wrong_signatures_make_an_address_wait(centre: CentreWithWebhook) -> None:
    body = example("accepted", centre[1])
    with sending(centre) as (_, client):
        wrong = [
            client.post("/webhook", content=body, headers=signed(body, secret="y" * 20)).status_code
            for _ in range(8)
        ]
        assert (wrong[0], wrong[-1]) == (401, 429)
        assert post(client, body).status_code == 200, "a right one never waits"


def test_the_token_of_the_endpoint_is_good_here_too(centre: CentreWithWebhook) -> None:
    with calling(centre[0]) as client:
        body = example("accepted", centre[1])
        assert client.post("/webhook", content=body).status_code == 200
        text = client.post("/webhook", content=body, headers={"Content-Type": "text/plain"})
        assert issue(text) == (415, "not-supported", "http.Content-Type")
        stranger = client.post("/webhook", content=body, headers={"Authorization": "Bearer wrong"})
        assert stranger.status_code == 401


def test_a_hospital_without_a_mapping_is_told_so(tmp_path: Path, database_url: str) -> None:
    with webhook_centre(tmp_path, database_url) as centre:
        file = centre[0].settings_file
        text = file.read_text("utf-8").replace("[hospitals.bv-tinh.webhook]", "[hospitals.bv-hai.webhook]")
        other = '\n[hospitals.bv-hai]\ndisplay = "hai"\nlevel = "central"\nbase_url = "http://h.test/fhir"\n'
        file.write_text(
            text.replace("\n[hospitals.bv-hai.webhook]", other + "[hospitals.bv-hai.webhook]"), "utf-8"
        )
        with calling(centre[0]) as client:
            assert issue(client.post("/webhook", content=b"{}")) == (403, "forbidden", None)


LABORATORY = "phieuKetQua[0]"


@pytest.mark.parametrize(
    ("old", "new", "status", "place"),
    [
        (b"{", b"[", 400, None),
        (b'"suKien": "KET_QUA"', b'"suKien": "KHAC", "phieuKetQua": []', 400, None),
        (b'"suKien": "KET_QUA",', b"", 422, "suKien"),
        (b'"02/11/2026 15:05"', b'"31/02/2026 15:05"', 422, "luc"),
        (b'"12/03/1960"', b'"khong ro"', 422, "benhNhan.ngaySinh"),
        (b'"NAM"', b'"TRAI"', 422, None),
        (b'"CHINH_THUC"', b'"XONG"', 422, None),
        (b'"soPhieu": "LAB-1"', b'"soPhieu": ["LAB-1"]', 422, f"{LABORATORY}.soPhieu"),
        (b'"thap": 62', b'"thap": "62,5"', 422, f"{LABORATORY}.chiSo[0].thap"),
        (b'"donVi": "mg/L"', b'"donVi": "mg/L", "mau": "do"', 422, f"{LABORATORY}.chiSo[2]"),
        (b'"ma": "GLU"', b'"ma": "CREA"', 422, f"{LABORATORY}.chiSo[1]"),
        (b'"chiSo": [', b'"chiSo": {}, "x": [', 422, f"{LABORATORY}.chiSo"),
        (b'"NAM"', b'"NAM", "ngaySinh": "1960"', 400, None),
        (b"7.80", b"7." + b"8" * 70, 400, None),
    ],
)
def test_what_is_refused_says_where_and_waits_in_quarantine(
    centre: CentreWithWebhook, old: bytes, new: bytes, status: int, place: str | None
) -> None:
    whole = example("laboratory", centre[1])
    assert old in whole
    body = whole.replace(old, new, 1)
    with sending(centre) as (adapter, client):
        answer = post(client, body)
        assert (answer.status_code, issue(answer)[2]) == (status, place), answer.text
        assert "Đức" not in answer.text
        assert counted(adapter) == {
            "inbox_item": 0, "refused_request": 1, "repository_resource": 0, "repository_version": 0,
        }  # fmt: skip
        [waiting] = adapter.quarantine.waiting()
        assert (waiting.hospital, waiting.url) == (HOSPITAL, "webhook")
        found = adapter.quarantine.get(waiting.id)
        assert found is not None
        assert found.body == body
        assert post(client, whole).status_code == 200


def test_what_the_checks_of_the_endpoint_refuse_is_said_of_the_part_of_the_document(
    centre: CentreWithWebhook,
) -> None:
    body = example("document", centre[1]).replace(b"JVBERi0xLjQKJSVFT0YK", b"JVBE Ri0x!")
    with sending(centre) as (_, client):
        answer = post(client, body)
        assert issue(answer) == (400, "value", "phieuKetQua[0]")
        assert "DiagnosticReport.presentedForm[0].data" in answer.text


def test_a_refused_document_is_taken_once_its_mapping_is_set_right(centre: CentreWithWebhook) -> None:
    body = example("laboratory", centre[1]).replace(b'"CHINH_THUC"', b'"XONG"')
    key = {"Idempotency-Key": "7"}
    table = centre[0].folder / "mappings" / "inbound" / "codes" / "bv-mau-result-status.csv"
    with sending(centre) as (adapter, client):
        assert post(client, body, **key).status_code == 422
        text = table.read_text("utf-8")
        table.write_text(
            text + "XONG,Xong,Done,http://hl7.org/fhir/observation-status,final,Final,equivalent,,,\n"
        )
        [waiting] = adapter.quarantine.waiting()
        context = OperationContext(adapter, "cli:an", now)
        operation = RetryRefusedRequest(waiting.id)
        assert operation.perform(context, operation.preview(context).version) is None
        assert adapter.quarantine.waiting() == []
        before = counted(adapter)
        assert post(client, body, **key).status_code == 200, "the running endpoint reads the new table"
        assert counted(adapter) == before
        process_inbox(adapter, now)
        assert referral(adapter).state is ReferralState.COMPLETED


def test_while_the_mapping_cannot_be_read_the_sender_is_told_to_try_again(centre: CentreWithWebhook) -> None:
    file = centre[0].folder / "mappings" / "inbound" / "bv-mau.yaml"
    whole = file.read_text("utf-8")
    with sending(centre) as (adapter, client):
        file.write_text(whole.replace("resource: Task", "resource: Tsak"), "utf-8")
        answer = post(client, example("accepted", centre[1]))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "300")
        assert counted(adapter)["refused_request"] == 0
        file.write_text(whole, "utf-8")
        assert post(client, example("accepted", centre[1])).status_code == 200


def malformed(chance: random.Random, whole: bytes) -> bytes:
    """The document, spoilt in one of the ways in which documents are."""
    way, place = chance.randrange(10), chance.randrange(1, len(whole))
    if way == 0:
        return whole[:place]
    if way == 1:
        return whole[:place] + chance.randbytes(20) + whole[place:]
    if way == 2:
        return whole.replace(b'"', b"'", chance.randrange(1, 30))
    if way == 3:
        return whole.replace(b":", b"=", chance.randrange(1, 9))
    if way == 4:
        name = chance.choice((b"maBN", b"ketQua", b"trangThai", b"chiSo", b"soPhieu", b"ma", b"luc"))
        return whole.replace(b'"' + name + b'"', b'"' + name[::-1] + b'x"', chance.randrange(1, 9))
    if way == 5:
        value = chance.choice((b"null", b"[]", b"{}", b"1e999", b"true", b'"' + b"9" * 900 + b'"', b"-0"))
        return whole.replace(chance.choice((b'"LAB-1"', b'"CREA"', b'"CHINH_THUC"', b"104.0", b"62")), value)
    if way == 6:
        return b'{"suKien": ' + b"[" * chance.randrange(1, 9_000) + b"]"
    if way == 7:
        return whole.replace(b'{"ma"', b'{"ma": "X", "ma"', 1)
    if way == 8:
        return whole.replace(b"02/11/2026", chance.choice((b"2/30/2026", b"", b"hom qua", b"0000-00-00")))
    return b"[" + b"0," * chance.randrange(1, 60_000) + b"0]"


def test_two_hundred_malformed_documents(centre: CentreWithWebhook) -> None:
    """Each is refused with a reason and is kept, or is a document after all; whatever was answered 200 is
    stored. The process grows by no more than a few documents.
    """
    chance = random.Random(20261130)  # noqa: S311 - no secret
    whole = example("laboratory", centre[1])
    seen: Counter[int] = Counter()
    with sending(centre) as (adapter, client):
        assert post(client, whole).status_code == 200
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        refused = set()
        for _ in range(200):
            sent = malformed(chance, whole)
            answer = post(client, sent)
            seen[answer.status_code] += 1
            assert answer.status_code in (200, 400, 413, 422), answer.text
            if answer.status_code != 200:
                assert answer.json()["issue"][0]["diagnostics"], answer.text
                refused |= {sent} if answer.status_code != 413 else set()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        with read_transaction(adapter.engine) as connection:
            bodies = set(connection.execute(select(refused_request.c.body)).scalars())
        assert bodies == refused
        assert stored(adapter)[0] >= 7
    assert seen[400] > 50, seen
    assert seen[422] > 40, seen
    assert grown < 60_000, "KB"


def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_there_twice(centre: CentreWithWebhook) -> None:
    """Whatever was answered 200 is there; whatever was not is sent again, under its key, until it is."""
    at, identity = centre
    chance = random.Random(7)  # noqa: S311 - no secret
    whole = example("laboratory", identity)
    waiting = {str(number): whole.replace(b"LAB-1", b"LAB-%d" % number) for number in range(16)}
    count, answers = len(waiting), dict[str, bytes]()

    def send(client: httpx.Client, key: str, body: bytes) -> None:
        with suppress(httpx.TransportError):
            answer = post(client, body, **{"Idempotency-Key": key})
            assert answer.status_code == 200, answer.text
            answers[key] = answer.content

    sent = dict(waiting)
    while waiting:
        base = at.start_endpoint().removesuffix("/fhir")
        with httpx.Client(base_url=base, timeout=30) as client:
            for key in list(waiting)[: chance.randrange(1, 5)]:
                send(client, key, waiting[key])
            waiting = {key: one for key, one in waiting.items() if key not in answers}
            if waiting:
                key = next(iter(waiting))
                thread = threading.Thread(target=send, args=(client, key, waiting[key]))
                thread.start()
                time.sleep(chance.uniform(0, 0.05))
                at.stop("serve", 9)
                thread.join()
                waiting = {key: one for key, one in waiting.items() if key not in answers}
            else:
                at.stop("serve", 9)
    base = at.start_endpoint().removesuffix("/fhir")
    with httpx.Client(base_url=base, timeout=30) as client:
        again = {key: post(client, sent[key], **{"Idempotency-Key": key}).content for key in answers}
    assert again == answers
    with at.open() as adapter:
        assert (stored(adapter)[0], acknowledged(adapter)) == (1 + 6 * count, count)


def test_a_document_that_was_stored_and_not_answered_is_answered_when_it_comes_again(
    centre: CentreWithWebhook,
) -> None:
    """The process is killed with signal 9 once the document is stored, before its sender read an answer."""
    at, identity = centre
    body, key = example("laboratory", identity), {"Idempotency-Key": "k"}
    base = at.start_endpoint().removesuffix("/fhir")
    with httpx.Client(base_url=base, timeout=30) as client, at.open() as adapter:

        def send() -> None:
            with suppress(httpx.TransportError):
                post(client, body, **key)

        thread = threading.Thread(target=send)
        thread.start()
        assert until(lambda: acknowledged(adapter) == 1, 20, every=0.002)
        at.stop("serve", 9)
        thread.join()
        before = stored(adapter)
    base = at.start_endpoint().removesuffix("/fhir")
    with httpx.Client(base_url=base, timeout=30) as client:
        assert post(client, body, **key).status_code == 200
    with at.open() as adapter:
        assert (stored(adapter), acknowledged(adapter)) == (before, 1)
        assert before == (7, 0)


def test_the_secret_is_in_no_answer_and_no_log(centre: CentreWithWebhook) -> None:
    base = centre[0].start_endpoint().removesuffix("/fhir")
    with httpx.Client(base_url=base, timeout=30) as client:
        answers = [post(client, body).text for body in (b"{}", b"[", example("accepted", centre[1]))]
    log = "".join(path.read_text("utf-8", "replace") for path in centre[0].folder.glob("*.log"))
    assert log, "the endpoint writes one"
    for text in (*answers, log):
        assert SECRET not in text
        assert "Đỗ" not in text
