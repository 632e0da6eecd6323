"""FHIR R4's RESTful API over a repository (http://hl7.org/fhir/R4/http.html): its routes.

The endpoint that hospitals call and the sandbox hospitals are both this router; nothing in it
knows which. Handlers are synchronous and run in worker threads.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from adapter.fhir.codec import Resource
from adapter.pipeline.inbound.hospital_subscriptions import HospitalSubscriptions
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.pausing import is_preempted, pause
from adapter.repository.repository import Repository
from adapter.repository.search_query import parse_query_string
from adapter.web.content_negotiation import FHIR_JSON, check_accept, in_wanted_format, wants_xml
from adapter.web.fair_turns import FairTurns, HospitalShare, RequestRate
from adapter.web.interactions import InteractionHandlers
from adapter.web.routed_interactions import NO_INTERACTION, RoutedInteractions
from adapter.web.scope_checks import require_form_scopes, require_scope
from adapter.web.subscriptions import subscription_routes

# ruff: noqa: B008 - FastAPI declares what a handler depends on in its defaults

__all__ = ["fhir_router"]

_READ = ["GET", "HEAD"]
_ALL = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Identify = Callable[[Request], str]
Owner = Callable[[Request], AsyncIterator[str]]


class _Route(APIRoute):
    """A route whose handler works when it is its hospital's turn, and whose answers are in the format that
    the caller wants; handlers know JSON only.
    """

    turns: FairTurns

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        parameters = inspect.signature(endpoint).parameters
        super().__init__(path, self._in_turn(endpoint) if "owner" in parameters else endpoint, **more)

    def _in_turn(self, endpoint: Callable[..., Response]) -> Callable[..., Coroutine[Any, Any, Response]]:
        async def run(**values: Any) -> Response:
            async with self.turns.turn(values["owner"]) as turn:
                pause.set(turn.give_way)
                is_preempted.set(turn.is_preempted)
                return await run_in_threadpool(endpoint, **values)

        run.__signature__ = inspect.signature(endpoint)  # type: ignore[attr-defined]
        return run

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_in_format(request: Request) -> Response:
            response = await handle(request)
            if response.media_type != FHIR_JSON or not response.body or not wants_xml(request):
                return response
            async with self.turns.turn(getattr(request.state, "owner", "")):
                return await run_in_threadpool(in_wanted_format, request, response)

        return handle_in_format


def fhir_router(
    repository: Repository,
    *,
    identify: Identify,
    base: str | None = None,
    prefix: str = "/fhir",
    description: str = "FHIR R4 endpoint",
    secured: bool = True,
    token_url: str | None = None,
    share_of: Callable[[str], HospitalShare] = lambda _: HospitalShare(),
    subscriptions: HospitalSubscriptions | None = None,
) -> APIRouter:
    """The routes under `prefix`. `identify` gives the owner of a request or raises FhirError 401; `share_of`
    says how much of the server an owner may have, `subscriptions` what it may subscribe to.

    `base` is the server's URL as callers see it; None takes it from each request. `token_url` is where SMART
    clients get tokens, if they can.
    """
    turns = FairTurns(share_of)
    rate = RequestRate(share_of)
    routes = APIRouter(
        prefix=prefix,
        include_in_schema=False,
        dependencies=[Depends(check_accept)],
        route_class=type("Route", (_Route,), {"turns": turns}),
    )
    api = InteractionHandlers(
        repository,
        turns,
        RoutedInteractions(
            routes.routes,
            prefix,
            deletes=repository.checks.deletes,
            apart=frozenset() if subscriptions is None else frozenset({"Subscription"}),
        ),
        base=base,
        prefix=prefix,
        description=description,
        secured=secured,
        token_url=token_url,
        topic=None if subscriptions is None else subscriptions.topic,
    )

    def identified(request: Request) -> str:
        request.state.prefix = prefix
        found = identify(request)
        require_scope(request, prefix)
        return found

    async def owner(request: Request) -> AsyncIterator[str]:
        """FastAPI reads the annotations of what it calls; this one has them."""
        with turns.arriving():
            found = await run_in_threadpool(identified, request)
        rate.take(found)
        request.state.owner = found
        async with turns.present(found):
            yield found

    _whole_server(routes, api, owner)
    if subscriptions is not None:
        subscription_routes(routes, api, owner, subscriptions)
    _reading(routes, api, owner)
    _writing(routes, api, owner)

    @routes.api_route("", methods=_ALL, name=NO_INTERACTION)
    @routes.api_route("/{path:path}", methods=_ALL, name=NO_INTERACTION)
    def nothing_here(path: str = "") -> Response:
        raise api.routed.refusal(path)

    return routes


def _whole_server(routes: APIRouter, api: InteractionHandlers, identify: Owner) -> None:
    @routes.api_route("/metadata", methods=_READ, name="capabilities")
    def metadata(request: Request) -> Response:
        return api.metadata(request)

    @routes.api_route(
        "/metadata", methods=[method for method in _ALL if method not in _READ], name=NO_INTERACTION
    )
    def not_metadata() -> Response:
        raise api.routed.refusal("metadata")

    @routes.post("", name="transaction")
    @routes.post("/", name="transaction")
    def bundle(
        request: Request, owner: str = Depends(identify), body: Resource | None = Depends(api.sent_bundle)
    ) -> Response:
        return api.notified() if body is None else api.bundle(request, owner, body)

    @routes.post("/$process-message", name="process-message")
    def process_message(
        request: Request, owner: str = Depends(identify), body: Resource = Depends(api.body)
    ) -> Response:
        return api.process_message(request, owner, body)

    @routes.post("/Bundle", name="create")
    def submit(
        request: Request, owner: str = Depends(identify), body: Resource = Depends(api.body)
    ) -> Response:
        if not api.repository.is_receiving:
            return api.write(request, owner, api.parse_create(request, "Bundle", body))
        return api.bundle(request, owner, body)


def _reading(routes: APIRouter, api: InteractionHandlers, identify: Owner) -> None:
    @routes.api_route("/_history", methods=_READ, name="history-system")
    def history_of_all(request: Request, owner: str = Depends(identify)) -> Response:
        return api.history(request, owner)

    @routes.api_route("/{kind}/_history", methods=_READ, name="history-type")
    def history_of_type(request: Request, kind: str, owner: str = Depends(identify)) -> Response:
        return api.history(request, owner, kind)

    @routes.api_route("/{kind}", methods=_READ, name="search-type")
    @routes.api_route("/{kind}/", methods=_READ, name="search-type")
    def search(request: Request, kind: str, owner: str = Depends(identify)) -> Response:
        return api.search(request, owner, kind, parse_query_string(request.url.query))

    @routes.post("/{kind}/_search", name="search-type")
    def search_by_post(
        request: Request, kind: str, owner: str = Depends(identify), form: bytes = Depends(api.form)
    ) -> Response:
        try:
            params = parse_query_string(request.url.query) + parse_query_string(form.decode())
            require_form_scopes(request, kind, form.decode())
        except UnicodeDecodeError:
            raise interaction_error(400, "invalid", "bad_query") from None
        return api.search(request, owner, kind, params)

    @routes.api_route("/{kind}/{resource_id}", methods=_READ, name="read")
    def read(request: Request, kind: str, resource_id: str, owner: str = Depends(identify)) -> Response:
        return api.read(request, owner, kind, resource_id)

    @routes.api_route("/Patient/{resource_id}/$everything", methods=_READ, name="everything")
    def everything(request: Request, resource_id: str, owner: str = Depends(identify)) -> Response:
        return api.everything(request, owner, resource_id)

    @routes.api_route("/{kind}/{resource_id}/_history", methods=_READ, name="history-instance")
    def history(request: Request, kind: str, resource_id: str, owner: str = Depends(identify)) -> Response:
        return api.history(request, owner, kind, resource_id)

    @routes.api_route("/{kind}/{resource_id}/_history/{version}", methods=_READ, name="vread")
    def vread(
        request: Request, kind: str, resource_id: str, version: str, owner: str = Depends(identify)
    ) -> Response:
        return api.vread(request, owner, kind, resource_id, version)


def _writing(routes: APIRouter, api: InteractionHandlers, identify: Owner) -> None:
    @routes.post("/{kind}", name="create")
    @routes.post("/{kind}/", name="create")
    def create(
        request: Request, kind: str, owner: str = Depends(identify), body: Resource = Depends(api.body)
    ) -> Response:
        return api.write(request, owner, api.parse_create(request, kind, body))

    @routes.post("/{kind}/$validate", name="validate")
    def validate(
        request: Request,
        kind: str,
        owner: str = Depends(identify),  # noqa: ARG001 - whose turn it is
        body: Resource = Depends(api.body),
    ) -> Response:
        return api.validate(request, kind, body)

    @routes.put("/{kind}", name="conditional-update")
    def conditional_update(
        request: Request, kind: str, owner: str = Depends(identify), body: Resource = Depends(api.body)
    ) -> Response:
        return api.write(request, owner, api.parse_conditional_update(request, kind, body))

    @routes.put("/{kind}/{resource_id}", name="update")
    def update(
        request: Request,
        kind: str,
        resource_id: str,
        owner: str = Depends(identify),
        body: Resource = Depends(api.body),
    ) -> Response:
        return api.write(request, owner, api.parse_update(request, kind, resource_id, body))

    @routes.patch("/{kind}", name="conditional-patch")
    def conditional_patch(
        request: Request, kind: str, owner: str = Depends(identify), sent: Any = Depends(api.patch)
    ) -> Response:
        return api.write(request, owner, api.parse_patch(request, kind, None, sent))

    @routes.patch("/{kind}/{resource_id}", name="patch")
    def patch(
        request: Request,
        kind: str,
        resource_id: str,
        owner: str = Depends(identify),
        sent: Any = Depends(api.patch),
    ) -> Response:
        return api.write(request, owner, api.parse_patch(request, kind, resource_id, sent))

    @routes.delete("/{kind}", name="conditional-delete")
    def conditional_delete(request: Request, kind: str, owner: str = Depends(identify)) -> Response:
        return api.write(request, owner, api.parse_delete(request, kind, None))

    @routes.delete("/{kind}/{resource_id}", name="delete")
    def delete(request: Request, kind: str, resource_id: str, owner: str = Depends(identify)) -> Response:
        return api.write(request, owner, api.parse_delete(request, kind, resource_id))
