"""Makes `search.json` out of HL7's package: `python -m adapter.fhir.definitions.generate_search FOLDER`.

The package is the one that `generate` reads. Kept are R4's search parameters (Bundle-searchParams.json) that
look at an element; those of extensions, and those that ask for words anywhere (`_text`, `_content`) or for a
place (`near`), have no elements to look at. A SearchParameter-*.json may be an example besides, with the code
of a real one and another meaning. Of each resource type, the summary's elements are kept.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapter.fhir.definitions.generate import dumped
from adapter.fhir.definitions.search_parameters import SEARCH_FILE

__all__ = ["generate_search"]

_ANY = 100  # types that a reference leads to: then it may be any
_HOME = "http://hl7.org/fhir/SearchParameter/"

Json = dict[str, Any]


def generate_search(folder: Path) -> bytes:
    """The table made from the package in `folder`. Raises OSError, KeyError, ValueError for a wrong one."""
    package = json.loads((folder / "package.json").read_bytes())
    found = {one["url"]: one for one in _definitions(folder)}
    parameters: dict[str, Json] = {}
    for one in found.values():
        for base in one["base"]:
            parameters.setdefault(base, {})[one["code"]] = _parameter(one, base, found)
    return dumped(
        {
            "package": {"name": package["name"], "version": package["version"]},
            "summary": dict(_summaries(folder)),
            "parameters": {base: dict(sorted(listed.items())) for base, listed in parameters.items()},
        }
    )


def _definitions(folder: Path) -> Iterator[Json]:
    registry = json.loads((folder / "Bundle-searchParams.json").read_bytes())
    for one in sorted((entry["resource"] for entry in registry["entry"]), key=lambda found: str(found["id"])):
        said = one.get("expression", "")
        is_own = one.get("url", "").startswith(_HOME) and one.get("base") and one["type"] != "special"
        if is_own and said and ".extension(" not in said:
            yield one


def _summaries(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """By resource type, the elements that its summary has; those that every resource has left out."""
    for path in sorted(folder.glob("StructureDefinition-*.json")):
        definition = json.loads(path.read_bytes())
        if definition["kind"] != "resource" or definition.get("derivation") != "specialization":
            continue
        listed = (element for element in definition["snapshot"]["element"] if element.get("isSummary"))
        paths = (element["path"].split(".") for element in listed)
        yield definition["id"], [steps[1].removesuffix("[x]") for steps in paths if len(steps) == 2]


def _parameter(one: Json, base: str, found: dict[str, Json]) -> Json:
    """Its type, the parts of its expression that are of `base`, the types it leads to, its components."""
    parts = (part.strip() for part in one["expression"].split("|"))
    mine = [part for part in parts if part.lstrip("(").split(".")[0].split(" ")[0] == base]
    parameter: Json = {"type": one["type"], "expression": mine}
    if one["type"] == "reference":
        targets = sorted(one.get("target", ()))
        parameter["targets"] = targets if len(targets) < _ANY else []
    if one["type"] == "composite":
        parameter["components"] = [
            [found[part["definition"]]["type"], part["expression"]] for part in one["component"]
        ]
    return parameter


if __name__ == "__main__":
    SEARCH_FILE.write_bytes(generate_search(Path(sys.argv[1])))
