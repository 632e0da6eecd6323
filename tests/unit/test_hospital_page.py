"""Forms of the hospital page, and the resources that come of them."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir.codec import Resource
from adapter.fhir.validation.checker import check_resource
from adapter.mapping.terminology.table_files import load_code_tables
from adapter.records.plausible.ranges import load_ranges
from adapter.referrals.course import take_step
from adapter.referrals.details import details_of
from adapter.referrals.lifecycle import TRANSITIONS, ReferralEvent, ReferralState
from adapter.referrals.reasons import ReferralReason
from adapter.referrals.sayings import saying_of
from adapter.web.hospital_page.actions import EVENTS, PageAction, offered_actions
from adapter.web.hospital_page.answers import (
    LONGEST_PDF,
    AnsweredReferral,
    PageAnswer,
    read_answer,
    resources_of,
)
from adapter.web.hospital_page.corrections import ShownFinding, read_corrections, shown_findings
from adapter.web.hospital_page.measures import PageMeasures, WrongValueError
from adapter.web.hospital_page.rendering import problem_lines
from adapter.web.sent_forms import BadFormError, SentForm, parse_form

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
CODES = Path(__file__).parents[2] / "mappings" / "codes"
ABOUT = AnsweredReferral(
    system="https://cadre-health.example/fhir/sid/record",
    identity="7f3a9c0d5e1b4826a1c0e4d2b7f68935",
    subject="c41e7d90b2a5483f8e6d1f0a9b3c5724",
    code={"text": "Khám tim mạch"},
    hospital="Bệnh viện tỉnh",
)
PDF = b"%PDF-1.7 what it holds"
EVENTS_OF_HOSPITALS = set(ReferralEvent) - {ReferralEvent.SEND, ReferralEvent.ASK_TO_CANCEL}
FIELDS: Mapping[PageAction, Mapping[str, str]] = {
    PageAction.SCHEDULE: {"day": "2026-12-05", "time": "08:30"},
    PageAction.DECLINE: {"reason": "hết giường"},
    PageAction.FINDINGS: {"conclusion": "ổn", "extent": "all"},
}


@pytest.fixture(scope="module")
def measures() -> PageMeasures:
    problems: list[str] = []
    tables = load_code_tables(CODES, problems)
    assert problems == []
    return PageMeasures(tables, load_ranges(CODES))


def answer(
    measures: PageMeasures, action: PageAction, fields: Mapping[str, str], file: bytes | None = None
) -> PageAnswer:
    found = read_answer(action, SentForm(fields, file), measures, NOW)
    assert isinstance(found, PageAnswer), found
    return found


def problems(
    measures: PageMeasures, action: PageAction, fields: Mapping[str, str], file: bytes | None = None
) -> set[tuple[str, str, int]]:
    found = read_answer(action, SentForm(fields, file), measures, NOW)
    assert not isinstance(found, PageAnswer)
    return {(one.field, one.text, one.row) for one in found}


def made(measures: PageMeasures, said: PageAnswer) -> Sequence[Resource]:
    resources = resources_of(said, ABOUT, measures, name="0" * 64, now=NOW)
    for one in resources:
        assert [issue for issue in check_resource(one) if issue.is_error] == [], one
    return resources


@pytest.mark.parametrize(("state", "event"), [one for one in TRANSITIONS if one[1] in EVENTS_OF_HOSPITALS])
def test_each_transition_of_a_hospital_has_a_form_that_says_it(
    measures: PageMeasures, state: ReferralState, event: ReferralEvent
) -> None:
    meant = set()
    for action in (one for one in offered_actions(state) if EVENTS[one]):
        for extent in ("all", "some"):
            said = answer(measures, action, {**FIELDS.get(action, {}), "extent": extent})
            last = made(measures, said)[-1]
            saying = saying_of(last)
            assert saying is not None
            assert take_step(state, saying).after == TRANSITIONS.get((state, said.event), state)
            meant.add(said.event)
    assert event in meant


def test_nothing_is_offered_of_what_is_final_or_ours() -> None:
    for state in (ReferralState.DECLINED, ReferralState.CANCELLED, ReferralState.COMPLETED):
        assert offered_actions(state) == []
    assert offered_actions(ReferralState.RECEIVED) == [PageAction.ACCEPT, PageAction.DECLINE, PageAction.ASK]
    assert PageAction.CONFIRM_CANCELLATION in offered_actions(ReferralState.CANCELLATION_ASKED)


def test_an_appointment_is_a_task_with_its_period_and_the_hospitals_number(measures: PageMeasures) -> None:
    said = answer(measures, PageAction.SCHEDULE, {"day": "05/12/2026", "time": "8h30"})
    about = AnsweredReferral(**{**{n: getattr(ABOUT, n) for n in ABOUT.__slots__}, "number": "BV-77"})
    [task] = resources_of(said, about, measures, name="0" * 64, now=NOW)
    assert [issue for issue in check_resource(task) if issue.is_error] == []
    assert task["executionPeriod"] == {"start": "2026-12-05T08:30:00+07:00"}
    details = details_of(task)
    assert details is not None
    assert details.hospital_number == "BV-77"
    assert (task["status"], task["businessStatus"]["coding"][0]["code"]) == ("in-progress", "5.1.1")
    assert answer(measures, PageAction.SCHEDULE, {"day": "2026-12-05"}).appointment == date(2026, 12, 5)


def test_a_question_is_a_task_that_changes_no_state(measures: PageMeasures) -> None:
    assert problems(measures, PageAction.ASK, {}) == {("reason", "missing", 0)}
    [task] = made(measures, answer(measures, PageAction.ASK, {"reason": "Có dị ứng không?"}))
    details = details_of(task)
    assert details is not None
    assert (saying_of(task), details.question) == (None, "Có dị ứng không?")


@pytest.mark.parametrize(
    ("done", "of", "said"),
    [("4", "10", "4/10"), ("0", "3", "0/3"), ("", "", None), ("5", "4", ""), ("4", "", "")],
)
def test_how_many_of_a_series_are_done(measures: PageMeasures, done: str, of: str, said: str | None) -> None:
    """Where `said` is empty it is refused."""
    fields = {"done": done, "of": of}
    if said == "":
        assert problems(measures, PageAction.VISIT_DONE, fields) == {("progress", "no_progress", 0)}
        return
    [task] = made(measures, answer(measures, PageAction.VISIT_DONE, fields))
    details = details_of(task)
    assert (details and details.progress) == said


def _why(measures: PageMeasures, label: str) -> str:
    """What is wrong with a value that nothing has; "" where nothing is."""
    try:
        measures.read(label, "?", "")
    except WrongValueError as error:
        return error.why
    return ""


def test_a_name_that_two_measures_have_is_not_guessed(measures: PageMeasures) -> None:
    """Glucose is looked for in blood and in urine."""
    for name in ("Glucose", "Hemoglobin"):
        fields = {"measure-1": name, "value-1": "7,8", "extent": "all"}
        assert problems(measures, PageAction.FINDINGS, fields) == {("measure", "bad_measure", 1)}
    labels = [label for language in ("vi", "en") for label in measures.labels(language)]
    assert [label for label in labels if _why(measures, label) == "measure"] == []
    assert "Glucose (mmol/L)" in measures.labels("en")
    assert measures.read("Glucose (mmol/L)", "7,8", "").measure == "BIO-GLU"


def sent(measures: PageMeasures) -> Sequence[ShownFinding]:
    """Two values and a conclusion, as a clerk sent them."""
    fields = {"measure-1": "Creatinin", "value-1": "98,5", "measure-2": "VS-BP", "value-2": "130/85"}
    fields |= {"conclusion": "ổn định", "extent": "all"}
    return shown_findings(made(measures, answer(measures, PageAction.FINDINGS, fields))[:-1], measures)


def corrected(
    measures: PageMeasures, findings: Sequence[ShownFinding], changes: Mapping[str, str]
) -> tuple[Sequence[Resource], set[tuple[str, str, int]]]:
    fields = {
        f"{name}-{row}": text
        for row, one in enumerate(findings, 1)
        for name, text in (("id", one.mark), ("value", one.value), ("unit", one.unit))
    }
    resources, wrong = read_corrections(SentForm({**fields, **changes}), findings, measures, NOW)
    assert [issue for one in resources for issue in check_resource(one) if issue.is_error] == []
    return resources, {(one.field, one.text, one.row) for one in wrong}


def test_what_was_sent_is_shown_as_it_was_written(measures: PageMeasures) -> None:
    assert [(one.name, one.value, one.unit) for one in sent(measures)] == [
        ("Creatinin", "98.5", "µmol/L"), ("Huyết áp", "130/85", "mmHg"), ("Khám tim mạch", "ổn định", ""),
    ]  # fmt: skip


def test_a_correction_is_the_next_version_of_what_it_corrects(measures: PageMeasures) -> None:
    findings = sent(measures)
    [one], wrong = corrected(measures, findings, {"value-1": "89,5"})
    assert (wrong, one["id"], one["status"]) == (set(), findings[0].resource["id"], "corrected")
    assert one["valueQuantity"]["value"] == Decimal("89.5")
    assert {"basedOn", "subject", "effectiveDateTime"} <= one.keys()
    [pressure], _ = corrected(measures, findings, {"value-2": "120/80"})
    assert [each["valueQuantity"]["value"] for each in pressure["component"]] == [120, 80]
    [report], _ = corrected(measures, findings, {"value-3": "tăng huyết áp"})
    assert (report["status"], report["conclusion"]) == ("corrected", "tăng huyết áp")
    [gone], _ = corrected(measures, findings, {"withdrawn-2": "1"})
    assert (gone["status"], gone["id"]) == ("entered-in-error", findings[1].resource["id"])


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, ("correction", "nothing_changed", 0)),
        ({"id-1": "0" * 32}, ("correction", "moved", 0)),
        ({"value-1": "cao"}, ("value", "bad_value", 1)),
        ({"value-2": "1300/85"}, ("value", "bad_range", 2)),
        ({"value-3": ""}, ("value", "bad_value", 3)),
    ],
)
def test_a_correction_that_is_none(
    measures: PageMeasures, changes: Mapping[str, str], wrong: tuple[str, str, int]
) -> None:
    assert corrected(measures, sent(measures), changes) == ([], {wrong})


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, {("day", "missing", 0)}),
        ({"day": "31/02/2027"}, {("day", "no_day", 0)}),
        ({"day": "2026-11-29"}, {("day", "not_ahead", 0)}),
        ({"day": "2036-11-29"}, {("day", "not_ahead", 0)}),
        ({"day": "2026-12-05", "time": "25:00"}, {("time", "no_time", 0)}),
        ({"day": "5 tháng 12"}, {("day", "no_day", 0)}),
    ],
)
def test_an_appointment_that_is_none(
    measures: PageMeasures, fields: dict[str, str], wrong: set[tuple[str, str, int]]
) -> None:
    assert problems(measures, PageAction.SCHEDULE, fields) == wrong


def test_a_decline_has_its_reason(measures: PageMeasures) -> None:
    assert problems(measures, PageAction.DECLINE, {}) == {("why", "no_choice", 0)}
    assert problems(measures, PageAction.DECLINE, {"reason": "x" * 501}) == {("reason", "too_long", 0)}
    assert problems(measures, PageAction.DECLINE, {"why": "other"}) == {("reason", "missing", 0)}
    assert problems(measures, PageAction.DECLINE, {"why": "referred-onward"}) == {("onward", "missing", 0)}
    assert problems(measures, PageAction.DECLINE, {"why": "done"}) == {("why", "no_choice", 0)}
    passed_on = {"why": "referred-onward", "onward": "Bệnh viện Bạch Mai"}
    [task] = made(measures, answer(measures, PageAction.DECLINE, passed_on))
    details = details_of(task)
    assert details is not None
    assert (details.reason_code, details.onward) == (ReferralReason.REFERRED_ONWARD, "Bệnh viện Bạch Mai")
    [task] = made(measures, answer(measures, PageAction.DECLINE, {"reason": "hết\n giường"}))
    assert (task["status"], task["statusReason"]) == ("rejected", {"text": "hết giường"})


def findings(measures: PageMeasures, *rows: tuple[str, str, str], **more: str) -> list[Resource]:
    fields = {"extent": "all", **more}
    for place, row in enumerate(rows, 1):
        fields |= {
            f"{name}-{place}": cell for name, cell in zip(("measure", "value", "unit"), row, strict=True)
        }
    return list(made(measures, answer(measures, PageAction.FINDINGS, fields)))


@pytest.mark.parametrize(
    ("row", "value"),
    [
        (("Creatinin (µmol/L)", "88,5", ""), {"value": Decimal("88.5"), "unit": "µmol/L", "code": "umol/L"}),
        (("bio-crea", "88.50", "umol/L"), {"value": Decimal("88.50"), "unit": "umol/L", "code": "umol/L"}),
        (("Creatinine (µmol/L)", "<30", ""), {"comparator": "<", "value": 30, "code": "umol/L"}),
    ],
)
def test_a_value_is_read_as_it_was_written(
    measures: PageMeasures, row: tuple[str, str, str], value: dict[str, Any]
) -> None:
    observation, report, task = findings(measures, row)
    assert value.items() <= observation["valueQuantity"].items()
    assert {one["code"] for one in observation["code"]["coding"]} == {"BIO-CREA", "14682-9"}
    assert report["result"] == [{"reference": f"Observation/{observation['id']}"}]
    assert (report["status"], report["code"]) == ("final", ABOUT.code)
    assert task["businessStatus"]["coding"][0]["code"] == "7.0"


def test_a_blood_pressure_has_its_two_numbers(measures: PageMeasures) -> None:
    observation = findings(measures, ("Huyết áp", "120/80", ""))[0]
    assert [str(one["valueQuantity"]["value"]) for one in observation["component"]] == ["120", "80"]


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (("Phép đo lạ", "5", ""), ("measure", "bad_measure", 1)),
        (("Creatinin", "", ""), ("value", "bad_value", 1)),
        (("Creatinin", "cao", ""), ("value", "bad_value", 1)),
        (("Creatinin", "88", "kg"), ("unit", "bad_unit", 1)),
        (("Creatinin", "1.200.000", ""), ("value", "bad_value", 1)),
        (("Creatinin", "0,9", ""), ("value", "bad_range", 1)),  # mg/dL
        (("Huyết áp", "120", ""), ("value", "bad_value", 1)),
        (("Creatinin", "8" * 201, ""), ("value", "too_long", 1)),
    ],
)
def test_a_row_that_cannot_be(
    measures: PageMeasures, row: tuple[str, str, str], wrong: tuple[str, str, int]
) -> None:
    fields = dict(zip(("measure-1", "value-1", "unit-1"), row, strict=True)) | {"extent": "all"}
    assert problems(measures, PageAction.FINDINGS, fields) == {wrong}


def test_findings_need_something_and_say_whether_they_are_all(measures: PageMeasures) -> None:
    assert problems(measures, PageAction.FINDINGS, {}) == {
        ("conclusion", "nothing_found", 0),
        ("extent", "missing", 0),
    }
    some = answer(measures, PageAction.FINDINGS, {"conclusion": "còn chờ", "extent": "some"})
    [report] = made(measures, some)
    assert (report["status"], report["conclusion"], some.event) == (
        "preliminary", "còn chờ", ReferralEvent.INTERIM_NOTE,
    )  # fmt: skip


def test_a_pdf_is_one_and_is_not_too_large(measures: PageMeasures) -> None:
    fields = {"extent": "all"}
    report, _ = made(measures, answer(measures, PageAction.FINDINGS, fields, PDF))
    [form] = report["presentedForm"]
    assert (form["contentType"], "title" in form) == ("application/pdf", False)
    for file, text in ((b"PK\x03\x04", "no_pdf"), (PDF + bytes(LONGEST_PDF), "too_large")):
        assert problems(measures, PageAction.FINDINGS, fields, file) == {("pdf", text, 0)}


def test_every_measure_can_be_found_by_its_label(measures: PageMeasures) -> None:
    for language in ("vi", "en"):
        labels = measures.labels(language)
        assert len(labels) > 100
        for label in labels:
            with pytest.raises(WrongValueError) as wrong:
                measures.read(label, "", "")
            assert wrong.value.why == "value"


def test_what_is_wrong_with_a_form_is_said_in_both_languages(measures: PageMeasures) -> None:
    fields = {"measure-3": "Creatinin", "value-3": "0,9", "examined": "mai"}
    found = read_answer(PageAction.FINDINGS, SentForm(fields, b"PK"), measures, NOW)
    assert not isinstance(found, PageAnswer)
    assert len(found) == 4
    for language, row in (("vi", "Giá trị, dòng 3: "), ("en", "Value, row 3: ")):
        lines = problem_lines(found, language)
        assert [line for line in lines if "page." in line] == []
        assert [line for line in lines if line.startswith(row) and "µmol/L" in line]


def multipart(*parts: tuple[str, bytes], boundary: str = "xyz") -> tuple[str, bytes]:
    """`parts`: what stands behind `form-data`, and the content."""
    lines = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
        for head, content in parts
    )
    return f"multipart/form-data; boundary={boundary}", lines + f"--{boundary}--\r\n".encode()


def test_a_file_is_as_it_was_and_its_name_is_not_looked_at() -> None:
    content = PDF + b"\r\n--xy\r\n\r\n--" + bytes(range(256))
    form = parse_form(
        *multipart(
            ('name="conclusion"', "ổn\r\nthật".encode()),
            ('name="pdf"; filename="Nguyễn Văn A.pdf"\r\nContent-Type: application/pdf', content),
        )
    )
    assert form == SentForm({"conclusion": "ổn\nthật"}, content)
    none_chosen = parse_form(*multipart(('name="pdf"; filename=""', b"")))
    assert none_chosen == SentForm({}, None)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=xyz", b"--xyz\r\n"),
        ("multipart/form-data; boundary=xyz", b"junk--xyz--"),
        multipart(('name="A B"', b"")),
        multipart(('name="a"', b"\xff")),
        multipart(('name="a"', b"1"), ('name="a"', b"2")),
        multipart(('name="a"; filename="x"', b"1"), ('name="b"; filename="x"', b"2")),
        multipart(*((f'name="a-{n}"', b"") for n in range(201))),
        multipart(('name="a"', b"a" * 100_000)),
        ("application/x-www-form-urlencoded", "ổ=1".encode()),
        ("application/x-www-form-urlencoded", b"a=%ff"),
        ("application/x-www-form-urlencoded", b"a=%1b%5b2J"),
        ("application/x-www-form-urlencoded", b"a=1&a=2"),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % n for n in range(300))),
    ],
)
def test_what_is_no_form_of_ours(kind: str, body: bytes) -> None:
    with pytest.raises(BadFormError):
        parse_form(kind, body)


def test_no_bytes_do_anything_else_than_be_a_form_or_none() -> None:
    chance = random.Random(26)  # noqa: S311 - damage, no secret
    kind, whole = multipart(('name="a"', b"1"), ('name="pdf"; filename="x"', PDF))
    outcomes = set()
    for _ in range(2_000):
        body = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(body))
            body[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        try:
            outcomes.add(type(parse_form(kind, bytes(body))))
        except BadFormError:
            outcomes.add(BadFormError)
    assert outcomes == {SentForm, BadFormError}


def test_a_form_that_is_sent_twice_has_one_name_and_another_content_another() -> None:
    form = SentForm({"a": "1", "b": "2"}, PDF)
    assert form.digest("bv") == SentForm({"b": "2", "a": "1"}, PDF).digest("bv")
    others = (SentForm({"a": "1", "b": "3"}, PDF), SentForm({"a": "1", "b": "2"}), SentForm({"a": "1"}, PDF))
    assert len({one.digest("bv") for one in (form, *others)} | {form.digest("other")}) == 5
