"""The policy as shipped, and the guard over text: what must not leave does not."""

from pathlib import Path

import pytest

from adapter.disclosure.files import load_policy
from adapter.disclosure.policy import Facts, Form, Policy, Reason, parse
from adapter.disclosure.pseudonym import Guard, labelled, pseudonymised
from adapter.errors import MappingError

POLICY = load_policy(Path("mappings/disclosure.yaml"))
EVERYTHING = POLICY.rules("bv-tinh", "provincial")
REFERRAL = POLICY.rules("bv-trung-uong", "central")
SYSTEM = "https://centre.test/sid"


@pytest.mark.parametrize(
    ("tier", "form", "reason"),
    [
        ("T0", None, Reason.TIER_REFUSED),
        ("T1", None, Reason.TIER_HELD),
        ("T2", Form.PSEUDONYM, None),
        ("T3", Form.PSEUDONYM, None),
        ("T4", Form.FULL, None),
        ("T5", Form.FULL, None),
        ("T6", None, Reason.TIER_HELD),
        ("", None, Reason.TIER_HELD),
    ],
)
def test_tiers(tier: str, form: Form | None, reason: Reason | None) -> None:
    decision = EVERYTHING.decide(Facts("visit", tier))
    assert (decision.form, decision.reason) == (form, reason)


def test_a_hospital_that_no_line_names_gets_nothing() -> None:
    closed = POLICY.model_copy(update={"levels": {}}).rules("elsewhere", "central")
    assert closed.decide(Facts("visit", "T5", needed=True)).reason is Reason.HOSPITAL_CLOSED


def test_referral_scope_gives_only_what_is_needed() -> None:
    assert REFERRAL.decide(Facts("measurement", "T5")).reason is Reason.NOT_NEEDED
    assert REFERRAL.decide(Facts("measurement", "T5", needed=True)).allowed


def test_a_referral_goes_only_to_the_hospital_it_is_addressed_to() -> None:
    facts = Facts("referral", "T5", addressee="bv-trung-uong", needed=True)
    assert EVERYTHING.decide(facts).reason is Reason.OTHER_HOSPITAL
    assert REFERRAL.decide(facts).allowed


@pytest.mark.parametrize(
    ("facts", "group"),
    [
        (Facts("measurement", "T5", measure="SER-HIV"), "hiv"),
        (Facts("referral", "T5", icd10="F32.1"), "mental"),
        (Facts("referral", "T5", icd10="N80.0"), "reproductive"),
        (Facts("referral", "T5", icd10="B23"), "hiv"),
    ],
)
def test_sensitive_groups_need_consent_and_carry_a_label(facts: Facts, group: str) -> None:
    assert EVERYTHING.decide(facts).reason is Reason.NO_CONSENT
    consenting = Facts(facts.kind, "T5", (group,), measure=facts.measure, icd10=facts.icd10)
    decision = EVERYTHING.decide(consenting)
    assert decision.allowed
    assert decision.label == "R"


def test_other_codes_need_no_consent() -> None:
    for code in ("E11.9", "N18.3", "B18.1", "Z00.0"):
        assert EVERYTHING.decide(Facts("referral", "T5", icd10=code)).label == "N"


def test_a_health_class_never_leaves_even_as_a_measurement() -> None:
    assert EVERYTHING.decide(Facts("measurement", "T5", measure="CLS-CADRE")).reason is Reason.NEVER_LEAVES


def test_a_hospitals_own_line_cannot_open_what_is_refused() -> None:
    data = POLICY.model_dump(mode="json")
    data["hospitals"]["bv-tinh"]["tiers"] = {"T0": "full", "T1": "full"}
    rules = parse(data, where="test").rules("bv-tinh", "provincial")
    assert rules.decide(Facts("cadre", "T0")).reason is Reason.TIER_REFUSED
    assert rules.decide(Facts("cadre", "T1")).allowed


PATIENT = {
    "resourceType": "Patient",
    "identifier": [
        {"system": SYSTEM, "value": "0123456789abcdef0123456789abcdef"},
        {"system": "urn:citizen", "value": "024056001234"},
    ],
    "name": [{"text": "Nguyễn Văn An", "family": "Nguyễn"}],
    "telecom": [{"system": "phone", "value": "0912345678"}],
    "gender": "male",
    "birthDate": "1956-03-02",
    "address": [{"text": "Số 1, phường Kinh Bắc"}],
    "photo": [{"url": "x"}],
}


def test_a_pseudonym_keeps_an_allow_list_and_nothing_else() -> None:
    left = pseudonymised(PATIENT, SYSTEM)
    assert left == {
        "resourceType": "Patient",
        "identifier": [{"system": SYSTEM, "value": "0123456789abcdef0123456789abcdef"}],
        "name": [{"use": "anonymous", "text": "BN-0123456789"}],
        "gender": "male",
        "birthDate": "1956",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Bệnh nhân NGUYỄN VĂN AN đau ngực", Reason.TEXT_IDENTIFIES),
        ("CCCD 024056001234", Reason.TEXT_IDENTIFIES),
        ("Nguyên phó giám đốc Sở Xây dựng", Reason.TEXT_CLASSIFIES),
        ("Cán bộ diện Tỉnh ủy quản lý", Reason.TEXT_CLASSIFIES),
        ("Sức khỏe loại B1", Reason.TEXT_CLASSIFIES),
        ("Phân loại sức khỏe: III", Reason.TEXT_CLASSIFIES),
        ("Đau ngực khi gắng sức, tăng huyết áp độ 2", None),
    ],
)
def test_the_guard_reads_every_text(text: str, reason: Reason | None) -> None:
    resource = {"resourceType": "ServiceRequest", "note": [{"text": text}]}
    found = Guard(POLICY).reason(
        resource,
        secrets=("Phó Giám đốc Sở Xây dựng",),
        identity=("Nguyễn Văn An", "024056001234"),
    )
    assert found is reason


def test_the_label_stands_in_meta_security() -> None:
    label = labelled({"resourceType": "Patient", "id": "x"}, "R")["meta"]["security"][0]
    assert label["code"] == "R"
    assert label["system"].endswith("v3-Confidentiality")


def test_every_mistake_in_a_policy_is_named() -> None:
    with pytest.raises(MappingError) as caught:
        parse({"tiers": {"T1": "open"}, "levles": {}, "never": {"fields": ["tier"]}}, where="disclosure.yaml")
    assert len(caught.value.problems) == 2
    assert any("levles" in problem for problem in caught.value.problems)
    assert any("tiers.T1" in problem for problem in caught.value.problems)


def test_a_broken_phrase_is_named() -> None:
    with pytest.raises(MappingError) as caught:
        parse({"tiers": {}, "never": {"fields": ["tier"], "phrases": ["(a"]}}, where="disclosure.yaml")
    assert "phrases" in caught.value.problems[0]


def test_the_shipped_policy_keeps_the_fields_that_never_leave() -> None:
    assert isinstance(POLICY, Policy)
    assert set(POLICY.never.fields) == {"tier", "position", "health_class", "cadre_class"}
