"""HL7's examples, and an endpoint that takes all of R4's types: what is asked of it, what came of each."""

import os
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from conformance.fetch import EXAMPLES
from conformance.test_examples import KNOWN_BAD
from conformance.test_xml import letters

from adapter.fhir import codec
from adapter.fhir.codec import Resource
from adapter.hospital_tokens import issue_token
from adapter.pipeline.inbound.reception import ACCEPTED_TYPES, check_received, receiving_repository
from adapter.repository.resource_types import RESOURCE_TYPES
from adapter.testing import Centre, serving
from adapter.web.app import endpoint_of

__all__ = [
    "Example",
    "Posted",
    "bare",
    "centre",
    "chunks",
    "errors_of",
    "examples",
    "hospital",
    "places_of",
    "post_all",
]

HOSPITALS = ("one-by-one", "in-batches", "in-transactions", "in-xml")
JSON, XML = "application/fhir+json", "application/fhir+xml"
SAMPLE = 120
_OF_TYPES_TAKEN = 3  # of 4
_LARGE = 60_000  # bytes: of a sample
_TOGETHER = 40  # in one Bundle
_BYTES_TOGETHER = 1_000_000


@dataclass(frozen=True)
class Example:
    """A resource of HL7's package as it stands there."""

    name: str
    body: bytes

    @property
    def resource(self) -> Resource:
        found: Resource = codec.loads_strictly(self.body)
        return found

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]


@dataclass(frozen=True)
class Posted:
    """An example, what $validate says of it, and what became of it."""

    example: Example
    verdict: httpx.Response
    answer: httpx.Response

    @property
    def is_taken(self) -> bool:
        return self.answer.status_code in (200, 201)

    @property
    def place(self) -> str:
        """`Type/id`, where it is stored."""
        return "/".join(self.answer.headers["Location"].split("/")[-4:-2])


@cache
def examples() -> tuple[Example, ...]:
    """All but Bundles, or so many as ADAPTER_EXAMPLES says, always the same: small ones, most of the types
    that the endpoint takes, and those that are refused.
    """
    paths = [path for path in sorted(EXAMPLES.glob("[A-Z]*-*.json")) if not path.name.startswith("Bundle-")]
    count = int(os.environ.get("ADAPTER_EXAMPLES") or SAMPLE)
    if count < len(paths):
        small = [path for path in paths if path.stat().st_size < _LARGE]
        taken = [path for path in small if path.name.partition("-")[0] in ACCEPTED_TYPES]
        draw = random.Random("posted examples")  # noqa: S311 - the same ones each time
        chosen = draw.sample(taken, min(len(taken), count * _OF_TYPES_TAKEN // 4))
        others = sorted(set(small) - set(taken))
        chosen += draw.sample(others, min(len(others), count - len(chosen)))
        paths = sorted({*chosen, *(path for path in small if path.name in KNOWN_BAD)})
    return tuple(Example(path.name, path.read_bytes()) for path in paths)


def centre(folder: Path) -> Centre:
    """One whose hospitals may ask as often as they like."""
    section = {"base_url": "http://127.0.0.1:9/fhir", "received_per_second": 0}
    return Centre(folder, hospitals=dict.fromkeys(HOSPITALS, section))


@contextmanager
def open_endpoint(centre: Centre) -> Iterator[str]:
    """The endpoint as it is, but that it takes every type; what came by it stays out of the inbox."""
    with centre.open() as adapter:
        repository = receiving_repository(
            adapter.engine, on_changes=lambda *_: None, accepts=RESOURCE_TYPES, validate=check_received
        )
        app = endpoint_of(
            repository, after_receive=None, on_refused=None, hospitals=HOSPITALS, public_url=None
        )
        with serving(app) as base:
            yield f"{base}/fhir"


def hospital(centre: Centre, name: str, base: str) -> httpx.Client:
    """Its client at the endpoint."""
    with centre.open() as adapter:
        token = issue_token(adapter.engine, name, datetime.now(UTC), by="test")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": JSON, "Accept": JSON}
    return httpx.Client(base_url=base, headers=headers, timeout=120)


def post_all(client: httpx.Client, listed: Iterable[Example]) -> list[Posted]:
    """Each is looked at by $validate, then sent."""
    return [
        Posted(
            one,
            client.post(f"/{one.kind}/$validate", content=one.body),
            client.post(f"/{one.kind}", content=one.body),
        )
        for one in listed
    ]


def errors_of(answer: httpx.Response) -> list[tuple[Any, ...]]:
    """What it calls an error: the code, the element, the words."""
    issues = answer.json()["issue"] if answer.json()["resourceType"] == "OperationOutcome" else ()
    return [
        (one["code"], one.get("expression"), one.get("diagnostics"))
        for one in issues
        if one["severity"] in ("error", "fatal")
    ]


def places_of(answer: httpx.Response) -> list[tuple[Any, ...]]:
    """The same without the words: an id of a wrong form is refused before what else there is, in its own."""
    return [one[:2] for one in errors_of(answer)]


def bare(resource: Resource) -> Resource:
    """A resource without what the server sets: its id and version."""
    meta = {
        name: part
        for name, part in resource.get("meta", {}).items()
        if name not in ("versionId", "lastUpdated")
    }
    rest = {name: part for name, part in resource.items() if name not in ("id", "meta")}
    return {**rest, "meta": meta} if meta else rest


def is_same(body: bytes, example: Example) -> bool:
    """Whether what was read is what was sent, to the letter."""
    return letters(bare(codec.loads_strictly(body))) == letters(bare(example.resource))


def chunks(listed: Iterable[Example]) -> Iterator[list[Example]]:
    """So many as go into one Bundle; a large one goes alone."""
    together: list[Example] = []
    for one in listed:
        full = (
            len(together) == _TOGETHER or sum(len(e.body) for e in together) + len(one.body) > _BYTES_TOGETHER
        )
        if together and full:
            yield together
            together = []
        together.append(one)
    if together:
        yield together
