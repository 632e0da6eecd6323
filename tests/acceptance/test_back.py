"""The path back, with real processes: an acknowledged result survives, a repeat adds nothing."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sample import SMALL

from adapter.testing import Centre, until

SYSTEM = "https://cadre-health.example/fhir/sid/record"


def _curl(url: str, token: str, body: dict[str, Any], folder: Path) -> tuple[int, Any]:
    file = folder / "body.json"
    file.write_text(json.dumps(body), "utf-8")
    headers = ("-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/fhir+json")
    done = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code}", url, *headers, "--data-binary", f"@{file}"],
        capture_output=True,
        text=True,
        check=True,
    )
    answer, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(answer or "null")


def _report(request: dict[str, Any]) -> dict[str, Any]:
    """What the hospital found, for a request as it received it."""
    identifier = request["identifier"][0]
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "https://bv-tinh.example/sid/report", "value": "R-1"}],
        "basedOn": [{"identifier": {"system": identifier["system"], "value": identifier["value"]}}],
        "status": "final",
        "code": {"text": "Kết quả khám"},
        "conclusion": "Đã khám, theo dõi",
        "issued": "2026-11-20T09:00:00+07:00",
    }


@pytest.mark.parametrize("kind", ["centre", "postgres_centre"])
def test_an_acknowledged_result_survives_kill_9_and_a_repeat_adds_nothing(
    kind: str, request: pytest.FixtureRequest
) -> None:
    centre: Centre = request.getfixturevalue(kind)
    view = centre.start_hospital("bv-tinh")
    centre.run("import", str(SMALL))
    centre.run("sync", "bv-tinh")
    body = _report(next(view.all("ServiceRequest")))
    token = centre.run("hospital", "token", "bv-tinh").strip()
    url = f"{centre.start_endpoint()}/DiagnosticReport"

    status, stored = _curl(url, token, body, centre.folder)
    assert centre.stop("serve", signal.SIGKILL) == -signal.SIGKILL
    assert status == 201
    assert stored["id"]

    centre.start_endpoint()
    status, again = _curl(url, token, body, centre.folder)
    assert (status, again["id"]) == (200, stored["id"])
    assert until(lambda: centre.run_json("inbox")["counts"]["applied"] == 1, 30)
    assert sum(centre.run_json("inbox")["counts"].values()) == 1
    levels = centre.run_json("report")["referrals"]
    assert levels["provincial"]["completed"] == 1
    assert centre.stop("serve") == 0


def test_wrong_tokens_and_wrong_bodies_are_refused_with_an_outcome(centre: Centre) -> None:
    token = centre.run("hospital", "token", "bv-tinh").strip()
    url = f"{centre.start_endpoint()}/DiagnosticReport"
    status, outcome = _curl(url, "wrong", {"resourceType": "DiagnosticReport"}, centre.folder)
    assert (status, outcome["resourceType"]) == (401, "OperationOutcome")
    status, outcome = _curl(url, token, {"resourceType": "DiagnosticReport", "status": "done"}, centre.folder)
    assert 400 <= status < 500
    assert any("DiagnosticReport.status" in str(issue.get("expression")) for issue in outcome["issue"])
    assert sum(centre.run_json("inbox")["counts"].values()) == 0
    centre.run("hospital", "token", "bv-tinh", "--revoke")
    status, _ = _curl(url, token, {"resourceType": "DiagnosticReport"}, centre.folder)
    assert status == 401
