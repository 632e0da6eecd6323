"""What a plan says of each person, why, and how long it takes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from adapter.database import write_transaction
from adapter.insights.plan_report import PlanReport
from adapter.insights.plan_report import plan_reports as make_plan
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryState
from adapter.ledger.server_cards.card import ServerCard
from adapter.pipeline.application import Adapter
from adapter.pipeline.mappings.activation import choose_mapping, record_choice
from adapter.pipeline.outbound.planning import update_ledger
from adapter.records.importing import importer
from adapter.records.model import Cadre, Tier
from adapter.settings import HospitalSettings, Settings

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
NAME = "bv-tinh"


def silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """No progress bar."""


@pytest.fixture
def adapter(sample_engine: Engine, tmp_path: Path) -> Adapter:
    (tmp_path / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    hospital = HospitalSettings(
        display=NAME, level="provincial", base_url="http://h.test/fhir", requests_per_second=2, concurrency=4
    )
    settings = Settings(identity_key=f"file:{tmp_path / 'identity.key'}", hospitals={NAME: hospital})
    return Adapter(settings, sample_engine)


def plan(adapter: Adapter) -> PlanReport:
    return make_plan(Adapter(adapter.settings, adapter.engine), [NAME], silent)[NAME]


def delivered(adapter: Adapter) -> None:
    record_choice(adapter, choose_mapping(adapter, NAME, silent), NOW, "test")
    update_ledger(adapter, adapter.destination(NAME), NOW, silent)
    entry = tables.entry
    with write_transaction(adapter.engine) as connection:
        connection.execute(
            update(entry).values(
                state=EntryState.DELIVERED,
                sent_digest=entry.c.desired_digest,
                delivered_digest=entry.c.desired_digest,
                remote_id=entry.c.identity,
                body=None,
            )
        )


def test_people_and_types_add_up(adapter: Adapter) -> None:
    found = plan(adapter)
    total = sum(counts.get("create", 0) for counts in found.counts.values())
    assert sum(one.counts.get("create", 0) for one in found.people) == total > 900
    assert found.reasons == {("create", "new"): total}
    assert sum(one.requests for one in found.people) == found.requests
    assert sum(one.withheld for one in found.people) == sum(count for _, _, count in found.withheld)


def test_each_change_says_why(adapter: Adapter) -> None:
    delivered(adapter)
    assert plan(adapter).people == tuple(one for one in plan(adapter).people if not one.lines)
    [person, other] = [
        one
        for one in adapter.records.iterate("cadre")
        if isinstance(one, Cadre) and one.tier in (Tier.T4, Tier.T5)
    ][:2]
    assert isinstance(person, Cadre)
    file = Path(str(adapter.settings.identity_key).removeprefix("file:")).parent / "part"
    file.mkdir()
    (file / "Cán bộ.csv").write_text(
        "Mã cán bộ,Họ và tên,Giới tính,Ngày sinh,Diện quản lý\n"
        + "".join(
            f"{one.key},{name},{'Nam' if one.sex == 'male' else 'Nữ'},{one.birth_date.isoformat()},{tier}\n"
            for one, name, tier in ((person, "Trần Văn Mới", person.tier), (other, other.name, "T1"))
        ),
        "utf-8",
    )
    report = importer.run_import(
        adapter.engine,
        [file],
        max_deletions_percent=100,
        known_hospitals=frozenset((NAME, "bv-trung-uong")),
        now=NOW,
        partial=True,
    )
    assert report.rejected == 0
    found = plan(adapter)
    of = {one.cadre: one for one in found.people}
    assert {line.why for line in of[person.key].lines} == {"record"}
    assert {(line.action, line.why) for line in of[other.key].lines} == {("retract", "tier-held")}


def test_time_is_what_the_rate_allows_and_the_server_needs(adapter: Adapter) -> None:
    found = plan(adapter)
    assert found.seconds == found.requests / 2  # two requests a second
    adapter.cards.put(NAME, ServerCard(transaction=True, seconds_an_entry=10.0), NOW)
    slow = plan(adapter)
    entries = sum(counts.get("create", 0) for counts in slow.counts.values())
    assert slow.seconds == pytest.approx(entries * 10.0 / 4)  # four at a time
