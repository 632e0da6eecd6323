"""Subscriptions as hospitals make, read, change and delete them at the endpoint."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import FhirError
from adapter.fhir.codec import Resource, dumps
from adapter.fhir.operation_outcome import Issue
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.reception import check_received
from adapter.pipeline.inbound.refusal import names_erased
from adapter.records.erasure import mark_of_erasures
from adapter.repository.interaction_errors import InteractionRefused, interaction_error
from adapter.repository.stored_content import new_resource_id
from adapter.subscriptions.header import is_masked, unmasked
from adapter.subscriptions.notification import SubscriptionState, notification, status_bundle
from adapter.subscriptions.store import StoredSubscription
from adapter.subscriptions.subscription import (
    check_subscription,
    is_listed,
    origin_of,
    read_channel,
    shown_subscription,
    split_headers,
)
from adapter.subscriptions.topic import topic_url
from adapter.texts import say

__all__ = ["HospitalSubscriptions", "subscription_state"]

_MOST: Final = 20  # of one hospital
_LARGEST: Final = 20_000  # bytes of one: all of them are read again and again
_AT_ONCE: Final = 500  # events in one answer


class HospitalSubscriptions:
    """What the endpoint does with Subscriptions. `base` is its own URL, by which a hospital knows them."""

    def __init__(self, adapter: Adapter, base: str, clock: Callable[[], datetime]) -> None:
        self._adapter = adapter
        self._store = adapter.subscriptions
        self._clock = clock
        self.base = base.rstrip("/")
        self.topic = topic_url(base)

    # -- reading ---------------------------------------------------------------------------

    def shown(self, one: StoredSubscription) -> Resource:
        """The resource as the hospital reads it."""
        return shown_subscription(
            one.resource,
            id=one.id,
            version=one.version,
            updated=one.updated,
            status=one.status,
            problem=one.problem,
        )

    def all(self, hospital: str) -> list[StoredSubscription]:
        """All of a hospital's."""
        return self._store.of_hospital(hospital)

    def read(self, hospital: str, id: str) -> StoredSubscription:
        """One. Raises FhirError 404."""
        found = next((one for one in self.all(hospital) if one.id == id), None)
        if found is None:
            raise interaction_error(404, "not-found", "no_resource_here", type="Subscription")
        return found

    def status(self, hospital: str, ids: Sequence[str], statuses: Sequence[str], url: str) -> Resource:
        """$status of these, or of all."""
        listed = [
            one
            for one in self.all(hospital)
            if (not ids or one.id in ids) and (not statuses or one.status in statuses)
        ]
        return status_bundle([subscription_state(one, self.base) for one in listed], url)

    def events(self, hospital: str, id: str, first: int | None, last: int | None) -> Resource:
        """$events: what has its number from `first` to `last`, the earliest first."""
        one = self.read(hospital, id)
        found = self._store.changes(id, first or 1, one.numbered if last is None else last, _AT_ONCE)
        server = self._adapter.settings.hospital(hospital).base_url or ""
        state = subscription_state(one, self.base)
        return notification(state, "query-event", self._clock(), server=server, changes=found)

    def end_unlisted(self) -> None:
        """Who would be told where the settings no longer allow it is told no more: no duty may see to it."""
        for name, hospital in self._adapter.settings.hospitals.items():
            for one in self.all(name):
                endpoint = read_channel(one.resource).endpoint
                if one.status != "off" and not is_listed(endpoint, hospital.subscription_hosts):
                    self._store.turn_off(one, "host", self._clock())

    # -- writing ---------------------------------------------------------------------------

    def create(self, hospital: str, resource: Resource) -> StoredSubscription:
        """A new one. Raises FhirError, also where the hospital has as many as there may be."""
        self._require(hospital, resource)
        now = self._clock()
        kept, lines = split_headers(resource)
        _require_whole(lines)
        made = StoredSubscription(
            id=new_resource_id(int(now.timestamp() * 1000)),
            hospital=hospital,
            version=1,
            updated=now,
            status=_status(resource),
            body=dumps(kept),
        )
        with write_transaction(self._adapter.engine) as connection:
            mark_of_erasures(connection, hold=True)
            self._require_nobody_erased(connection, hospital, resource)
            if len(self._store.listed(connection, hospital)) >= _MOST:
                raise _refusal("too-costly", "many", most=_MOST)
            self._store.add(connection, made, lines)
            self._note(connection, made, "created")
        return made

    def update(
        self, hospital: str, id: str, resource: Resource, *, if_match: int | None = None
    ) -> StoredSubscription:
        """The next version of one that there is, begun again. Header lines that come masked keep their values
        where they go where they went. Raises FhirError 404, 412, 422.
        """
        self._require(hospital, resource)
        with write_transaction(self._adapter.engine) as connection:
            mark_of_erasures(connection, hold=True)  # first: an erasure under it waits for none of these
            before = self._locked(connection, hospital, id, if_match)
            self._require_nobody_erased(connection, hospital, resource)
            kept, lines = split_headers(resource)
            if read_channel(before.resource).endpoint == resource["channel"]["endpoint"]:
                lines = unmasked(lines, self._store.header_lines(connection, id))
            _require_whole(lines)
            made = replace(
                before,
                version=before.version + 1,
                updated=self._clock(),
                status=_status(resource),
                body=dumps(kept),
                failures=0,
                failing_since=None,
                problem=None,
                due_at=None,
            )
            self._store.replace(connection, made, lines)
            self._note(connection, made, "changed")
        return made

    def delete(self, hospital: str, id: str, *, if_match: int | None = None) -> None:
        """It ends, and nothing of it stays. Raises FhirError 404, 412."""
        with write_transaction(self._adapter.engine) as connection:
            one = self._locked(connection, hospital, id, if_match)
            self._store.remove(connection, id)
            self._note(connection, one, "deleted")

    def _locked(
        self, connection: Connection, hospital: str, id: str, if_match: int | None
    ) -> StoredSubscription:
        found = self._store.locked(connection, hospital, id)
        if found is None:
            raise interaction_error(404, "not-found", "no_resource_here", type="Subscription")
        if if_match is not None and if_match not in (-1, found.version):
            raise interaction_error(412, "conflict", "other_version", version=found.version)
        return found

    def _require(self, hospital: str, resource: Resource) -> None:
        """Raise FhirError 422 for what is not valid, or cannot be done here."""
        found = [issue for issue in check_received(resource) if issue.is_error]
        if not found:
            hosts = self._adapter.settings.hospital(hospital).subscription_hosts
            found = check_subscription(resource, (self.topic,), hosts, self._clock())
        if found:
            raise InteractionRefused(422, found)
        if len(dumps(resource)) > _LARGEST:
            raise _refusal("too-costly", "large", most=_LARGEST)

    def _require_nobody_erased(self, connection: Connection, hospital: str, resource: Resource) -> None:
        text = dumps(resource)  # in which any word may be a number of somebody
        if names_erased(self._adapter, connection, hospital, text.decode(), text):
            raise FhirError(422, "business-rule", "fhir.not_kept")

    @staticmethod
    def _note(connection: Connection, one: StoredSubscription, what: str) -> None:
        endpoint = read_channel(one.resource).endpoint
        details = {"subscription": one.id, "status": one.status, "origin": origin_of(endpoint)}
        audit.append(
            connection,
            at=one.updated,
            actor="endpoint",
            action=f"subscription.{what}",
            hospital=one.hospital,
            details=details,
        )


def subscription_state(one: StoredSubscription, base: str) -> SubscriptionState:
    """How one stands, as its notifications say it."""
    problem = None if one.problem is None else say(f"subscription.problem-{one.problem}")
    url = f"{base.rstrip('/')}/Subscription/{one.id}"
    return SubscriptionState(url, str(one.resource["criteria"]), one.status, one.numbered, problem)


def _status(resource: Mapping[str, object]) -> str:
    """Where a new version begins: with a handshake, unless the hospital wants nothing now."""
    return "off" if resource["status"] == "off" else "requested"


def _require_whole(lines: Sequence[str]) -> None:
    """Raise FhirError 422 for a line without its value: that it is not shown is none."""
    if any(map(is_masked, lines)):
        raise _refusal("value", "header_masked", element="Subscription.channel.header")


def _refusal(code: str, text: str, *, element: str = "Subscription", **params: object) -> InteractionRefused:
    said = say(f"subscription.{text}", **params)
    return InteractionRefused(422, [Issue("error", code, said, element)])
