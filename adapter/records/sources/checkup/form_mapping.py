"""Which element of a check-up form is which field of a record: read from a data file, applied..

A value is written as `PATH` (from the row's element, `/PATH` from the check-up's; the first of
`PATH | PATH` that holds something), `=text`, a list whose parts a slash joins, or
`{path: PATH, codes: {"1": normal}}`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from adapter.errors import SourceError
from adapter.records.sheets.cell_parsers import cell_text
from adapter.records.sheets.columns import Sheet
from adapter.records.sheets.layout import SHEETS
from adapter.records.sources.checkup.xml_parser import XmlElement
from adapter.texts import say

__all__ = ["NATIONAL_FORM_FILE", "FormMapping", "FormRule", "load_form_mapping"]

NATIONAL_FORM_FILE = Path(__file__).with_name("national.yaml")
_SHEETS = {
    sheet.kind: sheet for sheet in SHEETS if sheet.kind != "cadre"
}  # a form has no tier: nobody is made of it
_EACH, _SPLIT = "each", "split"

ValueGetter = Callable[[XmlElement, XmlElement], str]  # (the check-up, the row's element)


@dataclass(frozen=True)
class FormRule:
    """One kind of row: at `each` element (None: the check-up itself) these fields.

    `split`: what separates several values in the element's text. `read`: the fields that come from
    elements of the row; where they are all empty there is no row, unless it is `always` one: a check-up
    without its visit is told, not passed over.
    """

    each: str | None
    split: str | None
    values: Mapping[str, ValueGetter]
    read: tuple[str, ...]
    always: bool = False

    def rows(self, checkup: XmlElement) -> Iterator[tuple[int, dict[str, str]]]:
        """Line and fields of every row that the check-up holds."""
        for element in self._elements(checkup):
            row = {field: value(checkup, element) for field, value in self.values.items()}
            if self.always or any(row[field] for field in self.read):
                yield element.line, row

    def _elements(self, checkup: XmlElement) -> Iterator[XmlElement]:
        for element in [checkup] if self.each is None else checkup.find_all(self.each):
            if self.split is None:
                yield element
            else:
                for part in element.text.split(self.split):
                    yield XmlElement(element.name, element.line, part.strip(), element.children)


@dataclass(frozen=True)
class FormMapping:
    """A form. `checkup` names the element of one check-up; `key` and `identifiers` say whose it is."""

    checkup: str
    key: tuple[str, ...]
    identifiers: tuple[str, ...]
    records: Mapping[str, tuple[FormRule, ...]]

    def sheet(self, kind: str) -> Sheet:
        """The sheet whose columns the rows of a kind have."""
        return _SHEETS[kind]


def load_form_mapping(path: Path | None) -> FormMapping:
    """Read a form's data file, or the national one. Raises SourceError that names file and line."""
    file = path or NATIONAL_FORM_FILE
    try:
        text = file.read_text("utf-8")
        tree, entries = yaml.compose(text, Loader=yaml.SafeLoader), yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - BaseLoader makes text, lists and mappings alone
    except OSError as error:
        raise SourceError("import.no_file", file=str(file)) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise SourceError(
            "source.not_yaml", file=file.name, line=mark.line + 1 if mark else 1, problem="-"
        ) from error
    return _Loader(file.name, tree).form(entries)


class _Loader:
    def __init__(self, file: str, tree: yaml.Node | None) -> None:
        self._file = file
        self._tree = tree

    def form(self, entries: Any) -> FormMapping:
        if not isinstance(entries, dict) or not {"checkup", "person", "records"} <= entries.keys():
            raise self._wrong((), "source.form_no_records")
        person = entries["person"]
        return FormMapping(
            checkup=entries["checkup"],
            key=tuple(_list(person.get("key", []))),
            identifiers=tuple(_list(person.get("identifiers", []))),
            records={kind: self._rules(kind, rules) for kind, rules in entries["records"].items()},
        )

    def _rules(self, kind: str, rules: list[dict[str, Any]]) -> tuple[FormRule, ...]:
        if kind not in _SHEETS:
            raise self._wrong(("records", kind), "source.form_bad_kind", kind=kind, known=", ".join(_SHEETS))
        return tuple(self._rule(kind, place, rule) for place, rule in enumerate(rules))

    def _rule(self, kind: str, place: int, rule: dict[str, Any]) -> FormRule:
        fields = {column.field for column in _SHEETS[kind].columns} - {"cadre"}
        values = {}
        for field, written in rule.items():
            if field in (_EACH, _SPLIT):
                continue
            where = ("records", kind, place, field)
            if field not in fields:
                near = (get_close_matches(field, fields, 1) or ["-"])[0]
                raise self._wrong(where, "source.form_bad_field", field=field, kind=kind, near=near)
            values[field] = self._value(where, written)
        read = tuple(name for name, written in rule.items() if name in values and _of_the_row(written))
        always = kind == "visit" and _EACH not in rule
        return FormRule(rule.get(_EACH), rule.get(_SPLIT), values, read, always)

    def _value(self, where: tuple[str | int, ...], written: Any) -> ValueGetter:
        if isinstance(written, str):
            return _constant(written[1:]) if written.startswith("=") else _at(written)
        if isinstance(written, list) and all(isinstance(part, str) for part in written):
            return _joined([self._value(where, part) for part in written])
        if isinstance(written, dict) and written.keys() == {"path", "codes"}:
            return _coded(_at(written["path"]), written["codes"])
        raise self._wrong(where, "source.form_bad_value", field=where[-1])

    def _wrong(self, where: tuple[str | int, ...], text: str, **params: object) -> SourceError:
        problem = say(text, **params)
        return SourceError(
            "source.form_wrong", file=self._file, line=_line(self._tree, where), problem=problem
        )


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _of_the_row(written: Any) -> bool:
    path = written["path"] if isinstance(written, dict) else written
    return isinstance(path, str) and not path.startswith(("=", "/"))


def _constant(text: str) -> ValueGetter:
    return lambda _checkup, _row: text


def _at(paths: str) -> ValueGetter:
    steps = [path.strip() for path in paths.split("|")]

    def value(checkup: XmlElement, row: XmlElement) -> str:
        for path in steps:
            found = checkup.find_text(path[1:]) if path.startswith("/") else row.find_text(path)
            if found:
                return found
        return ""

    return value


def _joined(parts: list[ValueGetter]) -> ValueGetter:
    def value(checkup: XmlElement, row: XmlElement) -> str:
        found = [part(checkup, row) for part in parts]
        return "/".join(found) if all(found) else ""

    return value


def _coded(inner: ValueGetter, codes: Mapping[str, str]) -> ValueGetter:
    def value(checkup: XmlElement, row: XmlElement) -> str:
        found = cell_text(inner(checkup, row))
        return codes.get(found, found)

    return value


def _line(node: yaml.Node | None, place: tuple[str | int, ...]) -> int:
    line = 1
    for name in place:
        if isinstance(node, yaml.SequenceNode) and isinstance(name, int):
            node = node.value[name]
            line = node.start_mark.line + 1
            continue
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        found = next(((key, value) for key, value in pairs if key.value == name), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return line
