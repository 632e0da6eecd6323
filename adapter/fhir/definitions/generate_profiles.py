"""Makes a table of profiles out of a package:
`python -m adapter.fhir.definitions.generate_profiles FOLDER TABLE`.

FOLDER holds StructureDefinition-*.json with snapshots, and the ValueSet-*.json and CodeSystem-*.json that
they bind to; every package of the FHIR registry, unpacked, is one. Kept is only what a profile asks for
beyond the type that it narrows. Without TABLE the profiles of HL7's own R4 package go into `profiles.json`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from adapter.fhir.definitions import types
from adapter.fhir.definitions.generate import dumped
from adapter.fhir.definitions.profiles import CORE_FILE
from adapter.fhir.definitions.value_sets import ValueSets

__all__ = ["generate_profiles"]

Json = dict[str, Any]

_SPEC: Final = "http://hl7.org/fhir/StructureDefinition/"
_VALUES: Final = ("fixed", "pattern")


def generate_profiles(folder: Path) -> bytes:
    """The table made from the package in `folder`. Raises OSError, KeyError, ValueError for a wrong one."""
    package = json.loads((folder / "package.json").read_bytes())
    values, profiles = ValueSets(folder), {}
    for path in sorted(folder.glob("StructureDefinition-*.json")):
        definition = json.loads(path.read_bytes())
        if definition.get("derivation") != "constraint" or not types.is_resource_type(definition["type"]):
            continue
        if "snapshot" in definition:
            profiles[definition["url"]] = _profile(definition, values)
        else:
            print(f"left out, having no snapshot: {definition['url']}", file=sys.stderr)
    used = {one["valueSet"]: one["codes"] for one in values.used.values() if one["codes"]}
    return dumped(
        {
            "package": {"name": package["name"], "version": package["version"]},
            "profiles": profiles,
            "bindings": used,
        }
    )


def _profile(definition: Json, values: ValueSets) -> Json:
    elements: dict[str, Json] = {}
    for element in definition["snapshot"]["element"]:
        said = dict(_said(element, values))
        if said or ":" in element["id"].rpartition(".")[2]:
            elements[element["id"]] = said
    return {"version": definition.get("version", ""), "type": definition["type"], "elements": elements}


def _said(element: Json, values: ValueSets) -> Iterator[tuple[str, Any]]:
    """What an element of a snapshot asks for beyond its base."""
    yield from _cardinality(element)
    for name, value in element.items():
        if name.startswith(_VALUES):
            yield ("fixed" if name.startswith("fixed") else "pattern"), value
    yield from _slicing(element)
    if element["path"].endswith("[x]"):
        yield "types", [one["code"] for one in element["type"]]
    binding = element.get("binding", {})
    if binding.get("strength") == "required" and _is_new(element, binding["valueSet"]):
        values.use(binding["valueSet"])
        yield "binding", binding["valueSet"].partition("|")[0]
    if targets := _targets(element):
        yield "targets", targets
    if rules := [one for one in element.get("constraint", ()) if _is_own(one, element)]:
        yield "rules", [[one["key"], one["severity"], one["human"], one["expression"]] for one in rules]


def _cardinality(element: Json) -> Iterator[tuple[str, Any]]:
    """A slice may be missing, whatever its element may be, unless it says otherwise itself."""
    base, is_slice = element.get("base", element), "sliceName" in element
    if element["min"] > (0 if is_slice else base["min"]):
        yield "min", element["min"]
    if element["max"] != "*" and (is_slice or element["max"] != base["max"]):
        yield "max", int(element["max"])


def _slicing(element: Json) -> Iterator[tuple[str, Any]]:
    """Extensions are always told apart by their URL."""
    if element["path"].endswith("xtension"):
        if "sliceName" in element:
            yield from (("url", one["profile"][0]) for one in element["type"] if "profile" in one)
    elif "slicing" in element:
        slicing = element["slicing"]
        found = [[one["type"], one["path"]] for one in slicing.get("discriminator", ())]
        yield "slicing", {"by": found, "rules": slicing["rules"]}


def _is_new(element: Json, value_set: str) -> bool:
    """Whether the type itself does not bind the element so; it says so in its own table."""
    owner, _, name = element["path"].rpartition(".")
    known = types.elements(owner).get(name)
    return known is None or (known.binding or "").partition("|")[0] != value_set.partition("|")[0]


def _targets(element: Json) -> list[str]:
    """The types that a reference may lead to, where all are plain ones; a profile counts as its own type
    only where it is HL7's.
    """
    listed = [
        url
        for one in element.get("type", ())
        if one["code"] == "Reference"
        for url in one.get("targetProfile", ())
    ]
    names = ["Observation" if url == f"{_SPEC}vitalsigns" else url.removeprefix(_SPEC) for url in listed]
    known = types.elements(element["path"].rpartition(".")[0]).get(element["path"].rpartition(".")[2])
    is_narrower = known is not None and set(names) < known.targets
    return sorted(set(names)) if is_narrower and all(map(types.is_resource_type, names)) else []


def _is_own(constraint: Json, element: Json) -> bool:
    """Whether the rule is the profile's and not its type's."""
    known = {rule.key for rule in types.invariants(element["path"])}
    is_common = constraint["key"].startswith(("ele-", "ext-", "dom-"))
    return (
        "expression" in constraint
        and not is_common
        and constraint["key"] not in known
        and _is_local(constraint)
    )


def _is_local(constraint: Json) -> bool:
    source = constraint.get("source", "")
    return not source.startswith(_SPEC) or not types.elements(source.removeprefix(_SPEC))


if __name__ == "__main__":
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else CORE_FILE
    target.write_bytes(generate_profiles(Path(sys.argv[1])))
