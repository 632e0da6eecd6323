"""Resources that were right and have one thing changed: `broken` ones that break R4, `odd` ones that do not.

Made by a seed from HL7's examples and from what leaves here. Whether a mutant is really broken is the
official engine's to say (`test_mutants.py`): a change where R4 is indifferent makes a valid resource.
"""

import copy
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["BREAKING", "ODD", "mutants"]

Json = dict[str, Any]
Place = tuple[Any, Any]  # a container, a key or an index in it
Change = Callable[[random.Random, Json], bool]  # false where the resource has no place for it

_UUID = "8b5cbd5e-6c0c-4d6e-8a0d-4f0f6f6a0001"
_X = "https://centre.example/StructureDefinition/x"
_DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'


def mutants(
    sources: Sequence[Json], changes: dict[str, Change], count: int, seed: str
) -> Iterator[tuple[str, Json, Json]]:
    """(name of the change, what it was, what it became), each change as often as the others."""
    draw = random.Random(seed)  # noqa: S311 - the same ones each time
    names = list(changes)
    made = tried = 0
    while made < count and tried < 50 * count:
        name = names[tried % len(names)]
        tried += 1
        source = draw.choice(sources)
        mutant = copy.deepcopy(source)
        if changes[name](draw, mutant) and mutant != source:
            made += 1
            yield name, source, mutant


def _places(item: Any) -> Iterator[Place]:
    for key, value in list(item.items() if isinstance(item, dict) else enumerate(item)):
        if key != "resourceType":
            yield item, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _at(draw: random.Random, resource: Json, fits: Callable[[Any, Any], bool]) -> Place | None:
    """A place whose key and value fit."""
    found = [place for place in _places(resource) if fits(place[1], place[0][place[1]])]
    return draw.choice(found) if found else None


def _put(fits: Callable[[Any, Any], bool], value: Callable[[random.Random, Any], Any]) -> Change:
    def change(draw: random.Random, resource: Json) -> bool:
        place = _at(draw, resource, fits)
        if place is None:
            return False
        container, key = place
        container[key] = value(draw, container[key])
        return True

    return change


def _drop(draw: random.Random, resource: Json) -> bool:
    place = _at(draw, resource, lambda key, _: isinstance(key, str))
    if place is None:
        return False
    del place[0][place[1]]
    return True


def _into(fits: Callable[[Any, Any], bool], name: str, value: Any) -> Change:
    """A member more in an object that fits."""

    def change(draw: random.Random, resource: Json) -> bool:
        place = _at(draw, resource, lambda key, found: isinstance(found, dict) and fits(key, found))
        if place is None:
            return False
        place[0][place[1]][name] = copy.deepcopy(value)
        return True

    return change


def _root(name: str, value: Any, *, of: Callable[[Json], bool] = lambda _: True) -> Change:
    def change(_: random.Random, resource: Json) -> bool:
        if not of(resource) or (name in resource and name not in ("text", "meta")):
            return False
        resource[name] = copy.deepcopy(value)
        return True

    return change


def _entry(alter: Callable[[Json], Any]) -> Change:
    def change(draw: random.Random, resource: Json) -> bool:
        entries = [one for one in resource.get("entry", ()) if isinstance(one, dict) and "resource" in one]
        if resource["resourceType"] != "Bundle" or not entries:
            return False
        alter(draw.choice(entries))
        return True

    return change


def _all(*changes: Change) -> Change:
    return lambda draw, resource: all(one(draw, resource) for one in changes)


def _domain(resource: Json) -> bool:
    return resource["resourceType"] not in ("Bundle", "Binary", "Parameters")


def _is(*names: str) -> Callable[[Any, Any], bool]:
    return lambda key, value: key in names and isinstance(value, str)


def _concept(_: Any, value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("coding"), list) and bool(value["coding"])


def _date(key: Any, value: Any) -> bool:
    return isinstance(key, str) and isinstance(value, str) and value[:2] in ("19", "20") and "-" in value[:5]


def _narrative(inside: str) -> Change:
    text = {"status": "generated", "div": f"{_DIV}{inside}</div>"}
    return _root("text", text, of=_domain)


def _contained(**inner: Any) -> Change:
    return _root("contained", [{"resourceType": "Basic", "code": {"text": "x"}, **inner}], of=_domain)


def _same_ids(draw: random.Random, resource: Json) -> bool:
    found = [
        place
        for place in _places(resource)
        if isinstance(place[0][place[1]], dict)
        and place[1] not in ("resource", "contained")
        and "resourceType" not in place[0][place[1]]
    ]
    if len(found) < 2 or resource["resourceType"] == "Bundle" or "contained" in resource:
        return False
    for container, key in draw.sample(found, 2):
        container[key]["id"] = "one"
    return True


def _vital_sign(code: str, value: Json) -> Change:
    def change(_: random.Random, resource: Json) -> bool:
        if resource["resourceType"] != "Observation" or "component" in resource or "hasMember" in resource:
            return False
        for name in [one for one in resource if one.startswith("value")] + ["dataAbsentReason"]:
            resource.pop(name, None)
        profile = {"8302-2": "bodyheight", "8310-5": "bodytemp", "8867-4": "heartrate"}[code]
        resource["code"] = {"coding": [{"system": "http://loinc.org", "code": code}]}
        resource["meta"] = {"profile": [f"http://hl7.org/fhir/StructureDefinition/{profile}"]}
        resource.update(copy.deepcopy(value))
        return True

    return change


_ANY_OBJECT = lambda key, value: isinstance(value, dict) and "resourceType" not in value  # noqa: E731
_REFERENCE = lambda key, value: key == "reference" and isinstance(value, str) and value[:1].isupper()  # noqa: E731
_QUANTITY = lambda key, value: isinstance(value, dict) and "value" in value and "code" in value  # noqa: E731

BREAKING: dict[str, Change] = {
    "drop": _drop,
    "unknown element": _into(_ANY_OBJECT, "colour", "red"),
    "unknown element of the resource": _root("colour", "red"),
    "null": _put(lambda key, _: isinstance(key, str), lambda *_: None),
    "empty object": _put(_ANY_OBJECT, lambda *_: {}),
    "empty list": _put(lambda _, value: isinstance(value, list), lambda *_: []),
    "empty text": _put(lambda key, value: isinstance(value, str) and key != "div", lambda *_: ""),
    "list for one": _put(_is("status", "code", "system", "display", "use", "unit"), lambda _, value: [value]),
    "one for a list": _put(lambda key, value: isinstance(value, list), lambda _, value: value[0]),
    "number for text": _put(_is("status", "code", "system", "display", "reference", "text"), lambda *_: 7),
    "text for a number": _put(
        lambda key, value: key == "value" and not isinstance(value, str), lambda *_: "7"
    ),
    "text for true": _put(lambda _, value: isinstance(value, bool), lambda *_: "true"),
    "text for an object": _put(_ANY_OBJECT, lambda *_: "x"),
    "code of no value set": _put(_is("status", "intent", "gender", "use", "priority"), lambda *_: "made-up"),
    "code with a tab": _put(_is("code"), lambda *_: "a\tb"),
    "code with two spaces": _put(_is("code"), lambda *_: "a  b"),
    "code with a space before": _put(_is("code"), lambda *_: " a"),
    "day that is none": _put(_date, lambda _, value: "2026-02-30"),
    "day of a clerk": _put(_date, lambda *_: "02/03/2026"),
    "time without an offset": _put(_date, lambda *_: "2026-03-02T08:00:00"),
    "time without seconds": _put(_date, lambda *_: "2026-03-02T08:00Z"),
    "type that is not allowed": _put(_REFERENCE, lambda *_: "CodeSystem/1"),
    "reference that is none": _put(_REFERENCE, lambda *_: "Patient 1"),
    "contained that is not there": _put(_REFERENCE, lambda *_: "#nowhere"),
    "uri with a blank": _put(_is("system", "url"), lambda *_: "http://x.example/a b"),
    "uuid that is none": _put(_is("system", "url"), lambda *_: "urn:uuid:123"),
    "uuid in capitals": _put(_is("system", "url"), lambda *_: f"urn:uuid:{_UUID.upper()}"),
    "oid that is none": _put(_is("system", "url"), lambda *_: "urn:oid:1.02.3"),
    "identifier of a relative system": _root("identifier", [{"system": "centre", "value": "1"}], of=_domain),
    "identifier that is no uri": _root(
        "identifier", [{"system": "urn:ietf:rfc:3986", "value": "123"}], of=_domain
    ),
    "relative extension": _root("extension", [{"url": "foo", "valueString": "a"}], of=_domain),
    "extension of an element": _into(_concept, "extension", [{"url": "foo", "valueString": "a"}]),
    "extension with both": _root(
        "extension",
        [{"url": _X, "valueString": "a", "extension": [{"url": _X, "valueString": "b"}]}],
        of=_domain,
    ),
    "extension with neither": _root("extension", [{"url": _X}], of=_domain),
    "extension of two values": _root(
        "extension", [{"url": _X, "valueString": "a", "valueCode": "b"}], of=_domain
    ),
    "extension of a bad value": _root("extension", [{"url": _X, "valueDate": "1.1.2026"}], of=_domain),
    "id that is none": _put(lambda key, value: key == "id" and isinstance(value, str), lambda *_: "a_b!"),
    "id that is too long": _root("id", "a" * 65),
    "one id twice": _same_ids,
    "deleted text": _narrative("<p>a <del>b</del></p>"),
    "inserted text": _narrative("<ins>a</ins>"),
    "script": _narrative("a<script>b</script>"),
    "event": _narrative('<p onclick="x()">a</p>'),
    "form": _narrative("<form><input/></form>a"),
    "attribute of a script": _narrative('<p data-a="b">c</p>'),
    "no words": _narrative("<p> </p>"),
    "not well formed": _narrative("<p>a"),
    "contained without an id": _contained(),
    "contained that nobody refers to": _contained(id="lonely"),
    "contained with a security label": _all(
        _contained(id="c", meta={"security": [{"system": "urn:x", "code": "R"}]}),
        _root("extension", [{"url": _X, "valueReference": {"reference": "#c"}}], of=_domain),
    ),
    "quantity without its system": _put(
        _QUANTITY, lambda _, value: {name: part for name, part in value.items() if name != "system"}
    ),
    "comparator that is none": _into(_QUANTITY, "comparator", "~"),
    "end before its start": _put(
        lambda key, value: isinstance(value, dict) and "start" in value and "period" in str(key).lower(),
        lambda *_: {"start": "2026-03-02", "end": "2026-03-01"},
    ),
    "fullUrl that is relative": _entry(lambda entry: entry.update(fullUrl="Patient/1")),
    "fullUrl of another": _entry(
        lambda entry: entry.update(fullUrl=f"https://x.example/{entry['resource']['resourceType']}/another")
    ),
    "fullUrl of another type": _entry(
        lambda entry: entry.update(fullUrl=f"https://x.example/Basic/{entry['resource'].get('id', 'x')}")
    ),
    "fullUrl that is no uuid": _entry(lambda entry: entry.update(fullUrl="urn:uuid:abc")),
    "fullUrl that is missing": _entry(lambda entry: entry.pop("fullUrl", None)),
    "unknown type of an entry": _entry(lambda entry: entry["resource"].update(resourceType="Kham")),
    "height in metres": _vital_sign("8302-2", {"valueString": "1m65"}),
    "temperature in words": _vital_sign("8310-5", {"valueString": "36°5"}),
    "pulse without a unit": _vital_sign("8867-4", {"valueQuantity": {"value": 72}}),
}


def _named(draw: random.Random, resource: Json) -> bool:
    """An id for each element that has none."""
    if resource["resourceType"] == "Bundle" or "contained" in resource:
        return False
    for number, (container, key) in enumerate(list(_places(resource))):
        value = container[key]
        if isinstance(value, dict) and "resourceType" not in value:
            value.setdefault("id", f"element-{number}")
    return True


def _turned(_: random.Random, resource: Json) -> bool:
    """Its members in the opposite order."""
    for name in list(resource)[::-1]:
        resource[name] = resource.pop(name)
    return True


ODD: dict[str, Change] = {
    "members in another order": _turned,
    "ids of elements": _named,
    "extension with odd letters": _root(
        "extension", [{"url": _X, "valueString": "Đỗ 😀 \u00a0x"}], of=_domain
    ),
    "extension in an extension": _root(
        "extension", [{"url": _X, "extension": [{"url": "a/b", "valueCode": "x"}]}], of=_domain
    ),
    "extended value of an extension": _root(
        "extension",
        [{"url": _X, "_valueString": {"extension": [{"url": _X, "valueCode": "unknown"}]}}],
        of=_domain,
    ),
    "extension of a type of data": _root(
        "extension", [{"url": _X, "valueMeta": {"tag": [{"system": "urn:x", "code": "a b"}]}}], of=_domain
    ),
    "urn as the url of an extension": _root(
        "extension", [{"url": "urn:x:y", "valueBoolean": False}], of=_domain
    ),
    "relative url as a value": _root("extension", [{"url": _X, "valueUrl": "a/b?c=d#e"}], of=_domain),
    "uri with letters of Viet Nam": _root(
        "extension", [{"url": _X, "valueUri": "http://x.example/ấ"}], of=_domain
    ),
    "numbers at their ends": _root("extension", [{"url": _X, "valueInteger": -2147483648}], of=_domain),
    "a long decimal": _root("extension", [{"url": _X, "valueDecimal": 0.1000000000000001}], of=_domain),
    "a year": _root("extension", [{"url": _X, "valueDateTime": "0001"}], of=_domain),
    "the last second of a leap year": _root(
        "extension", [{"url": _X, "valueInstant": "2024-02-29T23:59:59.123456789+14:00"}], of=_domain
    ),
    "contained that refers to its container": _contained(id="c", subject={"reference": "#"}),
    "tables and images": _narrative(
        '<table border="1"><tr><td colspan="2">a</td></tr></table><img src="#x" alt="b"/>'
    ),
    "entities by number": _narrative(
        "a &lt; b &#160;&amp; <span style='color: red' lang='vi'>c</span><!-- d -->"
    ),
    "links": _narrative('<a href="https://x.example" name="y">a</a><br/>'),
    "the longest id": _root("id", "a-." * 21 + "b", of=lambda one: "id" not in one),
    "a security label": _root("meta", {"security": [{"system": "urn:oid:1.2.3", "code": "R"}]}),
    "a tag without a code": _root("meta", {"tag": [{"display": "x"}], "source": "#here"}),
    "an identifier that is a uri": _root(
        "identifier",
        [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3", "period": {"start": "2026"}}],
        of=lambda one: one["resourceType"] in ("Patient", "Observation", "Encounter", "Procedure", "Task"),
    ),
    "an identifier without a system": _root(
        "identifier",
        [{"value": " 1 ", "assigner": {"display": "x"}, "use": "old"}],
        of=lambda one: one["resourceType"] in ("Patient", "Observation", "Encounter", "Procedure", "Task"),
    ),
    "a reference by identifier": _root(
        "subject",
        {"identifier": {"system": "urn:oid:1.2.3", "value": "1"}, "type": "Patient"},
        of=lambda one: one["resourceType"] == "Observation",
    ),
    "a note of many lines": _root(
        "note",
        [{"text": "# a\n\n- b\r\n\tc", "authorString": "x"}],
        of=lambda one: one["resourceType"] in ("Observation", "Procedure", "Immunization", "Task"),
    ),
}
