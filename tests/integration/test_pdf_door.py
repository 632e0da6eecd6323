"""PDFs of hospitals: taken in whole, matched by the QR code or by what somebody said, and by nothing else."""

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import page_centre
import pytest
from hl7v2_centre import counted
from page_centre import HOME, OTHER, referral, state_of
from pdf_files import Authority, changed_later, locked, malformed, result_pdf, signed, with_content

from adapter.errors import PdfRefused, SettingsError, UsageError
from adapter.fhir import codec
from adapter.fhir.document_facts import FACTS_URL
from adapter.hospital_tokens import issue_token
from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.insights.host_facts import files_left
from adapter.insights.inbox_item import inbox_item_report
from adapter.ledger.monitoring.overdue import Backlog
from adapter.operations.operation import OperationContext
from adapter.operations.pdf_documents import AddedPdf, AddPdf
from adapter.pdf.examiner import examine_pdf
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.pdf_folder import FolderBeat, take_folder
from adapter.pipeline.inbound.quarantine import PDF_URL, keep_refused, pdf_issue, retry_refused
from adapter.records.model import Referral, Result
from adapter.referrals.lifecycle import ReferralState
from adapter.testing import Centre, serving
from adapter.web.endpoint import adapter_endpoint


def now() -> datetime:
    return datetime.now(UTC)


def centre_with(folder: Path, url: str, *lines: str) -> Centre:
    """Two referrals to the hospital, one to another; with more lines of settings."""
    made = page_centre.page_centre(folder, url, referral("GT-1"), referral("GT-2"), referral("GT-9", OTHER))
    text = made.settings_file.read_text("utf-8")
    made.settings_file.write_text("\n".join((text, *lines, "")), "utf-8")
    return made


@pytest.fixture
def adapter(tmp_path: Path, database_url: str) -> Iterator[Adapter]:
    with centre_with(tmp_path, database_url).open() as adapter:
        yield adapter


def identity(adapter: Adapter, key: str, hospital: str = HOME) -> str:
    return adapter.identities.of(hospital, "ServiceRequest", Referral.kind, key)


def code(adapter: Adapter, key: str, hospital: str = HOME) -> str:
    """What stands in the QR code of the sheet."""
    return f"{adapter.settings.centre.identifier_system}|{identity(adapter, key, hospital)}"


def add(adapter: Adapter, data: bytes, hospital: str = HOME, **more: Any) -> AddedPdf:
    return AddPdf(hospital, data, **more).perform(OperationContext(adapter, "test", now))


def results(adapter: Adapter) -> list[Result]:
    return [one for one in adapter.records.iterate("result") if isinstance(one, Result)]


# -- matching ------------------------------------------------------------------------------


def test_the_code_on_its_page_says_which_referral_it_answers(adapter: Adapter) -> None:
    added = add(adapter, result_pdf("Creatinin 104", code=code(adapter, "GT-2"), pages=3))
    assert (added.by, added.state, added.cadre, added.referral) == ("code", "applied", "CB-1", "GT-2")
    [kept] = results(adapter)
    assert kept.content is not None
    [document] = kept.content.attachments
    assert (document.content_type, document.unreadable) == ("application/pdf", False)


def test_a_code_of_another_hospitals_referral_links_nothing(adapter: Adapter) -> None:
    added = add(adapter, result_pdf("x", code=code(adapter, "GT-9", OTHER)))
    assert (added.state, added.reasons) == ("unmatched", ("referral-of-another-hospital",))
    assert results(adapter) == []


def test_codes_of_two_referrals_of_one_person_and_of_nobody(adapter: Adapter) -> None:
    system = adapter.settings.centre.identifier_system
    added = add(adapter, result_pdf("x", code=f"{system}|{'0f' * 16}"))
    assert (added.state, added.reasons) == ("unmatched", ("referral-unknown",))
    added = add(adapter, result_pdf("y", code="https://bvtinh.example/tra-cuu?id=77"))
    assert (added.by, added.state, added.reasons) == ("nothing", "unmatched", ("no-evidence",))


@pytest.mark.parametrize("final", [False, True])
def test_who_says_which_referral_it_answers_is_believed(adapter: Adapter, final: bool) -> None:
    number = identity(adapter, "GT-1")
    written = " ".join(number[place : place + 4] for place in range(0, 32, 4)).upper()
    for said, text in (("GT-1", "a"), (written, "b")):
        added = add(adapter, result_pdf(text), referral=said, is_final=final)
        assert (added.by, added.state, added.referral) == ("said", "applied", "GT-1")
    completed = state_of(adapter, "GT-1") is ReferralState.COMPLETED
    assert completed is final
    with pytest.raises(UsageError):
        add(adapter, result_pdf("c"), referral="GT-9")


def test_what_is_said_and_another_code_is_kept_with_what_was_refused(adapter: Adapter) -> None:
    data = result_pdf("x", code=code(adapter, "GT-2"))
    with pytest.raises(PdfRefused):
        add(adapter, data, referral="GT-1")
    assert results(adapter) == []
    [kept] = adapter.quarantine.waiting()
    assert (kept.url.partition("?")[0], kept.status) == ("pdf", 422)
    whole = adapter.quarantine.get(kept.id)
    assert whole is not None
    assert whole.body == data


@pytest.mark.parametrize("number", ["identity", "hospital's own"])
def test_a_number_in_the_text_is_a_hint_for_a_person_and_no_match(adapter: Adapter, number: str) -> None:
    adapter.records.amend_referral("GT-2", lambda one: one.model_copy(update={"hospital_number": "BV/77-a"}))
    said = identity(adapter, "GT-2") if number == "identity" else "BV/77-A"
    added = add(adapter, result_pdf(f"So phieu: {said}"))
    assert (added.state, added.reasons, results(adapter)) == ("unmatched", ("no-evidence",), [])
    assert added.item is not None
    [candidate] = inbox_item_report(adapter, added.item).candidates
    assert (candidate.cadre, candidate.referral, candidate.because) == ("CB-1", "GT-2", ("text",))


def test_a_number_of_another_hospitals_referral_in_the_text_is_no_hint(adapter: Adapter) -> None:
    added = add(adapter, result_pdf(identity(adapter, "GT-9", OTHER)))
    assert added.item is not None
    assert inbox_item_report(adapter, added.item).candidates == ()


# -- again and again -----------------------------------------------------------------------


def test_the_same_bytes_are_stored_once_and_may_be_given_their_referral_later(adapter: Adapter) -> None:
    data = result_pdf("x")
    assert (add(adapter, data).is_new, add(adapter, data).is_new) == (True, False)
    assert counted(adapter)["inbox_item"] == 1
    added = add(adapter, data, referral="GT-1")
    assert (added.is_new, added.state, added.referral) == (True, "applied", "GT-1")
    assert (add(adapter, data).is_new, add(adapter, data, referral="GT-1").is_new) == (False, False)
    assert len(results(adapter)) == 1


def test_two_documents_of_one_referral_are_two_results(adapter: Adapter) -> None:
    for number in (1, 2):
        add(adapter, result_pdf("x", code=code(adapter, "GT-1"), number=number))
    assert [one.referral for one in results(adapter)] == ["GT-1", "GT-1"]


# -- what was found in it ------------------------------------------------------------------


def test_who_signed_and_whether_it_was_changed_later_is_said(tmp_path: Path, database_url: str) -> None:
    authority = Authority()
    whole = signed(result_pdf("x", number=1), authority.signer("BS Nguyễn Thị Hoa"))
    with centre_with(tmp_path, database_url).open() as adapter:
        [one] = add(adapter, whole, referral="GT-1").facts.signatures
        assert (one.signer, one.issuer, one.state, one.trust) == (
            "BS Nguyễn Thị Hoa",
            "CA of the test",
            "whole",
            "",
        )
        assert datetime.fromisoformat(one.signed_at).date() == now().date()
        [changed] = add(adapter, changed_later(whole), referral="GT-1").facts.signatures
        assert changed.state == "changed"
        spoilt = whole.replace(b"(report 1)", b"(report 7)")
        [broken] = add(adapter, spoilt, referral="GT-1").facts.signatures
        assert broken.state == "broken"
        said = [one.content.attachments[0].signatures[0].state for one in results(adapter) if one.content]
        assert sorted(said) == ["broken", "changed", "whole"]


def test_trust_is_said_where_the_settings_name_roots(tmp_path: Path, database_url: str) -> None:
    authority, stranger = Authority(), Authority("nobody's")
    (tmp_path / "roots.pem").write_bytes(authority.pem)
    twice = signed(signed(result_pdf("x"), authority.signer("BS A")), stranger.signer("GĐ B"), "Second")
    with centre_with(tmp_path, database_url, "[pdf]", 'trusted_roots = "roots.pem"').open() as adapter:
        first, second = add(adapter, twice).facts.signatures
    assert (first.signer, first.state, first.trust) == ("BS A", "extended", "trusted")
    assert (second.signer, second.state, second.trust) == ("GĐ B", "whole", "untrusted")


def test_the_facts_are_shown_where_the_result_is(tmp_path: Path, database_url: str) -> None:
    centre = centre_with(tmp_path, database_url)
    (tmp_path / "file.pdf").write_bytes(
        signed(result_pdf("x", script="app.alert(1)"), Authority().signer("BS Hoa"))
    )
    said = centre.run_json(
        "inbox", "add-pdf", HOME, str(tmp_path / "file.pdf"), "--referral", "GT-1", "--json"
    )
    assert (said["done"], said["pdf"]["state"]) == (True, "applied")
    for shown in (
        centre.run("inbox", "show", str(said["pdf"]["item"])),
        centre.run("cadre", "show", "CB-1"),
    ):
        words = " ".join(shown.split())
        assert "signed by BS Hoa" in words
        assert "the whole document as it is" in words
        assert "there is a script in it" in words
        assert "trust" not in words


def test_a_dry_run_stores_nothing(tmp_path: Path, database_url: str) -> None:
    centre = centre_with(tmp_path, database_url)
    with centre.open() as adapter:
        (tmp_path / "file.pdf").write_bytes(result_pdf("x", code=code(adapter, "GT-1")))
    before = centre.run_json("inbox", "add-pdf", HOME, str(tmp_path / "file.pdf"), "--dry-run", "--json")
    assert (before["done"], before["pdf"]["by"]) == (False, "code")
    with centre.open() as adapter:
        assert set(counted(adapter).values()) == {0}
    assert centre.attempt("inbox", "add-pdf", HOME, str(tmp_path / "none.pdf")).returncode == 2


# -- through other doors -------------------------------------------------------------------


@contextmanager
def calling(adapter: Adapter) -> Iterator[httpx.Client]:
    token = issue_token(adapter.engine, HOME, now(), by="test")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
    with serving(adapter_endpoint(adapter)) as base, httpx.Client(base_url=base, headers=headers) as client:
        yield client


def report(adapter: Adapter, data: bytes) -> dict[str, Any]:
    """What a FHIR client sends of it."""
    import base64

    from adapter.pdf.report import report_id

    order = {"system": adapter.settings.centre.identifier_system, "value": identity(adapter, "GT-1")}
    return {
        "resourceType": "DiagnosticReport",
        "id": report_id(data),
        "status": "final",
        "code": {"text": "Kết quả khám"},
        "basedOn": [{"type": "ServiceRequest", "identifier": order}],
        "presentedForm": [{"contentType": "application/pdf", "data": base64.b64encode(data).decode()}],
    }


def test_through_rest_the_same_document_makes_the_same_record(tmp_path: Path, database_url: str) -> None:
    data, made = result_pdf("Creatinin 104"), []
    for number, url in enumerate((f"sqlite:///{tmp_path / 'rest.db'}", database_url)):
        (tmp_path / str(number)).mkdir()
        with centre_with(tmp_path / str(number), url).open() as adapter:
            if number:
                add(adapter, data, referral="GT-1", is_final=True)
            else:
                with calling(adapter) as client:
                    sent = report(adapter, data)
                    answer = client.put(f"/fhir/DiagnosticReport/{sent['id']}", content=codec.dumps(sent))
                    assert answer.status_code == 201, answer.text
                process_inbox(adapter, now)
            [kept] = results(adapter)
            assert state_of(adapter, "GT-1") is ReferralState.COMPLETED
            made.append(kept.model_dump(mode="json", exclude={"key", "issued_at", "resource"}))
            sent = codec.loads(kept.resource)
            assert ("extension" in sent["presentedForm"][0]) is bool(number)
    assert made[0] == made[1]
    assert made[0]["content"]["attachments"][0]["digest"] == codec.digest(data)


def test_only_the_centre_says_what_it_found_out(adapter: Adapter) -> None:
    sent = report(adapter, result_pdf("x"))
    facts = {"url": FACTS_URL, "extension": [{"url": "pages", "valueInteger": 1}]}
    forged = {**sent, "presentedForm": [{**sent["presentedForm"][0], "extension": [facts]}]}
    inside = {**sent, "contained": [{**forged, "id": "inner"}]}
    with calling(adapter) as client:
        for one in (forged, inside):
            answer = client.put(f"/fhir/DiagnosticReport/{sent['id']}", content=codec.dumps(one))
            assert answer.status_code in (400, 422)
            assert "presentedForm[0].extension" in answer.text
        assert (
            client.put(f"/fhir/DiagnosticReport/{sent['id']}", content=codec.dumps(sent)).status_code == 201
        )
    assert len(adapter.quarantine.waiting()) == 2


def test_on_the_page_a_document_is_looked_at_too(adapter: Adapter) -> None:
    with page_centre.at_the_page(adapter) as clerk:
        clerk.send("GT-1", "accept")
        for data, text in (
            (result_pdf("x", code=code(adapter, "GT-2")), "thuộc phiếu khác"),
            (locked(result_pdf("x")), "cần mật khẩu"),
            (b"%PDF-1.7 broken", "tệp hỏng"),
        ):
            answer = clerk.send("GT-1", "findings", {"extent": "all"}, pdf=data)
            assert (answer.status_code, text in answer.text) == (422, True), text
        assert results(adapter) == []
        data = signed(result_pdf("x", code=code(adapter, "GT-1")), Authority().signer("BS Hoa"))
        assert clerk.send("GT-1", "findings", {"extent": "all"}, pdf=data).status_code == 303
    [kept] = results(adapter)
    assert kept.content is not None
    [document] = kept.content.attachments
    assert [(one.signer, one.state) for one in document.signatures] == [("BS Hoa", "whole")]
    assert document.digest == codec.digest(data)


def put_away(where: str, data: bytes) -> list[str]:
    """What lies there of a file: itself and its receipt."""
    name = sha256(data).hexdigest()
    return [f"{where}/{name}.pdf", f"{where}/{name}.txt"]


# -- the folder ----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "from-bv-tinh"
    made.mkdir()
    return made


FOLDER = (f"[hospitals.{HOME}.pdf]", 'folder = "from-bv-tinh"', "quiet_seconds = 300")


def drop(folder: Path, name: str, data: bytes, *, age: float = 1_000) -> Path:
    file = folder / name
    file.write_bytes(data)
    os.utime(file, (time.time() - age, time.time() - age))
    return file


def lying(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


def test_what_a_hospital_drops_is_taken_in_and_moved(tmp_path: Path, database_url: str, folder: Path) -> None:
    with centre_with(tmp_path, database_url, *FOLDER).open() as adapter:
        good = result_pdf("x", code=code(adapter, "GT-1"))
        drop(folder, "Nguyễn Văn A.pdf", good)
        drop(folder, "note.docx", b"PK\x03\x04 no pdf")
        drop(folder, "being-written.pdf", good, age=0)
        drop(folder, "upload.pdf.part", good)
        drop(folder, ".hidden.pdf", good)
        (folder / "link.pdf").symlink_to("/etc/hostname")
        assert take_folder(adapter, HOME, now()) == FolderBeat(taken=1, refused=1)
        process_inbox(adapter, now)
        assert [one.referral for one in results(adapter)] == ["GT-1"]
        assert lying(folder) == sorted(
            [
                *put_away("done", good),
                *put_away("refused", b"PK\x03\x04 no pdf"),
                *("being-written.pdf", "upload.pdf.part", ".hidden.pdf", "link.pdf"),
            ]
        )
        assert "no PDF" in (folder / put_away("refused", b"PK\x03\x04 no pdf")[1]).read_text("utf-8")
        assert [one.url for one in adapter.quarantine.waiting()] == ["pdf"]
        drop(folder, "the same.pdf", good)
        assert take_folder(adapter, HOME, now()) == FolderBeat(known=1)
        assert counted(adapter)["inbox_item"] == 1


def test_what_was_taken_in_long_ago_leaves_the_folder(
    tmp_path: Path, database_url: str, folder: Path
) -> None:
    with centre_with(tmp_path, database_url, *FOLDER, "done_days = 1").open() as adapter:
        drop(folder, "old.pdf", result_pdf("x"))
        take_folder(adapter, HOME, now())
        drop(folder / "done", "old.pdf", b"%PDF-", age=90_000)
        drop(folder / "done", "new.pdf", b"%PDF-", age=80_000)
        take_folder(adapter, HOME, now())
        assert "done/new.pdf" in lying(folder)
        assert "done/old.pdf" not in lying(folder)
        drop(folder / "refused", "old.pdf", b"no", age=91 * 86_400)
        drop(folder / "refused", "new.pdf", b"no", age=89 * 86_400)
        take_folder(adapter, HOME, now())
        assert ("refused/new.pdf" in lying(folder), "refused/old.pdf" in lying(folder)) == (True, False)


def test_what_cannot_be_moved_is_not_received_again(
    tmp_path: Path, database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipt is written, and a folder of the hospital's making stands where the file should go."""
    with centre_with(tmp_path, database_url, *FOLDER).open() as adapter:
        wrong = b"PK\x03\x04 no pdf"
        drop(folder, "note.docx", wrong)
        blocked = folder / put_away("refused", wrong)[0]
        blocked.mkdir(parents=True)
        time.sleep(0.02)
        for _ in range(3):
            assert take_folder(adapter, HOME, now()).stuck == 1
        assert [one.times for one in adapter.quarantine.waiting()] == [1]
        blocked.rmdir()
        assert take_folder(adapter, HOME, now()) == FolderBeat(known=1)
        assert lying(folder) == sorted(put_away("refused", wrong))
        time.sleep(0.02)
        drop(folder, "note.docx", wrong)
        take_folder(adapter, HOME, now())
        assert [one.times for one in adapter.quarantine.waiting()] == [2], "it was put there again"


def test_nothing_is_kept_of_who_is_t0_now(tmp_path: Path, database_url: str, folder: Path) -> None:
    """By the code on its page alone: no byte of the file shows whom it is of."""
    made = centre_with(tmp_path, database_url, *FOLDER)
    with made.open() as adapter:
        of_duc = result_pdf("Creatinin 104", code=code(adapter, "GT-1"))
        before = result_pdf("Creatinin 98", code=code(adapter, "GT-1"))
        waiting = RefusedRequest(HOME, "POST", PDF_URL, before, 422, (pdf_issue(PdfRefused("broken")),))
        keep_refused(adapter, waiting, now())
    table = tmp_path / "cadres.csv"
    header, duc = "Key;Name;Sex;Date of birth;Tier;Citizen id", page_centre.DUC
    table.write_text(f"{header}\n{duc.key};{duc.name};Nam;12/03/1960;T0;{duc.national_id}\n", "utf-8")
    made.run("import", str(table), "--allow-deletions")
    with made.open() as adapter:
        drop(folder, "later.pdf", of_duc)
        assert take_folder(adapter, HOME, now()) == FolderBeat(refused=1)
        assert lying(folder) == []
        with pytest.raises(PdfRefused, match="keeps no records"):
            add(adapter, of_duc)
        [left] = adapter.quarantine.waiting()
        found = adapter.quarantine.get(left.id)
        assert found is not None
        assert found.body == before
        retry_refused(adapter, found, by="test", now=now())
        assert adapter.quarantine.waiting() == []
        assert counted(adapter)["inbox_item"] == 0


def test_a_link_in_place_of_done_leads_nowhere(tmp_path: Path, database_url: str, folder: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    old = drop(tmp_path / "elsewhere", "old.pdf", b"ours", age=10**7)
    (folder / "done").symlink_to(tmp_path / "elsewhere")
    with centre_with(tmp_path, database_url, *FOLDER).open() as adapter:
        drop(folder, "Trần Thị Lan.pdf", result_pdf("x"))
        with pytest.raises(SettingsError) as caught:
            take_folder(adapter, HOME, now())
        assert "Lan" not in "".join(traceback.format_exception(caught.value))
        assert old.exists()
        (folder / "done").unlink()
        assert take_folder(adapter, HOME, now()) == FolderBeat(taken=1)


_KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.drop_folder import DropFolder
from adapter.pipeline.inbound import pdf_folder
from adapter.settings import load_settings
calls = []
def dies(*_):
    os.kill(os.getpid(), signal.SIGKILL)
def later(*words):
    calls.append(1)
    if len(calls) > 1:
        dies()
    return kept(*words)
kept = DropFolder.put_away
DropFolder.put_away = dies if sys.argv[2] != "second" else later
with Adapter.open(load_settings(Path(sys.argv[1]))) as adapter:
    pdf_folder.take_folder(adapter, "bv-tinh", datetime.now(UTC))
"""


@pytest.mark.parametrize("when", ["first", "second", "refused"])
def test_a_kill_between_storing_and_moving_loses_nothing_and_doubles_nothing(
    tmp_path: Path, database_url: str, folder: Path, when: str
) -> None:
    centre = centre_with(tmp_path, database_url, *FOLDER)
    with centre.open() as adapter:
        for number, key in enumerate(("GT-1", "GT-2")):
            drop(
                folder,
                f"{number}.pdf",
                result_pdf("x", code=code(adapter, key), number=number),
                age=900 - number,
            )
        bad = b"%PDF-1.7 broken"
        drop(folder, "bad.pdf", bad, age=1_000 if when == "refused" else 800)
    words = [sys.executable, "-c", _KILLED, str(centre.settings_file), when]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -9, done.stderr
    assert any(folder.glob("*.pdf")), "it was killed before the end"
    with centre.open() as adapter:
        take_folder(adapter, HOME, now())
        process_inbox(adapter, now)
        assert sorted(str(one.referral) for one in results(adapter)) == ["GT-1", "GT-2"]
        assert counted(adapter)["inbox_item"] == 2
        [refused] = adapter.quarantine.waiting()
        assert refused.times == 1, "what has a receipt is only moved"
    assert [one.partition("/")[0] for one in lying(folder)] == ["done"] * 4 + ["refused"] * 2
    assert put_away("refused", bad)[1] in lying(folder)


def test_a_worker_takes_the_folder_in(tmp_path: Path, database_url: str, folder: Path) -> None:
    centre = centre_with(tmp_path, database_url, *FOLDER)
    with centre.open() as adapter:
        drop(folder, "x.pdf", result_pdf("x", code=code(adapter, "GT-1")))
    centre.run("worker", "--once")
    assert [one.partition("/")[0] for one in lying(folder)] == ["done", "done"]
    assert [
        one["hospital"] for one in json.loads(centre.run("inbox", "--state", "applied", "--json"))["items"]
    ] == [HOME]


def test_what_nobody_picks_up_is_told(tmp_path: Path, database_url: str, folder: Path) -> None:
    with centre_with(tmp_path, database_url, *FOLDER).open() as adapter:
        assert files_left(adapter, HOME, now()).count == 0
        drop(folder, "upload.pdf.part", b"%PDF-")
        assert files_left(adapter, HOME, now()).count == 1
        assert files_left(adapter, OTHER, now()).count == 0
        (folder / "upload.pdf.part").unlink()
        folder.rmdir()
        assert files_left(adapter, HOME, now()) == Backlog(1, None)


# -- made to harm --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not_pdf"),
        (b"PK\x03\x04", "not_pdf"),
        (b"%PDF-1.7\n", "broken"),
        (b"%PDF-1.7\n%" + bytes(10_000_000), "too_large"),
        (locked(result_pdf("x")), "locked"),
    ],
)
def test_what_cannot_be_opened_is_refused_with_what_to_do(data: bytes, why: str) -> None:
    with pytest.raises(PdfRefused) as caught:
        examine_pdf(data)
    assert caught.value.why == why
    assert str(caught.value) != f"pdf.refused_{why}"


def test_a_page_of_any_size_and_a_script_cost_little(adapter: Adapter) -> None:
    begun = time.monotonic()
    for number, data in enumerate(
        (
            with_content(b"", box="0 0 1e9 1e9"),
            with_content(b"", box="0 0 14400 1"),
            result_pdf("x", script="while (true) {}"),
            result_pdf("x", pages=200),
        )
    ):
        added = add(adapter, data)
        assert (added.is_new, added.state) == (True, "unmatched"), number
    assert time.monotonic() - begun < 60


def test_what_takes_too_long_is_ended_and_refused() -> None:
    packed = with_content(b"1 0 0 RG 0 0 m 500 500 l S " * 300_000, packed=True)
    begun = time.monotonic()
    with pytest.raises(PdfRefused) as caught:
        examine_pdf(packed, seconds=0.2)
    assert caught.value.why == "unreadable"
    assert time.monotonic() - begun < 5


def test_what_was_refused_is_tried_again_as_it_came(adapter: Adapter) -> None:
    data = result_pdf("x", code=code(adapter, "GT-2"))
    with pytest.raises(PdfRefused):
        add(adapter, data, referral="GT-1")
    [kept] = adapter.quarantine.waiting()
    whole = adapter.quarantine.get(kept.id)
    assert whole is not None
    left = retry_refused(adapter, whole, by="test", now=now())
    assert left is not None
    assert "another referral" in codec.dumps(left).decode()
    assert len(adapter.quarantine.waiting()) == 1


def test_of_two_hundred_spoilt_documents_each_is_taken_or_refused_and_none_is_lost(
    tmp_path: Path, folder: Path
) -> None:
    with centre_with(tmp_path, f"sqlite:///{tmp_path / 'adapter.db'}", *FOLDER).open() as adapter:
        plain = result_pdf("Creatinin 104", code=code(adapter, "GT-1"))
        whole = signed(plain, Authority().signer("BS Hoa"))
        spoilt = list(dict.fromkeys([*malformed(20261130, 176, plain), *malformed(20261201, 24, whole)]))
        for number, data in enumerate(spoilt):
            drop(folder, f"{number}.pdf", data, age=2_000 - number)
        beats = [take_folder(adapter, HOME, now()) for _ in range(5)]
        taken, known, refused = (
            sum(getattr(one, word) for one in beats) for word in ("taken", "known", "refused")
        )
        assert (taken + refused, known) == (len(spoilt), 0)
        assert min(taken, refused) > 20
        assert counted(adapter)["repository_resource"] == taken
        assert counted(adapter)["refused_request"] == refused
        assert {one.url for one in adapter.quarantine.waiting()} == {"pdf"}
        assert len(lying(folder / "done")) == 2 * taken
        assert len(lying(folder / "refused")) == 2 * refused
