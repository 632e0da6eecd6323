"""The insurer's XML through a folder and over HTTPS: stored before it is moved or answered, known when it
comes again, refused with a reason.
"""

import contextlib
import hashlib
import os
import random
import resource
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from endpoint_centre import DUC, calling
from hl7v2_centre import HOSPITAL, counted, referral, results
from national_xml_centre import (
    CREATININE,
    SUMMARY,
    centre_with_folder,
    file_of,
    malformed,
    result_file,
)
from sqlalchemy import func, select

from adapter import audit
from adapter.database import read_transaction
from adapter.duties.dropped_files import PickUpFiles
from adapter.duties.services import schedule_duties, worker_duties
from adapter.errors import SettingsError
from adapter.hospital_tokens import issue_token
from adapter.inbox.acknowledgements.tables import acknowledged_message
from adapter.inbox.quarantine.tables import refused_request
from adapter.insights.problems import current_problems
from adapter.operations.operation import OperationContext
from adapter.operations.refused_requests import RetryRefusedRequest
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound import dropped_files
from adapter.pipeline.inbound.dropped_files import pick_up
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.national_xml_reception import FileReception
from adapter.referrals.lifecycle import ReferralState
from adapter.testing import Centre

CentreWithFolder = tuple[Centre, Path, str]
KIND = {"Content-Type": "application/xml"}


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def centre(tmp_path: Path, database_url: str) -> Iterator[CentreWithFolder]:
    with centre_with_folder(tmp_path, database_url) as found:
        yield found


def put(folder: Path, name: str, data: bytes, *, age: float = 60) -> Path:
    """A file that nobody wrote to for so many seconds."""
    path = folder / name
    path.write_bytes(data)
    os.utime(path, (time.time() - age,) * 2)
    return path


def picked(adapter: Adapter) -> tuple[int, int, int]:
    found = pick_up(FileReception(adapter, now), HOSPITAL)
    return found.taken, found.refused, found.left


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []


def noted(adapter: Adapter) -> int:
    with read_transaction(adapter.engine) as connection:
        return connection.execute(select(func.count()).select_from(acknowledged_message)).scalar_one()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_in_the_folder_is_in_the_record_and_completes_the_referral(centre: CentreWithFolder) -> None:
    at, folder, identity = centre
    data = result_file(identity)
    put(folder, "DO VAN DUC.xml", data)
    with at.open() as adapter:
        PickUpFiles(adapter, now, HOSPITAL).run()
        process_inbox(adapter, now)
        [report] = [one for one in results(adapter) if one.type == "DiagnosticReport"]
        assert (report.cadre, report.referral, report.status) == (DUC.key, "GT-1", "final")
        assert report.content is not None
        [member] = report.content.members
        assert member.content is not None
        assert member.content.value is not None
        assert member.content.value.amount is not None
        assert (member.content.value.amount.value, member.content.value.amount.unit) == ("104.0", "µmol/L")
        assert referral(adapter).state is ReferralState.COMPLETED
    content = sha256(data)
    assert names(folder) == ["done", "refused"]
    assert names(folder / "done") == [f"{content}.txt", f"{content}.xml"]
    assert (folder / "done" / f"{content}.xml").read_bytes() == data
    assert sha256(b"DO VAN DUC.xml") in (folder / "done" / f"{content}.txt").read_text("utf-8")


def test_an_appointment_schedules_the_referral(centre: CentreWithFolder) -> None:
    at, folder, identity = centre
    letter = {"MA_LK": SUMMARY["MA_LK"], "SO_GIAYHEN_KL": "HK-1", "NGAY_HEN_KL": "20261201"}
    sent = file_of({"XML1": [{**SUMMARY, "GIAY_CHUYEN_TUYEN": identity}], "XML14": [letter]})
    put(folder, "a.xml", sent)
    with at.open() as adapter:
        assert picked(adapter) == (1, 0, 0)
        process_inbox(adapter, now)
        assert referral(adapter).state is ReferralState.SCHEDULED


def test_a_person_is_found_by_number_and_name_without_a_referral(centre: CentreWithFolder) -> None:
    at, folder, _ = centre
    put(folder, "a.xml", result_file(""))
    put(
        folder,
        "b.xml",
        result_file("", visit="LK-2", MA_BN="BN2", SO_CCCD="024060099999", HO_TEN="Lê Văn Lạ"),
    )
    with at.open() as adapter:
        assert picked(adapter) == (2, 0, 0)
        process_inbox(adapter, now)
        found = results(adapter)
        assert {one.cadre for one in found} == {DUC.key}
        assert len(found) == 2, "the stranger's wait for a person"


def visit(number: str, **summary: str) -> dict[str, list[dict[str, str]]]:
    """Of somebody else than the person of the centre."""
    stranger = {"HO_TEN": f"Lê Văn {number}", "SO_CCCD": f"0010600{number}", "MA_BN": number, "MA_LK": number}
    one = {**SUMMARY, "GIAY_CHUYEN_TUYEN": "", "MA_THE_BHYT": "", **stranger, **summary}
    return {"XML1": [one], "XML4": [{**CREATININE, "MA_LK": number}]}


def test_of_a_whole_hospitals_export_what_is_ours_is_taken_and_the_rest_counted(
    centre: CentreWithFolder,
) -> None:
    at, folder, identity = centre
    ours = [
        visit("10001", GIAY_CHUYEN_TUYEN=identity, HO_TEN=SUMMARY["HO_TEN"], SO_CCCD=""),
        visit("10002", SO_CCCD=SUMMARY["SO_CCCD"], HO_TEN=SUMMARY["HO_TEN"]),
        visit("10003", HO_TEN="ĐỖ VĂN ĐỨC", SO_CCCD="024060012354"),
        visit("10004", GIAY_CHUYEN_TUYEN=identity[:-1]),
    ]
    data = file_of(*(visit(str(number)) for number in range(20_000, 20_300)), *ours)
    put(folder, "all.xml", data)
    with at.open() as adapter:
        assert picked(adapter) == (1, 0, 0)
        process_inbox(adapter, now)
        assert {one.referral for one in results(adapter)} == {None, "GT-1"}
        waiting = [one for one in adapter.inbox.items("unmatched") if one.type == "Observation"]
        assert len(waiting) == 2, "a number that is mistyped, a referral's that is cut: a person looks"
        held = counted(adapter)["inbox_item"]
        assert noted(adapter) == 0, "it is read again when it comes again"
        receipt = (folder / "done" / f"{sha256(data)}.txt").read_text("utf-8")
        assert "300 of its visits" in receipt
        put(folder, "all.xml", data)
        assert picked(adapter) == (1, 0, 0)
        process_inbox(adapter, now)
        assert counted(adapter)["inbox_item"] == held, "nothing is there twice"
        put(folder, "one.xml", file_of(visit("30001")))
        picked(adapter)
        assert counted(adapter)["inbox_item"] > held, "who comes alone is meant for the centre"


def test_a_file_of_nothing_but_strangers_is_taken_and_stores_nothing(centre: CentreWithFolder) -> None:
    at, folder, _ = centre
    put(folder, "a.xml", file_of(visit("20001"), visit("20002")))
    with at.open() as adapter:
        assert picked(adapter) == (1, 0, 0)
        assert counted(adapter)["inbox_item"] == 0
    done = at.run("hospital", "xml", HOSPITAL, str(next((folder / "done").glob("*.xml"))))
    assert "2 of its visits" in " ".join(done.split())


def test_a_whole_export_corrects_what_a_person_linked_before(centre: CentreWithFolder) -> None:
    at, folder, _ = centre
    unlike: dict[str, Any] = {"HO_TEN": "Đỗ Văn Đúc", "SO_CCCD": "", "NGAY_SINH": "196000000000"}
    first = visit("10009", **unlike)
    with at.open() as adapter:
        put(folder, "one.xml", file_of(first))
        assert picked(adapter) == (1, 0, 0)
        process_inbox(adapter, now)
        (waiting,) = [one for one in adapter.inbox.items("unmatched") if one.type == "Observation"]
        at.run("inbox", "link", str(waiting.id), DUC.key)
        [corrected] = first["XML4"]
        again = {**first, "XML4": [{**corrected, "GIA_TRI": "98"}]}
        data = file_of(visit("20001"), again, visit("20002"))
        put(folder, "all.xml", data)
        assert picked(adapter) == (1, 0, 0)
        process_inbox(adapter, now)
        assert ["98" in one.resource for one in results(adapter) if one.type == "Observation"] == [True]
        assert "2 of its visits" in (folder / "done" / f"{sha256(data)}.txt").read_text("utf-8")


def test_a_correction_is_the_next_version_of_the_same_result(centre: CentreWithFolder) -> None:
    at, folder, identity = centre
    with at.open() as adapter:
        for number, value in enumerate(("140", "104")):
            put(folder, f"{number}.xml", result_file(identity, value=value))
            assert picked(adapter) == (1, 0, 0)
        process_inbox(adapter, now)
        found = {one.type: one for one in results(adapter)}
        assert len(found) == len(results(adapter)) == 2
        assert '"value":104,' in found["Observation"].resource


def test_the_same_bytes_are_stored_once_whatever_way_they_come(centre: CentreWithFolder) -> None:
    at, folder, identity = centre
    data = result_file(identity)
    with at.open() as adapter, calling(at) as client:
        put(folder, "a.xml", data)
        assert picked(adapter) == (1, 0, 0)
        before = counted(adapter)
        put(folder, "b.xml", data)
        assert picked(adapter) == (1, 0, 0)
        assert client.post("/national-xml", content=data, headers=KIND).status_code == 200
        assert (counted(adapter), noted(adapter)) == (before, 1)
        again = data.replace(b"<NGAYLAP>20261102<", b"<NGAYLAP>20261103<")
        assert client.post("/national-xml", content=again, headers=KIND).status_code == 200
        assert (counted(adapter), noted(adapter)) == (before, 2), "what says the same writes nothing"


def test_the_same_at_once_is_stored_once(centre: CentreWithFolder) -> None:
    at, _, identity = centre
    data = result_file(identity)
    with at.open() as adapter:
        reception = FileReception(adapter, now)
        together = threading.Barrier(5)
        answers: list[int] = []

        def send() -> None:
            together.wait()
            answers.append(reception.receive(HOSPITAL, data).status)

        threads = [threading.Thread(target=send) for _ in range(5)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert answers == [200] * 5
        assert (noted(adapter), counted(adapter)["repository_resource"]) == (1, 4)


def test_a_file_that_is_being_written_is_left_alone(centre: CentreWithFolder) -> None:
    at, folder, identity = centre
    data = result_file(identity)
    put(folder, "fresh.xml", data, age=1)
    put(folder, "half.xml", data[: len(data) // 2])
    put(folder, ".hidden.xml", data)
    put(folder, "x.xml.filepart", data)
    (folder / "link.xml").symlink_to(at.settings_file)
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe.xml")
    with at.open() as adapter:
        assert picked(adapter) == (0, 0, 2)
        assert counted(adapter)["refused_request"] == 0
        put(folder, "half.xml", data)
        assert picked(adapter) == (1, 0, 1)
        put(folder, "half.xml", data[: len(data) // 2], age=4_000)
        assert picked(adapter) == (0, 1, 1), "its end is not waited for without end"
    assert (folder / "link.xml").is_symlink()


def test_a_link_in_place_of_a_folder_of_ours_leads_nowhere(centre: CentreWithFolder, tmp_path: Path) -> None:
    """Who may write to the folder may put a link there: nothing behind it is written or deleted."""
    at, folder, identity = centre
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    old = put(elsewhere, "ours.xml", b"ours", age=100 * 86_400)
    (folder / "done").symlink_to(elsewhere, target_is_directory=True)
    put(folder, "a.xml", result_file(identity))
    with at.open() as adapter:
        with pytest.raises(SettingsError):
            picked(adapter)
        (folder / "done").unlink()
        (folder / "done").mkdir()
        (folder / "done" / "linked.xml").symlink_to(old)
        assert picked(adapter) == (1, 0, 0)
    assert names(elsewhere) == ["ours.xml"]
    assert old.read_bytes() == b"ours"


def test_a_file_that_changes_while_it_is_read_is_taken_as_it_is_then(
    centre: CentreWithFolder,
) -> None:
    at, folder, identity = centre
    path = put(folder, "a.xml", result_file(identity, value="140"))
    with at.open() as adapter:
        reception = FileReception(adapter, now, lambda: _write(path, result_file(identity)))
        assert pick_up(reception, HOSPITAL).taken == 1
        assert path.read_bytes() == result_file(identity), "it is still there"
        os.utime(path, (time.time() - 60,) * 2)
        assert picked(adapter) == (1, 0, 0)
        process_inbox(adapter, now)
        assert any('"value":104.0' in one.resource for one in results(adapter))


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.7", "not well-formed"),
        (b"<GIAMDINHHS></GIAMDINHHS>", "no HOSO"),
        (file_of({"XML4": [CREATININE]}), "no XML1"),
        (file_of({"XML1": [SUMMARY], "XML4": [{**CREATININE, "MA_LK": "X"}]}), "HOSO[1]/XML4[1]/MA_LK"),
    ],
    ids=("pdf", "empty", "nobody", "mixed"),
)
def test_what_is_refused_says_why_and_waits_in_quarantine(
    centre: CentreWithFolder, data: bytes, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    at, folder, identity = centre
    put(folder, "DO VAN DUC.xml", data, age=4_000)
    put(folder, "good.xml", result_file(identity))
    with at.open() as adapter:
        assert picked(adapter) == (1, 1, 0), "one bad file keeps nobody waiting"
        [waiting] = adapter.quarantine.waiting()
        assert (waiting.hospital, waiting.url) == (HOSPITAL, "national-xml")
        found = adapter.quarantine.get(waiting.id)
        assert found is not None
        assert found.body == data
    assert names(folder / "refused") == [f"{sha256(data)}.txt", f"{sha256(data)}.xml"]
    receipt = (folder / "refused" / f"{sha256(data)}.txt").read_text("utf-8")
    assert words in receipt
    assert "DO VAN DUC" not in receipt + caplog.text


def test_a_refused_file_is_taken_once_it_can_be(centre: CentreWithFolder) -> None:
    at, folder, identity = centre
    many = [{**CREATININE, "MA_CHI_SO": f"C{number}"} for number in range(1_100)]
    put(folder, "a.xml", file_of({"XML1": [{**SUMMARY, "GIAY_CHUYEN_TUYEN": identity}], "XML4": many}))
    wrong = result_file(identity, NGAY_VAO="202611021600", CHAN_DOAN_RV="Tăng huyết áp")
    put(folder, "b.xml", wrong)
    with at.open() as adapter:
        assert picked(adapter) == (0, 2, 0)
        [waiting] = (
            adapter.quarantine.waiting()
        )  # what is too much for one transaction is no matter of content
        context = OperationContext(adapter, "cli:an", now)
        outcome = RetryRefusedRequest(waiting.id).perform(context)
        assert outcome is not None
        assert outcome["issue"][0]["expression"][0].startswith("HOSO[1]/XML1")
        assert len(adapter.quarantine.waiting()) == 1
    assert len(names(folder / "refused")) == 4


def test_what_cannot_be_moved_is_not_received_again(centre: CentreWithFolder) -> None:
    at, folder, identity = centre
    data = result_file(identity)
    put(folder, "a.xml", data)
    blocked = folder / "done" / f"{sha256(data)}.xml"
    blocked.mkdir(parents=True)
    time.sleep(0.02)
    with at.open() as adapter:
        assert picked(adapter) == (1, 0, 0)
        for _ in range(2):
            assert picked(adapter) == (0, 0, 1)
        blocked.rmdir()
        assert picked(adapter) == (0, 0, 1)
    assert names(folder) == ["done", "refused"]
    assert names(folder / "done") == [f"{sha256(data)}.txt", f"{sha256(data)}.xml"]


def test_a_file_that_is_too_large_is_not_read_into_memory(centre: CentreWithFolder) -> None:
    at, folder, identity = centre
    text = at.settings_file.read_text("utf-8")
    at.settings_file.write_text(f"max_body_bytes = 10000\n{text}", "utf-8")
    put(folder, "a.xml", result_file(identity) + b" " * 20_000)
    put(folder, "b.xml", result_file(identity))
    with at.open() as adapter:
        assert picked(adapter) == (1, 1, 0)
    [receipt] = (folder / "refused").glob("*.txt")
    assert "10,000" in receipt.read_text("utf-8")


def test_two_hundred_malformed_files(centre: CentreWithFolder) -> None:
    """Each is refused with a reason, and is kept; or it is a file after all. The process grows by no more
    than a few files.
    """
    at, folder, identity = centre
    chance = random.Random(20261130)  # noqa: S311 - no secret
    sheets = {"XML1": [{**SUMMARY, "GIAY_CHUYEN_TUYEN": identity}], "XML4": [CREATININE]}
    good = file_of(sheets)
    sent: set[bytes] = set()
    while len(sent) < 200:
        sheets["XML4"] = [{**CREATININE, "STT": str(len(sent))}]
        sent.add(malformed(chance, sheets))
    seen: Counter[str] = Counter()
    with at.open() as adapter:
        put(folder, "good.xml", good)
        assert picked(adapter) == (1, 0, 0)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number, one in enumerate(sorted(sent)):
            put(folder, f"{number}.xml", one, age=4_000 + number)
        taken, refused, left = picked(adapter)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert (taken + refused, left) == (len(sent), 0)
        with read_transaction(adapter.engine) as connection:
            bodies = set(connection.execute(select(refused_request.c.body)).scalars())
        assert bodies <= sent
        assert len(bodies) == refused
        kept = {one.read_bytes() for name in ("done", "refused") for one in (folder / name).glob("*.xml")}
        assert sent <= kept, "nothing is lost"
        for receipt in (folder / "refused").glob("*.txt"):
            text = receipt.read_text("utf-8")
            seen[text.partition("\n")[0][:60]] += 1
            assert text.startswith("Not taken in. The reason: ")
            assert "Đức" not in text
    assert refused > 100
    assert len(seen) > 10, seen
    assert grown < 80_000, "KB"


def test_over_https_with_the_token_of_the_endpoint(centre: CentreWithFolder) -> None:
    at, _, identity = centre
    data = result_file(identity)
    with calling(at) as client:
        for kind in ("application/xml", "text/xml; charset=utf-8"):
            taken = client.post("/national-xml", content=data, headers={"Content-Type": kind})
            assert taken.status_code == 200
            assert taken.json()["issue"][0]["severity"] == "information"
        wrong = client.post("/national-xml", content=file_of({"XML4": [CREATININE]}), headers=KIND)
        assert (wrong.status_code, wrong.json()["issue"][0]["expression"]) == (422, ["HOSO[1]/XML1"])
        assert client.post("/national-xml", content=b"{}", headers=KIND).status_code == 400
        assert client.post("/national-xml", content=b"{}").status_code == 415
        long = client.post("/national-xml", content=data + b" " * 5_000_000, headers=KIND)
        assert long.status_code == 413
        stranger = client.post("/national-xml", content=data, headers={**KIND, "Authorization": "Bearer x"})
        assert stranger.status_code == 401
    with at.open() as adapter:
        assert counted(adapter)["refused_request"] == 2
        assert counted(adapter)["inbox_item"] == 4


def test_killed_between_storing_and_moving_nothing_is_lost_or_there_twice(
    centre: CentreWithFolder,
) -> None:
    """A process that picks up is killed with signal 9 at any moment, again and again, until the folder is
    empty.
    """
    at, folder, identity = centre
    chance = random.Random(7)  # noqa: S311 - no secret
    sent = [result_file(identity, visit=f"LK-{number}") for number in range(24)]
    for number, one in enumerate(sent):
        put(folder, f"{number}.xml", one)
    kills = 0
    while waiting := list(folder.glob("*.xml")):
        child = os.fork()
        if child == 0:
            try:
                with at.open() as adapter:
                    picked(adapter)
            finally:
                os._exit(0)
        begun = len(waiting)
        while len(list(folder.glob("*.xml"))) > max(0, begun - 3) and os.waitpid(child, os.WNOHANG)[0] == 0:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.02))
        try:
            os.kill(child, 9)
            os.waitpid(child, 0)
            kills += 1
        except (ChildProcessError, ProcessLookupError):
            pass
    assert kills > 3
    assert {one.read_bytes() for one in (folder / "done").glob("*.xml")} == set(sent)
    with at.open() as adapter:
        there = counted(adapter)
        assert (noted(adapter), there["repository_version"], there["refused_request"]) == (24, 0, 0)
        assert there["repository_resource"] == 1 + 3 * 24
        process_inbox(adapter, now)
        assert len(results(adapter)) == 2 * 24


def test_killed_before_the_answer_the_sender_sends_again(centre: CentreWithFolder) -> None:
    at, _, identity = centre
    data = result_file(identity)
    base = at.start_endpoint().removesuffix("/fhir")
    with at.open() as adapter:
        token = issue_token(adapter.engine, HOSPITAL, now(), by="test")
        headers = {**KIND, "Authorization": f"Bearer {token}"}

        def send() -> None:
            with contextlib.suppress(httpx.HTTPError):
                httpx.post(f"{base}/national-xml", content=data, headers=headers, timeout=20)

        sender = threading.Thread(target=send)
        sender.start()
        deadline = time.monotonic() + 20
        while noted(adapter) == 0 and time.monotonic() < deadline:
            time.sleep(0.002)
        at.stop("serve", 9)
        sender.join()
        at.start_endpoint()
        assert httpx.post(f"{base}/national-xml", content=data, headers=headers).status_code == 200
        assert (noted(adapter), counted(adapter)["repository_resource"]) == (1, 4)
        assert counted(adapter)["repository_version"] == 0
    at.wait_until_matched()


def test_what_was_put_away_is_forgotten_in_time(centre: CentreWithFolder) -> None:
    at, folder, identity = centre
    put(folder, "a.xml", result_file(identity))
    with at.open() as adapter:
        picked(adapter)
        assert len(names(folder / "done")) == 2
        for path in (folder / "done").iterdir():
            os.utime(path, (time.time() - timedelta(days=31).total_seconds(),) * 2)
        picked(adapter)
    assert names(folder / "done") == []


def test_files_that_nobody_picks_up_are_a_problem(centre: CentreWithFolder) -> None:
    at, folder, identity = centre

    def found(adapter: Adapter) -> list[tuple[int, bool]]:
        problems = current_problems(adapter, now())
        return [(one.count, one.since is None) for one in problems if one.code == "files"]

    put(folder, "a.xml", result_file(identity), age=7_000)
    with at.open() as adapter:
        assert found(adapter) == []
        put(folder, "b.xml.part", result_file(identity), age=7_300)
        assert found(adapter) == [(1, False)]
        (folder / "b.xml.part").unlink()
        picked(adapter)
        assert found(adapter) == []
        folder.rename(folder.with_name("away"))
        assert found(adapter) == [(1, True)]


def test_a_folder_that_is_away_is_said_and_not_made(centre: CentreWithFolder) -> None:
    at, folder, _ = centre
    folder.rmdir()
    with at.open() as adapter:
        with pytest.raises(SettingsError, match="bv-tinh"):
            picked(adapter)
        assert not folder.exists()
        for duties in (schedule_duties, worker_duties):
            assert "files:bv-tinh" in [one.name for one in duties(adapter, now, threading.Event())]


def test_nothing_stays_of_who_is_t0_now(centre: CentreWithFolder) -> None:
    """In quarantine, in the folders, in what was taken in; and what comes later is refused and not kept."""
    at, folder, identity = centre
    good = result_file(identity)
    bad = result_file(identity, NGAY_RA="?")
    of_others = result_file("", NGAY_RA="?", HO_TEN="Lê Văn Lạ", SO_CCCD="024060099999", MA_THE_BHYT="")
    for number, one in enumerate((good, bad, of_others)):
        put(folder, f"{number}.xml", one)
    with at.open() as adapter:
        assert picked(adapter) == (1, 2, 0)
        process_inbox(adapter, now)
        assert results(adapter)
    table = at.folder / "cadres.csv"
    table.write_text(
        "Key;Name;Sex;Date of birth;Tier;Citizen id\n"
        f"{DUC.key};{DUC.name};Nam;12/03/1960;T0;{DUC.national_id}\n"
    )
    at.run("import", str(table), "--allow-deletions")
    with at.open() as adapter:
        [left] = adapter.quarantine.waiting()
        found = adapter.quarantine.get(left.id)
        assert found is not None
        assert found.body == of_others
        assert results(adapter) == []
        kept = [one.read_bytes() for name in ("done", "refused") for one in (folder / name).glob("*.xml")]
        assert kept == [of_others]
        for number, one in enumerate((good, bad, result_file(identity, visit="LK-9"))):
            put(folder, f"later-{number}.xml", one)
        assert picked(adapter)[0] == 0
        assert len(adapter.quarantine.waiting()) == 1
        assert [one for one in folder.rglob("*.xml") if one.read_bytes() != of_others] == []


def test_the_command_shows_and_takes_in(centre: CentreWithFolder) -> None:
    at, _, identity = centre
    file = at.folder / "sent.xml"
    file.write_bytes(result_file(identity))
    shown = at.run("hospital", "xml", HOSPITAL, str(file), "--dry-run")
    assert "104.0 µmol/L" in shown
    with at.open() as adapter:
        assert counted(adapter)["inbox_item"] == 0
    resources = at.run_json("hospital", "xml", HOSPITAL, str(file), "--dry-run")["resources"]
    assert [one["resourceType"] for one in resources] == [
        "Patient",
        "Encounter",
        "Observation",
        "DiagnosticReport",
    ]
    assert at.run_json("hospital", "xml", HOSPITAL, str(file))["entries"] == 4
    assert at.run_json("hospital", "xml", HOSPITAL, str(file))["known"] is True
    with at.open() as adapter:
        assert len(results(adapter)) == 2
        with read_transaction(adapter.engine) as connection:
            actions = set(connection.execute(select(audit.audit.c.action)).scalars())
        assert "inbox.file_taken" in actions
    file.write_bytes(file_of({"XML4": [CREATININE]}))
    refused = at.attempt("hospital", "xml", HOSPITAL, str(file), "--dry-run")
    assert refused.returncode == 1
    assert "no XML1" in refused.stderr


def test_the_limits_are_those_that_are_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "national-xml.md").read_text("utf-8")
    assert f"{dropped_files._SETTLED_SECONDS} seconds" in page
    assert f"{dropped_files._MOST_FILES} files" in page
