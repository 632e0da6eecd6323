"""From the hospital's request to what a person reads and decides: over HTTP, and at the command line."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from inbox_centre import hold_patients, put_records

from adapter.database import write_transaction
from adapter.hospital_tokens import issue_token
from adapter.inbox.rulings import put_rulings
from adapter.pipeline.inbound.hospital_directory import HospitalDirectory
from adapter.records.model import Cadre, Sex, Tier
from adapter.testing import Centre, serving
from adapter.web.endpoint import running_endpoint

CCCD = "http://fhir.ehealth.gov.vn/core/sid/citizen_id"
HOSPITALS = {
    "bv-tinh": {
        "base_url": "http://10.0.0.7:8080/fhir",
        "base_urls": ["https://fhir.bv-tinh.example/fhir/"],
        "systems": {"citizen_id": CCCD},
    }
}
DUC = Cadre(
    key="CB-1",
    name="Đỗ Văn Đức",
    sex=Sex.MALE,
    birth_date=date(1960, 3, 12),
    tier=Tier.T4,
    national_id="024060012345",
)
HOA = Cadre(key="CB-2", name="Lê Thị Hoa", sex=Sex.FEMALE, birth_date=date(1969, 5, 6), tier=Tier.T5)
PATIENT = {
    "resourceType": "Patient",
    "identifier": [{"system": CCCD, "value": "024060012345"}],
    "name": [{"text": "Ông Đỗ Văn Đức"}],
    "birthDate": "1960-03-12",
    "gender": "male",
}
XHTML = "http://www.w3.org/1999/xhtml"
UUID = "urn:uuid:11111111-1111-4111-8111-111111111111"
MMOL = {"system": "http://unitsofmeasure.org", "code": "mmol/L", "unit": "mmol/L"}


@pytest.fixture
def centre(tmp_path: Path, database_url: str) -> Iterator[Centre]:
    with Centre(tmp_path / "centre", hospitals=HOSPITALS, database_url=database_url) as centre:
        with centre.open() as adapter:
            put_records(adapter.engine, (DUC, HOA))
            hold_patients(adapter, "bv-tinh", DUC.key, HOA.key)
        yield centre


@pytest.fixture
def hospital(centre: Centre) -> Iterator[httpx.Client]:
    """Whoever has the hospital's token."""
    with centre.open() as adapter:
        token = issue_token(adapter.engine, "bv-tinh", datetime.now(UTC), by="test")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
        with (
            running_endpoint(adapter) as app,
            serving(app) as base,
            httpx.Client(base_url=base, headers=headers) as client,
        ):
            yield client


def potassium(number: str, subject: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "https://bv-tinh.example/fhir/sid/result", "value": number}],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": "Kali"},
        "subject": {"reference": subject},
        "issued": "2026-11-02T09:40:00+07:00",
        "valueQuantity": {"value": 7.1, **MMOL},
        "referenceRange": [{"low": {"value": 3.5, **MMOL}, "high": {"value": 5.1, **MMOL}}],
        "interpretation": [{"coding": [{"code": "HH", "display": "Critical high"}]}],
        "note": [{"text": "Mẫu vỡ hồng cầu"}],
        **more,
    }


def bundle(*entries: tuple[str, str, dict[str, Any]], kind: str = "transaction") -> dict[str, Any]:
    listed: list[dict[str, Any]] = [
        {"resource": resource, "request": {"method": method, "url": url}} for method, url, resource in entries
    ]
    for one in listed:
        if one["resource"]["resourceType"] == "Patient" and one["request"]["method"] == "POST":
            one["fullUrl"] = UUID
    return {"resourceType": "Bundle", "type": kind, "entry": listed}


def post(
    client: httpx.Client, body: Any, path: str = "/fhir", method: str = "POST", **headers: str
) -> httpx.Response:
    answer = client.request(method, path, content=json.dumps(body), headers=headers)
    assert answer.status_code < 300, answer.text
    return answer


def listed(centre: Centre, state: str) -> list[Any]:
    centre.wait_until_matched()
    items = centre.run_json("inbox", "--state", state)["items"]
    assert isinstance(items, list)
    return items


def test_a_patient_sent_again_by_post_and_put_stays_one(centre: Centre, hospital: httpx.Client) -> None:
    """By POST, by PUT under an id of the hospital's own, and by POST again."""
    post(hospital, bundle(("POST", "Patient", PATIENT), ("POST", "Observation", potassium("S1", UUID))))
    own = {**PATIENT, "id": "79"}
    put = ("PUT", "Patient/79", own)
    post(hospital, bundle(put, ("POST", "Observation", potassium("S2", "Patient/79"))))
    post(hospital, bundle(("POST", "Patient", PATIENT), ("POST", "Observation", potassium("S3", UUID))))
    assert [one["cadre"] for one in listed(centre, "applied")] == ["CB-1"] * 3


def test_what_is_not_taken_is_said_and_shown_once(centre: Centre, hospital: httpx.Client) -> None:
    post(hospital, bundle(("PUT", "Patient/p", {**PATIENT, "id": "p"})))
    first = {**potassium("S1", "Patient/p"), "id": "o1"}
    path = "/fhir/Observation/o1"
    assert post(hospital, first, path, "PUT").json()["resourceType"] == "Observation"
    corrected = {**first, "status": "corrected", "issued": "0001-01-01T00:00:00Z"}
    corrected["valueQuantity"] = {"value": 4.1, **MMOL}
    assert "warning" not in post(hospital, corrected, path, "PUT").headers
    late = post(hospital, first, path, "PUT")
    assert "later version" in late.headers["warning"]
    assert "earlier version of it came once more" in late.json()["issue"][0]["details"]["text"]
    older = {**first, "issued": "2026-11-02T08:00:00+07:00", "note": [{"text": "?"}]}
    answer = post(hospital, bundle(("PUT", "Observation/o1", older))).json()
    said = answer["entry"][0]["response"]["outcome"]["issue"][0]
    assert said["severity"] == "information"
    assert "a later status of it came before it" in said["details"]["text"]
    centre.wait_until_matched()
    unseen = [one["id"] for one in centre.run_json("inbox")["unseen"]]
    assert len(unseen) == 2
    assert "adapter inbox seen" in centre.run("inbox")
    for one in unseen:
        centre.run("inbox", "seen", str(one))
    assert centre.run_json("inbox")["unseen"] == []
    assert "somebody has seen it" in centre.attempt("inbox", "seen", str(unseen[0])).stderr
    with centre.open() as adapter:
        [result] = adapter.records.iterate("result")
        assert '"value":4.1' in result.resource  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["transaction", "batch"])
@pytest.mark.parametrize(
    ("mark", "waits"),
    [
        ({"meta": {"tag": [{"code": "HTEST"}]}}, True),
        ({"meta": {"security": [{"code": "HTEST"}]}}, True),
        ({"implicitRules": "http://hospital.example/rules"}, True),
        ({"meta": {"tag": [{"code": "SUBSETTED"}]}}, True),
        ({"meta": {"tag": [{"code": "routine"}]}}, False),
    ],
)
def test_what_a_request_says_of_all_that_it_brings(
    centre: Centre, hospital: httpx.Client, kind: str, mark: dict[str, Any], waits: bool
) -> None:
    patient = {**PATIENT, "id": "p"}
    put = ("PUT", "Observation/o1", {**potassium("S1", "Patient/p"), "id": "o1"})
    post(hospital, {**bundle(("PUT", "Patient/p", patient), put, kind=kind), **mark})
    assert [one["reasons"] for one in listed(centre, "unmatched")] == ([["marked-delivery"]] if waits else [])


@pytest.mark.parametrize("kind", ["transaction", "batch"])
def test_two_isolates_in_one_request_are_two(centre: Centre, hospital: httpx.Client, kind: str) -> None:
    post(hospital, bundle(("PUT", "Patient/p", {**PATIENT, "id": "p"})))
    isolates = (
        {**potassium("A-9", "Patient/p", note=[{"text": text}]), "id": id_}
        for id_, text in (("i1", "E. coli"), ("i2", "K. pneumoniae"))
    )
    post(hospital, bundle(*(("PUT", f"Observation/{one['id']}", one) for one in isolates), kind=kind))
    assert len(listed(centre, "applied")) == 2
    with centre.open() as adapter:
        assert len(list(adapter.records.iterate("result"))) == 2


def test_a_result_can_be_read_beside_its_candidates(centre: Centre, hospital: httpx.Client) -> None:
    stranger = {**PATIENT, "identifier": [{"system": "urn:his:mrn", "value": "BN001"}]}
    attachment = {"contentType": "application/pdf", "title": "Phiếu.pdf", "data": "JVBERi0="}
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Sinh hóa"},
        "subject": {"reference": UUID},
        "result": [{"reference": "urn:uuid:22222222-2222-4222-8222-222222222222"}],
        "conclusion": "Tăng kali máu",
        "conclusionCode": [{"text": "E87.5"}],
        "presentedForm": [attachment],
        "text": {
            "status": "generated",
            "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Kali 7.1</p></div>',
        },
    }
    sent = bundle(("POST", "Patient", stranger), ("POST", "Observation", potassium("C1", UUID)))
    sent["entry"][1]["fullUrl"] = "urn:uuid:22222222-2222-4222-8222-222222222222"
    sent["entry"].append({"resource": report, "request": {"method": "POST", "url": "DiagnosticReport"}})
    post(hospital, sent)
    waiting = {one["type"]: one for one in listed(centre, "unmatched")}
    number = str(waiting["DiagnosticReport"]["id"])
    assert waiting["DiagnosticReport"]["reasons"] == ["name-and-birth-date-only"]
    assert waiting["DiagnosticReport"]["candidates"] == ["CB-1"]
    shown = centre.run("inbox", "show", number)
    for text in (
        *("Ông Đỗ Văn Đức", "1960-03-12", "urn:his:mrn|BN001", "only the name and the date of birth fit"),
        *("Tăng kali máu", "E87.5", "Phiếu.pdf", "application/pdf", "Kali 7.1"),
        *("Kali", "7.1 mmol/L", "3.5 mmol/L – 5.1 mmol/L", "Critical high", "Mẫu vỡ hồng cầu"),
        *("CB-1", "date of birth, name"),
    ):
        assert text in shown, text
    found = centre.run_json("inbox", "show", number)
    assert found["candidates"][0]["against"] == []
    looked = centre.run_json("audit", "show", "--action", "record.read")["rows"]
    assert {row["details"]["command"] for row in looked} == {"inbox show"}
    refused = centre.attempt("inbox", "link", number, "CB-2")
    assert refused.returncode == 2
    assert "sex differs" in refused.stderr
    assert "--despite" in refused.stderr
    assert listed(centre, "linked") == []
    centre.run("inbox", "link", number, "CB-2", "--despite")
    rows = centre.run_json("audit", "show", "--action", "inbox.linked")["rows"]
    assert rows[0]["details"]["despite"] == ["name-differs", "birth-date-differs", "sex-differs"]
    assert "LÊ" not in json.dumps(rows, ensure_ascii=False).upper()


def test_the_hospitals_other_addresses_are_one_server(centre: Centre, hospital: httpx.Client) -> None:
    with centre.open() as adapter:
        from adapter.pipeline.inbound.inbox import item_reading

        _, directory = item_reading(adapter, "bv-tinh")
        assert directory.bases == {"http://10.0.0.7:8080/fhir", "https://fhir.bv-tinh.example/fhir/"}


def test_what_waits_is_told_apart_and_may_be_discarded_and_reopened(
    centre: Centre, hospital: httpx.Client
) -> None:
    for number in ("S-17", "S-18"):
        body = {**potassium(number, "Patient/nobody"), "effectiveDateTime": "2026-11-02T08:30:00+07:00"}
        post(hospital, body, "/fhir/Observation")
    first, second = listed(centre, "unmatched")
    told = [(one["title"], one["found_at"], one["number"]) for one in (first, second)]
    assert told == [("Kali", "2026-11-02T08:30", "S-17"), ("Kali", "2026-11-02T08:30", "S-18")]
    assert "--reason" in centre.attempt("inbox", "discard", str(first["id"]), "--reason", " ").stderr
    centre.run("inbox", "discard", str(first["id"]), "--reason", "gửi nhầm")
    assert [one["id"] for one in listed(centre, "unmatched")] == [second["id"]]
    assert "gửi nhầm" in centre.run("inbox", "--state", "ignored")
    [row] = centre.run_json("audit", "show", "--action", "inbox.discarded")["rows"]
    assert "gửi nhầm" not in json.dumps(row, ensure_ascii=False), "nothing is erased from the audit"
    centre.run("inbox", "reopen", str(first["id"]))
    assert len(listed(centre, "unmatched")) == 2


def test_somebody_named_with_mistakes_is_found_for_who_looks(centre: Centre, hospital: httpx.Client) -> None:
    """No number, a letter wrong, the year alone: ranked with each point in words, and linked by nobody."""
    named = {
        "resourceType": "Patient",
        "name": [{"text": "DO VAN DUCC"}],
        "birthDate": "1960",
        "gender": "male",
    }
    post(hospital, bundle(("POST", "Patient", named), ("POST", "Observation", potassium("D1", UUID))))
    (waiting,) = listed(centre, "unmatched")
    assert (waiting["reasons"], waiting["candidates"]) == (["person-unknown"], [])
    (found,) = centre.run_json("inbox", "show", str(waiting["id"]))["candidates"]
    assert (found["cadre"], found["because"]) == ("CB-1", ["birth-date", "name"])
    points = {one["part"]: one["level"] for one in found["points"]}
    assert points == {
        **{"family": "same", "middle-word": "same", "given": "near", "order": "same"},
        **{"birth-date": "same-year", "sex": "same"},
    }
    assert found["likeness"] == pytest.approx(sum(one["bits"] for one in found["points"]) - 1, abs=0.3)
    shown = centre.run("inbox", "show", str(waiting["id"]))
    assert "given name one letter apart" in shown
    assert "family name the same (do) +" in shown
    assert listed(centre, "applied") == []
    vietnamese = centre.run("--lang", "vi", "inbox", "show", str(waiting["id"]))
    assert "tên lệch một chữ cái" in vietnamese
    assert "họ giống (do) +6,1" in vietnamese.replace("\n", " ")


def test_what_was_said_of_a_patient_is_listed_and_taken_back(centre: Centre, hospital: httpx.Client) -> None:
    """At the command line: a link teaches a number, never rules out, and both are forgotten again."""
    named = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:his:mrn", "value": "BN0077"}],
        "name": [{"text": "Đỗ Văn Đức"}],
        "birthDate": "1960-03-12",
    }
    post(hospital, bundle(("POST", "Patient", named), ("POST", "Observation", potassium("R1", UUID))))
    (waiting,) = listed(centre, "unmatched")
    number = str(waiting["id"])
    assert "never CB-2's" in centre.run("inbox", "never", number, "CB-2")
    assert "Said to be never: CB-2" in centre.run("inbox", "show", number)
    assert "never this one" in centre.attempt("inbox", "link", number, "CB-2").stderr
    assert {one["is_never"] for one in centre.run_json("inbox", "remembered")["rulings"]} == {True}
    centre.run("inbox", "link", number, "CB-2", "--despite")
    assert centre.run_json("inbox", "remembered")["rulings"] == []
    centre.run("inbox", "unlink", number)
    centre.run("inbox", "link", number, "CB-1")
    post(hospital, bundle(("POST", "Patient", named), ("POST", "Observation", potassium("R2", UUID))))
    assert [one["cadre"] for one in listed(centre, "applied")] == ["CB-1"]
    (ruling,) = centre.run_json("inbox", "remembered")["rulings"]
    assert (ruling["cadre"], ruling["is_never"], ruling["item"]) == ("CB-1", False, waiting["id"])
    assert "is this person" in centre.run("inbox", "remembered")
    centre.run("inbox", "forget", str(ruling["id"]))
    assert "Nothing was said" in centre.run("inbox", "remembered")
    assert centre.attempt("inbox", "forget", str(ruling["id"])).returncode == 2
    centre.run("inbox", "never", number, "CB-2")
    centre.run("inbox", "never", number, "CB-2", "--undo")
    assert centre.run_json("inbox", "remembered")["rulings"] == []
    assert centre.attempt("inbox", "never", number, "CB-1").returncode == 2  # it is in that record


def test_what_was_said_of_who_was_merged_is_said_of_who_stays(centre: Centre) -> None:
    said = {"is_never": False, "item": 1, "now": datetime.now(UTC), "by": "test"}
    with centre.open() as adapter:
        with write_transaction(adapter.engine) as connection:
            put_rulings(connection, "bv-tinh", ["a"], "CB-2", **said)
            put_rulings(connection, "bv-tinh", ["b"], "CB-1", **(said | {"is_never": True}))
        directory = HospitalDirectory(adapter, "bv-tinh")
        assert directory.rulings(["a"]) == {"CB-2": False}
    centre.run("cadre", "merge", "CB-2", "CB-1", "--yes")
    with centre.open() as adapter:
        directory = HospitalDirectory(adapter, "bv-tinh")
        assert directory.rulings(["a"]) == {"CB-1": False}
        assert directory.rulings(["a", "b"]) == {"CB-1": True}  # never holds
        assert HospitalDirectory(adapter, "bv-trung-uong").rulings(["a", "b"]) == {}
