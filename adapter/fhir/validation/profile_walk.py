"""Walks a resource along a profile: what must be there, how often, as what, with which value and code.

Only what the profile asks for beyond its type is looked at: the type's own rules are the resource walk's.
Wrong shapes are passed over, since that walk has named them.
"""

from collections.abc import Iterator
from typing import Any, Final

from adapter.fhir.definitions import types
from adapter.fhir.definitions.profiles import Profile, ProfileNode
from adapter.fhir.validation.invariants.fhirpath_functions import Predicate, choice_exists, has
from adapter.fhir.validation.primitives import target_of
from adapter.fhir.validation.profile_slices import Found, contains, matches, says
from adapter.fhir.validation.walk import LinkedPath, ResourceWalk

__all__ = ["ProfileWalk"]

Json = dict[str, Any]

_MOST_CODES: Final = 20  # that a message lists
# R4's rules of vital signs, after their FHIRPath
_RULES: Final[dict[str, Predicate]] = {
    "vs-1": lambda value: type(value) is not str or len(value) >= 8,
    "vs-2": lambda o: (
        has(o, "component") or has(o, "hasMember") or has(o, "dataAbsentReason") or choice_exists(o, "value")
    ),
    "vs-3": lambda o: choice_exists(o, "value") or has(o, "dataAbsentReason"),
}


class ProfileWalk:
    """One walk along one profile; what is wrong goes to the resource walk's issues."""

    def __init__(self, walk: ResourceWalk, profile: Profile) -> None:
        self._walk = walk
        self._profile = profile

    def run(self, resource: Json, path: LinkedPath) -> None:
        """Look at a resource of the profile's type."""
        self._element(self._profile.root, resource, path, self._profile.type)

    def _element(self, node: ProfileNode, item: Any, path: LinkedPath, type_name: str) -> None:
        said = node.said
        if "fixed" in said and item != said["fixed"]:
            self._say("value", "validation.profile_value", path, value=says(said["fixed"]))
        elif "pattern" in said and not contains(item, said["pattern"]):
            self._say("value", "validation.profile_value", path, value=says(said["pattern"]))
        if node.codes is not None and not _is_coded(item, node.codes):
            codes = sorted({code for listed in node.codes.values() for code in listed})
            self._say("code-invalid", "validation.profile_codes", path, codes=", ".join(codes[:_MOST_CODES]))
        self._reference(said.get("targets"), item, path)
        for key, severity, human, _ in said.get("rules", ()):
            rule = _RULES.get(key)
            if rule is not None and isinstance(item, dict | str) and not rule(item):
                self._walk.add_rule(key, severity, human, path, f"validation.{key}")
        if type(item) is dict:
            for child in node.children.values():
                self._child(child, item, path, type_name)

    def _reference(self, targets: list[str] | None, item: Any, path: LinkedPath) -> None:
        text = item.get("reference") if targets and type(item) is dict else None
        target = target_of(text) if type(text) is str else None
        if targets and target is not None and types.is_resource_type(target) and target not in targets:
            self._say("value", "validation.profile_targets", (path, "reference"), targets=", ".join(targets))

    def _child(self, node: ProfileNode, owner: Json, path: LinkedPath, type_name: str) -> None:
        found = list(_occurrences(node.name, owner, path, type_name))
        self._count(node, len(found), path)
        allowed = node.said.get("types")
        for one in found:
            if allowed and one.choice_type is not None and one.choice_type not in allowed:
                self._say("value", "validation.profile_types", one.path, types=", ".join(allowed))
            elif one.has_value:
                self._element(node, one.value, one.path, one.type)
        if node.slices:
            self._slices(node, found, path)

    def _slices(self, node: ProfileNode, found: list[Found], path: LinkedPath) -> None:
        by = node.said.get("slicing", {}).get("by", [])
        left = list(found)
        is_sure = True
        for slice_ in node.slices.values():
            matched = [one for one in found if matches(one, slice_, by)]
            if any(matches(one, slice_, by) is None for one in found):
                is_sure = False  # this slice cannot be told apart here, so nothing is said of it
                continue
            left = [one for one in left if one not in matched]
            self._count(slice_, len(matched), path, says_slice=True)
            for one in matched:
                if one.has_value:
                    self._element(slice_, one.value, one.path, one.type)
        if is_sure and node.said.get("slicing", {}).get("rules") == "closed":
            for one in left:
                self._say("structure", "validation.profile_closed", one.path)

    def _count(self, node: ProfileNode, count: int, path: LinkedPath, *, says_slice: bool = False) -> None:
        name = node.name.removesuffix("[x]")
        wanted = says(node) if says_slice else ""
        element = f"{node.name} ({wanted})" if wanted else node.name
        if count < node.min:
            self._say("required", "validation.profile_required", (path, name), element=element)
        elif count > node.said.get("max", count):
            self._say(
                "structure",
                "validation.profile_too_many",
                (path, name),
                element=element,
                max=node.said["max"],
            )

    def _say(self, code: str, text: str, path: LinkedPath, **params: Any) -> None:
        self._walk.add(code, "profile", text, path, profile=self._profile.url, **params)


def _occurrences(name: str, owner: Json, path: LinkedPath, type_name: str) -> Iterator[Found]:
    """What stands in `owner` under that name, or under the names of that choice."""
    choice = name.removesuffix("[x]")
    for element in types.elements(type_name).values():
        if (element.choice == choice and name != choice) or (element.name == name):
            here: LinkedPath = (path, element.fhirpath_name)
            # a type with its own shape, or what a primitive is called
            type_ = element.type or element.primitive
            choice_type = _choice_type(element.name, choice, type_) if name != choice else None
            value = owner.get(element.name)
            if type(value) is list:
                yield from (
                    Found(one, (here, index), type_, choice_type, element.name, one is not None)
                    for index, one in enumerate(value)
                )
            elif value is not None or "_" + element.name in owner:
                yield Found(value, here, type_, choice_type, element.name, value is not None)


def _choice_type(name: str, choice: str, type_: str) -> str:
    """`Quantity` of valueQuantity, though the shape may be a narrower one."""
    rest = name.removeprefix(choice)
    return rest if type_[0].isupper() else rest[0].lower() + rest[1:]


def _is_coded(item: Any, codes: Any) -> bool:
    """Whether a code, Coding, CodeableConcept or Quantity is one of these; true for what holds no code."""
    if type(item) is str:
        return any(item in listed for listed in codes.values())
    if type(item) is not dict:
        return True
    if "coding" in item or "text" in item:
        codings = item.get("coding")
        return type(codings) is list and any(_is_coding(one, codes) for one in codings)
    return _is_coding(item, codes) if "code" in item or "system" in item else True


def _is_coding(item: Any, codes: Any) -> bool:
    system, code = (item.get("system"), item.get("code")) if type(item) is dict else (None, None)
    return type(system) is str and type(code) is str and code in codes.get(system, ())
