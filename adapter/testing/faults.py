"""Ways in which a `FakeHospital` misbehaves: each is called with a request and answers it, or raises what
httpx raises when no answer comes. One that returns None lets the request pass.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import httpx

__all__ = [
    "Fault",
    "answers",
    "drops",
    "entry_answer",
    "fhir_response",
    "operation_outcome",
    "refuses_connection",
    "times_out",
]

Fault = Callable[[httpx.Request], httpx.Response | None]
Json = dict[str, Any]


def answers(status: int, *, headers: Mapping[str, str] | None = None, text: str | None = None) -> Fault:
    """A fault that answers with a status and an OperationOutcome, or with `text` as HTML.

    `answers(503, headers={"Retry-After": "7"})` is a server that asks for patience.
    """

    def fault(_request: httpx.Request) -> httpx.Response:
        if text is not None:
            html = {"Content-Type": "text/html", **(headers or {})}
            return httpx.Response(status, content=text.encode(), headers=html)
        code = "throttled" if status == 429 else "exception"
        return fhir_response(status, operation_outcome(code), headers)

    return fault


def drops(_request: httpx.Request) -> NoReturn:
    """A fault that closes the connection without an answer."""
    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")


def refuses_connection(_request: httpx.Request) -> NoReturn:
    """A fault that lets no connection come about."""
    raise httpx.ConnectError("Connection refused")


def times_out(_request: httpx.Request) -> NoReturn:
    """A fault that never answers."""
    raise httpx.ReadTimeout("timed out")


def entry_answer(status: int, code: str | None = None) -> Json:
    """An entry of a Bundle's response: its status, and an OperationOutcome with that issue code."""
    return {"response": {"status": str(status), **({"outcome": operation_outcome(code)} if code else {})}}


def operation_outcome(code: str, diagnostics: str = "refused by a rule") -> Json:
    """An OperationOutcome of one error (https://hl7.org/fhir/R4/valueset-issue-type.html)."""
    issue = {"severity": "error", "code": code, "diagnostics": diagnostics}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def fhir_response(status: int, body: Json, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """An answer in FHIR's JSON."""
    kind = {"Content-Type": "application/fhir+json; charset=utf-8"}
    return httpx.Response(status, json=body, headers={**kind, **(headers or {})})
