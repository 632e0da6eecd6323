"""Profiles by canonical URL: HL7's own of R4 (`profiles.json`), and those of guides that a hospital follows.

A table is made by `generate_profiles` out of a package. What a resource claims in `meta.profile` is looked up
by canonical URL and version, never by the name of a package: two guides may share one. In the table:

- `package`: name and version of the package, for people alone;
- `profiles`: by canonical URL its version, the type that it narrows, and by the id of an element in the
  snapshot (`Observation.category:VSCat.coding.code`) what it asks for: `min`, `max`, `fixed`, `pattern`,
  `types`, `binding` (a value set's URL), `targets`, `slicing`, and `rules` (key, severity, words, FHIRPath);
- `bindings`: by the URL of a value set its codes by system; one that is missing is open.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from adapter.errors import UsageError

__all__ = ["CORE_FILE", "KnownProfiles", "Profile", "ProfileNode", "core_profiles", "load_profiles"]

Json = dict[str, Any]

_OF_A_PROFILE: Final = frozenset(("version", "type", "elements"))
CORE_FILE: Final = Path(__file__).with_name("profiles.json")


@dataclass(slots=True)
class ProfileNode:
    """What a profile asks of one element, of its slices and of the elements below it."""

    name: str
    said: Json = field(default_factory=dict)
    children: "dict[str, ProfileNode]" = field(default_factory=dict)
    slices: "dict[str, ProfileNode]" = field(default_factory=dict)
    codes: Mapping[str, frozenset[str]] | None = None  # of a required binding, by system

    @property
    def min(self) -> int:
        """How many there must be."""
        return int(self.said.get("min", 0))


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile, ready to be looked along; `root` stands for the resource."""

    url: str
    version: str
    type: str
    root: ProfileNode


class KnownProfiles:
    """The profiles of some tables."""

    def __init__(self, tables: Iterable[Json]) -> None:
        self._said: dict[str, tuple[Json, Json]] = {}
        self._made: dict[str, Profile] = {}
        for table in tables:
            for url, said in table["profiles"].items():
                for key in (url, f"{url}|{said['version']}"):
                    known = self._said.setdefault(key, (said, table["bindings"]))
                    if known[0] != said:
                        raise UsageError("validate.profile_twice", profile=key)

    def find(self, canonical: str) -> Profile | None:
        """The profile of that canonical URL, in that version where it names one; None for an unknown one."""
        found = self._said.get(canonical)
        if found is None:
            return None
        if canonical not in self._made:
            self._made[canonical] = _profile(canonical.partition("|")[0], *found)
        return self._made[canonical]


@cache
def core_profiles() -> KnownProfiles:
    """HL7's own profiles of R4."""
    return KnownProfiles([json.loads(CORE_FILE.read_bytes())])


def load_profiles(files: Iterable[Path]) -> KnownProfiles:
    """HL7's own profiles and those of these tables. Raises UsageError for a file that is no table, and where
    two tables say different things of one profile.
    """
    return KnownProfiles([json.loads(CORE_FILE.read_bytes()), *map(_table, files)])


def _table(file: Path) -> Json:
    try:
        table = json.loads(file.read_bytes())
    except (OSError, ValueError) as problem:
        raise UsageError("validate.no_profiles", path=str(file)) from problem
    if not _is_table(table):
        raise UsageError("validate.no_profiles", path=str(file))
    found: Json = table
    return found


def _is_table(table: object) -> bool:
    if not isinstance(table, dict):
        return False
    profiles, bindings = table.get("profiles"), table.get("bindings")
    return (
        isinstance(profiles, dict)
        and isinstance(bindings, dict)
        and all(isinstance(one, dict) and one.keys() >= _OF_A_PROFILE for one in profiles.values())
    )


def _profile(url: str, said: Json, bindings: Json) -> Profile:
    root = ProfileNode(said["type"])
    for path, asked in said["elements"].items():
        node = root
        for step in path.split(".")[1:]:
            name, _, slice_ = step.partition(":")
            node = node.children.setdefault(name, ProfileNode(name))
            if slice_:
                node = node.slices.setdefault(slice_, ProfileNode(name))
        node.said = asked
        if codes := bindings.get(asked.get("binding", "")):
            node.codes = {system: frozenset(listed) for system, listed in codes.items()}
    return Profile(url, said["version"], said["type"], root)
