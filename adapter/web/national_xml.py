"""The insurer's XML over HTTPS, with the token of the FHIR endpoint."""

from collections.abc import AsyncIterator, Callable

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from adapter.errors import FhirError
from adapter.fhir.codec import dumps
from adapter.fhir.operation_outcome import Issue, operation_outcome
from adapter.pipeline.inbound.national_xml import TakenFile
from adapter.pipeline.inbound.national_xml_reception import FileReception
from adapter.repository.request_limits import RequestLimits
from adapter.texts import say
from adapter.web.fair_turns import FairTurns, HospitalShare, RequestRate
from adapter.web.request_body import read_body
from adapter.web.scope_checks import require_types_scope

__all__ = ["file_routes"]

_MEDIA_TYPES = ("application/xml", "text/xml")
_WRITTEN = ("DiagnosticReport", "Encounter", "Observation", "Patient", "Task")


def file_routes(
    reception: FileReception,
    *,
    identify: Callable[[Request], str],
    limits: RequestLimits,
    share_of: Callable[[str], HospitalShare],
) -> APIRouter:
    """POST /national-xml: a file is answered by an OperationOutcome, 200 where it was taken."""
    turns, rate = FairTurns(share_of), RequestRate(share_of)
    routes = APIRouter(include_in_schema=False)

    async def owner(request: Request) -> AsyncIterator[str]:
        found = await run_in_threadpool(identify, request)
        require_types_scope(request, _WRITTEN)
        rate.take(found)
        async with turns.present(found):
            yield found

    async def file(request: Request) -> bytes:
        sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sent not in _MEDIA_TYPES:
            raise FhirError(415, "not-supported", "national_xml.not_xml", expression="http.Content-Type")
        return await read_body(request, limits)

    @routes.post("/national-xml")
    async def receive(hospital: str = Depends(owner), body: bytes = Depends(file)) -> Response:
        async with turns.turn(hospital):
            reply = await run_in_threadpool(reception.receive, hospital, body)
        said = reply.issues or tuple(
            Issue("information", "informational", text) for text in _taken_words(reply.taken)
        )
        return Response(dumps(operation_outcome(said)), reply.status, media_type="application/fhir+json")

    return routes


def _taken_words(taken: TakenFile | None) -> tuple[str, ...]:
    strangers = 0 if taken is None else taken.strangers
    left_out = (say("national_xml.strangers", count=strangers),) if strangers else ()
    return (say("national_xml.taken"), *left_out)
