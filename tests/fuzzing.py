"""schemathesis at the endpoint: `python tests/fuzzing.py 100` starts `adapter serve`, makes an OpenAPI schema
of what is routed there, and has up to so many requests made of each route, as the schema has them and as not.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from endpoint_centre import HOME, PATIENT
from fastapi.routing import APIRoute
from subscription_centre import subscription

from adapter.hospital_tokens import issue_token
from adapter.repository.resource_types import search_parameters
from adapter.testing import Centre
from adapter.web.endpoint import adapter_endpoint

__all__ = ["openapi"]

_SCHEMATHESIS = Path(__file__).parents[1] / ".venv" / "fuzz" / "bin" / "schemathesis"
_KINDS = ("Observation", "DiagnosticReport", "Patient", "Bundle")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_BODIES = ("POST", "PUT", "PATCH")
_RESULTS = (
    "_count",
    "_sort",
    "_summary",
    "_elements",
    "_total",
    "_include",
    "_revinclude",
    "_format",
    "_pretty",
)
_HEADERS = ("Accept", "Prefer", "If-Match", "If-None-Match", "If-None-Exist", "If-Modified-Since")
_TEXT = {"type": "string"}
_OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "identifier": [{"system": "urn:x", "value": "1"}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
    "issued": "2026-11-02T15:05:00+07:00",
}
_ENTRY = {"resource": _OBSERVATION, "request": {"method": "POST", "url": "Observation"}}
_BUNDLE = {"resourceType": "Bundle", "type": "transaction", "entry": [_ENTRY]}
_PATCH = [{"op": "replace", "path": "/status", "value": "amended"}]


def openapi(routes: Iterable[Any]) -> dict[str, Any]:
    """What is routed, as OpenAPI 3.0: paths, methods, and what they may be given."""
    paths: dict[str, dict[str, Any]] = {}
    for route in _routes(routes):
        path = route.path.replace(":path}", "}")
        for method in sorted(route.methods or ()):
            if method in _METHODS:
                paths.setdefault(path, {}).setdefault(method.lower(), _operation(route, path, method))
    return {"openapi": "3.0.3", "info": {"title": "endpoint", "version": "4.0.1"}, "paths": paths}


def _routes(routes: Iterable[Any]) -> Iterator[APIRoute]:
    """Those of included routers too, which FastAPI keeps as they are."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (inner := getattr(route, "original_router", None)) is not None:
            yield from _routes(inner.routes)


def _operation(route: APIRoute, path: str, method: str) -> dict[str, Any]:
    given = [
        {"name": name, "in": "path", "required": True, "schema": _of_path(name)}
        for name in route.param_convertors
    ]
    if path.startswith("/fhir"):
        given += [{"name": name, "in": "header", "schema": _TEXT} for name in _HEADERS]
        named = {name for kind in _KINDS for name in search_parameters(kind)}
        given += [{"name": name, "in": "query", "schema": _TEXT} for name in (*_RESULTS, *sorted(named)[::4])]
    found: dict[str, Any] = {"parameters": given, "responses": {"default": {"description": "any"}}}
    if method in _BODIES:
        found["requestBody"] = {"content": _contents(path, method)}
    return found


def _of_path(name: str) -> dict[str, Any]:
    if name == "kind":
        return {"type": "string", "enum": list(_KINDS)}
    return {"type": "string", "minLength": 1, "maxLength": 70}


def _contents(path: str, method: str) -> dict[str, Any]:
    if path.startswith("/auth") or path.endswith("_search"):
        fields = (
            "grant_type",
            "client_assertion_type",
            "client_assertion",
            "scope",
            "code",
            "date",
            "_count",
        )
        schema = {"type": "object", "properties": dict.fromkeys(fields, _TEXT)}
        return {"application/x-www-form-urlencoded": {"schema": schema}}
    if method == "PATCH":
        step = {
            "type": "object",
            "required": ["op", "path"],
            "properties": {
                "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
                "path": _TEXT,
            },
        }
        return {
            "application/json-patch+json": {"schema": {"type": "array", "items": step}, "example": _PATCH}
        }
    example = _OBSERVATION if "{kind}" in path else subscription() if "/Subscription" in path else _BUNDLE
    return {"application/fhir+json": {"schema": _resource(example), "example": example}}


def _resource(example: dict[str, Any]) -> dict[str, Any]:
    """A resource of the example's type whose elements may be anything of their JSON type."""
    properties = {name: {"type": _json_type(value)} for name, value in example.items()}
    properties["resourceType"] = {"enum": [*_KINDS, "Subscription"]}
    properties |= {
        name: {"type": _json_type(value)} for name, value in PATIENT.items() if name not in properties
    }
    return {"type": "object", "required": ["resourceType"], "properties": properties}


def _json_type(value: Any) -> str:
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "string"


def main() -> int:
    """Run it; its exit code, and 1 where the endpoint did not outlive it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=int, help="of each route and method, at most")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    section = {"base_url": HOME, "received_per_second": 0, "subscription_hosts": ["hook.hospital.example"]}
    with tempfile.TemporaryDirectory(prefix="adapter-fuzz-") as name:
        folder = Path(name)
        public = {"public_url": "https://centre.example/fhir"}
        with Centre(folder / "centre", hospitals={"bv-tinh": section}, settings=public) as centre:
            with centre.open() as adapter:
                token = issue_token(adapter.engine, "bv-tinh", datetime.now(UTC), by="test")
                schema = openapi(adapter_endpoint(adapter).routes)
            (folder / "openapi.json").write_text(json.dumps(schema))
            base = centre.start_endpoint().removesuffix("/fhir")
            hooks = {"SCHEMATHESIS_HOOKS": "fuzz_checks", "PYTHONPATH": str(Path(__file__).parent)}
            command = [
                *(_SCHEMATHESIS, "run", folder / "openapi.json", "--url", base),
                *("--header", f"Authorization: Bearer {token}", "--mode", "all", "--seed", str(asked.seed)),
                *("--phases", "examples,coverage,fuzzing", "--max-examples", str(asked.examples)),
                *("--checks", "not_a_server_error,refused_with_an_outcome", "--exclude-checks"),
                *("unsupported_method", "--continue-on-failure", "--request-timeout", "60", "--no-color"),
                *("--suppress-health-check", "all", "--warnings", "off"),
            ]
            done = subprocess.run(command, env={**os.environ, **hooks}, cwd=folder, check=False)
            ended = centre.stop("serve")
            if ended:
                print(f"the endpoint ended with {ended}")
    return done.returncode or int(ended != 0)


if __name__ == "__main__":
    sys.exit(main())
