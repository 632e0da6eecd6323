"""Each referral as one line: where it stands, what is waited for, what the centre does about it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import inbox_centre
import pytest
from ledger_books import START, Books, wish
from sqlalchemy import Engine, update

from adapter.database import write_transaction
from adapter.errors import Outdated, UsageError
from adapter.insights.problems import Problem, current_problems
from adapter.insights.referrals import referral_course, referral_line, referral_lines
from adapter.ledger.schema.states import EntryEvent
from adapter.ledger.schema.values import DeliveryOutcome
from adapter.operations.operation import Operation, OperationContext
from adapter.operations.referrals import AcknowledgeReferral, AnswerReferral, CancelReferral, NoteCall
from adapter.pipeline.application import Adapter
from adapter.records.model import Referral
from adapter.records.referral_answers import asked_to_cancel
from adapter.records.tables import record
from adapter.referrals.lifecycle import BUSINESS_STATUS_SYSTEM, ReferralState, business_status
from adapter.referrals.reasons import REASON_SYSTEM, ReferralReason
from adapter.referrals.sayings import task_status
from adapter.settings import AlarmSettings, HospitalSettings, Settings
from adapter.testing import Centre

DAY = timedelta(days=1)
NAME = "bv-tinh"
FILLER = "http://terminology.hl7.org/CodeSystem/v2-0203"
FIRST, SECOND = (wish(key, type_="ServiceRequest") for key in ("GT-1", "GT-2"))


@pytest.fixture
def people(engine: Engine) -> inbox_centre.Centre:
    return inbox_centre.Centre(engine)


@pytest.fixture
def adapter(engine: Engine, tmp_path: Path) -> Adapter:
    (tmp_path / "identity.key").write_text("0123456789abcdef" * 4)
    settings = Settings(
        identity_key=f"file:{tmp_path / 'identity.key'}",
        hospitals={NAME: HospitalSettings(display=NAME, level="provincial", base_url="http://hospital.test")},
        alarm=AlarmSettings(disk_free_mb=0),
    )
    settings._folder = tmp_path
    (tmp_path / "data").mkdir()
    return Adapter(settings, engine)


@pytest.fixture
def books(engine: Engine) -> Books:
    """Both referrals are at the hospital since START."""
    books = Books(engine, NAME)
    books.wish(FIRST, SECOND)
    lease = books.claim()
    books.start(lease, FIRST, SECOND)
    books.settle(
        lease,
        *(DeliveryOutcome(one.identity, EntryEvent.CONFIRM, remote_id=one.key) for one in (FIRST, SECOND)),
    )
    books.give_back(lease)
    books.ledger.hospitals.record_success(NAME, books.now)
    return books


def told(adapter: Adapter, books: Books) -> dict[str, Problem]:
    """Of what is late, by what is waited for."""
    return {one.cause: one for one in current_problems(adapter, books.now) if one.code == "late"}


def late(adapter: Adapter, books: Books) -> dict[str, str | None]:
    lines = referral_lines(adapter, [NAME], books.now)
    return {one.referral: one.waits_for for one in lines if one.is_late}


def answer(identity: str, type_: str = "DiagnosticReport", status: str = "final") -> dict[str, Any]:
    return {
        "resourceType": type_,
        "identifier": [{"system": "urn:his:report", "value": identity}],
        "status": status,
        "code": {"text": "Siêu âm tim"},
        "basedOn": [{"identifier": {"system": inbox_centre.OURS, "value": identity}}],
    }


def task(identity: str, code: str, **more: Any) -> dict[str, Any]:
    """A hospital's Task with a business status."""
    coding = {"system": BUSINESS_STATUS_SYSTEM, "code": code}
    state = next(one for one in ReferralState if business_status(one) == code)
    return {
        "resourceType": "Task",
        "intent": "order",
        "identifier": [{"system": "urn:his:task", "value": f"T-{identity}"}],
        "status": task_status(state),
        "businessStatus": {"coding": [coding]},
        "focus": {"identifier": {"system": inbox_centre.OURS, "value": identity}},
        **more,
    }


def say(people: inbox_centre.Centre, books: Books, resource: dict[str, Any], id_: str) -> None:
    people.receive(resource, id_, now=books.now)
    people.process(now=books.now)


def test_each_state_has_its_clock_and_is_told_when_it_has_run_out(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    books.now += 6 * DAY
    assert told(adapter, books) == {}
    books.now += 2 * DAY
    problem = told(adapter, books)["not-accepted"]
    assert (problem.count, problem.command) == (2, f"adapter referral list {NAME} --late")
    assert problem.since is not None
    assert problem.since - START - 7 * DAY < timedelta(minutes=1)

    say(people, books, task("idref1", "3.0"), "t1")
    assert late(adapter, books) == {"GT-2": "not-accepted"}
    books.now += 15 * DAY
    assert late(adapter, books) == {"GT-1": "not-scheduled", "GT-2": "not-accepted"}
    day = (books.now + 5 * DAY).date()
    say(people, books, task("idref1", "5.1.1", executionPeriod={"start": str(day)}), "t1")
    books.now += 7 * DAY
    assert late(adapter, books) == {"GT-2": "not-accepted"}, "the appointment is three days ago at most"
    books.now += 3 * DAY
    assert late(adapter, books)["GT-1"] == "not-heard-of"
    say(people, books, task("idref1", "5.1.4"), "t1")
    say(people, books, answer("idref2"), "r2")
    books.now += 15 * DAY
    assert late(adapter, books) == {"GT-1": "no-outcome", "GT-2": "not-acknowledged"}
    say(people, books, answer("idref1"), "r1")
    assert people.referral("GT-1").state is ReferralState.COMPLETED


def test_a_new_version_of_a_referral_does_not_begin_the_waiting_anew(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    books.now += 5 * DAY
    newer = wish("GT-1", "v2", type_="ServiceRequest")
    books.wish(newer, SECOND)
    books.send(newer)
    books.now += 3 * DAY
    assert told(adapter, books)["not-accepted"].count == 2


def test_one_whose_new_version_is_under_way_or_refused_is_still_there(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    books.now += 31 * DAY
    newer = wish("GT-1", "v2", type_="ServiceRequest")
    books.wish(newer, SECOND)
    assert late(adapter, books).keys() == {"GT-1", "GT-2"}
    books.send(newer, event=EntryEvent.REFUSE, reason="refused")
    assert late(adapter, books).keys() == {"GT-1", "GT-2"}


def test_one_that_was_taken_back_and_sent_again_begins_anew(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    books.now += 20 * DAY
    books.wish(SECOND)
    books.send(FIRST, event=EntryEvent.GONE)
    assert {one.referral: one.state for one in referral_lines(adapter, [NAME], books.now)} == {
        "GT-1": ReferralState.DRAFT,
        "GT-2": ReferralState.RECEIVED,
    } | dict.fromkeys(drafts(people), ReferralState.DRAFT)
    books.wish(FIRST, SECOND)
    books.send(FIRST)
    books.now += 2 * DAY
    assert late(adapter, books).keys() == {"GT-2"}


def drafts(people: inbox_centre.Centre) -> set[str]:
    """Referrals to the hospital that are not there."""
    found = people.store.iterate("referral")
    return {one.key for one in found if isinstance(one, Referral) and one.hospital == NAME} - {"GT-1", "GT-2"}


def test_what_is_no_longer_wanted_or_never_arrived_is_not_waited_for(
    people: inbox_centre.Centre, adapter: Adapter, engine: Engine
) -> None:
    books = Books(engine, NAME)
    books.wish(FIRST, SECOND)
    books.send(FIRST)
    referral = people.referral("GT-1")
    books.now += 31 * DAY
    assert late(adapter, books) == {"GT-1": "not-accepted"}
    revoked = referral.model_copy(update={"status": "revoked"}).model_dump_json()
    with write_transaction(engine) as connection:
        connection.execute(update(record).where(record.c.key == "GT-1").values(body=revoked))
    assert late(adapter, books) == {}


def act(adapter: Adapter, books: Books, operation: Operation[Any, Any]) -> Any:
    context = OperationContext(adapter, "cli:an", lambda: books.now)
    return operation.perform(context, operation.preview(context).version)


def test_one_that_the_hospital_has_not_begun_is_cancelled_at_once(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    people.send(task("idref1", "3.0"), "t1")
    done = act(adapter, books, CancelReferral("GT-1", "khỏi bệnh"))
    assert (done.state, done.waits_for) == (ReferralState.CANCELLED, None)
    assert people.referral("GT-1").cancel_reason == "khỏi bệnh"
    with pytest.raises(UsageError, match="at its end"):
        act(adapter, books, CancelReferral("GT-1", "khỏi bệnh"))


@pytest.mark.parametrize("late_outcome", [True, False])
def test_from_then_on_the_hospital_confirms_and_a_late_outcome_completes(
    people: inbox_centre.Centre, adapter: Adapter, books: Books, late_outcome: bool
) -> None:
    for code in ("3.0", "5.1.1"):
        people.send(task("idref1", code), "t1")
    done = act(adapter, books, CancelReferral("GT-1", "khám nơi khác"))
    assert (done.state, done.waits_for) == (ReferralState.CANCELLATION_ASKED, "not-cancelled")
    with pytest.raises(UsageError, match="asked for already"):
        act(adapter, books, CancelReferral("GT-1", "khám nơi khác"))
    if late_outcome:
        people.send(answer("idref1"), "r1")
        assert people.referral("GT-1").state is ReferralState.COMPLETED
        withdrawn = answer("idref1", status="entered-in-error")
        people.send(withdrawn, "r1")
        assert people.referral("GT-1").state is ReferralState.CANCELLATION_ASKED, "as we had asked"
    else:
        people.send(task("idref1", "6.0"), "t1")
        assert people.referral("GT-1").state is ReferralState.CANCELLED


def test_an_outcome_that_came_between_leaves_no_asking_behind(
    people: inbox_centre.Centre, adapter: Adapter
) -> None:
    """Who asks decides on what he saw; what is written goes by how the referral stands in the transaction."""
    people.send(answer("idref1"), "r1")
    before = people.referral("GT-1")
    assert not adapter.records.amend_referral("GT-1", lambda one: asked_to_cancel(one, START, "khỏi bệnh"))
    assert people.referral("GT-1") == before
    assert before.cancel_asked_at is None


def test_a_doctor_has_seen_what_came_back(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    with pytest.raises(UsageError, match="Nothing has completed"):
        act(adapter, books, AcknowledgeReferral("GT-1"))
    people.send(answer("idref1"), "r1")
    operation = AcknowledgeReferral("GT-1")
    before = operation.look(OperationContext(adapter, "cli:an", lambda: books.now))
    line = act(adapter, books, operation)
    assert (line.acknowledged_by, line.waits_for) == ("cli:an", None)
    back = operation.undo(before)
    assert back is not None
    assert act(adapter, books, back).waits_for == "not-acknowledged"


def test_a_call_is_noted_with_who_and_when_and_goes_with_nobody_elses_answer(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    call = NoteCall("GT-1")
    line = act(adapter, books, call)
    assert (line.called_by, line.called_at, line.waits_for) == ("cli:an", books.now, "not-accepted")
    assert people.referral("GT-2").called_at is None
    seen = call.preview(OperationContext(adapter, "cli:an", lambda: books.now))
    people.send(task("idref1", "3.0"), "t1")
    with pytest.raises(Outdated):  # the hospital has accepted meanwhile: no need to call
        call.perform(OperationContext(adapter, "cli:binh", lambda: books.now), seen.version)
    assert referral_line(adapter, "GT-1", books.now).called_by == "cli:an"
    with pytest.raises(UsageError):
        act(adapter, books, NoteCall("GT-none"))


def test_what_fits_nowhere_is_kept_and_shown_as_odd(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    number = {"type": {"coding": [{"system": FILLER, "code": "FILL"}]}, "value": "BV-77"}
    why = {"text": "không có bảo hiểm"}
    for code, more in (("3.0", {}), ("4.0", {"statusReason": why}), ("5.1.1", {})):
        identifiers = [{"system": "urn:his:task", "value": "T-idref1"}, number]
        people.send(task("idref1", code, identifier=identifiers, **more), "t1")
    found = referral_course(adapter, "GT-1", books.now)
    assert (found.line.state, found.line.said) == (ReferralState.DECLINED, "không có bảo hiểm")
    assert found.line.hospital_number == "BV-77"
    assert [(one.status, one.is_odd) for one in found.moments] == [
        ("accept", False), ("decline", False), ("schedule", True),
    ]  # fmt: skip


def reason(code: str, text: str) -> dict[str, Any]:
    return {"coding": [{"system": REASON_SYSTEM, "code": code}], "text": text}


def asking(question: str, books: Books) -> dict[str, Any]:
    said = task("idref1", "2.0", statusReason=reason("awaiting-information", question), status="on-hold")
    said["lastModified"] = books.now.isoformat()
    return {name: value for name, value in said.items() if name != "businessStatus"}


def test_what_the_hospital_asks_stops_its_clock_until_it_is_answered(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    with pytest.raises(UsageError, match="asked nothing"):
        act(adapter, books, AnswerReferral("GT-1", "không"))
    books.now += DAY
    say(people, books, asking("Có dùng thuốc chống đông không?", books), "t1")
    found = people.referral("GT-1")
    assert (found.state, found.question) == (ReferralState.RECEIVED, "Có dùng thuốc chống đông không?")
    books.now += 3 * DAY
    assert late(adapter, books) == {"GT-1": "not-answered"}
    line = act(adapter, books, AnswerReferral("GT-1", "không"))
    assert (line.answer, line.answered_by, line.waits_for) == ("không", "cli:an", "not-accepted")
    assert line.due == books.now + 7 * DAY, "it has its whole time since it was answered"
    say(people, books, asking("Có dùng thuốc chống đông không?", books), "t1")
    assert people.referral("GT-1").open_since is None, "what is said again is not asked again"
    books.now += DAY
    say(people, books, asking("Chức năng thận?", books), "t1")
    assert people.referral("GT-1").open_since == books.now


def test_an_answer_outlives_a_result_that_is_withdrawn(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    say(people, books, asking("Chức năng thận?", books), "t1")
    act(adapter, books, AnswerReferral("GT-1", "bình thường"))
    people.send(answer("idref1"), "r1")
    people.send(answer("idref1", status="entered-in-error"), "r1")
    found = people.referral("GT-1")
    assert (found.question, found.answer, found.open_since) == ("Chức năng thận?", "bình thường", None)


def test_the_reason_is_in_the_course_and_goes_with_the_state(
    people: inbox_centre.Centre, adapter: Adapter, books: Books
) -> None:
    onward = {
        "type": {"coding": [{"system": REASON_SYSTEM, "code": "referred-onward"}]},
        "valueReference": {"display": "Bệnh viện Bạch Mai"},
    }
    for code, more in (
        ("3.0", {}),
        ("5.1.1", {}),
        ("5.1.2", {"statusReason": reason("no-show", "gọi không nghe")}),
        ("5.1.1", {}),
        ("4.0", {"statusReason": reason("referred-onward", "cần can thiệp"), "output": [onward]}),
    ):
        books.now += DAY
        people.send(task("idref1", code, lastModified=books.now.isoformat(), **more), "t1")
    found = referral_course(adapter, "GT-1", books.now)
    assert [one.reason for one in found.moments] == [
        None, None, ReferralReason.NO_SHOW, None, ReferralReason.REFERRED_ONWARD,
    ]  # fmt: skip
    assert (found.line.reason_code, found.line.onward, found.line.said) == (
        ReferralReason.REFERRED_ONWARD, "Bệnh viện Bạch Mai", "cần can thiệp",
    )  # fmt: skip


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    centre = Centre(tmp_path)
    yield centre
    centre.close()


def test_the_commands(centre: Centre) -> None:
    assert "Nothing is waited for" in centre.run("referral", "list")
    with centre.open() as adapter:
        inbox_centre.Centre(adapter.engine)
        books = Books(adapter.engine, NAME)
        books.now = datetime.now(UTC) - 6 * DAY
        books.wish(FIRST)
        books.send(FIRST)
    facts = centre.run_json("referral", "list", NAME)
    [one] = [one for one in facts["referrals"] if one["referral"] == "GT-1"]
    assert (one["hospital"], one["cadre"], one["state"], one["waits_for"]) == (
        NAME, "CB-1", "received", "not-accepted",
    )  # fmt: skip
    assert "the hospital accepts or declines" in " ".join(centre.run("referral", "list").split())
    assert "No referral is late" in centre.run("referral", "list", "--late")
    assert "bệnh viện nhận" in centre.run("--lang", "vi", "referral", "list")
    assert centre.attempt("referral", "list", "nowhere").returncode == 2
    assert centre.attempt("referral", "show", "nothing").returncode == 2
    assert centre.attempt("referral", "seen", "GT-1").returncode == 2
    refused = centre.attempt("referral", "cancel", "GT-1", "--reason", "khỏi")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    assert "Nothing was changed" in centre.run("referral", "cancel", "GT-1", "--reason", "khỏi", "--dry-run")
    assert "cancelled" in centre.run("referral", "cancel", "GT-1", "--reason", "khỏi", "--yes")
    shown = centre.run("referral", "show", "GT-1")
    assert "khỏi" in shown
    assert "we asked to cancel it" in shown
    with centre.open() as adapter:
        found = adapter.records.get("referral", "GT-1")
        assert isinstance(found, Referral)
        assert found.state is ReferralState.CANCELLED


def test_a_question_is_answered_by_a_command(centre: Centre) -> None:
    with centre.open() as adapter:
        people = inbox_centre.Centre(adapter.engine)
        books = Books(adapter.engine, NAME)
        books.now = datetime.now(UTC) - DAY
        assert "asked nothing" in centre.attempt("referral", "answer", "GT-1", "không").stderr
        say(people, books, asking("Có dùng thuốc chống đông không?", books), "t1")
    shown = " ".join(centre.run("referral", "show", "GT-1").split())
    assert "The hospital asks: Có dùng thuốc chống đông không?" in shown
    assert "adapter referral answer" in shown
    assert centre.attempt("referral", "answer", "GT-1", " ").returncode == 2
    assert centre.attempt("referral", "answer", "GT-1", "x" * 1_001).returncode == 2
    assert "The next sync tells the hospital" in " ".join(
        centre.run("referral", "answer", "GT-1", "Có, warfarin").split()
    )
    line = centre.run_json("referral", "show", "GT-1")["line"]
    assert (line["answer"], line["waits_for"]) == ("Có, warfarin", None)  # no sync was: it is a draft
