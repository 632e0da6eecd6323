"""A changed mapping against a real hospital server: previewed, refused, accepted; a broken one kept out."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sample import open_to_pseudonyms
from snapshots import Snapshots, Urls, servers_moved
from sqlalchemy import Engine, select, text

from adapter import audit
from adapter.database import open_database, read_transaction
from adapter.errors import Busy, MappingError, PolicyError
from adapter.fhir import codec
from adapter.insights.mapping_impact import MappingImpact, mapping_impact
from adapter.insights.plan_report import plan_reports
from adapter.insights.status import hospital_statuses
from adapter.ledger.schema import tables
from adapter.ledger.schema.values import LedgerEntry
from adapter.mapping.folder.snapshot import MappingSnapshot
from adapter.pipeline.application import Adapter
from adapter.pipeline.mappings.activation import configuration_problems
from adapter.pipeline.mappings.activation_status import InactiveMapping, ResendWeight
from adapter.pipeline.outbound.sync import SyncSummary
from adapter.pipeline.outbound.sync import sync as run_sync
from adapter.records.importing import importer
from adapter.sandbox.app import SandboxHospital
from adapter.settings import HospitalSettings, Settings
from adapter.testing import CAPABLE_SERVER, serving

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SMALL = Path("fixtures/sample/small.xlsx")
NAME = "bv-tinh"
SYSTEMS = {"adapter": "sqlite", "hospital": "sqlite"}


def silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """No progress bar."""


class Site:
    """A centre whose mappings may be edited, and its hospital: a sandbox over real HTTP."""

    def __init__(self, engine: Engine, folder: Path, sandbox: SandboxHospital, base: str) -> None:
        self.engine = engine
        self.sandbox = sandbox
        self.mappings = folder / "mappings"
        shutil.copytree("mappings", self.mappings)
        open_to_pseudonyms(self.mappings)
        (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
        self.settings = Settings(
            identity_key=f"file:{folder / 'identity.key'}",
            database_url=f"sqlite:///{folder / 'adapter.db'}",  # where the locks are
            mappings=self.mappings,
            max_resend_percent=1,
            hospitals={
                NAME: HospitalSettings(name=NAME, display=NAME, level="provincial", base_url=f"{base}/fhir"),
            },
        )

    def begin(self, records: Path) -> None:
        importer.run_import(
            self.engine, [records], max_deletions_percent=3, known_hospitals=frozenset((NAME,)), now=NOW
        )
        self.adapter().cards.put(NAME, CAPABLE_SERVER, NOW)  # measured before: fifty entries a Bundle

    def adapter(self, **changed: Any) -> Adapter:
        """A new process, as it were."""
        return Adapter(self.settings.model_copy(update=changed), self.engine)

    def sync(self, **how: Any) -> SyncSummary:
        return run_sync(self.adapter(), [NAME], lambda: datetime.now(UTC), silent, **how)

    def diff(self) -> MappingImpact:
        return mapping_impact(self.adapter(), [NAME], silent)[NAME]

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.mappings / file
        before = path.read_text("utf-8")
        assert old in before
        path.write_text(before.replace(old, new), "utf-8")

    @property
    def writes(self) -> int:
        return int(self.sandbox.stats.snapshot()["write_requests"])

    @property
    def entries_written(self) -> int:
        return int(self.sandbox.stats.snapshot()["entries_written"]["total"])

    def entries(self) -> dict[str, LedgerEntry]:
        adapter = self.adapter()
        people = [cadre for cadre, _ in adapter.records.changed_cadres(0, 1000)]
        lines = adapter.ledger.entries(NAME, people).values()
        return {entry.identity: entry for of_one in lines for entry in of_one}

    def versions(self) -> dict[str, str]:
        with read_transaction(self.engine) as connection:
            query = select(tables.entry.c.identity, tables.entry.c.mapping_version)
            return {row.identity: row.mapping_version for row in connection.execute(query)}


@pytest.fixture
def site(brief: Path, tmp_path: Path, first: Path, snapshots: Snapshots) -> Iterator[Site]:
    """All is delivered."""

    def synced(urls: Urls) -> None:
        with opened(urls, first) as site:
            site.begin(brief)
            assert site.sync().exit_code == 0

    with opened(snapshots.copies("mapped", SYSTEMS, tmp_path, synced), tmp_path) as site:
        servers_moved(site.adapter())
        yield site


@pytest.fixture
def unsynced_site(tmp_path: Path, first: Path, snapshots: Snapshots) -> Iterator[Site]:
    with opened(imported(SYSTEMS, SMALL, tmp_path, first, snapshots), tmp_path) as site:
        yield site


@pytest.fixture
def any_site(
    database_system: str, brief: Path, tmp_path: Path, first: Path, snapshots: Snapshots
) -> Iterator[Site]:
    """Nothing is delivered, on each database system."""
    systems = {**SYSTEMS, "adapter": database_system}
    with opened(imported(systems, brief, tmp_path, first, snapshots), tmp_path) as site:
        yield site


@pytest.fixture
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a snapshot is made."""
    return tmp_path_factory.mktemp("first")


def imported(systems: Urls, records: Path, folder: Path, first: Path, snapshots: Snapshots) -> Urls:
    def make(urls: Urls) -> None:
        with opened(urls, first) as site:
            site.begin(records)

    return snapshots.copies(f"imported {records}", systems, folder, make)


@contextmanager
def opened(urls: Urls, folder: Path) -> Iterator[Site]:
    engines = {role: open_database(url) for role, url in urls.items()}
    sandbox = SandboxHospital(engines["hospital"], NAME)
    with serving(sandbox.app) as base:
        yield Site(engines["adapter"], folder, sandbox, base)
    for engine in engines.values():
        engine.dispose()


CREATININE, OTHER = "14682-9", "14684-5"


def change_loinc(site: Site) -> set[str]:
    """Another LOINC code for creatinine; the identities of the observations that have it."""
    measured = {entry.identity for entry in site.entries().values() if entry.key.endswith("/BIO-CREA")}
    assert measured
    site.edit(
        "codes/measures.csv", f"BIO-CREA,{rest(site)}", f"BIO-CREA,{rest(site)}".replace(CREATININE, OTHER)
    )
    return measured


def rest(site: Site) -> str:
    """The rest of creatinine's line in the code table."""
    lines = (site.mappings / "codes" / "measures.csv").read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith("BIO-CREA,")).removeprefix("BIO-CREA,")


def test_a_changed_code_is_shown_refused_and_sent_once_it_is_accepted(any_site: Site) -> None:
    site = any_site
    assert site.sync().exit_code == 0
    before, first = site.versions(), site.adapter().destination(NAME).mapping_version
    assert set(before.values()) == {first}
    measured = change_loinc(site)

    shown = site.diff()
    [kind] = shown.kinds
    assert (kind.type, kind.file, kind.effect, kind.count) == (
        "Observation",
        "observation.yaml",
        "change",
        len(measured),
    )
    [(difference, count)] = kind.values.items()
    assert (difference.path, difference.before, difference.after) == (
        "Observation.code.coding[1].code",
        CREATININE,
        OTHER,
    )
    assert count == shown.weight.resend == len(measured)
    assert shown.weight.held == len(before)
    assert shown.needs_accepting
    assert shown.total("new") == shown.total("vanish") == shown.invalid == 0
    assert [example.record.endswith("/BIO-CREA") for example in kind.examples] == [True] * 3

    written, writes = site.entries_written, site.writes
    refused = site.sync()
    assert refused.exit_code == 1
    [problem] = refused.hospitals[NAME].problems
    assert f"adapter mapping diff {NAME}" in problem
    assert "--accept" in problem
    assert site.writes == writes
    assert site.versions() == before

    accepted = site.sync(accept=True, by="cli:test")
    assert accepted.exit_code == 0
    assert site.entries_written - written == accepted.hospitals[NAME].delivered == len(measured)
    assert site.writes - writes == shown.requests == accepted.hospitals[NAME].write_requests
    after = site.versions()
    assert {identity for identity in after if after[identity] != before[identity]} == measured
    assert {after[identity] for identity in measured} == {site.adapter().destination(NAME).mapping_version}

    writes = site.writes
    assert site.sync().hospitals[NAME].requests == 0
    assert site.writes == writes
    assert site.diff().kinds == ()
    with read_transaction(site.engine) as connection:
        query = select(audit.audit.c.actor, audit.audit.c.details).where(
            audit.audit.c.action == "mapping.in-force"
        )
        found = [(row.actor, codec.loads(row.details)["by"]) for row in connection.execute(query)]
    assert found == [("sync", "first"), ("cli:test", "accepted")]


def test_a_small_change_passes_by_itself(site: Site) -> None:
    measured = change_loinc(site)
    adapter = site.adapter(max_resend_percent=50)
    done = run_sync(adapter, [NAME], lambda: datetime.now(UTC), silent)
    assert done.exit_code == 0
    assert done.hospitals[NAME].delivered == len(measured)


def test_a_refused_mapping_holds_back_no_record_and_no_policy(site: Site) -> None:
    """Under the mapping in force the sync goes on: only what the change makes of old records waits."""
    measured = change_loinc(site)
    policy = (site.mappings / "disclosure.yaml").read_text("utf-8")
    for tier in ("T2: pseudonym", "T3: pseudonym"):
        assert tier in policy
        policy = policy.replace(tier, tier[:4] + "hold")
    (site.mappings / "disclosure.yaml").write_text(policy, "utf-8")
    done = site.sync()
    assert done.exit_code == 1
    assert done.hospitals[NAME].retracted > 0
    assert done.hospitals[NAME].delivered == 0
    left = {identity for identity, entry in site.entries().items() if entry.desired_digest} & measured
    assert 0 < len(left) < len(measured)


def test_changed_records_and_settings_are_never_weighed(site: Site) -> None:
    named = {NAME: site.settings.hospitals[NAME].model_copy(update={"display": "Another name"})}
    adapter = site.adapter(hospitals=named)
    done = run_sync(adapter, [NAME], lambda: datetime.now(UTC), silent)
    assert done.exit_code == 0
    assert mapping_impact(adapter, [NAME], silent)[NAME].kinds == ()


def test_nothing_delivered_is_nothing_to_refuse(unsynced_site: Site) -> None:
    site = unsynced_site
    outlet = site.adapter().destination(NAME)
    shown = site.diff()
    assert shown.in_force is None
    assert shown.total("new") > 900
    assert shown.weight.resend == 0
    assert not shown.needs_accepting
    site.edit("patient.yaml", "body:", "body:\n  language: vi")
    assert site.sync().exit_code == 0
    assert site.adapter().destination(NAME).mapping_version != outlet.mapping_version


def test_what_is_new_or_vanishes_is_counted_by_file(site: Site) -> None:
    held = Counter(entry.type for entry in site.entries().values())
    for name in ("task.yaml", "answer.yaml", "cancellation.yaml", "referral_provenance.yaml"):  # of a Task
        (site.mappings / name).unlink()
    shown = site.diff()
    assert shown.counts["Task", "task.yaml"] == {"vanish": held["Task"]}
    assert {kind.effect for kind in shown.kinds} == {"vanish"}
    assert site.sync(accept=True).hospitals[NAME].retracted == held["Task"] == shown.weight.resend
    shutil.copy("mappings/task.yaml", site.mappings)
    again = site.diff()
    assert again.total("new") == held["Task"]
    assert again.weight.resend == 0
    assert not again.needs_accepting


def test_a_broken_mapping_is_kept_out_and_the_repaired_one_is_found(site: Site) -> None:
    service = site.adapter()  # one process that stays up
    good = (site.mappings / "patient.yaml").read_text("utf-8")
    site.edit("patient.yaml", "resource:", "resorce:")
    with pytest.raises(MappingError):
        site.sync()
    with pytest.raises(MappingError):
        site.diff()

    def beat() -> SyncSummary:
        return run_sync(service, [NAME], lambda: datetime.now(UTC), silent, keep=True)

    kept = beat()
    assert kept.exit_code == 1
    assert "adapter mapping check" in kept.hospitals[NAME].problems[0]
    [line] = hospital_statuses(site.adapter())
    assert line.mapping_kept is not None
    assert line.mapping_kept.why == "broken"
    assert any("patient.yaml" in one for one in configuration_problems(site.adapter()))

    forget_somebody(site)
    assert beat().hospitals[NAME].retracted > 0  # the last good mapping still works
    (site.mappings / "patient.yaml").write_text(good.replace("body:", "body:\n  language: vi"), "utf-8")
    assert beat().hospitals[NAME].delivered > 0
    assert hospital_statuses(site.adapter())[0].mapping_kept is None
    assert configuration_problems(site.adapter()) == ()


def forget_somebody(site: Site) -> None:
    """One person less, as an import would have it."""
    with site.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE record SET deleted = :yes WHERE cadre = "
                "(SELECT min(cadre) FROM ledger_entry WHERE cadre <> '')"
            ),
            {"yes": True},
        )
        connection.execute(text("UPDATE feed SET position = position + 1"))
        connection.execute(
            text(
                "UPDATE record SET position = (SELECT position FROM feed) "
                "WHERE cadre = (SELECT min(cadre) FROM ledger_entry WHERE cadre <> '') AND kind = 'cadre'"
            )
        )


def test_a_waiting_mapping_is_weighed_once(site: Site) -> None:
    change_loinc(site)
    site.sync()
    [line] = hospital_statuses(site.adapter())
    assert line.mapping_kept is not None
    assert line.mapping_kept.why == "unaccepted"
    weighed = []

    def watch(stage: str, _hospital: str | None, _done: int, _total: int) -> None:
        weighed.append(stage)

    again = run_sync(site.adapter(), [NAME], lambda: datetime.now(UTC), watch, keep=True)
    assert again.exit_code == 1
    assert "compare" not in weighed


def test_a_broken_policy_closes_everything(site: Site) -> None:
    writes = site.writes
    (site.mappings / "disclosure.yaml").write_text("tiers: [", "utf-8")
    for how in ({}, {"keep": True}, {"accept": True}):
        with pytest.raises(PolicyError):
            site.sync(**how)
    assert site.writes == writes
    assert hospital_statuses(site.adapter())[0].policy_problem
    assert "disclosure.yaml" in " ".join(configuration_problems(site.adapter()))


def test_a_plan_says_what_the_next_sync_does(site: Site) -> None:
    change_loinc(site)
    found = plan_reports(site.adapter(), [NAME], silent)[NAME]
    assert found.requests == 0
    assert found.kept is not None
    assert found.kept.why == "unaccepted"
    found = plan_reports(site.adapter(max_resend_percent=50), [NAME], silent)[NAME]
    assert found.requests > 0
    assert found.kept is None


def forget_the_mapping_in_force(site: Site) -> None:
    """What an upgrade from before migration 0004 leaves: resources delivered, and nothing said of how."""
    with site.engine.begin() as connection:
        connection.execute(text("DELETE FROM mapping_in_force"))
        connection.execute(text("DELETE FROM mapping_snapshot"))
        connection.execute(text("UPDATE ledger_hospital SET planned_version = 'older'"))


def test_after_an_upgrade_the_same_mapping_is_taken_in_silence(site: Site) -> None:
    forget_the_mapping_in_force(site)
    assert not site.diff().needs_accepting
    done = site.sync()
    assert done.exit_code == 0
    assert done.hospitals[NAME].requests == 0
    assert hospital_statuses(site.adapter())[0].mapping_kept is None


def test_after_an_upgrade_another_mapping_is_weighed_against_the_ledger(any_site: Site) -> None:
    site = any_site
    site.sync()
    forget_the_mapping_in_force(site)
    measured, before, writes = change_loinc(site), site.versions(), site.writes
    assert hospital_statuses(site.adapter())[0].mapping_kept is not None
    shown = site.diff()
    assert shown.in_force is None
    assert shown.needs_accepting
    assert shown.total("change") == shown.weight.resend == len(measured)
    assert shown.total("new") == shown.total("vanish") == 0

    for keep in (False, True):
        refused = site.sync(keep=keep)
        assert refused.exit_code == 1
        assert f"adapter sync {NAME} --accept" in refused.hospitals[NAME].problems[0]
    assert (site.writes, site.versions()) == (writes, before)
    [line] = hospital_statuses(site.adapter())
    assert (line.mapping, line.mapping_kept and line.mapping_kept.why) == (None, "unknown")

    accepted = site.sync(accept=True)
    assert accepted.exit_code == 0
    assert accepted.hospitals[NAME].delivered == len(measured)
    assert site.sync().hospitals[NAME].requests == 0


def test_what_must_leave_leaves_while_no_mapping_is_in_force(site: Site) -> None:
    forget_the_mapping_in_force(site)
    change_loinc(site)
    assert site.sync().hospitals[NAME].retracted == 0
    forget_somebody(site)
    done = site.sync()
    assert done.hospitals[NAME].retracted > 0
    assert done.hospitals[NAME].delivered == 0
    assert plan_reports(site.adapter(), [NAME], silent)[NAME].requests == 0


def test_a_mapping_in_force_that_nobody_can_read_any_more_is_weighed_against_the_ledger(site: Site) -> None:
    """After an upgrade that checks more than the adapter did which took the mapping."""
    measured = change_loinc(site)
    with site.engine.begin() as connection:
        broken = MappingSnapshot({"patient.yaml": b"resorce: Patient"})
        connection.execute(text("UPDATE mapping_snapshot SET files = :files"), {"files": broken.to_zip()})
    refused = site.sync()
    assert refused.exit_code == 1
    assert refused.hospitals[NAME].delivered == 0
    assert hospital_statuses(site.adapter())[0].mapping_kept == InactiveMapping(
        NAME,
        site.adapter().folder_destination(NAME).mapping_edition.version,
        "unknown",
        ResendWeight(len(measured), len(site.versions())),
    )
    assert site.sync(accept=True).hospitals[NAME].delivered == len(measured)


def test_a_version_is_that_of_the_files_that_were_read(
    unsynced_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved while the folder is read: the newer content must not pass for the one that was taken."""
    site = unsynced_site
    library, read_all = site.adapter().library, MappingSnapshot.from_folder
    before = library.folder_version(NAME)

    def read_and_saved(folder: Path) -> MappingSnapshot:
        found = read_all(folder)
        site.edit("patient.yaml", "body:", "body:\n  language: vi")
        return found

    monkeypatch.setattr(MappingSnapshot, "from_folder", read_and_saved)
    assert library.folder_edition(NAME).version == before != library.folder_version(NAME)


def test_a_type_that_would_vanish_needs_consent_however_few_there_are(site: Site) -> None:
    held = Counter(entry.type for entry in site.entries().values())["Task"]
    assert 0 < held <= 20
    for name in ("task.yaml", "answer.yaml", "cancellation.yaml", "referral_provenance.yaml"):  # of a Task
        (site.mappings / name).unlink()
    tolerant = site.adapter(max_resend_percent=90)
    shown = mapping_impact(tolerant, [NAME], silent)[NAME]
    assert (shown.needs_accepting, shown.weight.emptied) == (True, ("Task",))
    for _ in range(2):  # the stored verdict holds too
        done = run_sync(tolerant, [NAME], lambda: datetime.now(UTC), silent)
        assert (done.exit_code, done.hospitals[NAME].retracted) == (1, 0)
    assert hospital_statuses(tolerant)[0].mapping_kept == InactiveMapping(
        NAME,
        tolerant.folder_destination(NAME).mapping_edition.version,
        "emptying",
        ResendWeight(held, shown.weight.held),
    )
    assert site.sync(accept=True).hospitals[NAME].retracted == held


def test_a_service_waits_until_nobody_writes(unsynced_site: Site) -> None:
    """Half a file may be a whole mapping, or a policy that forgot its last lines."""
    site = unsynced_site
    site.sync()  # for as long the policy rests
    site.edit("immunization.yaml", "body:", "body:\n  language: vi")
    _, policy_written = site.adapter().library.last_written()
    quiet = (datetime.now(UTC) - policy_written) / 2  # the policy rested for that long, the mapping not
    done = site.sync(keep=True, settle_time=quiet)
    assert done.hospitals[NAME].delivered == 0
    [line] = hospital_statuses(site.adapter())
    assert line.mapping_kept is not None
    assert line.mapping_kept.why == "changed"
    with pytest.raises(Busy):
        site.sync(keep=True, settle_time=timedelta(hours=1))
    assert site.sync(keep=True, settle_time=timedelta(microseconds=1)).hospitals[NAME].delivered > 0


def test_what_was_taken_away_or_put_into_a_folder_was_written_too(unsynced_site: Site) -> None:
    site = unsynced_site
    library = site.adapter().library
    seen = [library.last_written()[0]]
    for change in ((site.mappings / "codes" / "measures.csv").unlink, (site.mappings / "new.yaml").touch):
        time.sleep(0.05)  # a file system's times are coarse
        change()
        seen.append(library.last_written()[0])
    assert seen == sorted(set(seen))
