"""The names that the code defines, read without running it: what documentation names is looked up here."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["CodeName", "all_names", "find_name", "identifiers", "module_files", "rooms", "short_name"]

PACKAGE = Path(__file__).parents[1] / "adapter"


@dataclass(frozen=True, slots=True)
class CodeName:
    """One name: `kind` is package, module, class, function, constant or member (of a class)."""

    dotted: str
    kind: str
    docstring: str = ""

    @property
    def is_public(self) -> bool:
        """Whether no part of it begins with an underscore."""
        return not any(part.startswith("_") for part in self.dotted.split("."))


def module_files(package: Path = PACKAGE) -> dict[str, Path]:
    """Every module below `package` by its dotted name; a package is its `__init__`."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def all_names() -> dict[str, CodeName]:
    """Every package, module, class, function, constant and member under `adapter`, by its dotted name."""
    return {one.dotted: one for name, path in module_files().items() for one in _names_of(name, path)}


def rooms() -> list[str]:
    """The dotted names of all packages below `adapter`, Alembic's migrations left out."""
    packages = (one.dotted for one in all_names().values() if one.kind == "package")
    return [one for one in packages if one != "adapter" and not one.startswith("adapter.migrations")]


def find_name(dotted: str) -> CodeName | None:
    """What `dotted` names, from `adapter` on."""
    return all_names().get(dotted)


def short_name(dotted: str) -> CodeName | None:
    """What a name without its first packages means, such as `worker.deliver`; None where nothing does."""
    return next((one for name, one in all_names().items() if f".{name}".endswith(f".{dotted}")), None)


@cache
def identifiers() -> frozenset[str]:
    """Every word that the code uses as a name, its own or somebody else's."""
    nodes = (
        node for path in module_files().values() for node in ast.walk(ast.parse(path.read_text("utf-8")))
    )
    fields = (getattr(node, field, None) for node in nodes for field in ("id", "attr", "name"))
    return frozenset(word for one in fields if isinstance(one, str) for word in one.split("."))


def _names_of(name: str, path: Path) -> Iterator[CodeName]:
    tree = ast.parse(path.read_text("utf-8"))
    kind = "package" if path.name == "__init__.py" else "module"
    yield CodeName(name, kind, ast.get_docstring(tree) or "")
    for node in tree.body:
        for one in _defined(node, name):
            yield one
            if isinstance(node, ast.ClassDef):
                members = (inner for part in node.body for inner in _defined(part, one.dotted))
                yield from (CodeName(inner.dotted, "member", inner.docstring) for inner in members)


def _defined(node: ast.stmt, within: str) -> Iterator[CodeName]:
    if isinstance(node, ast.ClassDef):
        yield CodeName(f"{within}.{node.name}", "class", ast.get_docstring(node) or "")
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield CodeName(f"{within}.{node.name}", "function", ast.get_docstring(node) or "")
    else:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = (one.id for one in targets if isinstance(one, ast.Name))
        yield from (CodeName(f"{within}.{name}", "constant") for name in names)
