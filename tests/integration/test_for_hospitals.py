"""docs/for-hospitals.md, followed to the letter: its commands against a real endpoint over real HTTP."""

import re
import shlex
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from inbox_centre import Centre, Directory, receive_changes
from sqlalchemy import Connection, Engine

from adapter.fhir import codec
from adapter.fhir.validation.checker import check_bundle, check_resource
from adapter.hospital_tokens import issue_token
from adapter.inbox.recognition import RESULT_TYPES
from adapter.records.model import Fulfilment
from adapter.referrals.course import take_step
from adapter.referrals.lifecycle import BUSINESS_STATUS_SYSTEM, ReferralState, business_status
from adapter.referrals.sayings import saying_in_status, saying_of, task_status
from adapter.repository.write_plan import VersionChange
from adapter.testing.serving import serving
from adapter.web.app import endpoint_app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "for-hospitals.md").read_text("utf-8")
BUNDLES = ROOT / "fixtures" / "bundles"
_SHELL = re.compile(r"```sh\n(curl .+?)\n```\n+Answer: `(\d{3})`", re.DOTALL)
COMMANDS = [(command, int(status)) for command, status in _SHELL.findall(PAGE)]

REFERRALS = {"7f3a9c0d5e1b4826a1c0e4d2b7f68935": "GT-1", "0b9d2c4e6f8147a3955e1d3c7a2b6f04": "GT-1b"}
PATIENTS = {"c41e7d90b2a5483f8e6d1f0a9b3c5724": "CB-1"}


@pytest.fixture
def base(engine: Engine) -> Iterator[str]:
    """Base URL of a running endpoint whose deliveries go into the inbox of `engine`."""

    def on_changes(connection: Connection, changes: Sequence[VersionChange]) -> None:
        receive_changes(connection, changes, now=datetime.now(UTC))

    app = endpoint_app(engine, on_changes=on_changes, validate=check_resource)
    with serving(app) as base:
        yield f"{base}/fhir"


def _curl(command: str, base: str, token: str) -> tuple[int, Any]:
    """Do what the documented curl command does; curl itself need not be there."""
    words_of_it = shlex.split(command.replace("$BASE", base).replace("$TOKEN", token))
    assert words_of_it.pop(0) == "curl"
    request = urllib.request.Request("http://unset")
    words = iter(words_of_it)
    for word in words:
        if word == "-X":
            request.method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            request.add_header(name, value)
        elif word == "--data-binary":
            request.data = (ROOT / next(words).removeprefix("@")).read_bytes()
        else:
            request.full_url = word
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own http://
            return answer.status, codec.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, codec.loads(error.read())


def _process(centre: Centre) -> None:
    directory = Directory(centre.store, referral_identities=REFERRALS, cadre_identities=PATIENTS)
    centre.process(directory_of=lambda _: directory, now=datetime.now(UTC))


def test_the_page_followed_from_top_to_bottom(engine: Engine, base: str) -> None:
    centre = Centre(engine)
    referral = centre.referral("GT-1").model_copy(update={"key": "GT-1b", "category": "treatment"})
    centre.add(referral)
    token = issue_token(engine, "bv-tinh", datetime.now(UTC), by="test")
    assert len(COMMANDS) >= 10
    counts: list[int] = []
    for command, expected in COMMANDS:
        status, answer = _curl(command, base, token)
        assert status == expected, (command, answer)
        _process(centre)
        counts.append(sum(centre.inbox.counts().values()))
        if "invalid.json" in command:
            assert answer["issue"][0]["expression"] == ["Bundle.entry[1].resource.status"]
    first, again = [at for at, (command, _) in enumerate(COMMANDS) if "/results.json" in command]
    assert counts[first] == counts[again] == 3
    status_of = {result.type: result.status for result in centre.results()}
    assert status_of == {
        "Observation": "final",
        "DiagnosticReport": "entered-in-error",
        "Procedure": "completed",
    }
    referral = centre.referral("GT-1")
    assert referral.fulfilment is Fulfilment.IN_PROGRESS, "its report was withdrawn, its observation holds"
    assert referral.fulfilled_by in {one.key for one in centre.results() if one.type == "Observation"}
    assert centre.referral("GT-1b").fulfilment is Fulfilment.COMPLETED
    assert [item.reasons for item in centre.inbox.items("unmatched")] == [("person-unknown",)]


def test_without_a_token_nothing_is_told(base: str) -> None:
    for number, (command, _) in enumerate(COMMANDS[:-1]):
        status, answer = _curl(command, base, "wrong")
        assert status == 401 or (status == 429 and number >= 5), "after some it is told to wait"
        assert answer["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("path", sorted(BUNDLES.glob("*.json")), ids=lambda path: path.name)
def test_fixtures_are_shown_and_valid(path: Path) -> None:
    assert f"fixtures/bundles/{path.name}" in PAGE
    resource = codec.loads(path.read_bytes())
    issues = check_bundle(resource) if resource["resourceType"] == "Bundle" else check_resource(resource)
    assert bool(issues) is (path.name == "invalid.json")


def task_in(code: str, status: str) -> dict[str, Any]:
    coding = {"system": BUSINESS_STATUS_SYSTEM, "code": code}
    return {"resourceType": "Task", "status": status, "businessStatus": {"coding": [coding]}}


# Of R4's request-status, task-status, event-status, observation-status and diagnostic-report-status.
STATUSES = (
    *("draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown", "requested"),
    *("received", "accepted", "rejected", "ready", "cancelled", "in-progress", "failed", "preparation"),
    *("not-done", "stopped", "registered", "preliminary", "final", "amended", "corrected", "partial"),
    "appended",
)
STATE_WORDS = {
    "not come": ReferralState.NO_SHOW,
    **{one.value.replace("-", " "): one for one in ReferralState if one is not ReferralState.NO_SHOW},
}


def test_the_table_of_business_statuses_is_what_happens() -> None:
    """From each state, every business status that the page lists leads where the page says, or nowhere."""
    lines = re.findall(r"^\| `([\d.]+)` \| ([\w-]+) \| ([\w ]+?) ?[|,;:]", PAGE, re.MULTILINE)
    assert {code for code, _, _ in lines} == {business_status(one) for one in ReferralState} - {
        None,
        "2.0",
        "5.2",
    }
    for code, status, words in lines:
        becomes = STATE_WORDS[words]
        assert task_status(becomes) == status
        saying = saying_of(task_in(code, status))
        assert saying is not None
        reached = {take_step(state, saying).after for state in ReferralState}
        assert becomes in reached
        assert business_status(becomes) == code


def test_the_table_of_statuses_is_what_happens() -> None:
    lines = re.findall(
        r"^\| `(\w+)`(?: \(.+?\))? ([\w, -]+) \| (.+) \|$",
        PAGE[PAGE.index("Without a business status") :],
        re.MULTILINE,
    )
    assert {type_ for type_, _, _ in lines} == RESULT_TYPES
    told = {(type_, status) for type_, statuses, _ in lines for status in statuses.split(", ")}
    known = {
        (type_, status) for type_ in RESULT_TYPES for status in STATUSES if saying_in_status(type_, status)
    }
    assert told == known
    for type_, statuses, words in lines:
        asked, _, _ = words.partition(" where we had asked for it, else ")
        for status in statuses.split(", "):
            saying = saying_in_status(type_, status)
            assert saying is not None
            after = take_step(ReferralState.RECEIVED, saying).after
            assert after is STATE_WORDS[words.rpartition(", else ")[2]], (type_, status)
            if asked != words:
                after = take_step(ReferralState.CANCELLATION_ASKED, saying).after
                assert after is STATE_WORDS[asked]
