"""HTTP to a hospital's FHIR server: httpx, short retries, bounded answers. The only user of httpx.

Never raises for what a server or network does: every call gives an `HttpResponse`, or a `NoResponse` that
says whether the request can have reached the server.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urljoin

import httpx
import tenacity
from tenacity.wait import wait_base

from adapter import __version__
from adapter.delivery.http.answer_body import (
    ACCEPTED_ENCODING,
    AnswerTooLarge,
    LayeredAnswer,
    parse_answer,
    read_answer,
)
from adapter.delivery.http.authentication import LoginRefused, tls_context
from adapter.delivery.http.client_ports import RateLimiter, RequestMeter
from adapter.delivery.http.connection import TrackedStream, deadline, track_connections
from adapter.delivery.http.retry_after import retry_after_seconds

__all__ = ["HospitalClient", "HttpResponse", "HttpResult", "NoResponse", "post_json"]

_MAX_MATCHES = 10_000  # of a search by identifier: a server that finds more did not search
_MAX_HOOK_ANSWER = 1_000_000  # bytes
_QUICK_TRIES = 3
_QUICK_WAIT = 5.0  # seconds; what asks for longer is the ledger's business
_FHIR = "application/fhir+json"


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP answer that arrived whole. `body` is the parsed JSON, None if it is not JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None  # seconds from now
    is_empty: bool = False  # there was no body at all
    redirected_to: str | None = None  # scheme, host, port and path of the Location of a 3xx

    @property
    def trouble(self) -> str:
        """What went wrong with a request that should have been answered with its result, in a word."""
        if self.redirected_to is not None:
            return f"redirected {self.redirected_to}"
        return "auth" if self.status in (401, 403) else f"HTTP {self.status}"

    @property
    def is_fhir(self) -> bool:
        """Whether the body is a FHIR resource (an HTML error page is not)."""
        return isinstance(self.body, dict) and isinstance(self.body.get("resourceType"), str)


@dataclass(frozen=True, slots=True)
class NoResponse:
    """No whole answer. `may_have_arrived`: the request may have reached the server. `why` is a short word."""

    may_have_arrived: bool
    why: Literal["unreachable", "timeout", "dropped", "tls", "too-large", "layered", "foreign-page", "auth"]


HttpResult = HttpResponse | NoResponse


class _RetryAfterOrJitter(wait_base):
    """What the server asks for, else 0.2 to 2 seconds, growing."""

    _jitter = tenacity.wait_random_exponential(multiplier=0.2, max=2)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        reply = retry_state.outcome.result() if retry_state.outcome else None
        asked = reply.retry_after if isinstance(reply, HttpResponse) else None
        return self._jitter(retry_state) if asked is None else min(asked, _QUICK_WAIT)


def _never_arrived(reply: HttpResult) -> bool:
    """Surely not processed: there was no connection."""
    return isinstance(reply, NoResponse) and not reply.may_have_arrived and reply.why == "unreachable"


def _passes_soon(reply: HttpResult) -> bool:
    """Worth another try within this call, of what does no harm when it is done twice: over in seconds."""
    if isinstance(reply, NoResponse):
        return _never_arrived(reply)
    return reply.status in (429, 503) and (reply.retry_after is None or reply.retry_after <= _QUICK_WAIT)


class HospitalClient:
    """Talks to one hospital; safe to share between threads. Close it, or use it in a `with`."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        gate: RateLimiter | None = None,
        meter: RequestMeter | None = None,
        auth: httpx.Auth | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        headers = {
            "Accept": _FHIR,
            "Accept-Encoding": ACCEPTED_ENCODING,
            "User-Agent": f"cadre-fhir-adapter/{__version__}",
        }
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.base_url = base_url  # with its slash, if it has one: some servers redirect what lacks it
        self._timeout = timeout
        self._retrying = {  # what they count, they count for each thread
            repeatable: tenacity.Retrying(
                retry=tenacity.retry_if_result(_passes_soon if repeatable else _never_arrived),
                stop=tenacity.stop_after_attempt(_QUICK_TRIES),
                wait=_RetryAfterOrJitter(),
                sleep=sleep,
                retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
            )
            for repeatable in (True, False)
        }
        self._gate = gate
        self._meter = meter
        self._http = httpx.Client(
            headers=headers,
            auth=auth,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10)),
            transport=transport,
            verify=tls or tls_context(),
        )
        track_connections(self._http)
        self.requests = 0
        self.writes = 0
        self.tls_until: datetime | None = None  # when the server's certificate ends; None before an answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()
        if self._meter is not None:
            self._meter.flush()

    def post_bundle(self, body: bytes) -> HttpResult:
        """POST a Bundle, which may be done twice without harm, to the base."""
        return self.send("POST", "", body, repeatable=True)

    def get(self, url: str) -> HttpResult:
        """GET `url` (relative to the base, or a `next` link as it came), never from a cache."""
        return self.send("GET", url)

    def send(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        before_each_try: Callable[[], None] = lambda: None,
        repeatable: bool | None = None,
    ) -> HttpResult:
        """One request with headers of its own; `url` as in `get`, "" is the base itself. Where it is
        `repeatable` (None: all but POST, RFC 9110 §9.2.2), doing it twice does what doing it once does, and
        it is tried again after a 429 or 503 too: neither proves that nothing was done. `before_each_try` is
        called as the very last thing ahead of every try; what it raises is raised, and nothing is sent.
        """
        repeatable = method != "POST" if repeatable is None else repeatable
        reply: HttpResult = self._retrying[repeatable](
            self._through_the_gate, method, self._absolute(url), body, headers or {}, before_each_try
        )
        return reply

    def _absolute(self, url: str) -> str:
        if url.startswith(("http://", "https://")):
            return url
        return f"{self.base_url.rstrip('/')}/{url}" if url else self.base_url

    def search(self, url: str, *, max_pages: int = 20) -> HttpResult:
        """All matches of a search, over its pages: an HttpResponse whose body is the list of resources
        (each Type/id once), or the reply that went wrong.
        """
        found: dict[tuple[str, str], Any] = {}
        last: HttpResponse | None = None
        for page in self.pages(url, max_pages=max_pages):
            if isinstance(page, NoResponse) or not isinstance(page.body, list):
                return page
            found |= {(str(one.get("resourceType")), str(one.get("id"))): one for one in page.body}
            last = page
        return HttpResponse(200, list(found.values()), last.headers if last else {})

    def pages(self, url: str, *, max_pages: int, max_matches: int = _MAX_MATCHES) -> Iterator[HttpResult]:
        """The pages of a search, each an HttpResponse whose body is its list of resources; ends with the
        reply that went wrong, if one did. A page may repeat what another had.
        """
        count = 0
        for _ in range(max_pages):
            reply = self.get(url)
            if isinstance(reply, NoResponse) or reply.status != 200 or not _is_searchset(reply.body):
                yield reply
                return
            count += len(reply.body.get("entry", ()))
            if count > max_matches:
                break
            entries = [one for one in reply.body.get("entry", ()) if isinstance(one, dict)]
            resources = [one["resource"] for one in entries if isinstance(one.get("resource"), dict)]
            matches = [one for one in resources if one.get("resourceType") != "OperationOutcome"]
            yield HttpResponse(200, matches, reply.headers)
            following = _next_link(reply.body)
            if following is None:
                return
            url = urljoin(f"{self.base_url.rstrip('/')}/", following)
            if _origin(url) != _origin(self.base_url):
                yield NoResponse(
                    may_have_arrived=True, why="foreign-page"
                )  # our token is for this server alone
                return
        yield NoResponse(may_have_arrived=True, why="too-large")

    def _through_the_gate(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        before: Callable[[], None],
    ) -> HttpResult:
        if self._gate is not None:
            self._gate.acquire()
        before()
        begun = time.monotonic()
        reply = self._once(method, url, body, headers)
        if self._meter is not None:
            status = reply.status if isinstance(reply, HttpResponse) else None
            self._meter.count(status, time.monotonic() - begun)
        if self._gate is not None:
            told = (reply.status, reply.retry_after) if isinstance(reply, HttpResponse) else (None, None)
            self._gate.observe(*told)
        return reply

    def _once(self, method: str, url: str, body: bytes | None, extra: Mapping[str, str]) -> HttpResult:
        self.requests += 1
        self.writes += method != "GET"
        headers = {"Content-Type": _FHIR} if body is not None else {"Cache-Control": "no-cache"}
        arrived = False
        try:
            with (
                deadline(self._timeout * 2),
                self._http.stream(method, url, content=body, headers={**headers, **extra}) as response,
            ):
                arrived = True
                wire = response.extensions.get("network_stream")
                if (
                    isinstance(wire, TrackedStream) and not wire.read_since_write
                ):  # an answer to something earlier
                    wire.close()
                    return NoResponse(may_have_arrived=True, why="dropped")
                if self.tls_until is None and url.startswith("https:"):
                    self.tls_until = _certificate_end(response)
                content = read_answer(response)
            return _answer(response, content, self._below_base(url))
        except LoginRefused:
            return NoResponse(may_have_arrived=False, why="auth")
        except AnswerTooLarge:
            return NoResponse(may_have_arrived=True, why="too-large")
        except LayeredAnswer:
            return NoResponse(may_have_arrived=True, why="layered")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            tls = isinstance(error.__cause__, ssl.SSLError) or "SSL" in str(error)
            return NoResponse(may_have_arrived=False, why="tls" if tls else "unreachable")
        except httpx.TimeoutException:
            return NoResponse(may_have_arrived=True, why="timeout")
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, UnicodeError):  # a host that is no name
            return NoResponse(may_have_arrived=arrived, why="dropped" if arrived else "unreachable")
        except httpx.HTTPError:
            return NoResponse(may_have_arrived=True, why="dropped")

    def _below_base(self, url: str) -> str:
        """The path of a request below the base: `/Patient`; empty for the base itself."""
        base = self.base_url.rstrip("/")
        return url.removeprefix(base).partition("?")[0] if url.startswith(f"{base}/") else ""


def _certificate_end(response: httpx.Response) -> datetime | None:
    stream = response.extensions.get("network_stream")
    secured = stream.get_extra_info("ssl_object") if stream is not None else None
    ends = (secured.getpeercert() or {}).get("notAfter") if secured is not None else None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC) if isinstance(ends, str) else None


def _answer(response: httpx.Response, content: bytes, below_base: str) -> HttpResponse:
    headers = {key.lower(): value for key, value in response.headers.items()}
    asked = retry_after_seconds(headers, datetime.now(UTC))
    return HttpResponse(
        response.status_code,
        parse_answer(content) if content else None,
        headers,
        asked,
        is_empty=not content,
        redirected_to=_redirect(response, below_base),
    )


def _redirect(response: httpx.Response, below_base: str) -> str | None:
    """Where a 3xx leads, as a base where it leads to the same below another; what may be secret of it (a
    query, a login) is left out.
    """
    location = response.headers.get("location") if response.is_redirect else None
    if location is None:
        return None
    try:
        target = response.request.url.join(location)
    except httpx.InvalidURL:
        return "?"
    place = str(target.copy_with(userinfo=b"", query=None, fragment=None))
    return (place.removesuffix(below_base) if len(below_base) > 1 else place)[:300]


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port (RFC 6454 §4): our token is for this origin alone."""
    parts = httpx.URL(url)
    return parts.scheme, parts.host, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _is_searchset(body: object) -> bool:
    """Whether it answers a search: anything else under a 200 is no proof that nothing is there."""
    return (
        isinstance(body, dict)
        and body.get("resourceType") == "Bundle"
        and isinstance(body.get("entry", []), list)
        and isinstance(body.get("link", []), list)
    )


def _next_link(bundle: Mapping[str, Any]) -> str | None:
    for link in bundle.get("link") or ():
        if isinstance(link, dict) and link.get("relation") == "next" and link.get("url"):
            return str(link["url"])
    return None


def post_json(
    url: str, body: bytes, token: str | None, timeout: float, *, media: str = _FHIR
) -> tuple[int, bytes]:
    """POST JSON once (a sandbox hospital pushes results with it, alarms go to webhooks): status and body;
    status 0 when no answer came, or none that ends.
    """
    headers = {"Content-Type": media, "Accept": media, "Accept-Encoding": ACCEPTED_ENCODING}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        with (
            deadline(timeout * 2),
            httpx.Client(headers=headers, timeout=timeout) as client,
        ):
            track_connections(client)
            with client.stream("POST", url, content=body) as response:
                return response.status_code, read_answer(response, _MAX_HOOK_ANSWER)
    except (httpx.HTTPError, httpx.InvalidURL):
        return 0, b""
