"""Subscription at the endpoint: its routes, beside those of the types that are stored as hospitals send them.
What is refused here is not kept: a Subscription brings no result, and may hold a secret.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from adapter.fhir.codec import Resource, dumps
from adapter.pipeline.inbound.hospital_subscriptions import HospitalSubscriptions
from adapter.repository.bundle_entries import check_resource_id, parse_if_match
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import require_fitting_resource
from adapter.repository.response_bundles import version_etag
from adapter.repository.search_query import parse_query_string
from adapter.subscriptions.store import StoredSubscription
from adapter.subscriptions.topic import SEARCH_PARAMETERS
from adapter.texts import say
from adapter.web.access_counter import count_read
from adapter.web.content_negotiation import FHIR_JSON, http_date, parse_prefer, success_outcome
from adapter.web.interactions import InteractionHandlers
from adapter.web.routed_interactions import NO_INTERACTION
from adapter.web.scope_checks import require_form_scopes

# ruff: noqa: B008 - FastAPI declares what a handler depends on in its defaults

__all__ = ["subscription_routes"]

_TYPE: Final = "Subscription"
_READ: Final = ["GET", "HEAD"]
_ALL: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_OF_ANSWERS: Final = ("_format", "_pretty", "_summary", "_count", "_total", "_elements", "_sort")

Owner = Callable[[Request], AsyncIterator[str]]
Pairs = Sequence[tuple[str, str]]


def subscription_routes(
    routes: APIRouter, api: InteractionHandlers, identify: Owner, subscriptions: HospitalSubscriptions
) -> None:
    """Add them; they come before those of any type."""
    _Handlers(api, subscriptions).add_to(routes, identify)

    @routes.api_route(f"/{_TYPE}", methods=_ALL, name=NO_INTERACTION)
    @routes.api_route(f"/{_TYPE}/{{rest:path}}", methods=_ALL, name=NO_INTERACTION)
    def nothing_here(rest: str = "") -> Response:
        raise api.routed.refusal(f"{_TYPE}/{rest}")


class _Handlers:
    """What the routes share."""

    def __init__(self, api: InteractionHandlers, subscriptions: HospitalSubscriptions) -> None:
        self._api = api
        self._of = subscriptions

    def add_to(self, routes: APIRouter, identify: Owner) -> None:
        """The operations, whose names an id could be taken for, then the interactions."""
        self._operations(routes, identify)
        self._reading(routes, identify)
        self._writing(routes, identify)

    def _reading(self, routes: APIRouter, identify: Owner) -> None:
        api = self._api

        @routes.api_route(f"/{_TYPE}", methods=_READ, name="search-type")
        @routes.api_route(f"/{_TYPE}/", methods=_READ, name="search-type")
        def search(request: Request, owner: str = Depends(identify)) -> Response:
            return self._search(request, owner, parse_query_string(request.url.query))

        @routes.post(f"/{_TYPE}/_search", name="search-type")
        def search_by_post(
            request: Request, owner: str = Depends(identify), form: bytes = Depends(api.form)
        ) -> Response:
            sent = form.decode("utf-8", "replace")
            require_form_scopes(request, _TYPE, sent)
            pairs = parse_query_string(request.url.query) + parse_query_string(sent)
            return self._search(request, owner, pairs)

        @routes.api_route(f"/{_TYPE}/{{resource_id}}", methods=_READ, name="read")
        def read(request: Request, resource_id: str, owner: str = Depends(identify)) -> Response:
            count_read(request, owner, "read")
            one = self._of.read(owner, resource_id)
            return Response(dumps(self._of.shown(one)), 200, _headers(one), FHIR_JSON)

    def _operations(self, routes: APIRouter, identify: Owner) -> None:
        api = self._api

        @routes.api_route(f"/{_TYPE}/$status", methods=_READ, name="status")
        def status_of_all(request: Request, owner: str = Depends(identify)) -> Response:
            return self._status(request, owner, parse_query_string(request.url.query))

        @routes.post(f"/{_TYPE}/$status", name="status")
        def status_by_post(
            request: Request, owner: str = Depends(identify), body: Resource = Depends(api.private_body)
        ) -> Response:
            return self._status(request, owner, _parameters(body))

        @routes.api_route(f"/{_TYPE}/{{resource_id}}/$status", methods=[*_READ, "POST"], name="status")
        def status(request: Request, resource_id: str, owner: str = Depends(identify)) -> Response:
            self._of.read(owner, resource_id)
            return self._status(request, owner, [("id", resource_id)])

        @routes.api_route(f"/{_TYPE}/{{resource_id}}/$events", methods=_READ, name="events")
        def events(request: Request, resource_id: str, owner: str = Depends(identify)) -> Response:
            return self._events(request, owner, resource_id, parse_query_string(request.url.query))

        @routes.post(f"/{_TYPE}/{{resource_id}}/$events", name="events")
        def events_by_post(
            request: Request,
            resource_id: str,
            owner: str = Depends(identify),
            body: Resource = Depends(api.private_body),
        ) -> Response:
            return self._events(request, owner, resource_id, _parameters(body))

    def _writing(self, routes: APIRouter, identify: Owner) -> None:
        api = self._api

        @routes.post(f"/{_TYPE}", name="create")
        @routes.post(f"/{_TYPE}/", name="create")
        def create(
            request: Request, owner: str = Depends(identify), body: Resource = Depends(api.private_body)
        ) -> Response:
            self._require_plain(request, body)
            return self._written(request, self._of.create(owner, body), 201)

        @routes.put(f"/{_TYPE}/{{resource_id}}", name="update")
        def update(
            request: Request,
            resource_id: str,
            owner: str = Depends(identify),
            body: Resource = Depends(api.private_body),
        ) -> Response:
            self._require_plain(request, body)
            check_resource_id(body, resource_id, _TYPE)
            one = self._of.update(owner, resource_id, body, if_match=_if_match(request))
            return self._written(request, one, 200)

        @routes.delete(f"/{_TYPE}/{{resource_id}}", name="delete-subscription")
        def delete(request: Request, resource_id: str, owner: str = Depends(identify)) -> Response:
            self._of.delete(owner, resource_id, if_match=_if_match(request))
            return Response(status_code=204)

    def _require_plain(self, request: Request, body: Resource) -> None:
        """Raise FhirError for another resource, one that is too large, or a condition."""
        if body["resourceType"] != _TYPE:
            raise interaction_error(400, "invalid", "type_mismatch", "resourceType", type=_TYPE)
        require_fitting_resource(body, self._api.repository.checks.limits, _TYPE)
        asked = [name for name, _ in parse_query_string(request.url.query) if name not in _OF_ANSWERS]
        if asked or "if-none-exist" in request.headers:
            raise interaction_error(400, "not-supported", "no_subscription_condition")

    def _written(self, request: Request, one: StoredSubscription, status: int) -> Response:
        headers = _headers(one) | {"Location": f"{self._of.base}/{_TYPE}/{one.id}"}
        wanted = parse_prefer(request).get("return")
        if wanted == "minimal":
            return Response(status_code=status, headers=headers)
        said = say("fhir.stored" if status == 201 else "fhir.updated")
        content = success_outcome(said) if wanted == "OperationOutcome" else dumps(self._of.shown(one))
        return Response(content, status, headers, FHIR_JSON)

    def _search(self, request: Request, owner: str, pairs: Pairs) -> Response:
        strict = parse_prefer(request).get("handling") == "strict"
        criteria = list(_criteria(pairs, strict=strict))
        count_read(request, owner, "search")
        found = [one for one in map(self._of.shown, self._of.all(owner)) if _matches(one, criteria)]
        entries = [
            {"fullUrl": f"{self._of.base}/{_TYPE}/{one['id']}", "resource": one, "search": {"mode": "match"}}
            for one in found
        ]
        query = f"?{urlencode(criteria)}" if criteria else ""
        bundle: Resource = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(entries),
            "link": [{"relation": "self", "url": f"{self._of.base}/{_TYPE}{query}"}],
        }
        if entries and not {("_summary", "count"), ("_count", "0")} & set(pairs):
            bundle["entry"] = entries
        return Response(dumps(bundle), media_type=FHIR_JSON)

    def _status(self, request: Request, owner: str, pairs: Pairs) -> Response:
        count_read(request, owner, "read")
        ids, statuses = _values(pairs, "id"), _values(pairs, "status")
        url = f"{self._of.base}/{_TYPE}/$status"
        return Response(dumps(self._of.status(owner, ids, statuses, url)), media_type=FHIR_JSON)

    def _events(self, request: Request, owner: str, resource_id: str, pairs: Pairs) -> Response:
        count_read(request, owner, "read")
        first, last = (_number(pairs, name) for name in ("eventsSinceNumber", "eventsUntilNumber"))
        return Response(dumps(self._of.events(owner, resource_id, first, last)), media_type=FHIR_JSON)


def _criteria(pairs: Pairs, *, strict: bool) -> Iterable[tuple[str, str]]:
    """Those that are known. Raises FhirError 400 for a modifier, where the caller is `strict` for others."""
    for name, value in pairs:
        known, _, modifier = name.partition(":")
        if known not in SEARCH_PARAMETERS:
            if strict and name not in _OF_ANSWERS:
                listed = ", ".join(SEARCH_PARAMETERS)
                raise interaction_error(400, "not-supported", "unknown_parameter", name=name, known=listed)
        elif modifier:
            raise interaction_error(400, "not-supported", "bad_modifier", name=known, modifier=modifier)
        elif value:
            yield name, value


def _matches(shown: Resource, criteria: Pairs) -> bool:
    said = {
        "_id": shown["id"],
        "status": shown["status"],
        "url": shown["channel"].get("endpoint", ""),
        "criteria": shown["criteria"],
    }
    for name, value in criteria:
        listed = [value] if name == "url" else value.split(",")
        here = said[name]
        if name == "criteria":  # a string begins with what is asked, in whatever case
            if not any(here.lower().startswith(one.lower()) for one in listed):
                return False
        elif here not in [one.rpartition("|")[2] if name == "status" else one for one in listed]:
            return False
    return True


def _parameters(body: Resource) -> list[tuple[str, str]]:
    """What Parameters say, as a query would. Raises FhirError 400."""
    listed = body.get("parameter", [])
    if body["resourceType"] != "Parameters" or not isinstance(listed, list):
        raise interaction_error(400, "invalid", "type_mismatch", "resourceType", type="Parameters")
    return [
        (str(one.get("name")), str(value))
        for one in listed
        if isinstance(one, dict)
        for name, value in one.items()
        if name.startswith("value")
    ]


def _values(pairs: Pairs, name: str) -> list[str]:
    return [part for key, value in pairs if key == name for part in value.split(",") if part]


def _number(pairs: Pairs, name: str) -> int | None:
    values = [value for key, value in pairs if key == name]
    if not values:
        return None
    if len(values) > 1 or not (values[0].isascii() and values[0].isdigit() and len(values[0]) < 10):
        raise interaction_error(400, "value", "bad_event_number", name=name)
    return int(values[0])


def _headers(one: StoredSubscription) -> dict[str, str]:
    modified = http_date(int(one.updated.timestamp() * 1000))
    return {"ETag": version_etag(one.version), "Last-Modified": modified}


def _if_match(request: Request) -> int | None:
    header = request.headers.get("if-match")
    return None if header is None else parse_if_match(header)
