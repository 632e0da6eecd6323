"""Hospitals' servers are measured over real HTTP: the sandbox, and servers that deviate from the standard."""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deviant import Deviant
from sqlalchemy import Engine

from adapter.database import open_database
from adapter.delivery.doctor.examination import ExaminationResult, ProbeLimits, examine_server
from adapter.delivery.doctor.findings import card_findings
from adapter.delivery.doctor.session import ProbeSession, is_test_resource
from adapter.delivery.http.client import HospitalClient, HttpResponse
from adapter.fhir.codec import dumps
from adapter.fhir.validation.checker import check_resource
from adapter.ledger.server_cards.card import ServerCard
from adapter.sandbox.app import SandboxHospital
from adapter.sandbox.fault_injection import parse_fault
from adapter.testing import serving

SYSTEM = "https://cadre-health.example/fhir/sid/record/doctor"
LIMITS = ProbeLimits(20, 200_000)
TOKEN = "the-token-of-the-hospital"

STANDARD = ServerCard(
    fhir_version="4.0.1",
    transaction=True,
    atomic=True,
    batch=True,
    urn_references=True,
    paired=True,
    names_ids=True,
    max_entries=20,
    max_bytes=200_000,
    max_single_bytes=200_000,
    conditional_create=True,
    conditional_update=True,
    conditional_reference=True,
    encoded_urls=True,
    several_matches=412,
    if_match=True,
    if_match_status=412,
    if_match_star=True,
    bundle_if_match=True,
    same_is_no_version=True,
    client_ids=True,
    revives_deleted=True,
    search_by_identifier=True,
    search_is_fresh=True,
    search_several=True,
    paging=True,
    deletes=True,
    deleted_status=410,
    gzip_requests=True,
    guarded=True,
    clock_skew=0.0,
    missing_types="none",
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'hospital.db'}")
    yield engine
    engine.dispose()


def others(base: str, count: int = 5) -> None:
    """Patients of the hospital itself."""
    with HospitalClient(base, token=TOKEN) as client:
        for number in range(count):
            resource = {
                "resourceType": "Patient",
                "identifier": [{"system": "urn:hospital", "value": str(number)}],
            }
            assert client.send("POST", "Patient", dumps(resource)).status == 201  # type: ignore[union-attr]


def held(base: str) -> list[tuple[str, str, str]]:
    """All that the hospital holds, with versions."""
    found = []
    with HospitalClient(base, token=TOKEN) as client:
        for kind in ("Patient", "Observation"):
            reply = client.search(f"{kind}?_count=500")
            assert isinstance(reply, HttpResponse)
            found += [(kind, one["id"], one["meta"]["versionId"]) for one in reply.body]
    return found


def measure(base: str, *, writes: bool = True, token: str = TOKEN, **more: Any) -> ExaminationResult:
    with HospitalClient(base, token=token, timeout=10) as client:
        return examine_server(
            client,
            system=SYSTEM,
            limits=LIMITS,
            writes=writes,
            stop=more.pop("stop", threading.Event()),
            with_token=lambda wrong: HospitalClient(base, token=wrong),
            types=("Observation", "Patient", "Task"),
            **more,
        )


def plain(card: ServerCard) -> ServerCard:
    return replace(card, software=None, says={}, seconds_an_entry=None)


def test_the_sandbox_keeps_to_the_standard_and_nothing_of_the_examination_stays(store: Engine) -> None:
    sandbox = SandboxHospital(store, "bv", token=TOKEN, validate=check_resource)
    with serving(sandbox.app) as url:
        base = f"{url}/fhir"
        others(base)
        before = held(base)
        done: list[tuple[int, int]] = []
        found = measure(base, on_progress=lambda *steps: done.append(steps))
        assert plain(found.card) == STANDARD
        assert found.card.says["conditional_update"] is True
        assert (found.trouble, found.notes, found.left, found.wrote) == (None, {}, (), True)
        assert held(base) == before
        assert [step for step, _ in done] == list(range(1, done[-1][1] + 1))


DEVIATIONS: list[tuple[str, dict[str, Any]]] = [
    ("non-atomic", {"atomic": False}),
    ("ignores-if-none-exist", {"conditional_create": False}),
    ("ignores-search", {"search_by_identifier": False}),
    ("drops-an-entry", {"paired": False, "names_ids": False, "urn_references": False}),
    ("reversed", {"paired": False}),
    ("nameless", {"names_ids": False}),
    ("no-bundles", {"transaction": False, "batch": False, "atomic": None, "paired": None, "paging": True}),
    ("no-task", {"missing_types": "Task", "transaction": True}),
    ("no-conditional-update", {"conditional_update": False, "several_matches": None, "transaction": True}),
    (
        "no-conditional-entries",
        {
            "conditional_update": False,
            "transaction": True,
            "atomic": True,
            "max_entries": 20,
            "max_bytes": 200_000,
        },
    ),
    ("small", {"max_single_bytes": 100_000, "max_bytes": 200_000}),
    ("few", {"max_entries": 5, "transaction": True}),
    ("ignores-if-match", {"if_match": False, "if_match_status": None, "bundle_if_match": False}),
    ("first-page-only", {"paging": False}),
    ("late", {"search_is_fresh": False, "search_by_identifier": True, "conditional_update": True}),
    ("literal-percents", {"encoded_urls": False, "conditional_update": False}),
]


@pytest.mark.parametrize(("way", "expected"), DEVIATIONS, ids=[way for way, _ in DEVIATIONS])
def test_a_deviation_is_on_the_card_and_all_is_removed(
    store: Engine, way: str, expected: dict[str, Any]
) -> None:
    sandbox = SandboxHospital(store, "bv", token=TOKEN)
    with serving(Deviant(sandbox.app, way)) as url, serving(sandbox.app) as plain_url:
        base = f"{plain_url}/fhir"
        others(base)
        before = held(base)
        found = measure(f"{url}/fhir")
        assert {name: getattr(found.card, name) for name in expected} == expected
        assert found.trouble is None
        assert found.left == ()
        assert held(base) == before


def test_a_server_that_deletes_nothing_is_written_to_no_more_and_what_is_left_is_named(store: Engine) -> None:
    sandbox = SandboxHospital(store, "bv", token=TOKEN)
    deviant = Deviant(sandbox.app, "keeps")
    with serving(deviant) as url:
        found = measure(f"{url}/fhir")
        assert found.card.deletes is False
        assert found.card.transaction is None
        assert sum(method == "POST" for method, _ in deviant.requests) == 2
        assert sorted(place.split("/")[0] for place in found.left) == ["Observation", "Patient"]
        assert {place for _, place, _ in held(f"{url}/fhir")} == {one.split("/")[1] for one in found.left}
        deviant.ways.clear()
        again = measure(f"{url}/fhir")
        assert (again.removed, again.left) == (2, ())
        assert held(f"{url}/fhir") == []


def test_a_server_that_takes_no_test_resource_is_measured_no_further(store: Engine) -> None:
    sandbox = SandboxHospital(store, "bv", token=TOKEN)
    with serving(Deviant(sandbox.app, "no-creates")) as url:
        found = measure(f"{url}/fhir")
    assert found.card.deletes is None
    assert found.notes == {"removable": "Patient: HTTP 422 not here"}
    assert not found.wrote


@pytest.mark.parametrize(("way", "trouble"), [("html", "not-fhir"), ("busy", "busy")])
def test_what_cannot_be_measured_says_why(store: Engine, way: str, trouble: str) -> None:
    deviant = Deviant(SandboxHospital(store, "bv", token=TOKEN).app, way)
    with serving(deviant) as url:
        found = measure(f"{url}/fhir")
    assert (found.trouble, found.card) == (trouble, ServerCard())
    assert all(method == "GET" for method, _ in deviant.requests)


def test_a_wrong_token_of_ours_and_one_that_is_taken_are_told_apart(store: Engine) -> None:
    with serving(SandboxHospital(store, "bv", token=TOKEN).app) as url:
        assert measure(f"{url}/fhir", token="expired").trouble == "auth"
    with serving(SandboxHospital(store, "bv").app) as url:
        assert measure(f"{url}/fhir", writes=False).card.guarded is False


def test_reading_only_writes_nothing(store: Engine) -> None:
    deviant = Deviant(SandboxHospital(store, "bv", token=TOKEN).app)
    with serving(deviant) as url:
        found = measure(f"{url}/fhir", writes=False)
    assert {method for method, _ in deviant.requests} == {"GET"}
    assert found.card.fhir_version == "4.0.1"
    assert found.card.guarded is True
    assert found.card.transaction is None


def test_told_to_stop_it_removes_what_it_made(store: Engine) -> None:
    stop = threading.Event()
    with serving(SandboxHospital(store, "bv", token=TOKEN).app) as url:
        base = f"{url}/fhir"
        others(base)
        before = held(base)
        found = measure(base, stop=stop, on_progress=lambda done, _total: done == 5 and stop.set())
        assert found.stopped
        assert found.wrote
        assert held(base) == before


def test_what_an_interrupted_examination_left_is_found_and_nothing_else_is_touched(store: Engine) -> None:
    with serving(SandboxHospital(store, "bv", token=TOKEN).app) as url:
        base = f"{url}/fhir"
        others(base)
        before = held(base)
        with HospitalClient(base, token=TOKEN) as client:
            bench = ProbeSession(client, SYSTEM, threading.Event())
            for _ in range(60):  # more than one page
                bench.make(bench.value())
        found = measure(base)
        assert (found.removed, found.left) == (60, ())
        assert held(base) == before


def test_only_what_carries_our_identifier_is_ours() -> None:
    tagged = {"resourceType": "Patient", "meta": {"tag": [{"system": SYSTEM, "code": "test"}]}}
    other = {"resourceType": "Patient", "identifier": [{"system": "urn:hospital", "value": "1"}]}
    ours = {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": "1"}]}
    assert [is_test_resource(one, SYSTEM) for one in (tagged, other, ours)] == [False, False, True]


def test_a_server_with_faults_is_measured_all_the_same(store: Engine) -> None:
    faults = ("503:0.03", "429:0.03:0", "drop-after-commit:0.05")
    sandbox = SandboxHospital(
        store, "bv", token=TOKEN, faults=tuple(parse_fault(one) for one in faults), seed=7
    )
    with serving(sandbox.app) as url:
        found = measure(f"{url}/fhir", sleep=lambda _seconds: time.sleep(0.01))
        assert sandbox.faults.fired["drop-after-commit"]
        assert plain(replace(found.card, retry_after=None)) == STANDARD
        sandbox.faults.replace([])
        assert (found.left, held(f"{url}/fhir")) == ((), [])


def test_a_clock_that_is_wrong_is_seen(store: Engine) -> None:
    ahead: Callable[[], datetime] = lambda: datetime.now(UTC) - timedelta(minutes=5)  # noqa: E731
    with serving(SandboxHospital(store, "bv", token=TOKEN).app) as url:
        skew = measure(f"{url}/fhir", writes=False, clock=ahead).card.clock_skew
    assert skew is not None
    assert abs(skew - 300) <= 3


def _certificate(folder: Path, days: int) -> tuple[Path, Path]:
    """A certificate of this machine that holds for some days, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl not found")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(key), "-out", str(certificate), "-days", str(days)),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def test_the_end_of_a_certificate_is_known_and_a_stranger_to_it_gets_nothing(
    store: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = _certificate(tmp_path, 10)
    app = SandboxHospital(store, "bv", token=TOKEN).app
    with serving(app, ssl_certfile=certificate, ssl_keyfile=key) as url:
        base = url.replace("http:", "https:") + "/fhir"
        assert measure(base, writes=False).trouble == "tls"
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        found = measure(base, writes=False)
    assert found.card.tls_until is not None
    left = datetime.fromisoformat(found.card.tls_until) - datetime.now(UTC)
    assert timedelta(days=9) < left < timedelta(days=11)
    levels = {line.behaviour: line.level for line in card_findings(found.card, LIMITS, datetime.now(UTC))}
    assert levels["tls_until"] == "costs"
