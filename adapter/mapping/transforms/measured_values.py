"""Reading a measured value as it was written: number, comparison, panel, titre, range, word.

`5.30`, `<0.1`, `trên 100`, `120/80`, `8/10`, `1/80`, `5-10`, `5.3 mmol/L`, `âm tính`, `ĐNT 3m`. The digits
stay as they are (http://hl7.org/fhir/R4/datatypes.html#decimal); what is not certain stays text.
"""

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from adapter.bounded_cache import BoundedCache
from adapter.mapping.terminology.code_tables import CodeTable, CodeTables, Concept, WrittenUnit
from adapter.text_folding import unify_letters
from adapter.units.ucum import UcumError, commensurable, convert, scale
from adapter.written_values import unit_apart

__all__ = ["MeasuredValue", "MeasuredValueReader", "PanelPart", "convert_quantity"]

_UCUM = "http://unitsofmeasure.org"
# http://hl7.org/fhir/R4/extension-iso21090-pq-translation.html: what was measured, beside what it became
_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation"
_COMPARATORS = {
    **{"<": "<", ">": ">", "<=": "<=", ">=": ">=", "≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="},
    **{"trên": ">", "lớn hơn": ">", "dưới": "<", "nhỏ hơn": "<"},
}
_DIGITS = r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,12})?"  # 007 is no number: its zeros would be lost
_SIGNS = "|".join(sorted(_COMPARATORS, key=len, reverse=True))
_NUMBER = re.compile(rf"({_SIGNS})?\s*([-\u2212]?{_DIGITS})")
_PAIR = re.compile(rf"({_DIGITS})\s*/\s*({_DIGITS})")
_TITRE = re.compile(r"1\s*[:/]\s*([1-9][0-9]{0,5})")
_RANGE = re.compile(rf"(?:từ\s+)?({_DIGITS})\s*(?:[-\u2013\u2014÷]|\s(?:đến|tới)\s)\s*({_DIGITS})")
_COMMA = re.compile(r"(?<![0-9.,])([0-9]+),(?=[0-9]+(?![0-9.,]))")  # 1,5-2,0 but not 1,234,567
_WITH_UNIT = re.compile(
    rf"((?:{_SIGNS})?\s*[-\u2212]?{_DIGITS}(?:\s*[-\u2013/]\s*{_DIGITS})?)(?:\s+|(?=[^\s0-9.,]))(\S.*)",
    re.IGNORECASE,
)
_DECIMAL_ACUITY = Decimal(2)  # the eye charts end there
_VITAL_SIGNS = "vital-signs"
_PROFILES_ALLOW = {"Cel": ("[degF]",), "cm": ("[in_i]",), "kg": ("g", "[lb_av]")}  # beside our own unit
# Enzyme Commission 1961: one international unit of an enzyme turns over 1 µmol a minute, as UCUM's U does.
_ENZYME = "activity/volume"
_ENZYME_UNITS = {"[IU]/L": "U/L", "[IU]/mL": "U/mL", "m[IU]/mL": "mU/mL", "k[IU]/L": "kU/L"}
_CENTIMETRES_MERCURY = 38  # what both numbers of a blood pressure in cmHg are below, and none in mmHg is
_ARBITRARY = {"units/volume", "arbitrary/volume"}  # LOINC's ACnc is both
_MASS_OR_MOLES = ("mass/volume", "substance/volume")
_FAMILIES = dict.fromkeys(
    ("mass/volume", "substance/volume", "equivalent/volume", "units/volume", "arbitrary/volume"),
    "concentration",
) | dict.fromkeys(("fraction", "substance/substance", "mass/substance", "mass/mass", "number"), "ratio")
_FAMILIES |= {"activity/volume": "concentration"}


@dataclass(frozen=True, slots=True)
class PanelPart:
    """One component of a panel, as if it were a measurement of its own."""

    measure: str
    value: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class MeasuredValue:
    """A value in the one form that fits; all but one of the fields are None or empty."""

    quantity: dict[str, object] | None = None
    ratio: dict[str, object] | None = None
    range: dict[str, object] | None = None
    coded: str | None = None  # code of a result in words
    table: str = "qualitative"  # whose code that is
    word: str | None = None  # a coded measure's result that the table does not know
    text: str | None = None
    parts: tuple[PanelPart, ...] = ()
    unit: str | None = None  # the unit, where it was written behind the value
    off_profile: bool = field(default=False, compare=False)  # a vital sign whose profile forbids it to be so


class MeasuredValueReader:
    """Reads values with the measures and units of `codes`. The same question is answered from memory."""

    def __init__(self, codes: CodeTables) -> None:
        self._codes = codes
        self._measures = codes.tables.get("measures") or CodeTable("measures", None, {})
        self._fitting: BoundedCache[tuple[str, str | None], bool] = BoundedCache(codes.cache_size)
        self._known: BoundedCache[tuple[str, str, str | None], MeasuredValue] = BoundedCache(codes.cache_size)

    def read(self, measure: str, value: str, unit: str | None) -> MeasuredValue:
        """The value of one measurement. Never raises for any text."""
        key = (measure, value, unit)
        found = self._known.get(key)
        if found is None:
            normal = unify_letters(value).strip()
            made = self._read(measure, normal, unit)
            if not self._fits_vital_sign(measure, made):
                made = replace(made, off_profile=True)
            found = self._known.put(key, made)
        return found

    def unit_fits(self, measure: str, unit: str | None) -> bool:
        """Whether the unit measures what the measure's international code says (mass is not substance)."""
        asked = (measure, unit)
        found = self._fitting.get(asked)
        return self._fitting.put(asked, self._unit_fits(measure, unit)) if found is None else found

    def _unit_fits(self, measure: str, unit: str | None) -> bool:
        concept = self._measures.find(measure)
        expected = concept.more.get("ucum") if concept else None
        if not unit or not expected:
            return True
        written = self._unit(concept, unit)
        if written is None:
            return False
        dimension = self._codes.dimensions.get(expected)
        if not dimension:
            return commensurable(written.ucum, expected)
        return written.dimension == dimension or {written.dimension, dimension} <= _ARBITRARY

    def _fits_vital_sign(self, measure: str, value: MeasuredValue) -> bool:
        """Whether a vital sign is as the profile of its LOINC code binds it: a number in that unit
        (http://hl7.org/fhir/R4/observation-vitalsigns.html), or for a panel each of its parts. True of all
        other measures.
        """
        concept = self._measures.find(measure)
        if concept is None or concept.more.get("category") != _VITAL_SIGNS:
            return True
        if names := _components(concept):
            parts = [self.read(part.measure, part.value, part.unit) for part in value.parts]
            return len(parts) == len(names) and not any(part.off_profile for part in parts)
        wanted = concept.more.get("ucum")
        if not wanted:
            return True
        allowed = (wanted, *_PROFILES_ALLOW.get(wanted, ()))
        return value.quantity is not None and value.quantity.get("code") in allowed

    def _unit(self, concept: Concept | None, unit: str | None) -> WrittenUnit | None:
        """What a written unit means for a measure: of an enzyme, the international unit is the U."""
        known = self._codes.unit(unit)
        if known is None or concept is None or known.ucum not in _ENZYME_UNITS:
            return known
        if self._codes.dimensions.get(concept.more.get("ucum", "")) != _ENZYME:
            return known
        return replace(known, ucum=_ENZYME_UNITS[known.ucum], dimension=_ENZYME)

    def needs_unit(self, measure: str) -> bool:
        """Whether a number of this measure means nothing certain without a unit: a concentration that may
        be mass or moles, where the international code says which. Some measures imply their unit.
        """
        concept = self._measures.find(measure)
        if concept is None or concept.more.get("unit_is_implied") == "yes":
            return False
        return self._codes.dimensions.get(concept.more.get("ucum", "")) in _MASS_OR_MOLES

    def limits(
        self, measure: str, low: Decimal | None, high: Decimal | None, unit: str | None
    ) -> dict[str, dict[str, object]]:
        """`low` and `high` of a reference range, those of them that the laboratory gave."""
        concept = self._measures.find(measure)
        given = {"low": low, "high": high}
        return {
            name: self._quantity(concept, None, limit, unit)
            for name, limit in given.items()
            if limit is not None
        }

    def _read(self, measure: str, value: str, unit: str | None) -> MeasuredValue:
        concept = self._measures.find(measure)
        kind = concept.more.get("type", "") if concept else ""
        if kind in ("text", "report"):
            return MeasuredValue(text=value)
        found = self._unit_inside(concept, value)
        if found is not None:
            return found
        if kind == "qualitative":
            found = self._word(concept, measure, value)
        if found is None:
            found = self._number(concept, value, unit) or self._word(concept, measure, value)
        if found is not None:
            return found
        return MeasuredValue(word=value) if kind == "qualitative" else MeasuredValue(text=value)

    def _unit_inside(self, concept: Concept | None, value: str) -> MeasuredValue | None:
        """A value such as 1m65, of a measure that has such a unit; whatever unit its column says."""
        apart = unit_apart(value)
        known = self._codes.unit(apart[1]) if apart else None
        if apart is None or known is None or concept is None or self._contradicts(concept, known):
            return None
        found = self._numeric(concept, *apart) if concept.more.get("ucum") else None
        return found and replace(found, unit=apart[1])

    def _word(self, concept: Concept | None, measure: str, value: str) -> MeasuredValue | None:
        """A result in words, from the table of the measure's own values or else from the spellings."""
        if concept is not None and (table := concept.more.get("values", "")):
            own = self._codes.tables[table].find(value)
            return MeasuredValue(coded=own.code, table=table) if own else MeasuredValue(word=value)
        code = self._codes.spellings.find(value, concept.code if concept is not None else measure)
        return MeasuredValue(coded=code) if code else None

    def _number(self, concept: Concept | None, value: str, unit: str | None) -> MeasuredValue | None:
        found = self._numeric(concept, value, unit)
        if (
            found is None
            and (pointed := _COMMA.sub(r"\1.", value)) != value
            and not _NUMBER.fullmatch(pointed)
        ):
            # a number alone has its point from the source's reading, which knows more of its columns
            return self._number(concept, pointed, unit)
        if found is None and (match := _WITH_UNIT.fullmatch(value)):
            known = self._codes.unit(match[2])
            if known is not None and known.factor is not None and not _measured_in(concept, known.ucum):
                return None  # 8/10 is a number of tenths for the eyes, not for a pain
            if known is not None and (not unit or self._codes.unit(unit) == known):
                found = self._numeric(concept, match[1], match[2])
                return replace(found, unit=match[2]) if found is not None else None
        return found

    def _numeric(self, concept: Concept | None, value: str, unit: str | None) -> MeasuredValue | None:
        if match := _NUMBER.fullmatch(value.casefold()):
            number = Decimal(match[2].replace("\u2212", "-"))
            return MeasuredValue(quantity=self._quantity(concept, match[1], number, unit))
        if match := _PAIR.fullmatch(value):
            return self._pair(concept, match[1], match[2], unit)
        if match := _TITRE.fullmatch(value):
            return _titre(match[1])
        if (match := _RANGE.fullmatch(value.casefold())) and not _components(concept):
            low, high = Decimal(match[1]), Decimal(match[2])
            if low <= high:
                low_quantity = self._quantity(concept, None, low, unit)
                return MeasuredValue(
                    range={"low": low_quantity, "high": self._quantity(concept, None, high, unit)}
                )
        return None

    def _pair(
        self, concept: Concept | None, first: str, second: str, unit: str | None
    ) -> MeasuredValue | None:
        names = _components(concept)
        if len(names) == 2:
            if self._in_centimetres(names, first, second, unit):
                return None
            values = zip(names, (first, second), strict=True)
            return MeasuredValue(parts=tuple(PanelPart(name, text, unit) for name, text in values))
        if _measured_in(concept, "1") and second == "10":
            return MeasuredValue(quantity=self._quantity(concept, None, Decimal(first), "x/10", sure=True))
        return _titre(second) if first == "1" and _TITRE.fullmatch(f"1/{second}") else None

    def _in_centimetres(self, names: list[str], first: str, second: str, unit: str | None) -> bool:
        """Whether a blood pressure is in cmHg (12/8), though nothing says so or something else is said."""
        known = self._codes.unit(unit)
        pressures = all(_measured_in(self._measures.find(name), "mm[Hg]") for name in names)
        said = known is not None and known.ucum != "mm[Hg]"
        return pressures and not said and max(Decimal(first), Decimal(second)) < _CENTIMETRES_MERCURY

    def _quantity(
        self,
        concept: Concept | None,
        comparator: str | None,
        number: Decimal,
        unit: str | None,
        *,
        sure: bool = False,
    ) -> dict[str, object]:
        implied = concept is not None and concept.more.get("unit_is_implied") == "yes"
        written = unit or (concept.more["unit"] if concept is not None and implied else None)
        known: WrittenUnit | None = self._unit(concept, written)
        if known is None and not unit and implied and concept is not None and concept.more["ucum"]:
            known = WrittenUnit(concept.more["ucum"], "", None)
        if known is not None and unit and concept is not None and self._contradicts(concept, known):
            known = None  # a weight in centimetres: what was meant is not certain
        quantity: dict[str, object] = {"value": number}
        if comparator:
            quantity["comparator"] = _COMPARATORS[comparator]
        if written:
            quantity["unit"] = written
        if known is None or not (sure or _applies(known, number)):
            return quantity
        if known.factor is not None:
            return _became(quantity, scale(number, Fraction(known.factor)), known.ucum)
        quantity |= _coded_unit(known.ucum)
        wanted = concept.more.get("convert_to") if concept is not None else None
        return convert_quantity(quantity, wanted) if wanted else quantity

    def _contradicts(self, concept: Concept, written: WrittenUnit) -> bool:
        """Whether a unit measures what this measure cannot be. Mass, moles and units of activity in a
        volume are ways to say the same kind of thing, and so are ratios.
        """
        expected = self._codes.dimensions.get(concept.more.get("ucum", ""))
        if not expected or not written.dimension:
            return False
        return _FAMILIES.get(written.dimension, written.dimension) != _FAMILIES.get(expected, expected)


def convert_quantity(quantity: dict[str, object], unit: str) -> dict[str, object]:
    """A quantity in another UCUM unit, what was measured kept beside it; as it is where its own unit is
    not known or measures another kind of thing (mass is not substance).
    """
    code, number = quantity.get("code"), quantity["value"]
    if not isinstance(code, str) or not isinstance(number, Decimal) or code == unit:
        return quantity
    try:
        return _became(quantity, convert(number, code, unit), unit)
    except UcumError:
        return quantity


def _became(measured: dict[str, object], number: Decimal, ucum: str) -> dict[str, object]:
    unit = {} if ucum == "1" else {"unit": ucum}
    comparator = {"comparator": measured["comparator"]} if "comparator" in measured else {}
    translation = {
        "url": _TRANSLATION,
        "valueQuantity": {k: v for k, v in measured.items() if k != "extension"},
    }
    made: dict[str, object] = {"value": number, **comparator, **unit, **_coded_unit(ucum)}
    # a second conversion keeps the first one's original
    return {"extension": measured.get("extension") or [translation], **made}


def _applies(unit: WrittenUnit, number: Decimal) -> bool:
    """Whether the factor of a written unit may be applied. An acuity of 0.8 in a column headed x/10 is
    eight tenths already, or not even one: what was meant is not certain.
    """
    whole = number.as_tuple().exponent == 0
    return unit.factor is None or unit.ucum != "1" or whole or number > _DECIMAL_ACUITY


def _measured_in(concept: Concept | None, ucum: str) -> bool:
    return concept is not None and concept.more.get("ucum") == ucum


def _components(concept: Concept | None) -> list[str]:
    names = concept.more.get("components", "") if concept is not None else ""
    return names.split("|") if names else []


def _titre(denominator: str) -> MeasuredValue:
    return MeasuredValue(ratio={"numerator": {"value": 1}, "denominator": {"value": int(denominator)}})


def _coded_unit(ucum: str) -> dict[str, object]:
    return {"system": _UCUM, "code": ucum}
