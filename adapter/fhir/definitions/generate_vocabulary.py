"""Makes `vocabulary.json` out of HL7's package:
`python -m adapter.fhir.definitions.generate_vocabulary FOLDER`.

The package is the one that `generate` reads. Kept are HL7's own code systems that the package holds whole,
and of each extension which types its value may have.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapter.fhir.definitions.generate import dumped
from adapter.fhir.definitions.value_sets import by_url, flat
from adapter.fhir.definitions.vocabulary import HOMES, VOCABULARY_FILE

__all__ = ["generate_vocabulary"]

Json = dict[str, Any]


def generate_vocabulary(folder: Path) -> bytes:
    """The table made from the package in `folder`. Raises OSError, KeyError, ValueError for a wrong one."""
    package = json.loads((folder / "package.json").read_bytes())
    found = by_url(folder.glob("CodeSystem-*.json"), "CodeSystem")
    own = {url: system for url, system in found.items() if _is_own(url) and _is_whole(system)}
    systems = {url: sorted({one["code"] for one in flat(system["concept"])}) for url, system in own.items()}
    sensitive = [url for url, system in own.items() if system.get("caseSensitive")]
    return dumped(
        {
            "package": {"name": package["name"], "version": package["version"]},
            "systems": systems,
            "caseSensitive": sorted(sensitive),
            "extensions": dict(_extensions(folder)),
        }
    )


def _is_own(url: str) -> bool:
    return url.startswith(HOMES) and "|" not in url


def _is_whole(system: Json) -> bool:
    return system.get("content") == "complete" and "concept" in system


def _extensions(folder: Path) -> Iterator[tuple[str, str]]:
    """URL and the types of the value, as in "string|code"; none for one that holds extensions."""
    for path in sorted(folder.glob("StructureDefinition-*.json")):
        definition = json.loads(path.read_bytes())
        if definition["type"] != "Extension" or definition.get("derivation") != "constraint":
            continue
        (value,) = (one for one in definition["snapshot"]["element"] if one["path"] == "Extension.value[x]")
        types = sorted({one["code"] for one in value.get("type", ())}) if value["max"] != "0" else []
        yield definition["url"], "|".join(types)


if __name__ == "__main__":
    VOCABULARY_FILE.write_bytes(generate_vocabulary(Path(sys.argv[1])))
