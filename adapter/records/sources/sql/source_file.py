"""A source file: how a database is reached, and the query for each kind of record.

::

    source: his
    connection: env:HIS_URL
    queries:
      visit:
        query: SELECT ma_lk AS key, ma_can_bo AS cadre, … FROM luot_kham
        changed: cap_nhat_luc
"""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from adapter.errors import SourceError
from adapter.invalid_entries import describe_invalid_entry
from adapter.records.sheets.layout import SHEETS
from adapter.records.sources.sql.plain_select import is_plain_select
from adapter.settings import SecretRef, is_valid_name
from adapter.texts import say

__all__ = ["SourceQuery", "SqlSource", "load_source"]

SOURCE_KINDS = tuple(sheet.kind for sheet in SHEETS)


def _is_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(say("source.bad_zone", zone=value))
    return value


def _is_source_name(value: str) -> str:
    if not is_valid_name(value):
        raise ValueError(say("source.bad_name"))
    return value


def _are_kinds(value: Mapping[str, Any]) -> Mapping[str, Any]:
    for kind in value:
        if kind not in SOURCE_KINDS:
            near = get_close_matches(kind, SOURCE_KINDS, 1)
            known = near[0] if near else ", ".join(SOURCE_KINDS)
            raise ValueError(say("source.bad_kind", kind=kind, known=known))
    return value


def _as_query(value: Any) -> Any:
    return {"query": value} if isinstance(value, str) else value


def _is_statement(value: str) -> str:
    statement = value.strip().rstrip(";").strip()
    if not statement:
        raise ValueError(say("source.empty_query"))
    if not is_plain_select(statement):
        raise ValueError(say("source.no_select"))
    return statement


SqlStatement = Annotated[str, AfterValidator(_is_statement)]


class SourceQuery(BaseModel):
    """How one kind is read. Result columns are named by field or by a sheet's header, in either language.

    `changed`: the result column that says when a row changed; without it the query is read whole each
    time. `deleted`: a query for keys that are gone. `keys`: a query for all keys that there are.
    `missing`: what becomes of a record that a whole reading does not hold any more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: SqlStatement
    changed: str | None = None
    deleted: SqlStatement | None = None
    keys: SqlStatement | None = None
    missing: Literal["delete", "keep"] = "delete"


class SqlSource(BaseModel):
    """A source file, checked. `folder` is where it lies: relative files of secrets and SQLite start there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[str, AfterValidator(_is_source_name)]
    connection: SecretRef
    time_zone: Annotated[str, AfterValidator(_is_zone)] = "Asia/Ho_Chi_Minh"
    overlap_minutes: float = Field(10, ge=0, le=10_080)
    timeout_seconds: float = Field(300, gt=0, le=86_400)
    page_rows: int = Field(1000, ge=1, le=100_000)
    queries: Annotated[
        dict[str, Annotated[SourceQuery, BeforeValidator(_as_query)]],
        AfterValidator(_are_kinds),
        Field(min_length=1),
    ]
    folder: Path = Path()

    @property
    def zone(self) -> ZoneInfo:
        """The zone of times that say none."""
        return ZoneInfo(self.time_zone)

    @property
    def kinds(self) -> list[str]:
        """Its kinds, people first."""
        return [kind for kind in SOURCE_KINDS if kind in self.queries]


def load_source(path: Path) -> SqlSource:
    """Read a source file. Raises SourceError that lists every mistake with its line."""
    try:
        text = path.read_text("utf-8")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        entries = yaml.safe_load(text)
    except OSError as error:
        raise SourceError("import.no_file", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise SourceError("source.not_utf8", file=path.name) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "-"
        raise SourceError("source.not_yaml", file=path.name, line=line, problem=problem) from error
    if not isinstance(entries, dict):
        raise SourceError("source.not_yaml", file=path.name, line=1, problem="-")
    try:
        source = SqlSource.model_validate({**entries, "folder": path.parent})
    except ValidationError as error:
        raise SourceError("source.wrong", _problems(path, tree, error), file=path.name) from None
    if (people := source.queries.get("cadre")) and people.changed:
        line = _line(tree, ("queries", "cadre", "changed"))
        raise SourceError(
            "source.wrong", (f"{path.name}:{line}: {say('source.people_whole')}",), file=path.name
        )
    return source


def _problems(path: Path, tree: yaml.Node | None, error: ValidationError) -> tuple[str, ...]:
    lines = []
    for item in error.errors(include_input=False):
        where = ".".join(map(str, item["loc"]))
        lines.append(f"{path.name}:{_line(tree, item['loc'])}: {where}: {describe_invalid_entry(item)}")
    return tuple(lines)


def _line(node: yaml.Node | None, place: tuple[Any, ...]) -> int:
    """The line of an entry, or of what it should stand in."""
    line = 1
    for name in place:
        if not isinstance(node, yaml.MappingNode):
            break
        found = next(((key, value) for key, value in node.value if key.value == name), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
