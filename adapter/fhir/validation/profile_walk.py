"""Walks a resource along a profile: what must be there, how often, as what, with which value and code.

A profile is made ready once, for each Observation of a vital sign is looked at. Only what it asks for beyond
its type is: the type's own rules are the resource walk's. Wrong shapes are passed over, for that walk has
named them.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final, NamedTuple

from adapter.fhir.definitions import types
from adapter.fhir.definitions.profiles import Profile, ProfileNode
from adapter.fhir.validation.invariants.fhirpath_functions import Predicate, choice_exists, has
from adapter.fhir.validation.primitives import target_of
from adapter.fhir.validation.profile_slices import Discriminator, contains, discriminators, says
from adapter.fhir.validation.walk import LinkedPath, ResourceWalk

__all__ = ["ReadyProfile", "ready_profile"]

Json = dict[str, Any]

_MOST_CODES: Final = 20  # that a message lists
_NOTHING: Final = object()
_MANY: Final = 2**31
_OFTEN_THE_SAME: Final = ("category", "coding")  # from one resource to the next
# R4's rules of vital signs, after their FHIRPath
_RULES: Final[dict[str, Predicate]] = {
    "vs-1": lambda value: type(value) is not str or len(value) >= 8,
    "vs-2": lambda o: _has_value(o) or has(o, "component") or has(o, "hasMember"),
    "vs-3": lambda o: _has_value(o),  # noqa: PLW0108 - it stands below
}


def _has_value(observed: Json) -> bool:
    return (
        "valueQuantity" in observed or choice_exists(observed, "value") or has(observed, "dataAbsentReason")
    )


def ready_profile(profile: Profile) -> "ReadyProfile":
    """What to call with each resource that should keep the profile."""
    return ReadyProfile(profile.root, profile.type, profile.url)


class ReadyProfile:
    """What a profile asks of an element of one type; `check` says where it is not so."""

    __slots__ = (
        *("_children", "_codes", "_fixed", "_has_own", "_is_fixed", "_pattern", "_profile", "_rules"),
        *("_starts", "_targets"),
    )

    def __init__(self, node: ProfileNode, type_name: str, profile: str) -> None:
        self._profile = profile
        self._fixed = node.said.get("fixed", _NOTHING)
        self._pattern = node.said.get("pattern", _NOTHING)
        self._codes = node.codes
        self._targets = frozenset(node.said.get("targets", ()))
        self._starts = tuple(target + sign for target in self._targets for sign in "/?")
        self._rules = tuple(
            (key, severity, human, _RULES[key])
            for key, severity, human, _ in node.said.get("rules", ())
            if key in _RULES
        )
        self._children = tuple(_ReadyChild(one, type_name, profile) for one in node.children.values())
        self._is_fixed = "fixed" in node.said and node.codes is None
        self._is_fixed &= not node.said.keys() & {"pattern", "targets", "rules"}
        self._has_own = node.codes is not None or bool(
            node.said.keys() & {"fixed", "pattern", "targets", "rules"}
        )

    @property
    def asks(self) -> bool:
        """Whether it asks for anything."""
        return self._has_own or bool(self._children)

    def check(self, walk: ResourceWalk, item: Any, path: LinkedPath) -> None:
        """Look at one element, and at what is below it."""
        if self._has_own and not (self._is_fixed and item == self._fixed):
            self._check_own(walk, item, path)
        if type(item) is dict:
            for child in self._children:
                child.check(walk, item, path)

    def _check_own(self, walk: ResourceWalk, item: Any, path: LinkedPath) -> None:
        if self._fixed is not _NOTHING and item != self._fixed:
            self._say(walk, "value", "validation.profile_value", path, value=says(self._fixed))
        if self._pattern is not _NOTHING and not contains(item, self._pattern):
            self._say(walk, "value", "validation.profile_value", path, value=says(self._pattern))
        if self._codes is not None and not _is_coded(item, self._codes):
            codes = sorted({code for listed in self._codes.values() for code in listed})
            listed = ", ".join(codes[:_MOST_CODES])
            self._say(walk, "code-invalid", "validation.profile_codes", path, codes=listed)
        if self._targets and not self._leads_to_target(item):
            self._check_target(walk, item, path)
        for key, severity, human, rule in self._rules:
            if isinstance(item, dict | str) and not rule(item):
                walk.add_rule(key, severity, human, path, f"validation.{key}")

    def _leads_to_target(self, item: Any) -> bool:
        """Whether it surely leads to none but a target: a relative reference begins with its type."""
        text = item.get("reference") if type(item) is dict else None
        return type(text) is str and text.startswith(self._starts)

    def _check_target(self, walk: ResourceWalk, item: Any, path: LinkedPath) -> None:
        text = item.get("reference") if type(item) is dict else None
        target = target_of(text) if type(text) is str else None
        if target is not None and types.is_resource_type(target) and target not in self._targets:
            listed = ", ".join(sorted(self._targets))
            self._say(walk, "value", "validation.profile_targets", (path, "reference"), targets=listed)

    def _say(self, walk: ResourceWalk, code: str, text: str, path: LinkedPath, **params: Any) -> None:
        walk.add(code, "profile", text, path, profile=self._profile, **params)


class _Form(NamedTuple):
    """A JSON name under which an element may stand; `choice_type` is the type of a choice ("Quantity")."""

    name: str
    sibling: str
    choice_type: str | None
    element: ReadyProfile
    is_allowed: bool  # not where a choice must be of another type
    asks: bool  # whether anything is asked of it


class _Slice(NamedTuple):
    node: ProfileNode
    by: tuple[Discriminator, ...] | None  # None where it cannot be told apart here
    elements: Mapping[str, ReadyProfile]  # by JSON name
    said: str  # in words, by what it is known


class _ReadyChild:
    """What a profile asks of the elements of one name below another one."""

    __slots__ = (
        *("_form_of", "_forms", "_is_closed", "_is_remembered", "_is_simple", "_max", "_may_miss", "_min"),
        *("_name", "_names", "_node", "_profile", "_right", "_slices", "_step"),
    )

    def __init__(self, node: ProfileNode, owner: str, profile: str) -> None:
        self._node, self._profile = node, profile
        self._step = node.name.removesuffix("[x]")
        self._min, self._max = node.min, node.said.get("max", _MANY)
        self._right: Any = None  # what was right the last time
        self._is_remembered = self._step in _OFTEN_THE_SAME
        self._forms = tuple(_forms(node, owner, profile))
        slicing = node.said.get("slicing", {})
        self._slices = tuple(
            _Slice(
                one,
                discriminators(one, slicing.get("by", [])),
                _elements(one, node, owner, profile),
                says(one),
            )
            for one in node.slices.values()
            if not _is_of_type(node, one)
        )
        told_apart = all(one.by is not None for one in self._slices)
        self._is_closed = slicing.get("rules") == "closed" and told_apart and bool(self._slices)
        # What is decided once, since most elements are not there, or there once and as they should be
        self._form_of = {form.name: form for form in self._forms if form.is_allowed}
        self._name = self._forms[0].name if len(self._forms) == 1 else None
        self._names = frozenset(name for form in self._forms for name in (form.name, form.sibling))
        self._may_miss = self._min == 0 and not any(one.node.min for one in self._slices)
        self._is_simple = not self._slices and self._min <= 1 <= self._max

    def check(self, walk: ResourceWalk, owner: Json, path: LinkedPath) -> None:
        """Look at all of them in `owner`."""
        codings = owner.get(self._step) if self._is_remembered else None
        if codings is not None and codings == self._right:
            return
        name = self._name if self._name in owner else self._only_name(owner)
        if name is None and self._may_miss:
            return
        if name is not None and self._is_simple and self._check_single(walk, owner, name, path):
            return
        before = walk.noted
        self._check(walk, owner, path)
        if codings is not None and walk.noted == before:
            self._right = deepcopy(codings)  # a caller may change what it gave

    def _only_name(self, owner: Json) -> str | None:
        """The only name under which the element stands in `owner`; "" where it is not as simple as that."""
        if self._name is not None:
            return "" if self._forms[0].sibling in owner else None
        names = self._names.intersection(owner)
        if len(names) > 1:
            return ""
        return next(iter(names), None)

    def _check_single(self, walk: ResourceWalk, owner: Json, name: str, path: LinkedPath) -> bool:
        """Look at the only one, where there is one value and it may be there; else False."""
        form, value = self._form_of.get(name), owner.get(name)
        if form is None or value is None or type(value) is list:
            return False
        if form.asks:
            form.element.check(walk, value, (path, self._step))
        return True

    def _check(self, walk: ResourceWalk, owner: Json, path: LinkedPath) -> None:
        here: LinkedPath = (path, self._step)
        found: list[tuple[_Form, Any, LinkedPath]] = []
        for form in self._forms:
            value = owner.get(form.name)
            if value is None:
                if form.sibling in owner:
                    found.append((form, None, here))
            elif type(value) is list:
                found += [(form, one, (here, index)) for index, one in enumerate(value)]
            else:
                found.append((form, value, here))
        if not self._min <= len(found) <= self._max:
            self._say_count(walk, self._node, len(found), here)
        for form, value, place in found:
            if not form.is_allowed:
                allowed = ", ".join(self._node.said["types"])
                self._say(walk, "value", "validation.profile_types", place, types=allowed)
            elif value is not None and form.asks:  # else there is a reason in its place
                form.element.check(walk, value, place)
        if self._slices:
            self._check_slices(walk, found, here)

    def _check_slices(
        self, walk: ResourceWalk, found: list[tuple[_Form, Any, LinkedPath]], here: LinkedPath
    ) -> None:
        left = list(range(len(found)))
        for slice_ in self._slices:
            if slice_.by is None:
                continue
            matched = [
                index
                for index, (form, value, _) in enumerate(found)
                if all(by.matches(value, form.choice_type) for by in slice_.by)
            ]
            if not slice_.node.min <= len(matched) <= slice_.node.said.get("max", _MANY):
                self._say_count(walk, slice_.node, len(matched), here, slice_.said)
            for index in matched:
                form, value, place = found[index]
                if value is not None and form.name in slice_.elements:
                    slice_.elements[form.name].check(walk, value, place)
            if self._is_closed:
                left = [index for index in left if index not in matched]
        if self._is_closed:
            for index in left:
                self._say(walk, "structure", "validation.profile_closed", found[index][2])

    def _say_count(
        self, walk: ResourceWalk, node: ProfileNode, count: int, here: LinkedPath, known_by: str = ""
    ) -> None:
        element = f"{node.name} ({known_by})" if known_by else node.name
        if count < node.min:
            self._say(walk, "required", "validation.profile_required", here, element=element)
        else:
            most = node.said["max"]
            self._say(walk, "structure", "validation.profile_too_many", here, element=element, max=most)

    def _say(self, walk: ResourceWalk, code: str, text: str, path: LinkedPath, **params: Any) -> None:
        walk.add(code, "profile", text, path, profile=self._profile, **params)


def _forms(node: ProfileNode, owner: str, profile: str) -> Iterator[_Form]:
    """The names under which the element may stand in its owner: several for a choice."""
    choice = node.name.removesuffix("[x]")
    allowed = node.said.get("types")
    for element in types.elements(owner).values():
        if element.name != node.name and (element.choice != choice or node.name == choice):
            continue
        type_ = element.type or element.primitive
        choice_type = None if node.name == choice else _choice_type(element.name.removeprefix(choice), type_)
        is_allowed = choice_type is None or not allowed or choice_type in allowed
        made = ReadyProfile(_with_type(node, choice_type), type_, profile)
        yield _Form(element.name, "_" + element.name, choice_type, made, is_allowed, made.asks)


def _is_of_type(node: ProfileNode, slice_: ProfileNode) -> bool:
    """Whether the slice is one of the types of a choice, and may be there: then it is the form itself."""
    by = node.said.get("slicing", {}).get("by")
    may_be = slice_.min == 0 and slice_.said.get("max", 1) == 1
    return by == [["type", "$this"]] and may_be and len(slice_.said.get("types", ())) == 1


def _with_type(node: ProfileNode, choice_type: str | None) -> ProfileNode:
    """What is asked of a choice, and of that type of it."""
    for slice_ in node.slices.values():
        if _is_of_type(node, slice_) and slice_.said["types"] == [choice_type]:
            said = {**node.said, **slice_.said}
            children = {**node.children, **slice_.children}
            return ProfileNode(node.name, said, children, {}, slice_.codes or node.codes)
    return node


def _elements(slice_: ProfileNode, node: ProfileNode, owner: str, profile: str) -> dict[str, ReadyProfile]:
    named = ProfileNode(node.name, slice_.said, slice_.children, slice_.slices, slice_.codes)
    return {one.name: one.element for one in _forms(named, owner, profile) if one.is_allowed}


def _choice_type(rest: str, type_: str) -> str:
    """`Quantity` of valueQuantity, though the shape may be a narrower one; `dateTime` of valueDateTime."""
    return rest if type_[0].isupper() else rest[0].lower() + rest[1:]


def _is_coded(item: Any, codes: Mapping[str, frozenset[str]]) -> bool:
    """Whether a code, Coding, CodeableConcept or Quantity is one of these; true for what holds no code."""
    if type(item) is str:
        return any(item in listed for listed in codes.values())
    if type(item) is not dict:
        return True
    if "coding" in item or "text" in item:
        codings = item.get("coding")
        return type(codings) is list and any(_is_coding(one, codes) for one in codings)
    return _is_coding(item, codes) if "code" in item or "system" in item else True


def _is_coding(item: Any, codes: Mapping[str, frozenset[str]]) -> bool:
    system, code = (item.get("system"), item.get("code")) if type(item) is dict else (None, None)
    return type(system) is str and type(code) is str and code in codes.get(system, ())
