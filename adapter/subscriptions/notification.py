"""What a subscriber is sent, and what it reads of its events: Bundles with the status as Parameters (pure).

Of a resource only its address at the hospital's own server is said (`id-only`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import uuid4

from adapter.fhir.codec import Resource
from adapter.subscriptions.topic import NOTIFICATION_PROFILE, STATUS_PROFILE

__all__ = ["NotificationKind", "NumberedChange", "SubscriptionState", "notification", "status_bundle"]

NotificationKind = Literal["handshake", "heartbeat", "event-notification", "query-status", "query-event"]

# By what happened: how R4's history says it (http://hl7.org/fhir/R4/bundle.html#history).
_REQUESTS: Final = {"create": ("PUT", "201"), "update": ("PUT", "200"), "delete": ("DELETE", "204")}


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """A subscription as its status says it. `events`: how many there were since it began."""

    url: str
    topic: str
    status: str
    events: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class NumberedChange:
    """One event: `type` and `remote_id` are those of the resource at the hospital's server, None where
    nothing may be said of it any more.
    """

    number: int
    at: datetime
    interaction: str
    type: str | None
    remote_id: str | None


def notification(
    state: SubscriptionState,
    kind: NotificationKind,
    now: datetime,
    *,
    server: str = "",
    changes: Sequence[NumberedChange] = (),
) -> Resource:
    """The notification of `changes` of resources at the hospital's `server`."""
    home = server.rstrip("/")
    status = _status(state, kind, home, changes)
    first = {
        "fullUrl": f"urn:uuid:{status['id']}",
        "resource": status,
        "request": {"method": "GET", "url": f"{state.url}/$status"},
        "response": {"status": "200"},
    }
    entries = [_entry(one, home) for one in changes if one.remote_id is not None]
    return {
        "resourceType": "Bundle",
        "id": str(uuid4()),
        "meta": {"profile": [NOTIFICATION_PROFILE]},
        "type": "history",
        "timestamp": _instant(now),
        "entry": [first, *entries],
    }


def status_bundle(states: Sequence[SubscriptionState], url: str) -> Resource:
    """The answer of `$status`."""
    found = [_status(one, "query-status", "", ()) for one in states]
    entries = [
        {"fullUrl": f"urn:uuid:{one['id']}", "resource": one, "search": {"mode": "match"}} for one in found
    ]
    bundle: Resource = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(entries),
        "link": [{"relation": "self", "url": url}],
    }
    return bundle | ({"entry": entries} if entries else {})


def _status(
    state: SubscriptionState, kind: NotificationKind, home: str, changes: Sequence[NumberedChange]
) -> Resource:
    parameters: list[dict[str, Any]] = [
        {"name": "subscription", "valueReference": {"reference": state.url}},
        {"name": "topic", "valueCanonical": state.topic},
        {"name": "status", "valueCode": state.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(state.events)},
    ]
    parameters += [{"name": "notification-event", "part": _parts(one, home)} for one in changes]
    if state.problem is not None:
        parameters.append({"name": "error", "valueCodeableConcept": {"text": state.problem}})
    return {
        "resourceType": "Parameters",
        "id": str(uuid4()),
        "meta": {"profile": [STATUS_PROFILE]},
        "parameter": parameters,
    }


def _parts(one: NumberedChange, home: str) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [
        {"name": "event-number", "valueString": str(one.number)},
        {"name": "timestamp", "valueInstant": _instant(one.at)},
    ]
    if one.remote_id is not None:
        parts.append({"name": "focus", "valueReference": {"reference": f"{home}/{one.type}/{one.remote_id}"}})
    return parts


def _entry(one: NumberedChange, home: str) -> dict[str, Any]:
    method, status = _REQUESTS[one.interaction]
    url = f"{home}/{one.type}/{one.remote_id}"
    return {"fullUrl": url, "request": {"method": method, "url": url}, "response": {"status": status}}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
