"""Which values an import changes, old and new, by column: what a person looks at before it is in."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from adapter.records.importing.import_history import RecordChange
from adapter.records.sheets.field_labels import field_label, value_label

__all__ = ["ChangeSummary", "FieldChange"]

_EXAMPLES = 5
_PEOPLE = 2_000  # that come or go are all named: whoever should not be there is found only so
_WHOLE = ("created", "deleted")
_TITLE = {"cadre": "name", "measurement": "measure"}  # what a whole record is called by; else when it was


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of a kind of record that changes `count` times. `examples` are (key, old, new), the first few,
    and of people who come or go all; the field of what is created or deleted is that word, and old or new
    what it is called.
    """

    kind: str
    field: str
    count: int
    examples: tuple[tuple[str, str, str], ...]

    @property
    def label(self) -> str:
        """What a clerk calls the field."""
        return field_label(self.kind, self.field)

    @property
    def shown(self) -> tuple[tuple[str, str, str], ...]:
        """The examples as a person reads them."""
        field = _TITLE.get(self.kind, "started_at") if self.field in _WHOLE else self.field
        return tuple(
            (key, value_label(self.kind, field, old), value_label(self.kind, field, new))
            for key, old, new in self.examples
        )


class ChangeSummary:
    """Of an import under way; bounded, however much changes."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
        self.cleared: Counter[tuple[str, str]] = Counter()
        """How many records lose their value of a field, by (kind, field)."""

    def note(self, changes: Iterable[RecordChange]) -> None:
        """Count the fields of these."""
        for one in changes:
            for field, old, new in _differences(one):
                self._add(one, field, old, new)

    def fields(self) -> tuple[FieldChange, ...]:
        """What changed, people first, then by how often."""
        ordered = sorted(self._counts.items(), key=lambda item: (item[0][0] != "cadre", -item[1], item[0]))
        return tuple(
            FieldChange(kind, field, count, tuple(self._examples[kind, field]))
            for (kind, field), count in ordered
        )

    def _add(self, one: RecordChange, field: str, old: object, new: object) -> None:
        place = one.kind, field
        self._counts[place] += 1
        if field not in _WHOLE and old and not new:
            self.cleared[place] += 1
        examples = self._examples.setdefault(place, [])
        is_person = one.kind == "cadre" and field in _WHOLE
        if len(examples) < (_PEOPLE if is_person else _EXAMPLES):
            examples.append((one.key, _text(old), _text(new)))


def _differences(one: RecordChange) -> Iterator[tuple[str, object, object]]:
    """What differs: field, old, new."""
    if one.after is None:
        yield "deleted", _title(one.kind, one.before), None
    elif one.before is None or one.was_deleted:
        if one.kind == "cadre":  # whole years of the others come in anew: their count is in the table
            yield "created", None, _title(one.kind, one.after)
    else:
        before, after = orjson.loads(one.before), orjson.loads(one.after)
        for field in before.keys() | after.keys():
            if before.get(field) != after.get(field):
                yield field, before.get(field), after.get(field)


def _title(kind: str, body: str | None) -> str | None:
    """What a record is called: a person by name, anything else by what it is."""
    if body is None:
        return None
    fields: Mapping[str, Any] = orjson.loads(body)
    name = fields.get("name") if kind == "cadre" else fields.get("measure") or fields.get("started_at")
    return str(name) if name else None


def _text(value: object) -> str:
    if value is None:
        return ""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
