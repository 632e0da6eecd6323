"""The Bundles that `adapter plan --out` wrote, person by person, for loaders that have nothing but these."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

__all__ = ["Person", "people"]

# What an earlier Bundle creates is referred to by identifier in a file: nobody knew its id yet.
_BY_IDENTIFIER = re.compile(rb'"reference":"([A-Za-z]+\?[a-z_]+=[^"]+)"')


class Person:
    """One person's Bundles, which go one after the other; `known` are the ids that the server gave, by the
    condition of the request.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.known: dict[str, str] = {}

    def bodies(self) -> Iterator[bytes]:
        """Each Bundle as it goes: with the ids that are known by then."""
        for path in self.paths:
            yield _BY_IDENTIFIER.sub(self._id, path.read_bytes())

    def learn(self, entries: Iterable[dict[str, Any]], locations: Iterable[str]) -> None:
        """The server said where it put the entries."""
        for entry, location in zip(entries, locations, strict=True):
            parts = location.split("/_history/")[0].split("/")
            self.known[entry["request"]["url"]] = "/".join(parts[-2:])

    def _id(self, found: re.Match[bytes]) -> bytes:
        return b'"reference":"%s"' % self.known[found[1].decode()].encode()


def people(folder: Path) -> list[Person]:
    """Everybody: a person's first Bundle begins with the Patient, the centre's own stands alone."""
    groups: list[list[Path]] = []
    for path in sorted(folder.rglob("bundle-*.json")):
        first = orjson.loads(path.read_bytes())["entry"][0]["resource"]["resourceType"]
        if not groups or first in ("Patient", "Organization"):
            groups.append([])
        groups[-1].append(path)
    return [Person(group) for group in groups]
