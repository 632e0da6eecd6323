"""FHIR R4's interactions as HTTP asks for them and is answered, over a repository."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from adapter.fhir.codec import Resource, dumps
from adapter.fhir.operation_outcome import Issue, operation_outcome
from adapter.repository.bundle_entries import (
    MAX_REPORTED_ISSUES,
    Interaction,
    check_resource_id,
    one_condition,
    parse_if_match,
)
from adapter.repository.history_request import parse_history
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.json_patch import JSON_PATCH
from adapter.repository.patches import parse_patch
from adapter.repository.patient_everything import everything_bundle, parse_everything
from adapter.repository.read_interactions import history_answer
from adapter.repository.repository import Repository
from adapter.repository.request_limits import require_fitting_resource
from adapter.repository.resource_types import ID_PATTERN
from adapter.repository.response_bundles import is_current_etag, searchset_bundle, version_etag
from adapter.repository.search_query import parse_condition, parse_query_string, parse_search
from adapter.repository.store import VersionRow
from adapter.repository.strict_json import parse_json
from adapter.repository.write_plan import InteractionOutcome
from adapter.texts import say
from adapter.web.access_counter import count_read
from adapter.web.capability_statement import capability_statement
from adapter.web.content_negotiation import (
    FHIR_JSON,
    http_date,
    parse_prefer,
    sent_format,
    success_outcome,
)
from adapter.web.fair_turns import FairTurns
from adapter.web.messages import message_header, message_response
from adapter.web.refused_requests import note_body, note_refused
from adapter.web.request_body import parse_resource, parse_xml, read_body
from adapter.web.routed_interactions import RoutedInteractions
from adapter.web.scope_checks import require_bundle_scopes
from adapter.web.validate_parameters import resource_to_validate

__all__ = ["InteractionHandlers"]

_FORM = "application/x-www-form-urlencoded"
_NO_CRITERIA = ("_format", "_pretty")
_SMALL_BODY = 8_192  # bytes, that are parsed in less time than it takes to give way


class InteractionHandlers:
    """What the routes of one server share. `base` is its URL as callers see it, None: from each request."""

    def __init__(
        self,
        repository: Repository,
        turns: FairTurns,
        routed: RoutedInteractions,
        *,
        base: str | None,
        prefix: str,
        description: str,
        secured: bool,
        token_url: str | None,
        topic: str | None = None,
    ) -> None:
        self.repository = repository
        self.routed = routed
        self._turns = turns
        self._checks = repository.checks
        self._base = base.rstrip("/") if base else None
        self._prefix = prefix
        self._limits = repository.checks.limits
        self._description = description
        self._secured = secured
        self._token_url = token_url
        self._topic = topic
        self._handling = "lenient" if repository.is_receiving else "strict"
        self._capabilities = lru_cache(maxsize=16)(self._capability_bytes)

    def metadata(self, request: Request) -> Response:
        """The CapabilityStatement."""
        return Response(self._capabilities(self.base(request)), media_type=FHIR_JSON)

    def _capability_bytes(self, base: str) -> bytes:
        statement = capability_statement(
            self._checks,
            self.routed.names(),
            base=base,
            description=self._description,
            secured=self._secured,
            token_url=self._token_url,
            topic=self._topic,
        )
        return dumps(statement)

    def base(self, request: Request) -> str:
        """The server's URL as this caller sees it."""
        if self._base is not None:
            return self._base
        return f"{request.url.scheme}://{request.url.netloc}{self._prefix}"

    async def body(self, request: Request) -> Resource:
        """The resource in the body. Raises FhirError 400, 413 or 415."""
        return await self._parsed(request, note_body(request, await read_body(request, self._limits)))

    async def private_body(self, request: Request) -> Resource:
        """The same of what is not kept where it is refused."""
        return await self._parsed(request, await read_body(request, self._limits))

    async def form(self, request: Request) -> bytes:
        """The form of a POST search. Raises FhirError 413 or 415."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await read_body(request, self._limits)
        if body and kind != _FORM:
            raise interaction_error(415, "not-supported", "content_type_form", "http.Content-Type")
        return body

    async def sent_bundle(self, request: Request) -> Resource | None:
        """The same of what is sent to the server itself; None for a form without content, as a rest-hook
        Subscription without a payload sends it to say that something changed.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        received = note_body(request, await read_body(request, self._limits))
        return None if kind == _FORM and not received else await self._parsed(request, received)

    async def _parsed(self, request: Request, received: bytes) -> Resource:
        form = sent_format(request)
        async with self._turns.turn(request.state.owner) as turn:
            if len(received) > _SMALL_BODY:
                await run_in_threadpool(turn.give_way)
            return await run_in_threadpool(parse_resource, received, self._limits, form=form)

    async def patch(self, request: Request) -> Any:
        """The JSON Patch or the Parameters in the body. Raises FhirError 400, 413, 415, or 422 for what is
        neither.
        """
        body = await read_body(request, self._limits)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_json_patch = kind == JSON_PATCH
        parse = parse_json if is_json_patch or sent_format(request) == "json" else parse_xml
        sent = None
        if body:
            async with self._turns.turn(request.state.owner):
                sent = await run_in_threadpool(parse, body, self._limits)
        if is_json_patch or (isinstance(sent, dict) and sent.get("resourceType") == "Parameters"):
            return sent
        # A merge patch (RFC 7396) has no resourceType: whoever sends one is told which patches there are.
        raise interaction_error(422, "not-supported", "no_patch", "http.Content-Type")

    def notified(self) -> Response:
        """Somebody says that something changed, and not what: nothing can be taken, and nothing is wrong."""
        return Response(success_outcome(say("fhir.notified")), media_type=FHIR_JSON)

    def process_message(self, request: Request, owner: str, body: Resource) -> Response:
        """$process-message (http://hl7.org/fhir/R4/messageheader-operation-process-message.html): what the
        message holds is taken in, and the answer is a message. Raises FhirError 400 for anything else.
        """
        header = message_header(body)
        answer = self._carry_out(request, owner, body, False)
        return Response(message_response(body, header, answer, self.base(request)), media_type=FHIR_JSON)

    def require_readable_type(self, kind: str) -> None:
        """The same for what is read: of some types more is kept than is taken by itself."""
        if error := self._checks.read_refusal(kind, ""):
            raise error

    def require_known_type(self, kind: str) -> None:
        """Raise FhirError 404 for a type that does not exist or is not taken here."""
        if error := self._checks.not_here(kind, ""):
            raise error

    # Interactions

    def bundle(self, request: Request, owner: str, body: Resource) -> Response:
        """A batch or transaction."""
        if body["resourceType"] != "Bundle":
            raise interaction_error(400, "invalid", "only_bundles", "resourceType")
        representation = parse_prefer(request).get("return") == "representation"
        if representation or _reads(body):
            count_read(request, owner, "bundle")
        return Response(self._carry_out(request, owner, body, representation), media_type=FHIR_JSON)

    def _carry_out(self, request: Request, owner: str, body: Resource, representation: bool) -> bytes:
        require_bundle_scopes(request, self.repository.as_requests(owner, body, self.base(request)))
        answer = self.repository.bundle(
            owner,
            body,
            base=self.base(request),
            representation=representation,
            lenient=self._is_lenient(request),
        )
        if answer.left:
            note_refused(request, answer.left.status, answer.left.issues, dumps(answer.left.bundle))
        return answer.body

    def _is_lenient(self, request: Request) -> bool:
        return parse_prefer(request).get("handling", self._handling) == "lenient"

    def search(self, request: Request, owner: str, kind: str, params: list[tuple[str, str]]) -> Response:
        """A search of one type."""
        self.require_readable_type(kind)
        base = self.base(request)
        lenient = self._is_lenient(request)
        query = parse_search(kind, params, lenient=lenient, base=base, limits=self._limits)
        count_read(request, owner, "search")
        page = self.repository.search(owner, query)
        return Response(searchset_bundle(query, page, base), media_type=FHIR_JSON)

    def history(
        self, request: Request, owner: str, kind: str | None = None, resource_id: str | None = None
    ) -> Response:
        """One page of the versions of one resource, of a type, or of all types."""
        if kind is not None:
            self.require_readable_type(kind)
        query = parse_history(kind, resource_id, parse_query_string(request.url.query))
        count_read(request, owner, "history")
        page = self.repository.history(owner, query)
        return Response(history_answer(query, page, self.base(request)), media_type=FHIR_JSON)

    def everything(self, request: Request, owner: str, resource_id: str) -> Response:
        """Patient/$everything: one page of what the caller has of a Patient."""
        self.require_readable_type("Patient")
        asked = parse_everything(resource_id, parse_query_string(request.url.query))
        count_read(request, owner, "everything")
        page = self.repository.everything(owner, asked)
        return Response(everything_bundle(asked, page, self.base(request)), media_type=FHIR_JSON)

    def parse_create(self, request: Request, kind: str, body: Resource) -> Interaction:
        """A POST, with If-None-Exist a conditional one, and with criteria in its URL too: whoever sends some
        means them.
        """
        self._matches(kind, body, None)
        asked = [one for one in parse_query_string(request.url.query) if one[0] not in _NO_CRITERIA]
        condition = parse_condition(kind, urlencode(asked)) if asked else None
        if (header := request.headers.get("if-none-exist")) is not None:
            place = "http.If-None-Exist"
            stated = parse_condition(kind, header, expression=place, base=self.base(request))
            condition = one_condition(condition, stated)
        return Interaction("POST", kind, condition=condition, resource=body)

    def parse_update(self, request: Request, kind: str, resource_id: str, body: Resource) -> Interaction:
        """A PUT to an id."""
        if not ID_PATTERN.fullmatch(resource_id):
            self.require_known_type(kind)
            raise interaction_error(400, "value", "bad_id")
        self._matches(kind, body, resource_id)
        return Interaction(
            "PUT",
            kind,
            resource_id,
            resource=body,
            if_match=_if_match(request),
            if_none_match=request.headers.get("if-none-match"),
        )

    def parse_conditional_update(self, request: Request, kind: str, body: Resource) -> Interaction:
        """A PUT to criteria."""
        self._matches(kind, body, None)
        condition = parse_condition(kind, request.url.query)
        return Interaction("PUT", kind, condition=condition, resource=body, if_match=_if_match(request))

    def _matches(self, kind: str, body: Resource, resource_id: str | None) -> None:
        self.require_known_type(kind)
        if body["resourceType"] != kind:
            raise interaction_error(400, "invalid", "type_mismatch", "resourceType", type=kind)
        check_resource_id(body, resource_id, kind)

    def validate(self, request: Request, kind: str, body: Resource) -> Response:
        """$validate: the issues, always 200 (http://hl7.org/fhir/R4/resource-operation-validate.html). The
        resource comes by itself or in Parameters.
        """
        self.require_known_type(kind)
        if self._checks.validate is None:
            raise interaction_error(404, "not-supported", "no_interaction")
        body = resource_to_validate(kind, body, parse_query_string(request.url.query))
        require_fitting_resource(body, self._limits, kind)
        if body["resourceType"] == kind:
            found = self._checks.validate(body)
            # errors first, so that warnings never push one out
            issues = sorted(found, key=lambda issue: not issue.is_error)[:MAX_REPORTED_ISSUES]
        else:
            said = str(interaction_error(400, "invalid", "type_mismatch", type=kind))
            issues = [Issue("error", "invalid", said, "resourceType")]
        return Response(dumps(operation_outcome(issues)), media_type=FHIR_JSON)

    def read(self, request: Request, owner: str, kind: str, resource_id: str) -> Response:
        """The newest version, or 304 when the caller has it."""
        self.require_readable_type(kind)
        count_read(request, owner, "read")
        return _row_response(request, self.repository.read(owner, kind, resource_id))

    def vread(self, request: Request, owner: str, kind: str, resource_id: str, version: str) -> Response:
        """One version."""
        self.require_readable_type(kind)
        count_read(request, owner, "read")
        return _row_response(request, self.repository.vread(owner, kind, resource_id, version))

    def parse_delete(self, request: Request, kind: str, resource_id: str | None) -> Interaction:
        """A DELETE of one resource, or of the one that the URL's criteria match. Raises FhirError 405."""
        self.require_known_type(kind)
        if not self._checks.deletes:
            allowed = self.routed.refusal(f"{kind}/{resource_id or ''}").params["allow"]
            raise interaction_error(405, "not-supported", "no_deletes", allow=allowed)
        if resource_id is None:
            return Interaction("DELETE", kind, condition=parse_condition(kind, request.url.query))
        return Interaction("DELETE", kind, resource_id, if_match=_if_match(request))

    def parse_patch(self, request: Request, kind: str, resource_id: str | None, sent: Any) -> Interaction:
        """A PATCH of one resource, or of the one that the URL's criteria match."""
        self.require_known_type(kind)
        if resource_id is not None and not ID_PATTERN.fullmatch(resource_id):
            raise interaction_error(400, "value", "bad_id")
        condition = parse_condition(kind, request.url.query) if resource_id is None else None
        return Interaction(
            "PATCH",
            kind,
            resource_id,
            condition,
            if_match=_if_match(request),
            patch=parse_patch(sent, self._limits, "http.body"),
        )

    def write(self, request: Request, owner: str, entry: Interaction) -> Response:
        """Carry out a write and answer as the caller prefers."""
        outcome = self.repository.perform(owner, entry)
        headers = _headers(outcome)
        if outcome.status == 204:
            return Response(status_code=204, headers=headers)
        headers["Location"] = f"{self.base(request)}/{outcome.type}/{outcome.id}/_history/{outcome.version}"
        wanted = parse_prefer(request).get("return")
        if outcome.notice:
            headers["Warning"] = f'299 - "{_NOTICE}"'  # for who wants no body, or the resource's
            wanted = wanted or "OperationOutcome"
        if wanted == "minimal":
            return Response(status_code=outcome.status, headers=headers)
        content = success_outcome(_said(outcome)) if wanted == "OperationOutcome" else outcome.body
        return Response(content, outcome.status, headers, FHIR_JSON)


_NOTICE = "Stored, but not taken: a later version is in force"  # a header takes no other alphabet


def _said(outcome: InteractionOutcome) -> str:
    if outcome.notice:
        return outcome.notice
    if outcome.repeated:
        return say("fhir.repeated")
    return say("fhir.stored" if outcome.status == 201 else "fhir.updated")


def _headers(outcome: InteractionOutcome | VersionRow) -> dict[str, str]:
    if not outcome.version:
        return {}
    return {"ETag": version_etag(outcome.version), "Last-Modified": http_date(outcome.updated)}


def _row_response(request: Request, row: VersionRow) -> Response:
    headers = _headers(row)
    if _is_fresh(request, row):
        return Response(status_code=304, headers=headers)
    return Response(row.body, 200, headers, FHIR_JSON)


def _is_fresh(request: Request, row: VersionRow) -> bool:
    """Conditional read (http://hl7.org/fhir/R4/http.html#cread)."""
    if (tags := request.headers.get("if-none-match")) is not None:
        return is_current_etag(tags, row.version)
    if (since := request.headers.get("if-modified-since")) is not None:
        try:
            moment: datetime = parsedate_to_datetime(since)
            return row.updated // 1000 <= moment.timestamp()
        except (ValueError, TypeError, OverflowError):
            return False
    return False


def _if_match(request: Request) -> int | None:
    header = request.headers.get("if-match")
    return None if header is None else parse_if_match(header)


def _reads(bundle: Resource) -> bool:
    """Whether any entry asks for something. Whether it is well made is found out later."""
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return False
    requests = (entry.get("request") for entry in entries if isinstance(entry, dict))
    return any(isinstance(one, dict) and one.get("method") in ("GET", "HEAD") for one in requests)
