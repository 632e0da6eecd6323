"""The path out against servers that were not written here: what arrives, and what happens behind our back."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from faultproxy import FaultProxy
from interop.conftest import Server
from interop.site import HOSPITAL, Site
from sample import SMALL

from adapter.delivery.http.client import HttpResponse
from adapter.fhir import codec
from adapter.testing import first_people, until, with_cells

PULSE = "VS-HR"
CARDS = Path(__file__).parents[2] / "docs" / "cards"


@pytest.fixture(scope="session")
def all_of_them(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everybody in the small sample, with fewer measurements."""
    return first_people(SMALL, tmp_path_factory.mktemp("workbooks") / "all.xlsx", people=9999)


@pytest.fixture
def sample(server: Server, two: Path, all_of_them: Path) -> Path:
    """As much of the sample as the server manages."""
    return two if server.is_slow else all_of_them


def _post(site: Site, *entries: dict[str, Any]) -> None:
    """Write to the hospital behind the adapter's back."""
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}
    reply = site.client.post_bundle(codec.dumps(bundle))
    assert isinstance(reply, HttpResponse), reply
    assert reply.status == 200, reply
    assert all(one["response"]["status"].startswith("2") for one in reply.body["entry"])


def _delete(site: Site, resource: dict[str, Any]) -> None:
    """Delete it at the hospital, and before it the Provenance that says where it came from."""
    place = f"{resource['resourceType']}/{resource['id']}"
    about = [f"Provenance/{one['id']}" for one in site.search("Provenance") if place in str(one["target"])]
    for url in (*about, place):
        _post(site, {"request": {"method": "DELETE", "url": url}})


def _of_pulse(resource: dict[str, Any]) -> bool:
    return any(coding["code"] == "8867-4" for coding in resource["code"]["coding"])


def _pulse(site: Site) -> dict[str, Any]:
    """The one Observation of the heart rate."""
    (found,) = filter(_of_pulse, site.search("Observation"))
    return found


def _with_pulse(source: Path, target: Path, value: int) -> Path:
    """The workbook with another heart rate."""

    def keep(_sheet: str, row: dict[str, Any]) -> bool:
        if row.get("Mã chỉ số") == PULSE:
            row["Giá trị"] = value
        return True

    return with_cells(source, target, keep)


def _without(source: Path, target: Path, measure: str) -> Path:
    return with_cells(source, target, lambda _sheet, row: row.get("Mã chỉ số") != measure)


@pytest.fixture(scope="session")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook of one person."""
    return first_people(SMALL, tmp_path_factory.mktemp("workbooks") / "one.xlsx")


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workbook of two people."""
    return first_people(SMALL, tmp_path_factory.mktemp("workbooks") / "two.xlsx", people=2, measures=6)


def test_all_that_was_planned_arrives_as_it_was_planned(site: Site, sample: Path) -> None:
    site.take(sample)
    said = site.sync()
    held = site.check()
    assert said["delivered"] == said["planned"] == len(held) > 20
    again = site.sync()
    assert (again["requests"], again["planned"]) == (0, 0)


def test_a_change_is_one_write_and_a_deletion_is_read_back(site: Site, one: Path, tmp_path: Path) -> None:
    site.take(one)
    site.sync()
    before = {site.identity(found): found for found in site.search("Observation")}
    less = _without(one, tmp_path / "less.xlsx", "VS-BP")
    changed = _with_pulse(less, tmp_path / one.name, 91)
    site.take(changed)
    said = site.sync()
    assert (said["delivered"], said["retracted"], said["waiting"]) == (2, 2, 0)  # each with its Provenance
    site.check()
    assert _pulse(site)["valueQuantity"]["value"] == 91
    after = {site.identity(found): found for found in site.search("Observation")}
    assert len(before.keys() - after.keys()) == 1
    written = {name for name, found in after.items() if found["meta"] != before[name]["meta"]}
    assert written == {site.identity(_pulse(site))}


def test_what_the_hospital_deleted_comes_back_with_its_next_change(
    site: Site, one: Path, tmp_path: Path
) -> None:
    site.take(one)
    site.sync()
    _delete(site, _pulse(site))
    assert [found for found in site.search("Observation") if _of_pulse(found)] == []
    changed = _with_pulse(one, tmp_path / one.name, 92)
    site.take(changed)
    site.sync()
    site.check()


def test_what_the_hospital_changed_is_overwritten_by_our_next_change(
    site: Site, one: Path, tmp_path: Path
) -> None:
    site.take(one)
    site.sync()
    theirs = {**_pulse(site), "valueQuantity": {"value": 33}}
    url = f"Observation/{theirs['id']}"
    _post(
        site, {"fullUrl": f"{site.base}/{url}", "resource": theirs, "request": {"method": "PUT", "url": url}}
    )
    changed = _with_pulse(one, tmp_path / one.name, 93)
    site.take(changed)
    site.sync()
    site.check()


def test_what_the_hospital_deleted_is_retracted_without_a_word(site: Site, one: Path, tmp_path: Path) -> None:
    site.take(one)
    site.sync()
    _delete(site, _pulse(site))
    less = _without(one, tmp_path / "less.xlsx", PULSE)
    site.take(less)
    assert site.sync()["waiting"] == 0
    site.check()


def test_a_duplicate_at_the_hospital_parks_that_and_nothing_else(site: Site, two: Path) -> None:
    site.take(two)
    site.run("plan", HOSPITAL, "--out", "out")
    files = sorted((site.folder / "out" / HOSPITAL).glob("*.json"))
    entries = [entry for file in files for entry in codec.loads(file.read_bytes())["entry"]]
    pulse = next(
        found
        for found in (entry["resource"] for entry in entries)
        if found["resourceType"] == "Observation" and _of_pulse(found)
    )
    alone = {name: pulse[name] for name in ("resourceType", "identifier", "status", "code", "valueQuantity")}
    for _ in range(2):
        _post(site, {"resource": alone, "request": {"method": "POST", "url": "Observation"}})
    said = site.sync(code=1)
    assert (said["parked"], said["waiting"], said["unknown"]) == (1, 1, 0)  # its Provenance waits for it
    assert said["delivered"] == said["planned"] - 2
    assert len([found for found in site.search("Observation") if _of_pulse(found)]) == 3
    assert site.sync(code=1)["requests"] == 0  # and it is not tried again by itself
    (parked,) = site.parked()
    assert parked.identity == site.identity(pulse)
    assert parked.reason in ("multiple-matches", "duplicates")  # as the server said, or as it was seen


def test_half_of_the_answers_lost_after_the_hospital_did_it_double_nothing(
    server: Server, new_site: Callable[..., Site], tmp_path: Path, figures: list[str]
) -> None:
    workbook = first_people(SMALL, tmp_path / "some.xlsx", people=2 if server.is_slow else 6, measures=4)
    port = urlsplit(server.base).port
    assert port
    with FaultProxy(port, seed=5, kinds=("drop-after",), writes_only=True) as proxy:
        site = new_site(base=f"http://127.0.0.1:{proxy.port}/fhir", settings={"timeout_seconds": 10})
        site.attempt("doctor", HOSPITAL)
        site.take(workbook)
        proxy.share = 0.5
        assert until(lambda: site.attempt("sync", HOSPITAL).returncode == 0, 400)
        lost = proxy.injected["drop-after"]
        proxy.share = 0
        held = site.check()
        assert site.sync()["requests"] == 0
    assert lost >= 3
    figures.append(f"{server.name}: {lost} answers lost after the fact, {len(held)} resources, no duplicate")


def test_the_card_is_the_one_in_the_documentation(server: Server, site: Site) -> None:
    """ADAPTER_TEST_CARDS=write writes it instead."""
    site.attempt("doctor", HOSPITAL)
    said = site.attempt("doctor", HOSPITAL, "--show", "--markdown").stdout
    table = [line for line in said.splitlines() if line.startswith("|") and " ms |" not in line]
    page = CARDS / f"{server.name.removesuffix('-postgresql')}.md"
    kept = page.read_text("utf-8")
    if os.environ.get("ADAPTER_TEST_CARDS") == "write":
        first = kept.index("| ")
        rest = kept[kept.rindex("|\n") + 2 :]
        page.write_text(kept[:first] + "\n".join(table) + "\n" + rest, "utf-8")
        return
    assert table == [line for line in kept.splitlines() if line.startswith("|") and " ms |" not in line]


def test_a_sync_that_was_killed_half_way_is_finished_by_the_next(
    server: Server, site: Site, sample: Path
) -> None:
    site.take(sample)
    enough = 3 if server.is_slow else 60
    site.start("sync", "sync", HOSPITAL)
    assert until(lambda: len(site.search("Observation")) >= enough, 60)
    site.stop("sync", signal.SIGKILL)
    assert until(lambda: site.attempt("sync", HOSPITAL).returncode == 0, 120)
    site.check()
    assert site.sync()["requests"] == 0
