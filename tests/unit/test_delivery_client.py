"""The client against every kind of answer, at the level of HTTP."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from adapter.delivery.decisions import response_verdicts
from adapter.delivery.http.client import HospitalClient, HttpResponse, NoResponse
from adapter.fhir.bundle import EntryResponse, Write
from adapter.fhir.operation_outcome import Issue, parse_issues

BASE = "http://hospital.test/fhir"
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "throttled"}]}


class Sleeps(list[float]):
    """Remembers how long it was asked to sleep."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def slept() -> Sleeps:
    return Sleeps()


@pytest.fixture
def client(slept: Sleeps) -> Iterator[HospitalClient]:
    with HospitalClient(BASE, token="secret-token", timeout=5, sleep=slept) as client:
        yield client


@respx.mock
def test_a_request_carries_token_and_types_and_the_answer_keeps_decimals(client: HospitalClient) -> None:
    route = respx.post(BASE).respond(
        200, text='{"resourceType":"Bundle","total":5.30}', headers={"ETag": 'W/"1"'}
    )
    reply = client.post_bundle(b"{}")
    assert isinstance(reply, HttpResponse)
    assert reply.is_fhir
    assert str(reply.body["total"]) == "5.30"
    assert reply.headers["etag"] == 'W/"1"'
    sent = route.calls[0].request
    assert sent.headers["authorization"] == "Bearer secret-token"
    assert sent.headers["content-type"] == "application/fhir+json"
    assert (client.requests, client.writes) == (1, 1)


@respx.mock
@pytest.mark.parametrize("status", [429, 503])
def test_busy_is_tried_again_after_what_it_asks_for(
    client: HospitalClient, slept: Sleeps, status: int
) -> None:
    respx.post(BASE).side_effect = [
        httpx.Response(status, json=OUTCOME, headers={"Retry-After": "2"}),
        httpx.Response(200, json={"resourceType": "Bundle"}),
    ]
    reply = client.post_bundle(b"{}")
    assert isinstance(reply, HttpResponse)
    assert reply.status == 200
    assert slept == [2]


@respx.mock
def test_a_long_retry_after_is_left_to_the_ledger(client: HospitalClient, slept: Sleeps) -> None:
    route = respx.post(BASE).respond(429, json=OUTCOME, headers={"Retry-After": "120"})
    reply = client.post_bundle(b"{}")
    assert isinstance(reply, HttpResponse)
    assert reply.retry_after == 120
    assert (route.call_count, slept) == (1, [])


@respx.mock
@pytest.mark.parametrize("status", [500, 502, 504])
def test_what_may_have_been_processed_is_not_sent_again(client: HospitalClient, status: int) -> None:
    route = respx.post(BASE).respond(status, html="<h1>Bad gateway</h1>")
    reply = client.post_bundle(b"{}")
    assert isinstance(reply, HttpResponse)
    assert not reply.is_fhir
    assert route.call_count == 1


@respx.mock
@pytest.mark.parametrize(
    ("error", "sent", "why", "calls"),
    [
        (httpx.ConnectError("refused"), False, "unreachable", 3),
        (httpx.ConnectTimeout("slow"), False, "unreachable", 3),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), False, "tls", 1),
        (UnicodeError("encoding with 'idna' codec failed"), False, "unreachable", 3),
        (httpx.ReadTimeout("slow"), True, "timeout", 1),
        (httpx.WriteTimeout("slow"), True, "timeout", 1),
        (httpx.RemoteProtocolError("gone"), True, "dropped", 1),
        (httpx.ReadError("reset"), True, "dropped", 1),
    ],
)
def test_silence_says_whether_the_request_was_sent(
    client: HospitalClient, error: Exception, sent: bool, why: str, calls: int
) -> None:
    route = respx.post(BASE).mock(side_effect=error)
    assert client.post_bundle(b"{}") == NoResponse(may_have_arrived=sent, why=why)  # type: ignore[arg-type]
    assert route.call_count == calls


@respx.mock
def test_a_body_that_explodes_when_unpacked_is_cut_off(client: HospitalClient) -> None:
    bomb = gzip.compress(b" " * 60_000_000)
    respx.post(BASE).respond(200, content=bomb, headers={"Content-Encoding": "gzip"})
    assert client.post_bundle(b"{}") == NoResponse(may_have_arrived=True, why="too-large")


@respx.mock
def test_a_redirect_is_not_followed_with_the_token(client: HospitalClient) -> None:
    elsewhere = respx.post("http://elsewhere.test/fhir").respond(200, json={"resourceType": "Bundle"})
    respx.post(BASE).respond(307, headers={"Location": "http://elsewhere.test/fhir"})
    reply = client.post_bundle(b"{}")
    assert isinstance(reply, HttpResponse)
    assert reply.status == 307
    assert not elsewhere.called


def _page(ids: list[str], following: str | None) -> httpx.Response:
    entries = [{"resource": {"resourceType": "Patient", "id": one}} for one in ids]
    links = [{"relation": "next", "url": following}] if following else []
    return httpx.Response(200, json={"resourceType": "Bundle", "link": links, "entry": entries})


@respx.mock
def test_a_search_follows_its_pages_and_counts_a_repeat_once(client: HospitalClient) -> None:
    first = respx.get(f"{BASE}/Patient?identifier=a").mock(
        return_value=_page(["1", "2"], f"{BASE}?page=2&x=a%7Cb")
    )
    second = respx.get(f"{BASE}?page=2&x=a%7Cb").mock(return_value=_page(["2", "3"], None))
    reply = client.search("Patient?identifier=a")
    assert isinstance(reply, HttpResponse)
    assert [one["id"] for one in reply.body] == ["1", "2", "3"]
    assert first.calls[0].request.headers["cache-control"] == "no-cache"
    assert second.call_count == 1


@respx.mock
def test_a_search_whose_pages_never_end_is_given_up(client: HospitalClient) -> None:
    respx.get(url__startswith=BASE).mock(side_effect=lambda _request: _page(["1"], f"{BASE}?page=again"))
    assert client.search("Patient?identifier=a") == NoResponse(may_have_arrived=True, why="too-large")


@respx.mock
@pytest.mark.parametrize("body", [OUTCOME, {"resourceType": "Bundle", "entry": "none"}])
def test_what_is_no_searchset_is_not_taken_for_nothing_found(
    client: HospitalClient, body: dict[str, Any]
) -> None:
    respx.get(f"{BASE}/Patient?identifier=a").respond(200, json=body)
    reply = client.search("Patient?identifier=a")
    assert isinstance(reply, HttpResponse)
    assert not isinstance(reply.body, list)


@respx.mock
def test_a_next_link_to_another_server_is_not_followed_with_the_token(client: HospitalClient) -> None:
    respx.get(f"{BASE}/Patient?identifier=a").mock(
        return_value=_page(["1"], "http://elsewhere.test/fhir?page=2")
    )
    elsewhere = respx.get("http://elsewhere.test/fhir?page=2").mock(return_value=_page(["2"], None))
    assert client.search("Patient?identifier=a") == NoResponse(may_have_arrived=True, why="foreign-page")
    assert not elsewhere.called


@pytest.mark.parametrize(
    ("item", "expression"),
    [
        ({"expression": ["Observation.status"]}, "Observation.status"),
        ({"location": ["Line[1] Col[20]", "Observation.status"]}, "Observation.status"),
        ({"location": ["Line 1, Col 20"]}, None),
        ({"expression": "Observation.status"}, None),
        ({"expression": ["(line 1, col20)"], "location": ["Patient.name[0]"]}, "Patient.name[0]"),
    ],
)
def test_the_path_of_an_issue_is_found_among_lines_and_columns(
    item: dict[str, Any], expression: str | None
) -> None:
    issue = {"severity": "error", "code": "value", "diagnostics": "no", **item}
    [found] = parse_issues({"resourceType": "OperationOutcome", "issue": [issue]})
    assert found.expression == expression


def test_a_flood_of_issues_and_words_is_bounded() -> None:
    said: dict[str, Any] = {"severity": "error", "code": "c" * 9_000, "diagnostics": "x" * 9_000}
    said["location"] = ["a" * 9_000] * 99
    found = parse_issues({"resourceType": "OperationOutcome", "issue": [said] * 3_000})
    assert len(found) == 1_000
    assert {len(one.text) + len(one.code) + len(one.expression or "") for one in found} == {6_000}


@pytest.mark.parametrize(
    "sign",
    ["\x1b[31m", "\x9b", "\u202e", "\u2066", "\ud800", "\n", "\x00", "\U000e0041"],
    ids=["escape", "C1", "direction", "isolate", "half a pair", "line", "null", "tag"],
)
def test_an_issue_is_one_line_that_moves_nothing(sign: str) -> None:
    said = {"severity": sign, "code": f"a{sign}", "diagnostics": f"a{sign}b", "expression": [f"A.b{sign}"]}
    [found] = parse_issues({"resourceType": "OperationOutcome", "issue": [said]})
    assert f"{found.severity}{found.code}{found.text}{found.expression}".isprintable()


def test_the_expression_of_a_refusal_survives_a_long_text() -> None:
    issue = Issue("error", "value", "x" * 900, "Bundle.entry[0].resource.status")
    verdict = response_verdicts.entry_verdict(
        EntryResponse(422, issues=(issue,)), Write("Patient", "a"), attempts=0
    )
    assert verdict.kind == "park"
    assert verdict.detail.startswith("Bundle.entry[0].resource.status: value: xxx")
