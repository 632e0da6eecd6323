"""A sandbox hospital: the endpoint's FHIR API on a store of its own, with faults in front of it.

Beside `/fhir` it has `GET /$sandbox/stats` and `POST /$sandbox/faults` (`{"faults": ["503:0.05"]}`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from sqlalchemy import Connection, Engine
from starlette.concurrency import run_in_threadpool

from adapter.errors import UsageError
from adapter.fhir.codec import Resource, dumps
from adapter.fhir.operation_outcome import Issue, operation_outcome
from adapter.repository import store
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.repository import Repository
from adapter.repository.request_limits import RequestLimits
from adapter.repository.strict_json import parse_json
from adapter.repository.write_plan import VersionChange
from adapter.sandbox.fault_injection import Fault, FaultDecision, FaultInjector, parse_fault
from adapter.sandbox.request_stats import RequestStats, interaction_of, is_write
from adapter.texts import say
from adapter.web.app import Receive, Scope, Send, fhir_app
from adapter.web.bearer_tokens import bearer_token
from adapter.web.content_negotiation import FHIR_JSON

__all__ = ["SANDBOX_OWNER", "SandboxHospital"]

SANDBOX_OWNER = "sandbox"
_LIMITS = RequestLimits(max_bytes=20_000_000, max_depth=60, max_values=400_000, max_narrative=4_000_000)


class SandboxHospital:
    """A sandbox hospital on `engine`, whose repository tables are made if need be.

    `token`: requests need it as a bearer token; None lets everybody in. `validate` checks what
    comes in. `app` is the ASGI application, `staff_repository` the store as the hospital's own people see it.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        *,
        faults: tuple[Fault, ...] = (),
        seed: int = 0,
        token: str | None = None,
        validate: Callable[[Resource], list[Issue]] | None = None,
        base: str | None = None,
    ) -> None:
        store.create_tables(engine)
        self.name = name
        self.faults = FaultInjector(faults, seed=seed)
        self.stats = RequestStats()
        self._token = token
        self._validate = validate
        self.repository = Repository(
            engine, on_changes=self._count, validate=self._check, base=base, limits=_LIMITS
        )
        # What the hospital's own staff writes meets no fault and is no delivery to be counted.
        self.staff_repository = Repository(engine, base=base)
        self._inner = fhir_app(
            self.repository,
            identify=self._identify,
            base=base,
            description=f"Sandbox hospital {name}",
            secured=token is not None,
        )
        _control(self._inner, self)

    @property
    def app(self) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        """The ASGI application, faults included."""
        return self._answer

    def _identify(self, request: Request) -> str:
        if self._token is not None and bearer_token(request) != self._token:
            raise interaction_error(401, "login", "no_token", "http.Authorization")
        return SANDBOX_OWNER

    def _count(self, _: Connection, changes: Sequence[VersionChange]) -> None:
        for one in changes:
            self.stats.record_version(one.action)

    def _check(self, resource: Resource) -> list[Issue]:
        issues = self.faults.refusal_of(resource)
        return issues if issues or self._validate is None else self._validate(resource)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith("/fhir"):
            await self._inner(scope, receive, send)
            return
        interaction = interaction_of(scope["method"], path)
        self.stats.record_request(scope["method"], interaction)
        decision = self.faults.decide(is_write=is_write(interaction))
        if decision.drop_before:
            await _hang_up(send)
            return
        if decision.delay:
            await asyncio.sleep(decision.delay)
        if decision.answer is not None:
            await _busy(decision)(scope, receive, send)
        elif decision.drop_after:
            await self._inner(scope, receive, _swallow)
            await _hang_up(send)
        else:
            await self._inner(scope, receive, send)


def _busy(decision: FaultDecision) -> Response:
    """503 or 429 with Retry-After (RFC 9110, section 10.2.3)."""
    code = "throttled" if decision.answer == 429 else "transient"
    headers = {}
    if decision.answer == 429:
        when = datetime.now(UTC) + timedelta(seconds=decision.retry_after)
        headers["Retry-After"] = (
            format_datetime(when, usegmt=True) if decision.as_date else f"{decision.retry_after:.0f}"
        )
    outcome = operation_outcome([Issue("error", code, say("sandbox.busy"))])
    return Response(dumps(outcome), decision.answer or 503, headers, FHIR_JSON)


async def _swallow(_: Any) -> None:
    """An answer that nobody hears."""


async def _hang_up(send: Send) -> None:
    """End the connection without an answer.

    ASGI has no way to say so; uvicorn's `send` is a method of an object that knows the transport.
    """
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise RuntimeError("a connection can only be dropped when uvicorn serves")
    transport.abort()
    while not getattr(cycle, "disconnected", True):
        await asyncio.sleep(0)


def _control(app: FastAPI, sandbox: SandboxHospital) -> None:
    """Routes under `/$sandbox`, for whoever rehearses; not part of FHIR."""

    @app.get("/$sandbox/stats")
    def stats() -> Response:
        found = sandbox.stats.snapshot()
        found["resources"] = sandbox.repository.counts(SANDBOX_OWNER)
        found["faults"] = {"on": [str(f) for f in sandbox.faults.active], "fired": dict(sandbox.faults.fired)}
        return Response(dumps({"name": sandbox.name, **found}), media_type="application/json")

    @app.post("/$sandbox/faults")
    async def change_faults(request: Request) -> Response:
        wanted = parse_json(await request.body(), _LIMITS)
        listed = wanted.get("faults") if isinstance(wanted, dict) else wanted
        try:
            faults = [parse_fault(str(item)) for item in (listed if isinstance(listed, list) else [listed])]
        except UsageError as error:
            outcome = operation_outcome([Issue("error", "value", str(error))])
            return Response(dumps(outcome), 400, media_type=FHIR_JSON)
        await run_in_threadpool(sandbox.faults.replace, faults)
        return Response(dumps({"faults": [str(fault) for fault in faults]}), media_type="application/json")
