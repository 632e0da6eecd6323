"""Header lines of a Subscription: which are taken, how they are shown, that none is kept with a refusal."""

import json
from base64 import b64encode

import pytest

from adapter.inbox.quarantine.masking import without_header_lines
from adapter.subscriptions.header import header_problem, header_values, is_masked, masked, unmasked
from adapter.subscriptions.subscription import is_listed, origin_of

FHIR = "http://hl7.org/fhir"
SECRET = "khong-ai-duoc-thay"
WHOLE = {
    "resourceType": "Subscription",
    "status": "requested",
    "channel": {"type": "rest-hook", "header": [f"Authorization: {SECRET}"], "_header": [{"id": SECRET}]},
}
IN_A_BUNDLE = {
    "resourceType": "Bundle",
    "type": "batch",
    "entry": [{"resource": {"resourceType": "Patient", "name": [{"text": "Đỗ"}]}}, {"resource": WHOLE}],
}
PATCH = {
    "resourceType": "Parameters",
    "parameter": [
        {
            "name": "operation",
            "part": [
                {"name": "path", "valueString": "Subscription.channel"},
                {"name": "name", "valueString": "header"},
                {"name": "value", "valueString": f"A: {SECRET}"},
            ],
        }
    ],
}
_PATCHED = b64encode(json.dumps([{"path": "/channel/header/0", "value": SECRET}]).encode()).decode()
BINARY = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": _PATCHED}
BODIES = (
    json.dumps(WHOLE),
    json.dumps(WHOLE, indent=2),
    json.dumps(IN_A_BUNDLE),
    json.dumps({"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": WHOLE}]}),
    json.dumps({**WHOLE, "channel": {"header": f"Authorization: {SECRET}"}}),
    json.dumps({**WHOLE, "channel": {"header": [[SECRET], {"a": SECRET}, None]}}),
    json.dumps(WHOLE).replace("Subscription", "\\u0053ubscription"),
    json.dumps(WHOLE).replace("channel", "Channel").replace("header", "Header"),
    json.dumps({**WHOLE, "channel": [WHOLE["channel"]]}),
    json.dumps({**WHOLE, "channel": {"a": [{"header": [SECRET]}]}}),
    json.dumps({**WHOLE, "channel": {"headers": [f"A: {SECRET}"], "header ": SECRET}}),
    json.dumps({**WHOLE, "header": [f"Bearer {SECRET}"]}),
    json.dumps({**WHOLE, "resourceType": "subscription"}),
    json.dumps({**WHOLE, "resourceType": None}),
    json.dumps(WHOLE).replace("header", "h\\u0065ader"),
    json.dumps(WHOLE).replace("header", "h\\u0065ader")[:-3],
    json.dumps({**WHOLE, "channel": {"header": {"a": SECRET}}})[:-1],
    json.dumps([{"op": "add", "path": "/channel/header/0", "value": f"A: {SECRET}"}]),
    json.dumps([{"op": "add", "path": "/channel", "value": WHOLE["channel"]}]),
    json.dumps(PATCH),
    json.dumps({"resourceType": "Bundle", "entry": [{"resource": PATCH}, {"resource": BINARY}]}),
    f'<diff><replace sel="Subscription/channel/header/@value">{SECRET}</replace></diff>',
    f'<Subscription xmlns="{FHIR}"><channel><header><value>{SECRET}</value></header></channel>',
    json.dumps(WHOLE)[:-3],
    json.dumps(WHOLE)[: json.dumps(WHOLE).index(SECRET) + len(SECRET)],
    json.dumps(WHOLE).replace("Authorization", 'a\\"], b'),
    json.dumps(WHOLE).replace("{", "{,", 1),
    f'<Subscription xmlns="{FHIR}"><channel><header value="X: {SECRET}"/></channel></Subscription>',
    f'<Subscription xmlns="{FHIR}"><channel><header value="X: {SECRET}"/></channel>',
    f'<f:Subscription xmlns:f="http://hl7.org/fhir"><f:channel><f:header\n value="X: {SECRET}"/>',
    f'<Subscription xmlns="http://hl7.org/fhir"><channel><header value="X: {SECRET}',
)


@pytest.mark.parametrize("body", BODIES)
def test_no_header_line_is_kept(body: str) -> None:
    assert SECRET.encode() in body.encode()
    assert SECRET.encode() not in without_header_lines(body.encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_of_another_encoding_nothing_is_kept(encoding: str) -> None:
    assert without_header_lines(json.dumps(WHOLE).encode(encoding)) == b""
    assert without_header_lines(BODIES[-1].encode(encoding)) == b""
    observation = json.dumps({"resourceType": "Observation"}).encode(encoding)
    assert without_header_lines(observation) == observation


def test_a_patch_within_a_bundle_is_not_kept_and_what_stands_beside_it_is() -> None:
    other = {"resourceType": "Binary", "contentType": "application/pdf", "data": "aGVhZGVy"}
    about = {"resourceType": "Parameters", "parameter": [{"name": "value", "valueString": "letter-head"}]}
    resources = [PATCH, BINARY, other, about]
    bundle = {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}
    kept = json.loads(without_header_lines(json.dumps(bundle).encode()))
    assert [one["resource"] for one in kept["entry"]] == [
        {"resourceType": "Parameters"},
        {"resourceType": "Binary", "contentType": "application/json-patch+json"},
        other,
        about,
    ]


def test_what_stands_beside_it_is_kept() -> None:
    kept = json.loads(without_header_lines(json.dumps(IN_A_BUNDLE).encode()))
    masked_one = {**WHOLE, "channel": {"type": "rest-hook", "header": ["Authorization: (not shown)"]}}
    assert kept["entry"] == [IN_A_BUNDLE["entry"][0], {"resource": masked_one}]


@pytest.mark.parametrize(
    "body",
    [
        b'{"resourceType": "Observation", "status": "final",  "valueDecimal": 1.00}',
        b'{"resourceType": "Observation", "note": [{"text": "\\u0110\\u1ed7"}]}',
        b'{ no JSON, "header": 1',
        b"\xff\xfe",
        b"",
        b'{"resourceType":"Subscription","channel":{"type":"rest-hook"}}',
        b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "MessageHeader",  "id": "1"}}]}',
        b'[{"op": "replace", "path": "/status", "value":  "final"}]',
        b'{"resourceType": "Observation", "note": [{"text": "header \\u0041"}]}',
        b'{"resourceType": "Observation", "note": [{"text": "Kh\xe1m l\xa1i"}]}',
    ],
)
def test_all_else_is_kept_as_it_came(body: bytes) -> None:
    assert without_header_lines(body) == body


def test_what_was_read_masked_keeps_its_value() -> None:
    stored = ["A: 1", "A: 2", "B: 3"]
    shown = [masked(line) for line in stored]
    assert shown == ["A: (not shown)", "A: (not shown)", "B: (not shown)"]
    assert unmasked(shown, stored) == stored
    assert unmasked(["A: (not shown)", "B: neu"], stored) == ["A: 1", "B: neu"]
    assert unmasked(["C: (not shown)"], stored) == ["C: (not shown)"]
    assert all(map(is_masked, ["C: (not shown)", "C:(Not Shown) ", "(not shown)"]))
    assert not any(map(is_masked, ["C: (not shown) a", "C: not shown", "C"]))
    assert masked("Bearer geheim") == masked("Bearer geheim: a") == "(not shown)"


def test_lines_are_headers_and_none_of_ours() -> None:
    assert header_problem(["X-Key:a b", "Authorization: Bearer a=="]) is None
    assert header_values(["X-Key:a b ", "Authorization:  Bearer a=="]) == {
        "X-Key": "a b",
        "Authorization": "Bearer a==",
    }
    for line in ("X-Key", "X Key: a", ": a", "X: ", "X: a\nY: b", "X: a\x00", "X: ă", "X: " + "a" * 4000, 7):
        assert header_problem([line]) == "bad", line
    for name in ("Host", "content-type", "Transfer-Encoding", "CONNECTION", "Content-Length"):
        assert header_problem([f"{name}: a"]) == "ours"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://A.example/x", "https://a.example:443"),
        ("a.example", "https://a.example:443"),
        ("a.example:8443", "https://a.example:8443"),
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("https://a.example./x", "https://a.example:443"),
        ("https://[2001:db8::1]:8443/x", "https://2001:db8::1:8443"),
        ("https://user@a.example/", None),
        ("https://a.example:99999/", None),
        ("https://a.example:port/", None),
        ("ftp://a.example/", None),
        ("https:///x", None),
        ("https://[::1/x", None),
        ("https://a.example../x", None),
        ("https://a..example/x", None),
        ("https://.a.example/x", None),
        ("https://./x", None),
        (f"https://{'a' * 63}.example/x", f"https://{'a' * 63}.example:443"),
        (f"https://{'a' * 64}.example/x", None),
        (f"https://{'a.' * 127}example/x", None),
        ("https://-a.example/x", None),
        ("https://a_b.example/x", "https://a_b.example:443"),
        ("https://a b.example/x", None),
        ("https://[v1.x]/x", None),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin


def test_a_host_is_listed_by_all_three() -> None:
    assert is_listed("https://a.example/x", ["b.example", "a.example"])
    assert not is_listed("http://a.example/x", ["a.example"])
    assert not is_listed("https://a.example:8443/x", ["a.example"])
    assert not is_listed("https://a.example/x", [])
    assert not is_listed("nonsense://", ["nonsense://"])
