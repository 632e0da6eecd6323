"""What a hospital's Task says besides its state: the reason as a code, onward, questions, progress."""

from decimal import Decimal
from typing import Any

import pytest

from adapter.hl7v2.conversion import convert_message
from adapter.hl7v2.message import parse_header, parse_message
from adapter.hl7v2.sender import SenderConventions
from adapter.records.model import Referral
from adapter.records.referral_answers import answered
from adapter.referrals.details import ONWARD, PROGRESS, TaskDetails, details_of
from adapter.referrals.lifecycle import ReferralState
from adapter.referrals.reasons import REASON_SYSTEM, ReferralReason, reason_of, reason_word
from adapter.referrals.sayings import saying_of

R = ReferralReason
REFERRAL = Referral(
    key="GT-1", cadre="CB-1", hospital="bv-tinh", service="WORKUP-CARD", ordered_at="2026-11-02"
)


def task(**more: Any) -> dict[str, Any]:
    return {"resourceType": "Task", "status": "rejected", "intent": "order", **more}


def reason(code: object, system: object = REASON_SYSTEM, **more: str) -> dict[str, Any]:
    return {"statusReason": {"coding": [{"system": system, "code": code}], **more}}


def output(code: str, **value: Any) -> dict[str, Any]:
    return {"type": {"coding": [{"system": REASON_SYSTEM, "code": code}]}, **value}


@pytest.mark.parametrize(
    ("system", "code", "meant"),
    [
        (REASON_SYSTEM, "not-entitled", R.NOT_ENTITLED),
        ("http://hl7.org/fhir/task-status-reason", "personnel-issue", R.NO_CAPACITY),
        ("http://snomed.info/sct", "397709008", R.DIED),
        ("urn:his:reasons", "not-entitled", None),
        (REASON_SYSTEM, "17", None),
        (None, 5, None),
        (["x"], "died", None),
    ],
)
def test_a_reason_is_a_code_of_ours_or_one_that_is_known(
    system: object, code: object, meant: ReferralReason | None
) -> None:
    assert reason_of(reason(code, system)["statusReason"]) is meant


@pytest.mark.parametrize("concept", [None, "died", {"coding": "died"}, {"coding": [None, 3]}])
def test_what_is_no_concept_is_no_reason(concept: object) -> None:
    assert reason_of(concept) is None


def test_the_words_stand_beside_the_code() -> None:
    found = details_of(task(**reason("no-capacity", text="máy hỏng")))
    assert found == TaskDetails(reason="máy hỏng", reason_code=R.NO_CAPACITY)


def test_the_next_hospital_has_a_name() -> None:
    named = output(ONWARD, valueReference={"display": "Bệnh viện Bạch Mai"})
    found = details_of(task(**reason("referred-onward"), output=[{"type": {}}, named]))
    assert found == TaskDetails(reason_code=R.REFERRED_ONWARD, onward="Bệnh viện Bạch Mai")


@pytest.mark.parametrize(
    ("done", "all_", "progress"),
    [
        (Decimal(4), Decimal(10), "4/10"),
        (0, 10, "0/10"),
        (Decimal("NaN"), 10, None),
        (Decimal("1.5"), 3, None),
        (5, 3, None),
        (0, 0, None),
        (True, 3, None),
        (-1, 3, None),
        ("4", 10, None),
    ],
)
def test_progress_is_two_counts(done: object, all_: object, progress: str | None) -> None:
    ratio = {"numerator": {"value": done}, "denominator": {"value": all_}}
    found = details_of(task(output=[output(PROGRESS, valueRatio=ratio)]))
    assert (found and found.progress) == progress


def test_a_question_accepts_nothing_and_is_no_reason() -> None:
    asking = task(**reason("awaiting-information", text="Có dùng thuốc chống đông không?"))
    asking["status"] = "on-hold"
    assert saying_of(asking) is None
    assert saying_of(task(status="on-hold")) is not None
    assert details_of(asking) == TaskDetails(question="Có dùng thuốc chống đông không?")


def test_a_new_state_has_its_own_reason_or_none() -> None:
    """What was said of the state before does not stand beside the next one."""
    said = task(
        status="in-progress",
        businessStatus={
            "coding": [
                {"system": "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS", "code": "5.1.1"}
            ]
        },
    )
    before = REFERRAL.model_copy(
        update={"state": ReferralState.NO_SHOW, "said": "không liên lạc được", "reason_code": R.NO_SHOW}
    )
    after = answered(before, saying_of(said), details_of(said), by=None, at=None)
    assert (after.state, after.said, after.reason_code) == (ReferralState.SCHEDULED, None, None)
    kept = answered(before, None, details_of(task(status="on-hold", **reason("died"))), by=None, at=None)
    assert (kept.said, kept.reason_code) == ("không liên lạc được", R.DIED)


@pytest.mark.parametrize(
    ("field", "code", "text"),
    [
        ("REFUSED_BY_PERSON^Không muốn mổ^L", "refused-by-person", "Không muốn mổ"),
        ("not-entitled", "not-entitled", None),
        ("17^Hết giường^L", None, "Hết giường"),
    ],
)
def test_in_a_message_it_is_orc_16(field: str, code: str | None, text: str | None) -> None:
    header = "MSH|^~\\&|HIS|BVT|ADAPTER|CENTRE|20261102150500||ORR^O02|1|P|2.5||||||UNICODE UTF-8"
    order = f"ORC|UA|{'ab' * 16}|BA-77|||||||||||||{field}"
    data = "\r".join((header, "PID|1", order, "")).encode()
    conventions = SenderConventions("https://cadre-health.example/fhir/sid/record", "http://10.0.0.7/fhir")
    bundle = convert_message(parse_message(data, parse_header(data), "utf-8"), conventions).bundle
    [found] = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Task"]
    coded = reason_of(found["statusReason"])
    assert (coded and coded.value, found["statusReason"].get("text")) == (code, text)


@pytest.mark.parametrize("word", ["died", "DIED", " Referred Onward ", "NOT_ENTITLED"])
def test_a_word_of_a_message_is_read_whatever_its_case(word: str) -> None:
    assert reason_word(word) is not None
    assert reason_word("dead") is None
