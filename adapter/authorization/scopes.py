"""SMART's scopes of a system client, `system/Type.cruds`: what is asked for, granted, and needed. Pure.

http://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["ALL_SCOPES", "Right", "Scope", "granted_scopes", "is_allowed", "parse_scopes", "written_scopes"]

Right = Literal["c", "r", "u", "d", "s"]

_RIGHTS: Final = "cruds"  # the order that SMART asks for
_FORM: Final = re.compile(r"system/(?P<type>\*|[A-Z][A-Za-z]+)\.(?P<rights>\*|read|write|c?r?u?d?s?)")
_MAX_SCOPES: Final = 200  # that are looked at
_FIRST_VERSION: Final = {"read": "rs", "write": "cud", "*": _RIGHTS}


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """Rights, letters of `cruds`, on one type or on `*`."""

    type: str
    rights: str

    def __str__(self) -> str:
        return f"system/{self.type}.{self.rights}"


ALL_SCOPES: Final = (Scope("*", _RIGHTS),)


def parse_scopes(text: str) -> tuple[Scope, ...]:
    """The scopes of a list with blanks that are ours to give; others (`openid`, `patient/…`, one narrowed by
    a query) are left out. Version 1's `.read`, `.write` and `.*` say the same as `.rs`, `.cud` and `.cruds`.
    """
    found = (_FORM.fullmatch(word) for word in text.split()[:_MAX_SCOPES])
    return _gathered(
        (one["type"], _FIRST_VERSION.get(one["rights"], one["rights"])) for one in found if one is not None
    )


def granted_scopes(asked: Iterable[Scope], allowed: Iterable[Scope]) -> tuple[Scope, ...]:
    """What of `asked` lies within `allowed`: `*` on one side means each type of the other."""
    may = tuple(allowed)
    return _gathered(
        (one.type if other.type == "*" else other.type, "".join(_common(one.rights, other.rights)))
        for one in asked
        for other in may
        if "*" in (one.type, other.type) or one.type == other.type
    )


def is_allowed(scopes: Iterable[Scope], right: Right, type_: str) -> bool:
    """Whether one of them gives `right` on `type_` (`*`: on every type)."""
    return any(right in one.rights and one.type in ("*", type_) for one in scopes)


def written_scopes(scopes: Iterable[Scope]) -> str:
    """As an authorization server writes them."""
    return " ".join(str(one) for one in scopes)


def _common(one: str, other: str) -> Iterable[str]:
    return (right for right in _RIGHTS if right in one and right in other)


def _gathered(pairs: Iterable[tuple[str, str]]) -> tuple[Scope, ...]:
    """Each type once, with all its rights; what gives none is nothing."""
    rights: dict[str, set[str]] = {}
    for type_, some in pairs:
        rights.setdefault(type_, set()).update(some)
    return tuple(
        Scope(type_, "".join(_common(_RIGHTS, "".join(some))))
        for type_, some in sorted(rights.items())
        if some
    )
