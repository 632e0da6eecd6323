"""HL7's own examples go to the endpoint: each is taken or refused as $validate says, read back to the letter
in JSON and in XML, and found again by each of its search parameters, as HL7's own engines read both.

`make conformance EXAMPLES=6000` posts all 5,261 and the Bundles.
"""

import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
import pytest
from conformance.example_endpoints import (
    XML,
    Example,
    Posted,
    bare,
    centre,
    chunks,
    errors_of,
    examples,
    hospital,
    is_same,
    open_endpoint,
    places_of,
    post_all,
)
from conformance.hl7_values import values_of
from conformance.test_xml import comparable, letters, rewritten

from adapter.fhir import codec
from adapter.fhir.codec import Resource
from adapter.testing import Centre

BASE = "http://example.org/fhir"
XHTML = "{http://www.w3.org/1999/xhtml}div"
_ASKED_TOGETHER = 100
# Performers and the like that R4 does not allow, so that no search by the types it does allow finds them.
NOT_FOUND: set[tuple[str, str]] = set()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Centre, str]]:
    with centre(tmp_path_factory.mktemp("examples") / "centre") as made, open_endpoint(made) as base:
        yield made, base


@pytest.fixture(scope="module")
def client(place: tuple[Centre, str]) -> Iterator[httpx.Client]:
    with hospital(place[0], "one-by-one", place[1]) as found:
        yield found


@pytest.fixture(scope="module")
def posted(client: httpx.Client) -> list[Posted]:
    return post_all(client, examples())


@pytest.fixture(scope="module")
def taken(posted: list[Posted]) -> list[Posted]:
    return [one for one in posted if one.is_taken]


@pytest.fixture(scope="module")
def their_xml(taken: list[Posted]) -> list[bytes]:
    """Each as HL7's own parsers write it."""
    return rewritten([("json", one.example.body) for one in taken])


def test_each_is_taken_or_refused_as_validate_says(posted: list[Posted], figures: list[str]) -> None:
    refused = [one for one in posted if not one.is_taken]
    assert [one.example.name for one in posted if one.is_taken and errors_of(one.verdict)] == []
    for one in refused:
        assert one.answer.status_code in (400, 413, 422), one.example.name
        assert places_of(one.answer) == places_of(one.verdict) != [], one.example.name
    figures.append(
        f"official examples posted: {len(posted)}, taken {len(posted) - len(refused)}, "
        f"refused {len(refused)}, each for what $validate says"
    )
    assert 5 < len(refused) < 30


def test_each_is_read_back_to_the_letter(
    client: httpx.Client, taken: list[Posted], figures: list[str]
) -> None:
    changed = [one.example.name for one in taken if not is_same(client.get(one.place).content, one.example)]
    figures.append(f"official examples read back in JSON: {len(taken)}, changed {len(changed)}")
    assert changed == []


def test_each_is_read_back_in_xml_to_the_letter(
    client: httpx.Client, taken: list[Posted], their_xml: list[bytes], figures: list[str]
) -> None:
    answers = [client.get(one.place, headers={"Accept": XML}) for one in taken]
    assert {one.headers["content-type"].partition(";")[0] for one in answers} == {XML}
    ours, theirs = (
        [*map(bare, map(codec.loads, part))]
        for part in _halves(
            rewritten([("xml", one) for one in (*(answer.content for answer in answers), *their_xml)])
        )
    )
    names = [one.example.name for one in taken]
    read = zip(names, ours, theirs, strict=True)
    changed = {
        name for name, first, second in read if letters(comparable(first)) != letters(comparable(second))
    }
    words = [(one.example, answer.content) for one, answer in zip(taken, answers, strict=True)]
    changed |= {example.name for example, body in words if narrative_in(body) != narrative_of(example)}
    figures.append(
        f"official examples read back in XML, as HL7's parsers read it: {len(taken)}, changed {len(changed)}"
    )
    assert changed == set()


def _halves(listed: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    return listed[: len(listed) // 2], listed[len(listed) // 2 :]


def narrative_in(body: bytes) -> str | None:
    """The resource's own narrative in XML, in canonical form (C14N 2.0): to the letter."""
    root = ElementTree.fromstring(body)  # noqa: S314 - our own answer, about HL7's examples
    div = root.find(f"{{http://hl7.org/fhir}}text/{XHTML}")
    return None if div is None else canonical(ElementTree.tostring(div, "unicode"))


def canonical(div: str) -> str:
    return ElementTree.canonicalize(div.strip(), rewrite_prefixes=True)


def narrative_of(example: Example) -> str | None:
    """The same of the example's JSON, where HTML's entities may stand, which XML does not know."""
    div = example.resource.get("text", {}).get("div")
    if div is None:
        return None
    plain = re.sub(r"&(?!amp;|lt;|gt;|quot;|apos;|#)\w+;", lambda found: html.unescape(found[0]), div)
    return canonical(plain)


def test_what_hl7s_parsers_write_in_xml_is_taken(
    place: tuple[Centre, str], taken: list[Posted], their_xml: list[bytes], figures: list[str]
) -> None:
    changed, headers = [], {"Content-Type": XML, "Prefer": "return=representation"}
    with hospital(place[0], "in-xml", place[1]) as client:
        for one, body in zip(taken, their_xml, strict=True):
            answer = client.post(f"/{one.example.kind}", content=body, headers=headers)
            assert answer.status_code in (200, 201), f"{one.example.name}: {answer.text}"
            stored, sent = bare(codec.loads(answer.content)), bare(one.example.resource)
            if letters(comparable(stored)) != letters(comparable(sent)):
                changed.append(one.example.name)
    figures.append(f"official examples in HL7's XML, posted: {len(taken)}, changed {len(changed)}")
    assert changed == []


def test_each_is_found_by_each_of_its_parameters(
    client: httpx.Client, taken: list[Posted], figures: list[str]
) -> None:
    asked, used = [], set()
    for one, values in zip(taken, values_of([one.example.body for one in taken]), strict=True):
        kind, _, id_ = one.place.partition("/")
        for code, found in values.items():
            assert found is not None, f"HL7's engine does not know its own definition: {kind} {code}"
            used.add((kind, code))
            # the first, and the last of another form: a value, and one with its system or modifier
            for modifier, value in dict.fromkeys((found[0], found[-1])):
                query = {code + modifier: value, "_id": id_, "_summary": "count"}
                asked.append((one.example.name, code + modifier, value, f"{kind}?{urlencode(query)}"))
    lost = set()
    for start in range(0, len(asked), _ASKED_TOGETHER):
        together = asked[start : start + _ASKED_TOGETHER]
        entries = [{"request": {"method": "GET", "url": url}} for *_, url in together]
        answer = client.post("", json={"resourceType": "Bundle", "type": "batch", "entry": entries})
        for (name, code, value, _), entry in zip(together, answer.json()["entry"], strict=True):
            if entry.get("resource", {}).get("total") != 1:
                lost.add((name, code, value, json.dumps(entry)[:300]))
    figures.append(
        f"searches for {len(taken)} official examples by {len(used)} parameters, with values as HL7's engine "
        f"extracts them: {len(asked)}, not found {len(lost)}"
    )
    assert {(name, code) for name, code, *_ in lost} <= NOT_FOUND, lost


def test_in_batches_they_are_taken_as_one_by_one(
    place: tuple[Centre, str], posted: list[Posted], figures: list[str]
) -> None:
    alone = {one.example.name: one for one in posted}
    fitting = [one.example for one in posted if one.answer.status_code != 413]
    wrong: Counter[str] = Counter()
    with hospital(place[0], "in-batches", place[1]) as client:
        for together in chunks(fitting):
            answer = client.post("", content=bundle("batch", together), headers=_REPRESENTATION)
            assert answer.status_code == 200, answer.text
            listed = codec.loads(answer.content)["entry"]
            for example, entry in zip(together, listed, strict=True):
                status, before = int(entry["response"]["status"][:3]), alone[example.name]
                same = (status in (200, 201)) == before.is_taken
                if before.is_taken and same and "resource" in entry:
                    at = f"{example.kind}/{entry['resource']['id']}"
                    own = {f"{example.kind}/{example.resource.get('id')}": at}  # three refer to themselves
                    wanted = pointed(bare(example.resource), own)
                    same = letters(bare(entry["resource"])) == letters(wanted)
                elif not before.is_taken:
                    same = status == before.answer.status_code
                wrong[example.name] += not same
    figures.append(
        f"official examples in batches: {len(wrong)}, otherwise than by themselves {wrong.total()}"
    )
    assert +wrong == Counter()


_REPRESENTATION = {"Prefer": "return=representation"}


def bundle(kind: str, listed: list[Example]) -> bytes:
    """They are created; each is known to the others by a URL as it may have been at home."""
    entries = [
        {
            "fullUrl": f"{BASE}/{one.kind}/{one.resource['id']}",
            "resource": one.resource,
            "request": {"method": "POST", "url": one.kind},
        }
        for one in listed
    ]
    return codec.dumps({"resourceType": "Bundle", "type": kind, "entry": entries})


def pointed(value: object, places: dict[str, str], name: str = "") -> object:
    """The resource with its references to what came with it leading to where that is now."""
    if isinstance(value, dict):
        return {key: pointed(part, places, key) for key, part in value.items()}
    if isinstance(value, list):
        return [pointed(part, places, name) for part in value]
    if name == "reference" and isinstance(value, str):
        return places.get(value.partition("/_history/")[0].removeprefix(f"{BASE}/"), value)
    return value


def test_in_transactions_only_their_references_change(
    place: tuple[Centre, str], taken: list[Posted], figures: list[str]
) -> None:
    changed, moved = [], 0
    listed = [one.example for one in taken if one.example.resource.get("id")]
    with hospital(place[0], "in-transactions", place[1]) as client:
        for together in chunks(listed):
            answer = client.post("", content=bundle("transaction", together))
            assert answer.status_code == 200, answer.text
            locations = [entry["response"]["location"] for entry in answer.json()["entry"]]
            stored = ["/".join(one.split("/")[-4:-2]) for one in locations]
            places = {f"{e.kind}/{e.resource['id']}": at for e, at in zip(together, stored, strict=True)}
            for example, at in zip(together, stored, strict=True):
                wanted = pointed(bare(example.resource), places)
                moved += letters(wanted) != letters(bare(example.resource))
                found: Resource = codec.loads_strictly(client.get(at).content)
                if letters(bare(found)) != letters(wanted):
                    changed.append(example.name)
        assert moved
        figures.append(
            f"official examples in transactions: {len(listed)}, of which {moved} refer to each other; "
            f"changed otherwise {len(changed)}"
        )
        assert changed == []


def test_one_that_is_refused_refuses_its_transaction(
    place: tuple[Centre, str], posted: list[Posted], taken: list[Posted]
) -> None:
    refused = [one for one in posted if one.answer.status_code in (400, 422)][:20]
    assert refused
    with hospital(place[0], "in-transactions", place[1]) as client:
        before = client.get("/_history?_count=1").json()
        for number, one in enumerate(refused):
            sound = [each.example for each in taken[number * 5 : number * 5 + 5]]
            answer = client.post("", content=bundle("transaction", [*sound, one.example]))
            assert answer.status_code == one.answer.status_code, one.example.name
            place_ = f"Bundle.entry[{len(sound)}].resource"
            for _, (expression,), _ in errors_of(answer):
                assert expression.startswith(place_), one.example.name
            assert len(errors_of(answer)) == len(errors_of(one.answer))
        assert client.get("/_history?_count=1").json().get("entry") == before.get("entry")
