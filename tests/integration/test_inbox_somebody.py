"""A result is never somebody else's, and never nobody's: each form of doubt and of certainty, one by one."""

from typing import Any

import pytest
from inbox_centre import CCCD, OURS, Centre
from sqlalchemy import Engine

from adapter.records.model import Sex

BASE = "https://bv-tinh.example/fhir"
HIS = "urn:his:mrn"
LOINC = "http://loinc.org"
GLUCOSE = {"coding": [{"system": LOINC, "code": "14749-6"}], "text": "Glucose"}
SUBJECT = {"identifier": {"system": OURS, "value": "idan"}}
REFERRAL = {"identifier": {"system": OURS, "value": "idref1"}}
AN = {
    "resourceType": "Patient",
    "name": [{"text": "Nguyễn Văn An"}],
    "gender": "male",
    "birthDate": "1955-03-14",
}
IDENTITY = "c41e7d90b2a5483f8e6d1f0a9b3c5724"
DASHED = "C41E7D90-B2A5-483F-8E6D-1F0A9B3C5724"
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
DONOR = [{"url": "http://hospital.example/donor", "valueBoolean": True}]


@pytest.fixture
def centre(engine: Engine) -> Centre:
    return Centre(engine)


def observation(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:lis", "value": "S1"}],
        "status": "final",
        "code": GLUCOSE,
        "valueString": "5.3",
        **more,
    }


def patient(value: str, system: str = HIS, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": system, "value": value}], **more}


# -- never somebody else's -----------------------------------------------------------------


def test_a_pushed_patient_is_not_the_one_with_that_id_at_the_hospitals_other_server(centre: Centre) -> None:
    """`Patient/51` is CB-1 at the hospital's server; here it is a woman of a laboratory's."""
    centre.receive(patient("7", name=[{"text": "Lê Thị Hoa"}], gender="female"), "51")
    item = centre.send(observation(subject={"reference": "Patient/51"}))
    assert (item.state, item.candidates) == ("unmatched", ())
    assert centre.results() == []


@pytest.mark.parametrize(
    ("reference", "state"),
    [
        ("Patient/51", "unmatched"),  # held nowhere here: of which server is it?
        (f"{BASE}/Patient/51", "applied"),
        ("http://BV-TINH.example:443/fhir/Patient/51", "applied"),
        ("https://lis.bv-tinh.example/fhir/Patient/51", "unmatched"),
        ("https://adapter.centre.example/fhir/Patient/51", "unmatched"),  # here, and not held
        ("https://bv-tinh.example/fhir-test/Patient/51", "unmatched"),
    ],
)
def test_an_id_counts_at_the_server_that_gave_it(centre: Centre, reference: str, state: str) -> None:
    item = centre.send(observation(subject={"reference": reference}))
    assert item.state == state
    if reference == "Patient/51":
        assert item.reasons == ("server-unclear",)
        assert [(one.cadre, one.because) for one in item.candidates] == [("CB-1", ("id",))]


@pytest.mark.parametrize(
    ("subject", "state"),
    [
        ({"reference": "Patient/51"}, "applied"),  # two ids of one server agree
        ({"reference": "Patient/52"}, "unmatched"),
        ({"reference": "Patient/900"}, "unmatched"),  # the referral's id is then of no certain server either
        ({"reference": "Patient/here"}, "unmatched"),
        (SUBJECT, "applied"),
        ({"display": "giường 12"}, "applied"),
    ],
)
def test_a_referrals_id_alone_needs_a_witness_where_somebody_is_named(
    centre: Centre, subject: dict[str, Any], state: str
) -> None:
    centre.receive(patient("12345"), "here")
    item = centre.send(observation(basedOn=[{"reference": "ServiceRequest/71"}], subject=subject))
    assert item.state == state


def test_an_order_of_a_laboratory_is_not_the_referral_with_its_id(centre: Centre) -> None:
    order = {"resourceType": "ServiceRequest", "status": "completed", "subject": {"reference": "Patient/9"}}
    item = centre.send({**order, "id": "71"}, "71")
    assert (item.state, item.reasons) == ("unmatched", ("server-unclear",))
    centre.receive({**order, "subject": {"display": "?"}}, "order")
    later = centre.send(observation(basedOn=[{"reference": "ServiceRequest/order"}]), "o2")
    assert later.state == "unmatched"


@pytest.mark.parametrize(
    ("number", "system", "more", "state"),
    [
        ("024055000", HIS, {"birthDate": "1955"}, "unmatched"),  # the number itself contains the year
        ("024055000", HIS, {"birthDate": "1955-03"}, "unmatched"),
        ("024055000", HIS, {}, "unmatched"),
        ("024055000", HIS, {"birthDate": "1955", "name": [{"text": "Lê Văn Tám"}]}, "unmatched"),
        ("024055000", HIS, {"birthDate": "1955-03-14"}, "applied"),
        ("024055000", HIS, {"birthDate": "1955", "name": [{"text": "NGUYEN VAN AN"}]}, "applied"),
        ("024055000111", CCCD, {}, "applied"),
        ("024055000111", CCCD, {"gender": "female"}, "unmatched"),
    ],
)
def test_a_number_of_the_hospitals_own_needs_more_than_a_year(
    centre: Centre, number: str, system: str, more: dict[str, Any], state: str
) -> None:
    an = centre.cadre("CB-1")
    centre.replace(an.model_copy(update={"old_national_id": "024055000"}))
    centre.receive(patient(number, system, **more), "p")
    item = centre.send(observation(subject={"reference": "Patient/p"}))
    assert item.state == state
    assert [one.cadre for one in item.candidates] == ([] if state == "applied" else ["CB-1"])


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        ({"gender": "female"}, ("sex-differs",)),
        ({"gender": "other"}, ()),
        ({"gender": "unknown"}, ()),
        ({"birthDate": "1956-03-14"}, ("birth-date-differs",)),
        ({"birthDate": "1956"}, ("birth-date-differs",)),
        ({"name": [{"text": "Nguyễn Văn Bình"}]}, ("name-differs",)),
        ({"name": [{"text": "Nguyễn Văn Bình"}, {"text": "Nguyễn Văn An"}]}, ()),
        ({"name": [{"use": "nickname", "text": "Cụ Sáu"}]}, ()),
        ({"gender": "female", "name": [{"text": "Lê Thị Hoa"}]}, ("name-differs", "sex-differs")),
    ],
)
@pytest.mark.parametrize("by", ["identity", "referral", "number", "id"])
def test_each_contradiction_stops_every_way(
    centre: Centre, said: dict[str, Any], reasons: tuple[str, ...], by: str
) -> None:
    numbers = {"identity": (OURS, "idan"), "number": (CCCD, "024055000111")}.get(by, (HIS, "1"))
    more = {"basedOn": [REFERRAL]} if by == "referral" else {}
    if by == "id":
        more = {"basedOn": [{"reference": f"{BASE}/ServiceRequest/71"}]}
    contained = patient(numbers[1], numbers[0], id="p", **{**said})
    item = centre.send(observation(contained=[contained], subject={"reference": "#p"}, **more))
    assert (item.state, item.reasons) == ("unmatched" if reasons else "applied", reasons)
    if reasons:
        assert [one.cadre for one in item.candidates] == ["CB-1"]


def test_a_name_beside_a_reference_contradicts_too(centre: Centre) -> None:
    assert centre.send(observation(subject={**SUBJECT, "display": "Bà Trần Thị Bình"})).reasons == (
        "name-differs",
    )
    for number, display in enumerate(("NGUYEN VAN AN", "Giường 12", "BN 77", "Ông Nguyễn Văn An", "")):
        one = observation(subject={**SUBJECT, "display": display}, valueString=str(number), identifier=[])
        assert centre.send(one, f"d{number}").state == "applied"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"modifierExtension": DONOR}, "modified"),
        (
            {"component": [{"code": GLUCOSE, "valueString": "1", "modifierExtension": DONOR}]},
            "modified",
        ),
        ({"contained": [{"resourceType": "Specimen", "id": "s", "modifierExtension": DONOR}]}, "modified"),
        ({"referenceRange": [{"text": "1", "modifierExtension": DONOR}]}, "modified"),
        ({"implicitRules": "http://hospital.example/rules"}, "other-rules"),
        ({"focus": [{"reference": "Patient/donor"}]}, "about-something-else"),
        ({"focus": [{"display": "trẻ sơ sinh"}]}, "about-something-else"),
        ({"focus": [{"reference": "Device/pump"}]}, "about-something-else"),
        ({"meta": {"security": [{"system": ACT_REASON, "code": "HTEST"}]}}, "test-data"),
        ({"meta": {"tag": [{"code": "HTEST"}]}}, "test-data"),
        ({"meta": {"tag": [{"code": "htest"}]}}, "test-data"),
        ({"meta": {"tag": [{"code": "SUBSETTED"}]}}, "not-whole"),
        (
            {
                "specimen": {"reference": "#s"},
                "contained": [
                    {"resourceType": "Specimen", "id": "s", "subject": {"reference": "Patient/donor"}}
                ],
            },
            "specimen-of-another",
        ),
        (
            {
                "specimen": {"reference": "#s"},
                "contained": [{"resourceType": "Specimen", "id": "s", "subject": {"reference": "Device/1"}}],
            },
            "specimen-of-another",
        ),
    ],
)
def test_what_it_is_modified_by_or_about_stops_it(centre: Centre, more: dict[str, Any], reason: str) -> None:
    item = centre.send(observation(subject=SUBJECT, basedOn=[REFERRAL], **more))
    assert (item.state, item.reasons) == ("unmatched", (reason,))
    assert [one.cadre for one in item.candidates] == ["CB-1"]
    assert centre.results() == []


def test_the_subject_named_again_is_no_other_focus(centre: Centre) -> None:
    assert centre.send(observation(subject=SUBJECT, focus=[SUBJECT])).state == "applied"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"active": False}, "patient-inactive"),
        (
            {"active": False, "link": [{"type": "replaced-by", "other": {"reference": "Patient/2"}}]},
            "patient-replaced",
        ),
        ({"link": [{"type": "replaced-by", "other": {"reference": "Patient/2"}}]}, "patient-replaced"),
        ({"meta": {"tag": [{"code": "HTEST"}]}}, "test-data"),
        ({"modifierExtension": DONOR}, "modified"),
        ({"implicitRules": "http://hospital.example/rules"}, "other-rules"),
        ({"active": True, "link": [{"type": "replaces", "other": {"reference": "Patient/2"}}]}, None),
        ({"link": [{"type": "seealso", "other": {"reference": "Patient/2"}}]}, None),
    ],
)
@pytest.mark.parametrize("contained", [True, False])
def test_a_patient_no_longer_in_use_stops_it(
    centre: Centre, more: dict[str, Any], reason: str | None, contained: bool
) -> None:
    person = patient("idan", OURS, id="p", **more)
    if not contained:
        centre.receive(person, "p")
    inside = {"contained": [person]} if contained else {}
    reference = "#p" if contained else "Patient/p"
    item = centre.send(observation(subject={"reference": reference}, **inside))
    assert item.reasons == ((reason,) if reason else ())
    assert [one.cadre for one in item.candidates] == (["CB-1"] if reason else [])


def test_one_result_that_answers_two_referrals_waits(centre: Centre) -> None:
    second = centre.referral("GT-1").model_copy(update={"key": "GT-1b"})
    centre.add(second)
    directory = centre.directory("bv-tinh")
    assert directory.referral("GT-1b") is not None
    both = [REFERRAL, {"reference": f"{BASE}/ServiceRequest/71b"}]
    centre.remote_referrals = {"71b": "GT-1b"}
    item = centre.send(observation(subject=SUBJECT, basedOn=both))
    assert (item.state, item.reasons) == ("unmatched", ("several-referrals",))
    assert centre.link(item.id, "CB-1", "GT-1b") == "linked"


def test_a_later_version_of_a_linked_one_that_names_somebody_else_waits(centre: Centre) -> None:
    """A hospital may use one URL again for another patient."""
    first = observation(subject={"display": "Cụ Sáu"}, identifier=[])
    centre.link(centre.send(first, "o1").id, "CB-2")
    assert centre.send({**first, "valueString": "6"}, "o1").state == "applied"
    centre.receive({**AN, "id": "p"}, "p")
    other = centre.send({**first, "valueString": "7", "subject": SUBJECT}, "o1")
    assert (other.state, other.reasons) == ("unmatched", ("belongs-to-another",))
    tested = centre.send({**first, "valueString": "8", "meta": {"tag": [{"code": "HTEST"}]}}, "o1")
    assert (tested.state, tested.reasons[-1]) == ("unmatched", "test-data")


@pytest.mark.parametrize(
    ("then", "state"),
    [
        (patient("024055000111", CCCD, name=AN["name"], birthDate="1955-03-14"), "applied"),
        (patient("7", HIS, name=[{"text": "Lê Thị Hoa"}]), "unmatched"),  # a laboratory's own Patient/1052
        (patient("7", HIS, name=[{"text": "Lê Thị Hoa"}], gender="female"), "unmatched"),
        (patient("024055000111", CCCD, name=[{"text": "Lê Thị Hoa"}], birthDate="1969"), "unmatched"),
        (patient("024055000111", CCCD, name=[{"text": "Nguyễn Văn Anh"}]), "applied"),  # a slip, mended
        (patient("024055000999", CCCD, name=AN["name"]), "applied"),
    ],
)
def test_one_id_that_two_systems_write_under_stops_it(
    centre: Centre, then: dict[str, Any], state: str
) -> None:
    mine = patient("024055000111", CCCD, name=AN["name"], birthDate="1955-03-14", gender="male")
    centre.receive(then, "1052")
    centre.receive(mine, "1052")
    item = centre.send(observation(subject={"reference": "Patient/1052"}))
    assert (item.state, item.reasons) == (state, ("patient-changed",) if state == "unmatched" else ())


# -- never nobody's ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["as it was", "another id", "twice"])
def test_a_patient_sent_again_under_another_id_is_found(centre: Centre, method: str) -> None:
    person = patient("024055000111", CCCD, name=AN["name"], birthDate="1955-03-14")
    centre.receive(person, "p1")
    id_ = "p1" if method == "as it was" else "79"
    centre.receive({**person, "id": "79"} if id_ == "79" else person, id_)
    if method == "twice":
        centre.receive({**person, "id": "80"}, "80")
        id_ = "80"
    assert centre.send(observation(subject={"reference": f"Patient/{id_}"})).state == "applied"


def test_a_referral_sent_again_under_another_id_is_found(centre: Centre) -> None:
    copy = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "identifier": [REFERRAL["identifier"]],
        "subject": SUBJECT,
    }
    centre.receive(copy, "a")
    centre.receive({**copy, "id": "b"}, "b")
    item = centre.send(observation(basedOn=[{"reference": "ServiceRequest/b"}]))
    assert (item.state, item.referral) == ("applied", "GT-1")


@pytest.mark.parametrize(
    "lister",
    [
        {"resourceType": "DiagnosticReport", "code": {"text": "Sinh hóa"}, "basedOn": [REFERRAL]},
        {"resourceType": "DiagnosticReport", "code": {"text": "Sinh hóa"}, "subject": SUBJECT},
        {"resourceType": "Observation", "code": {"text": "Panel"}, "subject": SUBJECT},
    ],
)
def test_a_result_without_a_subject_is_its_reports_or_panels(centre: Centre, lister: dict[str, Any]) -> None:
    member = centre.receive(observation(), "o1")
    stranger = centre.receive(observation(identifier=[], valueString="9"), "o10")
    name = "result" if lister["resourceType"] == "DiagnosticReport" else "hasMember"
    centre.receive({**lister, "status": "final", name: [{"reference": "Observation/o1/_history/1"}]}, "r1")
    centre.process()
    assert (centre.item(member).state, centre.item(member).cadre) == ("applied", "CB-1")
    assert centre.item(stranger).state == "unmatched"


def test_what_two_reports_of_two_people_list_waits(centre: Centre) -> None:
    member = centre.receive(observation(), "o1")
    for number, value in enumerate(("idan", "idbinh")):
        report = {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "code": {"text": "Sinh hóa"},
            "subject": {"identifier": {"system": OURS, "value": value}},
            "result": [{"reference": "Observation/o1"}],
        }
        centre.receive(report, f"r{number}")
    centre.process()
    assert centre.item(member).reasons == ("several-people",)


def test_a_result_that_its_report_no_longer_lists_is_not_the_reports(centre: Centre) -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "?"},
        "subject": SUBJECT,
    }
    centre.receive({**report, "result": [{"reference": "Observation/o1"}]}, "r1")
    centre.receive({**report, "status": "corrected"}, "r1")
    member = centre.send(observation(), "o1")
    assert member.state == "unmatched"


@pytest.mark.parametrize(
    ("order", "state"),
    [
        ({"reference": "ServiceRequest/order"}, "applied"),
        ({"reference": f"{BASE}/ServiceRequest/999"}, "applied"),
        ({"identifier": {"system": "urn:his:order", "value": "7"}}, "applied"),
        ({"display": "chỉ định số 7"}, "applied"),
        ({"identifier": {"system": OURS, "value": "f" * 32}}, "unmatched"),  # ours, and gone
    ],
)
def test_a_certain_subject_may_answer_the_hospitals_own_order(
    centre: Centre, order: dict[str, Any], state: str
) -> None:
    centre.receive({"resourceType": "ServiceRequest", "status": "active", "intent": "order"}, "order")
    item = centre.send(observation(subject=SUBJECT, basedOn=[order]))
    assert (item.state, item.referral) == (state, None)


@pytest.mark.parametrize(
    ("system", "value"),
    [
        (OURS, IDENTITY),
        (OURS, IDENTITY.upper()),
        (OURS, DASHED),
        (OURS, f"urn:uuid:{DASHED.lower()}"),
        ("urn:ietf:rfc:3986", f"urn:uuid:{DASHED.lower()}"),
        (OURS + "/", IDENTITY),
        (OURS.replace("https", "http"), IDENTITY),
        ("urn:his:their-name-for-it", IDENTITY),
        (None, DASHED),
    ],
)
@pytest.mark.parametrize("place", ["subject", "patient", "basedOn", "requisition", "replaces", "task"])
def test_our_identity_is_known_in_every_form_and_place(
    centre: Centre, system: str | None, value: str, place: str
) -> None:
    identifier = {"value": value, **({"system": system} if system else {})}
    if place in ("subject", "patient"):
        centre.cadre_identities = {IDENTITY: "CB-1"}
    else:
        centre.referral_identities = {IDENTITY: "GT-1"}
    order: dict[str, Any] = {"resourceType": "ServiceRequest", "status": "active", "intent": "order"}
    if place == "requisition":
        centre.receive({**order, "requisition": identifier}, "order")
    elif place == "replaces":
        centre.receive({**order, "replaces": [{"identifier": identifier}]}, "order")
    elif place == "patient":
        centre.receive({**AN, "identifier": [identifier]}, "p")
    if place == "task":
        task = {"resourceType": "Task", "status": "completed", "intent": "order", "identifier": [identifier]}
        assert centre.send(task).referral == "GT-1"
        return
    said = {
        "subject": {"subject": {"identifier": identifier}},
        "patient": {"subject": {"reference": "Patient/p"}},
        "basedOn": {"basedOn": [{"identifier": identifier}]},
    }.get(place, {"basedOn": [{"reference": "ServiceRequest/order"}]})
    item = centre.send(observation(**said))
    assert (item.state, item.cadre) == ("applied", "CB-1")
    assert item.referral == (None if place in ("subject", "patient") else "GT-1")


@pytest.mark.parametrize(
    "encounter",
    [
        {"identifier": {"system": OURS, "value": "idvisit"}},
        {"reference": f"{BASE}/Encounter/91"},
        {"reference": "Encounter/e1"},
    ],
)
def test_our_encounter_says_who_it_is(centre: Centre, encounter: dict[str, Any]) -> None:
    copy = {"resourceType": "Encounter", "identifier": [{"system": OURS, "value": "idvisit"}]}
    centre.receive({**copy, "status": "finished"}, "e1")
    item = centre.send(observation(encounter=encounter, subject={"reference": "Patient/x"}))
    assert (item.state, item.cadre) == ("applied", "CB-1")


def test_an_encounters_number_is_no_persons(centre: Centre) -> None:
    visit = {"resourceType": "Encounter", "identifier": [{"system": HIS, "value": "024055000111"}]}
    centre.receive(visit, "e1")
    assert centre.send(observation(encounter={"reference": "Encounter/e1"})).candidates == ()


@pytest.mark.parametrize(
    "name",
    [
        *("Ông Nguyễn Văn An", "ÔNG NGUYỄN VĂN AN", "Ong Nguyen Van An", "BS. Nguyễn Văn An"),
        *("ThS. BS Nguyễn Văn An", "PGS.TS. Nguyễn Văn An", "Đ/c Nguyễn Văn An", "Cụ ông Nguyễn Văn An"),
        *(
            "Đại tá Nguyễn Văn An",
            "An Nguyễn Văn",
            "NGUYỄN VĂN AN",
            "Bệnh nhân Nguyễn Văn An",
            "Mr. An Nguyen Van",
        ),
    ],
)
def test_a_title_before_a_name_is_no_other_name(centre: Centre, name: str) -> None:
    centre.receive(patient("024055000111", CCCD, name=[{"text": name}]), "p")
    assert centre.send(observation(subject={"reference": "Patient/p"})).state == "applied"


@pytest.mark.parametrize(
    "name", ["Bà Trần Thị Bình", "Nguyễn Văn", "Nguyễn Văn Anh", "Ông Nguyễn Văn", "Ông"]
)
def test_a_title_makes_no_other_name_the_same(centre: Centre, name: str) -> None:
    centre.receive(patient("024055000111", CCCD, name=[{"text": name}]), "p")
    assert centre.send(observation(subject={"reference": "Patient/p"})).reasons == ("name-differs",)


@pytest.mark.parametrize(
    ("name", "born", "candidates"),
    [
        ("Nguyễn Văn An", "1955-03-14", ["CB-1"]),
        ("NGUYEN VAN AN", "1955-03-14", ["CB-1"]),
        ("Ông Nguyễn Văn An", "1955-03-14", ["CB-1"]),
        ("An Nguyễn Văn", "1955-03-14", ["CB-1"]),
        ("Nguyễn Văn An", "1955-03-15", []),
        ("Nguyễn Văn An", "1955", []),
        ("Nguyễn Văn Ánh", "1955-03-14", []),
    ],
)
def test_who_agrees_by_name_and_birth_date_is_a_candidate(
    centre: Centre, name: str, born: str, candidates: list[str]
) -> None:
    centre.receive(patient("BN001", name=[{"text": name}], birthDate=born), "p")
    item = centre.send(observation(subject={"reference": "Patient/p"}))
    assert item.state == "unmatched"
    assert [one.cadre for one in item.candidates] == candidates
    if candidates:
        assert item.reasons == ("name-and-birth-date-only",)
        assert item.candidates[0].because == ("birth-date", "name")


def test_another_of_that_name_and_day_is_a_candidate_too(centre: Centre) -> None:
    twin = centre.cadre("CB-1").model_copy(update={"key": "CB-3", "national_id": None, "sex": Sex.MALE})
    centre.add(twin)
    centre.receive({**AN, "id": "p"}, "p")
    item = centre.send(observation(subject={"reference": "Patient/p"}))
    assert [one.cadre for one in item.candidates] == ["CB-1", "CB-3"]


@pytest.mark.parametrize("type_", ["ImagingStudy", "DocumentReference", "Media", "Condition", "Encounter"])
@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"subject": SUBJECT}, "unmatched"),
        ({"basedOn": [REFERRAL]}, "unmatched"),
        ({"subject": {"reference": "Patient/p"}}, "unmatched"),
        ({"subject": {"reference": "Patient/stranger"}}, "ignored"),
        ({}, "ignored"),
    ],
)
def test_what_has_no_place_in_a_record_is_read_by_a_person(
    centre: Centre, type_: str, said: dict[str, Any], state: str
) -> None:
    centre.receive({**AN, "id": "p"}, "p")
    centre.receive(patient("1", name=[{"text": "Lê Văn Tám"}]), "stranger")
    item = centre.send({"resourceType": type_, "status": "final", **said}, "x1")
    assert item.state == state
    if state == "unmatched":
        assert item.reasons[0] == "to-be-read"
        assert [one.cadre for one in item.candidates] == ["CB-1"]
        assert centre.link(item.id, "CB-1") == "linked"
        assert centre.item(item.id).cadre == "CB-1"
        assert centre.results() == []
        again = centre.send({"resourceType": type_, "status": "final", **said}, "x2")
        assert again.id == item.id  # nobody reads it twice
    else:
        assert item.reasons == ("context",)
