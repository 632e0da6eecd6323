"""Makes `r4.json` out of HL7's package: `python -m adapter.fhir.definitions.generate PACKAGE_FOLDER`.

The package is `hl7.fhir.r4.examples` 4.0.1 (CC0-1.0): StructureDefinition-*.json, ValueSet-*.json and
CodeSystem-*.json. The same package gives the same bytes.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapter.fhir.definitions.table import TABLE_FILE
from adapter.fhir.definitions.value_sets import ValueSets

__all__ = ["dumped", "generate"]

_SPEC = "http://hl7.org/fhir/StructureDefinition/"
_PRIMITIVE_OF = "structuredefinition-fhir-type"
_PROFILES = ("SimpleQuantity",)  # the only profile that R4 itself puts on an element of its types

Json = dict[str, Any]


def generate(folder: Path) -> bytes:
    """The table made from the package in `folder`. Raises OSError, KeyError, ValueError for a wrong one."""
    package = json.loads((folder / "package.json").read_bytes())
    definitions = list(_definitions(folder))
    values = ValueSets(folder)
    types: dict[str, Json] = {}
    rules: dict[str, dict[str, list[str]]] = {}
    for definition in definitions:
        types.update(_types(definition, values))
        for path, found in _rules(definition):
            rules.setdefault(path, {}).update(found)
    _only_own(types)
    return dumped(
        {
            "package": {"name": package["name"], "version": package["version"]},
            "types": types,
            "bindings": values.used,
            "open": sorted(name for name, one in values.used.items() if not one["codes"]),
            "rules": rules,
        }
    )


def _definitions(folder: Path) -> Iterator[Json]:
    for path in sorted(folder.glob("StructureDefinition-*.json")):
        definition = json.loads(path.read_bytes())
        is_own = definition.get("derivation") != "constraint" or definition["id"] in _PROFILES
        if is_own and definition["kind"] in ("resource", "complex-type"):
            yield definition


def _types(definition: Json, values: ValueSets) -> dict[str, Json]:
    """The type of a definition and those of its backbone elements, each with all its elements."""
    listed = definition["snapshot"]["element"]
    root = definition["id"]
    base = definition.get("baseDefinition", "").removeprefix(_SPEC)
    types: dict[str, Json] = {root: {"kind": definition["kind"], "base": base, "elements": {}}}
    parents = {element["path"].rpartition(".")[0] for element in listed}
    for element in listed[1:]:
        path = _renamed(element["path"], definition)
        owner, _, name = path.rpartition(".")
        if element["path"] in parents:
            types[path] = {"kind": "backbone", "base": element["type"][0]["code"], "elements": {}}
        is_backbone = element["path"] in parents
        types[owner]["elements"][name] = _element(element, path if is_backbone else "", values)
    return types


def _renamed(path: str, definition: Json) -> str:
    """A profile's elements carry the name of the type that it narrows."""
    head, dot, rest = path.partition(".")
    return f"{definition['id'] if head == definition['type'] else head}{dot}{rest}"


def _element(element: Json, backbone: str, values: ValueSets) -> str:
    cardinality = f"{element['min']}..{element['max']}"
    if reference := element.get("contentReference"):
        return f"{cardinality} {reference}"
    named = backbone or "|".join(
        _type(one, element.get("base", {}).get("path", "")) for one in element["type"]
    )
    binding = element.get("binding", {})
    if binding.get("strength") == "required" and "valueSet" in binding:
        return f"{cardinality} {named} = {values.use(binding['valueSet'])}"
    return f"{cardinality} {named}"


def _type(one: Json, path: str) -> str:
    """`code`, `Quantity`, `Reference(Patient,Group)`; `path` is where the element was first defined."""
    for extension in one.get("extension", ()):
        if extension["url"].endswith(_PRIMITIVE_OF):
            # the definitions say "string" of a resource's id too; the specification's page says id
            return "id" if path == "Resource.id" else str(extension["valueUrl"])
    code: str = one["code"]
    profiles: list[str] = [url.removeprefix(_SPEC) for url in one.get("profile", ())]
    if profiles and profiles[0] in _PROFILES:
        return profiles[0]
    targets = [url.removeprefix(_SPEC) for url in one.get("targetProfile", ())]
    if code == "Reference" and targets and "Resource" not in targets:
        return f"Reference({','.join(sorted(targets))})"
    return code


def _rules(definition: Json) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """The invariants by element, without those that a base or the element's own type brings anyway."""
    for element in definition["snapshot"]["element"]:
        path = _renamed(element["path"], definition)
        found = {
            one["key"]: [one["severity"], one["human"], one["expression"]]
            for one in element.get("constraint", ())
            if _is_own(one["key"], path)
        }
        if found:
            yield path, found


def _is_own(key: str, path: str) -> bool:
    """What every element, extension or resource must keep is said once, where it comes from."""
    if key.startswith(("ele-", "ext-", "dom-")):
        return path in ("Element", "Extension", "DomainResource")
    return True


def _only_own(types: dict[str, Json]) -> None:
    """Leave out of each type what its base says already in the same words."""
    whole = {name: one["elements"] for name, one in types.items()}
    for name, one in types.items():
        inherited = whole.get(one["base"], {})
        one["elements"] = {
            element: said for element, said in whole[name].items() if inherited.get(element) != said
        }


def dumped(table: Json) -> bytes:
    """JSON with one line for each entry, so that a change can be read."""
    parts = []
    for key, value in table.items():
        if isinstance(value, dict) and key != "package":
            lines = [f"{json.dumps(name)}:{_compact(value[name])}" for name in sorted(value)]
            parts.append(f"{json.dumps(key)}:{{\n" + ",\n".join(lines) + "\n}")
        else:
            parts.append(f"{json.dumps(key)}:{_compact(value)}")
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    TABLE_FILE.write_bytes(generate(Path(sys.argv[1])))
