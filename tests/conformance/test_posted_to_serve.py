"""HL7's examples and Bundles go to `adapter serve` itself, which takes what concerns results: each is taken
or refused as $validate says there, and what is taken is read back to the letter.
"""

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from conformance.example_endpoints import (
    Example,
    bare,
    centre,
    errors_of,
    examples,
    hospital,
    is_same,
    post_all,
)
from conformance.fetch import EXAMPLES
from conformance.test_xml import letters

from adapter.fhir import codec
from adapter.fhir.codec import Resource
from adapter.pipeline.inbound.reception import ACCEPTED_TYPES
from adapter.repository.request_limits import RequestLimits
from adapter.testing import Centre

_LARGE = 60_000  # bytes: of a sample
# HL7's Bundles that are sound, hold what is taken here, and are refused; docs/for-hospitals.md says each.
ANSWERS = "it answers a request, and is none"
NOT_TAKEN = {
    "Bundle-bundle-references.json": "two versions of one resource: which of them holds, it does not say",
    "Bundle-bundle-transaction.json": "it deletes, and nothing is deleted here",
    "Bundle-bundle-response-medsallergies.json": ANSWERS,
    "Bundle-bundle-response-simplesummary.json": ANSWERS,
    "Bundle-bundle-response.json": ANSWERS,
}


@pytest.fixture(scope="module")
def serving_centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Centre, str]]:
    with centre(tmp_path_factory.mktemp("serve") / "centre") as made:
        yield made, made.start_endpoint()


@pytest.fixture(scope="module")
def client(serving_centre: tuple[Centre, str]) -> Iterator[httpx.Client]:
    with hospital(serving_centre[0], "one-by-one", serving_centre[1]) as found:
        yield found


def test_one_by_one(client: httpx.Client, figures: list[str]) -> None:
    posted = post_all(client, examples())
    others = [one for one in posted if one.example.kind not in ACCEPTED_TYPES]
    statuses = {(one.answer.status_code, one.verdict.status_code) for one in others}
    assert (404, 404) in statuses
    assert statuses <= {(404, 404), (413, 413)}  # a few definitions are larger than anything that is taken
    mine = [one for one in posted if one.example.kind in ACCEPTED_TYPES]
    for one in mine:
        assert errors_of(one.answer) == errors_of(one.verdict), one.example.name
        assert one.is_taken != bool(errors_of(one.verdict)), one.example.name
    taken = [one for one in mine if one.is_taken]
    changed = [one.example.name for one in taken if not is_same(client.get(one.place).content, one.example)]
    assert changed == []
    figures.append(
        f"official examples posted to adapter serve: {len(posted)}; of types that it does not take "
        f"{len(others)}, taken and read back {len(taken)}, refused as $validate says {len(mine) - len(taken)}"
    )


def bundles() -> list[Example]:
    paths = sorted(EXAMPLES.glob("Bundle-*.json"))
    whole = int(os.environ.get("ADAPTER_EXAMPLES") or 0) >= len(paths)
    fitting = (path for path in paths if whole or path.stat().st_size < _LARGE)
    return [Example(path.name, path.read_bytes()) for path in fitting]


def held(bundle: Resource) -> list[dict[str, Any]]:
    """Its entries with a resource."""
    return [entry for entry in bundle.get("entry", ()) if "resource" in entry]


def kind_of(entry: dict[str, Any]) -> str:
    return str(entry["resource"]["resourceType"])


def is_sound(client: httpx.Client, entry: dict[str, Any]) -> bool:
    verdict = client.post(f"/{kind_of(entry)}/$validate", content=codec.dumps(entry["resource"]))
    return not errors_of(verdict)


def pointed(value: Any, entry: dict[str, Any], places: dict[str, str], name: str = "") -> Any:
    """The resource with its references to other entries leading to where those are now."""
    if isinstance(value, dict):
        return {key: pointed(part, entry, places, key) for key, part in value.items()}
    if isinstance(value, list):
        return [pointed(part, entry, places, name) for part in value]
    if name != "reference" or not isinstance(value, str):
        return value
    text, own = value.partition("/_history/")[0], entry.get("fullUrl", "")
    root = own.rsplit("/", 2)[0] + "/" if own.startswith("http") else ""
    return places.get(text, places.get(root + text, value))


def test_bundles(client: httpx.Client, figures: list[str]) -> None:
    taken, refused, resources, changed = 0, 0, 0, []
    for example in bundles():
        bundle = example.resource
        mine = [entry for entry in held(bundle) if kind_of(entry) in ACCEPTED_TYPES]
        answer = client.post("/Bundle", content=example.body)
        if answer.status_code != 200:
            refused += 1
            assert has_reason(client, example, mine), f"{example.name}: {answer.text[:500]}"
            continue
        taken += 1
        assert example.name not in NOT_TAKEN
        assert all(is_sound(client, entry) for entry in mine), example.name
        changed += [f"{example.name} {url}" for url in differing(client, bundle, answer)]
        resources += len(mine)
    assert changed == []
    figures.append(
        f"official Bundles posted to adapter serve: {taken + refused}, taken {taken} with {resources} "
        f"resources to read back, refused for a stated reason {refused}"
    )


def has_reason(client: httpx.Client, example: Example, mine: list[dict[str, Any]]) -> bool:
    """Whether it is refused for what $validate says of a part, for its size, or for a stated reason."""
    bundle, limits = example.resource, RequestLimits()
    is_large = len(example.body) > limits.max_bytes or len(bundle.get("entry", ())) > limits.max_entries
    verdict = client.post("/Patient/$validate", content=example.body)  # of the wrong type, but of its size
    is_large = is_large or verdict.status_code == 413
    return is_large or not mine or example.name in NOT_TAKEN or not all(is_sound(client, one) for one in mine)


def differing(client: httpx.Client, bundle: Resource, answer: httpx.Response) -> Iterator[str]:
    pairs = list(zip(bundle.get("entry", ()), answer.json()["entry"], strict=False))
    stored = [
        (entry, "/".join(response["location"].split("/")[-4:-2]))
        for entry, one in pairs
        if "location" in (response := one["response"]) and "resource" in entry
    ]
    places = {one.get("fullUrl") or f"{kind_of(one)}/{one['resource'].get('id')}": at for one, at in stored}
    for entry, at in stored:
        if kind_of(entry) not in ACCEPTED_TYPES:
            continue  # a document's Composition, of which a DocumentReference is made
        found: Resource = codec.loads_strictly(client.get(at).content)
        if letters(bare(found)) != letters(pointed(bare(entry["resource"]), entry, places)):
            yield at


def test_all_of_it_was_looked_at(serving_centre: tuple[Centre, str]) -> None:
    """Nothing that was taken stops who matches it."""
    serving_centre[0].wait_until_matched(120)
    counts = serving_centre[0].run_json("inbox")["counts"]
    assert counts["new"] == 0
    assert counts["unmatched"] > 5
