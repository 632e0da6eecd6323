"""What a resource must be found by, without the adapter: HL7's definitions of R4's search parameters,
evaluated by HL7's own FHIRPath engine, and their values written as R4's table says
(http://hl7.org/fhir/R4/search.html#ptypes).
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from conformance.fetch import EXAMPLES
from conformance.java import java

__all__ = ["definitions", "values_of"]

Json = dict[str, Any]
Asked = tuple[str, str]  # modifier, value

_HOME = "http://hl7.org/fhir/SearchParameter/"
_NAME_PARTS = ("text", "family", "given", "prefix", "suffix")
_ADDRESS_PARTS = ("text", "line", "city", "district", "state", "postalCode", "country")
_LONGEST_WORDS = 100


@cache
def definitions() -> dict[str, dict[str, Json]]:
    """The parameters of each type by code. Those that HL7 gives no expression ask for words or places; those
    of extensions, HL7's examples of how a server adds some, are not R4's own.
    """
    found: dict[str, dict[str, Json]] = {}
    registry = json.loads((EXAMPLES / "Bundle-searchParams.json").read_bytes())
    for one in (entry["resource"] for entry in registry["entry"]):
        said = one.get("expression", "")
        is_own = one.get("url", "").startswith(_HOME) and said and ".extension(" not in said
        if is_own and one["type"] != "special":
            for base in one.get("base", ()):
                found.setdefault(base, {})[one["code"]] = one
    return found


@cache
def _by_url() -> dict[str, Json]:
    return {one["url"]: one for listed in definitions().values() for one in listed.values()}


def of_type(kind: str) -> dict[str, Json]:
    """The parameters that a resource of this type has, but its id and when the server stored it."""
    shared = {**definitions()["Resource"], **definitions().get("DomainResource", {})}
    said = {**shared, **definitions().get(kind, {})}
    return {code: one for code, one in sorted(said.items()) if code not in ("_id", "_lastUpdated")}


def values_of(bodies: Sequence[bytes]) -> list[dict[str, list[Asked] | None]]:
    """For each resource (JSON) and each parameter that has a value there, what must find it; None where HL7's
    engine does not know a function of HL7's definition.
    """
    kinds = [json.loads(body)["resourceType"] for body in bodies]
    lines = (
        b"\t".join(
            (base64.b64encode(body), *(_expression(kind, one).encode() for one in of_type(kind).values()))
        )
        for kind, body in zip(kinds, bodies, strict=True)
    )
    found: list[dict[str, list[Asked] | None]] = []
    for kind, answer in zip(kinds, java("Evaluate", lines), strict=True):
        assert not answer.startswith(b"!"), answer
        parameters = of_type(kind).values()
        listed = zip(parameters, json.loads(answer, parse_float=Decimal), strict=True)
        asked = {
            one["code"]: None if values is None else [a for value in values for a in _asked(one, value)]
            for one, values in listed
        }
        found.append({code: values for code, values in asked.items() if values is None or values})
    return found


def _expression(kind: str, parameter: Json) -> str:
    """What of it looks at this type: what names the type, or none, as InsurancePlan's "name | alias" in R4's
    registry. `as` takes one thing, by FHIRPath, and HL7 means any number, for which later releases say
    `ofType`.
    """
    alternatives = (part.strip() for part in parameter["expression"].split("|"))
    bases = (kind, "Resource", "DomainResource")
    heads = ((part, re.split(r"[. )]", part.lstrip("("))[0]) for part in alternatives)
    mine = " | ".join(part for part, head in heads if head in bases or head[:1].islower())
    parts = (part["expression"] for part in parameter.get("component", ()))
    return re.sub(r"\(([\w.]+) as (\w+)\)", r"\1.ofType(\2)", " ; ".join((mine, *parts)))


def _asked(parameter: Json, value: Any) -> Iterator[Asked]:
    if parameter["type"] == "composite":
        yield from _together(parameter, value)
    elif parameter["type"] in ("token", "reference", "string", "uri"):
        yield from _BY_KIND[parameter["type"]](*value)
    else:
        yield from (("", one) for one in _WRITTEN[parameter["type"]](*value))


def _together(parameter: Json, parts: list[list[Any]]) -> Iterator[Asked]:
    """The first values of each part, joined: what stands beside each other is found together."""
    kinds = [_by_url()[part["definition"]]["type"] for part in parameter["component"]]
    written = [
        [text for value in values for text in _plain(kind, value)]
        for kind, values in zip(kinds, parts, strict=True)
    ]
    if all(written):
        yield "", "$".join(one[0] for one in written)


def _plain(kind: str, value: Any) -> list[str]:
    if kind in _WRITTEN:
        return list(_WRITTEN[kind](*value))
    return [text for modifier, text in _BY_KIND[kind](*value) if not modifier]


def escaped(text: str) -> str:
    """As R4 wants what a value has of its own separators (search.html#escaping)."""
    return re.sub(r"([\\,|$])", r"\\\1", text)


def _token(kind: str, value: Any) -> Iterator[Asked]:
    if isinstance(value, str):
        yield "", escaped(value)
        return
    codings = value.get("coding", ()) if kind == "CodeableConcept" else (value,)
    for one in codings:
        code = one.get("value" if kind in ("Identifier", "ContactPoint") else "code")
        if not code:
            continue
        yield "", escaped(code)
        if kind != "ContactPoint":
            yield "", f"{escaped(one.get('system', ''))}|{escaped(code)}"
        type_ = one.get("type") if kind == "Identifier" else None
        for coding in (type_ or {}).get("coding", ()):
            system, name = escaped(coding.get("system", "")), escaped(coding.get("code", ""))
            if system and name:
                yield ":of-type", f"{system}|{name}|{escaped(code)}"


def _reference(kind: str, value: Any) -> Iterator[Asked]:
    if isinstance(value, str):  # canonical or uri
        if not value.startswith("#"):
            yield "", escaped(value)
        return
    if kind != "Reference":
        return  # a contained resource: it has no address
    text = value.get("reference", "")
    if text and not text.startswith("#"):
        yield "", escaped(text.partition("/_history/")[0])
    identifier = value.get("identifier", {})
    if identifier.get("system") and identifier.get("value"):
        yield ":identifier", f"{escaped(identifier['system'])}|{escaped(identifier['value'])}"


def _string(kind: str, value: Any) -> Iterator[Asked]:
    if isinstance(value, str):
        texts = [value]
    else:
        names = _NAME_PARTS if kind == "HumanName" else _ADDRESS_PARTS
        parts = (value.get(name) for name in names)
        texts = [text for part in parts if part for text in (part if isinstance(part, list) else [part])]
    for text in texts:
        yield "", escaped(text[:_LONGEST_WORDS])
        yield ":exact", escaped(text)
        yield ":contains", escaped(text[1:20] or text)


def _uri(_: str, value: str) -> Iterator[Asked]:
    yield "", escaped(value)


def _date(kind: str, value: Any) -> Iterator[str]:
    if kind == "Timing":
        yield from value.get("event", ())
        value = value.get("repeat", {}).get("boundsPeriod", {})
        start, end = value.get("start"), value.get("end")
    elif isinstance(value, str):
        if not value[:4].isdecimal():  # R4 lets some moments be words: "daily", "January 2012"
            return
        yield value
        start = end = value
    else:
        start, end = value.get("start"), value.get("end")
    if start:
        yield f"ge{start}"
    if end:
        yield f"le{end}"


def _quantity(kind: str, value: Any) -> Iterator[str]:
    if kind == "SampledData":
        return
    if kind == "Range":
        for prefix, name in (("ge", "low"), ("le", "high")):
            if name in value:
                yield from (f"{prefix}{one}" for one in _quantity("Quantity", value[name]))
        return
    if "value" not in value:
        return
    prefix = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}.get(value.get("comparator", ""), "")
    number = f"{prefix}{value['value']}"
    yield number
    code = value.get("code") or value.get("currency")
    if code:
        yield f"{number}|{escaped(value.get('system', ''))}|{escaped(code)}"
    if unit := value.get("unit"):
        yield f"{number}||{escaped(unit)}"


def _number(_: str, value: Any) -> Iterator[str]:
    yield str(value)


_BY_KIND = {"token": _token, "reference": _reference, "string": _string, "uri": _uri}
_WRITTEN = {"date": _date, "quantity": _quantity, "number": _number}
