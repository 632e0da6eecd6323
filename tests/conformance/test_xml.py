"""HL7's own examples in XML and back: the same to the letter, and the same to HL7's own parsers."""

import base64
from typing import Any

import orjson
from conformance.fetch import EXAMPLES
from conformance.java import java
from conformance.test_examples import chosen

from adapter.fhir import codec
from adapter.fhir.codec import Resource
from adapter.fhir.xml.reader import loads_xml
from adapter.fhir.xml.writer import dumps_xml

_LARGE = 3_000_000  # bytes: the eight Bundles of all definitions, each of which is an example by itself
_IN_BASE64 = ("data", "content")


def letters(resource: Any) -> bytes:
    """A resource digit for digit; the order of properties says nothing in JSON."""
    return orjson.dumps(
        resource,
        default=lambda number: orjson.Fragment(codec.plain_decimal(number)),
        option=orjson.OPT_SORT_KEYS,
    )


def test_every_example_comes_back_to_the_letter(figures: list[str]) -> None:
    paths = [path for path in sorted(EXAMPLES.glob("[A-Z]*-*.json")) if path.stat().st_size < _LARGE]
    wrong, same_bytes = [], 0
    for path in paths:
        resource = codec.loads_strictly(path.read_bytes())
        back = loads_xml(dumps_xml(resource))
        same_bytes += codec.dumps(back) == codec.dumps(resource)
        if letters(back) != letters(resource):
            wrong.append(path.name)
    figures.append(f"official examples to XML and back, of {len(paths)}: {len(wrong)} differ, "
                   f"{len(paths) - same_bytes} only in the order of properties")  # fmt: skip
    assert wrong == []
    assert len(paths) > 5000


def comparable(value: Any, name: str = "") -> Any:
    """What HL7's parsers keep: they write narratives in their own way, drop white space in base64, and leave
    a null where an element had nothing but an extension.
    """
    if isinstance(value, dict):
        kept = {key: comparable(part, key) for key, part in value.items() if key != "div"}
        return {key: part for key, part in kept.items() if part is not None}
    if isinstance(value, list):
        parts = [comparable(part, name) for part in value]
        return parts if any(part is not None for part in parts) else None
    return "".join(value.split()) if name in _IN_BASE64 and isinstance(value, str) else value


def rewritten(resources: list[tuple[str, bytes]]) -> list[bytes]:
    """Each (format, bytes) in the other format, by the parsers of HL7's validator."""
    lines = (form.encode() + b"\t" + base64.b64encode(body) for form, body in resources)
    answers = java("Rewrite", lines)
    assert [one for one in answers if one.startswith(b"!")] == []
    return [base64.b64decode(one) for one in answers]


def test_hl7s_parsers_agree(figures: list[str]) -> None:
    resources: list[Resource] = [
        codec.loads_strictly(path.read_bytes()) for path in chosen()[::4] if path.stat().st_size < 200_000
    ]
    their_xml = rewritten([("json", codec.dumps(one)) for one in resources])
    their_json = rewritten([("xml", dumps_xml(one)) for one in resources])
    meant = [letters(comparable(one)) for one in resources]
    assert [letters(comparable(loads_xml(one))) for one in their_xml] == meant
    assert [letters(comparable(codec.loads(one))) for one in their_json] == meant
    figures.append(f"official examples that HL7's parsers and ours read alike in XML: {len(resources)}")
