"""Where the pages are, below `/page`: signing in, the list, a referral, and what a clerk answers to it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import wraps
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from adapter.authorization import page_access
from adapter.authorization.page_access import PageSession
from adapter.errors import FhirError
from adapter.pipeline.application import Adapter
from adapter.repository.repository import Repository
from adapter.repository.request_limits import RequestLimits
from adapter.telemetry import get_logger
from adapter.web.fair_turns import FairTurns, HospitalShare, RequestRate
from adapter.web.hospital_page.actions import PageAction
from adapter.web.hospital_page.answering import ReferralPages
from adapter.web.hospital_page.answers import LONGEST_PDF
from adapter.web.hospital_page.rendering import (
    DEFAULT_LANGUAGE,
    LANGUAGES,
    PageRenderer,
    PageVisitor,
    style_sheet,
)
from adapter.web.login_delays import delay_after_wrong_login
from adapter.web.request_body import read_body
from adapter.web.sent_forms import BadFormError, SentForm, parse_form

__all__ = ["hospital_page_routes"]

_COOKIE: Final = "hospital-page"
_SHARE: Final = HospitalShare(requests_per_second=20, concurrency=4)  # of all clerks of a hospital
_REFUSAL_SECONDS: Final = 0.4  # after so long every refused login is answered, whatever was wrong with it
_SMALL: Final = RequestLimits(max_bytes=200_000)
_LARGE: Final = RequestLimits(max_bytes=LONGEST_PDF + 1_000_000)

_log = get_logger("web")
Handler = Callable[[Request], Awaitable[Response]]


class _SignedOut(Exception):
    """Nobody is signed in, or not any more."""


def hospital_page_routes(
    adapter: Adapter,
    repository: Repository,
    clock: Callable[[], datetime],
    after_receive: Callable[[], None] | None = None,
) -> APIRouter | None:
    """The pages on the adapter's stores, what is answered stored through `repository`; none where it is not
    said under which address hospitals see us.
    """
    public = adapter.settings.public_url
    if public is None:
        return None
    page = _HospitalPage(adapter, repository, clock, after_receive, public)
    routes = APIRouter(prefix="/page", include_in_schema=False)
    for path, handler, method in (
        ("/style.css", page.style, "GET"),
        ("/in/{link}", page.ask_code, "GET"),
        ("/in/{link}", page.sign_in, "POST"),
        ("/out", page.sign_out, "POST"),
        ("", page.referrals, "GET"),
        ("/referrals/{identity}", page.referral, "GET"),
        ("/referrals/{identity}/sheet.pdf", page.sheet, "GET"),
        ("/referrals/{identity}/{action}", page.answer, "POST"),
    ):
        routes.add_api_route(path, page.answered(handler), methods=[method], response_model=None)
    anything = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    routes.add_api_route("/{path:path}", page.answered(page.nothing), methods=anything, response_model=None)
    return routes


class _HospitalPage:
    def __init__(
        self,
        adapter: Adapter,
        repository: Repository,
        clock: Callable[[], datetime],
        after_receive: Callable[[], None] | None,
        public_url: str,
    ) -> None:
        self._adapter = adapter
        self._clock = clock
        url = urlsplit(public_url.rstrip("/").removesuffix("/fhir"))
        self._root = f"{url.path}/page"
        self._is_secure = url.scheme == "https"
        self._render = PageRenderer(self._root, adapter.settings.centre.name)
        self._pages = ReferralPages(adapter, repository, self._render, clock, after_receive)
        self._turns = FairTurns(lambda _: _SHARE)
        self._rate = RequestRate(lambda _: _SHARE)

    def answered(self, handler: Handler) -> Handler:
        """The handler, with a page for whatever goes wrong."""

        @wraps(handler)
        async def handle(request: Request) -> Response:
            reader = PageVisitor(_language(request))
            try:
                return await handler(request)
            except _SignedOut:
                return self._render.message(reader, 401, "signed_out")
            except BadFormError:
                return self._render.message(reader, 400, "bad_form")
            except FhirError as error:
                return self._refused(reader, error)
            except (OperationalError, PoolTimeout):
                _log.error("web.database_away", error="page")
                return self._render.message(reader, 503, "busy", **{"Retry-After": "5"})

        return handle

    def _refused(self, reader: PageVisitor, error: FhirError) -> Response:
        texts = {404: "not_here", 408: "slow", 413: "too_much", 429: "too_often", 503: "busy"}
        wait = error.params.get("retry_after")
        headers = {"Retry-After": str(wait)} if wait else {}
        if error.params.get("hang_up"):
            headers["Connection"] = "close"
        return self._render.message(reader, error.status, texts.get(error.status, "bad_form"), **headers)

    # -- who it is -------------------------------------------------------------------------

    async def style(self, request: Request) -> Response:
        """The style sheet, for everybody."""
        return Response(style_sheet(), media_type="text/css; charset=utf-8")

    async def nothing(self, request: Request) -> Response:
        """Of an address that is none."""
        return self._render.message(PageVisitor(_language(request)), 404, "not_here")

    async def ask_code(self, request: Request) -> Response:
        """The form for the code, the same whatever the link is."""
        return self._sign_in_page(request)

    def _sign_in_page(self, request: Request, status: int = 200, *, refused: bool = False) -> Response:
        reader, link = PageVisitor(_language(request)), request.path_params["link"]
        here = f"/in/{link}" if link.replace("-", "").replace("_", "").isalnum() else ""
        return self._render("sign_in.html", reader, here, status, refused=refused)

    async def sign_in(self, request: Request) -> Response:
        """Link and code against a session."""
        began = monotonic()
        form = parse_form(request.headers.get("content-type", ""), await read_body(request, _SMALL))
        code = "".join(form.get("code").split())
        opened = await run_in_threadpool(self._open_session, request.path_params["link"], code, request)
        if opened is not None:
            answer: Response = RedirectResponse(self._root, 303)
            self._set_cookie(answer, opened.token, int(page_access.LONGEST.total_seconds()))
            return answer
        seconds = await run_in_threadpool(delay_after_wrong_login, request)
        await asyncio.sleep(max(0.0, began + _REFUSAL_SECONDS - monotonic()))
        answer = self._sign_in_page(request, 429 if seconds else 403, refused=True)
        if seconds:
            answer.headers["Retry-After"] = str(seconds)
        return answer

    def _open_session(self, link: str, code: str, request: Request) -> PageSession | None:
        opened = page_access.open_session(self._adapter.engine, link, code, _language(request), self._clock())
        return opened if opened is not None and opened.hospital in self._adapter.settings.hospitals else None

    def _set_cookie(self, answer: Response, token: str, seconds: int) -> None:
        answer.set_cookie(
            _COOKIE,
            token,
            max_age=seconds,
            path=self._root,
            secure=self._is_secure,
            httponly=True,
            samesite="strict",
        )

    def _session(self, request: Request) -> PageSession:
        """Who is signed in, in the language that is asked for now. Raises _SignedOut."""
        token = request.cookies.get(_COOKIE, "")
        found = page_access.session_of(self._adapter.engine, token, self._clock()) if token else None
        if found is None or found.hospital not in self._adapter.settings.hospitals:
            raise _SignedOut
        asked = request.query_params.get("lang", "")
        if asked in LANGUAGES and asked != found.language:
            found = page_access.set_session_language(self._adapter.engine, found, asked)
        return found

    async def _signed_in(self, request: Request) -> PageSession:
        session = await run_in_threadpool(self._session, request)
        self._rate.take(session.hospital)
        return session

    async def _form(self, request: Request, session: PageSession, limits: RequestLimits) -> SentForm | None:
        """What was sent in this session; None of a form that none of its pages had. Raises BadFormError."""
        body = await read_body(request, limits)
        form = await run_in_threadpool(parse_form, request.headers.get("content-type", ""), body)
        return form if session.is_key(form.get("key")) else None

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        session = await self._signed_in(request)
        if await self._form(request, session, _SMALL) is None:
            return self._render.message(self._pages.reader(session), 403, "not_ours")
        await run_in_threadpool(page_access.end_session, self._adapter.engine, session, self._clock())
        answer = self._render.message(PageVisitor(session.language), 200, "signed_out_now")
        self._set_cookie(answer, "", 0)
        return answer

    # -- referrals -------------------------------------------------------------------------

    async def referrals(self, request: Request) -> Response:
        """The list."""
        session = await self._signed_in(request)
        closed, page = request.query_params.get("closed") == "1", request.query_params.get("page", "1")
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 6 else 1
        async with self._turns.present(session.hospital), self._turns.turn(session.hospital):
            return await run_in_threadpool(self._pages.list, session, max(number, 1), closed=closed)

    async def referral(self, request: Request) -> Response:
        """One of them."""
        session = await self._signed_in(request)
        identity, done = request.path_params["identity"], request.query_params.get("done", "")
        async with self._turns.present(session.hospital), self._turns.turn(session.hospital):
            return await run_in_threadpool(self._pages.one, session, identity, done)

    async def sheet(self, request: Request) -> Response:
        """One of them on paper."""
        session = await self._signed_in(request)
        identity = request.path_params["identity"]
        async with self._turns.present(session.hospital), self._turns.turn(session.hospital):
            return await run_in_threadpool(self._pages.sheet, session, identity)

    async def answer(self, request: Request) -> Response:
        """What a clerk says of one."""
        session = await self._signed_in(request)
        identity, word = request.path_params["identity"], request.path_params["action"]
        if word not in set(PageAction):
            return self._render.message(self._pages.reader(session), 404, "not_here")
        action = PageAction(word)
        limits = _LARGE if action is PageAction.FINDINGS else _SMALL
        async with self._turns.present(session.hospital):
            form = await self._form(request, session, limits)
            if form is None:
                return self._render.message(self._pages.reader(session), 403, "not_ours")
            async with self._turns.turn(session.hospital):
                return await run_in_threadpool(self._pages.answer, session, identity, action, form)


def _language(request: Request) -> str:
    asked = request.query_params.get("lang", "")
    return asked if asked in LANGUAGES else DEFAULT_LANGUAGE
