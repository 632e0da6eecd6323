"""The console as an application: who asks is found out, then the handler of the route answers in a thread."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool

from adapter.authorization.opaque_tokens import OpaqueTokens
from adapter.authorization.staff_sessions import LONGEST, StaffSession, session_of
from adapter.errors import AdapterError, FhirError, Outdated
from adapter.insights.insights import Insights
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.staff_sign_in import identity_provider
from adapter.repository.request_limits import RequestLimits
from adapter.telemetry import get_logger, place_of
from adapter.texts import speaking
from adapter.web.access_counter import client_address
from adapter.web.console.events import ChangeWatch
from adapter.web.console.rendering import LANGUAGES, Renderer, static_file
from adapter.web.console.routes import AREAS, ROUTES
from adapter.web.console.security import SecurityHeaders, comes_from_here, is_our_host
from adapter.web.console.visit import ConsoleRoute, ForbiddenError, NotHereError, Visit
from adapter.web.login_delays import LoginDelays
from adapter.web.request_body import read_body
from adapter.web.sent_forms import BadFormError, SentForm, parse_form

__all__ = ["COOKIE", "console_app"]

COOKIE: Final = "console"
_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_CACHED: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_SAID: Final[Mapping[type[Exception], tuple[int, str]]] = {
    NotHereError: (404, "not_here"),
    ForbiddenError: (403, "forbidden"),
    Outdated: (409, "outdated"),
}

_log = get_logger("console")


class _SignedOut(Exception):
    """Nobody is signed in, or not any more."""


def console_app(
    adapter: Adapter,
    clock: Callable[[], datetime],
    *,
    url: str | None = None,
    routes: Sequence[ConsoleRoute] = ROUTES,
) -> FastAPI:
    """The console on the adapter's stores. `url` is where browsers see it, such as https://console.example;
    None: only on this machine. Raises SettingsError without the identity key.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    console = _Console(adapter, clock, url, routes)
    app.add_api_route("/static/{name}", _static, methods=["GET"], response_model=None)
    by_path: dict[str, dict[str, ConsoleRoute]] = {}
    for route in routes:
        by_path.setdefault(route.path, {})[route.method] = route
    # What names a thing comes before what takes any.
    for path in sorted(by_path, key=lambda one: [part.startswith("{") for part in one.split("/")]):
        app.add_api_route(path, console.answering(by_path[path]), methods=_METHODS, response_model=None)
    app.add_api_route("/{path:path}", console.answering({}), methods=_METHODS, response_model=None)
    app.add_middleware(SecurityHeaders)
    app.state.login_delays = LoginDelays()
    return app


async def _static(name: str) -> Response:
    found = static_file(name)
    if found is None:
        return Response(status_code=404)
    return Response(found[0], 200, _CACHED, found[1])


class _Console:
    def __init__(
        self, adapter: Adapter, clock: Callable[[], datetime], url: str | None, routes: Sequence[ConsoleRoute]
    ) -> None:
        self._adapter = adapter
        self._clock = clock
        self._is_secure = url is not None and url.startswith("https:")
        self._hosts: Collection[str] = () if url is None else (_host(url),)
        self._renderer = Renderer(adapter.settings.centre.name)
        self._provider = identity_provider(adapter)
        self._tokens = OpaqueTokens(bytes.fromhex(_secret(adapter, "1") + _secret(adapter, "2")))
        self._watch = ChangeWatch(Insights(adapter, "console", clock).change_mark)
        self._menu = tuple(route for area in AREAS for route in area if route.menu and route in routes)

    def answering(self, by_method: Mapping[str, ConsoleRoute]) -> Callable[[Request], Any]:
        """What answers at one address, whatever goes wrong with a page."""

        async def answer(request: Request) -> Response:
            if not is_our_host(request.headers.get("host", ""), self._hosts):
                return Response("no such host", 421, media_type="text/plain")
            route = by_method.get("GET" if request.method == "HEAD" else request.method)
            form = SentForm()
            if route is not None and request.method == "POST":
                host, origin = request.headers.get("host", ""), request.headers.get("origin")
                if not comes_from_here(host, origin, request.headers.get("sec-fetch-site")):
                    return await run_in_threadpool(self._message, request, None, 403, "not_ours")
                try:
                    form = await self._read_form(request, route)
                except BadFormError:
                    return await run_in_threadpool(self._message, request, None, 400, "bad_form")
                except FhirError as error:
                    return await run_in_threadpool(self._message, request, None, error.status, "too_large")
            return await run_in_threadpool(self._answer, request, route, bool(by_method), form)

        return answer

    async def _read_form(self, request: Request, route: ConsoleRoute) -> SentForm:
        body = await read_body(request, RequestLimits(max_bytes=route.max_bytes))
        if not body:  # of a button alone
            return SentForm()
        return await run_in_threadpool(parse_form, request.headers.get("content-type", ""), body)

    def _answer(
        self, request: Request, route: ConsoleRoute | None, is_address: bool, form: SentForm
    ) -> Response:
        session = None
        try:
            session = self._session(request, is_use=route is None or route.is_use)
            if route is None:
                return self._message(request, session, 405 if is_address else 404, "not_here")
            visit = self._visit(request, session, form)
            if route.permission is not None:
                if session is None or not session.is_whole:
                    raise _SignedOut  # noqa: TRY301 - one place says what is said of each refusal
                visit.require(route.permission)
            with speaking(visit.language):
                return route.handler(visit)
        except _SignedOut:
            return Response(status_code=303, headers={"Location": "/sign-in"})
        except (NotHereError, ForbiddenError, Outdated) as error:
            return self._message(request, session, *_SAID[type(error)])
        except AdapterError as error:
            return self._message(request, session, 400, error=error)
        except (OperationalError, PoolTimeout):
            _log.error("console.database_away")
            answer = self._message(request, None, 503, "busy")  # which asks the database nothing
            answer.headers["Retry-After"] = "5"
            return answer
        except Exception as error:  # noqa: BLE001 - the outermost net; the exception's text may quote a record
            _log.error("console.failed", error=place_of(error))
            return self._message(request, session, 500, "failed")

    def _session(self, request: Request, *, is_use: bool) -> StaffSession | None:
        """Who is signed in. A page that fetches itself anew, by `console.js`, keeps nobody signed in."""
        token = request.cookies.get(COOKIE, "")
        if not token:
            return None
        is_use = is_use and "x-live" not in request.headers
        return session_of(self._adapter.engine, token, self._clock(), is_use=is_use)

    def _visit(self, request: Request, session: StaffSession | None, form: SentForm) -> Visit:
        whole = session is not None and session.is_whole
        asked = request.query_params.get("lang", "")
        language = session.account.language if session is not None else asked if asked in LANGUAGES else "vi"
        permissions = session.account.permissions if session is not None and whole else frozenset()
        return Visit(
            adapter=self._adapter,
            clock=self._clock,
            renderer=self._renderer,
            tokens=self._tokens,
            language=language,
            here=request.url.path,
            session=session,
            path=dict(request.path_params),
            query=dict(request.query_params),
            form=form,
            address=client_address(request),
            menu=tuple(one for one in self._menu if one.permission in permissions),
            watch=self._watch,
            delays=request.app.state.login_delays,
            set_cookie=self._set_cookie,
            cookies=request.cookies,
            is_secure=self._is_secure,
            provider=self._provider,
        )

    def _set_cookie(self, response: Response, token: str) -> None:
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(LONGEST.total_seconds()) if token else 0,
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="strict",
        )

    def _message(
        self,
        request: Request,
        session: StaffSession | None,
        status: int,
        text: str = "",
        *,
        error: AdapterError | None = None,
    ) -> Response:
        """A page that says what went wrong."""
        visit = self._visit(request, session, SentForm())
        words = visit.t(f"console.{text}") if error is None else visit.t(error.text, **error.params)
        return visit.page("message.html", status=status, words=words)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _secret(adapter: Adapter, part: str) -> str:
    return adapter.identities.of("", "console", "secret", part)
