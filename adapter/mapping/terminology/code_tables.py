"""Code tables and units as values: what a local code means, on which day, in which code systems.

`table_files` reads them from `mappings/codes`; see its README for the columns. Nothing is guessed: an
unknown code stays what it is.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Protocol, TypeVar

from adapter.mapping.terminology.spellings import Spellings
from adapter.text_folding import unify_letters

__all__ = [
    "LOINC_SYSTEM",
    "UNFIT_UNIT",
    "CodeSystemVersion",
    "CodeTable",
    "CodeTables",
    "Concept",
    "TargetCode",
    "WrittenUnit",
    "is_loinc_code",
    "newest_first",
    "normalise_text",
    "normalise_unit",
    "periods_overlap",
    "valid_on",
]

LOINC_SYSTEM = "http://loinc.org"
UNFIT_UNIT = "unfit"  # counted as (UNFIT, "MEASURE unit"): a unit that measures another kind of thing


@dataclass(frozen=True, slots=True)
class TargetCode:
    """One code of an international system that a local code stands for. `line` is its row in the file."""

    system: str
    code: str
    display: str | None
    equivalence: str
    line: int


@dataclass(frozen=True, slots=True)
class Concept:
    """What a local code means in one period; both ends belong to it, None is no limit.

    `targets` has at most one code of each system, in the file's order. `more` holds the columns that
    only this table has, `line` is the (first) row in the file.
    """

    code: str
    display: str
    targets: tuple[TargetCode, ...]
    more: Mapping[str, str]
    line: int = 0
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def system(self) -> str | None:
        """System of the first target."""
        return self.targets[0].system if self.targets else None

    @property
    def target(self) -> str | None:
        """Code of the first target."""
        return self.targets[0].code if self.targets else None

    @property
    def target_display(self) -> str | None:
        """Display of the first target, in its system's words."""
        return self.targets[0].display if self.targets else None


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A code table. `system` is the URI of its local codes, None when those are never sent; `file` is
    where it stands under the mapping folder. A code that a `closed` one has not is none of its system, so
    it goes as text alone. `concepts` has the newest row of each code, `rows` all of
    them, newest first.
    """

    name: str
    system: str | None
    concepts: Mapping[str, Concept]
    columns: frozenset[str] = frozenset()
    caseless: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[str, tuple[Concept, ...]] = field(default_factory=dict)
    file: str = ""
    closed: bool = False
    title: str = ""
    title_en: str = ""

    def find(self, code: str | None, on: date | None = None) -> Concept | None:
        """The row of a code that is valid on that day; the newest without a day, or when none is valid.

        Letter case is looked at only where two codes differ in nothing else.
        """
        if not code:
            return None
        newest = self.concepts.get(code)
        if newest is None:
            newest = self.concepts.get(self.caseless.get(normalise_text(code), ""))
        if newest is None or on is None:
            return newest
        rows = self.rows.get(newest.code, ())
        return newest if len(rows) == 1 else valid_on(rows, on) or newest


@dataclass(frozen=True, slots=True)
class CodeSystemVersion:
    """An international code system in one of its versions. `version` is None where none is stated."""

    name: str
    uri: str
    version: str | None
    pattern: re.Pattern[str]
    valid_from: date | None = None
    valid_to: date | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class WrittenUnit:
    """A unit as it is written, in UCUM (https://ucum.org). `factor` turns the written value into it."""

    ucum: str
    dimension: str
    factor: Decimal | None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class CodeTables:
    """All code tables and units of one folder. `cache_size` is how many values read with them may be kept."""

    cache_size: ClassVar[int] = 20_000
    tables: Mapping[str, CodeTable] = field(default_factory=dict)
    units: Mapping[str, WrittenUnit] = field(default_factory=dict)
    dimensions: Mapping[str, str] = field(default_factory=dict)  # by UCUM code
    spellings: Spellings = field(default_factory=Spellings)  # of the table `qualitative`
    systems: Mapping[str, tuple[CodeSystemVersion, ...]] = field(default_factory=dict)  # newest first

    def version(self, name: str, on: date | None = None) -> CodeSystemVersion:
        """The version of a code system in force on a day; the newest without a day, or when none is."""
        versions = self.systems[name]
        return (valid_on(versions, on) if on else None) or versions[0]

    def unit(self, written: str | None) -> WrittenUnit | None:
        """The unit as written; letter case matters only where it changes the meaning (G/L, g/L)."""
        if not written:
            return None
        text = normalise_unit(written)
        return self.units.get(text) or self.units.get("\0" + text.casefold())


class ValidityPeriod(Protocol):
    """Anything that holds from one day to another, both included; None is no limit."""

    @property
    def valid_from(self) -> date | None: ...
    @property
    def valid_to(self) -> date | None: ...


_P = TypeVar("_P", bound=ValidityPeriod)


def valid_on(rows: Iterable[_P], on: date) -> _P | None:
    """The one of `rows` that holds on a day, or on a moment's day in its own offset."""
    day = on.date() if isinstance(on, datetime) else on
    return next((row for row in rows if _first(row) <= day <= _last(row)), None)


def periods_overlap(one: ValidityPeriod, two: ValidityPeriod) -> bool:
    """Whether two periods have a day in common."""
    return max(_first(one), _first(two)) <= min(_last(one), _last(two))


def newest_first(rows: Iterable[_P]) -> tuple[_P, ...]:
    """Sorted by the day they begin to hold."""
    return tuple(sorted(rows, key=_first, reverse=True))


def _first(row: ValidityPeriod) -> date:
    return row.valid_from or date.min


def _last(row: ValidityPeriod) -> date:
    return row.valid_to or date.max


def normalise_text(text: str) -> str:
    """NFC, without case and superfluous white space: the form in which spellings are compared."""
    return " ".join(unify_letters(text).casefold().split())


def normalise_unit(text: str) -> str:
    """The form in which units are compared: NFC, no white space, one micro sign."""
    # two code points look like the same micro sign: U+00B5 and the Greek mu U+03BC
    return "".join(unify_letters(text).replace("\u03bc", "\u00b5").split())


def is_loinc_code(code: str) -> bool:
    """Whether the code has LOINC's form and a right check digit (Luhn, mod 10). Answer codes (LA…)
    count their check digit in another way, so only their form is looked at.
    """
    if re.fullmatch(r"LA\d{1,6}-\d", code):
        return True
    match = re.fullmatch(r"(\d{1,7})-(\d)", code)
    if match is None:
        return False
    total = 0
    for place, digit in enumerate(reversed(match[1])):
        number = int(digit) * (2 if place % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return (10 - total % 10) % 10 == int(match[2])
