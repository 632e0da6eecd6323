"""Many writers at a real server: eight workers on the same people, and beside them bare writes that meet."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest
from contents import holding
from interop.conftest import Server
from interop.site import HOSPITAL, Site
from sample import SMALL

from adapter.ledger.schema.states import EntryState
from adapter.pipeline.application import Adapter
from adapter.records.importing import importer
from adapter.testing import first_people, until, with_cells

WORKERS = 8
ROUNDS = 40
PEOPLE = 3
_OPEN = (EntryState.PENDING, EntryState.SENDING, EntryState.UNKNOWN, EntryState.RETRACTING)


@pytest.fixture
def workers(new_site: Callable[..., Site], database_url: str) -> Site:
    """A centre with eight worker processes on one database, which plan every second."""
    site = new_site(database_url=database_url, settings={"schedule": "* * * * * *", "concurrency": 2})
    for number in range(WORKERS):
        site.start(f"worker-{number}", "worker", HOSPITAL)
    return site


def _round(people: Path, folder: Path, number: int) -> Path:
    """The same people under keys of their own, so that all they have is new."""

    def keep(_sheet: str, row: dict[str, Any]) -> bool:
        for column, cell in row.items():
            if isinstance(cell, str) and cell.startswith("CB-"):
                row[column] = f"R{number:02}-{cell}"
        return True

    return with_cells(people, folder / f"round-{number}.xlsx", keep)


@pytest.mark.parametrize(
    ("running", "database_url"),
    [("hapi", "sqlite"), ("hapi-postgresql", "postgresql")],
    indirect=True,
)
def test_eight_workers_on_the_same_people_make_no_duplicate(
    server: Server, workers: Site, tmp_path: Path, figures: list[str]
) -> None:
    people = first_people(SMALL, tmp_path / "people.xlsx", people=PEOPLE, measures=4)
    with Adapter.open(workers.settings()) as adapter:

        def arrived(before: int) -> bool:
            counts = adapter.ledger.counts(HOSPITAL)
            waiting = sum(counts.get(state, 0) for state in _OPEN)
            return counts.get(EntryState.DELIVERED, 0) > before and not waiting

        for number in range(ROUNDS):
            before = adapter.ledger.counts(HOSPITAL).get(EntryState.DELIVERED, 0)
            importer.run_import(
                adapter.engine,
                [_round(people, tmp_path, number)],
                partial=True,
                max_deletions_percent=100,
                known_hospitals=frozenset(adapter.settings.hospitals),
                now=datetime.now(UTC),
            )
            assert until(partial(arrived, before), 120), adapter.ledger.counts(HOSPITAL)
        delivered = adapter.ledger.counts(HOSPITAL)[EntryState.DELIVERED]
    types = {"Patient", "Encounter", "Observation", "Immunization", "CarePlan", "Location", "Organization"}
    held = holding((one for type_ in types | {"Provenance"} for one in workers.search(type_)), workers.system)
    assert len(held) == delivered > ROUNDS * PEOPLE
    figures.append(f"{server.name}: {WORKERS} workers, {ROUNDS} rounds, {delivered} resources, no duplicate")


@pytest.mark.parametrize("running", ["hapi"], indirect=True)
def test_bare_conditional_updates_that_meet_can_make_duplicates(server: Server, figures: list[str]) -> None:
    """What one writer for each hospital and person protects from. Chance decides, so it is only told."""
    together = Barrier(WORKERS)
    doubled = 0
    with httpx.Client(base_url=server.base, timeout=60) as client, ThreadPoolExecutor(WORKERS) as pool:

        def put(value: str) -> int:
            body = {"resourceType": "Patient", "identifier": [{"system": "urn:bare", "value": value}]}
            together.wait(60)
            return client.put("/Patient", params={"identifier": f"urn:bare|{value}"}, json=body).status_code

        for _ in range(ROUNDS):
            value = uuid.uuid4().hex
            said = list(pool.map(put, [value] * WORKERS))
            assert set(said) <= {200, 201, 409, 412, 500}
            there = client.get(
                "/Patient",
                params={"identifier": f"urn:bare|{value}"},
                headers={"Cache-Control": "no-cache"},
            ).json()
            doubled += len(there["entry"]) > 1
    figures.append(
        f"{server.name}: {WORKERS} bare conditional PUTs at once, {ROUNDS} rounds: {doubled} made duplicates"
    )
