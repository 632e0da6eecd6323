"""What a policy line opens goes out, by a tag where a type has no identifier; closed again, it goes away."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import plainly
import pytest
from sqlalchemy import Engine

from adapter.database import open_database
from adapter.fhir.bundle import identities_of
from adapter.fhir.definitions import types
from adapter.fhir.identity import (
    SINGLE_IDENTIFIER_TYPES,
    TYPES_WITHOUT_IDENTIFIER,
    identity_search_parameter,
    with_identity,
)
from adapter.fhir.validation.checker import check_resource
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.sync import sync as run_sync
from adapter.records.importing import importer
from adapter.repository.resource_types import RESOURCE_TYPES
from adapter.sandbox.app import SandboxHospital
from adapter.settings import HospitalSettings, Settings
from adapter.testing import CAPABLE_SERVER, serving

NAME, SYSTEM = "bv-tinh", "https://cadre-health.example/fhir/sid/record"
SEALED = "open: [centre]"


def test_types_without_identifiers_are_those_of_the_specification() -> None:
    listed = {type_: types.elements(type_).get("identifier") for type_ in RESOURCE_TYPES}
    assert {type_ for type_, element in listed.items() if element is None} == TYPES_WITHOUT_IDENTIFIER
    assert {
        type_ for type_, element in listed.items() if element and not element.is_list
    } == SINGLE_IDENTIFIER_TYPES


@pytest.mark.parametrize("type_", ["Patient", "Composition", "Provenance"])
def test_an_identity_is_found_where_it_was_put(type_: str) -> None:
    body = {
        "meta": {"profile": ["http://x.test"], "tag": [{"code": "own"}]},
        "identifier": [{"value": "own"}],
    }
    if type_ != "Patient":
        del body["identifier"]
    made = with_identity(type_, "urn:s", "1", body)
    assert identities_of(made, "urn:s") == ("1",)
    assert made["meta"]["profile"] == ["http://x.test"]
    assert identity_search_parameter(type_) == ("_tag" if type_ == "Provenance" else "identifier")


def silent(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """No progress bar."""


@pytest.fixture
def base(tmp_path: Path) -> Iterator[str]:
    store = open_database(f"sqlite:///{tmp_path / 'hospital.db'}")
    with serving(SandboxHospital(store, NAME).app) as url:
        yield url
    store.dispose()


def held(base: str, type_: str) -> list[dict[str, Any]]:
    resources, url = [], f"{base}/fhir/{type_}?_count=500"
    while url:
        page = plainly.get(url).json()
        resources += [entry["resource"] for entry in page.get("entry", ())]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    return resources


def test_opened_origins_and_classes_go_once_and_come_back(
    engine: Engine, tmp_path: Path, base: str, brief: Path
) -> None:
    folder = tmp_path / "mappings"
    shutil.copytree("mappings", folder)
    policy = (folder / "disclosure.yaml").read_text("utf-8")
    assert SEALED in policy
    opened = policy.replace(SEALED, "open: [centre, origin, health-class]")
    (folder / "disclosure.yaml").write_text(opened, "utf-8")
    (tmp_path / "identity.key").write_text("0123456789abcdef0123456789abcdef")
    url = f"{base}/fhir"  # a short time-out: what was lost is believed absent only after it
    hospital = HospitalSettings(name=NAME, display=NAME, level="provincial", base_url=url, timeout_seconds=2)
    settings = Settings(
        identity_key=f"file:{tmp_path / 'identity.key'}",
        database_url=f"sqlite:///{tmp_path / 'adapter.db'}",
        mappings=folder,
        hospitals={NAME: hospital},
    )
    now = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    file = Path(shutil.copy(brief, tmp_path / "small.xlsx"))
    importer.run_import(engine, [file], max_deletions_percent=3, known_hospitals=frozenset((NAME,)), now=now)

    def sync(**how: Any) -> Any:
        adapter = Adapter(settings, engine)
        adapter.cards.put(NAME, CAPABLE_SERVER, now)
        return run_sync(adapter, [NAME], lambda: datetime.now(UTC), silent, **how).hospitals[NAME]

    # Answers that are lost: what they were about is looked up before anything is sent again.
    plainly.post(f"{base}/$sandbox/faults", json={"faults": ["drop-after-commit:0.3"]}).raise_for_status()
    sync()
    plainly.post(f"{base}/$sandbox/faults", json={"faults": []}).raise_for_status()
    done = sync()
    assert (done.unknown, done.parked) == (0, 0)
    visits = held(base, "Encounter")
    origins = held(base, "Provenance")
    assert len(origins) == len({identities_of(one, SYSTEM) for one in origins}) > len(visits)
    told = [target["reference"] for one in origins for target in one["target"]]
    imported = ("Patient", "Encounter", "Observation", "Condition", "DiagnosticReport", "Specimen", "Task")
    wanted = [f"{type_}/{one['id']}" for type_ in imported for one in held(base, type_)]
    assert set(wanted) <= set(told)
    assert len(told) == len(set(told))
    assert all(check_resource(one) == [] for one in origins)
    assert "small.xlsx" not in str(origins)
    classes = [
        one for one in held(base, "Observation") if "health-class" in str(one.get("valueCodeableConcept"))
    ]
    assert classes
    assert len(held(base, "Organization")) == len(held(base, "Location")) == 1

    (folder / "disclosure.yaml").write_text(policy.replace(SEALED, "open: []"), "utf-8")
    assert any("--accept" in problem for problem in sync().problems)  # it takes something back of everybody
    assert len(held(base, "Provenance")) == len(origins)
    sync(accept=True)
    for type_ in ("Provenance", "Organization", "Location"):
        assert held(base, type_) == []
    assert not any(
        "health-class" in str(one.get("valueCodeableConcept")) for one in held(base, "Observation")
    )
    assert len(held(base, "Encounter")) == len(visits)
