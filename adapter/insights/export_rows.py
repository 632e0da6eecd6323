"""Records and results of people as rows of tables, as `adapter export` writes them.

One table for each kind of record, one for results, and one that has a row for each value of a result. What
never leaves by the policy (tier, position) is not in them: such files are carried about.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapter.insights.person_record import ShownResult, local_time, result_parts, shown_results, taken_at
from adapter.mapping.result_extraction import moment_of
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.result_parts import known_measures
from adapter.records.model import RECORD_TYPES, Cadre, Record, Result, Visit
from adapter.records.sheets.field_labels import choice_label
from adapter.records.sheets.layout import SHEETS
from adapter.result_content import ResultPart, joined_words
from adapter.texts import current_language, say

__all__ = ["ExportSelection", "TableHeadings", "export_headings", "export_rows", "export_tables"]

_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
_PAGE = 50  # people in memory at once
_DATES = ("started_at", "taken_at", "recorded_on", "given_at", "ordered_at")
_VALUES = "result_value"
_RESULT_COLUMNS = (
    *("key", "cadre", "hospital", "referral", "type", "status", "title", "value", "conclusion", "issued_at"),
    *(
        "effective",
        "specimens",
        "body_sites",
        "method",
        "conclusion_codes",
        "notes",
        "narrative",
        "documents",
    ),
    *("senders", "versions", "unread"),
)
_VALUE_COLUMNS = (
    *("result", "cadre", "hospital", "status", "at", "title", "measure", "codes", "comparator", "value"),
    *("unit", "unit_code", "local_value", "local_unit", "words", "range", "flag", "contradictions"),
)


@dataclass(frozen=True, slots=True)
class ExportSelection:
    """Whose records, and of which days, both included; None is no limit. Without `people`: everybody's. What
    has no date belongs to no period.
    """

    people: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    def holds(self, day: date | None) -> bool:
        """Whether something of that day belongs to it."""
        if self.since is None and self.until is None:
            return True
        return day is not None and (self.since or date.min) <= day <= (self.until or date.max)


def export_tables(adapter: Adapter) -> Mapping[str, Sequence[str]]:
    """The tables and their columns, in the order in which they are written."""
    never = adapter.policy.never.fields
    tables = {
        kind: tuple(name for name in type_.model_fields if name not in never)
        for kind, type_ in RECORD_TYPES.items()
        if kind != Result.kind
    }
    return {**tables, Result.kind: _RESULT_COLUMNS, _VALUES: _VALUE_COLUMNS}


@dataclass(frozen=True, slots=True)
class TableHeadings:
    """What a table is called, and each of its columns, for who reads it: as an import knows them again."""

    title: str
    columns: tuple[str, ...]


def export_headings(tables: Mapping[str, Sequence[str]], language: str) -> Mapping[str, TableHeadings]:
    """In English the names of kinds and fields themselves; else those of the sheets, or of our own texts."""
    if language == "en":
        return {table: TableHeadings(table, tuple(columns)) for table, columns in tables.items()}
    found = {}
    for table, columns in tables.items():
        sheet = next((one for one in SHEETS if one.kind == table), None)
        known = {one.field: one.header(language) for one in sheet.columns} if sheet else {}
        titles = tuple(known.get(name) or say(f"export.field_{name}") for name in columns)
        found[table] = TableHeadings(sheet.title(language) if sheet else say(f"export.table_{table}"), titles)
    return found


def export_rows(adapter: Adapter, wanted: ExportSelection) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Table and row, person by person; empty columns are left out."""
    known = known_measures(adapter)
    keys = wanted.people or tuple(one.key for one in adapter.records.iterate(Cadre.kind))
    for start in range(0, len(keys), _PAGE):
        page = keys[start : start + _PAGE]
        for cadre, records in adapter.records.of_cadres(page).items():
            yield from _of_person(adapter, cadre, records, wanted, known)


def _of_person(
    adapter: Adapter, cadre: str, records: Sequence[Record], wanted: ExportSelection, known: KnownMeasures
) -> Iterator[tuple[str, Mapping[str, str]]]:
    visits = {one.key: _day(one.started_at) for one in records if isinstance(one, Visit)}
    for one in records:
        if isinstance(one, Cadre) or (not isinstance(one, Result) and wanted.holds(_day_of(one, visits))):
            yield one.kind, _plain_row(one)
    results = [
        one for one in shown_results(adapter, cadre, records, known) if wanted.holds(_day_of_result(one))
    ]
    for result in results:
        yield Result.kind, _result_row(result, cadre)
    for result, title, part, time in result_parts(results):
        yield _VALUES, _value_row(result, cadre, title, part, taken_at(time, result))


def _day(at: object) -> date | None:
    if isinstance(at, datetime):
        return at.astimezone(_ZONE).date()
    return at if isinstance(at, date) else None


def _day_of(one: Record, visits: Mapping[str, date | None]) -> date | None:
    own = next((day for name in _DATES if (day := _day(getattr(one, name, None)))), None)
    return own or visits.get(getattr(one, "visit", None) or "")


def _day_of_result(one: ShownResult) -> date | None:
    said = moment_of((one.content.effective or "").partition(" - ")[0])
    return _day(said or one.issued_at)


def _plain_row(one: Record) -> Mapping[str, str]:
    return {name: _said(one.kind, name, _text(getattr(one, name))) for name in type(one).model_fields}


def _said(kind: str, field: str, text: str) -> str:
    """In English the codes themselves, as the headings are the fields' names."""
    return text if current_language() == "en" else choice_label(kind, field, text)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return local_time(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _result_row(one: ShownResult, cadre: str) -> Mapping[str, str]:
    content = one.content
    versions = (f"{version.item}: {_said(Result.kind, 'status', version.status)}" for version in one.versions)
    return {
        "key": one.key,
        "cadre": cadre,
        "hospital": one.hospital,
        "referral": one.referral or "",
        "type": one.type,
        "status": _said(Result.kind, "status", one.status),
        "title": one.title,
        "value": one.value,
        "conclusion": one.conclusion,
        "issued_at": local_time(one.issued_at) if one.issued_at else "",
        "effective": content.effective or "",
        "specimens": joined_words((item.words for item in content.specimens), "; "),
        "body_sites": joined_words((item.coded for item in content.body_sites), "; "),
        "method": content.method.coded if content.method else "",
        "conclusion_codes": joined_words((item.coded for item in content.conclusion_codes), "; "),
        "notes": joined_words((item.text for item in content.notes), "; "),
        "narrative": content.narrative or "",
        "documents": joined_words((item.words for item in content.attachments), "; "),
        "senders": joined_words((*content.senders, *content.interpreters), "; "),
        "versions": joined_words(versions, "; "),
        "unread": ", ".join(content.unread),
    }


def _value_row(one: ShownResult, cadre: str, title: str, part: ResultPart, at: str) -> Mapping[str, str]:
    amount, local = part.value.amount if part.value else None, part.local
    codings = part.code.codings if part.code else ()
    return {
        "result": one.key,
        "cadre": cadre,
        "hospital": one.hospital,
        "status": _said(_VALUES, "status", one.status),
        "at": at,
        "title": title,
        "measure": part.measure or "",
        "codes": joined_words((f"{coding.system or ''}|{coding.code or ''}" for coding in codings), "; "),
        "comparator": (amount.comparator if amount else None) or "",
        "value": (amount.value if amount else None) or "",
        "unit": (amount.unit if amount else None) or "",
        "unit_code": (amount.code if amount else None) or "",
        "local_value": (local.value if local else None) or "",
        "local_unit": (local.unit if local else None) or "",
        "words": part.value_words,
        "range": part.range_words,
        "flag": part.flag_words,
        "contradictions": _contradictions(part),
    }


def _contradictions(part: ResultPart) -> str:
    if current_language() == "en":
        return ", ".join(part.contradictions)
    return "; ".join(say(f"person.contradicts_{one}") for one in part.contradictions)
