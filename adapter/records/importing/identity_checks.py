"""Whether the rows of an import are still about whom their keys were about: a running number as key, or one
that starts again each year, gives everything to the next person.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from adapter.records.importing.former_people import StoredUnder
from adapter.records.importing.parsed_row import ParsedRow
from adapter.records.importing.row_reader import RowReader
from adapter.records.importing.stored_records import StoredRow
from adapter.records.serialisation import normalise_identifier
from adapter.records.sheets.choices import fold_label
from adapter.records.sheets.field_labels import value_label

__all__ = ["AllowedChanges", "IdentityChecker"]

_MOST_STRANGERS = 1.0  # percent of the people: above it the file's keys are not the store's
_SEXES = frozenset({"male", "female"})


@dataclass(frozen=True, slots=True)
class AllowedChanges:
    """What a person said yes to: keys that are other `people`'s now, that what is stored of the `former` ones
    goes, records that move (`moves`) to another person or year, cells that empty (`clearing`) a column for
    many.
    """

    people: bool = False
    former: bool = False
    moves: bool = False
    clearing: bool = False


class IdentityChecker:
    """Finds the strangers: rows whose key is another person's, or another person's record's. What hangs on
    them is as strange.
    """

    def __init__(
        self, allowed: AllowedChanges, stored_under: Callable[[Collection[str]], Mapping[str, StoredUnder]]
    ) -> None:
        self._allowed = allowed
        self._stored_under = stored_under
        self._former: set[str] = set()
        self._strangers = 0
        self._strange: dict[str, set[str]] = {"cadre": set(), "visit": set()}

    @property
    def strangers(self) -> int:
        """How many keys are other people's now."""
        return self._strangers

    def too_many(self, live: int) -> bool:
        """Whether so many of `live` people are others that the file's keys cannot be the store's."""
        return self.strangers > 1 and self.strangers * 100 > live * _MOST_STRANGERS

    def check(
        self, kind: str, reader: RowReader, rows: Iterable[ParsedRow], stored: Mapping[str, StoredRow]
    ) -> None:
        """Note in each row that is another's that it is, and unless that is allowed, what it was."""
        others: list[ParsedRow] = []
        for row in rows:
            before = stored.get(row.key) if row.key else None
            if before is None or before.deleted or row.deleted:
                continue
            if kind == "cadre":
                self._check_person(reader, row, before)
                others += [row] if row.is_anothers and self._allowed.people else []
            else:
                self._check_record(kind, reader, row, before)
        if others:
            self._check_former(reader, others)

    def leaves_records(self, row: ParsedRow) -> bool:
        """Whether the row takes over a key under which something of the former person's is stored."""
        return row.key in self._former

    def is_strange(self, kind: str, key: str) -> bool:
        """Whether a row with this key was another's: what refers to it waits."""
        return key in self._strange[kind]

    def note_strange(self, kind: str, key: str | None) -> None:
        """A row that waits for such a one is as strange, for those that refer to it."""
        if kind in self._strange and key is not None:
            self._strange[kind].add(key)

    def _check_person(self, reader: RowReader, row: ParsedRow, before: StoredRow) -> None:
        old = orjson.loads(before.body) if before.body else {}
        changed = changed_identity(old, row.fields)
        row.is_anothers = bool(changed)
        if changed and not self._allowed.people:
            self._strangers += 1
            self.note_strange("cadre", row.key)
            said = ("name", *(one for one in changed if one != "name"))
            was = "; ".join(value_label("cadre", name, str(old[name])) for name in said)
            reader.add_invalid_cell(row, "name", "expect_same_person", was=was)

    def _check_former(self, reader: RowReader, rows: Iterable[ParsedRow]) -> None:
        """Nobody gets what is stored of whom the key was, nor is it removed unless a person says so."""
        for key, stored in self._stored_under({str(row.key) for row in rows}).items():
            for row in (one for one in rows if one.key == key):
                if stored.can_be_removed and self._allowed.former:
                    self._former.add(key)
                    continue
                self.note_strange("cadre", key)
                text = "expect_no_former" if stored.can_be_removed else "expect_no_former_results"
                reader.add_invalid_cell(row, "key", text, **asdict(stored))

    def _check_record(self, kind: str, reader: RowReader, row: ParsedRow, before: StoredRow) -> None:
        owner = row.fields.get("cadre")
        row.is_anothers = owner is not None and owner != before.cadre
        if self._allowed.moves:
            return
        if row.is_anothers:
            reader.add_invalid_cell(row, "key", "expect_same_owner", was=before.cadre)
        elif (date := _OWN_DATES.get(kind)) and (year := _other_year(row, before, date)):
            reader.add_invalid_cell(row, date, "expect_same_year", was=year)
        else:
            return
        self.note_strange(kind, row.key)


def changed_identity(old: Mapping[str, Any], new: Mapping[str, Any]) -> Sequence[str]:
    """What of a person says that it is another: the national number, or two of name, sex and birth date.
    `old` as stored, `new` as read; what either does not say is no difference. An identity card of nine digits
    that became one of twelve is the same person's, where nothing else is another.
    """
    changed = [name for name in ("name", "sex", "birth_date") if _differs(name, old, new)]
    if _differs("national_id", old, new) and (changed or not _is_renewed(old, new)):
        return ["national_id"]
    return changed if len(changed) > 1 else []


def _is_renewed(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the old kind of number gave way to the new one."""
    lengths = [len(normalise_identifier(str(one["national_id"]))) for one in (old, new)]
    return lengths == [9, 12]


def _differs(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    before, after = old.get(name), new.get(name)
    if not before or not after:
        return False
    return not _SAME[name](str(before), str(after))


def _same_sex(before: str, after: str) -> bool:
    return before == after or not {before, after} <= _SEXES


def _same_date(before: str, after: str) -> bool:
    """One of them may be a year alone."""
    return before.startswith(after) or after.startswith(before)


_OWN_DATES = {
    "visit": "started_at",
    "procedure": "started_at",
    "immunization": "given_at",
    "referral": "ordered_at",
    "diagnosis": "recorded_on",
}
_SAME = {
    "national_id": lambda before, after: normalise_identifier(before) == normalise_identifier(after),
    "name": lambda before, after: fold_label(before) == fold_label(after),
    "sex": _same_sex,
    "birth_date": _same_date,
}


def _other_year(row: ParsedRow, before: StoredRow, date: str) -> str | None:
    """The year that the record was of, by that field, if it is of another now."""
    now = row.fields.get(date)
    if now is None or not before.body:
        return None
    was = str(orjson.loads(before.body).get(date) or "")[:4]
    return was if was and was != f"{now.year:04}" else None
