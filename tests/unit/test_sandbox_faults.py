"""How a sandbox misbehaves: decided by a seed, so that a rehearsal can be repeated."""

from typing import Any

import pytest

from adapter.errors import UsageError
from adapter.sandbox.fault_injection import FaultInjector, parse_fault
from adapter.sandbox.request_stats import RequestStats, interaction_of, is_write


@pytest.mark.parametrize(
    "text",
    ["503:0.05", "429:0.03:1", "429:0.03:10", "429:1:date", "slow:0.05:2s", "slow:0.5:0.1s",
     "drop-after-commit:0.02", "refuse-one:Observation", "down"],
)  # fmt: skip
def test_a_fault_reads_as_it_is_written(text: str) -> None:
    assert str(parse_fault(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "503", "503:2", "503:x", "503:1.2.3", "418:0.1", "refuse-one:Nothing", "refuse-one:", "down:1"],
)
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_fault(text)


def test_the_same_seed_decides_the_same() -> None:
    specs = [
        parse_fault(text) for text in ("503:0.2", "429:0.2:date", "slow:0.2:3s", "drop-after-commit:0.2")
    ]

    def decisions(seed: int) -> list[Any]:
        faults = FaultInjector(specs, seed=seed)
        return [faults.decide(is_write=True) for _ in range(200)]

    assert decisions(1) == decisions(1) != decisions(2)
    made = decisions(1)
    assert {decision.answer for decision in made} == {None, 503, 429}
    assert {decision.delay for decision in made} == {0.0, 3.0}
    assert 10 < sum(decision.drop_after for decision in made) < 60


def test_a_read_is_never_dropped_after_a_commit() -> None:
    faults = FaultInjector([parse_fault("drop-after-commit:1")])
    assert not faults.decide(is_write=False).drop_after
    assert faults.decide(is_write=True).drop_after
    assert faults.fired == {"drop-after-commit": 1}


def test_one_resource_of_a_type_is_refused_for_ever() -> None:
    faults = FaultInjector([parse_fault("refuse-one:Patient")])
    one, two = ({"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": v}]} for v in "12")
    assert faults.refusal_of({"resourceType": "Observation"}) == []
    assert [bool(faults.refusal_of(r)) for r in (one, two, one, two)] == [True, False, True, False]
    faults.replace([])
    assert faults.refusal_of(one) == []


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/fhir", "bundle"),
        ("POST", "/fhir/", "bundle"),
        ("GET", "/fhir/metadata", "capabilities"),
        ("GET", "/fhir/Patient", "search"),
        ("POST", "/fhir/Patient/_search", "search"),
        ("POST", "/fhir/Patient", "create"),
        ("PUT", "/fhir/Patient", "update"),
        ("GET", "/fhir/Patient/1", "read"),
        ("HEAD", "/fhir/Patient/1", "read"),
        ("GET", "/fhir/Patient/1/_history", "history"),
        ("GET", "/fhir/Patient/1/_history/2", "vread"),
        ("DELETE", "/fhir/Patient/1", "delete"),
    ],
)
def test_requests_have_fhirs_names(method: str, path: str, name: str) -> None:
    assert interaction_of(method, path) == name
    assert is_write(name) == (name in ("bundle", "create", "update", "delete"))


def test_counts() -> None:
    stats = RequestStats()
    stats.record_request("POST", "bundle")
    stats.record_request("GET", "search")
    stats.record_version("create")
    shown = stats.snapshot()
    assert shown["requests"]["total"] == 2
    assert shown["write_requests"] == 1
    assert shown["entries_written"] == {"total": 1, "create": 1}
