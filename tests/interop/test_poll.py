"""A HAPI server that may only be read is polled while its hospital writes on: each result comes once."""

import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from endpoint_centre import PATIENT, centre_of_one
from hl7v2_centre import hold_referral
from interop.call import Resource
from interop.conftest import Server
from poll_centre import STRANGER, held_bodies, poll, received

from adapter.pipeline.application import Adapter

pytestmark = pytest.mark.parametrize("running", ["hapi"], indirect=True)
MANY, CHANGED, ADDED = 150, 40, 30
SYSTEM = "https://bv-tinh.example/fhir/sid/result"


@dataclass
class Hospital:
    """The centre that polls, and the HAPI of its hospital."""

    adapter: Adapter
    there: httpx.Client
    run: str

    def write(self, resource: Resource) -> str:
        """Written by the hospital itself; the id there."""
        if "id" in resource:
            answer = self.there.put(f"/{resource['resourceType']}/{resource['id']}", json=resource)
        else:
            answer = self.there.post(f"/{resource['resourceType']}", json=resource)
        assert answer.status_code in (200, 201), answer.text
        found: str = answer.json()["id"]
        return found

    def observation(self, number: int, patient: str, **more: Any) -> Resource:
        """A result of that person."""
        return {
            "resourceType": "Observation",
            "identifier": [{"system": SYSTEM, "value": f"{self.run}-{number}"}],
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2823-3"}], "text": "Kali máu"},
            "subject": {"reference": f"Patient/{patient}"},
            "issued": "2026-11-02T09:40:00+07:00",
            "valueQuantity": {"value": number + 0.5, "unit": "mmol/L"},
            **more,
        }


@pytest.fixture(params=["search", "history"])
def hospital(
    server: Server, tmp_path: Path, sqlite_url: str, request: pytest.FixtureRequest
) -> Iterator[Hospital]:
    section = {"types": ["Observation"], "by": request.param, "page_size": 20, "overlap_seconds": 60}
    with (
        centre_of_one(tmp_path, sqlite_url, base_url=server.base, poll=section) as centre,
        centre.open() as adapter,
        httpx.Client(base_url=server.base, timeout=120, headers={"Cache-Control": "no-cache"}) as there,
    ):
        hold_referral(adapter)
        yield Hospital(adapter, there, secrets.token_hex(4))


def test_what_is_written_while_pages_are_read_arrives_once_and_no_stranger(hospital: Hospital) -> None:
    number = {"system": f"{SYSTEM}/nguoi", "value": hospital.run}
    mine = hospital.write({**PATIENT, "identifier": [number, *PATIENT["identifier"]]})
    other = hospital.write({"resourceType": "Patient", "name": [{"text": STRANGER}], "identifier": [number]})
    ids = [hospital.write(hospital.observation(one, mine)) for one in range(MANY)]
    strangers = [hospital.write(hospital.observation(10_000 + one, other)) for one in range(20)]
    added: list[str] = []

    def go_on() -> None:
        for one in range(max(CHANGED, ADDED)):
            if one < CHANGED:
                changed = hospital.observation(one, mine, id=ids[one], status="corrected")
                hospital.write({**changed, "valueQuantity": {"value": 900 + one, "unit": "mmol/L"}})
            if one < ADDED:
                added.append(hospital.write(hospital.observation(1_000 + one, mine)))

    writing = threading.Thread(target=go_on)
    writing.start()
    problems = [poll(hospital.adapter)["Observation"].problem for _ in range(2)]
    writing.join()
    problems += [poll(hospital.adapter)["Observation"].problem for _ in range(2)]
    assert problems == [None] * 4
    run = [(id_, version) for type_, id_, version in received(hospital.adapter) if type_ == "Observation"]
    mine_alone = [one for one in run if one[0] in {*ids, *added}]
    assert {id_ for id_, _ in mine_alone} == {*ids, *added}
    assert max(Counter(mine_alone).values()) == 1
    bodies = held_bodies(hospital.adapter)
    assert all(f'"value":{900 + one},' in bodies for one in range(CHANGED))
    assert STRANGER not in bodies
    assert not {id_ for id_, _ in run} & {*strangers}
    before = received(hospital.adapter)
    assert poll(hospital.adapter)["Observation"].problem is None
    assert received(hospital.adapter) == before
