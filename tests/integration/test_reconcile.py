"""A hospital read back and put right: a real database, a real FHIR server over HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import plainly
import pytest
from sample import SMALL
from snapshots import Snapshots, Urls, servers_moved
from sqlalchemy import Engine

from adapter.database import migrate, open_database
from adapter.delivery.read_back.reconciliation import ReadBackVerdict
from adapter.errors import Busy, HospitalError, SettingsError
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.schema.states import EntryState
from adapter.operations import reconcile
from adapter.operations.reconcile import Discrepancy, ReconcileReport, reconcile_hospital
from adapter.operations.repair import RepairSummary, refresh_ledger, repair_hospital
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound import sync
from adapter.pipeline.outbound.planning import update_ledger
from adapter.pipeline.outbound.sync import sync as run_sync
from adapter.records.importing import importer
from adapter.sandbox.app import SandboxHospital
from adapter.settings import HospitalSettings, Settings
from adapter.testing import CAPABLE_SERVER, serving

NAME = "bv-trung-uong"


def silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """No progress bar."""


def clock() -> datetime:
    return datetime.now(UTC)


class Site:
    """A centre that has synced its small sample with one hospital."""

    def __init__(
        self, engine: Engine, folder: Path, sandbox: SandboxHospital, base: str, records: Path
    ) -> None:
        self.records = records
        self.base = f"{base}/fhir"
        self.sandbox = sandbox
        (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
        self.settings = Settings(
            identity_key=f"file:{folder / 'identity.key'}",
            database_url=f"sqlite:///{folder / 'adapter.db'}",
            hospitals={
                NAME: HospitalSettings(
                    name=NAME, display=NAME, level="central", base_url=self.base, timeout_seconds=5
                )
            },
        )
        self.open(engine)

    def open(self, engine: Engine) -> None:
        self.engine = engine
        self.adapter = Adapter(self.settings, engine)

    def use(self, engine: Engine) -> None:
        self.open(engine)
        self.adapter.cards.put(NAME, CAPABLE_SERVER, clock())
        importer.run_import(
            engine, [self.records], max_deletions_percent=3, known_hospitals=frozenset((NAME,)), now=clock()
        )

    def sync(self) -> None:
        run_sync(self.adapter, [NAME], clock, silent)

    def read_back(self) -> ReconcileReport:
        with self.adapter.client(NAME) as client:
            return reconcile_hospital(self.adapter, NAME, client, clock, silent)

    def put_right(self, found: ReconcileReport, *, delete_unknown: bool = False) -> RepairSummary:
        with self.adapter.client(NAME) as client:
            return repair_hospital(
                self.adapter,
                found,
                client,
                clock,
                delete_unknown=delete_unknown,
                deliver=self.sync,
                by="test",
            )

    def search(self, resource_type: str, query: str = "") -> list[dict[str, Any]]:
        bundle = plainly.get(f"{self.base}/{resource_type}?_count=500&{query}").json()
        return [entry["resource"] for entry in bundle.get("entry", ())]

    @property
    def writes(self) -> int:
        return int(self.sandbox.stats.snapshot()["write_requests"])


@pytest.fixture
def site(
    database_system: str,
    brief: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    snapshots: Snapshots,
) -> Iterator[Site]:
    def synced(urls: Urls) -> None:
        with opened(urls, tmp_path_factory.mktemp("first"), SMALL) as site:
            site.use(site.engine)
            site.sync()

    systems = {"adapter": database_system, "hospital": "sqlite"}
    with opened(snapshots.copies("reconcile", systems, tmp_path, synced), tmp_path, SMALL) as site:
        servers_moved(site.adapter)
        yield site


@contextmanager
def opened(urls: Urls, folder: Path, records: Path) -> Iterator[Site]:
    engines = {role: open_database(url) for role, url in urls.items()}
    sandbox = SandboxHospital(engines["hospital"], NAME)
    with serving(sandbox.app) as base:
        yield Site(engines["adapter"], folder, sandbox, base, records)
    for engine in engines.values():
        engine.dispose()


def only(found: ReconcileReport) -> Discrepancy:
    assert len(found.findings) == 1, found.findings
    return found.findings[0]


def put(site: Site, resource: dict[str, Any]) -> None:
    url = f"{site.base}/{resource['resourceType']}/{resource['id']}"
    plainly.put(url, json=resource).raise_for_status()


def twin(site: Site, resource: dict[str, Any], **changed: Any) -> str:
    """A second resource with the same identifier, as two writers at once make it."""
    body = {key: value for key, value in resource.items() if key not in ("id", "meta")} | changed
    answer = plainly.post(f"{site.base}/{resource['resourceType']}", json=body).raise_for_status()
    return str(answer.json()["id"])


def test_a_hospital_that_holds_what_it_should_has_no_findings(site: Site) -> None:
    found = site.read_back()
    assert (found.findings, found.unlisted, found.exit_code) == ((), {}, 0)
    held = sum(counts.get(ReadBackVerdict.SAME, 0) for counts in found.counts.values())
    assert held == site.adapter.ledger.counts(NAME)[EntryState.DELIVERED] > 50


def test_under_another_key_it_is_not_read_as_if_all_were_well(site: Site, tmp_path: Path) -> None:
    (tmp_path / "identity.key").write_text("fedcba9876543210fedcba9876543210")
    with pytest.raises(SettingsError, match="it goes on under"):  # nor is anything imported
        site.use(site.engine)
    with pytest.raises(SettingsError, match="is not the one with which"):
        site.read_back()


def test_what_is_missing_is_found_and_sent_again(site: Site) -> None:
    victim = site.search("ServiceRequest")[0]
    for task in site.search("Task"):
        if any(victim["id"] in json.dumps(task.get(name, "")) for name in ("focus", "basedOn")):
            plainly.delete(f"{site.base}/Task/{task['id']}").raise_for_status()
    plainly.delete(f"{site.base}/ServiceRequest/{victim['id']}").raise_for_status()
    found = site.read_back()
    assert {(one.type, one.verdict) for one in found.findings} >= {
        ("ServiceRequest", ReadBackVerdict.MISSING)
    }
    assert all(one.verdict is ReadBackVerdict.MISSING for one in found.findings)
    site.put_right(found)
    assert site.read_back().findings == ()


def test_what_the_hospital_changed_is_found_by_element_and_put_right(site: Site) -> None:
    changed = site.search("Patient")[0]
    put(site, {**changed, "gender": "unknown", "active": False})
    one = only(found := site.read_back())
    assert (one.type, one.verdict, one.copies) == ("Patient", ReadBackVerdict.DIFFERENT, (changed["id"],))
    assert "Patient.gender" in one.elements
    done = site.put_right(found)
    assert (done.resend, done.kept) == (1, {})
    after = plainly.get(f"{site.base}/Patient/{changed['id']}").json()
    assert after["gender"] == changed["gender"]
    assert site.read_back().findings == ()


def test_a_second_copy_is_deleted_and_the_known_one_stays(site: Site) -> None:
    patient = site.search("Patient")[0]
    second = twin(site, patient)
    one = only(found := site.read_back())
    assert (one.verdict, one.copies, one.foreign) == (
        ReadBackVerdict.DUPLICATES,
        (patient["id"], second),
        False,
    )
    assert site.put_right(found).removed == 1
    assert [one["id"] for one in site.search("Patient") if one["identifier"] == patient["identifier"]] == [
        patient["id"]
    ]
    assert site.read_back().findings == ()


def test_a_second_copy_that_is_the_hospitals_own_is_left_to_it(site: Site) -> None:
    patient = site.search("Patient")[0]
    theirs = twin(site, patient, telecom=[{"system": "phone", "value": "0900000000"}])
    one = only(found := site.read_back())
    assert one.foreign
    assert site.put_right(found).kept == {f"Patient/{theirs}": "foreign"}
    assert plainly.get(f"{site.base}/Patient/{theirs}").status_code == 200


def test_what_was_retracted_and_is_there_again_is_retracted_again(site: Site) -> None:
    patient = site.search("Patient")[0]
    identity = next(one["value"] for one in patient["identifier"] if "record" in one["system"])
    entry = site.adapter.ledger.by_identity(NAME, "Patient", identity)
    assert entry is not None
    with site.adapter.client(NAME) as client:
        client.requests = 0
    before = [one for kind in ("Observation", "Encounter") for one in site.search(kind)]
    assert before
    extra = {**before[0], "identifier": [{**before[0]["identifier"][0], "value": "0" * 32}]}
    extra.pop("id")
    extra.pop("meta", None)
    made = plainly.post(f"{site.base}/{extra['resourceType']}", json=extra).raise_for_status().json()["id"]
    one = only(found := site.read_back())
    assert (one.verdict, one.copies, one.repair) == (ReadBackVerdict.EXTRA, (made,), None)
    site.put_right(found)
    assert only(site.read_back()).verdict is ReadBackVerdict.EXTRA  # nobody knows it: only when told to
    assert site.put_right(found, delete_unknown=True).retract == 1
    assert site.read_back().findings == ()
    assert plainly.get(f"{site.base}/{extra['resourceType']}/{made}").status_code in (404, 410)
    # Now the ledger knows it as retracted: it comes back, and goes again by itself.
    plainly.post(f"{site.base}/{extra['resourceType']}", json=extra).raise_for_status()
    again = only(found := site.read_back())
    assert again.repair is not None
    site.put_right(found)
    assert site.read_back().findings == ()


def test_the_ledger_is_made_anew_from_the_hospital_without_a_write(site: Site, tmp_path: Path) -> None:
    delivered, writes = site.adapter.ledger.counts(NAME)[EntryState.DELIVERED], site.writes
    engine = open_database(f"sqlite:///{tmp_path / 'new.db'}")
    migrate(engine)
    site.use(engine)
    update_ledger(site.adapter, site.adapter.destination(NAME), clock(), silent)
    found = site.read_back()
    assert {one.verdict for one in found.findings} == {ReadBackVerdict.RECOVERED}
    assert site.put_right(found).known_again == delivered
    assert site.adapter.ledger.counts(NAME) == {EntryState.DELIVERED: delivered}
    site.sync()
    assert site.writes == writes
    assert site.read_back().findings == ()
    engine.dispose()


def test_a_ledger_made_anew_believes_only_what_is_there_as_it_should_be(site: Site, tmp_path: Path) -> None:
    changed = site.search("Patient")[0]
    put(site, {**changed, "gender": "unknown"})
    engine = open_database(f"sqlite:///{tmp_path / 'new.db'}")
    migrate(engine)
    site.use(engine)
    update_ledger(site.adapter, site.adapter.destination(NAME), clock(), silent)
    found = site.read_back()
    assert found.counts["Patient"][ReadBackVerdict.UNDER_WAY] == 1
    assert changed["id"] not in {id_ for one in found.findings for id_ in one.copies}
    site.put_right(found)
    site.sync()
    assert site.search("Patient", f"_id={changed['id']}")[0]["gender"] == changed["gender"]
    assert site.read_back().findings == ()
    engine.dispose()


def test_a_referral_that_the_hospital_completed_is_not_opened_anew(site: Site, tmp_path: Path) -> None:
    done = site.search("ServiceRequest")[0]
    put(site, {**done, "status": "completed"})
    assert site.read_back().findings == ()
    engine = open_database(f"sqlite:///{tmp_path / 'new.db'}")
    migrate(engine)
    site.use(engine)
    update_ledger(site.adapter, site.adapter.destination(NAME), clock(), silent)
    site.put_right(site.read_back())
    site.sync()
    assert site.search("ServiceRequest", f"_id={done['id']}")[0]["status"] == "completed"
    engine.dispose()


def test_what_is_under_way_elsewhere_is_left_alone(site: Site) -> None:
    patient = site.search("Patient")[0]
    put(site, {**patient, "gender": "unknown"})
    one = only(found := site.read_back())
    lease = site.adapter.ledger.shipments.claim_one(NAME, one.cadre, clock(), 60)
    assert lease is not None
    done = site.put_right(found)
    assert (done.busy, done.resend) == (1, 0)
    site.adapter.ledger.shipments.give_back(lease)
    assert site.put_right(found).resend == 1


def test_what_is_extra_and_stays_there_is_left_over(site: Site) -> None:
    before = site.search("Immunization") or site.search("Condition")
    stranger = {**before[0], "identifier": [{**before[0]["identifier"][0], "value": "x" * 32}]}
    twin(site, stranger)
    found = site.read_back()
    with site.adapter.client(NAME) as client:
        done = repair_hospital(
            site.adapter, found, client, clock, delete_unknown=True, deliver=lambda: None, by="test"
        )
    assert (done.retract, done.left) == (1, 1)  # nothing was sent, so it is still there
    site.sync()
    assert not site.read_back().findings


def test_a_repair_is_one_of_the_workers_and_ends_when_told_to(site: Site) -> None:
    patients = site.search("Patient")[:2]
    for patient in patients:
        put(site, {**patient, "gender": "unknown"})
    found, stop = site.read_back(), threading.Event()
    seen: list[str] = []

    def deliver() -> None:
        seen.extend(one.id for one in site.adapter.ledger.workers.all())
        stop.set()

    with site.adapter.client(NAME) as client:
        done = repair_hospital(
            site.adapter, found, client, clock, delete_unknown=False, deliver=deliver, by="test", stop=stop
        )
    assert seen == [site.adapter.ledger.worker_id]  # whose leases are found free when it is killed
    assert done.left == 2


def test_a_hospital_that_is_stopped_by_hand_is_not_put_right(site: Site) -> None:
    site.adapter.ledger.hospitals.set_mode(NAME, HospitalMode.PAUSED, by="test", note=None, now=clock())
    with pytest.raises(HospitalError, match="paused"):
        refresh_ledger(site.adapter, NAME, clock, silent)


def test_only_one_process_plans_for_a_hospital_that_is_put_right(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "_WAIT", 0)
    turn = site.adapter.ledger.named_locks.acquire(f"plan:{NAME}", 60)
    assert turn is not None
    with pytest.raises(Busy):
        refresh_ledger(site.adapter, NAME, clock, silent)
    site.adapter.ledger.named_locks.give_back(turn)
    refresh_ledger(site.adapter, NAME, clock, silent)


def test_what_passes_is_waited_for_once_the_hospital_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "_FIRST_PAUSE", 0.01)
    replies = iter(["HTTP 429", ("it",), "timeout", "HTTP 503", ("it",), "auth"])
    patience = reconcile._Patience(60, threading.Event(), has_answered=False)
    assert patience.asked(lambda: next(replies)) == "HTTP 429"  # it never answered: nobody waits
    assert patience.asked(lambda: next(replies)) == ("it",)
    assert patience.asked(lambda: next(replies)) == ("it",)  # two troubles that passed
    assert patience.asked(lambda: next(replies)) == "auth"
    told = threading.Event()
    told.set()
    assert reconcile._Patience(60, told, has_answered=True).asked(lambda: "timeout") == "timeout"


@pytest.mark.parametrize("said", ["HTTP 400", "HTTP 404", "HTTP 405", "HTTP 501"])
def test_a_type_that_is_not_served_and_was_never_sent_is_no_finding(
    site: Site, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    listed = reconcile.find_unexpected
    refused: list[str] = []

    def narrow(client: Any, system: str, type_: str, known: Any) -> Iterator[Any]:
        if known:
            yield from listed(client, system, type_, known)
        else:
            refused.append(type_)
            yield said

    monkeypatch.setattr(reconcile, "find_unexpected", narrow)
    found = site.read_back()
    assert refused
    assert (found.exit_code, found.unlisted) == (0, {})


def test_a_type_that_was_sent_and_cannot_be_listed_is_a_finding(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "find_unexpected", lambda *_given: iter(("HTTP 404",)))
    found = site.read_back()
    assert found.exit_code == 1
    assert {"Patient", "Encounter"} <= set(found.unlisted)
