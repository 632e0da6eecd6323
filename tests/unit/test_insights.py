"""The read side gives frozen values, all the way down."""

import ast
import collections.abc
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from pydantic import BaseModel

from adapter.insights import insights
from adapter.insights.insights import Insights

PLAIN = (str, bytes, int, float, bool, type(None), date, datetime, time, timedelta, Decimal, Path)
READ_ONLY = (tuple, frozenset, collections.abc.Sequence, collections.abc.Mapping)

Method = Callable[..., Any]


def mutable_parts(annotation: Any, seen: frozenset[Any] = frozenset()) -> Iterator[Any]:
    """What a value of this type could be changed by. Nothing is said against Any in a field or a mapping:
    there it is a value of JSON.
    """
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType) or origin in READ_ONLY:
        json = origin is collections.abc.Mapping
        for part in typing.get_args(annotation):
            if part is not Ellipsis and not (json and part is Any):
                yield from mutable_parts(part, seen)
    elif is_record(annotation):
        yield from _mutable_fields(annotation, seen)
    elif origin is not typing.Literal and not (
        isinstance(annotation, type) and issubclass(annotation, (*PLAIN, Enum))
    ):
        yield annotation


def is_record(annotation: Any) -> bool:
    """Whether it is a dataclass, a named tuple or a record's model."""
    return isinstance(annotation, type) and (
        is_dataclass(annotation) or hasattr(annotation, "_fields") or issubclass(annotation, BaseModel)
    )


def _mutable_fields(class_: Any, seen: frozenset[Any]) -> Iterator[Any]:
    if is_dataclass(class_) and not class_.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        yield class_
    elif issubclass(class_, BaseModel):
        if not class_.model_config.get("frozen"):
            yield class_
        elif class_ not in seen:
            for field in class_.model_fields.values():
                yield from mutable_parts(field.annotation, seen | {class_})
    elif class_ not in seen:
        names = [field.name for field in fields(class_)] if is_dataclass(class_) else class_._fields
        hints = typing.get_type_hints(class_)
        for name in names:
            if hints[name] is not Any:
                yield from mutable_parts(hints[name], seen | {class_})


def imported_for_types() -> Mapping[str, Any]:
    """The names that the modules of Insights import for their annotations alone."""
    modules = [inspect.getmodule(one) for one in Insights.__mro__ if one.__module__.startswith("adapter.")]
    trees = [ast.parse(inspect.getsource(one)) for one in modules if one is not None]
    blocks = [
        node
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {
        alias.asname or alias.name: getattr(importlib.import_module(node.module or ""), alias.name)
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


METHODS = {
    name: method
    for name, method in inspect.getmembers(Insights, inspect.isfunction)
    if not name.startswith("_")
}


def test_there_is_a_read_side() -> None:
    assert {"status", "plan", "explain", "refused", "report"} <= METHODS.keys()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_gives_frozen_values(method: Method) -> None:
    given = typing.get_type_hints(method, {**vars(insights), **imported_for_types()})["return"]
    assert list(mutable_parts(given)) == []


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_says_what_it_gives(method: Method) -> None:
    assert method.__doc__


@dataclass
class Open:
    count: int


@dataclass(frozen=True)
class Leaky:
    lines: list[str]


class Pair(NamedTuple):
    first: str
    second: set[str]


class OpenModel(BaseModel):
    count: int


class FrozenModel(BaseModel, frozen=True):
    inner: tuple[OpenModel, ...]
    lines: list[str]


@dataclass(frozen=True)
class Nested:
    inner: tuple[Open, ...]


@dataclass(frozen=True)
class Tree:
    """A class that holds itself is looked at once."""

    value: Any
    branches: "tuple[Tree, ...]" = ()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (Open, [Open]),
        (Sequence[Open], [Open]),
        (Mapping[str, Open] | None, [Open]),
        (Leaky, [list[str]]),
        (Pair, [set[str]]),
        (Nested, [Open]),
        (FrozenModel, [OpenModel, list[str]]),
        (dict[str, int], [dict[str, int]]),
        (Any, [Any]),
        (Sequence[Any], [Any]),
        (list, [list]),
        (Tree, []),
        (Mapping[str, tuple[int | None, ...]], []),
        (Mapping[str, Any], []),
        (Literal["good", "bad"], []),
    ],
)
def test_what_could_be_changed_is_found(given: Any, found: list[Any]) -> None:
    assert list(mutable_parts(given)) == found
