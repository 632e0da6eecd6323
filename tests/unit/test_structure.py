"""The shape of the code: no circles between modules or rooms, small modules, rooms that say what they do.

import-linter holds the layers (pyproject.toml), but looks at whole packages only. Here every import counts,
also one inside a function or for types alone: what must be read together is no less entangled for that.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from code_names import all_names, identifiers, module_files

from adapter.fhir.definitions.types import types

WITHOUT_DOCSTRING = {"adapter.migrations", "adapter.migrations.versions"}  # Alembic's own

Graph = Mapping[str, set[str]]


def import_graph(files: Mapping[str, Path]) -> dict[str, set[str]]:
    """Module -> the modules of `files` that it imports, wherever in it the import stands."""
    return {name: set(_imported(name, path, files)) - {name} for name, path in files.items()}


def _imported(name: str, path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(name, path, node)
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                yield from (one for one in (whole if whole in files else source,) if one in files)


def _absolute(name: str, path: Path, node: ast.ImportFrom) -> str:
    """The module that an import names, also where it counts its dots."""
    if not node.level:
        return node.module or ""
    here = name if path.name == "__init__.py" else name.rpartition(".")[0]
    parts = here.split(".")
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


def room_of(module: str, files: Mapping[str, Path]) -> str:
    """The package that a module stands in; its sub-packages are rooms of their own."""
    return module if files[module].name == "__init__.py" else module.rpartition(".")[0]


def room_graph(modules: Graph, files: Mapping[str, Path]) -> dict[str, set[str]]:
    """Room -> the rooms that its modules import from."""
    rooms: dict[str, set[str]] = {room_of(name, files): set() for name in files}
    for name, imported in modules.items():
        here = room_of(name, files)
        rooms[here] |= {room_of(one, files) for one in imported} - {here}
    return rooms


def find_circle(graph: Graph) -> list[str]:
    """A shortest way from some node back to itself, its first node at both ends; empty if there is none."""
    circles = (circle for start in sorted(graph) if (circle := _way_back(graph, start)))
    return min(circles, key=len, default=[])


def _way_back(graph: Graph, start: str) -> list[str]:
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        for step in sorted(graph.get(way[-1], ())):
            if step == start:
                return [*way, start]
            if step not in seen:
                seen.add(step)
                ways.append([*way, step])
    return []


def describe_rooms(circle: list[str], modules: Graph, files: Mapping[str, Path]) -> str:
    """A circle of rooms with one import for each of its steps."""
    lines = []
    for here, there in pairwise(circle):
        name, imported = next(
            (name, one)
            for name in sorted(modules)
            for one in sorted(modules[name])
            if (room_of(name, files), room_of(one, files)) == (here, there)
        )
        lines.append(f"{here} -> {there}: {name} imports {imported}")
    return "\n".join(lines)


FILES = module_files()
ROOMS = sorted(name for name, path in FILES.items() if path.name == "__init__.py")


@cache
def modules() -> Graph:
    """Read by the one process that looks at it, not by all that collect."""
    return import_graph(FILES)


def test_no_modules_import_each_other_in_a_circle() -> None:
    circle = find_circle(modules())
    assert not circle, "modules import each other in a circle:\n" + " -> ".join(circle)


def test_no_rooms_import_each_other_in_a_circle() -> None:
    circle = find_circle(room_graph(modules(), FILES))
    assert not circle, "rooms import each other in a circle:\n" + describe_rooms(circle, modules(), FILES)


def test_no_module_is_longer_than_400_lines() -> None:
    assert FILES
    long = {
        name: count for name, path in FILES.items() if (count := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in WITHOUT_DOCSTRING])
def test_every_room_says_what_comes_in_and_what_goes_out(room: str) -> None:
    said = ast.get_docstring(ast.parse(FILES[room].read_text("utf-8"))) or ""
    assert re.search(r"\b[Ii]n: |\b[Ii]n comes?\b", said), f"{room} does not say what comes in"
    assert re.search(r"\b[Oo]ut: |\b[Oo]ut go(es)?\b", said), f"{room} does not say what goes out"


def test_docstrings_name_classes_that_exist() -> None:
    """A class that was renamed leaves its old name in words that no tool reads. FHIR's types are none."""
    known = {
        *identifiers(),
        *types(),
        "RateLimit",
        "ServiceRequests",
    }  # a header, and more than one of a type
    said = {
        (one.dotted, word)
        for one in all_names().values()
        for word in re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", one.docstring)
    }
    assert sorted((name, word) for name, word in said if word not in known) == []


def _tree(folder: Path, **sources: str) -> dict[str, Path]:
    """A package `made` of these modules; `__` in a name stands for a folder."""
    package = folder / "made"
    for name, source in sources.items():
        path = package / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    for inside in (package, *(path for path in package.rglob("*") if path.is_dir())):
        (inside / "__init__.py").touch()
    return module_files(package)


@pytest.mark.parametrize(
    "back",
    [
        "from made.one import first",
        "import made.one",
        "from made import one",
        "from .one import first",
        "from . import one",
        "def late():\n    from made.one import first",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from made.one import first",
    ],
)
def test_a_circle_of_modules_is_found_wherever_the_import_stands(tmp_path: Path, back: str) -> None:
    files = _tree(tmp_path, one="from made.two import second", two="from made.three import third", three=back)
    assert find_circle(import_graph(files)) == ["made.one", "made.two", "made.three", "made.one"]


def test_a_circle_of_rooms_is_found_where_no_modules_make_one(tmp_path: Path) -> None:
    files = _tree(
        tmp_path,
        left__a="from made.right.b import b",
        left__c="",
        right__b="",
        right__d="from made.left import c",
    )
    modules = import_graph(files)
    assert find_circle(modules) == []
    circle = find_circle(room_graph(modules, files))
    assert circle == ["made.left", "made.right", "made.left"]
    assert describe_rooms(circle, modules, files).splitlines() == [
        "made.left -> made.right: made.left.a imports made.right.b",
        "made.right -> made.left: made.right.d imports made.left.c",
    ]


def test_a_tree_without_circles_is_found_to_have_none(tmp_path: Path) -> None:
    files = _tree(
        tmp_path, top="from made.room import a", room__a="from made.ground import g", ground="import os"
    )
    modules = import_graph(files)
    assert modules == {
        "made": set(),
        "made.top": {"made.room.a"},
        "made.room": set(),
        "made.room.a": {"made.ground"},
        "made.ground": set(),
    }
    assert find_circle(modules) == []
