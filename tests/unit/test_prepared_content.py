"""What is prepared before a transaction is what would be made within it."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapter.pipeline.inbound.received_facts import facts_of_change, received_facts
from adapter.repository.prepared_content import prepare_content
from adapter.repository.reference_rewriting import reference_links, rewrite_references
from adapter.repository.search_index import index_rows
from adapter.repository.write_plan import VersionChange

FILES = sorted((Path(__file__).parents[2] / "fixtures").rglob("*.json"))
BASE = "https://centre.example/fhir"


def resources() -> list[dict[str, Any]]:
    """Every resource of the fixtures, those in Bundles too."""
    found = []
    for file in FILES:
        one = json.loads(file.read_text("utf-8"))
        if isinstance(one, dict) and "resourceType" in one:
            found += [one, *(entry["resource"] for entry in one.get("entry", ()) if "resource" in entry)]
    return found


@pytest.mark.parametrize("meta", [{}, {"meta": {"versionId": "7", "lastUpdated": "2026-11-02T08:00:00Z"}}])
def test_what_the_server_sets_changes_nothing_of_what_was_prepared(meta: dict[str, Any]) -> None:
    every = resources()
    assert len(every) > 20
    for sent in every:
        prepared = prepare_content({**sent, **meta}, BASE)
        stored, _ = prepared.content.as_version("0f" * 16, 3, 1_796_000_000_000)
        assert prepared.index == index_rows(stored, BASE)


def test_a_resource_that_refers_to_nothing_known_is_the_same_one() -> None:
    plain = {"resourceType": "Observation", "subject": {"reference": "Patient/1"}, "valueInteger": 1}
    assert rewrite_references(plain, None, {"urn:uuid:1": "Patient/9"}) is plain
    moved = rewrite_references(plain | {"focus": [{"reference": "urn:uuid:1"}]}, None, {"urn:uuid:1": "A/9"})
    assert moved["focus"] == [{"reference": "A/9"}]


def test_what_it_is_known_by_is_what_the_stored_version_is_known_by() -> None:
    for sent in resources():
        prepared = prepare_content(sent, BASE, facts_of=received_facts)
        id_ = sent.get("id", "0f" * 16)
        stored, body = prepared.content.as_version(id_, 3, 1_796_000_000_000)
        change = VersionChange("bv", stored["resourceType"], id_, 3, "update", stored, body, False, None)
        arrival, subjects = facts_of_change(change)
        assert prepared.facts.arrival == arrival
        if "id" in sent:
            assert prepared.facts.subjects == subjects


@pytest.mark.parametrize("full_url", [None, "urn:uuid:7", "https://his.example/fhir/Observation/7"])
def test_what_leads_nowhere_else_is_never_rewritten(full_url: str | None) -> None:
    moved = stays = 0
    for sent in resources():
        prepared = prepare_content(sent, BASE, full_url=full_url, is_alone=False)
        texts = [text for _, text in reference_links(sent)] + ["urn:oid:2.999", "urn:uuid:8"]
        for text in texts:
            for known in ({text: "X/1"}, {f"https://his.example/fhir/{text}": "X/1"}):
                rewritten = rewrite_references(sent, full_url, known)
                moved += rewritten is not sent
                if prepared.leads_nowhere_else(known):
                    assert rewritten is sent
                    stays += 1
    assert min(moved, stays) > 20
