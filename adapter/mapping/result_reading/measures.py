"""Which of our measures a result's codes mean, what its value is in our unit, and whether a unit contradicts
itself. Nothing is guessed: no name is matched, nothing is rounded.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from adapter.mapping.terminology.code_tables import CodeTable, CodeTables, Concept
from adapter.result_content import Amount, CodedConcept
from adapter.text_folding import accented_words, fold_text, word_sequence
from adapter.units.ucum import UcumError, UnitDimension, convert, parse_unit

__all__ = ["KnownMeasures"]

_EQUIVALENT = re.compile(r"(?<=\b[munp])eq\b|\beq\b")
_UCUM = "http://unitsofmeasure.org"
_SAME = frozenset(("equivalent", "equal"))
_MEASURES = "measures"
# What a specimen is called, and what the code's own words say is examined.
_FLUIDS = {
    "urine": ("urine", "nuoc tieu"),
    "blood": ("serum", "plasma", "blood", "huyet thanh", "huyet tuong"),
    "other": ("csf", "cerebrospinal", "dich nao tuy", "sputum", "stool", "pleural", "dich mang phoi"),
}
# Words that mean something else without their accents: mẫu is a sample, phần a part.
_ACCENTED = {"máu": "blood", "phân": "other", "đờm": "other"}
_MOST_DIGITS = 28


@dataclass(frozen=True)
class KnownMeasures:
    """Our measures, by the codes that stand for them. Without `tables` it knows none."""

    tables: CodeTables = field(default_factory=CodeTables)
    _by_code: dict[tuple[str, str], str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for concept in self._measures.concepts.values() if self._measures else ():
            for target in concept.targets:
                if target.equivalence in _SAME:
                    self._by_code.setdefault((target.system, target.code), concept.code)

    @property
    def _measures(self) -> CodeTable | None:
        return self.tables.tables.get(_MEASURES)

    def find(self, code: CodedConcept | None, specimens: Iterable[str]) -> tuple[str | None, str | None]:
        """The measure that every known code means, or what contradicts that there is one: `code` where two
        codes mean two measures, `specimen` where it is of another fluid than the code says.
        """
        found = {
            key: None for one in (code.codings if code else ()) if (key := self._key(one.system, one.code))
        }
        if len(found) > 1:
            return None, "code"
        key = next(iter(found), None)
        concept = self._concept(key)
        if concept is None:
            return None, None
        fluid, examined = _fluids(concept.target_display or ""), _fluids(" ".join(specimens))
        if fluid and examined and not fluid & examined:
            return None, "specimen"
        return key, None

    def _key(self, system: str | None, code: str | None) -> str | None:
        if not system or not code:
            return None
        table = self._measures
        if table is not None and system == table.system:
            return code if code in table.concepts else None
        return self._by_code.get((system, code))

    def _concept(self, key: str | None) -> Concept | None:
        return self._measures.concepts.get(key) if self._measures and key else None

    def is_measured_so(self, measure: str | None, amount: Amount | None) -> bool:
        """Whether the unit is of a kind that the measure has: a creatinine in moles has none of grams.
        What cannot be read is taken to be; equivalents are written for moles.
        """
        concept = self._concept(measure)
        ucum = concept.more.get("ucum") if concept else None
        code = self._unit_code(amount) if ucum and amount is not None else None
        one, two = (_dimension(_EQUIVALENT.sub("mol", unit)) if unit else None for unit in (ucum, code))
        return one is None or two is None or one.kinds == two.kinds

    def name(self, measure: str | None) -> str | None:
        """What we call a measure."""
        concept = self._concept(measure)
        return concept.display if concept else None

    def local(self, measure: str | None, amount: Amount | None) -> Amount | None:
        """The amount in the measure's own unit; None where it is in that already, or not exactly."""
        concept = self._concept(measure)
        ucum = concept.more.get("ucum") if concept else None
        if not concept or not ucum or amount is None or amount.value is None or amount.contradicts:
            return None
        source = self._unit_code(amount)
        number = _exactly(Decimal(amount.value), source, ucum) if source and source != ucum else None
        if number is None:
            return None
        unit = concept.more.get("unit") or ucum
        return Amount(
            value=format(number, "f"), comparator=amount.comparator, unit=unit, system=_UCUM, code=ucum
        )

    def unit(self, measure: str | None) -> str:
        """The unit in which we write a measure; empty of one without."""
        concept = self._concept(measure)
        return (concept.more.get("unit") or concept.more.get("ucum") or "") if concept else ""

    def components(self, measure: str | None) -> tuple[str, ...]:
        """What a panel that is written as one value ("120/80") is made of, in that order."""
        concept = self._concept(measure)
        return tuple(filter(None, (concept.more.get("components") or "").split("|"))) if concept else ()

    def number(self, measure: str | None, amount: Amount | None) -> Decimal | None:
        """The number in the measure's own unit, for a curve: what has no end there has a digit more than it
        had. None of a limit ("<0.1"), of what contradicts itself, and of a unit that says something else;
        a value without a unit is in the measure's own where that is always meant.
        """
        concept = self._concept(measure)
        if concept is None or amount is None or amount.value is None:
            return None
        if amount.comparator or amount.contradicts:
            return None
        try:
            value = Decimal(amount.value)
        except InvalidOperation:
            return None
        ucum, source = concept.more.get("ucum"), self._unit_code(amount)
        if not value.is_finite() or not (amount.unit or amount.code):
            is_meant = not ucum or concept.more.get("unit_is_implied") == "yes"
            return value if value.is_finite() and is_meant else None
        if not ucum or source is None:
            return None
        try:
            return value if source == ucum else convert(value, source, ucum)
        except UcumError:
            return None

    def _unit_code(self, amount: Amount) -> str | None:
        if amount.code and amount.system in (None, _UCUM) and _dimension(amount.code):
            return amount.code
        written = self.tables.unit(amount.unit)
        return written.ucum if written is not None and written.factor is None else None

    def contradicts(self, amount: Amount) -> bool:
        """Whether the unit's text and its code are two units. What cannot be read contradicts nothing."""
        if not amount.unit or not amount.code or amount.unit == amount.code:
            return False
        if amount.system not in (None, _UCUM):
            return False
        written = self.tables.unit(amount.unit)
        if written is not None and written.factor is not None:
            return False
        one = _dimension(written.ucum if written is not None else amount.unit)
        two = _dimension(amount.code)
        if one is None or two is None or one == two:
            return False
        # A word that we do not know may be UCUM by chance: K/uL is no kelvin.
        return written is not None or one.kinds == two.kinds


def _dimension(code: str) -> UnitDimension | None:
    """What a unit measures; a laboratory's international unit and unit are written one for the other."""
    try:
        return parse_unit(code.replace("[IU]", "U").replace("[iU]", "U").replace("[arb'U]", "U"))
    except UcumError:
        return None


def _exactly(number: Decimal, unit: str, to: str) -> Decimal | None:
    """The number in another unit, with all its digits; None where it has no end or measures other things."""
    try:
        source, target = parse_unit(unit), parse_unit(to)
    except UcumError:
        return None
    if source.kinds != target.kinds or not number.is_finite():
        return None
    if source == target:
        return None
    exact = (Fraction(number) + source.offset) * source.factor / target.factor - target.offset
    return _with_digits(exact, number)


def _with_digits(exact: Fraction, number: Decimal) -> Decimal | None:
    """A fraction as a decimal, with as many digits as there are, at least those of the number."""
    rest, digits = exact.denominator, 0
    for prime in (2, 5):
        count = 0
        while rest % prime == 0:
            rest, count = rest // prime, count + 1
        digits = max(digits, count)
    if rest != 1:
        return None
    whole = exact.numerator * 10**digits // exact.denominator
    lacking = max(0, len(number.as_tuple().digits) - len(str(abs(whole)))) if whole else 0
    text = str(abs(whole * 10**lacking))
    if len(text) > _MOST_DIGITS:
        return None
    return Decimal((int(whole < 0), tuple(map(int, text)), -digits - lacking))


def _fluids(words: str) -> set[str]:
    said = word_sequence(fold_text(words))
    found = {fluid for fluid, names in _FLUIDS.items() if any(f" {name} " in said for name in names)}
    return found.union(_ACCENTED[word] for word in accented_words(words) if word in _ACCENTED)
