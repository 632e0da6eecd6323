"""A slip in the policy or in the column of tiers, and records deleted in mass: weighed before anything of it
goes to a hospital or is taken back there, like a changed mapping.
"""

import json
import shutil
import threading
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sample import open_to_pseudonyms
from snapshots import Snapshots, Urls
from sqlalchemy import Engine, select, text, update

from adapter import audit
from adapter.database import open_database, read_transaction, write_transaction
from adapter.duties.planning import PlanHospital
from adapter.fhir import codec
from adapter.insights.mapping_impact import mapping_impact
from adapter.insights.plan_report import PlanReport, plan_reports
from adapter.insights.problems import current_problems
from adapter.insights.status import hospital_statuses
from adapter.ledger.disclosures import DisclosureWeight
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import LedgerEntry
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import all_people
from adapter.pipeline.mappings.activation import choose_mapping, record_choice
from adapter.pipeline.outbound.disclosure_guard import DisclosureGuard
from adapter.pipeline.outbound.pending_disclosure import pending_disclosure
from adapter.pipeline.outbound.planning import update_ledger, write_bundles
from adapter.records import tables as records
from adapter.records.importing.importer import run_import
from adapter.records.model import Cadre
from adapter.settings import HospitalSettings, Settings

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
NAME = "bv-tinh"
LINE = "  bv-tinh: {share: everything, pseudonyms: everything, open: [centre]}"
TIERS = ("T1", "T2", "T4")


def silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """No progress bar."""


class Centre:
    """A centre whose one hospital takes all that is planned for it, at once."""

    def __init__(self, engine: Engine, folder: Path, level: str = "provincial") -> None:
        self.engine = engine
        self.mappings = folder / "mappings"
        if not self.mappings.exists():
            shutil.copytree("mappings", self.mappings)
            open_to_pseudonyms(self.mappings)
        (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
        self.settings = Settings(
            identity_key=f"file:{folder / 'identity.key'}",
            mappings=self.mappings,
            hospitals={NAME: hospital(level)},
        )

    def adapter(self, **changed: Any) -> Adapter:
        """A new process, as it were."""
        return Adapter(self.settings.model_copy(update=changed), self.engine)

    def plan(self, stop: threading.Event | None = None, **how: Any) -> int:
        adapter = self.adapter(**how.pop("settings", {}))
        choice = choose_mapping(adapter, NAME)
        record_choice(adapter, choice, NOW, "sync")
        return update_ledger(adapter, choice.destination, NOW, silent, stop, **how)

    def deliver(self) -> None:
        """Everything that is due goes, and is gone."""
        entry = tables.entry
        with write_transaction(self.engine) as connection:
            connection.execute(
                update(entry)
                .where(entry.c.state == EntryState.PENDING, entry.c.body.is_not(None))
                .values(
                    state=EntryState.DELIVERED,
                    sent_digest=entry.c.desired_digest,
                    delivered_digest=entry.c.desired_digest,
                    remote_id=entry.c.identity,
                    body=None,
                )
            )
            gone = {"state": EntryState.RETRACTED, "remote_id": None, "delivered_digest": None}
            leaving = entry.c.state == EntryState.RETRACTING
            connection.execute(update(entry).where(leaving).values(**gone, sent_digest=None))

    def begin(self) -> None:
        self.plan()
        self.deliver()

    def policy(self, *lines: tuple[str, str]) -> None:
        file = self.mappings / "disclosure.yaml"
        written = file.read_text("utf-8")
        for old, new in lines:
            assert old in written
            written = written.replace(old, new)
        file.write_text(written, "utf-8")

    def people(self, *tiers: str) -> list[str]:
        """Keys of people of these tiers of whom the hospital holds something (of nobody: T1)."""
        held = {one.cadre for one in self.entries().values()}
        return [
            one.key
            for one in self.adapter().records.iterate("cadre")
            if isinstance(one, Cadre) and one.tier.value in tiers and (one.key in held or tiers == ("T1",))
        ]

    def change(self, cadres: Collection[str], **fields: Any) -> None:
        """As an import would have it."""
        with write_transaction(self.engine) as connection:
            for key in cadres:
                mine = (records.record.c.kind == "cadre") & (records.record.c.key == key)
                body = json.loads(connection.execute(select(records.record.c.body).where(mine)).scalar_one())
                new = json.dumps({**body, **fields}, ensure_ascii=False)
                connection.execute(
                    update(records.record).where(mine).values(body=new, position=moved(connection))
                )

    def delete(self, rows: Callable[[Any], Any], **values: Any) -> int:
        """Records become tombstones, each at a position of its own."""
        with write_transaction(self.engine) as connection:
            found = connection.execute(
                select(records.record.c.kind, records.record.c.key).where(rows(records.record.c))
            )
            keys = [(row.kind, row.key) for row in found]
            for kind, key in keys:
                mine = (records.record.c.kind == kind) & (records.record.c.key == key)
                values = {"body": None, "deleted": True, **values}
                connection.execute(
                    update(records.record).where(mine).values(position=moved(connection), **values)
                )
        return len(keys)

    def entries(self) -> dict[str, LedgerEntry]:
        adapter = self.adapter()
        with read_transaction(self.engine) as connection:
            keys = list(connection.execute(select(tables.entry.c.cadre).distinct()).scalars())
        return {one.identity: one for listed in adapter.ledger.entries(NAME, keys).values() for one in listed}

    def held(self) -> dict[str, str | None]:
        """What the hospital holds, by identity."""
        return {
            identity: one.delivered_digest
            for identity, one in self.entries().items()
            if one.delivered_digest is not None
        }

    def moving(self) -> set[EntryState]:
        """States of what is on its way."""
        return {one.state for one in self.entries().values()} - {EntryState.DELIVERED, EntryState.RETRACTED}

    def waits(self) -> DisclosureWeight | None:
        found = pending_disclosure(self.adapter(), NAME)
        return found.weight if found else None

    def audited(self, action: str) -> list[tuple[str, dict[str, Any]]]:
        query = select(audit.audit.c.actor, audit.audit.c.details).where(audit.audit.c.action == action)
        with read_transaction(self.engine) as connection:
            return [(row.actor, codec.loads(row.details)) for row in connection.execute(query)]


def hospital(level: str) -> HospitalSettings:
    return HospitalSettings(name=NAME, display=NAME, level=level, base_url="http://hospital.test/fhir")  # type: ignore[arg-type]


def moved(connection: Any) -> int:
    connection.execute(text("UPDATE feed SET position = position + 1"))
    return int(connection.execute(text("SELECT position FROM feed")).scalar_one())


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a snapshot is made."""
    return tmp_path_factory.mktemp("disclosed")


def delivered(system: str, brief: Path, folder: Path, into: Path, snapshots: Snapshots) -> Centre:
    def make(urls: Urls) -> None:
        engine = open_database(urls["centre"])
        run_import(
            engine,
            [brief],
            max_deletions_percent=3,
            known_hospitals=frozenset((NAME, "bv-trung-uong")),
            now=NOW,
        )
        first = Centre(engine, folder)
        everybody = [one.key for one in first.adapter().records.iterate("cadre")]
        for place, tier in enumerate(TIERS):  # as many people of each
            first.change(everybody[place :: len(TIERS)], tier=tier)
        first.begin()
        engine.dispose()

    url = snapshots.copies("disclosed", {"centre": system}, into, make)["centre"]
    return Centre(open_database(url), into)


@pytest.fixture
def any_centre(
    database_system: str, brief: Path, folder: Path, tmp_path: Path, snapshots: Snapshots
) -> Iterator[Centre]:
    """All is delivered; on each database system."""
    found = delivered(database_system, brief, folder, tmp_path, snapshots)
    yield found
    found.engine.dispose()


@pytest.fixture
def centre(brief: Path, folder: Path, tmp_path: Path, snapshots: Snapshots) -> Iterator[Centre]:
    """All is delivered."""
    found = delivered("sqlite", brief, folder, tmp_path, snapshots)
    yield found
    found.engine.dispose()


# One line of policy each, what it does: disclose, or take back.
OPENING = {
    "a tier in full": ("  T2: pseudonym", "  T2: full"),
    "a tier that was held": ("  T1: hold", "  T1: pseudonym"),
    "free text": ("free_text: {T2: false, T3: false}", "free_text: {T2: true, T3: true}"),
}
CLOSING = {
    "a tier held": ("  T4: full", "  T4: hold"),
    "another tier held": ("  T2: pseudonym", "  T2: hold"),
    "a tier under a pseudonym": ("  T4: full", "  T4: pseudonym"),
    "only what referrals need": (LINE, "  bv-tinh: {share: referral, open: [centre]}"),
    "a group that needs consent": ("    measures: [SER-HIV]", "    measures: [SER-HIV, BIO-CREA]"),
    "a measure for nobody": (
        "  fields: [tier, position]",
        "  fields: [tier, position]\n  measures: [BIO-CREA]",
    ),
}


def shown(centre: Centre) -> tuple[DisclosureWeight, bool]:
    """What `adapter mapping diff` says."""
    found = mapping_impact(centre.adapter(), [NAME], silent)[NAME].disclosure
    return found.weight, found.needs_accepting


def planned(centre: Centre) -> PlanReport:
    return plan_reports(centre.adapter(), [NAME], silent)[NAME]


@pytest.mark.parametrize("line", OPENING.values(), ids=OPENING)
def test_one_line_of_policy_discloses_nothing_unasked(centre: Centre, line: tuple[str, str]) -> None:
    before = centre.held()
    centre.policy(line)
    weight, needs = shown(centre)
    assert needs
    assert weight.newly > 0
    assert weight.newly_people > 5
    assert weight.taken == 0

    report = planned(centre)
    assert report.waits is not None
    assert report.waits.weight == weight
    assert report.requests == 0

    assert centre.plan() == 0
    assert centre.moving() == set()
    centre.deliver()
    assert centre.held() == before
    assert centre.waits() == weight
    assert shown(centre) == (weight, True)  # from the ledger now

    assert centre.plan(accept=True, by="cli:test") == weight.newly
    centre.deliver()
    assert centre.held() != before
    assert centre.waits() is None
    assert shown(centre) == (DisclosureWeight(), False)
    facts = {"newly": weight.newly, "newly_people": weight.newly_people, "taken": 0, "taken_people": 0}
    assert centre.audited("disclosure.accepted") == [("cli:test", facts)]
    assert centre.plan() == 0


@pytest.mark.parametrize("line", CLOSING.values(), ids=CLOSING)
def test_one_line_of_policy_takes_nothing_back_unasked(centre: Centre, line: tuple[str, str]) -> None:
    before = centre.held()
    centre.policy(line)
    weight, needs = shown(centre)
    assert needs
    assert weight.withdrawn == weight.taken > 0
    assert weight.newly == 0
    assert planned(centre).counts.get("Patient", {}).keys() <= {"unchanged"}
    centre.plan()
    assert EntryState.RETRACTING not in centre.moving()
    centre.deliver()  # labels may change
    assert centre.held().keys() == before.keys()
    assert centre.waits() == weight

    centre.policy((line[1], line[0]))  # it was a slip
    centre.plan()
    centre.deliver()
    assert centre.held() == before
    assert centre.waits() is None
    centre.policy(line)
    assert centre.plan(accept=True) >= weight.taken
    centre.deliver()
    assert centre.held() != before
    assert centre.waits() is None


def test_who_accepts_before_anybody_looked_is_audited_too(centre: Centre) -> None:
    centre.policy(("  T2: pseudonym", "  T2: full"))
    sent = centre.plan(accept=True, by="cli:test")
    [(actor, facts)] = centre.audited("disclosure.accepted")
    assert (actor, facts["newly"], facts["newly_people"]) == ("cli:test", sent, len(centre.people("T2")))
    centre.plan(accept=True, by="cli:test")  # nothing waits
    assert len(centre.audited("disclosure.accepted")) == 1


def test_a_hospital_that_is_closed_by_a_line_keeps_what_it_holds(any_centre: Centre) -> None:
    centre = any_centre
    before = centre.held()
    everybody = {one.cadre for one in centre.entries().values()}
    centre.policy((LINE, "  bv-tinh: {share: nothing}"))
    assert centre.plan() == 0
    weight = centre.waits()
    assert weight is not None
    assert (weight.taken, weight.taken_people) == (len(before), len(everybody))
    assert centre.plan(accept=True) == len(before)
    centre.deliver()
    assert centre.held() == {}
    # And opened again: all of it goes anew, which nobody has agreed to yet.
    centre.policy(("  bv-tinh: {share: nothing}", LINE))
    assert centre.plan() == 0
    weight = centre.waits()
    assert weight is not None
    assert (weight.newly, weight.newly_people) == (len(before), len(everybody))
    assert centre.plan(accept=True) == len(before)
    centre.deliver()
    assert centre.held() == before


def test_while_a_closing_line_waits_nothing_more_is_sent_that_either_policy_withholds(centre: Centre) -> None:
    [somebody, other, *_] = centre.people("T4")
    centre.change([other], phone="0912345678")
    assert centre.plan() > 0  # an update that is on its way when the line is written
    assert centre.moving() == {EntryState.PENDING}
    before = centre.held()
    centre.policy(("  T4: full", "  T4: hold"))
    centre.change([somebody], phone="0987654321")
    centre.plan()
    assert centre.moving() == set()
    assert centre.held() == before
    centre.policy(("  T4: hold", "  T4: full"))
    centre.plan()  # both updates go now
    due = {one.cadre for one in centre.entries().values() if one.state is EntryState.PENDING}
    assert due == {somebody, other}


def test_while_an_opening_line_waits_everything_goes_as_it_went(centre: Centre) -> None:
    centre.policy(("  T2: pseudonym", "  T2: full"))
    centre.plan()
    key = centre.people("T2")[0]
    born = next(one for one in centre.adapter().records.of_cadre(key) if isinstance(one, Cadre)).birth_date
    centre.change([key], birth_date=str(born.replace(year=born.year - 1)))
    assert centre.plan() == 1
    [changed] = [one for one in centre.entries().values() if one.state is EntryState.PENDING]
    body = codec.loads(changed.body or b"{}")
    assert body["birthDate"] == str(born.year - 1)
    assert [name["use"] for name in body["name"]] == ["anonymous"]
    weight = centre.waits()
    assert weight is not None
    assert weight.newly_people == len(centre.people("T2"))


@pytest.mark.parametrize("target", ["T1", "T2", "T3"])
def test_a_column_of_tiers_that_is_filled_down_empties_no_hospital(any_centre: Centre, target: str) -> None:
    centre = any_centre
    before, slipped = centre.held(), centre.people("T4")
    centre.change(slipped, tier=target)
    assert shown(centre)[1]
    centre.plan()
    assert centre.moving() == set()
    weight = centre.waits()
    assert weight is not None
    assert (weight.taken_people, weight.newly) == (len(slipped), 0)
    centre.plan()
    assert centre.waits() == weight
    centre.change(slipped, tier="T4")  # the right workbook again
    assert centre.plan() == 0
    assert centre.waits() is None
    assert centre.held() == before


@pytest.mark.parametrize(("tier", "target"), [("T1", "T4"), ("T2", "T4"), ("T2", "T5"), ("T1", "T2")])
def test_a_column_of_tiers_that_is_filled_up_discloses_nobody(centre: Centre, tier: str, target: str) -> None:
    before, slipped = centre.held(), centre.people(tier)
    centre.change(slipped, tier=target)
    centre.plan()
    assert centre.moving() == set()
    assert centre.held() == before
    weight = centre.waits()
    assert weight is not None
    assert (weight.newly_people, weight.taken) == (len(slipped), 0)
    centre.change(slipped, tier=tier)
    assert centre.plan() == 0
    assert centre.waits() is None
    centre.change(slipped, tier=target)
    assert centre.plan(accept=True) == weight.newly


def test_a_person_is_hidden_at_once(any_centre: Centre) -> None:
    """One who becomes T1, and one who becomes another tier: few, so nobody is asked."""
    centre = any_centre
    somebody, other = centre.people("T4")[:2]
    theirs = {one.identity for one in centre.entries().values() if one.cadre == somebody}
    centre.change([somebody], tier="T1")
    centre.change([other], tier="T3")
    centre.plan()
    leaving = {i: one.cadre for i, one in centre.entries().items() if one.state is EntryState.RETRACTING}
    assert theirs <= leaving.keys()
    assert set(leaving.values()) <= {somebody, other}  # of whom words leave with the name
    assert centre.waits() is None
    centre.deliver()
    centre.change([somebody], tier="T4")
    assert centre.plan() == len(theirs)


def test_of_who_is_t0_everything_leaves_at_once_however_many(centre: Centre) -> None:
    everybody = centre.people("T2", "T4")
    scrubbed = {"source": None, "sheet": None, "row": None}
    centre.delete(lambda row: row.cadre.in_(everybody), **scrubbed)
    centre.plan()
    theirs = {one.state for one in centre.entries().values() if one.cadre in everybody}
    assert theirs == {EntryState.RETRACTING}
    assert centre.waits() is None
    with read_transaction(centre.engine) as connection:
        left = set(connection.execute(select(tables.person_disclosure.c.cadre)).scalars())
    assert not left & set(everybody)


def test_records_deleted_in_mass_wait(centre: Centre) -> None:
    before, everybody = centre.held(), centre.people("T4")
    centre.delete(lambda row: row.cadre.in_(everybody))
    centre.plan()
    assert centre.moving() == set()
    weight = centre.waits()
    assert weight is not None
    assert weight.gone == sum(one.cadre in everybody for one in centre.entries().values())
    assert weight.gone_people == len(everybody)
    assert centre.plan(accept=True) == weight.gone
    centre.deliver()
    assert len(centre.held()) == len(before) - weight.gone


def test_a_corrected_record_of_many_people_each_is_ordinary(centre: Centre) -> None:
    visits = {one.cadre: one.key for one in centre.entries().values() if one.kind == "measurement"}
    gone = list(visits.values())
    assert len(gone) > 10
    assert centre.delete(lambda row: (row.kind == "measurement") & row.key.in_(gone)) == len(gone)
    assert centre.plan() >= len(gone)
    assert centre.waits() is None


def test_a_plan_that_is_ended_early_forgets_nobody_who_was_set_aside(centre: Centre) -> None:
    """Neither somebody who must leave, nor what was to be weighed as one whole."""
    [somebody, *_] = centre.people("T4")
    centre.change([somebody], tier="T1")
    stop = threading.Event()
    stop.set()
    centre.plan(stop)  # ends after a page
    assert centre.moving() == set()
    assert centre.plan() > 0
    assert EntryState.RETRACTING in centre.moving()
    centre.deliver()
    centre.policy(("  T2: pseudonym", "  T2: full"))
    for _ in range(20):  # a page each
        centre.plan(stop)
        assert centre.moving() == set()
    centre.plan()
    weight = centre.waits()
    assert weight is not None
    assert weight.newly_people == len(centre.people("T2"))


def test_what_waits_costs_a_plan_nothing_while_nothing_changes(centre: Centre) -> None:
    centre.policy(("  T4: full", "  T4: hold"))
    centre.plan()
    looked: list[str] = []

    def watch(stage: str, _hospital: str | None, _done: int, _total: int) -> None:
        looked.append(stage)

    adapter = centre.adapter()
    update_ledger(adapter, adapter.destination(NAME), NOW, watch)
    mapping_impact(adapter, [NAME], watch)
    assert looked == []


def test_a_first_plan_and_people_who_are_new_are_no_slip(sample_engine: Engine, tmp_path: Path) -> None:
    centre = Centre(sample_engine, tmp_path)
    everybody = [one.key for one in centre.adapter().records.iterate("cadre")]
    late = everybody[::2]
    with write_transaction(sample_engine) as connection:
        connection.execute(
            update(records.record).where(records.record.c.cadre.in_(late)).values(deleted=True)
        )
    assert centre.plan() > 500
    assert centre.waits() is None
    centre.deliver()
    with write_transaction(sample_engine) as connection:
        for key in late:
            again = {"deleted": False, "position": moved(connection)}
            connection.execute(update(records.record).where(records.record.c.cadre == key).values(**again))
    assert centre.plan() > 500
    assert centre.waits() is None


def test_a_level_of_the_settings_is_a_line_of_policy(centre: Centre) -> None:
    before = centre.held()
    open_ = (
        "  provincial: {share: referral}",
        "  provincial: {share: everything, pseudonyms: everything, open: [centre]}",
    )
    centre.policy((LINE + "\n", ""), open_)
    assert centre.plan() == 0
    assert centre.waits() is None  # it says the same in other words
    centre.plan(settings={"hospitals": {NAME: hospital("central")}})
    assert centre.moving() == set()
    assert centre.held() == before
    weight = centre.waits()
    assert weight is not None
    assert weight.taken > 0


def test_a_worker_is_guarded_as_a_sync_is(centre: Centre) -> None:
    before = centre.held()
    centre.policy(("  T4: full", "  T4: hold"))
    later = datetime.now(UTC) + timedelta(minutes=1)  # its file has rested
    adapter = centre.adapter()
    PlanHospital(adapter, lambda: later, NAME, threading.Event()).run()
    assert centre.moving() == set()
    assert centre.held() == before
    assert centre.waits() is not None


@pytest.mark.parametrize("line", [OPENING["a tier in full"], CLOSING["a tier held"]])
def test_reading_back_takes_what_is_in_force_for_what_should_be(
    centre: Centre, line: tuple[str, str]
) -> None:
    """Else a repair would send, or take back, what waits."""
    wanted = {one.identity: one.desired_digest for one in centre.entries().values()}
    centre.policy(line)
    centre.plan()
    adapter = centre.adapter()
    destination = adapter.destination(NAME)
    people = DisclosureGuard(adapter, destination).as_in_force(all_people(adapter, destination))
    assert {d.identity: d.digest for one in people for d in one.desired_state.desired} == wanted


def test_all_say_what_waits_and_what_helps(centre: Centre) -> None:
    centre.policy(("  T4: full", "  T4: hold"))
    centre.plan()
    adapter = centre.adapter()
    [line] = hospital_statuses(adapter)
    assert f"adapter sync {NAME} --accept" in str(line.disclosure_waits)
    [problem] = [one for one in current_problems(adapter, NOW) if one.code == "disclosures"]
    assert problem.count == len(centre.people("T4"))
    assert problem.command == f"adapter mapping diff {NAME}"
    assert str(problem.count) in problem.words


def test_bundles_written_for_the_eyes_hold_nothing_of_what_waits(centre: Centre, tmp_path: Path) -> None:
    centre.policy(("  T2: pseudonym", "  T2: full"), ("  T4: full", "  T4: hold"))
    assert write_bundles(centre.adapter(), NAME, tmp_path / "out") == 0


def test_which_policy_is_in_force_and_who_had_it_so_is_audited(centre: Centre) -> None:
    [(actor, first)] = centre.audited("policy.in-force")
    assert (actor, first["before"]) == ("sync", None)
    centre.policy(("# Per tier", "# By tier"))  # means nothing else
    centre.plan(by="worker")
    [_, (actor, second)] = centre.audited("policy.in-force")
    assert (actor, second["before"]) == ("worker", first["after"])
    centre.policy(("  T4: full", "  T4: hold"))
    centre.plan()
    assert len(centre.audited("policy.in-force")) == 2
    centre.plan(accept=True, by="cli:test")
    [*_, (actor, third)] = centre.audited("policy.in-force")
    assert (actor, third["before"]) == ("cli:test", second["after"])
    assert third["after"] == centre.adapter().library.policy_digest()
