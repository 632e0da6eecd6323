"""What waits for a person, said of the local record: which cell, read by which line of a mapping.

A hospital's refusal names an element of a resource, in one of many ways; the record's resource is traced
and the element looked for. Cell values are for the operator's eyes: nothing here is stored or logged.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from adapter.fhir.paths import Path, matching_paths, parse_path
from adapter.insights.explain_values import TracedPerson, TracedResource, TracedValue, ValueSource
from adapter.ledger.schema.values import LedgerEntry
from adapter.pipeline.application import Adapter
from adapter.records.model import Measurement, Record

__all__ = ["RefusedResource", "SourceCell", "locate_refused_values", "refused_resources"]

_QUOTED = re.compile(r"""['"‘’“”«»`]([^'"‘’“”«»`]{1,80})['"‘’“”«»`]""")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:(?:\[\d+\])?\.[A-Za-z][A-Za-z0-9]*)*")
# Names of elements that sentences hold without meaning them ("HTTP status 422"): only in quotation marks.
_COMMON = frozenset(
    ("code", "display", "end", "id", "name", "reference", "start", "status", "system", "text", "type", "use")
) | {"identifier", "url", "value"}
_REFUSED_AS = "refused"


@dataclass(frozen=True, slots=True)
class SourceCell:
    """A field of a record with its value there. The value is for the terminal only."""

    source: ValueSource
    value: Any


@dataclass(frozen=True, slots=True)
class RefusedResource:
    """One resource that waits for a person. `reason` is "invalid" where the adapter's own checker keeps it
    here. `subject` names it: a measure's display, else None; `visit` is the visit it belongs to. `element`
    is the FHIR element complained of, where it could be found, `cells` what it was made of; `file` and
    `line` are of the mapping.
    """

    hospital: str
    display: str
    type: str
    kind: str
    key: str
    reason: str
    said: str
    subject: str | None
    visit: str | None
    sheet: str | None
    row: int | None
    element: str | None = None
    cells: tuple[SourceCell, ...] = ()
    file: str | None = None
    line: int | None = None


def refused_resources(
    adapter: Adapter,
    hospital: str,
    limit: int,
    key: str | None = None,
    *,
    sees: Callable[[str], bool] = lambda _cadre: True,
) -> list[RefusedResource]:
    """What waits for a person at a hospital, at most `limit`; of one record where `key` is given, and
    of those people alone whom the viewer `sees`.
    """
    waiting = (one for one in adapter.ledger.parked(hospital) if key is None or one.key == key)
    parked = list(islice((one for one in waiting if sees(one.cadre)), limit))
    by_cadre: dict[str, list[LedgerEntry]] = {}
    for entry in parked:
        by_cadre.setdefault(entry.cadre, []).append(entry)
    return [
        one for cadre, entries in by_cadre.items() for one in _of_person(adapter, hospital, cadre, entries)
    ]


def _of_person(
    adapter: Adapter, hospital: str, cadre: str, entries: Sequence[LedgerEntry]
) -> Iterable[RefusedResource]:
    keys = {(entry.kind, entry.key) for entry in entries}
    person = TracedPerson(adapter, hospital, cadre, lambda kind, key: (kind, key) in keys)
    traced = {one.identity: one for one in person.traced()}
    for entry in entries:
        yield _turned_back(adapter, person, entry, traced.get(entry.identity))


def _turned_back(
    adapter: Adapter, person: TracedPerson, entry: LedgerEntry, resource: TracedResource | None
) -> RefusedResource:
    stored = person.stored_record(entry.kind, entry.key)
    record = stored.record if stored else None
    leaves = locate_refused_values(resource, entry.detail or "") if resource is not None else []
    first = leaves[0] if leaves else None
    return RefusedResource(
        hospital=entry.hospital,
        display=adapter.settings.hospital(entry.hospital).display,
        type=entry.type,
        kind=entry.kind,
        key=entry.key,
        reason=entry.reason or _REFUSED_AS,
        said=entry.detail or "",
        subject=_measured(person, record),
        visit=getattr(record, "visit", None),
        sheet=stored.sheet if stored else None,
        row=stored.row if stored else None,
        element=_element(leaves),
        cells=tuple(_cell(person, source) for source in _telling(leaves)),
        file=first.file if first else None,
        line=first.line if first else None,
    )


def _measured(person: TracedPerson, record: Record | None) -> str | None:
    """What a measurement measured, as the code table says it."""
    if not isinstance(record, Measurement):
        return None
    table = person.destination.mappings.codes.tables.get("measures")
    concept = table.find(record.measure) if table is not None else None
    return (concept.display if concept is not None else None) or record.name or record.measure


def locate_refused_values(resource: TracedResource, said: str) -> list[TracedValue]:
    """The leaves that a refusal speaks of: all of one expression, or [] when it cannot be told.

    By its expression; else by an element's name or a quoted value in its words.
    """
    expression, words = _split(said, resource.type)
    by_path = {parse_path(leaf.path, resource.type) or (): leaf for leaf in resource.leaves}
    empty = {parse_path(leaf.path, resource.type) or (): leaf for leaf in resource.empty}
    steps = parse_path(expression, resource.type) if expression else None
    if steps:
        found = _at(steps, by_path) or _at(steps, empty) or _at(steps, by_path, around=True)
        if found:
            return _of_one_expression(_narrowed(found, words)) or found[:1]
    return _of_one_expression(_by_words(by_path, words, resource.type))


def _split(said: str, resource_type: str) -> tuple[str | None, str]:
    """The expression that a refusal begins with, and its words."""
    head, colon, words = said.partition(": ")
    begins = re.match(r"[/(]*(?:f:)?(\w+)", head)
    named = begins is not None and begins[1] in (resource_type, "Bundle")
    if colon and (named or ("." in head and parse_path(head, resource_type) is not None)):
        return head, words
    return None, said


def _at(steps: Path, leaves: dict[Path, TracedValue], *, around: bool = False) -> list[TracedValue]:
    return [leaves[path] for path in matching_paths(steps, leaves, around=around)]


def _narrowed(leaves: list[TracedValue], words: str) -> list[TracedValue]:
    """Those of the leaves whose value the words quote, or whose name they say; all where they do not."""
    quoted = set(_QUOTED.findall(words))
    said = {word.casefold() for word in _WORD.findall(words)}
    by_value = [leaf for leaf in leaves if str(leaf.value) in quoted]
    by_name = [leaf for leaf in leaves if _name(leaf).casefold() in said]
    return [leaf for leaf in by_value if leaf in by_name] or by_value or by_name or leaves


def _by_words(leaves: dict[Path, TracedValue], words: str, resource_type: str) -> list[TracedValue]:
    """The leaves that words without an expression name: by a quoted value, by their own name, by that of an
    element around them.
    """
    mine = {path: leaf for path, leaf in leaves.items() if leaf.file}
    quoted = set(_QUOTED.findall(words))
    said = {word.casefold() for word in _WORD.findall(words)} - _COMMON | {word.casefold() for word in quoted}
    by_value = [leaf for leaf in mine.values() if str(leaf.value) in quoted]
    by_name = [leaf for leaf in mine.values() if _name(leaf).casefold() in said]
    found = [leaf for leaf in by_value if leaf in by_name] or by_value or by_name
    if found:
        return found
    for word in sorted((word for word in said if "." in word), key=len, reverse=True):
        if under := _at(parse_path(word, resource_type) or (), mine):
            return under
    return [leaf for path, leaf in mine.items() if str(path[0]).casefold() in said]


def _of_one_expression(leaves: list[TracedValue]) -> list[TracedValue]:
    """The leaves where one expression or literal made them all; [] where that is not certain."""
    places = {(leaf.file, leaf.line, leaf.column) for leaf in leaves}
    return leaves if len(places) == 1 else []


def _name(leaf: TracedValue) -> str:
    return re.sub(r"\[\d+\]", "", leaf.path.rpartition(".")[2])


def _element(leaves: Sequence[TracedValue]) -> str | None:
    """The element without its type: `valueQuantity.unit`; of several what they have in common."""
    if not leaves:
        return None
    split = [leaf.path.split(".")[1:] for leaf in leaves]
    common = []
    for names in zip(*split, strict=False):
        if len(set(names)) > 1:
            break
        common.append(names[0])
    return ".".join(common) or None


def _telling(leaves: Sequence[TracedValue]) -> tuple[ValueSource, ...]:
    """The fields that say most of these leaves: of the same name, else all that were read."""
    read = tuple(dict.fromkeys(source for leaf in leaves for source in leaf.fields))
    names = {_name(leaf).casefold() for leaf in leaves}
    return tuple(source for source in read if source.field.casefold() in names) or read


def _cell(person: TracedPerson, source: ValueSource) -> SourceCell:
    stored = person.stored_record(source.kind, source.key)
    return SourceCell(
        source, getattr(stored.record, source.field, None) if stored and stored.record else None
    )
