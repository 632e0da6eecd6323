"""JSON Patch (RFC 6902) of stored resources (http://hl7.org/fhir/R4/http.html#patch). Pure.

Our own, since a patch of few bytes may copy what it copied before: what it costs is counted at each step.
"""

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapter.fhir.codec import dumps
from adapter.repository.interaction_errors import interaction_error
from adapter.repository.request_limits import RequestLimits, over_limit, require_fitting_size

__all__ = ["JSON_PATCH", "PatchOperation", "apply_operation", "parse_json_patch"]

JSON_PATCH: Final = "application/json-patch+json"

_INDEX: Final = re.compile("0|[1-9][0-9]{0,8}")
_BAD_ESCAPE: Final = re.compile("~(?![01])")
_WITH_VALUE: Final = ("add", "replace", "test")
_WITH_FROM: Final = ("move", "copy")


@dataclass(frozen=True, slots=True)
class PatchOperation:
    """One operation; `path` and `source` are the tokens of JSON pointers, `where` its place in the patch."""

    name: str
    path: tuple[str, ...]
    source: tuple[str, ...]
    value: Any
    where: str


def parse_json_patch(sent: Any, limits: RequestLimits, where: str) -> tuple[PatchOperation, ...]:
    """The operations of a patch at `where`. Raises FhirError 400, or 413 for too many."""
    if not isinstance(sent, list):
        raise interaction_error(400, "structure", "not_a_list", where)
    if len(sent) > limits.max_patch_operations:
        raise over_limit(limits, "max_patch_operations", len(sent), where)
    return tuple(_operation(one, f"{where}[{place}]") for place, one in enumerate(sent))


def _operation(sent: Any, where: str) -> PatchOperation:
    name = sent.get("op") if isinstance(sent, dict) else None
    if name not in (*_WITH_VALUE, *_WITH_FROM, "remove") or (name in _WITH_VALUE and "value" not in sent):
        raise interaction_error(400, "structure", "patch_operation", where)
    source = _tokens(sent.get("from"), where) if name in _WITH_FROM else ()
    return PatchOperation(name, _tokens(sent.get("path"), where), source, sent.get("value"), where)


def _tokens(pointer: Any, where: str) -> tuple[str, ...]:
    """RFC 6901."""
    if not isinstance(pointer, str) or pointer[:1] not in ("", "/") or _BAD_ESCAPE.search(pointer):
        raise interaction_error(400, "value", "patch_path", where)
    return tuple(one.replace("~1", "/").replace("~0", "~") for one in pointer.split("/")[1:])


def apply_operation(
    root: list[Any], one: PatchOperation, limits: RequestLimits, spend: Callable[[int], None]
) -> None:
    """Change the resource that `root` holds; it may be another then. `spend` is told how many bytes are
    copied. Raises FhirError 409 where a test fails, 422 where a path leads nowhere.
    """
    if one.name == "test":
        if not _is_equal(_found(root, one.path, one), one.value):
            raise interaction_error(409, "conflict", "patch_test", one.where)
    elif one.name == "remove":
        _take(root, one.path, one)
    elif one.name == "replace":
        _found(root, one.path, one)
        holder, token = _holder(root, one.path, one)
        holder[_index(holder, token, one) if isinstance(holder, list) else token] = copy.deepcopy(one.value)
    elif one.name == "add":
        _put(root, one.path, copy.deepcopy(one.value), one)
    elif one.name == "move":
        if one.path[: len(one.source)] == one.source and one.path != one.source:
            raise interaction_error(422, "processing", "patch_nowhere", one.where)  # into itself
        _put(root, one.path, _take(root, one.source, one), one)
    else:
        value = _found(root, one.source, one)
        require_fitting_size(value, limits)  # before it is copied, which goes as deep as it is
        spend(len(dumps(value)))
        _put(root, one.path, copy.deepcopy(value), one)


def _found(root: list[Any], path: Sequence[str], one: PatchOperation) -> Any:
    value: Any = root[0]
    for token in path:
        value = value[_index(value, token, one)] if isinstance(value, list) else _member(value, token, one)
    return value


def _holder(root: list[Any], path: Sequence[str], one: PatchOperation) -> tuple[Any, str]:
    """What the last token of a path is looked up in."""
    return (_found(root, path[:-1], one), path[-1]) if path else (root, "0")


def _index(values: Sequence[Any], token: str, one: PatchOperation) -> int:
    if not _INDEX.fullmatch(token) or int(token) >= len(values):
        raise interaction_error(422, "processing", "patch_nowhere", one.where)
    return int(token)


def _member(value: Any, token: str, one: PatchOperation) -> Any:
    if not isinstance(value, dict) or token not in value:
        raise interaction_error(422, "processing", "patch_nowhere", one.where)
    return value[token]


def _take(root: list[Any], path: Sequence[str], one: PatchOperation) -> Any:
    value = _found(root, path, one)
    holder, token = _holder(root, path, one)
    if holder is root:
        root[0] = None
    else:
        del holder[int(token) if isinstance(holder, list) else token]
    return value


def _put(root: list[Any], path: Sequence[str], value: Any, one: PatchOperation) -> None:
    holder, token = _holder(root, path, one)
    if holder is root:
        root[0] = value
    elif isinstance(holder, list):
        end = token == "-" or token == str(len(holder))  # noqa: S105 - RFC 6901 for what is not there yet
        holder.insert(len(holder) if end else _index(holder, token, one), value)
    elif isinstance(holder, dict):
        holder[token] = value
    else:
        raise interaction_error(422, "processing", "patch_nowhere", one.where)


def _is_equal(one: Any, other: Any) -> bool:
    """As JSON: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            _is_equal(value, other[name]) for name, value in one.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
