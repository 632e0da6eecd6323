"""What a withheld referral or trip needs does not go on its account: the empty order would be the secret."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from mapping_support import MAPPINGS

from adapter.disclosure.policy import WithholdReason
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.desired import DesiredState, desired_state
from adapter.pipeline.destination import Destination
from adapter.records.model import Cadre, Diagnosis, Measurement, Record, Referral, Visit
from adapter.settings import HospitalSettings, Settings

AT = datetime(2026, 10, 5, 1, 0, tzinfo=UTC)
HOSPITAL, OTHER = "bv-trung-uong", "bv-tinh"


@contextmanager
def opened(folder: Path, mappings: Path = MAPPINGS) -> Iterator[Destination]:
    """A hospital that gets what a referral or trip needs."""
    (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    settings = Settings(
        identity_key=f"file:{folder / 'identity.key'}",
        database_url=f"sqlite:///{folder / 'adapter.db'}",
        mappings=mappings,
        hospitals={HOSPITAL: HospitalSettings(display="BV", level="central", base_url="http://h.test/fhir")},
    )
    with Adapter.open(settings) as adapter:
        yield adapter.destination(HOSPITAL)


@contextmanager
def opened_with(folder: Path, file: str, old: str, new: str) -> Iterator[Destination]:
    """The same by mappings of which one file reads otherwise."""
    mappings = shutil.copytree(MAPPINGS, folder / "mappings")
    before = (mappings / file).read_text("utf-8")
    assert before.count(old) == 1
    (mappings / file).write_text(before.replace(old, new), "utf-8")
    with opened(folder, mappings) as outlet:
        yield outlet


@pytest.fixture(scope="module")
def outlet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Destination]:
    with opened(tmp_path_factory.mktemp("orders")) as found:
        yield found


def person(**fields: Any) -> Cadre:
    given = {"key": "C1", "name": "Hứa Bá Thước", "sex": "male", "birth_date": date(1964, 10, 23)}
    return Cadre.model_validate({**given, "tier": "T4", "phone": "0912345674", **fields})


def visit(key: str = "V1", **fields: Any) -> Visit:
    return Visit.model_validate({"key": key, "cadre": "C1", "type": "checkup", "started_at": AT, **fields})


def trip(key: str = "V9", **fields: Any) -> Visit:
    return visit(key, **{"type": "trip", "hospital": HOSPITAL, **fields})


def value(key: str, measure: str, visit: str = "V1", **fields: Any) -> Measurement:
    given = {"key": key, "cadre": "C1", "visit": visit, "measure": measure, "value": "5.3"}
    return Measurement.model_validate({**given, "unit": "mmol/L", **fields})


def referral(key: str = "P1", **fields: Any) -> Referral:
    given = {"key": key, "cadre": "C1", "visit": "V1", "hospital": HOSPITAL, "service": "WORKUP-CARD"}
    return Referral.model_validate({**given, "ordered_at": AT, **fields})


def diagnosis(visit: str = "V1") -> Diagnosis:
    return Diagnosis(key=f"B.{visit}", cadre="C1", visit=visit, icd10="I10")


def going(found: DesiredState) -> set[tuple[str, str]]:
    return {(one.type, one.key) for one in found.desired}


def reasons(found: DesiredState) -> dict[str, WithholdReason]:
    return {key: reason for (_, key), reason in (found.withheld or {}).items()}


WITHHELD_REFERRALS = [
    ({"reason": "Theo dõi HIV dương tính"}, WithholdReason.NO_CONSENT),
    ({"icd10": "B20"}, WithholdReason.NO_CONSENT),
    ({"icd10": "F32.1", "status": "revoked"}, WithholdReason.NO_CONSENT),
    ({"service": "WORKUP-GYN"}, WithholdReason.NO_CONSENT),
    ({"reason": "Khám cho cán bộ diện Tỉnh ủy quản lý"}, WithholdReason.TEXT_CLASSIFIES),
    ({"reason": "nguyên Chánh văn phòng huyện ủy"}, WithholdReason.TEXT_CLASSIFIES),
    ({"reason": "Sức khỏe loại B1"}, WithholdReason.TEXT_CLASSIFIES),
]


@pytest.mark.parametrize(("fields", "reason"), WITHHELD_REFERRALS)
def test_a_withheld_referral_brings_nobody(
    outlet: Destination, fields: dict[str, Any], reason: WithholdReason
) -> None:
    who = person(position="Chánh văn phòng huyện ủy")
    found = desired_state(outlet, [who, visit(), value("M1", "BIO-GLU"), diagnosis(), referral(**fields)])
    assert going(found) == set()
    assert reasons(found)["P1"] is reason
    assert reasons(found)["C1"] is WithholdReason.ORDER_WITHHELD
    assert fields.get("status") == "revoked" or reasons(found)["M1"] is WithholdReason.ORDER_WITHHELD


@pytest.mark.parametrize(
    "words", ["đưa Bí thư Tỉnh ủy đi khám", "khám trầm cảm", "Sức khỏe loại B1", "xét nghiệm HIV"]
)
def test_a_withheld_trip_brings_nobody(outlet: Destination, words: str) -> None:
    records = [person(), trip(reason=words, advice="refer"), diagnosis("V9")]
    found = desired_state(outlet, records)
    assert going(found) == set()
    assert reasons(found)["C1"] is WithholdReason.ORDER_WITHHELD
    assert reasons(found)["V9"] not in (WithholdReason.ORDER_WITHHELD, WithholdReason.NOT_NEEDED)


def test_a_trip_goes_though_its_conclusion_does_not(outlet: Destination) -> None:
    found = desired_state(outlet, [person(), trip(conclusion="Sức khỏe loại B1")])
    assert going(found) == {("Patient", "C1"), ("Encounter", "V9")}


def test_what_several_need_goes_with_those_that_go(outlet: Destination) -> None:
    first = referral("P1", supporting=("BIO-GLU",))
    second = referral("P2", supporting=("BIO-GLU", "BIO-UREA"), icd10="B20")
    records: list[Record] = [person(), visit(), value("M1", "BIO-GLU"), value("M2", "BIO-UREA")]
    found = desired_state(outlet, [*records, first, second])
    assert {key for _, key in going(found)} == {"C1", "V1", "M1", "P1"}
    assert reasons(found)["M2"] is WithholdReason.ORDER_WITHHELD
    alone = desired_state(outlet, [*records, first])
    assert found.desired == alone.desired


def test_a_withheld_trip_leaves_nothing_where_another_order_brings_the_person(outlet: Destination) -> None:
    secret = trip(reason="xét nghiệm HIV", advice="refer")
    with_trip = desired_state(outlet, [person(), visit(), secret, diagnosis("V9"), referral()])
    assert with_trip.desired == desired_state(outlet, [person(), visit(), referral()]).desired


def test_an_order_that_is_found_out_only_after_another_is_gone(outlet: Destination) -> None:
    """Three that are withheld for three reasons, and one that goes: as though that one were alone."""
    orders = [
        referral("P1", icd10="B20"),
        referral("P2", reason="Sức khỏe loại B1", visit="V2"),
        trip(reason="HIV"),
    ]
    records = [person(), visit(), visit("V2"), value("M2", "BIO-GLU", "V2"), *orders, referral("P4")]
    found = desired_state(outlet, records)
    assert found.desired == desired_state(outlet, [person(), visit(), visit("V2"), referral("P4")]).desired
    assert reasons(found)["M2"] is WithholdReason.ORDER_WITHHELD


def test_with_consent_everything_goes(outlet: Destination) -> None:
    who = person(consents=("hiv",))
    found = desired_state(outlet, [who, visit(), value("M1", "BIO-GLU"), referral(icd10="B20")])
    assert {"C1", "V1", "M1", "P1"} == {key for _, key in going(found)}
    assert reasons(found) == {}


def test_without_an_order_nothing_is_said_of_one(outlet: Destination) -> None:
    found = desired_state(outlet, [person(), visit(), referral(hospital=OTHER)])
    assert going(found) == set()
    assert reasons(found)["C1"] is WithholdReason.NOT_NEEDED
    assert reasons(found)["P1"] is WithholdReason.OTHER_HOSPITAL


def test_a_person_who_may_not_go_is_said_to_be_held(outlet: Destination) -> None:
    found = desired_state(outlet, [person(tier="T1"), visit(), referral(icd10="B20")])
    assert going(found) == set()
    assert set(reasons(found).values()) == {WithholdReason.TIER_HELD}


def test_under_a_pseudonym_a_referral_with_the_name_in_it_brings_nobody(tmp_path: Path) -> None:
    who = person(tier="T3")
    with opened_with(tmp_path, "disclosure.yaml", "{T2: false, T3: false}", "{T3: true}") as outlet:
        found = desired_state(outlet, [who, visit(), referral(reason="Ông Thước đau ngực")])
        assert going(found) == set()
        assert reasons(found)["P1"] is WithholdReason.TEXT_IDENTIFIES
        assert going(desired_state(outlet, [who, visit(), referral(reason="đau ngực")]))


def test_what_no_mapping_can_say_brings_nobody_where_its_words_may_not_leave(tmp_path: Path) -> None:
    failing = "body:\n  language: \"{{ m.icd10[:2] and 'vi' }}\"\n"  # None has no beginning
    with opened_with(tmp_path, "service_request.yaml", "body:\n", failing) as outlet:
        found = desired_state(outlet, [person(), visit(), referral(reason="đau ngực")])
        assert [one.key for one in found.desired if one.problem] == ["P1"]
        assert ("Patient", "C1") in going(found)
        found = desired_state(outlet, [person(), visit(), referral(reason="Sức khỏe loại B1")])
        assert going(found) == set()


def test_an_order_of_which_nothing_is_made_there_needs_nothing(tmp_path: Path) -> None:
    chosen = "from: referral\nwhen: \"{{ m.category == 'treatment' }}\"\n"
    with opened_with(tmp_path, "service_request.yaml", "from: referral\n", chosen) as outlet:
        assert going(desired_state(outlet, [person(), visit(), referral()])) == set()
        assert going(desired_state(outlet, [person(), visit(), referral(category="treatment")]))


def test_a_hospital_without_orders_of_its_own_gets_what_they_need(tmp_path: Path) -> None:
    """Where no mapping makes orders they go on paper, unless the policy keeps them here."""
    mappings = shutil.copytree(MAPPINGS, tmp_path / "mappings")
    for name in ("service_request", "task", "referral_provenance", "care_plan", "visit_provenance", "answer"):
        (mappings / f"{name}.yaml").unlink()
    with opened(tmp_path, mappings) as outlet:
        assert ("Patient", "C1") in going(desired_state(outlet, [person(), visit(), referral()]))


def test_under_a_pseudonym_a_withheld_order_brings_nobody_to_whom_gets_everything(
    tmp_path: Path, outlet: Destination
) -> None:
    """The shipped policy gives the provincial hospital everything, but not of people under a pseudonym."""
    rules = outlet.policy.rules(OTHER, "provincial")
    assert rules.gives_only_what_is_needed("T3")
    assert not rules.gives_only_what_is_needed("T4")
    asked = "bv-trung-uong: {share: referral}", "bv-trung-uong: {share: everything}"
    with opened_with(tmp_path, "disclosure.yaml", *asked) as opened_outlet:
        records = [visit(), value("M1", "BIO-GLU"), referral(icd10="B20")]
        assert going(desired_state(opened_outlet, [person(tier="T3"), *records])) == set()
        assert ("Patient", "C1") in going(desired_state(opened_outlet, [person(), *records]))
