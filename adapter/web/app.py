"""FastAPI applications around the FHIR router: the endpoint that hospitals call, and its safety net."""

from collections.abc import Awaitable, Callable, Container, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from adapter.authorization.clients import HospitalClients
from adapter.database import read_transaction
from adapter.errors import FhirError
from adapter.fhir.codec import Resource, dumps
from adapter.fhir.operation_outcome import Issue
from adapter.pipeline.inbound.hl7v2_reception import MessageReception
from adapter.pipeline.inbound.hospital_subscriptions import HospitalSubscriptions
from adapter.pipeline.inbound.national_xml_reception import FileReception
from adapter.pipeline.inbound.reception import ACCEPTED_TYPES, receiving_repository
from adapter.pipeline.inbound.webhook_documents import DocumentReception
from adapter.repository.interaction_errors import interaction_error, issues_of_error
from adapter.repository.repository import Repository
from adapter.repository.request_limits import DEFAULT_LIMITS, RequestLimits
from adapter.repository.transaction_writer import OnChanges
from adapter.telemetry import get_logger, place_of
from adapter.web.access_counter import AccessCounter
from adapter.web.bearer_tokens import TrustedProxy, bearer_authentication
from adapter.web.content_negotiation import error_response, in_wanted_format
from adapter.web.fair_turns import HospitalShare
from adapter.web.fhir_api import fhir_router
from adapter.web.hl7v2 import message_routes
from adapter.web.login_delays import LoginDelays
from adapter.web.national_xml import file_routes
from adapter.web.refused_requests import OnRefused, note_refused
from adapter.web.security_headers import with_security_headers
from adapter.web.token_endpoint import token_routes
from adapter.web.webhook import webhook_routes

__all__ = ["endpoint_app", "endpoint_of", "fhir_app"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_log = get_logger("web")

_DESCRIPTION = "Results of cadres' examinations and treatment"
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


class ErrorMiddleware:
    """Adds security headers, and turns an unexpected exception into an OperationOutcome.

    Neither the answer nor the log holds the exception's text: it may quote what was sent.
    """

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        after_write: Callable[[], None] | None = None,
    ) -> None:
        self._app = app
        self._after_write = after_write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = with_security_headers(message.get("headers", ()))
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
            if self._after_write is not None and scope["method"] in _WRITES and status < 300:
                self._after_write()
        except Exception as error:  # noqa: BLE001 - the outermost net: whatever it is, the caller gets an outcome
            _log.error("web.failed", method=scope.get("method"), error=place_of(error))
            if status:
                raise ConnectionAbortedError from None
            response = error_response(interaction_error(500, "exception", "internal"))
            await response(scope, receive, send_with_headers)


def fhir_app(
    repository: Repository,
    *,
    identify: Callable[[Request], str],
    base: str | None = None,
    description: str,
    secured: bool = True,
    token_url: str | None = None,
    after_write: Callable[[], None] | None = None,
    routers: Sequence[APIRouter] = (),
    share_of: Callable[[str], HospitalShare] = lambda _: HospitalShare(),
    subscriptions: HospitalSubscriptions | None = None,
) -> FastAPI:
    """An application with the FHIR API under `/fhir`, `/health`, and outcomes for every error.

    `after_write` is called when a request that may have written is answered, on the event loop: it only
    wakes whoever goes on with what was stored. `routers` are asked first.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_exception_handler(FhirError, _on_fhir_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(OperationalError, _on_busy)
    app.add_exception_handler(PoolTimeout, _on_busy)
    app.add_middleware(ErrorMiddleware, after_write=after_write)
    _health(app, repository.engine)
    for router in routers:
        app.include_router(router)
    app.include_router(
        fhir_router(
            repository,
            identify=identify,
            base=base,
            description=description,
            secured=secured,
            token_url=token_url,
            share_of=share_of,
            subscriptions=subscriptions,
        )
    )
    return app


async def _on_fhir_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, FhirError)  # noqa: S101 - Starlette's signature is wider than its promise
    await run_in_threadpool(note_refused, request, error.status, issues_of_error(error))
    return in_wanted_format(request, error_response(error))


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own errors, such as a path outside the API."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        refused = interaction_error(405, "not-supported", "method_not_allowed", allow="GET, HEAD")
    else:
        refused = interaction_error(status, "not-found" if status == 404 else "processing", "no_such_path")
    return in_wanted_format(request, error_response(refused))


async def _on_busy(request: Request, error: Exception) -> Response:
    """The database is locked or away: for the sender a matter of waiting."""
    _log.error("web.database_away", error=place_of(error))
    return in_wanted_format(
        request, error_response(interaction_error(503, "transient", "busy", retry_after=5))
    )


def _health(app: FastAPI, engine: Engine) -> None:
    @app.api_route("/health/live", methods=["GET", "HEAD"])
    def live() -> Response:
        return Response(dumps({"status": "ok"}), media_type="application/json")

    @app.api_route("/health", methods=["GET", "HEAD"])
    @app.api_route("/health/ready", methods=["GET", "HEAD"])
    def ready() -> Response:
        with read_transaction(engine) as connection:
            connection.execute(select(1))
        return Response(dumps({"status": "ok"}), media_type="application/json")


def endpoint_app(
    engine: Engine,
    *,
    on_changes: OnChanges,
    after_receive: Callable[[], None] | None = None,
    validate: Callable[[Resource], list[Issue]] | None = None,
    public_url: str | None = None,
    limits: RequestLimits = DEFAULT_LIMITS,
    own_system: str | None = None,
    hospitals: Container[str] | None = None,
    clients: HospitalClients | None = None,
    proxy: TrustedProxy | None = None,
    share_of: Callable[[str], HospitalShare] = lambda _: HospitalShare(),
    accepts: frozenset[str] = ACCEPTED_TYPES,
    on_refused: OnRefused | None = None,
) -> FastAPI:
    """The endpoint through which hospitals send results.

    `on_changes` stores the delivery in the inbox within the transaction that stores the resource,
    so what was acknowledged is there; `after_receive` is called once that is committed and answered, and
    only wakes whoever processes it. Tokens of others than `hospitals` (None: of anybody) are refused;
    `clients` and `proxy` are further ways to show who calls.
    """
    repository = receiving_repository(
        engine,
        on_changes=on_changes,
        accepts=accepts,
        validate=validate,
        public_url=public_url,
        own_system=own_system,
        limits=limits,
    )
    return endpoint_of(
        repository,
        after_receive=after_receive,
        on_refused=on_refused,
        hospitals=hospitals,
        clients=clients,
        proxy=proxy,
        public_url=public_url,
        share_of=share_of,
    )


def endpoint_of(
    repository: Repository,
    *,
    after_receive: Callable[[], None] | None,
    on_refused: OnRefused | None,
    hospitals: Container[str] | None,
    public_url: str | None,
    clients: HospitalClients | None = None,
    proxy: TrustedProxy | None = None,
    share_of: Callable[[str], HospitalShare] = lambda _: HospitalShare(),
    subscriptions: HospitalSubscriptions | None = None,
    routers: Sequence[APIRouter] = (),
    messages: MessageReception | None = None,
    documents: DocumentReception | None = None,
    files: FileReception | None = None,
) -> FastAPI:
    """The same over a repository that there is. `on_refused` gets what is refused, before it is answered;
    `routers` are asked before all others; `messages` takes HL7 v2, `documents` hospitals' own JSON, `files`
    the insurer's XML.
    """
    identify = bearer_authentication(repository.engine, hospitals, clients=clients, proxy=proxy)
    asked = [*routers, *(() if clients is None else (token_routes(clients),))]
    limits = repository.checks.limits
    if messages is not None:
        asked.append(message_routes(messages, identify=identify, limits=limits, share_of=share_of))
    if documents is not None:
        asked.append(webhook_routes(documents, identify=identify, limits=limits, share_of=share_of))
    if files is not None:
        asked.append(file_routes(files, identify=identify, limits=limits, share_of=share_of))
    app = fhir_app(
        repository,
        identify=identify,
        base=public_url,
        description=_DESCRIPTION,
        token_url=None if clients is None else clients.token_url,
        after_write=after_receive,
        routers=asked,
        share_of=share_of,
        subscriptions=subscriptions,
    )
    app.state.login_delays = LoginDelays()
    app.state.access_counter = AccessCounter(repository.engine, lambda: datetime.now(UTC))
    app.state.on_refused = on_refused
    return app
