"""The endpoint on the adapter's own stores: deliveries go into the inbox, and are matched once they are
answered.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime

from fastapi import APIRouter, FastAPI

from adapter.checkpoints import BackgroundCheckpoints
from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.mllp.listener import MllpListener
from adapter.pipeline.application import Adapter
from adapter.pipeline.configuration_changes import note_configuration
from adapter.pipeline.inbound.hl7v2_reception import MessageReception
from adapter.pipeline.inbound.hospital_clients import hospital_clients
from adapter.pipeline.inbound.hospital_subscriptions import HospitalSubscriptions
from adapter.pipeline.inbound.matching_worker import MatchingWorker
from adapter.pipeline.inbound.national_xml_reception import FileReception
from adapter.pipeline.inbound.quarantine import keep_refused
from adapter.pipeline.inbound.reception import repository_of
from adapter.pipeline.inbound.webhook_documents import DocumentReception
from adapter.repository.repository import Repository
from adapter.settings import Settings
from adapter.web.app import endpoint_of
from adapter.web.bearer_tokens import TrustedProxy
from adapter.web.fair_turns import HospitalShare
from adapter.web.refused_requests import OnRefused
from adapter.web.request_activity import ActivityMiddleware, RequestActivity

__all__ = ["PageRoutes", "adapter_endpoint", "running_endpoint"]

PageRoutes = Callable[
    [Adapter, Repository, Callable[[], datetime], Callable[[], None] | None], APIRouter | None
]
"""Makes the routes of `adapter.web.hospital_page`, which stands on this."""


def _proxy(settings: Settings) -> TrustedProxy | None:
    """The proxy that the settings trust to say which certificate it was shown."""
    trusted = settings.proxy
    if trusted is None:
        return None
    secret = settings.secret(trusted.secret).get_secret_value()
    return TrustedProxy(secret, trusted.secret_header, trusted.certificate_header)


def _subscriptions(adapter: Adapter) -> HospitalSubscriptions | None:
    """Nobody's, where it is not said under which address hospitals see us: what is sent names it."""
    url = adapter.settings.public_url
    if url is None:
        return None
    subscriptions = HospitalSubscriptions(adapter, url, lambda: datetime.now(UTC))
    subscriptions.end_unlisted()
    return subscriptions


def _share(settings: Settings, name: str) -> HospitalShare:
    hospital = settings.hospitals[name]
    return HospitalShare(hospital.received_per_second, hospital.received_at_once)


@contextmanager
def running_endpoint(adapter: Adapter, pages: PageRoutes | None = None) -> Iterator[FastAPI]:
    """The application that `adapter serve` runs, with a thread that matches what it takes in, and what an
    earlier process left undone; where the settings have [mllp], HL7 v2 is listened for beside it.
    """
    activity = RequestActivity()
    with (
        BackgroundCheckpoints(adapter.engine),
        MatchingWorker(adapter, lambda: datetime.now(UTC), activity.quiet_seconds) as worker,
        _mllp(adapter, worker),
    ):
        app = adapter_endpoint(adapter, worker.wake, pages)
        app.add_middleware(ActivityMiddleware, activity=activity)
        yield app


def _mllp(adapter: Adapter, worker: MatchingWorker) -> AbstractContextManager[object]:
    section = adapter.settings.mllp
    if section is None:
        return nullcontext()
    reception = MessageReception(adapter, lambda: datetime.now(UTC), worker.wake)
    return MllpListener(adapter.settings, section, reception)


def _documents(adapter: Adapter, on_refused: OnRefused) -> DocumentReception | None:
    """Nobody's, where no hospital has a mapping for its own JSON."""
    if not any(one.webhook for one in adapter.settings.hospitals.values()):
        return None
    return DocumentReception(adapter, lambda: datetime.now(UTC), on_refused)


def adapter_endpoint(
    adapter: Adapter, after_receive: Callable[[], None] | None = None, pages: PageRoutes | None = None
) -> FastAPI:
    """The endpoint on the stores, with these pages. `after_receive` is called when something was stored and
    answered.
    """
    settings = adapter.settings

    def on_refused(refused: RefusedRequest) -> None:
        keep_refused(adapter, refused, datetime.now(UTC))

    note_configuration(adapter, datetime.now(UTC), by="endpoint")
    repository = repository_of(adapter)
    page = pages and pages(
        adapter, repository_of(adapter, is_own=True), lambda: datetime.now(UTC), after_receive
    )
    return endpoint_of(
        repository,
        after_receive=after_receive,
        on_refused=on_refused,
        hospitals=settings.hospitals,
        clients=hospital_clients(adapter),
        proxy=_proxy(settings),
        share_of=lambda name: _share(settings, name),
        public_url=settings.public_url,
        subscriptions=_subscriptions(adapter),
        routers=() if page is None else (page,),
        messages=MessageReception(adapter, lambda: datetime.now(UTC)),
        documents=_documents(adapter, on_refused),
        files=FileReception(adapter, lambda: datetime.now(UTC)),
    )
