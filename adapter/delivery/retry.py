"""What an answer means for the message, and for the hospital (pure).

Transport errors, 401/403, 408, 429 and 5xx say something about the hospital: its breaker moves and
no attempt of the message is burnt. 400, 404, 409, 410, 412, 422 and other 4xx belong to the message.
A status alone decides nothing: whether the body is FHIR, whether one entry or many were sent, and
whether a remote id was used all count.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from adapter.fhir.bundle import EntryAnswer
from adapter.fhir.outcome import Issue

__all__ = [
    "BundleVerdict",
    "EntryVerdict",
    "of_bundle",
    "of_entry",
    "of_silence",
    "unknown_grace",
]

_CONFLICT_TRIES = 4


@dataclass(frozen=True, slots=True)
class BundleVerdict:
    """What became of a whole Bundle.

    read: entries carry their own answers. split: refused as a whole, send one by one. unknown: it
    may have been processed. later: surely not processed. `hospital` names what is wrong with the
    hospital (None: it answered as it should), `wait` is what it asked for, in seconds.
    """

    kind: Literal["read", "split", "unknown", "later"]
    hospital: str | None = None
    wait: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EntryVerdict:
    """What became of one entry: delivered, again (pending; `forget` a stale id), or parked."""

    kind: Literal["delivered", "again", "park"]
    reason: str | None = None
    detail: str = ""
    forget: bool = False
    burn: bool = False
    busy: bool = False  # the hospital is busy, though it said so inside a 200


def of_silence(*, sent: bool, why: str) -> BundleVerdict:
    """No whole answer came."""
    return BundleVerdict("unknown" if sent else "later", hospital=why)


def of_bundle(
    status: int, *, is_fhir: bool, had_ids: bool, retry_after: float | None, issues: tuple[Issue, ...]
) -> BundleVerdict:
    """The answer to a Bundle, by its own status. `had_ids`: it wrote to ids that may have gone stale."""
    detail = _said(issues) or f"HTTP {status}"
    if 200 <= status < 300:
        if is_fhir:
            return BundleVerdict("read")
        return BundleVerdict("unknown", hospital="not-fhir", detail=detail)
    if status in (401, 403):
        return BundleVerdict("later", hospital="auth", detail=detail)
    if status in (408, 429, 503):
        return BundleVerdict("later", hospital="busy", wait=retry_after, detail=detail)
    if status >= 500:
        return BundleVerdict("unknown", hospital="server-error", wait=retry_after, detail=detail)
    if 300 <= status < 400 or not is_fhir or (status in (404, 405) and not had_ids):
        # A redirect, a proxy's page, a base that takes no Bundles: nothing here has seen the message.
        return BundleVerdict("later", hospital="not-fhir", detail=detail)
    return BundleVerdict("split", detail=detail)


def of_entry(answer: EntryAnswer, *, had_remote_id: bool, attempts: int) -> EntryVerdict:
    """The answer to one entry (of a Bundle that was read, or of a Bundle of one that was refused)."""
    status, detail = answer.status, _said(answer.issues) or f"HTTP {answer.status}"
    if 200 <= status < 300:
        return EntryVerdict("delivered")
    if status in (404, 409, 410, 412) and had_remote_id:
        return EntryVerdict("again", "stale-id", detail, forget=True, burn=True)
    if status == 424 or status in (408, 429) or status >= 500 or status < 400:
        return EntryVerdict("again", "busy", detail, busy=True)
    if status in (401, 403):
        return EntryVerdict("again", "auth", detail, busy=True)
    if status == 412:
        return EntryVerdict("park", "multiple-matches", detail)
    if status in (404, 409) and attempts < _CONFLICT_TRIES:
        return EntryVerdict("again", "conflict", detail, burn=True)
    if status == 409:
        return EntryVerdict("park", "conflict", detail)
    return EntryVerdict("park", "refused", detail)


def unknown_grace(timeout: float) -> timedelta:
    """How long a write that was never answered may still be under way at the hospital, behind a proxy
    that gave up, or after our own process was killed (measured: some go on for a minute).
    """
    return timedelta(seconds=min(timeout, 60))


def _said(issues: tuple[Issue, ...]) -> str:
    """The first error. Its expression comes first, so that cutting the text short never cuts it, and
    the element that it names can be traced back to a record.
    """
    first = next((issue for issue in issues if issue.is_error), None)
    if first is None:
        return ""
    where = f"{first.expression}: " if first.expression else ""
    return f"{where}{first.code}: {first.text}"
