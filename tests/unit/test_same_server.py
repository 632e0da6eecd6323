"""Whether a server still is where we left it, judged from what it answers; and which server it says it is."""

from typing import Any

import pytest

from adapter.delivery.decisions.same_server import ServerSign, is_where_we_left_it, read_sign
from adapter.ledger.server_cards.identity import is_another_server, self_description, server_address

SYSTEM = "urn:centre"
THERE, DELETED, MISSING = ServerSign.THERE, ServerSign.DELETED, ServerSign.MISSING
FOREIGN, OLDER = ServerSign.FOREIGN, ServerSign.OLDER


def patient(identity: str, version: str | None = "3") -> dict[str, Any]:
    meta = {"meta": {"versionId": version}} if version else {}
    return {"resourceType": "Patient", "identifier": [{"system": SYSTEM, "value": identity}], **meta}


PROVENANCE = {
    "resourceType": "Provenance",
    "meta": {"versionId": "3", "tag": [{"system": SYSTEM, "code": "mine"}]},
}


@pytest.mark.parametrize(
    ("resource", "status", "etag", "sign"),
    [
        (patient("mine"), 200, 'W/"3"', THERE),
        (patient("mine", "4"), 200, 'W/"3"', THERE),
        (patient("mine", "10"), 200, 'W/"9"', THERE),  # numbers, not letters
        (patient("mine", "2"), 200, 'W/"3"', OLDER),
        (patient("mine", "9"), 200, 'W/"10"', OLDER),
        (patient("mine", None), 200, 'W/"3"', THERE),
        (patient("mine"), 200, None, THERE),
        (patient("mine", "a1"), 200, 'W/"b2"', THERE),  # versions without an order
        (patient("another's"), 200, 'W/"3"', FOREIGN),
        ({"resourceType": "Patient", "meta": {"versionId": "3"}}, 200, 'W/"3"', FOREIGN),
        ({**patient("mine"), "identifier": [{"system": "urn:other", "value": "mine"}]}, 200, None, FOREIGN),
        (PROVENANCE, 200, 'W/"3"', THERE),
        (None, 404, 'W/"3"', MISSING),
        (None, 410, 'W/"3"', DELETED),
    ],
)
def test_what_one_answer_says(resource: Any, status: int, etag: str | None, sign: ServerSign) -> None:
    assert read_sign(resource, status, identities=["mine"], etag=etag, system=SYSTEM) is sign


@pytest.mark.parametrize(
    ("signs", "deleted_status", "proved"),
    [
        ([], 410, True),  # nothing was delivered yet
        ([THERE, THERE, THERE], 410, True),
        ([THERE, DELETED, MISSING], 410, True),  # the newest is there, so nothing was set back
        ([DELETED, THERE], 410, True),
        ([DELETED, DELETED, DELETED], 410, True),
        ([MISSING, THERE, THERE], 410, False),
        ([MISSING, THERE, THERE], None, False),  # not measured: the safe side
        ([MISSING, THERE, THERE], 404, True),  # this server says 404 of what was deleted: only one is
        ([MISSING, MISSING, THERE], 404, True),
        ([MISSING, MISSING, MISSING], 404, False),
        ([MISSING], 404, False),
        ([DELETED, MISSING, THERE], 410, False),
        ([FOREIGN, THERE, THERE], 410, False),
        ([THERE, FOREIGN], 410, False),
        ([THERE, THERE, OLDER], 404, False),
    ],
)
def test_what_several_say_together(signs: list[ServerSign], deleted_status: int | None, proved: bool) -> None:
    assert is_where_we_left_it(signs, deleted_status=deleted_status) is proved


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("https://BV.example/fhir", "https://bv.example/fhir/"),
        ("https://bv.example:443/fhir", "https://bv.example/fhir"),
        ("http://bv.example:80", "http://bv.example/"),
        ("https://user:secret@bv.example/fhir", "https://bv.example/fhir"),
        ("http://[::1]:8080/fhir", "http://[::1]:8080/fhir//"),
    ],
)
def test_one_address_has_one_form(left: str, right: str) -> None:
    assert server_address(left) == server_address(right)
    assert "secret" not in server_address(left)


@pytest.mark.parametrize(
    "other",
    [
        "http://bv.example/fhir",
        "https://bv.example:8443/fhir",
        "https://bv.example/FHIR",
        "https://bv.example",
        "https://bv2.example/fhir",
    ],
)
def test_another_address_is_another(other: str) -> None:
    assert server_address("https://bv.example/fhir") != server_address(other)


def statement(name: Any = "HAPI FHIR Server", description: Any = "Real", url: Any = "https://a/fhir") -> Any:
    return {
        "resourceType": "CapabilityStatement",
        "software": {"name": name, "version": "8.2.0"},
        "implementation": {"description": description, "url": url},
    }


@pytest.mark.parametrize(
    ("after", "another"),
    [
        (statement(), False),
        (statement(url="https://node-2/fhir"), False),  # each node says its own
        (statement(name="hapi fhir server v9.1"), False),
        (statement(description="Real 8.2.0"), False),
        (statement(description=None), False),  # what is not said is no sign
        (statement(name="Medplum"), True),
        (statement(description="Rehearsal"), True),
        ({"resourceType": "OperationOutcome"}, False),
        ("<html>", False),
        ({"resourceType": "CapabilityStatement", "software": "x", "implementation": [1]}, False),
    ],
)
def test_what_a_server_says_it_is(after: Any, another: bool) -> None:
    assert is_another_server(self_description(statement()), self_description(after)) is another
