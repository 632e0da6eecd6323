"""Reading a measured value as it was written: number, comparison, panel, titre, range, word.

`5.30`, `<0.1`, `120/80`, `8/10`, `1/80`, `5-10`, `âm tính`, `ĐNT 3m`. The digits stay as they are
(http://hl7.org/fhir/R4/datatypes.html#decimal); what is not certain stays text.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from adapter.mapping.terminology import Codes, Concept, Table, Unit

__all__ = ["Part", "Value", "ValueReader"]

_UCUM = "http://unitsofmeasure.org"
_NUMBER = re.compile(r"(<=|>=|<|>|≤|≥)?\s*(-?\d{1,15}(?:\.\d{1,12})?)")
_PAIR = re.compile(r"(\d{1,6}(?:\.\d{1,4})?)\s*/\s*(\d{1,6}(?:\.\d{1,4})?)")
_TITRE = re.compile(r"(1)\s*[:/]\s*(\d{1,6})")
_RANGE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*[-–]\s*(\d{1,9}(?:\.\d{1,6})?)")
_COMPARATORS = {"≤": "<=", "≥": ">="}
_FAMILIES = dict.fromkeys(
    ("mass/volume", "substance/volume", "equivalent/volume", "units/volume", "arbitrary/volume"),
    "concentration",
) | dict.fromkeys(("fraction", "substance/substance", "mass/substance", "mass/mass", "number"), "ratio")
_FAMILIES |= {"activity/volume": "concentration"}
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Part:
    """One component of a panel, as if it were a measurement of its own."""

    measure: str
    value: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Value:
    """A value in the one form that fits; all but one of the fields are None or empty."""

    quantity: dict[str, object] | None = None
    ratio: dict[str, object] | None = None
    range: dict[str, object] | None = None
    coded: str | None = None  # code of the table `qualitative`
    word: str | None = None  # a coded measure's result that the table does not know
    text: str | None = None
    parts: tuple[Part, ...] = ()


class ValueReader:
    """Reads values with the measures and units of `codes`. The same question is answered from memory."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes
        self._measures = codes.tables.get("measures") or Table("measures", None, {})
        self._known: dict[tuple[str, str, str | None], Value] = {}

    def read(self, measure: str, value: str, unit: str | None) -> Value:
        """The value of one measurement. Never raises for any text."""
        key = (measure, value, unit)
        found = self._known.get(key)
        if found is None:
            found = self._read(measure, value.strip(), unit)
            if len(self._known) < _REMEMBERED:
                self._known[key] = found
        return found

    def fits(self, measure: str, unit: str | None) -> bool:
        """Whether the unit measures what the measure's international code says (mass is not substance)."""
        concept = self._measures.find(measure)
        expected = concept.more.get("ucum") if concept else None
        if not unit or not expected:
            return True
        written = self._codes.unit(unit)
        return written is not None and written.dimension == self._codes.dimensions.get(expected)

    def limits(self, measure: str, low: Decimal | None, high: Decimal | None, unit: str | None) -> object:
        """`Observation.referenceRange` from the limits that the laboratory gave; None without any."""
        found: dict[str, object] = {}
        for name, limit in (("low", low), ("high", high)):
            if limit is not None:
                found[name] = self._quantity(self._measures.find(measure), None, limit, unit)
        return [found] if found else None

    def _read(self, measure: str, value: str, unit: str | None) -> Value:
        concept = self._measures.find(measure)
        kind = concept.more.get("type", "") if concept else ""
        if kind in ("text", "report"):
            return Value(text=value)
        found: Value | None = None
        if kind == "qualitative":
            found = self._spelled(measure, value)
        if found is None:
            found = self._numeric(concept, value, unit) or self._spelled(measure, value)
        if found is not None:
            return found
        return Value(word=value) if kind == "qualitative" else Value(text=value)

    def _spelled(self, measure: str, value: str) -> Value | None:
        concept = self._measures.find(measure)
        code = self._codes.spelled(value, concept.code if concept is not None else measure)
        return Value(coded=code) if code else None

    def _numeric(self, concept: Concept | None, value: str, unit: str | None) -> Value | None:
        if match := _NUMBER.fullmatch(value):
            return Value(quantity=self._quantity(concept, match[1], Decimal(match[2]), unit))
        if match := _PAIR.fullmatch(value):
            return self._pair(concept, match[1], match[2], unit)
        if match := _TITRE.fullmatch(value):
            return _titre(match[2])
        if match := _RANGE.fullmatch(value):
            low, high = Decimal(match[1]), Decimal(match[2])
            if low <= high:
                low_quantity = self._quantity(concept, None, low, unit)
                return Value(range={"low": low_quantity, "high": self._quantity(concept, None, high, unit)})
        return None

    def _pair(self, concept: Concept | None, first: str, second: str, unit: str | None) -> Value | None:
        if concept is not None and (names := concept.more.get("components", "")):
            names_of_parts = names.split("|")
            if len(names_of_parts) == 2:
                values = zip(names_of_parts, (first, second), strict=True)
                return Value(parts=tuple(Part(name, text, unit) for name, text in values))
        if concept is not None and concept.more.get("ucum") == "1" and second == "10":
            return Value(quantity={"value": _scaled(Decimal(first), Decimal("0.1")), **_coded_unit("1")})
        return _titre(second) if first == "1" and second.isdecimal() else None

    def _quantity(
        self, concept: Concept | None, comparator: str | None, number: Decimal, unit: str | None
    ) -> dict[str, object]:
        implied = concept is not None and concept.more.get("unit_is_implied") == "yes"
        written = unit or (concept.more["unit"] if concept is not None and implied else None)
        known: Unit | None = self._codes.unit(written)
        if known is None and not unit and implied and concept is not None and concept.more["ucum"]:
            known = Unit(concept.more["ucum"], "", None)
        if known is not None and unit and concept is not None and self._contradicts(concept, known):
            known = None  # a weight in centimetres: what was meant is not certain
        quantity: dict[str, object] = {"value": number}
        if known is not None and known.factor is not None:
            quantity["value"] = _scaled(number, known.factor)
            written = None  # the number is no longer in the unit as it was written
        if comparator:
            quantity["comparator"] = _COMPARATORS.get(comparator, comparator)
        if written:
            quantity["unit"] = written
        return quantity | _coded_unit(known.ucum) if known is not None else quantity

    def _contradicts(self, concept: Concept, written: Unit) -> bool:
        """Whether a unit measures what this measure cannot be. Mass, moles and units of activity in a
        volume are ways to say the same kind of thing, and so are ratios.
        """
        expected = self._codes.dimensions.get(concept.more.get("ucum", ""))
        if not expected or not written.dimension:
            return False
        return _FAMILIES.get(written.dimension, written.dimension) != _FAMILIES.get(expected, expected)


def _titre(denominator: str) -> Value:
    return Value(ratio={"numerator": {"value": 1}, "denominator": {"value": int(denominator)}})


def _scaled(number: Decimal, factor: Decimal) -> Decimal:
    scaled = number * factor
    return scaled if scaled.as_tuple().exponent != 0 else scaled.quantize(Decimal(1))


def _coded_unit(ucum: str) -> dict[str, object]:
    return {"system": _UCUM, "code": ucum}
