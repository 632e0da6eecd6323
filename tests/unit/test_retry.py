"""What an answer means, by status, issue code, card and what was asked: a table."""

from dataclasses import replace
from datetime import timedelta

import pytest

from adapter.delivery.decisions import response_verdicts
from adapter.fhir.bundle import EntryResponse, Write
from adapter.fhir.operation_outcome import Issue

CONDITIONAL = Write("Patient", "a", b"{}")
CREATE = Write("Patient", "a", b"{}", method="POST")
BARE = Write("Patient", "a", b"{}", method="POST", if_none_exist=False)
KNOWN = Write("Patient", "a", b"{}", remote_id="7", etag='W/"1"')

MISSING_HAPI = "HAPI-1094: Resource Patient/9 not found, specified in path: Observation.subject"
MISSING_BLAZE = "Referential integrity violated. Resource `Patient/9` doesn't exist."


def issue(code: str, text: str = "no", severity: str = "error") -> tuple[Issue, ...]:
    return (Issue(severity, code, text),)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "issues", "write", "kind", "reason"),
    [
        (200, (), CONDITIONAL, "delivered", None),
        (201, (), CREATE, "delivered", None),
        (201, issue("informational", severity="information"), CREATE, "delivered", None),
        (200, (), KNOWN, "delivered", None),
        (200, (), CREATE, "look", "duplicate"),  # If-None-Exist found one: ours was not written
        (200, (), BARE, "delivered", None),
        (200, issue("invalid"), CONDITIONAL, "park", "refused"),
        (201, issue("business-rule"), CREATE, "park", "refused"),
        (200, issue("throttled"), CONDITIONAL, "again", "busy"),
        (400, issue("throttled"), CONDITIONAL, "again", "busy"),
        (400, issue("lock-error"), CONDITIONAL, "again", "busy"),
        (429, (), CONDITIONAL, "again", "busy"),
        (503, (), CONDITIONAL, "again", "busy"),
        (401, issue("login"), CONDITIONAL, "again", "auth"),
        (403, (), CONDITIONAL, "again", "auth"),
        (424, issue("processing"), CONDITIONAL, "again", "not-executed"),
        (413, (), CONDITIONAL, "park", "too-large"),
        (400, issue("too-long"), CONDITIONAL, "park", "too-large"),
        (500, (), CONDITIONAL, "again", "server-error"),
        (501, (), CONDITIONAL, "park", "not-supported"),
        (400, issue("not-supported"), CREATE, "park", "not-supported"),
        (405, (), CREATE, "park", "not-supported"),
        (404, issue("not-found", "Unknown type"), CREATE, "park", "not-supported"),
        (400, issue("value"), CONDITIONAL, "park", "refused"),
        (422, issue("business-rule"), KNOWN, "look", "refused"),  # it may mean the version, in other words
        (400, issue("processing"), KNOWN, "look", "refused"),
        (422, issue("business-rule"), replace(KNOWN, etag=None), "park", "refused"),
        (412, (), CONDITIONAL, "park", "multiple-matches"),
        (412, issue("multiple-matches"), CREATE, "park", "multiple-matches"),
        (412, issue("conflict"), KNOWN, "look", "conflict"),
        (409, issue("conflict"), KNOWN, "look", "conflict"),
        (409, issue("deleted"), KNOWN, "look", "conflict"),
        (409, issue("duplicate"), CREATE, "look", "duplicate"),
        (400, issue("duplicate"), CREATE, "look", "duplicate"),
        (409, (), CONDITIONAL, "look", "duplicate"),
        (404, issue("not-found"), KNOWN, "look", "stale-id"),
        (410, issue("deleted"), KNOWN, "look", "stale-id"),
        (409, issue("conflict", MISSING_BLAZE), KNOWN, "again", "missing-reference"),
        (400, issue("processing", MISSING_HAPI), CONDITIONAL, "again", "missing-reference"),
        (404, issue("not-found", MISSING_HAPI), CONDITIONAL, "again", "missing-reference"),
    ],
)
def test_one_write(
    status: int, issues: tuple[Issue, ...], write: Write, kind: str, reason: str | None
) -> None:
    verdict = response_verdicts.entry_verdict(EntryResponse(status, issues=issues), write, attempts=0)
    assert (verdict.kind, verdict.reason) == (kind, reason)
    assert verdict.hospital_problem == (reason if reason in ("busy", "auth") else None)
    counted = {"conflict", "refused", "stale-id", "missing-reference", "server-error"}
    assert verdict.counts_as_attempt == (
        kind != "park" and (reason in counted or (reason == "duplicate" and status >= 400))
    )


@pytest.mark.parametrize(
    ("status", "issues", "write", "tries", "parked"),
    [
        (409, issue("conflict"), KNOWN, 4, "conflict"),
        (404, issue("not-found"), KNOWN, 4, "conflict"),
        (409, issue("conflict", MISSING_BLAZE), CREATE, 4, "missing-reference"),
        (500, (), CONDITIONAL, response_verdicts.MAX_POISON_ATTEMPTS, "server-error"),
    ],
)
def test_what_does_not_pass_is_parked_after_a_while(
    status: int, issues: tuple[Issue, ...], write: Write, tries: int, parked: str
) -> None:
    answer = EntryResponse(status, issues=issues)
    assert response_verdicts.entry_verdict(answer, write, attempts=tries - 1).kind != "park"
    verdict = response_verdicts.entry_verdict(answer, write, attempts=tries)
    assert (verdict.kind, verdict.reason) == ("park", parked)


@pytest.mark.parametrize("attempts", [0, 50])
@pytest.mark.parametrize("status", [429, 503, 401, 424])
def test_the_hospitals_troubles_never_park_a_message(status: int, attempts: int) -> None:
    verdict = response_verdicts.entry_verdict(EntryResponse(status), CONDITIONAL, attempts=attempts)
    assert (verdict.kind, verdict.counts_as_attempt) == ("again", False)


@pytest.mark.parametrize(
    ("status", "is_fhir", "issues", "proven", "kind", "hospital"),
    [
        (200, True, (), True, "read", None),
        (200, False, (), True, "unknown", "not-fhir"),
        (401, False, (), True, "later", "auth"),
        (403, True, issue("forbidden"), True, "later", "auth"),
        (429, False, (), True, "later", "busy"),
        (503, True, (), True, "later", "busy"),
        (400, True, issue("throttled"), True, "later", "busy"),
        (413, False, (), True, "smaller", None),
        (400, True, issue("too-costly"), True, "smaller", None),
        (500, True, (), True, "unknown", "server-error"),
        (502, False, (), True, "unknown", "server-error"),
        (504, False, (), False, "unknown", "server-error"),
        (302, False, (), True, "later", "not-fhir"),
        (400, False, (), True, "later", "not-fhir"),
        (404, False, (), True, "later", "not-fhir"),
        (404, True, (), True, "later", "not-fhir"),
        (400, True, issue("invalid"), True, "split", None),
        (409, True, issue("conflict"), True, "split", None),
        (412, True, issue("conflict"), True, "split", None),
        (422, True, issue("invalid"), False, "split", None),
        # Not proven to take Bundles: it may not take any.
        (400, False, (), False, "no-bundles", None),
        (400, True, issue("not-supported"), False, "no-bundles", None),
        (404, False, (), False, "no-bundles", None),
        (404, True, (), False, "no-bundles", None),
        (405, False, (), False, "no-bundles", None),
        (501, True, (), False, "no-bundles", None),
        (400, True, issue("invalid"), False, "split", None),
    ],
)
def test_a_bundle(
    *, status: int, is_fhir: bool, issues: tuple[Issue, ...], proven: bool, kind: str, hospital: str | None
) -> None:
    verdict = response_verdicts.bundle_verdict(
        status, is_fhir=is_fhir, had_ids=False, retry_after=None, issues=issues, proven=proven
    )
    assert (verdict.kind, verdict.hospital_problem) == (kind, hospital)


def test_a_bundle_with_a_stale_id_may_be_a_404() -> None:
    verdict = response_verdicts.bundle_verdict(404, is_fhir=True, had_ids=True, retry_after=None, issues=())
    assert verdict.kind == "split"


@pytest.mark.parametrize(
    ("status", "body", "kind", "hospital"),
    [
        (201, "empty", "read", None),
        (200, "fhir", "read", None),
        (200, "page", "unknown", "not-fhir"),
        (404, "fhir", "read", None),
        (412, "empty", "read", None),
        (404, "page", "later", "not-fhir"),
        (413, "empty", "read", None),
        (501, "fhir", "read", None),
        (500, "fhir", "unknown", "server-error"),
        (504, "page", "unknown", "server-error"),
        (429, "empty", "later", "busy"),
        (401, "empty", "later", "auth"),
    ],
)
def test_a_single_request(status: int, body: str, kind: str, hospital: str | None) -> None:
    verdict = response_verdicts.single_verdict(
        status, is_fhir=body == "fhir", is_empty=body == "empty", retry_after=None, issues=()
    )
    assert (verdict.kind, verdict.hospital_problem) == (kind, hospital)


@pytest.mark.parametrize(
    ("expression", "index"),
    [
        ("Bundle.entry[3]", 3),
        ("Bundle.entry[12].resource.status", 12),
        ("Bundle.entry.4.resource", 4),
        ("Observation.status", None),
        (None, None),
    ],
)
def test_the_entry_that_a_refusal_names(expression: str | None, index: int | None) -> None:
    assert response_verdicts.suspect_index((Issue("error", "value", "no", expression),)) == index


def test_a_lookup_that_may_be_of_before_is_believed_a_minute_later() -> None:
    assert response_verdicts.unknown_grace(30, fresh=True) == timedelta(seconds=30)
    assert response_verdicts.unknown_grace(30, fresh=False) == timedelta(seconds=90)
    assert response_verdicts.unknown_grace(600, fresh=True) == timedelta(seconds=60)
