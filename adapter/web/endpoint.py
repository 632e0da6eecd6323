"""The endpoint on the adapter's own stores: deliveries go into the inbox, and are matched once they are
answered.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.pipeline.application import Adapter
from adapter.pipeline.configuration_changes import note_configuration
from adapter.pipeline.inbound.hospital_clients import hospital_clients
from adapter.pipeline.inbound.matching_worker import MatchingWorker
from adapter.pipeline.inbound.quarantine import keep_refused
from adapter.pipeline.inbound.reception import repository_of
from adapter.settings import Settings
from adapter.web.app import endpoint_of
from adapter.web.bearer_tokens import TrustedProxy
from adapter.web.fair_turns import HospitalShare

__all__ = ["adapter_endpoint", "running_endpoint"]


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

    def on_refused(refused: RefusedRequest) -> None:
        keep_refused(adapter, refused, datetime.now(UTC))

    note_configuration(adapter, datetime.now(UTC), by="endpoint")
    return endpoint_of(
        repository_of(adapter),
        after_receive=after_receive,
        on_refused=on_refused,
        hospitals=settings.hospitals,
        clients=hospital_clients(adapter),
        proxy=_proxy(settings),
        share_of=lambda name: _share(settings, name),
        public_url=settings.public_url,
    )
