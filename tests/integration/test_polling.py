"""A hospital that lets us only read: what concerns us comes once, what concerns others does not come."""

import json
import random
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from endpoint_centre import centre_of_one
from hl7v2_centre import HOSPITAL, counted, hold_referral, referral, results
from poll_centre import STRANGER, Polled, held_bodies, now, poll, polled_centre, received
from sqlalchemy import select, update

from adapter.database import read_transaction, write_transaction
from adapter.errors import SettingsError
from adapter.fhir import codec
from adapter.inbox.tables import inbox_item
from adapter.insights.problems import current_problems
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.ledger.schema.tables import entry
from adapter.operations.hospital_mode import SetHospitalMode
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.referrals.lifecycle import ReferralState
from adapter.sandbox.fault_injection import parse_fault
from adapter.testing import serving
from adapter.web.app import Receive, Scope, Send


@pytest.fixture
def polled(tmp_path: Path, database_url: str) -> Iterator[Polled]:
    with polled_centre(tmp_path, database_url) as found:
        yield found


def observations(adapter: Adapter) -> list[tuple[str, int]]:
    return [(id_, version) for type_, id_, version in received(adapter) if type_ == "Observation"]


def test_a_result_of_ours_comes_once_and_nothing_of_a_stranger(polled: Polled) -> None:
    with polled.centre.open() as adapter:
        mine, strangers = polled.patient(), polled.patient("024060099999", STRANGER)
        first = polled.write(polled.observation(mine, basedOn=polled.order()))
        polled.write(polled.observation(strangers, 9))
        polled.write(polled.observation(None, 8, subject={"display": "Đỗ Văn Đức"}))
        found = poll(adapter)["Observation"]
        assert (found.taken, found.others, found.problem) == (1, 2, None)
        assert received(adapter) == [("Patient", mine, 1), ("Observation", first, 1)]
        [result] = results(adapter)
        assert (result.cadre, result.referral, result.status) == ("CB-1", "GT-1", "final")
        again = poll(adapter)["Observation"]
        assert (again.taken, len(received(adapter))) == (1, 2), "within the overlap it is read again"
        polled.write(polled.observation(mine, 7, id=first, status="corrected", basedOn=polled.order()))
        poll(adapter)
        assert observations(adapter) == [(first, 1), (first, 2)]
        assert [one.status for one in results(adapter)] == ["corrected"]
        assert strangers not in held_bodies(adapter)
        assert STRANGER not in held_bodies(adapter)
        assert counted(adapter)["refused_request"] == 0


def test_of_a_stranger_the_numbers_alone_are_asked_for(polled: Polled) -> None:
    asked: list[str] = []
    with watching(polled, asked.append), polled.centre.open() as adapter:
        mine, strangers = polled.patient(), polled.patient("024060099999", STRANGER)
        polled.write(polled.observation(mine))
        polled.write(polled.observation(strangers))
        poll(adapter)
    patients = [one for one in asked if "/Patient" in one]
    assert len(patients) == 2
    assert "_elements=identifier" in patients[0]
    assert patients[1].endswith(f"/Patient/{mine}?")


@contextmanager
def watching(polled: Polled, tell: Callable[[str], None]) -> Iterator[None]:
    """Stand before the hospital's server, and be told of each request before it is answered."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            tell(f"{scope['path']}?{scope['query_string'].decode()}")
        await polled.there.app(scope, receive, send)

    with serving(app) as address:
        file = polled.centre.settings_file
        text = file.read_text("utf-8")
        file.write_text(text.replace(polled.base, f"{address}/fhir"), "utf-8")
        yield
        file.write_text(text, "utf-8")


def test_what_we_wrote_there_is_not_read_back_and_what_the_hospital_made_of_it_is(polled: Polled) -> None:
    with polled.centre.open() as adapter:
        system = adapter.settings.centre.identifier_system
        task = {
            "resourceType": "Task",
            "identifier": [{"system": system, "value": polled.identity}],
            "status": "cancelled",
            "intent": "order",
            "focus": {"reference": "ServiceRequest/held-order"},
        }
        id_ = polled.write(task)
        values = {"type": "Task", "remote_id": id_, "etag": 'W/"1"'}
        where = entry.c.identity == polled.identity
        with write_transaction(adapter.engine) as connection:
            connection.execute(update(entry).where(where).values(**values))
        assert (poll(adapter)["Task"].others, received(adapter)) == (1, [])
        polled.write({**task, "id": id_, "status": "accepted"})
        assert poll(adapter)["Task"].taken == 1
        assert referral(adapter).state is ReferralState.ACCEPTED


def test_a_task_is_known_by_the_id_of_the_order_that_we_wrote_there(polled: Polled) -> None:
    with polled.centre.open() as adapter:
        polled.write(
            {
                "resourceType": "Task",
                "status": "in-progress",
                "intent": "order",
                "focus": {"reference": "ServiceRequest/held-order"},
                "businessStatus": {
                    "coding": [
                        {
                            "system": "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS",
                            "code": "5.1.1",
                        }
                    ]
                },
                "executionPeriod": {"start": "2026-12-09T08:00:00+07:00"},
            }
        )
        other = {"resourceType": "Task", "status": "accepted", "intent": "order"}
        polled.write({**other, "focus": {"reference": "ServiceRequest/another"}})
        found = poll(adapter)["Task"]
        assert (found.taken, found.others) == (1, 1)
        assert referral(adapter).state is ReferralState.SCHEDULED


def test_members_of_a_report_come_with_it_though_they_name_nobody(polled: Polled) -> None:
    with polled.centre.open() as adapter:
        mine = polled.patient()
        member = polled.write(polled.observation(None))
        polled.write(
            {
                "resourceType": "DiagnosticReport",
                "status": "final",
                "code": {"text": "Sinh hóa"},
                "subject": {"reference": f"Patient/{mine}"},
                "basedOn": polled.order(),
                "result": [{"reference": f"Observation/{member}"}],
            }
        )
        poll(adapter)
        assert {type_ for type_, _, _ in received(adapter)} == {"Patient", "Observation", "DiagnosticReport"}
        assert referral(adapter).state is ReferralState.COMPLETED
        assert {one.type for one in results(adapter)} == {"Observation", "DiagnosticReport"}


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_that_is_wrong_loses_nothing(polled: Polled, hours: int) -> None:
    """The clock of the server's records is hours from ours, and from what its answers say."""
    there = polled.there.staff_repository
    there._clock = lambda: datetime.now(UTC) + timedelta(hours=hours)
    with polled.centre.open() as adapter:
        mine = polled.patient()
        written = []
        for number in range(4):
            written.append(polled.write(polled.observation(mine, number)))
            poll(adapter)
        assert observations(adapter) == [(one, 1) for one in written]
        mark = adapter.polls.of_hospital(HOSPITAL)["Observation"].watermark
        assert mark is not None
        assert mark <= datetime.now(UTC) + timedelta(seconds=2), "the future hides nothing"


def test_what_is_written_late_with_an_earlier_moment_is_within_the_overlap(polled: Polled) -> None:
    there = polled.there.staff_repository
    with polled.centre.open() as adapter:
        mine = polled.patient()
        first = polled.write(polled.observation(mine, 1))
        poll(adapter)
        there._clock = lambda: datetime.now(UTC) - timedelta(minutes=9)
        late = polled.write(polled.observation(mine, 2))
        poll(adapter)
        there._clock = lambda: datetime.now(UTC) - timedelta(minutes=11)
        lost = polled.write(polled.observation(mine, 3))
        poll(adapter)
        assert [id_ for id_, _ in observations(adapter)] == [first, late]
        poll(adapter, since=now() - timedelta(hours=1))
        assert [id_ for id_, _ in observations(adapter)] == [first, late, lost], "a person reads again"


@pytest.mark.parametrize("by", ["search", "history"])
def test_writes_while_pages_are_read_lose_nothing_and_double_nothing(
    tmp_path: Path, database_url: str, by: str
) -> None:
    with polled_centre(tmp_path, database_url, by=by, page_size=3) as polled:
        mine = polled.patient()
        written = [polled.write(polled.observation(mine, number)) for number in range(12)]
        left = iter(written[:6])

        def write(asked: str) -> None:
            """What was on the first pages moves behind all others, and something new comes."""
            if "/Observation" in asked and (id_ := next(left, None)):
                polled.write(polled.observation(mine, 100 + len(written), id=id_, status="corrected"))
                written.append(polled.write(polled.observation(mine, 50 + len(written))))

        with watching(polled, write), polled.centre.open() as adapter:
            for _ in range(3):
                assert poll(adapter)["Observation"].problem is None
            found = observations(adapter)
            assert {id_ for id_, _ in found} == set(written)
            assert max(Counter(found).values()) == 1
            corrected = [one for one in results(adapter) if one.status == "corrected"]
            assert len(corrected) == 6


def values_as_they_came(adapter: Adapter) -> list[int]:
    query = select(inbox_item.c.body).where(inbox_item.c.type == "Observation").order_by(inbox_item.c.id)
    with read_transaction(adapter.engine) as connection:
        return [json.loads(one)["valueQuantity"]["value"] for one in connection.execute(query).scalars()]


def test_by_history_each_version_comes(tmp_path: Path, database_url: str) -> None:
    history = polled_centre(tmp_path, database_url, by="history", page_size=2)
    with history as polled, polled.centre.open() as adapter:
        mine = polled.patient()
        id_ = polled.write(polled.observation(mine, 1))
        for value, status in ((2, "corrected"), (3, "corrected")):
            polled.write(polled.observation(mine, value, id=id_, status=status))
        poll(adapter)
        bodies = held_bodies(adapter)
        assert [f'"value":{value},' in bodies for value in (1, 2, 3)] == [True] * 3
        assert values_as_they_came(adapter) == [1, 2, 3]
        [result] = results(adapter)
        assert '"value":3,' in result.resource
        poll(adapter)
        assert len(observations(adapter)) == 3


def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_there_twice(
    tmp_path: Path, database_url: str
) -> None:
    """`adapter poll` is killed with signal 9 between what it stores and what it notes, and begun again."""
    chance = random.Random(5)  # noqa: S311 - no secret
    with polled_centre(tmp_path, database_url, page_size=5) as polled:
        mine = polled.patient()
        written = [polled.write(polled.observation(mine, number)) for number in range(40)]
        stages = set()
        for _ in range(6):
            polled.centre.start("poll", "poll", HOSPITAL)
            with polled.centre.open() as adapter:
                deadline, wanted = time.monotonic() + 20, chance.randrange(1, 40)
                while len(observations(adapter)) < wanted and time.monotonic() < deadline:
                    time.sleep(0.005)
                polled.centre.stop("poll", signal.SIGKILL)
                stages.add((len(observations(adapter)), bool(adapter.polls.of_hospital(HOSPITAL))))
        assert any(0 < count < 40 for count, _ in stages), "no kill was in the middle"
        polled.centre.run("poll", HOSPITAL)
        with polled.centre.open() as adapter:
            found = observations(adapter)
            assert sorted(found) == sorted((one, 1) for one in written)


def test_what_is_refused_is_kept_and_the_rest_goes_on(polled: Polled) -> None:
    with polled.centre.open() as adapter:
        mine = polled.patient()
        bad = polled.write(polled.observation(mine, 1, status="finished"))
        good = polled.write(polled.observation(mine, 2))
        found = poll(adapter)["Observation"]
        assert (found.refused, found.problem) == (1, None)
        assert observations(adapter) == [(good, 1)]
        [waiting] = adapter.quarantine.waiting()
        assert (waiting.method, waiting.url, waiting.hospital) == ("PUT", f"Observation/{bad}", HOSPITAL)
        assert found.watermark is not None
        poll(adapter)
        assert [one.times for one in adapter.quarantine.waiting()] == [2]


def test_a_server_that_is_away_is_a_problem_and_nothing_is_noted_as_read(polled: Polled) -> None:
    with polled.centre.open() as adapter:
        mine = polled.patient()
        polled.there.faults.replace([parse_fault("503:1")])
        found = poll(adapter)
        assert {one.problem for one in found.values()} == {"status-503"}
        [problem] = [one for one in current_problems(adapter, now()) if one.code == "poll"]
        assert (problem.hospital, problem.count, problem.command) == (HOSPITAL, 4, f"adapter poll {HOSPITAL}")
        since = problem.since
        poll(adapter)
        assert [one.since for one in current_problems(adapter, now()) if one.code == "poll"] == [since]
        polled.there.faults.replace([])
        late = polled.write(polled.observation(mine))
        poll(adapter)
        assert observations(adapter) == [(late, 1)]
        assert [one for one in current_problems(adapter, now()) if one.code == "poll"] == []
        silent = now() + timedelta(hours=7)
        assert [one.count for one in current_problems(adapter, silent) if one.code == "poll"] == [4]


def test_nothing_is_asked_while_a_person_paused_the_hospital(polled: Polled) -> None:
    with polled.centre.open() as adapter:
        context = OperationContext(adapter, "cli:an", now)
        operation = SetHospitalMode(HOSPITAL, HospitalMode.PAUSED)
        operation.perform(context, operation.preview(context).version)
        polled.write(polled.observation(polled.patient()))
        assert poll(adapter) == {}
        assert received(adapter) == []


def test_the_command_counts_without_storing_and_then_reads(polled: Polled) -> None:
    polled.write(polled.observation(polled.patient()))
    dry = polled.centre.run_json("poll", HOSPITAL, "--dry-run")
    assert [(one["type"], one["taken"]) for one in dry["types"]][1] == ("Observation", 1)
    with polled.centre.open() as adapter:
        assert (received(adapter), adapter.polls.of_hospital(HOSPITAL)) == ([], {})
    done = polled.centre.run_json("poll", HOSPITAL)
    assert {one["problem"] for one in done["types"]} == {None}
    with polled.centre.open() as adapter:
        assert len(results(adapter)) == 1
    assert "Observation" in polled.centre.run("poll", HOSPITAL)


def test_a_hospital_without_the_section_is_not_read(tmp_path: Path, database_url: str) -> None:
    with (
        centre_of_one(tmp_path, database_url) as centre,
        centre.open() as adapter,
        pytest.raises(SettingsError),
    ):
        poll(adapter)


@contextmanager
def answering(folder: Path, url: str, answer: Callable[[str], tuple[int, bytes]]) -> Iterator[Adapter]:
    """A centre whose hospital's server answers so, and its adapter."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, body = answer(f"{scope['path']}?{scope['query_string'].decode()}")
        headers = [(b"content-type", b"application/fhir+json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    with serving(app) as address:
        section = {"types": ["Observation"], "max_pages": 20}
        one = centre_of_one(folder, url, base_url=f"{address}/fhir", poll=section)
        with one as centre, centre.open() as adapter:
            hold_referral(adapter)
            yield adapter


def bundle(*resources: Any, **more: Any) -> bytes:
    found = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in resources]}
    return json.dumps({**found, **more}).encode()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((401, b"{}"), "status-401"),
        ((200, b"<html>"), "not-fhir"),
        ((200, b'{"resourceType": "Patient"}'), "not-fhir"),
        ((200, bundle(link=[{"relation": "next", "url": "http://evil.test/fhir?x"}])), "foreign-page"),
        ((200, bundle(link=[{"relation": "next", "url": "Observation?page=2"}])), "too-large"),
        ((200, b"[" * 5_000), "not-fhir"),
    ],
)
def test_an_answer_that_cannot_be_read_on_is_named(
    tmp_path: Path, sqlite_url: str, answer: tuple[int, bytes], problem: str
) -> None:
    with answering(tmp_path, sqlite_url, lambda _: answer) as adapter:
        assert poll(adapter)["Observation"].problem == problem
        mark = adapter.polls.of_hospital(HOSPITAL)["Observation"]
        assert (mark.watermark, mark.done_at, mark.problem) == (None, None, problem)


def test_two_hundred_malformed_answers(tmp_path: Path, sqlite_url: str) -> None:
    """Nothing of them ends the reading with anything but a word; what is stored is what was sound."""
    chance = random.Random(20261130)  # noqa: S311 - no secret
    whole = {
        "resourceType": "Observation",
        "id": "a1",
        "meta": {"versionId": "1", "lastUpdated": "2026-11-02T09:40:00Z"},
        "status": "final",
        "code": {"text": "Kali máu"},
        "subject": {"reference": "Patient/p1"},
        "basedOn": [{"reference": "ServiceRequest/held-order"}],
    }
    odd: list[Any] = [None, [], {}, "x", 7, True, "../../etc", "9" * 500, {"reference": 5}, [[["y"]]]]
    number = 0

    def answer(asked: str) -> tuple[int, bytes]:
        nonlocal number
        if "/Patient" in asked:
            return chance.choice(((200, bundle()), (404, b"{}"), (200, b"null"), (200, bundle({"id": "p1"}))))
        number += 1
        spoilt = {**whole, "id": f"a{number}", chance.choice(list(whole)): chance.choice(odd)}
        wrong = chance.choice((None, [], {"lastUpdated": 5}, {"lastUpdated": "x"}))
        spoilt["meta"] = chance.choice((whole["meta"], whole["meta"], whole["meta"], wrong))
        body = bundle(spoilt, chance.choice(odd))
        way = chance.randrange(6)
        if way == 0:
            return 200, body[: chance.randrange(len(body))]
        if way == 1:
            place = chance.randrange(len(body))
            return 200, body[:place] + chance.randbytes(9) + body[place:]
        if way == 2:
            return 200, json.dumps({"resourceType": "Bundle", "entry": chance.choice(odd)}).encode()
        return 200, body

    with answering(tmp_path, sqlite_url, answer) as adapter:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seen = Counter(str(poll(adapter)["Observation"].problem) for _ in range(200))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        there = counted(adapter)
        assert seen["None"] > 60, seen
        assert seen["not-fhir"] > 20, seen
        assert set(seen) <= {"None", "not-fhir", "status-404"}, seen
        assert there["inbox_item"] > 0
        assert there["refused_request"] > 5
        assert grown < 60_000, "KB"
        assert codec.loads(b"[]") == []
