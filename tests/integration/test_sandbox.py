"""A sandbox hospital over real HTTP: it misbehaves as told, and its doctor sends results."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import plainly
import pytest
from sqlalchemy import Engine

from adapter.database import open_database
from adapter.fhir.codec import loads
from adapter.fhir.validation.checker import check_resource
from adapter.sandbox.app import SANDBOX_OWNER, SandboxHospital
from adapter.sandbox.clinician import Clinician
from adapter.testing import serving

FHIR = {"Content-Type": "application/fhir+json"}
SYSTEM = "urn:x"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'sandbox.db'}")
    yield engine
    engine.dispose()


def patient(value: str) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": value}]}


def bundle(*resources: dict[str, Any]) -> str:
    entries = [
        {
            "resource": resource,
            "request": {
                "method": "PUT",
                "url": f"{resource['resourceType']}?identifier={SYSTEM}|{resource['identifier'][0]['value']}",
            },
        }
        for resource in resources
    ]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})


def faults(url: str, *specs: str) -> None:
    plainly.post(f"{url}/$sandbox/faults", json={"faults": specs}).raise_for_status()


def stats(url: str) -> dict[str, Any]:
    return plainly.get(f"{url}/$sandbox/stats").json()  # type: ignore[no-any-return]


def test_faults_can_be_changed_while_it_runs(store: Engine) -> None:
    with serving(SandboxHospital(store, "bv-tinh").app) as url:
        assert plainly.get(f"{url}/fhir/Patient").status_code == 200
        faults(url, "503:1")
        assert plainly.get(f"{url}/fhir/Patient").status_code == 503
        faults(url, "429:1:7")
        seconds = plainly.get(f"{url}/fhir/Patient")
        assert (seconds.status_code, seconds.headers["retry-after"]) == (429, "7")
        assert seconds.json()["issue"][0]["code"] == "throttled"
        faults(url, "429:1:date")
        date = parsedate_to_datetime(plainly.get(f"{url}/fhir/Patient").headers["retry-after"])
        assert abs((date - datetime.now(UTC)).total_seconds()) < 5
        faults(url, "slow:1:0.3s")
        before = time.perf_counter()
        plainly.get(f"{url}/fhir/Patient")
        assert time.perf_counter() - before >= 0.3
        faults(url, "down")
        with pytest.raises(httpx.TransportError):
            plainly.get(f"{url}/fhir/Patient")
        assert plainly.post(f"{url}/$sandbox/faults", json={"faults": ["?"]}).status_code == 400
        faults(url)
        assert plainly.get(f"{url}/fhir/Patient").status_code == 200
        shown = stats(url)
        assert shown["faults"]["fired"] == {"503": 1, "429": 2, "slow": 1, "down": 1}
        assert shown["requests"]["by_interaction"] == {"search": 7}
        assert shown["write_requests"] == 0


def test_drop_after_commit_has_done_the_work(store: Engine) -> None:
    with serving(SandboxHospital(store, "bv-tinh").app) as url:
        faults(url, "drop-after-commit:1")
        with pytest.raises(httpx.RemoteProtocolError), httpx.Client() as client:
            client.post(f"{url}/fhir", content=bundle(patient("1")), headers=FHIR)
        faults(url)
        assert plainly.get(f"{url}/fhir/Patient?identifier={SYSTEM}|1").json()["total"] == 1
        assert plainly.post(f"{url}/fhir", content=bundle(patient("1")), headers=FHIR).status_code == 200
        shown = stats(url)
        assert shown["resources"] == {"Patient": 1}
        assert shown["entries_written"] == {"total": 1, "create": 1}
        assert shown["write_requests"] == 2


def test_a_refused_resource_takes_its_whole_transaction_with_it(store: Engine) -> None:
    with serving(SandboxHospital(store, "bv-tinh").app) as url:
        faults(url, "refuse-one:Patient")
        organization = {"resourceType": "Organization", "identifier": [{"system": SYSTEM, "value": "o"}]}
        for _ in range(2):
            answer = plainly.post(f"{url}/fhir", content=bundle(organization, patient("1")), headers=FHIR)
            assert answer.status_code == 422
            assert answer.json()["issue"][0]["expression"] == ["Bundle.entry[1].resource"]
        assert stats(url)["resources"] == {}
        assert plainly.post(f"{url}/fhir", content=bundle(patient("2")), headers=FHIR).status_code == 200


def test_a_token_can_be_asked_for(store: Engine) -> None:
    with serving(SandboxHospital(store, "bv-tinh", token="s3cret").app) as url:
        assert plainly.get(f"{url}/fhir/Patient").status_code == 401
        right = {"Authorization": "Bearer s3cret"}
        assert plainly.get(f"{url}/fhir/Patient", headers=right).status_code == 200


def referral(value: str, category: str) -> dict[str, Any]:
    return {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": SYSTEM, "value": value}],
        "status": "active",
        "intent": "order",
        "category": [{"coding": [{"system": "urn:categories", "code": category}]}],
        "code": {"text": "Khám"},
        "subject": {"reference": "Patient/1"},
    }


class Adapter:
    """The other end of a push: answers with `statuses` in turn, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[dict[str, Any]] = []

    def __call__(self, url: str, body: bytes, token: str | None, timeout: float) -> tuple[int, bytes]:
        assert (url, token) == ("http://adapter/fhir", "t")
        self.got.append(loads(body))
        return (self.statuses.pop(0) if self.statuses else 200), b"{}"


def doctor(sandbox: SandboxHospital, adapter: Adapter) -> Clinician:
    return Clinician(
        sandbox.staff_repository,
        SANDBOX_OWNER,
        "bv-tinh",
        adapter,
        push_to="http://adapter/fhir",
        token="t",
        delay_seconds=0,
        seed=1,
    )


def test_the_doctor_examines_each_referral_once(store: Engine) -> None:
    sandbox, adapter = SandboxHospital(store, "bv-tinh"), Adapter()
    made = [
        sandbox.staff_repository.create(SANDBOX_OWNER, referral(*pair)).id
        for pair in (("r1", "workup"), ("r2", "treatment"), ("r3", "consultation"))
    ]
    sandbox.staff_repository.create(SANDBOX_OWNER, {**referral("r4", "workup"), "status": "revoked"})
    later = datetime.now(UTC) + timedelta(seconds=1)
    assert doctor(sandbox, adapter).run_once(later) == 3
    assert doctor(sandbox, adapter).run_once(later + timedelta(seconds=5)) == 0
    sent = sorted(  # two that came in one millisecond have no order
        ([entry["resource"] for entry in one["entry"]] for one in adapter.got),
        key=lambda resources: str(resources[0]["basedOn"][0]["identifier"]["value"]),
    )
    kinds = [{resource["resourceType"] for resource in resources} for resources in sent]
    assert kinds == [
        {"Observation", "DiagnosticReport"},
        {"Procedure", "DiagnosticReport"},
        {"Observation", "DiagnosticReport"},
    ]
    for referral_id, value, resources in zip(made, ("r1", "r2", "r3"), sent, strict=True):
        for resource in resources:
            assert check_resource(resource) == []
            assert resource["basedOn"] == [
                {
                    "reference": f"ServiceRequest/{referral_id}",
                    "type": "ServiceRequest",
                    "identifier": {"system": SYSTEM, "value": value},
                }
            ]
    for referral_id in made:
        assert (
            loads(sandbox.staff_repository.read(SANDBOX_OWNER, "ServiceRequest", referral_id).body)["status"]
            == "completed"
        )
    counts = sandbox.staff_repository.counts(SANDBOX_OWNER)
    assert (counts["DiagnosticReport"], counts["Procedure"], counts["ServiceRequest"]) == (3, 1, 4)


def test_what_was_not_acknowledged_is_sent_again_the_same(store: Engine) -> None:
    sandbox, adapter = SandboxHospital(store, "bv-tinh"), Adapter(0, 503)
    sandbox.staff_repository.create(SANDBOX_OWNER, referral("r1", "workup"))
    later = datetime.now(UTC) + timedelta(seconds=1)
    done = [doctor(sandbox, adapter).run_once(later + timedelta(minutes=n)) for n in range(4)]
    assert done == [0, 0, 1, 0]
    assert adapter.got[0] == adapter.got[1] == adapter.got[2]


def test_the_doctor_waits_before_examining(store: Engine) -> None:
    sandbox, adapter = SandboxHospital(store, "bv-tinh"), Adapter()
    sandbox.staff_repository.create(SANDBOX_OWNER, referral("r1", "workup"))
    patient_doctor = doctor(sandbox, adapter)
    patient_doctor.delay_seconds = 60
    assert patient_doctor.run_once(datetime.now(UTC)) == 0
    assert patient_doctor.run_once(datetime.now(UTC) + timedelta(seconds=61)) == 1
