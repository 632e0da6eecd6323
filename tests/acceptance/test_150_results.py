"""Results of our own, in every form and its neighbours, pushed to `adapter serve`, looked at one by one."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import pytest
from centre_states import CentreStates
from results_of_our_own.answers import ANSWER_ROWS
from results_of_our_own.centre import write_people
from results_of_our_own.doubtful import DOUBTFUL_ROWS
from results_of_our_own.forms import FORM_ROWS
from results_of_our_own.listed import LISTED_ROWS
from results_of_our_own.people import PEOPLE_ROWS
from results_of_our_own.repeats import REPEAT_ROWS
from results_of_our_own.reports import REPORT_ROWS
from results_of_our_own.row import Becomes, Known, Refused, Request, Row, World
from results_of_our_own.versions import VERSION_ROWS
from rich.console import Console

from adapter.awaited import has_arrivals
from adapter.cli.commands.inbox_item import draw_item
from adapter.database import read_transaction
from adapter.demo.processes import free_port
from adapter.fhir import codec
from adapter.hospital_tokens import issue_token
from adapter.inbox.matching import READ_TYPES
from adapter.inbox.queue import InboxQueue
from adapter.inbox.recognition import RESULT_TYPES
from adapter.inbox.store import InboxItem
from adapter.insights.inbox_item import inbox_item_report
from adapter.pipeline.application import Adapter
from adapter.records.model import Referral, Result
from adapter.testing import Centre, until
from adapter.texts import LANGUAGES, current_language, say, set_language

ROWS: tuple[Row, ...] = (
    *PEOPLE_ROWS,
    *DOUBTFUL_ROWS,
    *LISTED_ROWS,
    *VERSION_ROWS,
    *REPEAT_ROWS,
    *ANSWER_ROWS,
    *FORM_ROWS,
    *REPORT_ROWS,
)
HOSPITAL = "bv-tinh"
SYSTEMS = {"citizen_id": "http://fhir.ehealth.gov.vn/core/sid/citizen_id"}
_KINDS = {"Patient": "cadre", "ServiceRequest": "referral", "Task": "referral", "Encounter": "visit"}
_KINDS |= {"Observation": "measurement"}


@dataclass(frozen=True)
class Sent:
    """What became of one row: its answers, and its results in the order of their arrival."""

    requests: tuple[Request, ...]
    answers: tuple[int, ...]
    items: tuple[InboxItem, ...]


class Told:
    """The centre after all of it was sent."""

    def __init__(self, centre: Centre, adapter: Adapter, sent: Mapping[str, Sent]) -> None:
        self.centre = centre
        self.adapter = adapter
        self.sent = sent

    def result(self, row: str) -> Result:
        """What the record holds of the first result of the row that is in it."""
        key = next(one.result_key for one in self.sent[row].items if one.result_key)
        assert key
        found = self.adapter.records.get(Result.kind, key)
        assert isinstance(found, Result)
        return found

    def referral(self, key: str) -> Referral:
        found = self.adapter.records.get(Referral.kind, key)
        assert isinstance(found, Referral)
        return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, centre_states: CentreStates) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("results")
    centre_states.put_empty(folder)
    hospitals = {
        HOSPITAL: {"level": "provincial", "systems": SYSTEMS},
        "bv-trung-uong": {"level": "central"},
    }
    port = free_port()
    public = {"public_url": f"http://127.0.0.1:{port}/fhir"}
    with Centre(folder, hospitals=hospitals, settings=public, port=port) as centre:
        centre.put_server_cards()
        for hospital in hospitals:
            centre.start_hospital(hospital)
        centre.run("import", str(write_people(folder / "people.xlsx")))
        centre.run("sync")
        centre.run("import", str(write_people(folder / "revoked.xlsx", revoked="AN.BO")))
        endpoint = centre.start_endpoint()
        with centre.open() as adapter:
            sent = _send_all(adapter, endpoint, centre)
            yield Told(centre, adapter, sent)


def _send_all(adapter: Adapter, endpoint: str, centre: Centre) -> dict[str, Sent]:
    token = issue_token(adapter.engine, HOSPITAL, datetime.now(UTC), by="test")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}
    base = f"http://127.0.0.1:{centre.ports[HOSPITAL]}/fhir"
    arrived: dict[str, tuple[Sequence[Request], list[int], set[str]]] = {}
    with httpx.Client(base_url=endpoint, headers=headers, timeout=60) as client:
        for number, row in enumerate(ROWS):
            world = World(number, base, endpoint, partial(_known, adapter))
            requests = row.sends(world)
            arrived[row.name] = (requests, *_send(client, requests))
    assert until(lambda: _is_matched(adapter), 60, every=0.05)
    by_place: dict[str, list[InboxItem]] = {}
    for one in adapter.inbox.items():
        by_place.setdefault(f"{one.type}/{one.resource_id}", []).append(one)
    return {
        name: Sent(tuple(requests), tuple(answers), tuple(_results(by_place, places)))
        for name, (requests, answers, places) in arrived.items()
    }


def _is_matched(adapter: Adapter) -> bool:
    """Whether nothing is due, and nothing came that anything waits for."""
    with read_transaction(adapter.engine) as connection:
        if has_arrivals(connection):
            return False
    return not InboxQueue(adapter.engine).hospitals(datetime.now(UTC))


def _send(client: httpx.Client, requests: Sequence[Request]) -> tuple[list[int], set[str]]:
    answers, places = [], set[str]()
    for one in requests:
        body = codec.dumps(one.body)
        answer = client.request(one.method, one.path or "/", content=body, headers=dict(one.headers))
        answers.append(answer.status_code)
        if answer.status_code < 300:
            places |= set(_places(answer))
    return answers, places


def _places(answer: httpx.Response) -> Iterator[str]:
    """`Type/id` of everything that an answer says is stored."""
    responses = [entry["response"] for entry in answer.json().get("entry", ())]
    for location in [answer.headers.get("Location"), *(one.get("location") for one in responses)]:
        if location:
            yield "/".join(location.partition("/_history/")[0].rsplit("/", 2)[-2:])


def _results(by_place: Mapping[str, Sequence[InboxItem]], places: set[str]) -> Iterator[InboxItem]:
    found = (one for place in places for one in by_place.get(place, ()))
    shown = (one for one in found if one.type in RESULT_TYPES or one.type in READ_TYPES)
    yield from sorted(shown, key=lambda one: one.id)


def _known(adapter: Adapter, type_: str, key: str) -> Known:
    for hospital in (HOSPITAL, "bv-trung-uong"):
        identity = adapter.identities.of(hospital, type_, _KINDS[type_], key)
        line = adapter.ledger.by_identity(hospital, type_, identity)
        if line is not None and line.remote_id:
            return Known(key, identity, line.remote_id)
    raise AssertionError(f"no hospital has {type_} {key}")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_each_becomes_what_it_must(told: Told, row: Row) -> None:
    sent = told.sent[row.name]
    assert list(sent.answers) == [one.status for one in sent.requests]
    if isinstance(row.becomes, Refused):
        assert sent.items == ()
        return
    assert [_what_became(told, one) for one in sent.items] == list(row.becomes)
    if row.record:
        held = told.result(row.name).model_dump(mode="json")
        assert {path: _at(held, path) for path in row.record} == row.record
    assert {key: told.referral(key).fulfilment for key in row.referrals} == row.referrals


def _what_became(told: Told, item: InboxItem) -> Becomes:
    if item.state == "applied":
        return Becomes("applied", item.cadre)
    if item.state == "ignored":
        return Becomes("ignored", None, item.reasons)
    candidates = {one.cadre for one in item.candidates}
    return Becomes(item.state, candidates.pop() if len(candidates) == 1 else None, item.reasons)


def _at(held: Any, path: str) -> Any:
    """What stands at a path like `content.ranges.1.text`; None where there is nothing."""
    for part in path.split("."):
        if isinstance(held, list):
            held = held[int(part)] if int(part) < len(held) else None
        else:
            held = (held or {}).get(part)
    return held


def test_there_are_150_of_them() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) >= 150


def test_nothing_is_lost_of_what_is_in_the_record(told: Told) -> None:
    """Every word, number and code of the version that holds stands in the result's parts."""
    lost = {}
    for name, sent in told.sent.items():
        for item in {one.result_key: one for one in sent.items if one.result_key}.values():
            held = told.adapter.records.get(Result.kind, str(item.result_key))
            assert isinstance(held, Result)
            assert held.content is not None
            there = json.dumps(held.content.model_dump(mode="json"), ensure_ascii=False)
            said = {codec.dumps(one).decode().strip('"') for one in _said(codec.loads(held.resource))}
            if missing := {one for one in said if one not in there}:
                lost[name] = missing
    assert lost == {}


_NO_CONTENT = ("resourceType", "id", "meta", "identifier", "subject", "basedOn", "encounter", "focus", "data")
_NO_WORDS = ("type", "reference", "url", "div", "lastModified")


def _said(node: Any) -> Iterator[Any]:
    """The leaves of a resource that say what was found; whom it is about is the match's."""
    if isinstance(node, dict) and node.get("resourceType") != "Patient":
        for name, value in node.items():
            is_narrative = name == "text" and isinstance(value, dict)
            if not is_narrative and name not in (*_NO_CONTENT, *_NO_WORDS):
                yield from _said(value)
    elif isinstance(node, list):
        for value in node:
            yield from _said(value)
    elif isinstance(node, str | int | Decimal) and not isinstance(node, bool):
        yield node


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_one_that_waits_says_why_in_words(told: Told, language: str, restored_language: None) -> None:
    set_language(language)
    waiting = [one for sent in told.sent.values() for one in sent.items if one.state == "unmatched"]
    assert len(waiting) > 50
    for item in waiting:
        shown = _shown(told, item)
        why = next(line for line in shown.splitlines() if line.startswith(say("inbox.show_why", why="")))
        for reason in item.reasons:
            assert say(f"inbox.{reason}") in why
            assert reason not in why
        assert len(why.split()) > 6, why


def _shown(told: Told, item: InboxItem) -> str:
    """What `adapter inbox show` prints."""
    out = io.StringIO()
    draw_item(Console(file=out, width=2000), inbox_item_report(told.adapter, item.id))
    return out.getvalue()


@pytest.fixture
def restored_language() -> Iterator[None]:
    before = current_language()
    yield
    set_language(before)
