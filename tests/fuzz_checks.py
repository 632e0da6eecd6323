"""What every answer of the endpoint must be, for schemathesis, which loads this in an environment of its own:
no failure of ours, and what is refused is refused with an OperationOutcome (OAuth's own errors at the token
endpoint), in FHIR's format.
"""

import json

import schemathesis

_FHIR = ("application/fhir+json", "application/fhir+xml")


@schemathesis.check
def refused_with_an_outcome(ctx, response, case):  # type: ignore[no-untyped-def]
    """501 is an answer: what R4 has and this server has not."""
    status, kind = response.status_code, response.headers.get("content-type", [""])[0].partition(";")[0]
    if response.headers.get("x-content-type-options") != ["nosniff"]:
        raise AssertionError(f"{status} without security headers")
    if status >= 500 and status != 501:
        raise AssertionError(f"{status}: {response.content[:300]!r}")
    if status < 400 or case.method.upper() == "HEAD":
        return
    if case.operation.path.startswith("/auth/") and kind == "application/json":
        if "error" not in json.loads(response.content):
            raise AssertionError(f"{status} without OAuth's error: {response.content[:300]!r}")
        return
    if kind not in _FHIR or b"OperationOutcome" not in response.content:
        raise AssertionError(f"{status} {kind} without an outcome: {response.content[:300]!r}")
