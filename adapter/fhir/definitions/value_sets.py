"""The value sets and code systems of a package of HL7's, from which tables are made; nothing at run time."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["ValueSets", "by_url", "flat"]

Json = dict[str, Any]


class ValueSets:
    """Expands value sets to codes by system, as far as the code systems of a package list them.

    `used` holds, by short name, the value sets that were asked for: URL and codes, none for an open one.
    """

    def __init__(self, folder: Path) -> None:
        self.used: dict[str, Json] = {}
        self._sets = by_url(folder.glob("ValueSet-*.json"), "ValueSet")
        self._systems = by_url(folder.glob("CodeSystem-*.json"), "CodeSystem")

    def use(self, canonical: str) -> str:
        """The short name of a value set, which is expanded the first time."""
        url = canonical.partition("|")[0]
        name = url.rpartition("/")[2]
        codes = self._expand(url)
        known = self.used.setdefault(name, {"valueSet": url, "codes": codes or {}})
        if known["valueSet"] != url:
            raise ValueError(f"two value sets are called {name}")
        return name

    def _expand(self, url: str) -> dict[str, list[str]] | None:
        """Codes by system; None when the set is open."""
        found = self._sets.get(url)
        if found is None:
            return None
        codes: dict[str, list[str]] = {}
        for include in found.get("compose", {}).get("include", ()):
            part = self._part(include)
            if part is None:
                return None
            for system, listed in part.items():
                codes.setdefault(system, []).extend(code for code in listed if code not in codes[system])
        for exclude in found.get("compose", {}).get("exclude", ()):
            for system, listed in (self._part(exclude) or {}).items():
                codes[system] = [code for code in codes.get(system, ()) if code not in listed]
        return codes or None

    def _part(self, part: Json) -> dict[str, list[str]] | None:
        if "system" not in part:
            return self._union(part["valueSet"])
        system = part["system"]
        if "concept" in part:
            return {system: [concept["code"] for concept in part["concept"]]}
        known = self._systems.get(system)
        if known is None or known.get("content") != "complete" or "concept" not in known:
            return None
        filters = part.get("filter", ())
        if not filters:
            return {system: [concept["code"] for concept in flat(known["concept"])]}
        if len(filters) == 1 and filters[0]["op"] == "is-a":
            return {system: _below(known, filters[0]["value"])}
        return None

    def _union(self, urls: list[str]) -> dict[str, list[str]] | None:
        codes: dict[str, list[str]] = {}
        for url in urls:
            part = self._expand(url.partition("|")[0])
            if part is None:
                return None
            for system, listed in part.items():
                codes.setdefault(system, []).extend(listed)
        return codes


def by_url(paths: Iterable[Path], resource_type: str) -> dict[str, Json]:
    """The resources of that type in these files, by canonical URL."""
    found: dict[str, Json] = {}
    for path in sorted(paths):
        resource = json.loads(path.read_bytes())
        if resource["resourceType"] == resource_type and "url" in resource:
            found.setdefault(resource["url"], resource)
    return found


def flat(concepts: list[Json]) -> Iterator[Json]:
    """All concepts, each before those below it."""
    for concept in concepts:
        yield concept
        yield from flat(concept.get("concept", []))


def _below(system: Json, top: str) -> list[str]:
    """A code and all below it, by nesting or by the property `subsumedBy`."""
    found = [top]
    for concept in flat(system["concept"]):
        parents = [
            one.get("valueCode")
            for one in concept.get("property", ())
            if one["code"] in ("subsumedBy", "parent")
        ]
        if concept["code"] == top:
            found += [one["code"] for one in flat(concept.get("concept", []))]
        elif any(parent in found for parent in parents):
            found.append(concept["code"])
    return found
