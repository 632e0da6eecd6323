"""A parsed document, held to its shape, as the fields that expressions read. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from adapter.fhir.codec import plain_decimal
from adapter.fhir.operation_outcome import Issue
from adapter.mapping.expression_sandbox import GivenFields
from adapter.mapping.inbound.shapes import OUTER, FieldShape, ObjectShape
from adapter.mapping.inbound.written_times import read_date, read_time
from adapter.texts import say

__all__ = ["DocumentPart", "DocumentReader", "parts_at"]

MOST_ISSUES: Final = 50  # that one document is told of
_NUMBER: Final = re.compile(r"-?\d{1,40}(\.\d{1,40})?", re.ASCII)
_LONGEST_NAME: Final = 40  # of a field that is not known, as it is said


class DocumentPart(GivenFields):
    """An object of a document: its fields by name. One that is not there has none: each is empty. `place` is
    where it stands, as a hospital reads it: `results[2]`.
    """

    __slots__ = ("_names", "_values", "kind", "place")

    def __init__(self, shape: ObjectShape, place: str, values: dict[str, Any]) -> None:
        self.kind = shape.kind
        self.place = place
        self._values = values
        self._names = {one.name: one for one in shape.fields.values()}

    def __bool__(self) -> bool:
        return any(name != OUTER for name in self._values)

    def of(self, name: str) -> Any:
        """See GivenFields."""
        if name in self._values:
            return self._values[name]
        shape = self._names.get(name)
        if shape is None:
            if name == OUTER:
                return None
            raise AttributeError(name)
        if shape.is_list:
            return ()
        return (
            None if shape.parts is None else DocumentPart(shape.parts, self._below(shape.key), {OUTER: self})
        )

    def __getattr__(self, name: str) -> Any:
        # the verbs that read a whole record read Python's own attributes
        if name.startswith("_"):
            raise AttributeError(name)
        return self.of(name)

    def _below(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def parts_at(document: DocumentPart, path: Sequence[str]) -> Iterator[DocumentPart]:
    """The parts that a path of names leads to: each item of each list, no object that is not there."""
    if not path:
        yield document
        return
    found = document.of(path[0])
    for one in found if isinstance(found, tuple) else (found,):
        if one:
            yield from parts_at(one, path[1:])


@dataclass(slots=True)
class DocumentReader:
    """Reads documents; what is wrong with one is added to `issues`, and never what stands there."""

    issues: list[Issue] = field(default_factory=list)

    def read(self, shape: ObjectShape, document: Any) -> DocumentPart:
        """The whole document."""
        if not isinstance(document, dict):
            self._wrong("structure", "no_object", "")
            return DocumentPart(shape, "", {})
        return self._part(shape, document, "", None)

    def _wrong(self, code: str, text: str, place: str, **params: object) -> None:
        if len(self.issues) < MOST_ISSUES:
            self.issues.append(Issue("error", code, say(f"inbound.{text}", **params), place or None))

    def _part(
        self, shape: ObjectShape, found: dict[str, Any], place: str, outer: DocumentPart | None
    ) -> DocumentPart:
        values: dict[str, Any] = {} if outer is None else {OUTER: outer}
        part = DocumentPart(shape, place, values)
        for key, value in found.items():
            at = f"{place}.{key}" if place else key
            one = shape.fields.get(key)
            if one is None:
                if not shape.ignores_others:
                    # its name is the sender's own words: it is told to the sender and goes no further
                    self._wrong("structure", "unknown_field", place or "", name=key[:_LONGEST_NAME])
            elif one.type != "ignored" and (read := self._field(one, value, at, part)) is not None:
                values[one.name] = read
        for one in shape.fields.values():
            if one.is_needed and one.name not in values:
                self._wrong("required", "missing", f"{place}.{one.key}" if place else one.key)
        return part

    def _field(self, shape: FieldShape, value: Any, place: str, outer: DocumentPart) -> Any:
        if value is None:
            return None
        if not shape.is_list:
            return self._one(shape, value, place, outer)
        if not isinstance(value, list):
            self._wrong("structure", "no_list", place)
            return None
        read = (self._one(shape, each, f"{place}[{number}]", outer) for number, each in enumerate(value))
        return tuple(one for one in read if one is not None) or None

    def _one(self, shape: FieldShape, value: Any, place: str, outer: DocumentPart) -> Any:
        if shape.parts is not None:
            if isinstance(value, dict):
                return self._part(shape.parts, value, place, outer)
            if value is not None:
                self._wrong("structure", "no_object", place)
            return None
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        read = _plain(shape.type, value)
        if read is None:
            self._wrong("value", f"expects_{shape.type}", place)
        return read


def _plain(type_: str, value: Any) -> Any:
    """The value as its type has it; None of what is none."""
    if isinstance(value, dict | list):
        return None
    if type_ == "flag":
        return value if isinstance(value, bool) else None
    if type_ == "value" and not isinstance(value, bool):
        return plain_decimal(value) if isinstance(value, Decimal) else str(value).strip()
    if type_ == "number":
        return _number(value)
    if not isinstance(value, str):
        return None
    if type_ == "date":
        return read_date(value)
    if type_ == "time":
        return read_time(value)
    return value.strip()


def _number(value: object) -> Decimal | None:
    """A number, also where it stands in quotation marks; its digits are kept."""
    if isinstance(value, str):
        return Decimal(value.strip()) if _NUMBER.fullmatch(value.strip()) else None
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
