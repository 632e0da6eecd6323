"""From the inbox into the record: real stores, only the ledger's look-ups are a table of the test."""

import subprocess
import sys
from collections.abc import Collection
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from inbox_centre import CCCD, NOW, OURS, Centre, Directory, receive_changes
from sqlalchemy import Connection, Engine, event, select, text, update

from adapter.audit import verify_chain
from adapter.database import read_transaction, write_transaction
from adapter.errors import UsageError
from adapter.fhir import codec
from adapter.inbox import processing
from adapter.inbox.tables import inbox_item
from adapter.pipeline.inbound.erasure import erase_everywhere
from adapter.records.erasure import erase_person
from adapter.records.hidden_words import HiddenWords
from adapter.records.importing import importer
from adapter.records.model import Fulfilment, Referral
from adapter.records.tables import record
from adapter.repository import store as repository_store
from adapter.repository import tables
from adapter.repository.repository import Repository

REPORT = [{"system": "urn:his:report", "value": "17"}]


@pytest.fixture
def centre(engine: Engine) -> Centre:
    return Centre(engine)


def _report(status: str = "final", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "identifier": REPORT,
        "status": status,
        "code": {"text": "Siêu âm tim"},
        "basedOn": [{"identifier": {"system": OURS, "value": "idref1"}}],
        **more,
    }


def test_a_report_completes_its_referral(centre: Centre) -> None:
    item = centre.send(_report(conclusion="Bình thường", issued="2026-11-01T15:00:00+07:00"))
    assert (item.state, item.cadre, item.referral) == ("applied", "CB-1", "GT-1")
    [result] = centre.results()
    assert (result.key, result.cadre, result.conclusion) == (item.result_key, "CB-1", "Bình thường")
    referral = centre.referral("GT-1")
    assert (referral.fulfilment, referral.fulfilled_by) == (Fulfilment.COMPLETED, item.result_key)
    assert referral.fulfilled_at == datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
    assert centre.referral("GT-2").fulfilment is Fulfilment.NONE
    assert verify_chain(centre.engine) is None


def test_an_observation_alone_is_only_a_beginning(centre: Centre) -> None:
    centre.send(
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"text": "Glucose"},
            "basedOn": [{"reference": "https://bv-tinh.example/fhir/ServiceRequest/71"}],
        }
    )
    assert centre.referral("GT-1").fulfilment is Fulfilment.IN_PROGRESS


def test_an_id_of_another_server_means_nothing(centre: Centre) -> None:
    item = centre.send(_report(basedOn=[{"reference": "https://somewhere.example/fhir/ServiceRequest/71"}]))
    assert (item.state, item.reasons) == ("unmatched", ("referral-unknown",))


def test_the_patient_that_came_along_is_read(centre: Centre) -> None:
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": CCCD, "value": "024055000111"}],
        "name": [{"text": "NGUYỄN VĂN AN"}],
    }
    centre.receive(patient, "p1")
    report = _report(subject={"reference": "Patient/p1"})
    del report["basedOn"]
    assert centre.send(report).cadre == "CB-1"


def test_a_subject_that_differs_waits(centre: Centre) -> None:
    item = centre.send(_report(subject={"identifier": {"system": OURS, "value": "idbinh"}}))
    assert (item.state, item.reasons) == ("unmatched", ("subject-differs",))
    assert [one.cadre for one in item.candidates] == ["CB-1", "CB-2"]
    assert centre.results() == []
    assert centre.referral("GT-1").fulfilment is Fulfilment.NONE


STRANGER = {
    "resourceType": "Patient",
    "id": "p",
    "name": [{"text": "Hoàng Thị Mai"}],
    "birthDate": "1999-01-01",
}
CB_1 = {"resourceType": "Patient", "id": "p", "name": [{"text": "NGUYEN VAN AN"}], "birthDate": "1955-03-14"}
PSEUDONYM = {"use": "anonymous", "text": "BN-00000000A1"}


def _with(system: str, value: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p", "identifier": [{"system": system, "value": value}], **more}


@pytest.mark.parametrize("contained", [True, False])
@pytest.mark.parametrize(
    ("patient", "reasons"),
    [
        (STRANGER, ("name-differs", "birth-date-differs")),
        ({**CB_1, "birthDate": "1955-03-15"}, ("birth-date-differs",)),
        ({**CB_1, "name": [{"text": "BN-00000000B2"}]}, ("name-differs",)),
        (_with(CCCD, "001099999999"), ("person-unknown",)),
        (_with(OURS, "f" * 32), ("person-unknown",)),
        (_with(OURS, "f" * 32, name=CB_1["name"]), ("person-unknown",)),
        (_with(OURS, "idan", name=STRANGER["name"]), ("name-differs",)),
    ],
)
def test_a_patient_who_contradicts_the_referral_waits(
    centre: Centre, patient: dict[str, Any], reasons: tuple[str, ...], contained: bool
) -> None:
    more: dict[str, Any] = {"contained": [patient]} if contained else {}
    if not contained:
        centre.receive(patient, "p")
    item = centre.send(_report(subject={"reference": "#p" if contained else "Patient/p"}, **more))
    assert (item.state, item.reasons) == ("unmatched", reasons)
    assert centre.results() == []


@pytest.mark.parametrize(
    "patient",
    [
        CB_1,
        {**CB_1, "birthDate": "1955"},
        {"resourceType": "Patient", "id": "p", "name": [PSEUDONYM], "birthDate": "1955"},
        _with(OURS, "idan", name=[PSEUDONYM], birthDate="1955-01-01"),
        {"resourceType": "Patient", "id": "p", "name": [{"use": "anonymous", "text": "Ẩn danh"}]},
        _with("urn:his:mrn", "77"),
        {
            **CB_1,
            "identifier": [{"system": CCCD, "value": "001099999999"}, {"system": OURS, "value": "idan"}],
        },
    ],
)
def test_a_patient_who_agrees_with_the_referral_is_no_conflict(
    centre: Centre, patient: dict[str, Any]
) -> None:
    item = centre.send(_report(contained=[patient], subject={"reference": "#p"}))
    assert (item.state, item.cadre, item.reasons) == ("applied", "CB-1", ())


@pytest.mark.parametrize(
    ("id_", "state", "reasons"),
    [
        ("51", "applied", ()),
        ("52", "unmatched", ("subject-differs",)),
        ("own-id-of-the-hospital", "applied", ()),
    ],
)
def test_an_id_of_the_hospital_counts_where_it_is_known(
    centre: Centre, id_: str, state: str, reasons: tuple[str, ...]
) -> None:
    item = centre.send(_report(subject={"reference": f"Patient/{id_}"}))
    assert (item.state, item.reasons) == (state, reasons)


def test_an_identity_of_ours_does_not_overrule_another_name(centre: Centre) -> None:
    report = _report(contained=[_with(OURS, "idan", **STRANGER | {"resourceType": "Patient"})])
    del report["basedOn"]
    assert centre.send({**report, "subject": {"reference": "#p"}}).reasons == (
        "name-differs",
        "birth-date-differs",
    )


def test_a_person_who_left_gets_no_result(centre: Centre) -> None:
    report = _report(subject={"identifier": {"system": OURS, "value": "idan"}}, identifier=[])
    del report["basedOn"]
    linked = {**report, "subject": {"display": "?"}}
    centre.link(centre.send(linked, "r1").id, "CB-1")
    with write_transaction(
        centre.engine
    ) as connection:  # as the import leaves them: the referral hangs on, the ledger too
        connection.execute(update(record).where(record.c.key == "CB-1").values(deleted=True, body=None))
    before = centre.results()
    later = {**linked, "conclusion": "later"}
    for number, resource in enumerate(
        (_report(), report, {**report, "subject": {"reference": "Patient/51"}})
    ):
        item = centre.send(resource, f"n{number}")
        assert item.state == "unmatched"
        assert "person-unknown" in item.reasons or "referral-unknown" in item.reasons
    assert centre.send(later, "r1").reasons == ("person-unknown",)
    assert centre.results() == before
    with pytest.raises(LookupError):
        centre.store.save_result(before[0].model_copy(update={"conclusion": "x"}))


def test_an_import_tells_who_may_not_be_kept(centre: Centre, tmp_path: Path) -> None:
    item = centre.send(_report(conclusion="Bí mật"))
    people = tmp_path / "Cán bộ.csv"
    people.write_text(
        "Mã cán bộ;Họ và tên;Giới tính;Ngày sinh;Diện quản lý\n"
        "CB-1;Nguyễn Văn An;Nam;14/03/1955;T0\nCB-2;Trần Thị Bình;Nữ;01/07/1960;T5\n",
        "utf-8",
    )
    importer.run_import(
        centre.engine,
        [people],
        max_deletions_percent=100,
        known_hospitals=frozenset({"bv-tinh"}),
        now=NOW,
        on_scrub=partial(erase_everywhere, now=NOW),
    )
    emptied = centre.item(item.id)
    assert (emptied.body, emptied.state, emptied.reasons) == ("{}", "ignored", ("erased",))
    if centre.engine.dialect.name == "sqlite":
        folder = Path(str(centre.engine.url.database)).parent
        assert not any("Bí mật".encode() in file.read_bytes() for file in folder.iterdir() if file.is_file())


def test_of_a_person_who_may_not_be_kept_nothing_stays(centre: Centre) -> None:
    repository_store.create_tables(centre.engine)
    repository = Repository(centre.engine, on_changes=partial(receive_changes, now=NOW))
    for system, value, words in (("idref1", "1", "Bí mật"), ("idref2", "2", "Công khai")):
        patient = repository.create("bv-tinh", {"resourceType": "Patient", "address": [{"text": words}]})
        report = _report(
            identifier=[{"system": "urn:his:report", "value": f"{words} {value}"}],
            basedOn=[{"identifier": {"system": OURS, "value": system}}],
            subject={"reference": f"Patient/{patient.id}"},
            conclusion=words,
        )
        made = repository.create("bv-tinh", report)
        repository.update("bv-tinh", {**report, "id": made.id, "status": "corrected"})
    assert centre.process() == {"applied": 4}
    with write_transaction(centre.engine) as connection:
        erase_everywhere(connection, [erase_person(connection, "CB-1", HiddenWords())], now=NOW)
    with read_transaction(centre.engine) as connection:
        kept = ""
        for table in (inbox_item, *tables.TABLES):
            rows = connection.execute(select(table)).all()
            kept += "".join(
                value.decode() if isinstance(value, bytes) else str(value) for row in rows for value in row
            )
        states = connection.execute(select(inbox_item.c.state).order_by(inbox_item.c.id)).scalars().all()
    assert "Bí mật" not in kept
    assert kept.count("Công khai") > 4
    assert list(states) == ["ignored"] * 3 + ["ignored", "applied", "applied"]
    assert centre.inbox.get(2) is not None
    with pytest.raises(UsageError):
        centre.link(2, "CB-2")


def test_a_referral_to_another_hospital_waits(centre: Centre) -> None:
    item = centre.send(_report(), hospital="bv-trung-uong")
    assert item.reasons == ("referral-of-another-hospital",)


def test_the_same_delivery_twice_adds_nothing(centre: Centre) -> None:
    first = centre.send(_report())
    position = centre.store.newest_position()
    assert centre.send(_report(), "r2").id == first.id
    assert centre.process() == {}
    assert centre.store.newest_position() == position


def test_a_correction_replaces_and_a_late_preliminary_does_not(centre: Centre) -> None:
    centre.send(_report(conclusion="A"))
    corrected = centre.send(_report("corrected", conclusion="B"))
    late = centre.send(_report("preliminary", conclusion="?"))
    assert (late.state, late.reasons) == ("ignored", ("older-status",))
    assert corrected.state == "applied"
    assert [result.conclusion for result in centre.results()] == ["B"]


def test_two_values_under_one_number_are_two_results(centre: Centre) -> None:
    def value(code: str, status: str = "final") -> dict[str, Any]:
        return _report(status, resourceType="Observation", code={"text": code}, valueString=code)

    centre.receive(value("Na"), "r1")
    centre.receive(value("K"), "r2")
    assert centre.process() == {"applied": 2}
    assert len({result.key for result in centre.results()}) == 2
    centre.send(value("Na", "amended"), "r3")  # a version: the same number and code
    centre.send(value("Kali", "corrected"), "r2")  # a version: the same resource
    assert sorted(str(codec.loads(result.resource)["valueString"]) for result in centre.results()) == [
        "Kali",
        "Na",
    ]
    assert sorted(result.status for result in centre.results()) == ["amended", "corrected"]


def test_an_older_issue_never_replaces_a_newer_one(centre: Centre) -> None:
    centre.send(_report(conclusion="new", issued="2026-11-02T09:00:00+07:00"))
    late = centre.send(_report(conclusion="old", issued="2026-11-02T01:59:59Z"))
    assert late.reasons == ("older-issue",)
    assert [result.conclusion for result in centre.results()] == ["new"]


def test_withdrawn_results_say_so(centre: Centre) -> None:
    centre.send(_report(issued="2026-11-01T09:00:00+07:00"))
    assert centre.referral("GT-1").fulfilment is Fulfilment.COMPLETED
    centre.send(_report("entered-in-error", issued="2026-11-01T09:00:00+07:00"))
    assert [result.status for result in centre.results()] == ["entered-in-error"]
    referral = centre.referral("GT-1")
    assert (referral.fulfilment, referral.fulfilled_at, referral.fulfilled_by) == (
        Fulfilment.NONE,
        None,
        None,
    )


def test_a_withdrawal_opens_no_referral_that_another_result_completed(centre: Centre) -> None:
    centre.send(_report(conclusion="stays"))
    other = [{"system": "urn:his:report", "value": "18"}]
    centre.send(_report(identifier=other), "r2")
    centre.send(_report("entered-in-error", identifier=other), "r2")
    assert centre.referral("GT-1").fulfilment is Fulfilment.COMPLETED


@pytest.mark.parametrize("taken_away", ["withdrawn", "unlinked"])
@pytest.mark.parametrize(
    ("status", "left"),
    [
        ("corrected", Fulfilment.COMPLETED),
        ("preliminary", Fulfilment.IN_PROGRESS),
        ("entered-in-error", Fulfilment.NONE),
        ("unknown", Fulfilment.NONE),
    ],
)
def test_where_the_answer_goes_another_result_of_the_referral_answers_it(
    centre: Centre, status: str, left: Fulfilment, taken_away: str
) -> None:
    item = centre.send(_report(conclusion="goes"))
    other = [{"system": "urn:his:report", "value": "18"}]
    centre.send(_report("final" if status != "preliminary" else status, identifier=other), "r2")
    if status != "preliminary":
        centre.send(_report(status, identifier=other, conclusion="stays"), "r2")
    if taken_away == "withdrawn":
        centre.send(_report("entered-in-error"))
    else:
        centre.unlink(item.id)
    referral = centre.referral("GT-1")
    answering = next(one.key for one in centre.results() if one.status == status)
    assert (referral.fulfilment, referral.fulfilled_by) == (left, answering if left != "none" else None)
    assert centre.referral("GT-2").fulfilment is Fulfilment.NONE


def test_an_identity_reused_for_another_person_waits(centre: Centre) -> None:
    centre.send(_report())
    item = centre.send(_report(basedOn=[{"identifier": {"value": "idref2"}}]))
    assert item.reasons == ("belongs-to-another",)
    assert [result.cadre for result in centre.results()] == ["CB-1"]


def test_task_updates_move_the_referral_and_make_no_result(centre: Centre) -> None:
    task = {
        "resourceType": "Task",
        "status": "accepted",
        "focus": {"reference": "ServiceRequest/71"},
    }
    assert centre.send(task).state == "applied"
    assert centre.referral("GT-1").fulfilment is Fulfilment.IN_PROGRESS
    centre.send({**task, "status": "completed"})
    assert centre.referral("GT-1").fulfilment is Fulfilment.COMPLETED
    assert centre.results() == []


def test_a_referral_that_becomes_known_later_is_tried_again(centre: Centre) -> None:
    item = centre.send(_report(basedOn=[{"reference": "ServiceRequest/72"}]))
    assert item.state == "unmatched"
    directory = Directory(centre.store, remote_referrals={"72": "GT-2"})
    centre.process(again=True, directory_of=lambda _: directory)
    assert centre.item(item.id).referral == "GT-2"


def test_linking_by_a_person_and_undoing_it(centre: Centre) -> None:
    report = _report(basedOn=[{"display": "giấy chuyển tay"}])
    item = centre.send(report)
    assert centre.link(item.id, "CB-2", "GT-2") == "linked"
    assert centre.referral("GT-2").fulfilment is Fulfilment.COMPLETED
    assert centre.link(item.id, "CB-1", "GT-1") == "linked"
    assert [result.cadre for result in centre.results()] == ["CB-1"]
    assert centre.referral("GT-2").fulfilment is Fulfilment.NONE
    centre.unlink(item.id)
    assert centre.results() == []
    assert centre.referral("GT-1").fulfilment is Fulfilment.NONE
    assert centre.item(item.id).reasons == ("unlinked",)
    assert centre.process(again=True) == {}
    with read_transaction(centre.engine) as connection:
        rows = connection.execute(text("SELECT actor, action FROM audit ORDER BY seq")).all()
    assert [tuple(row) for row in rows] == [
        ("bs.hoa", "inbox.linked"),
        ("bs.hoa", "inbox.linked"),
        ("bs.hoa", "inbox.unlinked"),
    ]


def test_a_correction_follows_what_a_person_decided(centre: Centre) -> None:
    report = _report(basedOn=[{"display": "giấy chuyển tay"}])
    centre.link(centre.send(report).id, "CB-2", "GT-2")
    assert centre.send({**report, "conclusion": "sửa"}).cadre == "CB-2"
    assert [result.conclusion for result in centre.results()] == ["sửa"]


def test_a_linked_item_takes_the_referral_that_it_names(centre: Centre) -> None:
    item = centre.send(_report(subject={"identifier": {"system": OURS, "value": "idbinh"}}))
    assert centre.link(item.id, "CB-1") == "linked"
    assert centre.item(item.id).referral == "GT-1"


@pytest.mark.parametrize(
    ("item", "cadre", "referral", "error"),
    [
        (99, "CB-1", None, "inbox.no_item"),
        (1, "CB-9", None, "inbox.no_cadre"),
        (1, "CB-1", "GT-2", "inbox.no_referral"),
        (1, "CB-1", "GT-9", "inbox.no_referral"),
        (2, "CB-1", None, "inbox.not_a_result"),
        (3, "CB-1", None, "inbox.needs_referral"),
    ],
)
def test_links_that_cannot_be(
    centre: Centre, item: int, cadre: str, referral: str | None, error: str
) -> None:
    centre.send(_report(basedOn=[]))
    centre.send({"resourceType": "Patient"}, "p1")
    centre.send({"resourceType": "Task", "status": "completed"}, "t1")
    with pytest.raises(UsageError) as raised:
        centre.link(item, cadre, referral)
    assert raised.value.text == error


def test_one_bad_item_delays_no_other(centre: Centre) -> None:
    bad = centre.receive({"resourceType": "Task", "status": "completed"}, "t1", hospital="bv-lạ")
    good = centre.receive(_report())

    def directory_of(hospital: str) -> Directory:
        if hospital != "bv-tinh":
            raise KeyError(hospital)
        return centre.directory(hospital)

    assert centre.process(directory_of=directory_of) == {"failed": 1, "applied": 1}
    assert centre.item(good).state == "applied"
    now = NOW
    for minutes in (0.5, 2, 8, 32):
        soon, now = now + timedelta(minutes=minutes - 0.1), now + timedelta(minutes=minutes)
        assert centre.process(directory_of=directory_of, now=soon) == {}, "not five times at once"
        assert centre.item(bad).state == "new"
        assert centre.process(directory_of=directory_of, now=now) == {"failed": 1}
    assert centre.item(bad).reasons == ("processing-failed",)
    assert centre.process(directory_of=directory_of, now=now + timedelta(days=9)) == {}, "a person must look"


def test_two_processes_at_once_apply_each_item_once(centre: Centre) -> None:
    for number in range(20):
        identifier = [{"system": "urn:his:report", "value": str(number)}]
        centre.receive(_report(identifier=identifier, conclusion=str(number)), f"r{number}")
    barrier = Barrier(2)

    def work() -> None:
        barrier.wait()
        centre.process()

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert centre.inbox.counts()["applied"] == 20
    assert len(centre.results()) == 20
    with read_transaction(centre.engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM audit")).scalar() == 20
    assert verify_chain(centre.engine) is None


_KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
import inbox_centre as t
from adapter.database import open_database
from adapter.records.store import RecordStore

class Dying(t.Records):
    def advance(self, *args, **more):
        os.kill(os.getpid(), signal.SIGKILL)

engine = open_database(sys.argv[1])
store, queue = RecordStore(engine), t.InboxQueue(engine)
t.processing.process_due(
    queue, t.InboxStore(engine), lambda name: t.Directory(store, name), Dying(store), lambda: t.NOW
)
"""


def test_killed_in_the_middle_nothing_is_half_done(centre: Centre, database_url: str) -> None:
    number = centre.receive(_report())
    here = str(Path(__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", _KILLED, database_url, here], check=False, timeout=60)
    assert done.returncode == -9
    assert centre.results() == []
    assert centre.item(number).state == "new"
    assert centre.process() == {"applied": 1}
    assert len(centre.results()) == 1
    assert centre.referral("GT-1").fulfilment is Fulfilment.COMPLETED


def _task(status: str, **content: Any) -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "status": status,
        "focus": {"reference": "ServiceRequest/71"},
        **content,
    }


@pytest.mark.parametrize("taken_away", ["withdrawn", "unlinked"])
@pytest.mark.parametrize(
    ("said", "left"),
    [
        (["accepted"], Fulfilment.IN_PROGRESS),
        (["accepted", "rejected"], Fulfilment.FAILED),
        (["rejected", "accepted"], Fulfilment.FAILED),  # declined is final
        (["requested"], Fulfilment.NONE),
        ([], Fulfilment.NONE),
    ],
)
def test_where_the_answer_goes_what_a_task_said_counts_again(
    centre: Centre, said: list[str], left: Fulfilment, taken_away: str
) -> None:
    for status in said:
        centre.send(_task(status), "t1")
    item = centre.send(_report(conclusion="goes"))
    answered = left if left is Fulfilment.FAILED else Fulfilment.COMPLETED
    assert centre.referral("GT-1").fulfilment is answered
    if taken_away == "withdrawn":
        centre.send(_report("entered-in-error"))
    else:
        centre.unlink(item.id)
    referral = centre.referral("GT-1")
    assert (referral.fulfilment, referral.fulfilled_by) == (left, None)


def test_a_task_that_is_taken_back_says_nothing_any_more(centre: Centre) -> None:
    centre.send(_task("accepted", lastModified="2026-11-01T09:00:00+07:00"), "t1")
    rejected = centre.send(_task("rejected", identifier=[{"system": "urn:his", "value": "2"}]), "t2")
    assert centre.referral("GT-1").fulfilment is Fulfilment.FAILED
    centre.unlink(rejected.id)
    assert centre.referral("GT-1").fulfilment is Fulfilment.IN_PROGRESS
    centre.send(_report())
    centre.unlink(1)
    assert centre.referral("GT-1").fulfilment is Fulfilment.COMPLETED


def test_a_task_that_is_linked_to_another_referral_leaves_the_first(centre: Centre) -> None:
    centre.add(Referral(key="GT-3", cadre="CB-1", hospital="bv-tinh", service="WORKUP-CARD", ordered_at=NOW))
    item = centre.send(_task("completed"), "t1")
    centre.link(item.id, "CB-1", "GT-3")
    assert centre.referral("GT-1").fulfilment is Fulfilment.NONE
    assert centre.referral("GT-3").fulfilment is Fulfilment.COMPLETED


def _own(status: str = "final", **content: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": status,
        "code": {"text": "Creatinin"},
        "subject": {"identifier": {"system": OURS, "value": "idan"}},
        "identifier": [{"system": OURS, "value": "0f" * 16}],
        "valueString": "104",
        **content,
    }


@pytest.mark.parametrize(
    ("sent", "state", "reasons"),
    [
        (_own(), "ignored", ("own",)),
        (_own(identifier=[*REPORT, {"value": "0F" * 16}]), "ignored", ("own",)),
        (_own(identifier=[{"system": "urn:his", "value": f"urn:uuid:{'0f' * 16}"}]), "ignored", ("own",)),
        (_own("preliminary"), "ignored", ("own",)),
        (_own("corrected"), "unmatched", ("own-revised",)),
        (_own("entered-in-error", valueString=None), "unmatched", ("own-revised",)),
        (_own(identifier=[{"system": OURS, "value": "0e" * 16}]), "applied", ()),
        (_own(resourceType="DiagnosticReport", valueString=None), "applied", ()),
    ],
)
def test_what_the_centre_itself_had_sent_is_no_result(
    centre: Centre, sent: dict[str, Any], state: str, reasons: tuple[str, ...]
) -> None:
    item = centre.send({name: one for name, one in sent.items() if one is not None})
    assert (item.state, item.reasons) == (state, reasons)
    assert len(centre.results()) == (1 if state == "applied" else 0)


def _unsaid(identifier: list[dict[str, str]]) -> dict[str, Any]:
    """A result that does not say whose it is."""
    return {name: one for name, one in _own(identifier=identifier).items() if name != "subject"}


def test_a_result_that_waits_is_looked_at_again_when_a_report_lists_it(centre: Centre) -> None:
    waiting = centre.send(_unsaid(REPORT), "o1")
    taken_back = centre.send(_own(identifier=[{"system": "urn:x", "value": "2"}]), "o2")
    centre.unlink(taken_back.id)
    other = centre.send(_unsaid([{"system": "urn:x", "value": "3"}]), "o3")
    assert [centre.item(one.id).state for one in (waiting, taken_back, other)] == ["unmatched"] * 3
    listed = [{"reference": "Observation/o1"}, {"reference": "Observation/o2"}]
    centre.send(_report(result=listed))
    assert centre.item(waiting.id).cadre == "CB-1"
    assert [centre.item(one.id).state for one in (taken_back, other)] == ["unmatched"] * 2
    centre.send(_report("corrected", result=listed))  # it says nothing new of them
    assert centre.item(taken_back.id).reasons == ("unlinked",)


@pytest.mark.parametrize("number", ["17", "18"])
def test_a_measurement_may_be_cancelled_that_was_never_sent(centre: Centre, number: str) -> None:
    """Of another code under the number of a result, or of the code of a result under another number."""
    said = {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]}
    centre.send(_own(identifier=REPORT, code=said), "o1")
    other = {"coding": [{"system": "http://loinc.org", "code": "2951-2"}]} if number == "17" else said
    cancelled = _own("cancelled", identifier=[{**REPORT[0], "value": number}], code=other)
    assert centre.send(cancelled, "o2").state == "applied"
    assert sorted(one.status for one in centre.results()) == ["cancelled", "final"]


def test_what_comes_while_an_item_is_read_is_not_missed(centre: Centre) -> None:
    patient = {
        "resourceType": "Patient",
        "identifier": [{"system": CCCD, "value": "024055000111"}],
        "name": [{"text": "Nguyễn Văn An"}],
    }

    class Interrupted(Directory):
        """In the middle of the first look the Patient comes that the result names."""

        def cadres_by_remote_id(self, ids: Collection[str]) -> dict[str, str]:
            if centre.count("inbox_item") == 1:
                centre.receive(patient, "p9")
            return super().cadres_by_remote_id(ids)

    number = centre.receive(_own(identifier=REPORT, subject={"reference": "Patient/p9"}), "o1")
    centre.process(directory_of=lambda hospital: Interrupted(centre.store, hospital))
    assert centre.item(number).cadre == "CB-1"


def test_an_item_is_read_in_one_transaction(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Connection] = []
    event.listen(centre.engine, "begin", begun.append)

    def transactions(number: str) -> int:
        centre.receive(_report(identifier=[{"system": "urn:his", "value": number}]), number)
        begun.clear()
        assert centre.process() == {"applied": 1}
        return len(begun)

    together = transactions("1")
    monkeypatch.setattr(processing, "shared_read_transaction", lambda _: nullcontext())
    assert together <= transactions("2") - 3
