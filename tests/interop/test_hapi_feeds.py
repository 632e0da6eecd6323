"""A HAPI server feeds our endpoint by itself, with rest-hook Subscriptions: each result arrives once."""

import os
import secrets
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from endpoint_centre import DUC, PATIENT, centre_of_one
from interop.call import Resource, plain
from interop.conftest import Server
from sqlalchemy import func, select

from adapter.database import read_transaction
from adapter.fhir import codec
from adapter.hospital_tokens import issue_token
from adapter.inbox.tables import inbox_item
from adapter.pipeline.application import Adapter
from adapter.records.model import Result
from adapter.testing import Centre, until

pytestmark = pytest.mark.parametrize("running", ["hapi"], indirect=True)
MANY = int(os.environ.get("ADAPTER_FEED", "300"))  # `make interop-feed` has 5,000
SYSTEM = "https://bv-tinh.example/fhir/sid/result"
KALI = {"system": "http://loinc.org", "code": "2823-3"}
AT_ONCE = 100
CHANGES = 40


@dataclass
class Feed:
    """A centre that `adapter serve` runs for, and the HAPI of its hospital."""

    centre: Centre
    adapter: Adapter
    there: httpx.Client
    token: str
    subscriptions: list[str] = field(default_factory=list)
    run: str = field(default_factory=lambda: secrets.token_hex(4))

    def subscribe(self, payload: str = "application/fhir+json") -> None:
        """To the people and results of this feed alone, whatever else is written to that HAPI."""
        self._subscribe(f"Patient?identifier={SYSTEM}/nguoi|{self.run}", payload)
        self._subscribe(f"Observation?code={SYSTEM}/dot|{self.run}", payload)

    def _subscribe(self, criteria: str, payload: str) -> None:
        """As a hospital's engineer does it; returns when HAPI has taken it up."""
        sent = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "Kết quả gửi về trung tâm",
            "criteria": criteria,
            "channel": {
                "type": "rest-hook",
                "endpoint": f"http://127.0.0.1:{self.centre.port}/fhir",
                "payload": payload,
                "header": [f"Authorization: Bearer {self.token}"],
            },
        }
        made = self.there.post("/Subscription", json=sent)
        assert made.status_code == 201, made.text
        place = f"/Subscription/{made.json()['id']}"
        self.subscriptions.append(place)
        assert until(lambda: self.there.get(place).json()["status"] == "active", 30)

    def put_there(self, resources: Iterable[Resource]) -> list[str]:
        """Write these to HAPI in one transaction, each under its identifier; their ids."""
        entries = [
            {
                "resource": one,
                "request": {
                    "method": "PUT",
                    "url": one["resourceType"]
                    + "?identifier={system}%7C{value}".format(**one["identifier"][0]),
                },
            }
            for one in resources
        ]
        answer = self.there.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
        assert answer.status_code == 200, answer.text
        return [entry["response"]["location"].split("/")[1] for entry in answer.json()["entry"]]

    def person(self) -> str:
        """Write the person whom the centre knows to HAPI; the id there."""
        number = {"system": f"{SYSTEM}/nguoi", "value": self.run}
        (found,) = self.put_there([{**PATIENT, "identifier": [number, *PATIENT["identifier"]]}])
        return found

    def observation(self, number: int, patient: str, **more: Any) -> Resource:
        """A result of that person."""
        return {
            "resourceType": "Observation",
            "identifier": [{"system": SYSTEM, "value": f"{self.run}-{number}"}],
            "status": "final",
            "code": {"coding": [KALI, {"system": f"{SYSTEM}/dot", "code": self.run}], "text": "Kali máu"},
            "subject": {"reference": f"Patient/{patient}"},
            "effectiveDateTime": "2026-11-02T08:00:00+07:00",
            "issued": "2026-11-02T09:40:00+07:00",
            "valueQuantity": {"value": number + 0.5, "unit": "mmol/L"},
            **more,
        }

    def received(self) -> list[tuple[str, str, int, str, str]]:
        """Type, id, our version, body and state of all in the inbox, in the order in which it came."""
        item = inbox_item.c
        columns = (item.type, item.resource_id, item.version, item.body, item.state)
        with read_transaction(self.adapter.engine) as connection:
            return [tuple(row) for row in connection.execute(select(*columns).order_by(item.id))]

    def newest(self, kind: str) -> dict[str, Resource]:
        """By id, what came last of a type."""
        return {id: codec.loads(body) for type, id, _, body, _ in self.received() if type == kind}

    def count(self) -> int:
        """How many Observations came, versions not counted."""
        known = select(func.count(inbox_item.c.resource_id.distinct())).where(
            inbox_item.c.type == "Observation"
        )
        with read_transaction(self.adapter.engine) as connection:
            return int(connection.execute(known).scalar_one())

    def check(self, sent: dict[str, Resource]) -> None:
        """Exactly these Observations came, no version of them twice, the newest as they are at HAPI."""
        items = [(type, id, version) for type, id, version, _, _ in self.received() if type == "Observation"]
        assert [one for one, times in Counter(items).items() if times > 1] == []
        found = self.newest("Observation")
        assert found.keys() == sent.keys()
        assert {id: plain(one) for id, one in found.items()} == {id: plain(one) for id, one in sent.items()}


@pytest.fixture
def feed(server: Server, tmp_path: Path, sqlite_url: str) -> Iterator[Feed]:
    """The hospital's HAPI, whose Patients and results of potassium are sent as soon as they are written."""
    with (
        centre_of_one(tmp_path / "centre", sqlite_url, base_url=server.base) as centre,
        centre.open() as adapter,
        httpx.Client(base_url=server.base, timeout=900, headers={"Cache-Control": "no-cache"}) as there,
    ):
        token = issue_token(adapter.engine, "bv-tinh", datetime.now(UTC), by="test")
        centre.start_endpoint()
        made = Feed(centre, adapter, there, token)
        yield made
        for place in made.subscriptions:
            there.delete(place)


def test_many_results_arrive_once_each_and_in_the_record(feed: Feed, figures: list[str]) -> None:
    feed.subscribe()
    patient = feed.person()
    started = time.monotonic()
    sent: dict[str, Resource] = {}
    for first in range(0, MANY, AT_ONCE):
        some = [feed.observation(number, patient) for number in range(first, min(first + AT_ONCE, MANY))]
        sent.update(zip(feed.put_there(some), some, strict=True))
    assert len(sent) == MANY
    written = time.monotonic() - started
    assert until(lambda: feed.count() >= MANY, 60 + MANY / 2, every=1)
    taken = time.monotonic() - started
    feed.centre.wait_until_matched(60 + MANY / 2)
    matched = time.monotonic() - started
    feed.check(sent)
    states = Counter(state for type, *_, state in feed.received() if type == "Observation")
    assert states == {"applied": MANY}, "the person is known by the Patient that HAPI sent too"
    mine = [one for one in feed.adapter.records.of_cadre(DUC.key) if one.kind == "result"]
    assert len(mine) == MANY
    figures.append(
        f"hapi, rest-hook: {MANY} Observations written in {written:.0f} s, received in {taken:.0f} s "
        f"({MANY / taken:.0f}/s), in the record after {matched:.0f} s; none lost, none doubled"
    )


def test_what_is_sent_while_the_endpoint_is_killed_comes_when_it_is_back(
    feed: Feed, figures: list[str]
) -> None:
    feed.subscribe("application/fhir+xml")
    patient = feed.person()
    assert until(lambda: patient in feed.newest("Patient"), 30)
    first = [feed.observation(number, patient) for number in range(10)]
    sent = dict(zip(feed.put_there(first), first, strict=True))
    assert until(lambda: feed.count() > 0, 30, every=0.02)
    feed.centre.stop("serve", signal.SIGKILL)
    more = [feed.observation(number, patient) for number in range(10, 20)]
    sent.update(zip(feed.put_there(more), more, strict=True))
    feed.centre.start_endpoint()
    assert until(lambda: feed.count() >= len(sent), 90)
    changed = [feed.observation(number, patient, status="corrected") for number in range(5)]
    ids = feed.put_there(changed)
    assert set(ids) < sent.keys()
    sent.update(zip(ids, changed, strict=True))
    assert until(
        lambda: [one["status"] for one in feed.newest("Observation").values()].count("corrected") == 5, 60
    )
    feed.check(sent)
    feed.centre.wait_until_matched()
    figures.append(
        f"hapi, rest-hook in XML: {len(sent)} Observations around a kill -9, 5 corrected; all there once"
    )


def test_of_what_is_changed_again_at_once_the_newest_holds(feed: Feed, figures: list[str]) -> None:
    """HAPI sends with several threads: version 4 may come before version 3, as findings/ tells."""
    feed.subscribe()
    patient = feed.person()
    assert until(lambda: patient in feed.newest("Patient"), 60)
    sent: dict[str, Resource] = {}
    for value in range(CHANGES):
        some = [feed.observation(number, patient, note=[{"text": f"lần {value}"}]) for number in range(10)]
        sent = dict(zip(feed.put_there(some), some, strict=True))

    def versions() -> list[tuple[str, int]]:
        """By id and number there, of all that came, in its order."""
        item = inbox_item.c
        mine = select(item.resource_id, item.sender_version).where(item.type == "Observation")
        with read_transaction(feed.adapter.engine) as connection:
            return [(id, number) for id, number in connection.execute(mine.order_by(item.id))]

    everything = {(id, number + 1) for id in sent for number in range(CHANGES)}
    assert until(lambda: set(versions()) == everything, 60)
    came = versions()
    assert len(came) == len(everything)
    feed.centre.wait_until_matched()
    mine = [one for one in feed.adapter.records.of_cadre(DUC.key) if isinstance(one, Result)]
    assert len(mine) == len(sent)
    said = [note.text for one in mine if one.content for note in one.content.notes]
    assert said == [f"lần {CHANGES - 1}"] * len(sent)
    newest: dict[str, int] = {}
    late = 0
    for id, number in came:
        late += number < newest.get(id, 0)
        newest[id] = max(number, newest.get(id, 0))
    states = Counter(state for type, *_, state in feed.received() if type == "Observation")
    assert (states["applied"], states["ignored"]) == (len(came) - late, late)
    figures.append(
        f"hapi, rest-hook: {len(sent)} Observations changed {CHANGES} times at once; {late} versions came "
        "after a later one; the newest holds"
    )
