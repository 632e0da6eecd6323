"""Ledger, worker and client against a hospital that misbehaves: nothing lost, nothing doubled."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from adapter.database import write_transaction
from adapter.delivery.http.client import HospitalClient
from adapter.delivery.worker import DeliverySummary, deliver
from adapter.fhir import codec
from adapter.fhir.bundle import Write, build_transaction, resolve_references, without_dangling_references
from adapter.ledger.entries.comparison import compare
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import DesiredResource
from adapter.ledger.server_cards.card import ServerCard
from adapter.ledger.store import LedgerStore
from adapter.testing import (
    CAPABLE_SERVER,
    FakeHospital,
    Fault,
    ManualClock,
    answers,
    drops,
    refuses_connection,
    times_out,
)

SYSTEM = "https://centre.test/sid"
NAME = "bv"


def identity(kind: str, key: str) -> str:
    return codec.digest(f"{kind}/{key}".encode())


def patient(key: str, name: str = "Nguyễn Văn A") -> DesiredResource:
    return desired("Patient", 0, key, {"name": [{"text": name}]})


def observation(key: str, of: str, value: str = "5.30") -> DesiredResource:
    subject = {"reference": f"Patient?identifier={SYSTEM}|{identity('Patient', of)}"}
    body = {"status": "final", "subject": subject, "valueQuantity": {"value": codec.loads(value)}}
    return desired("Observation", 2, key, body)


def desired(resource_type: str, rank: int, key: str, content: dict[str, object]) -> DesiredResource:
    value = identity(resource_type, key)
    resource = {"resourceType": resource_type, "identifier": [{"system": SYSTEM, "value": value}], **content}
    body = codec.dumps(resource)
    return DesiredResource(value, resource_type, rank, resource_type.lower(), key, codec.digest(body), body)


class Site:
    """A ledger, a hospital, and the verbs to work them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.ledger = LedgerStore(engine)
        self.hospital = FakeHospital()
        self.clock = ManualClock(datetime(2026, 11, 22, 8, 0, tzinfo=UTC), step=timedelta(milliseconds=1))
        self.position = 0

    def wish(self, cadre: str, *wanted: DesiredResource) -> None:
        self.position += 1
        changes = compare(self.ledger.entries(NAME, [cadre])[cadre], wanted)
        with write_transaction(self.engine) as connection:
            self.ledger.plan(
                connection,
                NAME,
                {cadre: changes},
                mapping_version="m1",
                version="v1",
                position=self.position,
                now=self.clock(),
            )

    def deliver(
        self, *, max_entries: int = 50, patience: float = 60, card: ServerCard = CAPABLE_SERVER, **more: Any
    ) -> DeliverySummary:
        with HospitalClient(
            self.hospital.base, transport=self.hospital.transport, sleep=lambda _seconds: None
        ) as client:
            return deliver(
                NAME,
                client,
                self.ledger,
                system=SYSTEM,
                timeout=5,
                lease_seconds=60,
                max_entries=max_entries,
                max_bytes=1_000_000,
                concurrency=1,
                patience=patience,
                clock=self.clock,
                stop=self.clock.event(),
                card=card,
                **more,
            )

    def states(self) -> dict[EntryState, int]:
        return self.ledger.counts(NAME)


@pytest.fixture
def site(engine: Engine) -> Iterator[Site]:
    return Site(engine)


def family(of: str, count: int = 3) -> list[DesiredResource]:
    return [patient(of), *(observation(f"{of}-{number}", of) for number in range(count))]


def identities(hospital: FakeHospital) -> list[str]:
    return [item["value"] for resource in hospital.resources.values() for item in resource["identifier"]]


def test_first_sync_creates_everything_once_and_the_second_sends_nothing(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.wish("c2", *family("c2"))
    assert site.deliver().resources == 8
    assert site.states() == {EntryState.DELIVERED: 8}
    assert len(identities(site.hospital)) == len(set(identities(site.hospital))) == 8
    patients = {f"Patient/{resource['id']}" for resource in site.hospital.of_type("Patient")}
    subjects = {resource["subject"]["reference"] for resource in site.hospital.of_type("Observation")}
    assert subjects == patients
    before = len(site.hospital.requests)
    assert site.deliver().write_requests == 0
    assert len(site.hospital.requests) == before


def test_a_shipment_larger_than_a_bundle_refers_to_the_id_that_the_hospital_gave(site: Site) -> None:
    site.wish("c1", *family("c1", 7))
    assert site.deliver(max_entries=3).resources == 8
    subjects = {resource["subject"]["reference"] for resource in site.hospital.of_type("Observation")}
    assert subjects == {f"Patient/{site.hospital.of_type('Patient')[0]['id']}"}
    assert site.hospital.writes == 3


def test_a_change_updates_the_known_resource_under_if_match(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.deliver()
    site.wish("c1", patient("c1", "Nguyễn Văn B"), *family("c1")[1:])
    done = site.deliver()
    assert (done.resources, done.write_requests) == (1, 1)
    sent = codec.loads(site.hospital.requests[-1].content)["entry"]
    assert [entry["request"]["method"] for entry in sent] == ["PUT"]
    assert sent[0]["request"]["ifMatch"] == 'W/"1"'
    assert site.hospital.of_type("Patient")[0]["name"] == [{"text": "Nguyễn Văn B"}]


def test_going_back_to_what_is_there_sends_nothing(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.deliver()
    site.wish("c1", patient("c1", "Nguyễn Văn B"), *family("c1")[1:])
    site.wish("c1", *family("c1"))
    assert site.deliver().write_requests == 0
    assert site.states() == {EntryState.DELIVERED: 4}


@pytest.mark.parametrize("fault", [drops, times_out], ids=["dropped", "timeout"])
def test_an_answer_that_never_came_is_looked_up_and_not_sent_again(
    site: Site, fault: Callable[..., object]
) -> None:
    site.wish("c1", *family("c1"))
    site.hospital.faults_after_commit = [fault]  # type: ignore[list-item]
    assert site.deliver().resources == 4
    assert site.hospital.writes == 1
    assert all(
        request.headers["cache-control"] == "no-cache"
        for request in site.hospital.requests
        if request.method == "GET"
    )
    assert site.states() == {EntryState.DELIVERED: 4}


def test_what_was_dropped_before_it_arrived_is_found_absent_and_sent(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.hospital.faults = [drops]
    site.deliver()
    assert site.hospital.writes == 2
    assert len(identities(site.hospital)) == 4
    assert site.states() == {EntryState.DELIVERED: 4}


@pytest.mark.parametrize("answer", [times_out, drops, answers(504)])
def test_what_is_still_under_way_is_not_sent_a_second_time(site: Site, answer: Fault) -> None:
    site.wish("c1", *family("c1"))
    under_way = []

    def goes_on(request: httpx.Request) -> httpx.Response | None:
        under_way.append(request)
        return answer(request)

    def looked_up_too_early(request: httpx.Request) -> httpx.Response:
        empty = site.hospital.answer(request)
        site.hospital.answer(under_way[0])
        return empty

    site.hospital.faults = [goes_on, looked_up_too_early]
    site.deliver()
    assert site.hospital.writes == 1
    assert len(identities(site.hospital)) == len(set(identities(site.hospital))) == 4
    assert site.states() == {EntryState.DELIVERED: 4}


def test_a_server_that_tells_no_location_is_asked_for_the_ids(site: Site) -> None:
    site.hospital.returns_location = False
    site.wish("c1", *family("c1", 7))
    site.deliver(max_entries=3)
    assert site.states() == {EntryState.DELIVERED: 8}
    subjects = {resource["subject"]["reference"] for resource in site.hospital.of_type("Observation")}
    assert subjects == {f"Patient/{site.hospital.of_type('Patient')[0]['id']}"}


@pytest.mark.parametrize("status", [200, 404, 405])
def test_a_server_that_answers_no_bundle_is_left_alone_after_a_while(site: Site, status: int) -> None:
    site.wish("c1", *family("c1"))
    site.hospital.faults = [
        lambda request: answers(status)(request) if request.method == "POST" else None
    ] * 1000
    assert site.deliver(patience=20).unreachable
    assert site.hospital.writes < 10
    assert site.states().get(EntryState.PARKED, 0) == 0


def test_what_a_hospital_does_not_delete_is_counted_and_blocks_nothing_else(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.deliver()
    site.hospital.undeletable_types = {"Patient"}
    site.wish("c1")
    site.deliver(patience=120)
    assert site.states() == {EntryState.RETRACTING: 1, EntryState.RETRACTED: 3}
    assert site.ledger.count_stuck_retractions(NAME) == 1
    [left] = [e for e in site.ledger.entries(NAME, ["c1"])["c1"] if e.state is EntryState.RETRACTING]
    assert "refused by a rule" in (left.detail or "")


def test_a_worker_killed_after_sending_leaves_what_the_next_one_looks_up(site: Site) -> None:
    site.wish("c1", *family("c1"))

    class Killed(BaseException):
        pass

    def killed(_request: object) -> None:
        raise Killed

    site.hospital.faults_after_commit = [killed]  # type: ignore[list-item]
    with pytest.raises(Killed):
        site.deliver()
    assert site.states() == {EntryState.SENDING: 4}
    assert site.ledger.shipments.claim(NAME, site.clock(), 60) == []  # its lease still holds
    site.ledger.workers.remove(site.ledger.worker_id)
    site.deliver()
    assert site.hospital.writes == 1
    assert site.states() == {EntryState.DELIVERED: 4}


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_hospital_is_tried_again_and_burns_no_attempt(site: Site, status: int) -> None:
    site.wish("c1", *family("c1"))
    site.hospital.faults = [answers(status, headers={"Retry-After": "7"})] * 4
    started = site.clock.now
    assert site.deliver().resources == 4
    assert site.clock.now - started >= timedelta(seconds=7)
    assert {entry.attempts for entry in site.ledger.entries(NAME, ["c1"])["c1"]} == {0}


def test_a_hospital_that_is_down_is_given_up_and_catches_up_later(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.hospital.faults = [refuses_connection] * 100
    assert site.deliver(patience=20).unreachable
    assert site.states() == {EntryState.PENDING: 4}
    site.hospital.faults = []
    site.ledger.hospitals.allow_probe(NAME, site.clock())
    assert not site.deliver().unreachable
    assert site.states() == {EntryState.DELIVERED: 4}


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token_stops_at_once_and_blames_no_message(site: Site, status: int) -> None:
    for number in range(5):
        site.wish(f"c{number}", *family(f"c{number}"))
    site.hospital.faults = [answers(status)] * 100
    assert site.deliver(patience=0.5).unreachable
    assert site.hospital.writes == 1
    assert site.states() == {EntryState.PENDING: 20}
    assert site.ledger.hospitals.row(NAME).last_error == "auth"


def test_a_web_page_instead_of_fhir_is_the_hospitals_fault(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.hospital.faults = [answers(404, text="<h1>Not here</h1>")]
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 4}


def test_one_refused_entry_is_parked_and_the_rest_arrives(site: Site) -> None:
    bad = observation("c1-bad", "c1", "999")
    site.wish("c1", *family("c1"), bad)
    site.wish("c2", *family("c2"))
    site.hospital.refuses = lambda resource: resource.get("valueQuantity", {}).get("value") == 999
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 8, EntryState.PARKED: 1}
    [parked] = site.ledger.parked(NAME)
    assert (parked.key, parked.reason) == ("c1-bad", "refused")
    assert "refused by a rule" in (parked.detail or "")
    assert site.deliver().requests == 0  # only a person, or new content, moves it
    site.wish("c1", *family("c1"), observation("c1-bad", "c1", "5"))
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 9}


def test_what_refers_to_a_parked_resource_waits_with_it(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.hospital.refuses = lambda resource: resource["resourceType"] == "Patient"
    site.deliver()
    assert site.states() == {EntryState.PARKED: 1, EntryState.PENDING: 3}
    assert site.deliver().requests == 0


def linked(resource_type: str, rank: int, key: str, **targets: tuple[str, str]) -> DesiredResource:
    content = {
        name: {"reference": f"{type_}?identifier={SYSTEM}|{identity(type_, of)}"}
        for name, (type_, of) in targets.items()
    }
    return desired(resource_type, rank, key, dict(content))


@pytest.mark.parametrize("invalid", [False, True], ids=["refused", "invalid"])
def test_only_what_refers_to_a_parked_resource_waits_directly_or_through_another(
    site: Site, invalid: bool
) -> None:
    subject = {"subject": ("Patient", "c1")}
    visit = linked("Encounter", 1, "v1", **subject)
    if invalid:
        visit = replace(visit, problem="Encounter.status: is missing")
    site.hospital.refuses = lambda resource: resource["resourceType"] == "Encounter" and not invalid
    site.wish(
        "c1",
        patient("c1"),
        visit,
        linked("Observation", 2, "of-visit", **subject, encounter=("Encounter", "v1")),
        linked("Observation", 2, "free", **subject),
        linked("DiagnosticReport", 3, "of-free", **subject, result=("Observation", "free")),
        linked("DiagnosticReport", 3, "of-of-visit", **subject, result=("Observation", "of-visit")),
    )
    site.wish("c2", *family("c2"))
    site.deliver()
    entries = {entry.key: entry.state for entry in site.ledger.entries(NAME, ["c1"])["c1"]}
    assert entries == {
        "c1": EntryState.DELIVERED,
        "v1": EntryState.PARKED,
        "of-visit": EntryState.PENDING,
        "free": EntryState.DELIVERED,
        "of-free": EntryState.DELIVERED,
        "of-of-visit": EntryState.PENDING,
    }
    assert {e.state for e in site.ledger.entries(NAME, ["c2"])["c2"]} == {EntryState.DELIVERED}
    assert site.deliver().requests == 0


def test_refusals_inside_a_200_are_read_entry_by_entry(site: Site) -> None:
    site.hospital.atomic = False
    site.hospital.refuses = lambda resource: resource.get("valueQuantity", {}).get("value") == 999
    site.wish("c1", *family("c1"), observation("c1-bad", "c1", "999"))
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 4, EntryState.PARKED: 1}


def test_an_answer_with_too_few_entries_is_not_trusted(site: Site) -> None:
    site.hospital.drops_last_entry = True
    site.wish("c1", *family("c1"))
    site.deliver()
    assert site.hospital.writes == 1
    assert site.states() == {EntryState.DELIVERED: 4}


def test_a_stale_remote_id_is_forgotten_and_the_resource_found_again(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.deliver()
    [there] = site.hospital.of_type("Patient")
    there["meta"]["versionId"] = "9"  # somebody at the hospital touched it
    site.wish("c1", patient("c1", "Nguyễn Văn B"), *family("c1")[1:])
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 4}
    assert [p["name"] for p in site.hospital.of_type("Patient")] == [[{"text": "Nguyễn Văn B"}]]


def test_what_refers_to_something_that_has_another_id_now_is_sent_again(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.deliver()
    [old] = [id_ for kind, id_ in site.hospital.resources if kind == "Patient"]
    del site.hospital.resources["Patient", old]  # behind our back
    changed = [patient("c1", "Nguyễn Văn B"), *family("c1")[1:]]
    site.wish("c1", *changed)
    site.deliver()
    [new] = site.hospital.of_type("Patient")
    assert site.ledger.cadres_to_replan(NAME) == ["c1"]
    site.wish("c1", *changed)
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 4}
    subjects = {one["subject"]["reference"] for one in site.hospital.of_type("Observation")}
    assert subjects == {f"Patient/{new['id']}"}
    assert site.ledger.cadres_to_replan(NAME) == []


def test_what_is_no_longer_wished_for_is_deleted_and_read_back(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.deliver()
    site.wish("c1", patient("c1"))
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 1, EntryState.RETRACTED: 3}
    assert site.hospital.of_type("Observation") == []
    site.wish("c1", *family("c1"))
    site.deliver()
    assert len(site.hospital.of_type("Observation")) == 3


def test_what_arrives_after_it_was_to_be_retracted_is_deleted_all_the_same(site: Site) -> None:
    wanted = family("c1")
    site.wish("c1", *wanted)
    [lease] = site.ledger.shipments.claim(NAME, site.clock(), 60)
    sent = {wish.identity: wish.digest for wish in wanted}
    site.ledger.start(lease, sent, site.clock(), 60)  # and the worker is killed
    site.ledger.workers.remove(site.ledger.worker_id)
    site.wish("c1")
    writes = [Write(wish.type, wish.identity, wish.body) for wish in wanted]

    def looked_up_too_early(request: httpx.Request) -> httpx.Response:
        empty = site.hospital.answer(request)
        site.hospital.answer(
            httpx.Request(
                "POST", site.hospital.base, content=build_transaction(writes, system=SYSTEM, known={})
            )
        )
        return empty

    site.hospital.faults = [None, looked_up_too_early]
    site.deliver()
    assert site.hospital.resources == {}
    assert site.states() == {EntryState.RETRACTED: 4}


def test_what_was_never_sent_is_dropped_without_a_request(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.wish("c1")
    assert site.deliver().requests == 0
    assert site.states() == {}


def test_a_wish_written_while_its_shipment_is_under_way_is_not_lost(site: Site) -> None:
    site.wish("c1", *family("c1"))

    def meanwhile(_request: object) -> None:
        site.wish("c1", patient("c1", "Nguyễn Văn B"), *family("c1")[1:])

    site.hospital.faults = [meanwhile]  # type: ignore[list-item]
    site.deliver()
    assert site.states() == {EntryState.DELIVERED: 4}
    assert site.hospital.of_type("Patient")[0]["name"] == [{"text": "Nguyễn Văn B"}]


def test_bodies_are_not_kept_once_delivered(site: Site) -> None:
    site.wish("c1", *family("c1"))
    site.deliver()
    assert {entry.body for entry in site.ledger.entries(NAME, ["c1"])["c1"]} == {None}


def test_a_reference_to_what_is_withheld_is_left_out() -> None:
    seen = {"reference": f"Observation?identifier={SYSTEM}|{identity('Observation', 'a')}"}
    kept_back = {"reference": f"Observation?identifier={SYSTEM}|{identity('Observation', 'b')}"}
    body = codec.dumps({"resourceType": "ServiceRequest", "supportingInfo": [seen, kept_back]})
    there = {("Observation", identity("Observation", "a"))}
    assert codec.loads(without_dangling_references(body, there))["supportingInfo"] == [seen]
    assert codec.loads(without_dangling_references(body, set())) == {"resourceType": "ServiceRequest"}


def test_a_text_that_looks_like_a_reference_stays_a_text() -> None:
    note = f'"reference":"Patient?identifier={SYSTEM}|{identity("Patient", "a")}"'
    body = codec.dumps({"resourceType": "ServiceRequest", "note": [{"text": note}]})
    assert resolve_references(body, lambda _target: "Patient/1") == body
    assert without_dangling_references(body, set()) == body
