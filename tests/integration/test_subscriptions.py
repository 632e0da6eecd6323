"""Hospitals subscribe at the endpoint: what is taken and refused, who sees what, what is never shown."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from endpoint_centre import DUC
from inbox_centre import hold_patients, put_records
from sqlalchemy import text
from subscription_centre import (
    PUBLIC,
    SECRET,
    TOPIC,
    calling,
    stored_texts,
    subscribing_centre,
    subscription,
)

from adapter.authorization.access_tokens import issue_access_token
from adapter.authorization.scopes import parse_scopes
from adapter.database import read_transaction
from adapter.fhir.validation.checker import check_resource
from adapter.subscriptions.topic import (
    CHANNEL_TYPE,
    FILTER_CRITERIA,
    HEARTBEAT_PERIOD,
    MAX_COUNT,
    PAYLOAD_CONTENT,
    TIMEOUT,
    TOPIC_EXTENSION,
)
from adapter.testing import Centre

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def centre(tmp_path: Path, database_url: str) -> Iterator[Centre]:
    with subscribing_centre(tmp_path, database_url) as centre:
        yield centre


@pytest.fixture
def client(centre: Centre) -> Iterator[httpx.Client]:
    with calling(centre) as client:
        yield client


def test_a_subscription_is_made_read_changed_and_deleted(centre: Centre) -> None:
    with calling(centre) as client:
        made = client.post("/Subscription", json=subscription())
        assert made.status_code == 201, made.text
        shown = made.json()
        assert made.headers["Location"] == f"{PUBLIC}/Subscription/{shown['id']}"
        assert made.headers["ETag"] == 'W/"1"'
        assert shown["status"] == "requested"
        assert shown["channel"]["header"] == ["Authorization: (not shown)"]
        assert check_resource(shown) == []
        there = f"/Subscription/{shown['id']}"
        assert client.get(there).json() == shown
        again = client.put(there, json=shown | {"reason": "Khác"}, headers={"If-Match": 'W/"1"'})
        assert (again.status_code, again.headers["ETag"]) == (200, 'W/"2"')
        assert again.json()["reason"] == "Khác"
        stale = client.put(there, json=shown, headers={"If-Match": 'W/"1"'})
        assert stale.status_code == 412
        assert client.delete(there, headers={"If-Match": 'W/"1"'}).status_code == 412
        with centre.open() as adapter:
            store = adapter.subscriptions
            assert store.lines_of(shown["id"], 2) == [f"Authorization: Bearer {SECRET}"]  # read, and kept
            assert store.lines_of(shown["id"], 1) is None
        assert client.delete(there).status_code == 204
        assert client.get(there).status_code == 404
        assert client.delete(there).status_code == 404
        assert client.put(there, json=shown).status_code == 404
    assert SECRET not in stored_texts(centre)
    with centre.open() as adapter, read_transaction(adapter.engine) as connection:
        acts = connection.execute(
            text("SELECT action FROM audit WHERE action LIKE 'subscription%' ORDER BY seq")
        )
        assert list(acts.scalars()) == [
            "subscription.created",
            "subscription.changed",
            "subscription.deleted",
        ]
        assert connection.execute(text("SELECT count(*) FROM subscription")).scalar_one() == 0


def test_a_masked_header_goes_where_it_went_and_nowhere_else(centre: Centre, client: httpx.Client) -> None:
    """Who may change a Subscription, and has not its secret, cannot have it sent elsewhere."""
    made = client.post("/Subscription", json=subscription()).json()
    there = f"/Subscription/{made['id']}"
    moved = made | {"channel": made["channel"] | {"endpoint": "http://127.0.0.1:8099/changes"}}
    spaced = made | {"channel": made["channel"] | {"header": ["Authorization:(not shown)"]}}
    other = made | {"channel": made["channel"] | {"header": ["X-Other: (not shown)"]}}
    for changed in (moved, spaced, other):
        refused = client.put(there, json=changed)
        assert refused.status_code == 422
        assert refused.json()["issue"][0]["expression"] == ["Subscription.channel.header"]
        assert "endpoint" in refused.json()["issue"][0]["details"]["text"]
    assert refusal(client, channel={"header": ["Authorization: (not shown)"]})[0] == 422
    with centre.open() as adapter:
        assert adapter.subscriptions.lines_of(made["id"], 1) == [f"Authorization: Bearer {SECRET}"]
        whole = moved | {"channel": moved["channel"] | {"header": ["Authorization: neu"]}}
        assert client.put(there, json=whole).status_code == 200
        assert adapter.subscriptions.lines_of(made["id"], 2) == ["Authorization: neu"]


def refusal(client: httpx.Client, **changed: Any) -> tuple[int, str]:
    """The status, and of which element the first issue is."""
    answer = client.post("/Subscription", json=subscription(**changed))
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome", outcome
    assert SECRET not in answer.text
    return answer.status_code, outcome["issue"][0]["expression"][0]


ELSEWHERE = (
    "https://hook.hospital.example.evil.test/",
    "https://evil.test/?https://hook.hospital.example",
    "https://hook.hospital.example@evil.test/",
    "https://evil.test#hook.hospital.example",
    "http://hook.hospital.example/changes",
    "https://hook.hospital.example:8443/changes",
    "http://127.0.0.1:8098/",
    "http://127.0.0.1/",
    "http://localhost:8099/",
    "http://[::1]:8099/",
    "http://169.254.169.254/latest/meta-data",
    "file:///etc/passwd",
    "gopher://127.0.0.1:8099/",
    "//127.0.0.1:8099/",
    "urn:uuid:00000000-0000-0000-0000-000000000000",
    "https://hook.hospital.example\\@evil.test/",
    "https://hook.hospital.exаmple/changes",  # a Cyrillic letter
    "https://hook.hospital.example../changes",
    "https://hook..hospital.example/changes",
)


@pytest.mark.parametrize("endpoint", ELSEWHERE)
def test_only_hosts_that_the_centre_lists_are_told(client: httpx.Client, endpoint: str) -> None:
    status, element = refusal(client, channel={"endpoint": endpoint})
    assert (status, element) == (422, "Subscription.channel.endpoint")


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://hook.hospital.example/a?b=c",
        "https://HOOK.hospital.example:443/",
        "https://hook.hospital.example",
        "http://127.0.0.1:8099/changes",
    ],
)
def test_listed_hosts_are_told_however_they_are_written(client: httpx.Client, endpoint: str) -> None:
    assert client.post("/Subscription", json=subscription(channel={"endpoint": endpoint})).status_code == 201


def test_where_no_host_is_listed_it_is_said_in_words(centre: Centre) -> None:
    with calling(centre, "bv-khac") as client:
        answer = client.post("/Subscription", json=subscription())
    assert answer.status_code == 422
    assert "subscription_hosts" in answer.text


def extension(url: str, **value: object) -> dict[str, Any]:
    return {"extension": [{"url": url, **value}]}


CANNOT_BE_DONE: list[tuple[dict[str, Any], str]] = [
    ({"criteria": "Observation?code=1"}, "criteria"),
    ({"criteria": TOPIC + "/other"}, "criteria"),
    ({"_criteria": extension(FILTER_CRITERIA, valueString="Task?status=ready")}, "criteria.extension"),
    ({"end": "2020-01-01T00:00:00Z"}, "end"),
    ({"channel": {"type": "websocket", "header": None}}, "channel.type"),
    ({"channel": {"_type": extension(CHANNEL_TYPE, valueCoding={"code": "zulip"})}}, "channel.type"),
    ({"channel": {"payload": "text/plain"}}, "channel.payload"),
    ({"channel": {"payload": None, "_payload": None}}, "channel.payload"),
    ({"channel": {"_payload": None}}, "channel.payload.extension"),
    (
        {"channel": {"_payload": extension(PAYLOAD_CONTENT, valueCode="full-resource")}},
        "channel.payload.extension",
    ),
    ({"channel": extension(HEARTBEAT_PERIOD, valueUnsignedInt=5)}, "channel.extension"),
    ({"channel": extension(TIMEOUT, valueUnsignedInt=0)}, "channel.extension"),
    ({"channel": extension(TIMEOUT, valueUnsignedInt=3600)}, "channel.extension"),
    ({"channel": extension(MAX_COUNT, valueString="many")}, "channel.extension"),
    ({"channel": {"endpoint": None}}, "channel.endpoint"),
    ({"channel": {"header": ["no colon"]}}, "channel.header"),
    ({"channel": {"header": ["A: b\r\nEvil: c"]}}, "channel.header"),
    ({"channel": {"header": ["Host: evil.test"]}}, "channel.header"),
    ({"channel": {"header": ["content-LENGTH: 1"]}}, "channel.header"),
    ({"channel": {"header": [f"X-{n}: 1" for n in range(21)]}}, "channel.header"),
    (
        {
            "contained": [{"resourceType": "Basic", "id": "a", "code": {"text": "a"}}],
            "extension": [{"url": "http://bv.example/a", "valueReference": {"reference": "#a"}}],
        },
        "contained",
    ),
    ({"status": "done"}, "status"),
    ({"reason": None}, "reason"),
    ({"channel": {"type": None}}, "channel.type"),
]


@pytest.mark.parametrize(("changed", "element"), CANNOT_BE_DONE, ids=str)
def test_what_cannot_be_done_is_refused_by_its_element(
    client: httpx.Client, changed: dict[str, Any], element: str
) -> None:
    assert refusal(client, **changed) == (422, f"Subscription.{element}")


def test_what_is_refused_is_kept_nowhere(centre: Centre, client: httpx.Client) -> None:
    refusal(client, criteria="Observation?code=1")
    broken = json_text(subscription())[:-1]
    assert client.post("/Subscription", content=broken).status_code == 400
    assert client.put("/Subscription/x", content=broken).status_code == 400
    assert client.patch("/Subscription/x", content=broken).status_code == 405
    assert client.post("/Observation", json=subscription()).status_code == 400
    bundle = {"resourceType": "Bundle", "type": "transaction"}
    request = {"method": "POST", "url": "Subscription"}
    bundle["entry"] = [{"resource": subscription(), "request": request}]
    assert client.post("", json=bundle).status_code == 422
    assert client.post("", content=json_text(bundle)[:-2]).status_code == 400
    xml = (
        '<Subscription xmlns="http://hl7.org/fhir"><status value="requested"/><channel><header value="'
        f'Authorization: {SECRET}"/></channel><wrong/></Subscription>'
    )
    headers = {"Content-Type": "application/fhir+xml"}
    assert client.post("/Observation", content=xml, headers=headers).status_code == 400
    assert client.post("/Observation", content=xml[:-3], headers=headers).status_code == 400
    assert SECRET not in stored_texts(centre)
    with centre.open() as adapter:
        assert adapter.quarantine.waiting()  # what may hold results is, without what its headers hold


def test_a_hospital_sees_its_own_alone(centre: Centre, client: httpx.Client) -> None:
    id_ = client.post("/Subscription", json=subscription()).json()["id"]
    with calling(centre, "bv-huyen") as other:
        for path in ("", "/$status", "/$events"):
            assert other.get(f"/Subscription/{id_}{path}").status_code == 404
            assert other.get(f"/Subscription/{'0' * 32}{path}").status_code == 404
        assert other.put(f"/Subscription/{id_}", json=subscription(id=id_)).status_code == 404
        assert other.delete(f"/Subscription/{id_}").status_code == 404
        assert other.get("/Subscription").json()["total"] == 0
        assert other.get(f"/Subscription?_id={id_}").json()["total"] == 0
        assert other.get(f"/Subscription/$status?id={id_}").json()["total"] == 0
    assert client.get(f"/Subscription/{id_}").status_code == 200


def test_search_and_status(client: httpx.Client) -> None:
    first = client.post("/Subscription", json=subscription()).json()
    second = client.post(
        "/Subscription", json=subscription(status="off", channel={"endpoint": "http://127.0.0.1:8099/b"})
    ).json()
    assert second["status"] == "off"

    def found(query: str) -> list[str]:
        answer = client.get(f"/Subscription?{query}")
        assert answer.status_code == 200, answer.text
        bundle = answer.json()
        assert check_resource(bundle) == []
        assert bundle["total"] == len(bundle.get("entry", ()))
        return [one["resource"]["id"] for one in bundle.get("entry", ())]

    assert found("") == [first["id"], second["id"]]
    assert found("status=off") == [second["id"]]
    assert found("status=off,requested") == [first["id"], second["id"]]
    assert found("url=http://127.0.0.1:8099/b") == [second["id"]]
    assert found(f"criteria={TOPIC}&status=active") == []
    assert found("unknown=1") == [first["id"], second["id"]]
    strict = client.get("/Subscription?unknown=1", headers={"Prefer": "handling=strict"})
    assert strict.status_code == 400
    form = client.post(
        "/Subscription/_search",
        content="status=off",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert form.json()["total"] == 1
    status = client.get(f"/Subscription/{first['id']}/$status").json()
    assert check_resource(status) == []
    [entry] = status["entry"]
    said = {
        one["name"]: next(v for k, v in one.items() if k != "name") for one in entry["resource"]["parameter"]
    }
    assert said == {
        "subscription": {"reference": f"{PUBLIC}/Subscription/{first['id']}"},
        "topic": TOPIC,
        "status": "requested",
        "type": "query-status",
        "events-since-subscription-start": "0",
    }
    assert client.get("/Subscription/$status?status=off").json()["total"] == 1
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "id", "valueId": first["id"]}]}
    assert client.post("/Subscription/$status", json=parameters).json()["total"] == 1
    events = client.get(f"/Subscription/{first['id']}/$events").json()
    assert (events["type"], len(events["entry"])) == ("history", 1)
    assert check_resource(events) == []
    assert client.get(f"/Subscription/{first['id']}/$events?eventsSinceNumber=x").status_code == 400


def test_xml_goes_both_ways(client: httpx.Client) -> None:
    id_ = client.post("/Subscription", json=subscription()).json()["id"]
    xml = client.get(f"/Subscription/{id_}", headers={"Accept": "application/fhir+xml"})
    assert xml.text.startswith("<")
    assert SECRET not in xml.text
    headers = {"Content-Type": "application/fhir+xml"}
    assert client.put(f"/Subscription/{id_}", content=xml.content, headers=headers).status_code == 200


def test_the_capability_statement_names_the_topic(client: httpx.Client) -> None:
    statement = client.get("/metadata").json()
    assert [issue for issue in check_resource(statement) if issue.is_error] == []
    [said] = [one for one in statement["rest"][0]["resource"] if one["type"] == "Subscription"]
    assert said["extension"] == [{"url": TOPIC_EXTENSION, "valueCanonical": TOPIC}]
    assert {one["name"] for one in said["operation"]} == {"status", "events"}


def test_what_there_is_not_is_said_with_what_there_is(client: httpx.Client) -> None:
    answer = client.patch("/Subscription/x", json=[])
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, PUT, DELETE")
    assert client.put("/Subscription", json=subscription()).status_code == 405
    assert client.delete("/Subscription?status=off").status_code == 405
    assert client.get("/Subscription/x/_history").status_code == 404
    assert client.post("/Subscription?criteria=a", json=subscription()).status_code == 400
    exists = {"If-None-Exist": "status=off"}
    assert client.post("/Subscription", json=subscription(), headers=exists).status_code == 400
    assert client.post("/Subscription", json={"resourceType": "Patient"}).status_code == 400


def test_there_are_so_many_and_no_more(client: httpx.Client) -> None:
    for _ in range(20):
        assert client.post("/Subscription", json=subscription()).status_code == 201
    answer = client.post("/Subscription", json=subscription())
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (422, "too-costly")


def test_a_large_one_is_refused(client: httpx.Client) -> None:
    answer = client.post("/Subscription", json=subscription(reason="a" * 20_000))
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (422, "too-costly")


def test_nobody_without_a_token_learns_anything(centre: Centre, client: httpx.Client) -> None:
    id_ = client.post("/Subscription", json=subscription()).json()["id"]
    for method, path in [("GET", ""), ("GET", f"/{id_}"), ("DELETE", f"/{id_}"), ("GET", f"/{id_}/$status")]:
        answer = httpx.request(method, f"{client.base_url}Subscription{path}".replace("//Sub", "/Sub"))
        assert answer.status_code == 401


def test_the_end_is_a_moment_to_come(client: httpx.Client) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    assert client.post("/Subscription", json=subscription(end=soon)).status_code == 201


@pytest.mark.parametrize("page", ["for-hospitals.md", "vi/for-hospitals.md"])
def test_what_the_manual_shows_is_taken(client: httpx.Client, page: str) -> None:
    [shown] = re.findall(r"```json\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    answer = client.post("/Subscription", content=shown.replace("…", "abc"))
    assert answer.status_code == 201, answer.text


def json_text(resource: dict[str, Any]) -> str:
    return orjson.dumps(resource).decode()


def test_scopes_are_those_of_the_type(centre: Centre, client: httpx.Client) -> None:
    id_ = client.post("/Subscription", json=subscription()).json()["id"]
    asked = {
        ("POST", ""): "c",
        ("GET", f"/{id_}"): "r",
        ("GET", f"/{id_}/$status"): "r",
        ("GET", "/$status"): "r",
        ("GET", f"/{id_}/$events"): "r",
        ("GET", ""): "s",
        ("PUT", f"/{id_}"): "u",
        ("DELETE", f"/{id_}"): "d",
    }
    with centre.open() as adapter:
        for (method, path), needed in asked.items():
            others = "".join(right for right in "cruds" if right != needed)
            for rights, is_allowed in ((needed, True), (others, False)):
                scope = f"system/Subscription.{rights}"
                scopes = parse_scopes(scope)
                now = datetime.now(UTC)
                token = issue_access_token(
                    adapter.engine,
                    "bv-tinh",
                    scopes,
                    assertion=f"{method}{path}{scope}",
                    assertion_expires=now + timedelta(minutes=5),
                    now=now,
                )
                headers = {"Authorization": f"Bearer {token}"}
                json = subscription(id=id_) if method in ("POST", "PUT") else None
                answer = client.request(method, f"/Subscription{path}", json=json, headers=headers)
                assert (answer.status_code != 403) == is_allowed, (method, path, scope, answer.text)


def test_who_becomes_t0_is_named_by_no_subscription(tmp_path: Path, database_url: str) -> None:
    with subscribing_centre(tmp_path, database_url) as centre, calling(centre) as client:
        with centre.open() as adapter:
            put_records(adapter.engine, (DUC,))
            hold_patients(adapter, "bv-tinh", DUC.key)
        said = client.post("/Subscription", json=subscription(reason=f"Cho ông {DUC.name}")).json()
        there = f"https://hook.hospital.example/{DUC.national_id}"
        pointed = client.post("/Subscription", json=subscription(channel={"endpoint": there})).json()
        header = {"header": [f"X: {DUC.national_id}"]}
        held = client.post("/Subscription", json=subscription(channel=header)).json()
        other = client.post("/Subscription", json=subscription()).json()
        table = centre.folder / "cadres.csv"
        table.write_text(
            "Key;Name;Sex;Date of birth;Tier;Citizen id\n"
            f"{DUC.key};{DUC.name};Nam;12/03/1960;T0;{DUC.national_id}\n"
        )
        centre.run("import", str(table), "--allow-deletions")
        left = [one["resource"]["id"] for one in client.get("/Subscription").json()["entry"]]
        assert left == [said["id"], other["id"]]
        assert client.get(f"/Subscription/{said['id']}").json()["reason"] == "-"
        assert pointed["id"] not in left
        assert held["id"] not in left
        again = client.post("/Subscription", json=subscription(channel={"endpoint": there}))
        assert again.status_code == 422
        assert str(DUC.national_id) not in stored_texts(centre)


def test_a_person_sees_what_a_hospital_subscribed_to(centre: Centre, client: httpx.Client) -> None:
    end = "https://hook.hospital.example/geheim?token=abc"
    client.post("/Subscription", json=subscription(channel={"endpoint": end}))
    shown = centre.run("hospital", "show", "bv-tinh")
    assert "requested https://hook.hospital.example:443" in shown
    assert "geheim" not in shown
    [line] = centre.run_json("hospital", "show", "bv-tinh")["subscriptions"]
    assert (line["taken"], line["waiting"], line["problem"]) == (0, 0, None)
