"""The policy as shipped, and the guard over text: what must not leave does not."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapter.disclosure.identifying_terms import IdentifyingTerms, PositionTerm
from adapter.disclosure.policy import DisclosureFacts, Policy, WithholdReason, parse_policy
from adapter.disclosure.policy_loader import load_policy
from adapter.disclosure.policy_schema import DisclosureForm
from adapter.disclosure.pseudonymisation import pseudonymised, with_confidentiality_label, without_free_text
from adapter.disclosure.text_guard import ResourceTexts, TextGuard
from adapter.errors import MappingError

POLICY = load_policy(Path("mappings/disclosure.yaml"))
EVERYTHING = POLICY.rules("bv-tinh", "provincial")
REFERRAL = POLICY.rules("bv-trung-uong", "central")
SYSTEM = "https://centre.test/sid"


@pytest.mark.parametrize(
    ("tier", "form", "reason"),
    [
        ("T0", None, WithholdReason.TIER_REFUSED),
        ("T1", None, WithholdReason.TIER_HELD),
        ("T2", DisclosureForm.PSEUDONYM, None),
        ("T3", DisclosureForm.PSEUDONYM, None),
        ("T4", DisclosureForm.FULL, None),
        ("T5", DisclosureForm.FULL, None),
        ("T6", None, WithholdReason.TIER_HELD),
        ("", None, WithholdReason.TIER_HELD),
    ],
)
def test_tiers(tier: str, form: DisclosureForm | None, reason: WithholdReason | None) -> None:
    decision = EVERYTHING.decide(DisclosureFacts("visit", tier, needed=True))
    assert (decision.form, decision.reason) == (form, reason)


def test_a_hospital_that_no_line_names_gets_nothing() -> None:
    closed = POLICY.model_copy(update={"levels": {}}).rules("elsewhere", "central")
    assert closed.decide(DisclosureFacts("visit", "T5", needed=True)).reason is WithholdReason.HOSPITAL_CLOSED


def test_under_a_pseudonym_only_what_is_needed_goes_unless_a_line_opens_it() -> None:
    asked = DisclosureFacts("measurement", "T3")
    assert EVERYTHING.decide(asked).reason is WithholdReason.NOT_NEEDED
    assert EVERYTHING.decide(replace(asked, needed=True)).allowed
    assert EVERYTHING.decide(replace(asked, tier="T4")).allowed
    data = POLICY.model_dump(mode="json")
    for line in ("bv-tinh", "bv-trung-uong"):
        data["hospitals"][line]["pseudonyms"] = "everything"
    opened = parse_policy(data, where="test")
    assert opened.rules("bv-tinh", "provincial").decide(asked).allowed
    # It never opens more than the hospital's share.
    assert opened.rules("bv-trung-uong", "central").decide(asked).reason is WithholdReason.NOT_NEEDED
    data["hospitals"]["bv-tinh"]["pseudonyms"] = "nothing"
    closed = parse_policy(data, where="test").rules("bv-tinh", "provincial")
    assert closed.decide(replace(asked, needed=True)).reason is WithholdReason.HOSPITAL_CLOSED
    assert closed.decide(replace(asked, tier="T4")).allowed


def test_referral_scope_gives_only_what_is_needed() -> None:
    assert REFERRAL.decide(DisclosureFacts("measurement", "T5")).reason is WithholdReason.NOT_NEEDED
    assert REFERRAL.decide(DisclosureFacts("measurement", "T5", needed=True)).allowed


def test_a_referral_goes_only_to_the_hospital_it_is_addressed_to() -> None:
    facts = DisclosureFacts("referral", "T5", addressee="bv-trung-uong", needed=True)
    assert EVERYTHING.decide(facts).reason is WithholdReason.OTHER_HOSPITAL
    assert REFERRAL.decide(facts).allowed


@pytest.mark.parametrize(
    ("facts", "group"),
    [
        (DisclosureFacts("measurement", "T5", measure="SER-HIV"), "hiv"),
        (DisclosureFacts("referral", "T5", icd10="F32.1"), "mental"),
        (DisclosureFacts("referral", "T5", icd10="N80.0"), "reproductive"),
        (DisclosureFacts("referral", "T5", icd10="B23"), "hiv"),
    ],
)
def test_sensitive_groups_need_consent_and_carry_a_label(facts: DisclosureFacts, group: str) -> None:
    assert EVERYTHING.decide(facts).reason is WithholdReason.NO_CONSENT
    consenting = DisclosureFacts(facts.kind, "T5", (group,), measure=facts.measure, icd10=facts.icd10)
    decision = EVERYTHING.decide(consenting)
    assert decision.allowed
    assert decision.label == "R"


def test_other_codes_need_no_consent() -> None:
    for code in ("E11.9", "N18.3", "B18.1", "Z00.0"):
        assert EVERYTHING.decide(DisclosureFacts("referral", "T5", icd10=code)).label == "N"


def test_a_health_class_never_leaves_even_as_a_measurement() -> None:
    assert (
        EVERYTHING.decide(DisclosureFacts("measurement", "T5", measure="CLS-CADRE")).reason
        is WithholdReason.NEVER_LEAVES
    )


def test_a_province_may_open_the_health_classes_for_one_hospital() -> None:
    data = POLICY.model_dump(mode="json")
    data["hospitals"]["bv-tinh"]["open"] = ["health-class"]
    opened = parse_policy(data, where="test").rules("bv-tinh", "provincial")
    assert opened.sealed_fields == {"origin"}
    decision = opened.decide(
        DisclosureFacts("measurement", "T5", measure="CLS-TT14", texts=("Phân loại sức khỏe", "II"))
    )
    assert decision.allowed
    assert decision.label == "R"
    resource = {"resourceType": "Observation", "code": {"text": "Phân loại sức khỏe"}}
    assert TextGuard(opened.phrases).withhold_reason(ResourceTexts.of(resource)) is None
    assert (
        TextGuard(EVERYTHING.phrases).withhold_reason(ResourceTexts.of(resource))
        is WithholdReason.TEXT_CLASSIFIES
    )
    secret = {"resourceType": "Observation", "note": [{"text": "diện Tỉnh ủy quản lý"}]}
    assert (
        TextGuard(opened.phrases).withhold_reason(ResourceTexts.of(secret)) is WithholdReason.TEXT_CLASSIFIES
    )
    central = parse_policy(data, where="test").rules("bv-trung-uong", "central")
    assert "health_class" in central.sealed_fields


def test_the_centre_itself_goes_only_where_it_is_opened() -> None:
    assert EVERYTHING.discloses_centre
    assert not POLICY.rules("bv-trung-uong", "central").discloses_centre
    assert not POLICY.rules("nobody", "none").discloses_centre


def test_a_hospitals_own_line_cannot_open_what_is_refused() -> None:
    data = POLICY.model_dump(mode="json")
    data["tiers"]["T2"] = "refuse"
    data["hospitals"]["bv-tinh"]["tiers"] = {"T2": "full", "T1": "full"}
    rules = parse_policy(data, where="test").rules("bv-tinh", "provincial")
    assert rules.decide(DisclosureFacts("cadre", "T2")).reason is WithholdReason.TIER_REFUSED
    assert rules.decide(DisclosureFacts("cadre", "T1")).allowed


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
        ("Bệnh nhân NGUYỄN VĂN AN đau ngực", WithholdReason.TEXT_IDENTIFIES),
        ("CCCD 024056001234", WithholdReason.TEXT_IDENTIFIES),
        ("Nguyên phó giám đốc Sở Xây dựng", WithholdReason.TEXT_CLASSIFIES),
        ("Cán bộ diện Tỉnh ủy quản lý", WithholdReason.TEXT_CLASSIFIES),
        ("Sức khỏe loại B1", WithholdReason.TEXT_CLASSIFIES),
        ("Phân loại sức khỏe: III", WithholdReason.TEXT_CLASSIFIES),
        ("Đau ngực khi gắng sức, tăng huyết áp độ 2", None),
    ],
)
def test_the_guard_reads_every_text(text: str, reason: WithholdReason | None) -> None:
    assert guarded(text) is reason


@pytest.mark.parametrize(
    "text",
    [
        "Tỉnh uỷ viên",
        "Sức khoẻ loại II",
        "Loại sức khỏe: II",
        "SK loại B1",
        "Xếp loại: B1",
        "PLSK III",
        "diện T2",
        "Ủy viên BCH Đảng bộ tỉnh",
        "Phó CT UBND tỉnh khám lại",
        "Bi thu Huyen uy",
        "SUC KHOE LOAI III",
        "nguyên PGĐ Sở Xây dựng",
        "Dien Tinh uy quan ly",
        "Cán bộ diện TW QL",
        "đối tượng T1",
        "sức khỏe hạng B1",
        "Sức khỏe: B1",
        "KL: loại B1, theo dõi",
        "Phó Chủ tịch tỉnh",
        "Nguyên Chủ tịch xã",
        "Chủ tịch MTTQ huyện",
        "nguyên GĐ sở Tài chính",
        "Trưởng ban Dân vận TU",
        "TUV",
        "UVBTV Tỉnh ủy",
        "UVTW",
        "PBT TT Huyện ủy",
        "ĐBQH khóa XV",
        "nguyên Bộ trưởng",
    ],
)
def test_a_class_or_position_is_found_however_it_is_spelt(text: str) -> None:
    assert guarded(text) is WithholdReason.TEXT_CLASSIFIES


@pytest.mark.parametrize(
    "text",
    [
        "TRAN QUOC HUNG đau ngực",
        "Trần Quốc Hưng",
        "Ông Hưng đau ngực",
        "đ/c Hưng",
        "ong Hung dau nguc",
        "Anh Trần Q. Hưng",
        "T.Q. Hưng",
        "0912 345 678",
        "0912.345.678",
        "+84 912 345 678",
        "CCCD 024 056 001 234",
        "nhà ở số 12 Trần Phú",
        "12 Tran Phu, xa Tan Hoa",
        "thẻ DN 4 24 1047600000",
    ],
)
def test_a_person_is_found_however_the_name_is_written(text: str) -> None:
    assert guarded(text, HUNG) is WithholdReason.TEXT_IDENTIFIES


@pytest.mark.parametrize(
    "text",
    [
        "Trung tâm Bảo vệ, chăm sóc sức khỏe cán bộ",
        "Tăng huyết áp hưng phấn",
        "Loét hành tá tràng, H. pylori dương tính",
        "Không thấy bất thường",
        "Hình ảnh bình thường",
        "2026-03-02T07:45:00+07:00",
        "Phân loại NYHA II",
        "Đái tháo đường loại 2",
        "Phổi BT, thị lực BT, đang điều trị",
        "K phổi GĐ so với trước",
        "Suy thận GĐ số 3",
        "chụp CT tỉnh ngày 3/5",
        "Cán bộ trưởng thành",
        "Bệnh viện trung ương quản lý",
        "khu tập thể Tỉnh ủy",
        "Đau cột sống ngực T4",
        "Sức khỏe: 5 ngày nay mệt",
    ],
)
def test_ordinary_words_are_not_taken_for_a_person(text: str) -> None:
    assert guarded(text, HUNG) is None
    assert guarded(text, IdentifyingTerms("Lê An", ("0302074500",))) is None


def test_no_display_of_a_code_table_is_taken_for_a_person_or_a_class() -> None:
    common = ("Trần Thị Tú", "Lê Tự Do", "Nguyễn Bình", "Phạm An", "Vũ Thị Hoa", "Ngô Kim Chi", "Hà Sinh")
    for table in ("measures", "services", "qualitative", "visit-types"):
        for row in rows(table):
            if not row["code"].startswith("CLS-"):
                for name in common:
                    assert guarded(row["display"], IdentifyingTerms(name)) is None, (row["display"], name)


def rows(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(f"mappings/codes/{table}.csv").read_text("utf-8").splitlines()))


HUNG = IdentifyingTerms(
    "Trần Quốc Hưng",
    ("024056001234", "0912345678", "DN4241047600000", "CB-0001"),
    "Số 12 Trần Phú, xã Tân Hòa",
)
AN = IdentifyingTerms("Nguyễn Văn An", ("024056001234",))


def guarded(text: str, identity: IdentifyingTerms = AN) -> WithholdReason | None:
    resource = {"resourceType": "ServiceRequest", "note": [{"text": text}]}
    for position in ("Phó Giám đốc Sở Xây dựng", "Phó Chủ tịch UBND tỉnh"):
        found = TextGuard(EVERYTHING.phrases).withhold_reason(
            ResourceTexts.of(resource), position=PositionTerm(position), identity=identity
        )
        if found:
            return found
    return None


@pytest.mark.parametrize(
    ("facts", "group"),
    [
        ({"measure": "ser-hiv"}, "hiv"),
        ({"measure": "XN-HIV", "texts": ("HIV test nhanh",)}, "hiv"),
        ({"measure": "SER-HIVPCR"}, "hiv"),
        ({"measure": "X1", "texts": ("HIV-1 RNA",)}, "hiv"),
        ({"texts": ("HIV dương tính",)}, "hiv"),
        ({"measure": "EX-PSY", "texts": ("Khám tâm thần",)}, "mental"),
        ({"measure": "KHAM", "texts": ("KHAM TAM THAN",)}, "mental"),
        ({"texts": ("Rối loạn trầm cảm",)}, "mental"),
        ({"icd10": "f32.1"}, "mental"),
        ({"service": "WORKUP-GYN"}, "reproductive"),
        ({"service": "workup-gyn"}, "reproductive"),
        ({"service": "KHAM-1", "texts": ("Khám phụ khoa",)}, "reproductive"),
        ({"measure": "PAP"}, "reproductive"),
        ({"texts": ("Thai kỳ 12 tuần",)}, "reproductive"),
    ],
)
def test_a_sensitive_record_is_found_by_code_in_any_case_and_by_its_words(
    facts: dict[str, Any], group: str
) -> None:
    assert (
        EVERYTHING.decide(DisclosureFacts("measurement", "T5", **facts)).reason is WithholdReason.NO_CONSENT
    )
    decision = EVERYTHING.decide(DisclosureFacts("measurement", "T5", (group,), **facts))
    assert (decision.allowed, decision.label) == (True, "R")


@pytest.mark.parametrize(
    "facts",
    [
        {"measure": "cls-tt14"},
        {"measure": "CLS-NEW"},
        {"measure": "PLSK", "texts": ("Phân loại SK",)},
        {"measure": "X", "texts": ("Xếp loại", "B1")},
        {"measure": "X", "texts": ("Phân loại sức khoẻ",)},
    ],
)
def test_a_class_is_withheld_by_code_in_any_case_and_by_its_words(facts: dict[str, Any]) -> None:
    groups = ("hiv", "mental", "reproductive")
    assert (
        EVERYTHING.decide(DisclosureFacts("measurement", "T5", groups, **facts)).reason
        is WithholdReason.NEVER_LEAVES
    )


@pytest.mark.parametrize(
    "text",
    ["5.30", "Hình thái hồng cầu bình thường", "từ từ giảm liều", "Thái Bình", "archive", "Khám thần kinh"],
)
def test_ordinary_words_are_not_sensitive(text: str) -> None:
    assert EVERYTHING.decide(DisclosureFacts("measurement", "T5", measure="XN-1", texts=(text,))).label == "N"


def test_only_the_measures_that_the_groups_mean_are_sensitive_by_their_words() -> None:
    for table in ("measures", "services"):
        for row in rows(table):
            named = row["code"] in ("SER-HIV", "CYT-PAP", "CYT-HPV", "EX-GYN", "WORKUP-GYN")
            facts = DisclosureFacts("measurement", "T5", measure=row["code"], texts=(row["display"],))
            if not row["code"].startswith("CLS-"):
                assert EVERYTHING.decide(facts).allowed is not named, row["code"]


def test_under_a_pseudonym_codes_stay_and_sentences_do_not() -> None:
    coding = {"system": "http://hl7.org/fhir/sid/icd-10", "code": "I20.9"}
    request = {
        "resourceType": "ServiceRequest",
        "code": {"text": "Nội soi"},
        "reasonCode": [{"coding": [coding], "text": "Ông Hưng, đau ngực"}, {"text": "x"}],
        "note": [{"text": "x"}],
    }
    assert without_free_text(request, POLICY.plain_values_pattern) == {
        "resourceType": "ServiceRequest",
        "code": {"text": "Nội soi"},
        "reasonCode": [{"coding": [coding]}],
    }
    encounter = {"resourceType": "Encounter", "reasonCode": [{"text": "Tái khám"}]}
    assert without_free_text(encounter, POLICY.plain_values_pattern) == {"resourceType": "Encounter"}


@pytest.mark.parametrize(
    ("text", "stays"),
    [
        ("120/80/60", True),
        ("ĐNT 3m", True),
        ("ĐNT 0,5 m", True),
        ("BBT 20 cm", True),
        ("ST(+)", True),
        ("Bình thường", True),
        ("Không phát hiện bất thường", False),
        ("Ông Hưng nhịp đều", False),
        ("Nhịp đều", False),
    ],
)
def test_under_a_pseudonym_a_value_in_words_goes_only_when_it_is_plain(text: str, stays: bool) -> None:
    found = without_free_text(
        {"resourceType": "Observation", "valueString": text}, POLICY.plain_values_pattern
    )
    assert ("valueString" in found) is stays
    if not stays:
        assert found["dataAbsentReason"]["coding"][0]["code"] == "masked"
    worded = {"resourceType": "Observation", "valueCodeableConcept": {"text": text}}
    assert ("valueCodeableConcept" in without_free_text(worded, POLICY.plain_values_pattern)) is stays


def test_a_policy_line_opens_free_text_for_a_tier_at_one_hospital() -> None:
    assert not EVERYTHING.decide(DisclosureFacts("visit", "T3", needed=True)).free_text
    assert EVERYTHING.decide(DisclosureFacts("visit", "T4")).free_text
    data = POLICY.model_dump(mode="json")
    data["hospitals"]["bv-tinh"]["free_text"] = {"T3": True}
    policy = parse_policy(data, where="test")
    rules = policy.rules("bv-tinh", "provincial")
    assert rules.decide(DisclosureFacts("visit", "T3", needed=True)).free_text
    assert not rules.decide(DisclosureFacts("visit", "T2", needed=True)).free_text
    assert not policy.rules("other", "central").decide(DisclosureFacts("visit", "T3", needed=True)).free_text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("groups:\n", "groupes:\n"),
        ("  hiv:\n", "  hvi:\n"),
        ("icd10: [F]", "icd10: [Fx]"),
        ("icd10: [F]", "icd10: []"),
        ("N70-N99", "N99-N70"),
        ("T0: refuse", "T0: full"),
        ("  T0: refuse\n", ""),
        ("T5: full", "T5: full\n  T5: hold"),
        ("T5: full", "T9: full"),
        ("    words:\n", "    wrods:\n"),
        ("{share: everything, open", "{share: everything, tiers: {T0: full}, open"),
        ("open: [centre]", "open: [health_class]"),
        ("  health-class:\n", "  healthclass:\n"),
        ("  phrases:\n", "  phrase:\n"),
    ],
)
def test_a_slip_of_the_pen_is_refused_and_opens_nothing(before: str, after: str, tmp_path: Path) -> None:
    text = Path("mappings/disclosure.yaml").read_text("utf-8")
    assert before in text
    (tmp_path / "disclosure.yaml").write_text(text.replace(before, after, 1), "utf-8")
    with pytest.raises(MappingError):
        load_policy(tmp_path / "disclosure.yaml")


def test_the_secret_fields_stay_secret_when_the_file_forgets_them() -> None:
    data = POLICY.model_dump(mode="json")
    data["never"]["fields"] = []
    data["sealed"]["health-class"]["measures"] = []
    policy = parse_policy(data, where="test")
    assert set(policy.never.fields) == {"tier", "position"}
    rules = policy.rules("bv-tinh", "provincial")
    assert rules.sealed_fields == {"health_class", "cadre_class", "origin"}
    assert (
        rules.decide(DisclosureFacts("measurement", "T5", measure="CLS-X")).reason
        is WithholdReason.NEVER_LEAVES
    )


def test_codes_that_no_table_knows_and_hospitals_nearly_spelt_right_are_found() -> None:
    assert len(POLICY.unknown_codes((), ())) == 7
    measures = ("SER-HIV", "CYT-PAP", "CYT-HPV", "EX-GYN", "cls-tt14", "CLS-CADRE")
    assert POLICY.unknown_codes(measures, ("WORKUP-GYN",)) == ()
    assert POLICY.misspelled_hospitals(("bv-tihn", "bv-trung-uong"))
    assert POLICY.misspelled_hospitals(("bv-tinh", "bv-tinh2")) == ()
    assert POLICY.misspelled_hospitals(("bach-mai",)) == ()
    assert POLICY.unknown_hospitals(("bach-mai", "bv-tinh")) == ("bv-trung-uong",)


def test_the_label_stands_in_meta_security() -> None:
    label = with_confidentiality_label({"resourceType": "Patient", "id": "x"}, "R")["meta"]["security"][0]
    assert label["code"] == "R"
    assert label["system"].endswith("v3-Confidentiality")


def test_every_mistake_in_a_policy_is_named() -> None:
    data = POLICY.model_dump(mode="json") | {"levles": {}}
    data["tiers"]["T1"] = "open"
    with pytest.raises(MappingError) as caught:
        parse_policy(data, where="disclosure.yaml")
    assert len(caught.value.problems) == 2
    assert any("levles" in problem for problem in caught.value.problems)
    assert any("tiers.T1" in problem for problem in caught.value.problems)


def test_a_broken_phrase_is_named() -> None:
    data = POLICY.model_dump(mode="json")
    data["never"]["phrases"] = ["(a"]
    with pytest.raises(MappingError) as caught:
        parse_policy(data, where="disclosure.yaml")
    assert "phrases" in caught.value.problems[0]


def test_the_shipped_policy_keeps_the_fields_that_never_leave() -> None:
    assert isinstance(POLICY, Policy)
    assert set(POLICY.never.fields) == {"tier", "position"}


def test_an_extension_that_loses_its_words_goes_as_a_whole() -> None:
    words = {"url": "http://example.org/ward", "valueString": "Khoa Nội"}
    code = {"url": "http://example.org/unit", "valueCode": "g"}
    found = without_free_text(
        {"resourceType": "Observation", "status": "final", "extension": [words, code]}, None
    )
    assert found["extension"] == [code]


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("theo dõi B20.1", "hiv"),
        ("Z21", "hiv"),
        ("H I V", "hiv"),
        ("người nhiễm H", "hiv"),
        ("F32.1 ổn định", "mental"),
        ("thai 12 tuần", "reproductive"),
        ("nhiễm H. pylori", None),
        ("vitamin B12", None),
        ("khẩu trang N95", None),
        ("E. coli O157", None),
        ("2026-10-02T08:00:00+07:00", None),
        ("bác sĩ đã khám", None),
    ],
)
def test_a_resource_is_looked_at_in_its_own_words(text: str, group: str | None) -> None:
    allowed = EVERYTHING.decide(DisclosureFacts("procedure", "T5"))
    found = EVERYTHING.reconsider(allowed, [text], ())
    assert found.reason is (WithholdReason.NO_CONSENT if group else None)
    assert EVERYTHING.reconsider(allowed, [text], [group or ""]).label == ("R" if group else "N")


def test_where_somebody_lives_is_no_illness() -> None:
    party = {"type": "Organization", "display": "Bệnh viện Tâm thần tỉnh"}
    request = {"resourceType": "ServiceRequest", "performer": [party], "note": [{"text": "a"}]}
    assert ResourceTexts.of(request).written == ["a"]


@pytest.mark.parametrize(
    "part",
    [
        {"contained": [{"resourceType": "Patient", "name": [{"text": "Lê An"}], "birthDate": "1950-03-02"}]},
        {"extension": [{"url": "http://a.example/x", "valueString": "Lê An kể"}]},
        {"extension": [{"url": "http://a.example/x", "valueAnnotation": {"text": "Lê An kể"}}]},
        {"protocolApplied": [{"series": "Lê An kể", "doseNumberPositiveInt": 1}]},
        {"lotNumber": "Lê An kể"},
        {"note": [{"time": "2026-01-01", "text": "Lê An kể"}]},
        {"text": {"status": "generated", "div": "<div>Lê An kể</div>"}},
        {"_lotNumber": {"extension": [{"url": "http://a.example/x", "valueString": "Lê An"}]}},
    ],
)
def test_under_a_pseudonym_words_stay_here_in_whatever_element(part: dict[str, Any]) -> None:
    left = without_free_text(
        {"resourceType": "Immunization", "status": "completed", **part}, POLICY.plain_values_pattern
    )
    assert "Lê An" not in str(left)
    assert "1950" not in str(left)
    assert left["status"] == "completed"
    assert "text" not in left


@pytest.mark.parametrize("lot", ["FLU26A07", "26-0815/2", "A1234"])
def test_under_a_pseudonym_a_lot_number_goes(lot: str) -> None:
    resource = {"resourceType": "Immunization", "lotNumber": lot}
    assert without_free_text(resource, POLICY.plain_values_pattern) == resource


def test_a_number_without_its_unit_is_no_number() -> None:
    observation = {
        "resourceType": "Observation",
        "valueQuantity": {"value": 5, "unit": "mmol/L, người nhà kể lại"},
    }
    left = without_free_text(observation, POLICY.plain_values_pattern)
    assert "valueQuantity" not in left
    assert left["dataAbsentReason"]["coding"][0]["code"] == "masked"
