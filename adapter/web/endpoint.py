"""The endpoint on the adapter's own stores: deliveries go into the inbox, and are matched once they are
answered.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from fastapi import FastAPI
from sqlalchemy import Connection

from adapter.fhir.codec import Resource
from adapter.fhir.operation_outcome import Issue
from adapter.fhir.validation.checker import check_resource
from adapter.inbox.receive import receive_version
from adapter.pipeline.application import Adapter
from adapter.pipeline.configuration_changes import note_configuration
from adapter.pipeline.inbound.hospital_clients import hospital_clients
from adapter.pipeline.inbound.matching_worker import MatchingWorker
from adapter.pipeline.inbound.refusal import refuse_erased
from adapter.repository.request_limits import RequestLimits
from adapter.repository.write_plan import VersionChange
from adapter.settings import Settings
from adapter.texts import say
from adapter.web.app import endpoint_app
from adapter.web.bearer_tokens import TrustedProxy
from adapter.web.fair_turns import HospitalShare
from adapter.web.token_endpoint import token_url

__all__ = ["adapter_endpoint", "check_received", "running_endpoint"]

_VITAL_SIGNS_RULE = "vs-"  # keys of the vital-signs profiles' own invariants


def check_received(resource: Resource) -> list[Issue]:
    """The issues of what a hospital sends. What is against a profile is warned of and taken: a result whose
    category is missing is still a result, and most servers look at no profile.
    """
    return [
        replace(issue, severity="warning")
        if issue.is_error and (issue.rule == "profile" or (issue.rule or "").startswith(_VITAL_SIGNS_RULE))
        else issue
        for issue in check_resource(resource)
    ]


def _proxy(settings: Settings) -> TrustedProxy | None:
    """The proxy that the settings trust to say which certificate it was shown."""
    trusted = settings.proxy
    if trusted is None:
        return None
    secret = settings.secret(trusted.secret).get_secret_value()
    return TrustedProxy(secret, trusted.secret_header, trusted.certificate_header)


def _share(settings: Settings, name: str) -> HospitalShare:
    hospital = settings.hospitals[name]
    return HospitalShare(hospital.received_per_second, hospital.received_at_once)


@contextmanager
def running_endpoint(adapter: Adapter) -> Iterator[FastAPI]:
    """The application that `adapter serve` runs, with a thread that matches what it takes in, and what an
    earlier process left undone.
    """
    with MatchingWorker(adapter, lambda: datetime.now(UTC)) as worker:
        yield adapter_endpoint(adapter, worker.wake)


def adapter_endpoint(adapter: Adapter, after_receive: Callable[[], None] | None = None) -> FastAPI:
    """The endpoint on the stores. `after_receive` is called when something was stored and answered."""
    settings = adapter.settings

    def on_change(connection: Connection, change: VersionChange) -> str | None:
        if change.action == "delete" or change.repeated:
            return None
        refuse_erased(adapter, connection, change)
        received = receive_version(
            connection,
            hospital=change.owner,
            type=change.type,
            id=change.id,
            version=change.version,
            resource=change.resource,
            body=change.body,
            now=datetime.now(UTC),
            delivery=change.request.id if change.request else None,
            envelope=change.request.envelope if change.request else None,
        )
        return say("fhir.older", why=say(f"inbox.{received.older}")) if received.older else None

    note_configuration(adapter, datetime.now(UTC), by="endpoint")
    return endpoint_app(
        adapter.engine,
        on_change=on_change,
        after_receive=after_receive,
        validate=check_received,
        own_system=settings.centre.identifier_system,
        hospitals=settings.hospitals,
        clients=hospital_clients(adapter, token_url(settings.public_url)),
        proxy=_proxy(settings),
        share_of=lambda name: _share(settings, name),
        public_url=settings.public_url,
        limits=RequestLimits(max_bytes=settings.max_body_bytes, max_depth=settings.max_body_depth),
    )
