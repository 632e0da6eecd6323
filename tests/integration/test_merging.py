"""Two people who are one: a real database, two real hospitals over HTTP."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import plainly
import pytest
from inbox_centre import receive_version
from snapshots import Snapshots, Urls, servers_moved
from sqlalchemy import Engine, update

from adapter.database import open_database, write_transaction
from adapter.errors import Busy, UsageError
from adapter.fhir import codec
from adapter.insights.explain_record import explain_record
from adapter.insights.problems import current_problems
from adapter.ledger.schema.states import EntryState
from adapter.operations.merge import MergeCadres, MergePreview, UnmergeCadre
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound import inbox
from adapter.pipeline.inbound.erasure import erase_everywhere
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.outbound.sync import sync as run_sync
from adapter.records.importing import importer
from adapter.records.model import Cadre, Referral, Result, Tier
from adapter.records.tables import record
from adapter.sandbox.app import SandboxHospital
from adapter.settings import HospitalSettings, Settings
from adapter.testing import CAPABLE_SERVER, serving

RETRACTS, LINKS = "bv-tinh", "bv-tinh-2"


def silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """No progress bar."""


def clock() -> datetime:
    return datetime.now(UTC)


def acting(adapter: Adapter, now: Callable[[], datetime] = clock) -> OperationContext:
    return OperationContext(adapter, "test", now)


def preview_merge(adapter: Adapter, loser: str, survivor: str) -> MergePreview:
    return MergeCadres(loser, survivor).look(acting(adapter))


class Site:
    """A centre that has synced its small sample with two hospitals: one retracts, the other links."""

    def __init__(self, engine: Engine, folder: Path, bases: dict[str, str]) -> None:
        self.bases = bases
        (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
        mappings = folder / "mappings"
        shutil.copytree("mappings", mappings)
        policy = mappings / "disclosure.yaml"
        line = "  bv-trung-uong: {share: referral}\n"
        written = policy.read_text("utf-8")
        policy.write_text(written.replace(line, f"{line}  {LINKS}: {{share: everything}}\n"), "utf-8")
        settings = Settings(
            mappings=mappings,
            identity_key=f"file:{folder / 'identity.key'}",
            database_url=f"sqlite:///{folder / 'adapter.db'}",
            hospitals={
                name: HospitalSettings(
                    name=name,
                    display=name,
                    level="provincial",
                    base_url=f"{base}/fhir",
                    merged="link" if name == LINKS else "retract",
                )
                for name, base in bases.items()
            },
        )
        self.adapter = Adapter(settings, engine)

    def begin(self, records: Path) -> None:
        for name in self.bases:
            self.adapter.cards.put(name, CAPABLE_SERVER, clock())
        importer.run_import(
            self.adapter.engine,
            [records],
            max_deletions_percent=3,
            known_hospitals=frozenset((*self.bases, "bv-trung-uong")),
            now=clock(),
        )
        self.sync()

    def choose(self) -> None:
        people = [one for one in self.adapter.records.iterate("cadre") if isinstance(one, Cadre)]
        full = [one for one in people if one.tier in (Tier.T4, Tier.T5)]
        with_visits = [
            one.key
            for one in full
            if any(record.kind == "visit" for record in self.adapter.records.of_cadre(one.key))
        ]
        self.loser, self.survivor = with_visits[:2]

    def sync(self) -> None:
        summary = run_sync(self.adapter, list(self.bases), clock, silent)
        assert all(one.parked == one.unknown == one.waiting == 0 for one in summary.hospitals.values())

    def merge(self, **how: Any) -> None:
        MergeCadres(self.loser, self.survivor, **how).perform(acting(self.adapter))

    def patient(self, hospital: str, cadre: str) -> dict[str, Any] | None:
        identity = self.adapter.destination(hospital).identify("Patient", "cadre", cadre)
        url = f"{self.bases[hospital]}/fhir/Patient?identifier={identity}"
        entries = plainly.get(url).json().get("entry", [])
        assert len(entries) <= 1
        return entries[0]["resource"] if entries else None

    def about(self, hospital: str, patient: str) -> set[str]:
        found = set()
        for kind in ("Encounter", "Observation", "Condition", "ServiceRequest", "DiagnosticReport"):
            url = f"{self.bases[hospital]}/fhir/{kind}?subject=Patient/{patient}&_count=500"
            found |= {
                f"{kind}/{entry['resource']['id']}" for entry in plainly.get(url).json().get("entry", [])
            }
        return found


@pytest.fixture
def site(
    database_system: str,
    brief: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    snapshots: Snapshots,
) -> Iterator[Site]:
    def synced(urls: Urls) -> None:
        with opened(urls, tmp_path_factory.mktemp("first")) as site:
            site.begin(brief)

    systems = {"adapter": database_system, RETRACTS: "sqlite", LINKS: "sqlite"}
    with opened(snapshots.copies("merging", systems, tmp_path, synced), tmp_path) as site:
        servers_moved(site.adapter)
        site.choose()
        yield site


@contextmanager
def opened(urls: Urls, folder: Path) -> Iterator[Site]:
    engines = {role: open_database(url) for role, url in urls.items()}
    apps = {name: SandboxHospital(engines[name], name).app for name in (RETRACTS, LINKS)}
    with serving(apps[RETRACTS]) as one, serving(apps[LINKS]) as other:
        yield Site(engines["adapter"], folder, {RETRACTS: one, LINKS: other})
    for engine in engines.values():
        engine.dispose()


def test_the_losers_resources_become_the_survivors_and_the_loser_goes(site: Site) -> None:
    before = {
        name: (site.patient(name, site.loser), site.patient(name, site.survivor)) for name in site.bases
    }
    theirs = {}
    for name, (loser, survivor) in before.items():
        assert loser is not None
        assert survivor is not None
        theirs[name] = site.about(name, loser["id"]), site.about(name, survivor["id"])
        assert theirs[name][0]
    site.merge(despite_numbers=True)
    site.sync()
    for name, (loser, survivor) in before.items():
        assert loser is not None
        assert survivor is not None
        assert site.about(name, survivor["id"]) == theirs[name][0] | theirs[name][1]
        assert site.about(name, loser["id"]) == set()
    assert site.patient(RETRACTS, site.loser) is None
    linked, survivor = site.patient(LINKS, site.loser), site.patient(LINKS, site.survivor)
    assert linked is not None
    assert survivor is not None
    assert (linked["active"], "name" in linked, "birthDate" in linked) == (False, False, False)
    assert linked["link"] == [{"other": {"reference": f"Patient/{survivor['id']}"}, "type": "replaced-by"}]
    site.sync()  # and that is all
    assert site.adapter.ledger.counts(RETRACTS)[EntryState.RETRACTED] == 1


def test_a_merge_taken_back_leaves_everything_as_it_was(site: Site) -> None:
    before = site.patient(RETRACTS, site.loser)
    assert before is not None
    theirs = site.about(RETRACTS, before["id"])
    site.merge(despite_numbers=True)
    site.sync()
    assert UnmergeCadre(site.loser).perform(acting(site.adapter)) == site.survivor
    site.sync()
    after = site.patient(RETRACTS, site.loser)
    assert after is not None
    assert after["name"] == before["name"]
    assert site.about(RETRACTS, after["id"]) == theirs
    linked = site.patient(LINKS, site.loser)
    assert linked is not None
    assert "link" not in linked


def test_the_stricter_tier_holds_and_later_rows_of_the_loser_are_the_survivors(site: Site) -> None:
    records = site.adapter.records
    count = {key: len(records.of_cadre(key)) for key in (site.loser, site.survivor)}
    site.merge(despite_numbers=True)
    merged = records.of_cadre(site.survivor)
    assert len(merged) == count[site.loser] + count[site.survivor] - 1
    assert {record.cadre for record in merged} == {site.survivor}  # type: ignore[attr-defined]
    assert records.of_cadre(site.loser) == []
    head = records.newest_position()
    assert {cadre for cadre, _ in records.changed_cadres(head - 2, 10)} == {site.loser, site.survivor}
    tiers = [record.tier for record in merged if isinstance(record, Cadre)]
    assert tiers == [min(one.tier for one in _both(site))]


def _both(site: Site) -> list[Cadre]:
    found = [site.adapter.records.get("cadre", key) for key in (site.loser, site.survivor)]
    return [one for one in found if isinstance(one, Cadre)]


def test_a_result_for_the_loser_is_the_survivors(site: Site) -> None:
    loser = site.patient(RETRACTS, site.loser)
    assert loser is not None
    site.merge(despite_numbers=True)
    directory = inbox._directories(site.adapter)(RETRACTS)
    assert directory.cadres_by_remote_id([loser["id"]]) == {loser["id"]: site.survivor}
    number = next(one["value"] for one in loser["identifier"] if "record" in one["system"])
    assert directory.cadres_by_identity([number]) == {number: site.survivor}
    referrals = [one for one in site.adapter.records.of_cadre(site.survivor) if isinstance(one, Referral)]
    for referral in referrals:
        found = directory.referral(referral.key)
        assert found is not None
        assert found.cadre == site.survivor
    result = Result(
        key="r1",
        cadre=site.survivor,
        hospital=RETRACTS,
        type="DiagnosticReport",
        status="final",
        resource="{}",
    )
    assert site.adapter.records.save_result(result)


def test_two_identity_numbers_are_two_people(site: Site) -> None:
    wanted = preview_merge(site.adapter, site.loser, site.survivor)
    assert wanted.numbers
    with pytest.raises(UsageError, match="Citizen id"):
        site.merge()
    assert site.adapter.records.merges.list() == []


def test_who_is_one_already_is_not_merged_again(site: Site) -> None:
    with pytest.raises(UsageError):
        preview_merge(site.adapter, site.loser, site.loser)
    with pytest.raises(UsageError):
        preview_merge(site.adapter, site.loser, "nobody")
    site.merge(despite_numbers=True)
    with pytest.raises(UsageError):
        preview_merge(site.adapter, site.loser, site.survivor)


def test_when_one_of_them_is_t0_both_leave(site: Site, tmp_path: Path) -> None:
    site.merge(despite_numbers=True)
    folder = tmp_path / "part"
    folder.mkdir()
    survivor = next(one for one in _both(site) if one.key == site.survivor)
    (folder / "Cán bộ.csv").write_text(
        "Mã cán bộ,Họ và tên,Giới tính,Ngày sinh,Diện quản lý\n"
        f"{survivor.key},{survivor.name},{'Nam' if survivor.sex == 'male' else 'Nữ'},"
        f"{survivor.birth_date.isoformat()},T0\n",
        "utf-8",
    )
    importer.run_import(
        site.adapter.engine,
        [folder],
        max_deletions_percent=100,
        known_hospitals=frozenset((*site.bases, "bv-trung-uong")),
        now=clock(),
        partial=True,
        on_scrub=partial(erase_everywhere, now=clock()),
    )
    assert site.adapter.records.get("cadre", site.survivor) is None
    assert site.adapter.records.get("cadre", site.loser) is None
    site.sync()
    for name in site.bases:
        assert site.patient(name, site.loser) is None
        assert site.patient(name, site.survivor) is None


def _send(site: Site, id: str, **said: Any) -> None:
    report = {"resourceType": "DiagnosticReport", "id": id, "status": "final", "code": {"text": "X-quang"}}
    sent = {**report, **said}
    with write_transaction(site.adapter.engine) as connection:
        receive_version(
            connection,
            hospital=RETRACTS,
            type="DiagnosticReport",
            id=id,
            version=1,
            resource=sent,
            body=codec.dumps(sent),
            now=clock(),
        )


def test_what_hospitals_sent_about_the_loser_goes_back_when_the_merge_is_taken_back(site: Site) -> None:
    site.merge(despite_numbers=True)
    identities = [
        site.adapter.destination(RETRACTS).identify("Patient", "cadre", key)
        for key in (site.loser, site.survivor)
    ]
    for number, identity in enumerate(identities):
        _send(site, f"r{number}", subject={"identifier": {"value": identity}})
    assert process_inbox(site.adapter, clock)["applied"] == 2
    results = [one for one in site.adapter.records.of_cadre(site.survivor) if isinstance(one, Result)]
    assert {one.cadre for one in results} == {site.survivor}
    assert len(results) == 2
    UnmergeCadre(site.loser).perform(acting(site.adapter))
    for number, key in enumerate((site.loser, site.survivor)):
        theirs = [one for one in site.adapter.records.of_cadre(key) if isinstance(one, Result)]
        assert [one.cadre for one in theirs] == [key]
        assert [item.resource_id for item in site.adapter.inbox.of_cadre(key)] == [f"r{number}"]


def test_nobody_plans_for_two_people_while_they_become_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.pipeline.outbound.sync._WAIT", 0)
    turn = site.adapter.ledger.named_locks.acquire(f"plan:{LINKS}", 60)
    assert turn is not None
    with pytest.raises(Busy):
        site.merge(despite_numbers=True)
    assert site.adapter.records.merges.list() == []
    site.adapter.ledger.named_locks.give_back(turn)
    seen: list[str] = []

    def watched() -> datetime:
        seen.extend(one.id for one in site.adapter.ledger.workers.all())
        return clock()

    merging = MergeCadres(site.loser, site.survivor, despite_numbers=True)
    merging.perform(acting(site.adapter, watched))
    assert set(seen) == {site.adapter.ledger.worker_id}  # whose leases are found free when it is killed
    assert site.adapter.ledger.workers.all() == []


def test_somebody_merged_into_a_person_who_left_is_told(site: Site) -> None:
    site.merge(despite_numbers=True)
    codes = [one.code for one in current_problems(site.adapter, clock())]
    assert "merged" not in codes
    [explained] = [one for one in explain_record(site.adapter, site.loser) if one.kind == "cadre"]
    assert explained.merged_into == site.survivor
    gone = update(record).where(record.c.kind == "cadre", record.c.key == site.survivor)
    with write_transaction(site.adapter.engine) as connection:
        connection.execute(gone.values(deleted=True))
    [problem] = [one for one in current_problems(site.adapter, clock()) if one.code == "merged"]
    assert (problem.count, problem.command) == (1, "adapter cadre merges")
    UnmergeCadre(site.loser).perform(acting(site.adapter))
    assert site.adapter.records.merges.without_survivor() == []
