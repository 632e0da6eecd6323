"""Long work gives way between its parts, last just before it writes, and once more while it does."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import httpx
import pytest
from fastapi import Request
from sqlalchemy import Engine

from adapter.repository import bundle_processing
from adapter.repository.pausing import is_preempted, pause
from adapter.repository.repository import Repository
from adapter.repository.request_limits import RequestLimits
from adapter.repository.transaction_writer import TransactionWriter
from adapter.web.app import fhir_app


def test_a_bundle_gives_way_after_each_entry_and_before_its_transaction(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    begin = bundle_processing.write_transaction

    @contextmanager
    def noted(of: Engine) -> Any:
        order.append("write")
        with begin(of) as connection:
            yield connection

    monkeypatch.setattr(bundle_processing, "write_transaction", noted)
    resource = {"resourceType": "Basic", "code": {"text": "x"}}
    entries = [{"resource": resource, "request": {"method": "POST", "url": "Basic"}} for _ in range(3)]
    token = pause.set(lambda: order.append("pause"))
    try:
        Repository(engine).bundle(
            "bv-a",
            {"resourceType": "Bundle", "type": "transaction", "entry": entries},
            base="http://x/fhir",
        )
    finally:
        pause.reset(token)
    assert order == ["pause"] * 6 + ["write"], "each was checked, and each was prepared"


def basics(kind: str, texts: list[str]) -> dict[str, Any]:
    entries = [
        {
            "resource": {
                "resourceType": "Basic",
                "identifier": [{"system": "urn:oid:2.999", "value": text}],
                "code": {"text": text},
            },
            "request": {
                "method": "POST",
                "url": "Basic",
                "ifNoneExist": f"identifier=urn:oid:2.999|{text}",
            },
        }
        for text in texts
    ]
    return {"resourceType": "Bundle", "type": kind, "entry": entries}


@contextmanager
def preempted(when: Callable[[int], bool]) -> Iterator[list[str]]:
    """What is asked for the n-th time lets others go first where `when` says so; noted is who paused."""
    asked, paused = count(1), []
    tokens = is_preempted.set(lambda: when(next(asked))), pause.set(lambda: paused.append("pause"))
    try:
        yield paused
    finally:
        is_preempted.reset(tokens[0])
        pause.reset(tokens[1])


def stored(repository: Repository, engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return sorted(
            row.body.decode().split('"text":"')[1].split('"')[0]
            for row in connection.exec_driver_sql("SELECT body FROM repository_resource")
        )


@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_transaction_that_was_preempted_is_carried_out_once_all_the_same(
    engine: Engine, place: int
) -> None:
    told: list[int] = []
    repository = Repository(engine, on_changes=lambda _, changes: told.append(len(changes)))
    names = [f"x{number}" for number in range(4)]
    with preempted(lambda asked: asked == place) as paused:
        answer = repository.bundle("bv-a", basics("transaction", names), base="http://x/fhir").body
    assert answer.count(b'"201 Created"') == 4
    assert stored(repository, engine) == names
    assert len(paused) == 2 * 4 + 1, "it waits before it begins again"
    assert told == ([4] if place < 3 else [4, 4]), "what was told is undone with the transaction"


def test_what_a_preempted_transaction_spent_of_its_limits_is_given_back(engine: Engine) -> None:
    limits = replace(RequestLimits(), max_bundle_search_values=4)
    repository = Repository(engine, limits=limits)
    with preempted(lambda asked: asked <= 5):
        answer = repository.bundle("bv-a", basics("transaction", list("abcd")), base="http://x/fhir").body
    assert answer.count(b'"201 Created"') == 4


def test_a_batch_that_was_preempted_goes_on_where_it_stood(engine: Engine) -> None:
    repository = Repository(engine)
    names = [f"x{number:02}" for number in range(30)]
    with preempted(lambda asked: asked in (1, 4, 27)) as paused:
        answer = repository.bundle("bv-a", basics("batch", names), base="http://x/fhir").body
    assert answer.count(b'"201 Created"') == 30
    assert stored(repository, engine) == names
    assert len(paused) == 2 * 30 + 3


def test_a_bundle_gives_way_to_a_request_of_which_it_is_not_known_yet_whose_it_is(engine: Engine) -> None:
    repository = Repository(engine)
    is_here, is_known = threading.Event(), threading.Event()

    def identify(request: Request) -> str:
        if request.headers["x-from"] == "bv-b":
            is_here.set()
            assert is_known.wait(30)
        return str(request.headers["x-from"])

    app = fhir_app(repository, identify=identify, description="x")

    async def story() -> None:
        transport = httpx.ASGITransport(app)
        async with asyncio.timeout(60), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            other = asyncio.create_task(client.get("/fhir/Basic", headers={"x-from": "bv-b"}))
            await asyncio.to_thread(is_here.wait, 30)
            long = asyncio.create_task(
                client.post("/fhir", json=basics("transaction", ["x"]), headers={"x-from": "bv-a"})
            )
            await asyncio.sleep(0.3)  # it would have ended; longer than a second it does not wait
            assert not long.done()
            assert stored(repository, engine) == []
            is_known.set()
            assert (await other).status_code == 200
            assert (await long).status_code == 200
            assert stored(repository, engine) == ["x"]

    asyncio.run(story())


def test_a_transaction_lets_a_request_go_first_that_came_while_it_wrote(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that came is answered before the transaction holds anything again."""
    is_writing, is_there = threading.Event(), threading.Event()
    began: list[str] = []
    settle = TransactionWriter._settle

    def slowly(writer: TransactionWriter, works: Any) -> Any:
        began.append(writer.owner)
        if began == ["bv-a"]:
            is_writing.set()
            assert is_there.wait(30)
        return settle(writer, works)

    monkeypatch.setattr(TransactionWriter, "_settle", slowly)

    perform = Repository.perform

    def noticed(repository: Repository, owner: str, entry: Any) -> Any:
        is_there.set()
        return perform(repository, owner, entry)

    monkeypatch.setattr(Repository, "perform", noticed)
    app = fhir_app(Repository(engine), identify=lambda one: str(one.headers["x-from"]), description="x")

    async def story() -> None:
        transport = httpx.ASGITransport(app)
        async with asyncio.timeout(60), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            long = asyncio.create_task(
                client.post("/fhir", json=basics("transaction", ["x"]), headers={"x-from": "bv-a"})
            )
            await asyncio.to_thread(is_writing.wait, 30)
            small = basics("transaction", ["y"])["entry"][0]["resource"]
            answer = await client.post("/fhir/Basic", json=small, headers={"x-from": "bv-b"})
            assert answer.status_code == 201
            assert (await long).status_code == 200

    asyncio.run(story())
    assert began == ["bv-a", "bv-b", "bv-a"]
