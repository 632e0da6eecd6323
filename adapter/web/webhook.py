"""POST /webhook: a hospital's own JSON, with the FHIR endpoint's token or signed with a shared secret."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from adapter.authorization.signed_bodies import MIN_SECRET_BYTES, BodySignature, parse_signature
from adapter.errors import SettingsError
from adapter.fhir.codec import dumps
from adapter.pipeline.inbound.webhook_documents import IDEMPOTENCY_KEY, DocumentReception
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import RequestLimits
from adapter.settings import Settings
from adapter.settings.webhook import WebhookSettings
from adapter.telemetry import get_logger
from adapter.web.access_counter import count_refused_login
from adapter.web.fair_turns import FairTurns, HospitalShare, RequestRate
from adapter.web.login_delays import login_refusal
from adapter.web.request_body import read_body
from adapter.web.scope_checks import remember_scopes, require_types_scope

__all__ = ["webhook_routes"]

_RETRY_SECONDS = 300  # until a secret may be there again

_log = get_logger("web")


def webhook_routes(
    reception: DocumentReception,
    *,
    identify: Callable[[Request], str],
    limits: RequestLimits,
    share_of: Callable[[str], HospitalShare],
) -> APIRouter:
    """The route. A document is answered 200 once it is stored."""
    turns, rate = FairTurns(share_of), RequestRate(share_of)
    signatures = _Signatures(reception.adapter.settings, reception.clock)
    routes = APIRouter(include_in_schema=False)

    async def sent(request: Request) -> AsyncIterator[tuple[str, bytes]]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            raise interaction_error(415, "not-supported", "not_plain_json", "http.Content-Type")
        hospital, body = await _sender(request)
        rate.take(hospital)
        async with turns.present(hospital):
            types = await run_in_threadpool(reception.types, hospital)
            require_types_scope(request, types)
            yield hospital, await read_body(request, limits) if body is None else body

    async def _sender(request: Request) -> tuple[str, bytes | None]:
        """Who it is; the body too, where that says it. Of who is nobody at all no body is read."""
        found = signatures.in_request(request)
        if found is None:
            return await run_in_threadpool(identify, request), None
        body = await read_body(request, limits)
        hospital = await run_in_threadpool(signatures.holder, request, found, body)
        remember_scopes(request, None)
        return hospital, body

    @routes.post("/webhook")
    async def receive(request: Request, found: tuple[str, bytes] = Depends(sent)) -> Response:
        hospital, body = found
        key = request.headers.get(IDEMPOTENCY_KEY, "").strip()
        async with turns.turn(hospital):
            answer = await run_in_threadpool(reception.receive, hospital, body, key)
        return Response(dumps(answer), media_type="application/json")

    return routes


class _Signatures:
    """Whose secret a body was signed with."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._holders = {
            key: (hospital.name, section, reference)
            for hospital in settings.hospitals.values()
            if (section := hospital.webhook) is not None
            for key, reference in section.keys.items()
        }
        self._headers = sorted({section.header for _, section, _ in self._holders.values()})

    def in_request(self, request: Request) -> BodySignature | None:
        """The signature of a request that has no token; None where it has none. Raises FhirError 401 or 429
        for one that is none, is of nobody or is not of now.
        """
        if "authorization" in request.headers:
            return None
        header = next((one for one in self._headers if one.lower() in request.headers), None)
        if header is None:
            return None
        found = parse_signature(request.headers[header])
        if found is None or found.key not in self._holders:
            raise login_refusal(request, "bad_signature")
        section = self._holders[found.key][1]
        if section.header != header:
            raise login_refusal(request, "bad_signature")
        if not found.is_fresh(self._clock().timestamp(), section.window_seconds):
            count_refused_login(request)
            window = section.window_seconds
            raise interaction_error(401, "expired", "old_signature", f"http.{header}", seconds=window)
        return found

    def holder(self, request: Request, signature: BodySignature, body: bytes) -> str:
        """The hospital. Raises FhirError 401 or 429 for a wrong signature, 503 where the secret is away."""
        hospital, section, reference = self._holders[signature.key]
        if not signature.is_right(self._secret(hospital, section, reference), body):
            raise login_refusal(request, "bad_signature")
        return hospital

    def _secret(self, hospital: str, section: WebhookSettings, reference: str) -> bytes:
        # read each time, so that a secret that was replaced holds at once
        try:
            secret = self._settings.secret(reference).get_secret_value().encode()
        except SettingsError:
            secret = b""
        if len(secret) < MIN_SECRET_BYTES:
            _log.error("webhook.no_secret", hospital=hospital)
            raise interaction_error(503, "transient", "busy", retry_after=_RETRY_SECONDS)
        return secret
