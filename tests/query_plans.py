"""How much of each table a statement reads, as the database plans it: for statements as they are issued.

`Watch` explains every statement that a store issues, with its parameters and in its own transaction, just
before it runs: a statement that changes is explained as changed. What is read is counted for the innermost
watched function on the stack, so that a scan has one owner, whoever calls him.
"""

import ast
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from inspect import getsourcelines
from itertools import takewhile
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, Table, event, inspect

import adapter

__all__ = ["Function", "Reach", "Read", "Site", "Watch", "executing", "public", "sites"]

Function = Callable[..., Any]
Site = tuple[str, int]  # where a statement is executed: file and line

_PACKAGE = Path(adapter.__file__).parent
_FOLDER = f"{_PACKAGE}{os.sep}"
# These tell a hospital, a kind or a state from others: of a table that holds a million rows they leave many.
_WIDE = frozenset({"hospital", "owner", "type", "kind", "name"})
_EXECUTES = ("execute", "exec_driver_sql")
_READS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_DERIVED = re.compile(r"(?:MATERIALIZE|CO-ROUTINE) (\S+)")
_STEP = re.compile(r"(?:SCAN|SEARCH) (\S+)(.*)")
_COLUMN = re.compile(r"(?:\b(\w+)\.)?\b([a-z_]\w*)\b(?!\.)(\)*(?:::[a-z ]+)?\)* ?=| IS NULL)?")
_INDEX = re.compile(r" INDEX (\w+)")
_LIST = re.compile(r'(\b\w+"? IN \(\?(?:, \?)*\))')
_STATISTICS = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'"
_LONG_LIST = 50  # values: a Bundle, a page, a plan have as many


class Reach(IntEnum):
    """What of a table is looked at."""

    ROWS = 1  # found by an index
    STATE = 2  # all that is in one state
    PLACE = 3  # all that stands behind, or before, a place in an index
    WHOLE = 4  # all of it, or all of one hospital, kind or type


@dataclass(frozen=True)
class Read:
    """A table as one statement reads it. `by` None: no watched function issued it."""

    by: Function | None
    table: str
    reach: Reach
    how: str
    statement: str

    def __str__(self) -> str:
        who = self.by.__qualname__ if self.by else "somebody unwatched"
        of = ("rows", "all in one state", "all from a place on", "the whole")[self.reach - 1]
        statement = " ".join(self.statement.split())
        return f"{who} reads {of} of {self.table}\n  plan: {self.how}\n  statement: {statement[:600]}"


class Watch:
    """Explains what `functions` issue on an engine, from now on. What is read of `tables` is noted; any other
    table that a plan names must be a `small` one.
    """

    def __init__(
        self, engine: Engine, functions: Iterable[Function], tables: Iterable[Table], small: Iterable[Table]
    ) -> None:
        self.reads: list[Read] = []
        self.at_work: set[Function] = set()  # whoever issued a statement, or had it issued
        self.reached: set[Site] = set()
        self._owners: dict[CodeType, Function] = {one.__code__: one for one in functions}
        self._tables = {one.name for one in tables}
        self._small = {one.name for one in small}
        self._indexes = _Indexes(engine)
        self._looks = _of_sqlite if engine.dialect.name == "sqlite" else _of_postgresql
        event.listen(engine, "before_cursor_execute", self._see)

    def _see(
        self, connection: Connection, _cursor: Any, statement: str, given: Any, _context: Any, many: bool
    ) -> None:
        owner = self._look_up(sys._getframe(1))
        if not statement.lstrip().upper().startswith(_READS):
            return
        driver = connection.connection.driver_connection
        for table, reach, how in self._looks(driver, statement, given[0] if many else given, self._indexes):
            if table in self._tables:
                self.reads.append(Read(owner, table, reach, how, statement))
            elif table not in self._small:
                raise AssertionError(f"nobody said whether {table!r} grows:\n  {how}\n  {statement}")

    def _look_up(self, frame: FrameType | None) -> Function | None:
        """The innermost watched function; notes whoever is at work, and the line that executes."""
        owners: list[Function] = []
        site: Site | None = None
        while frame is not None:
            if site is None and frame.f_code.co_filename.startswith(_FOLDER):
                site = (frame.f_code.co_filename, frame.f_lineno)
                self.reached.add(site)
            if frame.f_code in self._owners:
                owners.append(self._owners[frame.f_code])
            frame = frame.f_back
        self.at_work.update(owners)
        return owners[0] if owners else None


# -- where statements are ------------------------------------------------------------------


def public(owner: type | ModuleType) -> set[Function]:
    """The functions that a store class, or a module of functions, offers to others."""
    names = vars(owner) if isinstance(owner, type) else owner.__all__
    found = (getattr(owner, name) for name in names if not name.startswith("_"))
    return {one for one in found if hasattr(one, "__code__")}


def executing() -> set[Path]:
    """Modules of the adapter that execute statements, but migrations."""
    modules = set(_PACKAGE.rglob("*.py")) - set((_PACKAGE / "migrations").rglob("*.py"))
    return {path for path in modules if any(True for _ in _executions(path))}


def sites(modules: Iterable[ModuleType], without: Collection[Function]) -> dict[str, list[Site]]:
    """The lines of each place in these modules that executes a statement, but those of functions `without`;
    by its name.
    """
    found = {}
    for path in {Path(str(module.__file__)) for module in modules}:
        left_out = [_lines(one) for one in without if Path(one.__code__.co_filename) == path]
        for first, last in _executions(path):
            if not any(first in lines for lines in left_out):
                name = f"{path.relative_to(_PACKAGE.parent)}:{first}"
                found[name] = [(str(path), line) for line in range(first, last + 1)]
    return found


def _lines(function: Function) -> range:
    lines, first = getsourcelines(function)
    return range(first, first + len(lines))


def _executions(path: Path) -> Iterator[tuple[int, int]]:
    """First and last line of every call of `execute` and the like."""
    text = path.read_text("utf-8")
    if not any(f".{name}(" in text for name in _EXECUTES):  # to take all modules apart takes a second
        return
    for node in ast.walk(ast.parse(text)):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in _EXECUTES:
            yield node.lineno, node.end_lineno or node.lineno  # type: ignore[attr-defined]  # it is a call


# -- what plans say ------------------------------------------------------------------------

_Look = tuple[str, Reach, str]  # table, what of it, and the plan's own words


class _Indexes:
    """Columns of each index in their order; an index of a part of its table has none, so small is it."""

    def __init__(self, engine: Engine) -> None:
        self.columns: dict[str, Sequence[str]] = {}
        self.partial: set[str] = set()
        self.of: dict[str, str] = {}
        inspector = inspect(engine)
        for table in inspector.get_table_names():
            self._add(table, inspector.get_pk_constraint(table)["name"], inspector.get_pk_constraint(table))
            for index in inspector.get_indexes(table):
                self._add(table, index["name"], {"constrained_columns": index["column_names"]})
                if any(name.endswith("_where") for name in index.get("dialect_options", {})):
                    self.partial.add(str(index["name"]))

    def _add(self, table: str, name: str | None, key: Mapping[str, Any]) -> None:
        self.columns[str(name)] = key["constrained_columns"]
        self.of[str(name)] = table

    def reach(self, index: str, condition: str, qualifiers: Collection[str]) -> Reach:
        """What a look into an index comes to: the first of its columns that the condition names count."""
        if index in self.partial:
            return Reach.ROWS
        named = _named(condition, qualifiers)
        return _reach((one, named[one]) for one in takewhile(named.__contains__, self.columns.get(index, ())))


def _named(condition: str, qualifiers: Collection[str]) -> dict[str, bool]:
    """The columns in a condition, and whether each is to be equal to something. Those of other tables, which
    it names too, are left out.
    """
    found: dict[str, bool] = {}
    for qualifier, column, equal in _COLUMN.findall(_TEXT.sub("''", condition)):
        if not qualifier or qualifier in qualifiers:
            found[column] = found.get(column, False) or bool(equal)
    return found


def _reach(columns: Iterable[tuple[str, bool]]) -> Reach:
    """What columns come to by which something is looked up, with whether they are to be equal to it."""
    narrowing = {column: equal for column, equal in columns if column not in _WIDE}
    if any(equal for column, equal in narrowing.items() if column != "state"):
        return Reach.ROWS
    if narrowing.get("state"):
        return Reach.STATE
    return Reach.PLACE if narrowing else Reach.WHOLE


def _of_sqlite(driver: Any, statement: str, given: Any, indexes: _Indexes) -> Iterator[_Look]:
    """What comes of it as it is, and where nothing was counted with long lists too: SQLite then chooses an
    index by how many values a list has.
    """
    yield from _planned_by_sqlite(driver, statement, given, indexes)
    widened, values = _with_long_lists(statement, given)
    if widened != statement and not driver.execute(_STATISTICS).fetchone():
        yield from _planned_by_sqlite(driver, widened, values, indexes)


def _with_long_lists(statement: str, given: Any) -> tuple[str, Any]:
    """Each list of values but of hospitals, kinds and types, with its last value over and over."""
    if isinstance(given, Mapping):
        return statement, given
    values: list[Any] = []
    left, written = list(given), []
    for part in _LIST.split(statement):
        count = part.count("?")
        mine, left = left[:count], left[count:]
        if _LIST.fullmatch(part) and _column_of(part) not in _WIDE:
            mine += mine[-1:] * (_LONG_LIST - count)
            part = f"{part.partition('(')[0]}({', '.join('?' * len(mine))})"  # noqa: PLW2901 - the same, longer
        values += mine
        written.append(part)
    return "".join(written), tuple(values)


def _column_of(part: str) -> str:
    return part.partition(" ")[0].strip('"')


def _planned_by_sqlite(driver: Any, statement: str, given: Any, indexes: _Indexes) -> Iterator[_Look]:
    """https://www.sqlite.org/eqp.html. A SEARCH names the columns that it goes by, and they are the first."""
    details = [row[3] for row in driver.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", given)]
    derived = {match[1] for detail in details if (match := _DERIVED.match(detail))}
    for detail in details:
        step = _STEP.match(detail)
        if step is None or step[1] in derived or "VIRTUAL TABLE" in detail or "CONSTANT ROW" in detail:
            continue
        index = _INDEX.search(step[2])
        if index is not None and index[1] in indexes.partial:
            reach = Reach.ROWS
        elif detail.startswith("SCAN") or " AUTOMATIC " in detail:
            reach = Reach.WHOLE  # by an index too: from its beginning to its end
        else:
            reach = _reach(_named(detail.partition(" (")[2], ()).items())
        yield step[1], reach, detail


def _of_postgresql(driver: Any, statement: str, given: Any, indexes: _Indexes) -> Iterator[_Look]:
    """https://www.postgresql.org/docs/current/using-explain.html"""
    with driver.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", given)
        [[[plan]]] = cursor.fetchall()
    for node in _nodes(plan["Plan"]):
        kind = node["Node Type"]
        if kind in ("ModifyTable", "Bitmap Heap Scan") or not {"Relation Name", "Index Name"} & node.keys():
            continue
        index = node.get("Index Name", "")
        table = node.get("Relation Name") or indexes.of[index]
        condition = node.get("Index Cond", "")
        reach = indexes.reach(index, condition, (table, node.get("Alias", "")))
        yield table, reach, f"{kind} on {table} {index} {condition or node.get('Filter', '')}"


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
