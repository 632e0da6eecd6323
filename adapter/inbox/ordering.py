"""Which of two versions of one result is the later one. Pure.

A correction says that it is one (http://hl7.org/fhir/R4/valueset-observation-status.html), so it never loses
to a moment that is left out, wrong by a minute or by a century, in whatever order the two arrive. Whatever
else comes is ordered by its issue where both tell one that can be, and else by its arrival. After a
correction or a withdrawal a version that is neither counts only when a person says so.

A server that sends with several threads sends the versions of one resource in any order. Where both
carry its numbers and its clock, what it wrote first is older, whatever the two say.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from adapter.fhir.codec import Resource

__all__ = [
    "CORRECTIONS",
    "OLDER",
    "ORDER_DOUBTS",
    "REVISIONS",
    "ServerVersion",
    "VersionStatus",
    "is_early",
    "issued_at",
    "latest",
    "older",
    "order_doubt",
    "server_version",
    "version_status",
    "written_after",
]

CORRECTIONS = frozenset(("corrected", "amended", "appended", "cancelled", "entered-in-error"))
"""Statuses of a version that holds whatever its time."""

REVISIONS = CORRECTIONS - {"cancelled"}
"""Statuses that only a version of something that was sent before has. A measurement may be cancelled before
anything was sent of it (a specimen that clotted).
"""

OLDER = ("older-status", "older-issue", "overtaken", "repeated-version", "older-version")
"""Why a version is ignored as older."""

ORDER_DOUBTS = ("was-withdrawn", "was-corrected", "correction-out-of-order")
"""Why the order of two versions needs a person."""

_WITHDRAWN = "entered-in-error"
_EARLY = frozenset(("registered", "partial", "preliminary", "preparation", "in-progress", "on-hold"))
_VIETNAM = timezone(timedelta(hours=7))
_YEARS = range(1950, 9999)  # nobody issued a result that is sent today before, or in the last year there is
_NUMBER = re.compile("[0-9]{1,9}")
_JITTER = timedelta(hours=1)  # between the clocks that stamp two corrections of one result


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """Which version of which resource the sender's server says that it is. `number` is None where that
    server names its versions otherwise (UUIDs).
    """

    resource_id: str
    number: int | None
    updated: datetime


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """What the order depends on. `issued_at` is as `issued_at` gives it, `newest` the latest issue of all
    versions up to this one: a correction may tell an earlier time than what it corrects.
    """

    status: str
    issued_at: datetime | None
    newest: datetime | None = None
    there: ServerVersion | None = None

    @property
    def newest_issue(self) -> datetime | None:
        """The latest issue that is known of it."""
        return self.newest or self.issued_at


def version_status(
    resource: Resource, received_at: datetime, there: ServerVersion | None = None
) -> VersionStatus:
    """What the order of a version among others depends on."""
    return VersionStatus(str(resource.get("status", "")), issued_at(resource, received_at), there=there)


def is_early(status: str) -> bool:
    """Whether more is to come of it."""
    return status in _EARLY


def older(new: VersionStatus, known: VersionStatus) -> str | None:
    """Why `new`, which arrived after `known`, is the older of the two; None: it is not."""
    if written_after(known.there, new.there):
        return "older-version"
    if new.status in CORRECTIONS:
        return None
    if known.status == _WITHDRAWN:
        return None if _is_later(new, known) else "older-status"
    if is_early(new.status) and not is_early(known.status):
        return "older-status"
    if known.status in CORRECTIONS and not _is_later(new, known):
        return "older-status"
    if new.issued_at and known.newest_issue and new.issued_at < known.newest_issue:
        return "older-issue"
    return None


def order_doubt(new: VersionStatus, known: VersionStatus) -> str | None:
    """Why a person must say which of the two holds, `new` being no older one."""
    if known.status == _WITHDRAWN and new.status != _WITHDRAWN:
        return "was-withdrawn"
    if known.status in REVISIONS and new.status not in CORRECTIONS:
        return "was-corrected"  # what was corrected may come late, with a later moment than its correction
    if new.status == _WITHDRAWN or new.status not in CORRECTIONS or known.status not in CORRECTIONS:
        return None
    if new.issued_at and known.issued_at and known.issued_at - new.issued_at > _JITTER:
        return "correction-out-of-order"
    return None


def written_after(one: ServerVersion | None, other: ServerVersion | None) -> bool:
    """Whether it is certain that the sender's server wrote `one` after `other`.

    Number and clock must both say so: who reads a resource here, changes it and writes it back may carry
    ours of the version before, which stand beside its own of another.
    """
    if one is None or other is None or one.resource_id != other.resource_id:
        return False
    if one.number is not None and other.number is not None:
        return one.number > other.number and one.updated >= other.updated  # two within a millisecond
    return one.number is None and other.number is None and one.updated > other.updated


def server_version(resource_id: str, meta: Any) -> ServerVersion | None:
    """What `meta`, as it was sent, says of the version; None where it does not say all of it."""
    if not isinstance(meta, dict):
        return None
    number, updated = meta.get("versionId"), meta.get("lastUpdated")
    if not (isinstance(number, str) and isinstance(updated, str)) or (moment := _moment(updated)) is None:
        return None
    return ServerVersion(resource_id, int(number) if _NUMBER.fullmatch(number) else None, moment)


def _is_later(new: VersionStatus, known: VersionStatus) -> bool:
    return bool(new.issued_at and known.newest_issue and new.issued_at > known.newest_issue)


def issued_at(resource: Resource, received_at: datetime) -> datetime | None:
    """When the result was issued, or else when it was found or done; None when it does not say.

    A date without a time is midnight in Viet Nam; a year or a month alone is no instant. A moment after the
    receipt counts as the receipt; one in a year in which nobody issued anything says nothing.
    """
    for value in _moments(resource):
        if isinstance(value, str) and (moment := _moment(value)) is not None:
            return min(moment, received_at)
    return None


def _moment(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value.replace(":60", ":59"))  # FHIR allows leap seconds
    except ValueError:
        return None
    if found.year not in _YEARS:
        return None
    return found if found.tzinfo else found.replace(tzinfo=_VIETNAM)


def _moments(resource: Resource) -> Iterator[Any]:
    yield resource.get("issued")
    yield resource.get("lastModified")
    for name in ("effective", "performed"):
        yield resource.get(f"{name}DateTime")
        yield resource.get(f"{name}Instant")
        period = resource.get(f"{name}Period")
        if isinstance(period, dict):
            yield period.get("end")
            yield period.get("start")


def latest(standings: Iterable[VersionStatus]) -> VersionStatus | None:
    """The one that holds, of versions in the order of their arrival."""
    current: VersionStatus | None = None
    for one in standings:
        if current is None:
            current = one
        elif older(one, current) is None:
            issues = [issue for issue in (current.newest_issue, one.issued_at) if issue is not None]
            current = replace(one, newest=max(issues, default=None))
    return current
