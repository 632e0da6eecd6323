"""HL7 v2 over HTTP: the same messages as over MLLP, with the token of the FHIR endpoint."""

from collections.abc import AsyncIterator, Callable

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from adapter.pipeline.inbound.hl7v2_reception import MessageReception
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import RequestLimits
from adapter.web.fair_turns import FairTurns, HospitalShare, RequestRate
from adapter.web.request_body import read_body
from adapter.web.scope_checks import require_types_scope

__all__ = ["HL7V2_MEDIA_TYPE", "message_routes"]

HL7V2_MEDIA_TYPE = "application/hl7-v2"
_WRITTEN = ("DiagnosticReport", "Observation", "Patient", "Specimen", "Task")
_STATUSES = {"AA": 200, "AE": 422, "AR": 400}


def message_routes(
    reception: MessageReception,
    *,
    identify: Callable[[Request], str],
    limits: RequestLimits,
    share_of: Callable[[str], HospitalShare],
) -> APIRouter:
    """POST /hl7v2: a message is answered by its acknowledgement, 200 where it was taken."""
    turns, rate = FairTurns(share_of), RequestRate(share_of)
    routes = APIRouter(include_in_schema=False)

    async def owner(request: Request) -> AsyncIterator[str]:
        found = await run_in_threadpool(identify, request)
        require_types_scope(request, _WRITTEN)
        rate.take(found)
        async with turns.present(found):
            yield found

    async def message(request: Request) -> bytes:
        sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sent != HL7V2_MEDIA_TYPE:
            raise interaction_error(415, "not-supported", "not_hl7v2", "http.Content-Type")
        return await read_body(request, limits)

    @routes.post("/hl7v2")
    async def receive(hospital: str = Depends(owner), body: bytes = Depends(message)) -> Response:
        async with turns.turn(hospital):
            answer = await run_in_threadpool(reception.receive, hospital, body)
        return Response(answer.body, _STATUSES[answer.code], media_type=f"{HL7V2_MEDIA_TYPE}; charset=utf-8")

    return routes
