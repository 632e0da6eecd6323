"""From records to the ledger, on the small sample and the shipped mappings and policy."""

import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from sample import open_to_pseudonyms
from sqlalchemy import Engine

from adapter import audit, withheld
from adapter.delivery.decisions.strategy import OutboundResource, next_bundle
from adapter.errors import SettingsError
from adapter.fhir import codec
from adapter.fhir.validation.checker import check_bundle, check_resource
from adapter.insights.explain_record import explain_record
from adapter.insights.plan_report import PlanReport
from adapter.insights.plan_report import plan_reports as make_plan
from adapter.ledger.schema.states import EntryState
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import CENTRE_KEY, changed_pages, paginate
from adapter.pipeline.desired_state.desired import desired_state
from adapter.pipeline.outbound.planning import update_ledger, write_bundles
from adapter.records.model import Cadre, Referral, Tier
from adapter.referrals.lifecycle import ReferralEvent
from adapter.referrals.sayings import ReferralSaying
from adapter.settings import HospitalSettings, Settings

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SYSTEMS = {
    "citizen_id": "http://fhir.ehealth.gov.vn/core/sid/citizen_id",
    "insurance_number": "http://fhir.ehealth.gov.vn/core/sid/insurance_number",
}


def settings(folder: Path, mappings: Path | None = None) -> Settings:
    (folder / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    hospitals = {
        name: HospitalSettings(
            display=name, level=level, base_url="http://hospital.test/fhir", systems=SYSTEMS
        )
        for name, level in (("bv-tinh", "provincial"), ("bv-trung-uong", "central"))
    }
    key = f"file:{folder / 'identity.key'}"
    return Settings(identity_key=key, hospitals=hospitals, mappings=mappings)


def silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """No progress bar."""


@pytest.fixture
def adapter(sample_engine: Engine, tmp_path: Path) -> Adapter:
    return Adapter(settings(tmp_path), sample_engine)


def plan(adapter: Adapter, name: str = "bv-tinh") -> PlanReport:
    return make_plan(adapter, [name], silent)[name]


def totals(found: PlanReport) -> Counter[str]:
    total: Counter[str] = Counter()
    for counts in found.counts.values():
        total.update(counts)
    return total


def people(adapter: Adapter, *tiers: Tier) -> list[Cadre]:
    found = [one for one in adapter.records.iterate("cadre") if isinstance(one, Cadre) and one.tier in tiers]
    assert found, f"the sample has nobody of {tiers}"
    return found


def resources(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.json")):
        for entry in codec.loads(file.read_bytes())["entry"]:
            yield entry["resource"]


def test_a_plan_changes_nothing(adapter: Adapter) -> None:
    before = audit.chain_head(adapter.engine)
    first, second = plan(adapter), plan(adapter)
    assert first == second
    assert totals(first)["create"] > 900
    assert adapter.ledger.counts("bv-tinh") == {}
    assert audit.chain_head(adapter.engine) == before


def test_what_was_planned_is_what_the_ledger_wants(adapter: Adapter) -> None:
    before = plan(adapter)
    changed = update_ledger(adapter, adapter.destination("bv-tinh"), NOW, silent)
    assert changed == totals(before)["create"] == adapter.ledger.counts("bv-tinh")[EntryState.PENDING]
    assert plan(adapter).counts == before.counts


def test_with_nothing_new_nothing_is_even_loaded(adapter: Adapter) -> None:
    update_ledger(adapter, adapter.destination("bv-tinh"), NOW, silent)
    fresh = Adapter(adapter.settings, adapter.engine)
    assert update_ledger(fresh, fresh.destination("bv-tinh"), NOW, silent) == 0
    assert fresh.library.is_untouched


def test_the_first_pages_are_small_so_that_delivery_begins_at_once(adapter: Adapter) -> None:
    found = list(changed_pages(adapter, adapter.destination("bv-tinh"), 0))
    assert [len(page) for page in found] == [1, 4, 8, 8]
    assert [one.cadre for one in found[0]] == [CENTRE_KEY]
    listed = [(one.cadre, one.position) for page in found[1:] for one in page]
    assert listed == adapter.records.changed_cadres(0, 1000)
    since = found[1][-1].position
    assert [
        [one.cadre for one in page] for page in changed_pages(adapter, adapter.destination("bv-tinh"), since)
    ] == [
        [cadre for cadre, _ in listed[4:8]],
        [cadre for cadre, _ in listed[8:16]],
        [cadre for cadre, _ in listed[16:]],
    ]


@pytest.mark.parametrize(
    ("positions", "sizes"),
    [
        ([], []),
        ([1], [1]),
        ([1, 2, 3, 4, 5, 6], [2, 3, 1]),
        ([1, 2, 2, 2, 3, 4, 5, 5], [4, 4]),
        ([7, 7], [2]),
    ],
)
def test_a_page_ends_between_two_positions(positions: list[int], sizes: list[int]) -> None:
    changed = [(f"CB-{number}", position) for number, position in enumerate(positions)]
    found = list(paginate(changed, cycle((2, 3))))
    assert [len(page) for page in found] == sizes
    assert [one for page in found for one in page] == changed


def test_everything_that_would_leave_is_valid(adapter: Adapter, tmp_path: Path) -> None:
    for name in adapter.settings.hospitals:
        assert write_bundles(adapter, name, tmp_path / name) == plan(adapter, name).requests > 0
        for file in sorted((tmp_path / name).glob("*.json")):
            bundle = codec.loads(file.read_bytes())
            assert [issue for issue in check_bundle(bundle) if issue.is_error] == []
            assert len(bundle["entry"]) <= 50
            urls = [entry["fullUrl"] for entry in bundle["entry"]]
            assert len(urls) == len(set(urls))


def test_the_same_records_give_the_same_bytes(adapter: Adapter, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_bundles(Adapter(adapter.settings, adapter.engine), "bv-tinh", tmp_path / folder)
    first = [file.read_bytes() for file in sorted((tmp_path / "a").iterdir())]
    assert first == [file.read_bytes() for file in sorted((tmp_path / "b").iterdir())]


def test_no_tier_position_class_or_local_key_is_in_what_leaves(adapter: Adapter, tmp_path: Path) -> None:
    write_bundles(adapter, "bv-tinh", tmp_path / "out")
    text = "\n".join(file.read_text("utf-8") for file in (tmp_path / "out").iterdir())
    everybody = people(adapter, *Tier)
    assert any(one.position for one in everybody)
    for one in everybody:
        assert one.key not in text
        assert not one.position or one.position not in text
    for tier in Tier:
        assert f'"{tier}"' not in text
    assert "CLS-" not in text


def test_held_people_are_nowhere_and_pseudonyms_hide_who_they_are(
    sample_engine: Engine, tmp_path: Path
) -> None:
    folder = own_mappings(tmp_path)
    open_to_pseudonyms(folder)
    adapter = Adapter(settings(tmp_path, folder), sample_engine)
    write_bundles(adapter, "bv-tinh", tmp_path / "out")
    text = "\n".join(file.read_text("utf-8") for file in (tmp_path / "out").iterdir())
    hidden = people(adapter, Tier.T1, Tier.T2, Tier.T3)
    named = people(adapter, Tier.T4, Tier.T5)
    for one in hidden:
        name = None if one.name in {other.name for other in named} else one.name  # there are namesakes
        for value in (name, one.national_id, one.phone, *one.insurance):
            assert not value or value not in text
    assert all(one.name in text for one in named)
    patients = [one for one in resources(tmp_path / "out") if one["resourceType"] == "Patient"]
    assert len(patients) == len(people(adapter, Tier.T2, Tier.T3)) + len(named)
    anonymous = [one for one in patients if one["name"][0].get("use") == "anonymous"]
    assert len(anonymous) == len(people(adapter, Tier.T2, Tier.T3))
    assert {len(one["birthDate"]) for one in anonymous} == {4}


def test_under_a_pseudonym_only_those_go_whom_an_order_needs(adapter: Adapter, tmp_path: Path) -> None:
    hidden = {one.key for one in people(adapter, Tier.T2, Tier.T3)}
    for name in adapter.settings.hospitals:
        orders = [*adapter.records.iterate("referral"), *adapter.records.iterate("visit")]
        ordered = {one.cadre for one in orders if getattr(one, "hospital", None) == name} & hidden
        write_bundles(adapter, name, tmp_path / name)
        patients = [one for one in resources(tmp_path / name) if one["resourceType"] == "Patient"]
        anonymous = [one for one in patients if one["name"][0].get("use") == "anonymous"]
        assert len(anonymous) == len(ordered)


def test_two_hospitals_cannot_link_what_they_are_sent(adapter: Adapter, tmp_path: Path) -> None:
    identities = []
    for name in adapter.settings.hospitals:
        write_bundles(adapter, name, tmp_path / name)
        identities.append({one["identifier"][0]["value"] for one in resources(tmp_path / name)})
    assert identities[0]
    assert identities[1]
    assert not identities[0] & identities[1]


def test_a_hospital_by_referral_gets_its_referrals_their_visits_and_no_more(
    adapter: Adapter, tmp_path: Path
) -> None:
    write_bundles(adapter, "bv-trung-uong", tmp_path / "out")
    found = list(resources(tmp_path / "out"))
    kinds = Counter(one["resourceType"] for one in found)
    theirs = [
        one
        for one in adapter.records.iterate("referral")
        if isinstance(one, Referral) and one.hospital == "bv-trung-uong"
    ]
    held = {one.key for one in people(adapter, Tier.T1)}
    assert kinds["ServiceRequest"] == len([one for one in theirs if one.cadre not in held]) > 0
    assert kinds["Observation"] < 100
    for request in (one for one in found if one["resourceType"] == "ServiceRequest"):
        assert request["performer"][0]["display"] == "bv-trung-uong"


def test_every_refusal_is_counted_and_audited(adapter: Adapter) -> None:
    update_ledger(adapter, adapter.destination("bv-tinh"), NOW, silent)
    refused = withheld.withheld_counts(adapter.engine, "bv-tinh")
    assert {(one.kind, one.reason, one.records) for one in refused} == set(plan(adapter).withheld)
    assert audit.verify_chain(adapter.engine) is None
    held = people(adapter, Tier.T1)[0]
    assert adapter.ledger.entries("bv-tinh", [held.key])[held.key] == []
    [explained] = [one for one in explain_record(adapter, held.key) if one.kind == "cadre"]
    assert {(one.state, one.reason) for one in explained.hospitals} == {("withheld", "tier-held")}


def fulfilled(adapter: Adapter, name: str) -> Referral:
    """A referral that goes to `name`, completed by that hospital."""
    held = {one.key for one in people(adapter, Tier.T1)}
    referral = next(
        one
        for one in adapter.records.iterate("referral")
        if isinstance(one, Referral) and one.hospital == name and one.cadre not in held
    )
    assert adapter.records.advance(referral.key, ReferralSaying((ReferralEvent.OUTCOME,)), "R-1", NOW)
    found = adapter.records.get("referral", referral.key)
    assert isinstance(found, Referral)
    return found


def test_what_a_hospital_completed_is_not_sent_back_to_it(adapter: Adapter) -> None:
    update_ledger(adapter, adapter.destination("bv-trung-uong"), NOW, silent)
    referral = fulfilled(adapter, "bv-trung-uong")
    assert update_ledger(adapter, adapter.destination("bv-trung-uong"), NOW, silent) == 0
    sent = adapter.ledger.entries_of_record("referral", referral.key)
    assert {entry.type for entry in sent} == {"ServiceRequest", "Task"}


def test_a_change_of_a_completed_referral_does_not_open_it_again(adapter: Adapter) -> None:
    outlet = adapter.destination("bv-trung-uong")
    referral = fulfilled(adapter, "bv-trung-uong")
    for changed, status in (
        ({"priority": "urgent"}, "completed"),
        ({"status": "entered-in-error"}, "entered-in-error"),
    ):
        records = [
            one.model_copy(update=changed) if one.key == referral.key else one
            for one in adapter.records.of_cadre(referral.cadre)
        ]
        made = [one for one in desired_state(outlet, records).desired if one.key == referral.key]
        assert {one.type: codec.loads(one.body)["status"] for one in made} == {
            "ServiceRequest": status,
            "Task": status,
        }


def test_a_completed_referral_is_retracted_when_its_person_is_held(
    sample_engine: Engine, tmp_path: Path
) -> None:
    folder = own_mappings(tmp_path)
    adapter = Adapter(settings(tmp_path, folder), sample_engine)
    update_ledger(adapter, adapter.destination("bv-trung-uong"), NOW, silent)
    referral = fulfilled(adapter, "bv-trung-uong")
    policy = (folder / "disclosure.yaml").read_text("utf-8")
    for tier in ("T2: pseudonym", "T3: pseudonym", "T4: full", "T5: full"):
        policy = policy.replace(tier, tier[:4] + "hold")
    (folder / "disclosure.yaml").write_text(policy, "utf-8")
    closed = Adapter(settings(tmp_path, folder), sample_engine)
    update_ledger(closed, closed.destination("bv-trung-uong"), NOW, silent)
    assert closed.ledger.entries_of_record("referral", referral.key) == []


def own_mappings(tmp_path: Path) -> Path:
    folder = tmp_path / "mappings"
    shutil.copytree("mappings", folder)
    return folder


def test_a_policy_that_closes_retracts_what_was_sent_and_drops_what_was_not(
    sample_engine: Engine, tmp_path: Path
) -> None:
    folder = own_mappings(tmp_path)
    adapter = Adapter(settings(tmp_path, folder), sample_engine)
    update_ledger(adapter, adapter.destination("bv-tinh"), NOW, silent)
    count = adapter.ledger.counts("bv-tinh")[EntryState.PENDING]
    policy = (folder / "disclosure.yaml").read_text("utf-8")
    assert "T5: full" in policy
    (folder / "disclosure.yaml").write_text(policy.replace("T5: full", "T5: hold"), "utf-8")
    closed = Adapter(settings(tmp_path, folder), sample_engine)
    update_ledger(closed, closed.destination("bv-tinh"), NOW, silent)
    gone = people(closed, Tier.T5)
    for entries in closed.ledger.entries("bv-tinh", [one.key for one in gone]).values():
        assert entries == []  # nothing had been sent
    assert 0 < closed.ledger.counts("bv-tinh")[EntryState.PENDING] < count


def test_one_record_that_a_mapping_cannot_take_is_parked_alone(sample_engine: Engine, tmp_path: Path) -> None:
    folder = own_mappings(tmp_path)
    file = folder / "encounter.yaml"
    text = file.read_text("utf-8")
    broken = text.replace("body:\n", "body:\n  language: \"{{ m.hospital[:2] and 'vi' }}\"\n", 1)
    assert broken != text
    file.write_text(broken, "utf-8")  # None has no beginning: fails for every visit without a hospital
    adapter = Adapter(settings(tmp_path, folder), sample_engine)
    update_ledger(adapter, adapter.destination("bv-tinh"), NOW, silent)
    counts = adapter.ledger.counts("bv-tinh")
    assert counts[EntryState.PARKED] > 0
    assert counts[EntryState.PENDING] > 900
    parked = list(adapter.ledger.parked("bv-tinh"))
    assert {entry.type for entry in parked} == {"Encounter"}
    assert all("encounter.yaml" in (entry.detail or "") for entry in parked)
    # What refers to a broken one waits for it: it does not go without the reference.
    cadre, broken_ones = parked[0].cadre, {entry.identity for entry in parked}
    theirs = adapter.ledger.entries("bv-tinh", [cadre])[cadre]
    items = [OutboundResource.of(e.type, e.identity, e.rank, e.body) for e in theirs if e.body]
    assert broken_ones & {identity for item in items for _, identity in item.needs}
    batch, _waiting = next_bundle(items, set(), max_entries=1000, max_bytes=10**9)
    assert batch
    assert not broken_ones & {identity for item in batch for _, identity in item.needs}


def test_both_checkers_agree_on_what_leaves(adapter: Adapter, tmp_path: Path) -> None:
    write_bundles(adapter, "bv-trung-uong", tmp_path / "out")
    for resource in resources(tmp_path / "out"):
        assert [issue for issue in check_resource(resource) if issue.is_error] == []


def test_under_another_identity_key_nothing_is_planned(adapter: Adapter, tmp_path: Path) -> None:
    update_ledger(adapter, adapter.destination("bv-trung-uong"), NOW, silent)
    before = adapter.ledger.counts("bv-trung-uong")
    (tmp_path / "identity.key").write_text("another-key-another-key-another-")
    moved = Adapter(adapter.settings, adapter.engine)
    with pytest.raises(SettingsError, match="not the one with which"):
        update_ledger(moved, moved.destination("bv-trung-uong"), NOW, silent)
    assert adapter.ledger.counts("bv-trung-uong") == before
    (tmp_path / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    back = Adapter(adapter.settings, adapter.engine)
    assert update_ledger(back, back.destination("bv-trung-uong"), NOW, silent) == 0
