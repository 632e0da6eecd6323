"""What the endpoint refuses is handed on as it was received, before it is answered."""

from collections.abc import Callable, Sequence
from traceback import extract_tb

from fastapi import Request

from adapter.fhir.operation_outcome import Issue
from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.telemetry import get_logger

__all__ = ["OnRefused", "note_body", "note_refused"]

OnRefused = Callable[[RefusedRequest], None]
_CONDITIONS = ("if-none-exist", "if-match", "if-none-match")
_NO_CONTENT = ("_search", "$validate")  # a request that ends so asks, and brings nothing

_log = get_logger("web")


def note_body(request: Request, body: bytes) -> bytes:
    """What was received, unpacked."""
    request.state.received = body
    return body


def note_refused(request: Request, status: int, issues: Sequence[Issue], body: bytes | None = None) -> None:
    """Hand on a refused request of somebody who is known, or (`body`) what of it was refused. Where that
    fails the answer goes out all the same: the sender still has what was refused.
    """
    on_refused: OnRefused | None = getattr(request.app.state, "on_refused", None)
    owner = getattr(request.state, "owner", None)
    received = getattr(request.state, "received", None) if body is None else body
    path = request.url.path
    if on_refused is None or owner is None or not received or path.rsplit("/", 1)[-1] in _NO_CONTENT:
        return
    query = f"?{request.url.query}" if request.url.query else ""
    conditions = {name: request.headers[name] for name in _CONDITIONS if name in request.headers}
    url = path.removeprefix(request.state.prefix).lstrip("/") + query
    try:
        on_refused(RefusedRequest(owner, request.method, url, received, status, tuple(issues), conditions))
    except Exception as error:  # noqa: BLE001 - whatever it is, the sender is answered
        place = extract_tb(error.__traceback__)[-1]
        _log.error("web.refused_not_kept", error=type(error).__name__, where=f"{place.name}:{place.lineno}")
