"""The path out, with real processes: sync, faults, kills, outages."""

import signal
from collections import Counter

import pytest
from sample import SMALL

from adapter.demo.expected import expect
from adapter.testing import Centre, until


def _stored(centre: Centre, name: str, types: dict[str, int]) -> dict[str, int]:
    view = centre.hospital_view(name)
    return {type_: view.count(type_) for type_ in types}


@pytest.mark.parametrize("kind", ["centre", "postgres_centre"])
def test_a_second_sync_makes_no_write_request(kind: str, request: pytest.FixtureRequest) -> None:
    centre: Centre = request.getfixturevalue(kind)
    views = [centre.start_hospital(name) for name in centre.ports]
    centre.run("import", str(SMALL))
    centre.run("sync")
    expected = expect(SMALL).types
    assert {view.name: _stored(centre, view.name, expected[view.name]) for view in views} == expected
    before = [view.stats()["write_requests"] for view in views]
    assert all(before)
    summary = centre.run_json("sync")
    assert [view.stats()["write_requests"] for view in views] == before
    assert {one["requests"] for one in summary["hospitals"].values()} == {0}


def test_a_worker_killed_half_way_loses_and_doubles_nothing(centre: Centre) -> None:
    view = centre.start_hospital("bv-tinh", "--fault", "slow:0.3:0.1s", "--fault", "drop-after-commit:0.1")
    centre.start_hospital("bv-trung-uong")
    centre.run("import", str(SMALL))
    centre.start("sync", "sync")
    assert until(lambda: view.stats()["entries_written"]["total"] > 300, 60)
    assert centre.stop("sync", signal.SIGKILL) == -signal.SIGKILL
    assert until(lambda: centre.attempt("sync").returncode == 0, 90)
    expected = expect(SMALL).types
    assert {name: _stored(centre, name, expected[name]) for name in expected} == expected


def test_one_hospital_down_delays_nobody_and_catches_up_by_itself(centre: Centre) -> None:
    centre.start_hospital("bv-tinh")
    centre.run("import", str(SMALL))
    summary = centre.run_json("sync", code=1)["hospitals"]
    expected = expect(SMALL).types
    assert _stored(centre, "bv-tinh", expected["bv-tinh"]) == expected["bv-tinh"]
    assert summary["bv-trung-uong"]["unreachable"]
    assert summary["bv-trung-uong"]["waiting"] + summary["bv-trung-uong"]["unknown"] > 0
    centre.start_hospital("bv-trung-uong")
    assert until(lambda: centre.attempt("sync").returncode == 0, 60)
    assert _stored(centre, "bv-trung-uong", expected["bv-trung-uong"]) == expected["bv-trung-uong"]


def test_a_refused_resource_is_parked_shown_and_explained(centre: Centre) -> None:
    centre.start_hospital("bv-tinh", "--fault", "refuse-one:Encounter")
    centre.start_hospital("bv-trung-uong")
    centre.run("import", str(SMALL))
    summary = centre.run_json("sync", code=1)["hospitals"]
    assert summary["bv-tinh"]["parked"] >= 1
    line = next(one for one in centre.run_json("status") if one["hospital"] == "bv-tinh")
    assert line["parked"] == summary["bv-tinh"]["parked"]


def test_a_second_sync_at_the_same_time_ends_at_once_or_helps(centre: Centre) -> None:
    view = centre.start_hospital("bv-tinh", "--fault", "slow:1:1s")
    centre.run("import", str(SMALL))
    centre.start("sync", "sync", "bv-tinh")
    assert until(lambda: view.stats()["write_requests"] > 0, 60)
    second = centre.attempt("sync", "bv-tinh")
    # How far it got is said there too, where it takes long.
    said = [line for line in second.stderr.strip().splitlines() if not line.startswith("Sending to ")]
    if said:  # the first was still planning
        assert second.returncode == 1
        assert len(said) == 1
    else:
        assert second.returncode in (0, 1)
        assert "bv-tinh" in second.stdout
    assert centre.stop("sync") in (0, 1)
    held = Counter(one["identifier"][0]["value"] for one in view.all("Observation"))
    assert held.most_common(1)[0][1] == 1


def test_schedule_stops_cleanly(centre: Centre) -> None:
    centre.start("schedule", "schedule")
    log = centre.folder / "schedule.log"
    assert until(lambda: "2 hospitals" in log.read_text("utf-8"), 30)
    assert centre.stop("schedule") == 0
    assert "Stopped." in log.read_text("utf-8")


def test_plan_writes_the_bundles_and_sends_nothing(centre: Centre) -> None:
    view = centre.start_hospital("bv-tinh")
    centre.run("import", str(SMALL))
    facts = centre.run_json("plan", "bv-tinh", "--out", "bundles")
    written = list((centre.folder / "bundles" / "bv-tinh").glob("*.json"))
    assert len(written) == facts["bv-tinh"]["requests"] == facts["bv-tinh"]["bundles_written"]
    assert {"T1", "T2"} & set(written[0].read_text("utf-8").split('"')) == set()
    assert view.stats()["write_requests"] == 0
