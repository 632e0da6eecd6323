"""A hospital is told what it subscribed to: a handshake first, then its events in order, and signs of life.

Told is whatever is due, at least once: a process that dies between the answer and writing it down has its
successor send the same numbers again. No transaction is open over HTTP. One process at a time does it for a
hospital.
"""

import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from threading import Event
from time import monotonic

from adapter.delivery.http.client import HospitalClient, HttpResponse, HttpResult
from adapter.fhir.codec import dumps
from adapter.ledger.hospitals.circuit_breaker import HospitalMode
from adapter.pipeline.application import Adapter
from adapter.pipeline.hospital_client import hook_client
from adapter.pipeline.inbound.hospital_subscriptions import subscription_state
from adapter.pipeline.outbound.server_identity import halt_reason
from adapter.service_hours import ServiceHours
from adapter.subscriptions.header import header_values
from adapter.subscriptions.notification import NotificationKind, NumberedChange, notification
from adapter.subscriptions.retry import after_failure
from adapter.subscriptions.store import StoredSubscription
from adapter.subscriptions.subscription import SubscribedChannel, is_listed, read_channel
from adapter.telemetry import get_logger

__all__ = ["Notified", "notify_hospital"]

OpenClient = Callable[[], HospitalClient]

_ROUND = 60.0  # seconds of one subscription's events, then the next one has its turn
_KEPT = timedelta(days=30)  # events that were taken, for `$events`
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Notified:
    """What one round did: notifications that were taken, and that were not."""

    taken: int = 0
    failed: int = 0


def notify_hospital(adapter: Adapter, hospital: str, clock: Callable[[], datetime], stop: Event) -> Notified:
    """Send whatever is due. Nothing while a person paused the hospital, or its server may be another."""
    if not _may_be_told(adapter, hospital, clock()):
        return Notified()
    taken = failed = 0
    for one in adapter.subscriptions.of_hospital(hospital):
        if stop.is_set():
            break
        try:
            done = _Subscriber(adapter, one, clock, stop).run()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one delays no other
            # no traceback: what it quotes may be the hospital's secret
            _log.error("subscriptions.not_notified", hospital=hospital, error=type(error).__name__)
            done = Notified(failed=1)
        taken, failed = taken + done.taken, failed + done.failed
    adapter.subscriptions.purge(clock() - _KEPT)
    if taken or failed:
        _log.info("subscriptions.notified", hospital=hospital, delivered=taken, refused=failed)
    return Notified(taken, failed)


def _may_be_told(adapter: Adapter, hospital: str, now: datetime) -> bool:
    row = adapter.ledger.hospitals.row(hospital)
    if row.mode == HospitalMode.PAUSED or halt_reason(adapter, hospital) is not None:
        return False
    return ServiceHours.of((), adapter.settings.hospital(hospital).maintenance).is_open_at(now)


class _Subscriber:
    """One subscription, for one round."""

    def __init__(
        self, adapter: Adapter, one: StoredSubscription, clock: Callable[[], datetime], stop: Event
    ) -> None:
        self._adapter = adapter
        self._hospital = adapter.settings.hospital(one.hospital)
        self._store = adapter.subscriptions
        self._one = one
        self._clock = clock
        self._stop = stop
        self._taken = 0
        self._failed = 0

    def run(self) -> Notified:
        """Do what is due. Others had their turn since all were listed: how it stands is read now."""
        one, now = self._store.one(self._one.id), self._clock()
        if one is None or one.status == "off":
            return Notified()
        self._one = one
        channel = read_channel(one.resource)
        if channel.ends is not None and channel.ends <= now:
            self._store.turn_off(one, "ended", now)
        elif not is_listed(channel.endpoint, self._hospital.subscription_hosts):
            self._store.turn_off(one, "host", now)
        elif _is_due(one, now):
            with ExitStack() as opened:
                self._talk(cache(lambda: opened.enter_context(self._client(channel))), channel)
        return Notified(self._taken, self._failed)

    def _client(self, channel: SubscribedChannel) -> HospitalClient:
        return hook_client(self._adapter.settings, self._hospital, channel.endpoint, channel.timeout)

    def _talk(self, client: OpenClient, channel: SubscribedChannel) -> None:
        """`client` is made when there is anything to send."""
        asked = self._one.body
        if _needs_handshake(self._one) and not self._send(client, channel, "handshake"):
            return
        ends = monotonic() + _ROUND
        while not self._stop.is_set() and monotonic() < ends:
            standing = self._store.number_events(self._one.id)
            if standing is None or standing.status not in ("active", "error") or standing.body != asked:
                return  # it asks for something else now, maybe elsewhere
            self._one = standing
            changes = self._store.changes(
                standing.id, standing.delivered + 1, standing.numbered, channel.max_count
            )
            if not changes:
                break
            if not self._send(client, channel, "event-notification", changes):
                return
        self._give_sign(client, channel)

    def _give_sign(self, client: OpenClient, channel: SubscribedChannel) -> None:
        """A heartbeat, where one was asked for, or to see whether what was in error is well again."""
        last, silent = self._one.contact_at, self._one.status == "error"
        if channel.heartbeat is not None and last is not None:
            silent = silent or self._clock() - last >= timedelta(seconds=channel.heartbeat)
        if silent:
            self._send(client, channel, "heartbeat")

    def _send(
        self,
        client: OpenClient,
        channel: SubscribedChannel,
        kind: NotificationKind,
        changes: Sequence[NumberedChange] = (),
    ) -> bool:
        """Whether the hospital took it, which is written down; False too where it asks for another now. What
        goes along is of the version that named the endpoint, or nothing is sent.
        """
        one, base = self._one, self._adapter.settings.public_url or ""
        if (lines := self._store.lines_of(one.id, one.version)) is None:
            return False
        is_handshake = kind == "handshake"
        standing = replace(one, status="requested", problem=None) if is_handshake else one
        state = subscription_state(standing, base)
        bundle = notification(state, kind, self._clock(), server=self._hospital.server_url, changes=changes)
        headers = {**header_values(lines), "Content-Type": channel.content_type}
        reply = client().send("POST", "", dumps(bundle), headers, repeatable=True)
        now, problem = self._clock(), _problem(reply)
        if problem is None:
            self._taken += 1
            last = changes[-1].number if changes else one.delivered
            written = self._store.taken(one, last, now)
        else:
            self._failed += 1
            asked = reply.retry_after if isinstance(reply, HttpResponse) else None
            after = after_failure(standing.status, one.failures, asked, now, jitter=random.random())  # noqa: S311 - no secret
            self._store.failed(one, after, problem, now)
            return False
        self._one = self._store.number_events(one.id) or one
        return written


def _is_due(one: StoredSubscription, now: datetime) -> bool:
    return one.due_at is None or one.due_at <= now


def _needs_handshake(one: StoredSubscription) -> bool:
    """Whether its endpoint has taken nothing yet of what is asked for now."""
    return one.status == "requested" or (one.status == "error" and (one.contact_at is None or not one.due_at))


def _problem(reply: HttpResult) -> str | None:
    """Why it was not taken, in a word; None: it was."""
    if isinstance(reply, HttpResponse):
        if reply.redirected_to is not None or 300 <= reply.status < 400:
            return "redirected"
        return None if 200 <= reply.status < 300 else "refused"
    if reply.why in ("too-large", "layered"):
        return "answer"
    return reply.why if reply.why in ("unreachable", "timeout", "dropped", "tls") else "unreachable"
