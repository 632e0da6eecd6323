"""The measures that a clerk may write a value of, and the Observation that comes of one. Pure.

A value is read as a cell of the centre's own workbooks is: `5,3`, `<0.1`, `120/80`, `âm tính`.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from adapter.fhir.codec import Resource, dumps, loads
from adapter.mapping.terminology.code_tables import CodeTable, CodeTables, Concept, normalise_text
from adapter.mapping.transforms.measured_values import MeasuredValue, MeasuredValueReader
from adapter.mapping.transforms.transforms import Transforms
from adapter.records.plausible.ranges import PlausibleRanges

__all__ = ["FoundValue", "PageMeasures", "WrongValueError"]

_MEASURED: Final = ("vital-signs", "laboratory", "exam", "procedure")
_COMMA: Final = re.compile(r"(?<![0-9.,])([0-9]+),([0-9]+)(?![0-9.,])")  # as decimals are written in Viet Nam
_NUMBERS: Final = ("quantity", "panel")
_VALUES: Final = {
    "valueQuantity": "quantity",
    "valueCodeableConcept": "qualitative",
    "valueString": "text_value",
    "valueRange": "range",
    "valueRatio": "ratio",
}  # element -> the transform that makes it, as in mappings/observation.yaml


class WrongValueError(Exception):
    """A value that the measure cannot have: `why` is `measure`, `value`, `unit` or `range`, and then
    `expected` says which.
    """

    def __init__(self, why: str, expected: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.expected = expected


@dataclass(frozen=True, slots=True)
class FoundValue:
    """A value as it was written: `measure` is a local code."""

    measure: str
    value: str
    unit: str | None


class PageMeasures:
    """The measures of the code tables, and in which `ranges` their values lie: 1.200 for 1200, or a unit that
    was confused, shows there.
    """

    def __init__(self, tables: CodeTables, ranges: PlausibleRanges) -> None:
        self._ranges = ranges
        self._table = tables.tables.get("measures") or CodeTable("measures", None, {})
        self._reader = MeasuredValueReader(tables)
        made = Transforms(tables, kinds={}, identify=lambda *_: "", identifier_system="", unknown=Counter())
        self._transforms = made.filters()

    @cached_property
    def _listed(self) -> Sequence[Concept]:
        return [one for one in self._table.concepts.values() if one.more.get("category") in _MEASURED]

    def labels(self, language: str) -> list[str]:
        """What the measures are called, with the unit of each; with its code too where another measure is
        called so.
        """
        return sorted({self._label(one, language) for one in self._listed})

    def _label(self, concept: Concept, language: str) -> str:
        name = (concept.more.get("display_en") if language == "en" else None) or concept.display
        unit = concept.more.get("unit")
        label = f"{name} ({unit})" if unit else name
        return label if self._called(label) <= {concept.code} else f"{label} [{concept.code}]"

    @cached_property
    def _names(self) -> Mapping[str, frozenset[str]]:
        """Codes by whatever a measure is called."""
        found: dict[str, frozenset[str]] = {}
        for one in self._listed:
            for name in (one.code, one.display, one.more.get("display_en") or one.display):
                known = found.get(normalise_text(name), frozenset())
                found[normalise_text(name)] = known | {one.code}
        return found

    def _called(self, name: str) -> frozenset[str]:
        return self._names.get(normalise_text(name), frozenset())

    @cached_property
    def _by_label(self) -> Mapping[str, str]:
        return {
            normalise_text(self._label(one, language)): one.code
            for language in ("vi", "en")
            for one in self._listed
        }

    def _code(self, name: str) -> str | None:
        """The measure of a label, or of a name that no other has: blood and urine both have a glucose."""
        named = self._called(name)
        return self._by_label.get(normalise_text(name)) or (next(iter(named)) if len(named) == 1 else None)

    def code_of(self, observation: Resource) -> str:
        """The measure of an Observation that a row of the form became; "" of any other."""
        codings = (observation.get("code") or {}).get("coding", ())
        found = (self._table.concepts.get(str(one.get("code"))) for one in codings)
        return next((one.code for one in found if one is not None), "")

    def name_of(self, code: str) -> str:
        """What a measure is called; "" of none."""
        concept = self._table.concepts.get(code)
        return "" if concept is None else concept.display

    def read(self, name: str, value: str, unit: str) -> FoundValue:
        """A row of the form; an empty unit is the measure's own. Raises WrongValueError."""
        code = self._code(name)
        if code is None:
            raise WrongValueError("measure")
        concept = self._table.concepts[code]
        if unit and not self._reader.unit_fits(code, unit):
            raise WrongValueError("unit")
        value = _COMMA.sub(r"\1.\2", value)
        found = FoundValue(code, value, unit or concept.more.get("unit") or None)
        if not value or not self._is_right(concept, self._reader.read(code, value, found.unit)):
            raise WrongValueError("value")
        if (odd := self._ranges.finding(code, value, found.unit)) is not None:
            if "low" not in odd.params:
                raise WrongValueError("value")
            raise WrongValueError("range", "{low} – {high} {unit}".format(**odd.params).strip())
        return found

    @staticmethod
    def _is_right(concept: Concept, read: MeasuredValue) -> bool:
        if concept.more.get("type") not in _NUMBERS:
            return True
        if concept.more.get("components"):
            return bool(read.parts) and not read.off_profile
        return bool(read.quantity or read.range or read.ratio) and not read.off_profile

    def observation(self, found: FoundValue) -> Resource:
        """Category, code and value of the Observation (http://hl7.org/fhir/R4/observation.html)."""
        transforms = self._transforms
        category = transforms["column"](found.measure, "measures", "category")
        parts = [self._coded_value(part) for part in transforms["parts"](found)]
        made = {
            "category": [transforms["concept"](category, "observation-category")],
            **self._coded_value(found),
            **({"component": parts} if parts else {}),
        }
        own: Resource = loads(dumps(made))
        return own  # what transforms remember is shared by all that they made

    def _coded_value(self, found: Any) -> Resource:
        made = {name: self._transforms[transform](found) for name, transform in _VALUES.items()}
        values = {name: value for name, value in made.items() if value is not None}
        return {"code": self._transforms["measured_concept"](found), **values}
