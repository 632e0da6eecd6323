"""What an answer means for the message, and for the hospital (pure).

Transport errors, 401/403, 408, 429 and 5xx say something about the hospital: its breaker moves and no
attempt of the message is burnt. What is wrong with one resource belongs to the message. A status alone
decides nothing: the issue codes, whether the body is FHIR, whether one entry or many were sent, what the
entry was conditional on, and whether the card proves that Bundles are taken at all count too.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from adapter.fhir.bundle import EntryResponse, Write
from adapter.fhir.operation_outcome import Issue

__all__ = [
    "MAX_POISON_ATTEMPTS",
    "PARK_REASONS",
    "BundleVerdict",
    "EntryVerdict",
    "bundle_verdict",
    "doubted",
    "entry_verdict",
    "latest_sent_at",
    "no_response_verdict",
    "reason_of",
    "single_verdict",
    "suspect_index",
    "unknown_grace",
]

_TRIES = 4  # of a message that may yet be taken: a conflict, a target that is missing
MAX_POISON_ATTEMPTS = (
    6  # of one that the server fails on while it serves others: in Bundles of half the size each
)
_CACHED = timedelta(seconds=60)  # how old an answer to a search may be (HAPI's default)

# Issue codes (http://hl7.org/fhir/R4/valueset-issue-type.html) that decide whatever the status is.
_PASSING = frozenset({"throttled", "lock-error", "transient", "timeout", "no-store", "incomplete"})
_TOO_MUCH = frozenset({"too-costly", "too-long"})
_MISSING = re.compile(
    r"referential integrity|resource \S+ not found, specified in path|does(?: not|n't) exist", re.IGNORECASE
)
_ENTRY = re.compile(r"Bundle\.entry\[(\d+)\]|Bundle\.entry\.(\d+)\b")

PARK_REASONS = (
    "refused",
    "multiple-matches",
    "duplicates",
    "conflict",
    "missing-reference",
    "not-supported",
    "too-large",
    "server-error",
)


@dataclass(frozen=True, slots=True)
class BundleVerdict:
    """What became of a whole request.

    read: entries carry their own answers. split: refused as a whole, some entry is to blame. smaller: it
    was too much at once. no-bundles: the server takes none; send single requests. unknown: it may have
    been processed. later: surely not processed. `hospital_problem` names what is wrong with the hospital
    (None: it answered as it should), `retry_after` is what it asked for, in seconds.
    """

    kind: Literal["read", "split", "smaller", "no-bundles", "unknown", "later"]
    hospital_problem: str | None = None
    retry_after: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EntryVerdict:
    """What became of one entry: delivered; again (pending, later); look (what is there decides); parked.

    `counts_as_attempt` counts an attempt of the message; `hospital_problem` names what is wrong with the
    hospital, though it said so of one entry.
    """

    kind: Literal["delivered", "again", "look", "park"]
    reason: str | None = None
    detail: str = ""
    counts_as_attempt: bool = False
    hospital_problem: str | None = None


def no_response_verdict(*, sent: bool, why: str) -> BundleVerdict:
    """No whole answer came."""
    return BundleVerdict("unknown" if sent else "later", hospital_problem=why)


def bundle_verdict(
    status: int,
    *,
    is_fhir: bool,
    had_ids: bool,
    retry_after: float | None,
    issues: tuple[Issue, ...],
    proven: bool = True,
    redirected_to: str | None = None,
) -> BundleVerdict:
    """The answer to a Bundle, by its own status. `had_ids`: it wrote to ids that may have gone stale;
    `proven`: the server was seen to take such Bundles; `redirected_to`: where a 3xx leads.
    """
    if redirected_to is not None:
        return _of_redirect(redirected_to)
    detail, codes = _said(issues) or f"HTTP {status}", _codes(issues)
    common = _of_any(status, is_fhir=is_fhir, retry_after=retry_after, codes=codes, detail=detail)
    if common is not None:
        return common
    refused_at_the_base = status in (404, 405, 501) or "not-supported" in codes
    if not proven and (refused_at_the_base or (status == 400 and not is_fhir)):
        return BundleVerdict("no-bundles", detail=detail)
    if status >= 500:
        return BundleVerdict(
            "unknown", hospital_problem="server-error", retry_after=retry_after, detail=detail
        )
    if not is_fhir or (status in (404, 405) and not had_ids):
        # A proxy's page, a base that takes no Bundles any more: nothing here has seen the message.
        return BundleVerdict("later", hospital_problem="not-fhir", detail=detail)
    return BundleVerdict("split", detail=detail)


def single_verdict(
    status: int,
    *,
    is_fhir: bool,
    is_empty: bool,
    retry_after: float | None,
    issues: tuple[Issue, ...],
    redirected_to: str | None = None,
) -> BundleVerdict:
    """The answer to a single write. Read: it is the entry's own."""
    if redirected_to is not None:
        return _of_redirect(redirected_to)
    detail, codes = _said(issues) or f"HTTP {status}", _codes(issues)
    speaks = is_fhir or is_empty
    common = _of_any(status, is_fhir=speaks, retry_after=retry_after, codes=codes, detail=detail)
    if common is not None and common.kind != "smaller":
        return common
    if status >= 500 and status != 501:
        return BundleVerdict(
            "unknown", hospital_problem="server-error", retry_after=retry_after, detail=detail
        )
    if not speaks:
        return BundleVerdict("later", hospital_problem="not-fhir", detail=detail)
    return BundleVerdict("read")


def _of_redirect(where: str) -> BundleVerdict:
    """It is not followed, neither with a token nor with anybody's record."""
    return BundleVerdict("later", hospital_problem=f"redirected {where}", detail=f"redirected to {where}")


def _of_any(
    status: int, *, is_fhir: bool, retry_after: float | None, codes: frozenset[str], detail: str
) -> BundleVerdict | None:
    """What is the same for every request; None where it depends."""
    if 200 <= status < 300:
        if is_fhir:
            return BundleVerdict("read")
        return BundleVerdict("unknown", hospital_problem="not-fhir", detail=detail)
    if status in (401, 403):
        return BundleVerdict("later", hospital_problem="auth", detail=detail)
    if status in (408, 429, 503) or (status < 500 and codes & _PASSING):
        return BundleVerdict("later", hospital_problem="busy", retry_after=retry_after, detail=detail)
    if status == 413 or (400 <= status < 500 and codes & _TOO_MUCH):
        return BundleVerdict("smaller", detail=detail)
    if status < 400:  # a redirect, which is not followed with a token
        return BundleVerdict("later", hospital_problem="not-fhir", detail=detail)
    return None


def reason_of(trouble: str) -> str:
    """The word for a resource's own history: without the address that a hospital's trouble may name."""
    return trouble.partition(" ")[0] if trouble.startswith("redirected ") else trouble


def doubted(verdict: BundleVerdict) -> BundleVerdict:
    """The same of a request that must not be done twice: what is said not to have been processed may have
    been, by a server behind the one that says so (a 408 was seen with 222 entries written).
    """
    return replace(verdict, kind="unknown") if verdict.kind == "later" else verdict


def entry_verdict(answer: EntryResponse, write: Write, *, attempts: int) -> EntryVerdict:
    """The answer to one write: an entry of a Bundle, a Bundle of one, or a single request."""
    status, detail = answer.status, _said(answer.issues) or f"HTTP {answer.status}"
    codes = _codes(answer.issues)
    if codes & _PASSING or status in (408, 429, 503):
        return EntryVerdict("again", "busy", detail, hospital_problem="busy")
    if status in (401, 403):
        return EntryVerdict("again", "auth", detail, hospital_problem="auth")
    if 200 <= status < 300:
        return _of_success(status, write, detail, refused=bool(codes))
    if status == 424:
        return EntryVerdict("again", "not-executed", detail)
    if status == 413 or codes & _TOO_MUCH:
        return EntryVerdict("park", "too-large", detail)
    if status == 501 or "not-supported" in codes:
        return EntryVerdict("park", "not-supported", detail)
    if status >= 500:
        return _again_or_park(attempts, MAX_POISON_ATTEMPTS, "server-error", detail)
    if status < 400:
        return EntryVerdict("again", "busy", detail, hospital_problem="busy")
    return _of_refusal(answer, write, codes, detail, attempts)


def _of_success(status: int, write: Write, detail: str, *, refused: bool) -> EntryVerdict:
    if refused:  # 2xx, and an error in its outcome
        return EntryVerdict("park", "refused", detail)
    if write.method == "POST" and write.if_none_exist and status == 200:
        # If-None-Exist found one: what was sent was not written.
        return EntryVerdict("look", "duplicate", detail)
    return EntryVerdict("delivered")


def _of_refusal(
    answer: EntryResponse, write: Write, codes: frozenset[str], detail: str, attempts: int
) -> EntryVerdict:
    """4xx of one write."""
    status, had_id = answer.status, write.remote_id is not None
    if "multiple-matches" in codes or (status == 412 and write.is_conditional):
        return EntryVerdict("park", "multiple-matches", detail)
    if not (had_id and status in (404, 410)) and _names_missing_target(answer.issues, status):
        return _again_or_park(attempts, _TRIES, "missing-reference", detail)
    if status in (404, 410) and had_id:
        return _look_or_park(attempts, "stale-id", detail)
    if status in (409, 412) or codes & {"conflict", "duplicate"}:
        return _look_or_park(attempts, "conflict" if had_id else "duplicate", detail)
    if status in (404, 405):
        return EntryVerdict("park", "not-supported", detail)
    if write.etag is not None and attempts < _TRIES:
        # Some refuse a stale version with another status (a 400 in a transaction): what is there tells.
        return EntryVerdict("look", "refused", detail, counts_as_attempt=True)
    return EntryVerdict("park", "refused", detail)


def _look_or_park(attempts: int, reason: str, detail: str) -> EntryVerdict:
    if attempts < _TRIES:
        return EntryVerdict("look", reason, detail, counts_as_attempt=True)
    return EntryVerdict("park", "conflict", detail)


def _again_or_park(attempts: int, tries: int, reason: str, detail: str) -> EntryVerdict:
    if attempts < tries:
        return EntryVerdict("again", reason, detail, counts_as_attempt=True)
    return EntryVerdict("park", reason, detail)


def _names_missing_target(issues: Iterable[Issue], status: int) -> bool:
    """Whether it was refused because what it refers to is not there: Blaze says so with a 409, HAPI with a
    400, others with 422; each in words.
    """
    return status in (400, 404, 409, 412, 422) and any(
        issue.is_error and _MISSING.search(issue.text) for issue in issues
    )


def suspect_index(issues: Iterable[Issue]) -> int | None:
    """The index of the entry that a refusal of a whole Bundle names; a hint, no proof."""
    for issue in issues:
        match = _ENTRY.search(issue.expression or "") if issue.is_error else None
        if match:
            return int(match[1] or match[2])
    return None


def unknown_grace(timeout: float, *, fresh: bool = True) -> timedelta:
    """How long a write that was never answered may still be under way at the hospital, behind a proxy
    that gave up, or after our own process was killed (measured: some go on for a minute). Where searches
    are not proven to be `fresh`, an answer may be of before the write, by as long as servers cache.
    """
    return timedelta(seconds=min(timeout, 60)) + (timedelta() if fresh else _CACHED)


def latest_sent_at(sent_at: datetime | None, changed_at: datetime, now: datetime) -> datetime | None:
    """When something was sent, at the latest. None where nothing tells: the clock was set back since, and a
    grace is counted from when that is written down.
    """
    return next((at for at in (sent_at or changed_at, changed_at) if at <= now), None)


def _codes(issues: Iterable[Issue]) -> frozenset[str]:
    return frozenset(issue.code for issue in issues if issue.is_error)


def _said(issues: tuple[Issue, ...]) -> str:
    """The first error. Its expression comes first, so that cutting the text short never cuts it, and
    the element that it names can be traced back to a record.
    """
    first = next((issue for issue in issues if issue.is_error), None)
    if first is None:
        return ""
    where = f"{first.expression}: " if first.expression else ""
    return f"{where}{first.code}: {first.text}"
