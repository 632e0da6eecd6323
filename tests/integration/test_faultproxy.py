"""The adapter's client against every fault that the proxy makes: it says what happened, in time."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from faultproxy import KINDS, FaultProxy, decide

from adapter.delivery.http.client import HospitalClient, HttpResponse, HttpResult, NoResponse
from adapter.testing import serving

TIMEOUT = 1.5  # seconds: more than a busy machine needs for an answer
_SEEDS = range(4)  # so that each variant of a fault has its turn


def _answer(seed: int) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "transaction-response", "entry": [], "note": str(seed) * 300}


class Hospital:
    """An ASGI application that answers every request with a Bundle that names its number."""

    def __init__(self) -> None:
        self.commits = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        self.commits += 1
        body = json.dumps(_answer(self.commits)).encode()
        headers = [(b"content-type", b"application/fhir+json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def upstream() -> Iterator[tuple[Hospital, int]]:
    hospital = Hospital()
    with serving(hospital) as base:
        yield hospital, int(base.rpartition(":")[2])


def _bundle() -> bytes:
    entry = {"request": {"method": "PUT", "url": "Patient?identifier=s%7C1"}, "resource": {}}
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}).encode()


def _said(reply: HttpResult) -> str:
    if isinstance(reply, NoResponse):
        return f"silence, {'sent' if reply.may_have_arrived else 'not sent'}"
    return f"{reply.status}{'' if reply.is_fhir else ' not FHIR'}"


MEANS = {
    "drop-before": {"silence, sent"},
    "drop-after": {"silence, sent"},
    "reset": {"silence, sent"},
    "late": {"silence, sent"},
    "held": {"200"},
    "truncated": {"silence, sent"},
    "twice": {"200"},
    "5xx": {"500", "502", "503", "504"},
    "5xx-after": {"408", "500", "502", "503", "504"},
    "proxy-after": {"502 not FHIR", "503 not FHIR", "504 not FHIR"},
    "429": {"429"},
    "429-inside": {"200"},
    "wrong-type": {"200 not FHIR"},
    "html": {"200 not FHIR", "502 not FHIR"},
    "redirect": {"302 not FHIR", "307 not FHIR"},
    "gzip-bomb": {"silence, sent"},
    "endless": {"silence, sent"},
    "slow-loris": {"silence, sent"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_client_says_what_happened_and_does_not_hang(kind: str, upstream: tuple[Hospital, int]) -> None:
    said = set()
    for seed in _SEEDS:
        with FaultProxy(upstream[1], seed=seed, share=1, timeout=TIMEOUT, kinds=(kind,)) as proxy:
            with HospitalClient(
                f"http://127.0.0.1:{proxy.port}", timeout=TIMEOUT, sleep=lambda _: None
            ) as client:
                started = time.monotonic()
                reply = client.post_bundle(_bundle())
                took = time.monotonic() - started
            assert proxy.injected[kind] == proxy.requests >= 1
        said.add(_said(reply))
        assert took < TIMEOUT * 3 + 3, f"seed {seed}: {took:.1f} s"
    assert said <= MEANS[kind]


def test_an_answer_sent_twice_is_not_taken_for_the_answer_to_the_next_request(
    upstream: tuple[Hospital, int],
) -> None:
    with (
        FaultProxy(upstream[1], seed=1, share=1, kinds=("twice",)) as proxy,
        HospitalClient(f"http://127.0.0.1:{proxy.port}", timeout=TIMEOUT) as client,
    ):
        replies = [client.get("Patient") for _ in range(5)]
    notes = [reply.body["note"] for reply in replies if isinstance(reply, HttpResponse)]
    assert len(set(notes)) == len(notes) >= 2
    assert {reply for reply in replies if isinstance(reply, NoResponse)} == {
        NoResponse(may_have_arrived=True, why="dropped")
    }


def test_the_same_seed_makes_the_same_faults() -> None:
    decided = [[decide(7, n, 0.3, KINDS, is_write=n % 2 == 0)[0] for n in range(500)] for _ in range(2)]
    assert decided[0] == decided[1]
    assert 100 < sum(kind is not None for kind in decided[0]) < 200
    assert {kind for kind in decided[0] if kind} == set(KINDS)
