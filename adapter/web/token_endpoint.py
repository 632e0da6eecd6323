"""OAuth 2.0 for hospitals' clients: the token endpoint, and where it is (SMART App Launch 2.2, Backend
Services). Errors are OAuth's own, since clients' libraries read `error`.
"""

from typing import Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response

from adapter.authorization.access_tokens import LIFETIME
from adapter.authorization.client_assertion import ALGORITHMS, AssertionRefused
from adapter.authorization.clients import TOKEN_PATH, HospitalClients, ScopeRefused
from adapter.authorization.remote_documents import KEYS_AWAY_SECONDS, KeysUnavailable
from adapter.fhir.codec import dumps
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import RequestLimits
from adapter.telemetry import get_logger
from adapter.texts import say
from adapter.web.login_delays import delay_after_wrong_login
from adapter.web.request_body import read_body

__all__ = ["token_routes"]

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIMITS: Final = RequestLimits(max_bytes=20_000)
_JSON: Final = "application/json"

_log = get_logger("web")


def token_routes(clients: HospitalClients) -> APIRouter:
    """`/auth/token` and `/fhir/.well-known/smart-configuration`."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/fhir/.well-known/smart-configuration", methods=["GET", "HEAD"])
    def smart_configuration() -> Response:
        if clients.token_url is None:
            raise interaction_error(404, "not-supported", "no_public_url")
        return Response(dumps(_configuration(clients.token_url)), media_type=_JSON)

    async def form(request: Request) -> bytes:
        return await read_body(request, _LIMITS)

    @routes.post(TOKEN_PATH)
    def token(request: Request, body: bytes = Depends(form)) -> Response:
        return _token(request, clients, body)

    return routes


def _configuration(url: str) -> dict[str, object]:
    """http://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html"""
    return {
        "token_endpoint": url,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "scopes_supported": ["system/*.cruds"],
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    }


def _token(request: Request, clients: HospitalClients, body: bytes) -> Response:
    fields = _fields(request, body)
    if fields is None:
        return _refused(400, "invalid_request", "oauth_form")
    if fields.get("grant_type") != "client_credentials":
        return _refused(400, "unsupported_grant_type", "oauth_grant")
    assertion = fields.get("client_assertion")
    if fields.get("client_assertion_type") != _ASSERTION_TYPE or not assertion:
        return _refused(400, "invalid_request", "oauth_assertion")
    try:
        granted = clients.grant(assertion, fields.get("scope"))
    except AssertionRefused as error:
        seconds = delay_after_wrong_login(request)
        _log.warning("web.assertion_refused", why=error.why)
        answer = _refused(429 if seconds else 401, "invalid_client", "oauth_client", why=error.why)
        if seconds:
            answer.headers["Retry-After"] = str(seconds)
        return answer
    except KeysUnavailable as error:
        _log.warning("web.keys_away", why=error.why)
        answer = _refused(503, "temporarily_unavailable", "keys_away", retry_after=KEYS_AWAY_SECONDS)
        answer.headers["Retry-After"] = str(KEYS_AWAY_SECONDS)
        return answer
    except ScopeRefused:
        return _refused(400, "invalid_scope", "oauth_scope")
    content = {
        "access_token": granted.token,
        "token_type": "bearer",
        "expires_in": int(LIFETIME.total_seconds()),
        "scope": granted.scopes,
    }
    return Response(dumps(content), media_type=_JSON, headers={"Pragma": "no-cache"})


def _fields(request: Request, body: bytes) -> dict[str, str] | None:
    """The form's fields; None where it is none, or says one of them twice (RFC 6749 §3.2)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    try:
        found = parse_qs(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
    except ValueError:
        return None
    return (
        {name: values[0] for name, values in found.items()}
        if all(len(values) == 1 for values in found.values())
        else None
    )


def _refused(status: int, error: str, text: str, **params: object) -> Response:
    answer = {"error": error, "error_description": say(f"fhir.{text}", **params)}
    return Response(dumps(answer), status, {"Pragma": "no-cache"}, _JSON)
