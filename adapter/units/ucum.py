"""UCUM units (https://ucum.org/ucum, version 2.2): is this one, what does it measure, how to convert.

A small parser of the case-sensitive grammar over the official table of atoms (`ucum.csv`, made by
`generate`). Mole, equivalent, osmole, each arbitrary and each special unit are kinds of their own, so that
mass, substance, number and activity never turn into one another; see docs/decisions/0010. Work is bounded,
whoever sends the code: its length, its powers, and how many codes are remembered.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache, lru_cache
from pathlib import Path

__all__ = [
    "UCUM",
    "UcumError",
    "UnitDimension",
    "commensurable",
    "convert",
    "is_ucum_code",
    "parse_unit",
    "scale",
]

UCUM = "http://unitsofmeasure.org"  # the system of its codes in FHIR
_TABLE = Path(__file__).with_name("ucum.csv")
_PREFIXES = {
    **{"Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1},
    **{"d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24},
}
_BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_TOKEN = re.compile(
    r"""(?P<sign>[./()])
    | (?P<annotation>\{[!-z|~]*\})
    | (?P<unit>(?:10[*^]|(?:[A-Za-z%'"_]|\[[!-Z\\^-~]+\])+))(?P<power>[+-]?[0-9]+)?
    | (?P<number>[0-9]+)""",
    re.VERBOSE,
)
_MOST = 64  # characters; the longest code of the common list has 40
_MOST_POWER = 99
_REMEMBERED = 4096  # codes
_MORE_DIGITS = 3  # that a result may have beyond its value, where it is exact with them


class UcumError(ValueError):
    """The text is not a UCUM code, or two units measure different kinds of things."""


@dataclass(frozen=True, slots=True)
class UnitDimension:
    """What a unit measures: `factor` of the product of base kinds to their powers.

    `is_special` is said of units on a scale that is not linear or does not begin at zero, such as Cel and
    [pH]: they take no part in products (https://ucum.org/ucum#para-21). `offset` is the distance of a
    temperature's zero to the absolute one, in the unit itself.
    """

    factor: Fraction
    kinds: tuple[tuple[str, int], ...] = ()
    offset: Fraction = Fraction(0)
    is_special: bool = False

    def times(self, other: "UnitDimension", power: int = 1) -> "UnitDimension":
        """The product with a power of another unit. Raises UcumError where one of them is special."""
        if self.is_special or other.is_special:
            raise UcumError("a special unit takes no part in products")
        kinds = dict(self.kinds)
        for name, count in other.kinds:
            kinds[name] = kinds.get(name, 0) + count * power
        kept = tuple(sorted((name, count) for name, count in kinds.items() if count))
        return UnitDimension(self.factor * other.factor**power, kept)

    def with_prefix(self, size: Fraction) -> "UnitDimension":
        """The unit with a prefix: 1 mCel is a thousandth of a degree above the zero of Cel."""
        return UnitDimension(self.factor * size, self.kinds, self.offset / size, self.is_special)


_ONE = UnitDimension(Fraction(1))


@lru_cache(_REMEMBERED)
def parse_unit(code: str) -> UnitDimension:
    """What the unit of that code measures. Raises UcumError when it is not a UCUM code."""
    if not code or len(code) > _MOST:
        raise UcumError(code)
    return _Parser(code).whole()


def is_ucum_code(code: str) -> bool:
    """Whether the text is a UCUM code."""
    try:
        parse_unit(code)
    except UcumError:
        return False
    return True


def commensurable(one: str, two: str) -> bool:
    """Whether both UCUM codes measure the same kind of thing. Raises UcumError for what is none."""
    return parse_unit(one).kinds == parse_unit(two).kinds


def convert(value: Decimal, unit: str, to: str) -> Decimal:
    """The value in another unit. Powers of ten move the point. A result that is exact with three digits more
    than the value is kept whole: 2 h are 120 min, 6 [in_i] are 15.24 cm. Any other has one digit more than
    the value (a temperature: one decimal more), and keeps its whole units: 80 mm[Hg] are 10.7 kPa.

    Raises UcumError when the units measure different kinds of things.
    """
    source, target = parse_unit(unit), parse_unit(to)
    if source.kinds != target.kinds:
        raise UcumError(f"{unit} {to}")
    if source.offset or target.offset:
        absolute = (Fraction(value) + source.offset) * source.factor
        step = _nearest_power_of_ten(source.factor / target.factor)  # 1 [degF] is nearly 1 Cel, 1 mCel is not
        return _rounded(absolute / target.factor - target.offset, _exponent(value) + step)
    ratio = source.factor / target.factor
    if _power_of_ten(ratio) is not None:
        return scale(value, ratio)
    result = Fraction(value) * ratio
    return _rounded(result, _last_digit(value, result))


def scale(value: Decimal, ratio: Fraction) -> Decimal:
    """The value times a measured ratio, such as a molar mass: with one digit more than it had."""
    power = _power_of_ten(ratio)
    if power is not None:
        sign, digits, _ = value.as_tuple()
        return Decimal((sign, digits, _exponent(value) + power))
    exact = Fraction(value) * ratio
    return _decimals(exact, min(_last_digit(value, exact) - 1, 0))


def _nearest_power_of_ten(ratio: Fraction) -> int:
    power = _magnitude(ratio)
    return power if ratio < 3 * Fraction(10) ** power else power + 1


def _last_digit(value: Decimal, result: Fraction) -> int:
    """Where the last of as many digits of the result stands as the value has."""
    return _magnitude(result) - max(_magnitude(Fraction(value)) - _exponent(value), 0)


def _rounded(result: Fraction, last: int) -> Decimal:
    """The result to its end, where that is at most some places after `last`; otherwise with one more."""
    last = min(last, 0)
    for places in range(_MORE_DIGITS + 1):
        if (result * 10 ** (places - last)).denominator == 1:
            return _decimals(result, last - places)
    return _decimals(result, last - 1)


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _magnitude(value: Fraction) -> int:
    """Power of ten of the first digit; 0 for zero."""
    if not value:
        return 0
    return (Decimal(abs(value.numerator)) / Decimal(value.denominator)).adjusted()


def _decimals(value: Fraction, exponent: int) -> Decimal:
    """Rounded half to even at that power of ten; exact beyond what a decimal context would keep."""
    units = round(value / Fraction(10) ** exponent)
    return Decimal((int(units < 0), tuple(map(int, str(abs(units)))), exponent))


def _power_of_ten(ratio: Fraction) -> int | None:
    big = max(ratio.numerator, ratio.denominator)
    power = len(str(big)) - 1
    if min(ratio.numerator, ratio.denominator) != 1 or big != 10**power:
        return None
    return power if big == ratio.numerator else -power


@cache
def _rows() -> tuple[dict[str, str], ...]:
    with _TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@cache
def _metric() -> frozenset[str]:
    return frozenset(row["code"] for row in _rows() if row["metric"])


@cache
def _definitions() -> dict[str, dict[str, str]]:
    return {row["code"]: row for row in _rows()}


class _Atoms:
    """Atoms by code, each worked out when first asked for."""

    def __init__(self) -> None:
        self._known: dict[str, UnitDimension] = {}

    def get(self, code: str) -> UnitDimension | None:
        row = _definitions().get(code)
        if row is None:
            return None
        if code not in self._known:
            self._known[code] = _defined(row)
        return self._known[code]


@cache
def _atoms() -> _Atoms:
    return _Atoms()


def _defined(row: dict[str, str]) -> UnitDimension:
    if row["kind"] in ("own", "special"):
        return UnitDimension(Fraction(1), ((row["code"], 1),), is_special=row["kind"] == "special")
    made = UnitDimension(Fraction(row["value"])).times(_Parser(row["unit"]).whole())
    if row["kind"]:
        return UnitDimension(made.factor, made.kinds, Fraction(row["kind"]), is_special=True)
    return made


def _unit(text: str, code: str) -> UnitDimension:
    """An atom, or a prefix and a metric atom."""
    found = _atoms().get(text)
    if found is not None:
        return found
    for size in (1, 2):
        atom = _atoms().get(text[size:]) if text[size:] in _metric() else None
        if atom is not None and text[:size] in _PREFIXES:
            return atom.with_prefix(Fraction(10) ** _PREFIXES[text[:size]])
        if atom is not None and text[:size] in _BINARY:
            return atom.with_prefix(Fraction(_BINARY[text[:size]]))
    raise UcumError(code)


class _Parser:
    """main-term = ["/"] term; term = component {("." | "/") component}; left to right."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._tokens = list(self._split(code))
        self._at = 0

    def whole(self) -> UnitDimension:
        """What the whole code measures."""
        found = self._term(leading=True)
        if self._at != len(self._tokens):
            raise UcumError(self._code)
        return found

    def _split(self, code: str) -> Iterator[re.Match[str]]:
        place = 0
        while place < len(code):
            match = _TOKEN.match(code, place)
            if match is None:
                raise UcumError(code)
            yield match
            place = match.end()

    def _sign(self, *signs: str) -> str | None:
        if self._at < len(self._tokens) and (sign := self._tokens[self._at]["sign"]) in signs:
            self._at += 1
            return sign
        return None

    def _term(self, *, leading: bool = False) -> UnitDimension:
        found = _ONE.times(self._component(), -1) if leading and self._sign("/") else self._component()
        while sign := self._sign(".", "/"):
            found = found.times(self._component(), 1 if sign == "." else -1)
        return found

    def _component(self) -> UnitDimension:
        if self._sign("("):
            inner = self._term()
            if not self._sign(")"):
                raise UcumError(self._code)
            self._skip_annotation()
            return inner
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        if token is None or token["sign"]:
            raise UcumError(self._code)
        self._at += 1
        if token["annotation"]:
            return _ONE
        self._skip_annotation()
        return self._simple(token)

    def _skip_annotation(self) -> None:
        if self._at < len(self._tokens) and self._tokens[self._at]["annotation"]:
            self._at += 1

    def _simple(self, token: re.Match[str]) -> UnitDimension:
        if token["number"]:
            if not int(token["number"]):
                raise UcumError(self._code)
            return UnitDimension(Fraction(int(token["number"])))
        unit = _unit(token["unit"], self._code)
        if token["power"] is None:
            return unit
        power = int(token["power"])  # of a code that is short
        if abs(power) > _MOST_POWER:
            raise UcumError(self._code)
        return _ONE.times(unit, power)
