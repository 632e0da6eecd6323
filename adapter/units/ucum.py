"""UCUM units (https://ucum.org/ucum, version 2.2): is this one, what does it measure, how to convert.

A small parser of the case-sensitive grammar over the official table of atoms (`ucum.csv`, made by
`generate`). Mole, equivalent, osmole and each arbitrary unit are kinds of their own, so that
mass, substance, number and activity never turn into one another; see docs/decisions/0010.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
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


class UcumError(ValueError):
    """The text is not a UCUM code, or two units measure different kinds of things."""


@dataclass(frozen=True, slots=True)
class UnitDimension:
    """What a unit measures: `factor` of the product of base kinds to their powers.

    `offset` is the unit's distance to the absolute zero, for a temperature that stands alone.
    """

    factor: Fraction
    kinds: tuple[tuple[str, int], ...] = ()
    offset: Fraction = Fraction(0)

    def times(self, other: "UnitDimension", power: int = 1) -> "UnitDimension":
        """The product with a power of another unit."""
        kinds = dict(self.kinds)
        for name, count in other.kinds:
            kinds[name] = kinds.get(name, 0) + count * power
        kept = tuple(sorted((name, count) for name, count in kinds.items() if count))
        return UnitDimension(self.factor * other.factor**power, kept)


_ONE = UnitDimension(Fraction(1))


@cache
def parse_unit(code: str) -> UnitDimension:
    """What the unit of that code measures. Raises UcumError when it is not a UCUM code."""
    if not code or len(code) > _MOST:
        raise UcumError(code)
    atom = _atoms().get(code)
    if atom is not None and code in _offsets():
        return UnitDimension(atom.factor, atom.kinds, _offsets()[code])
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
    """The value in another unit. Powers of ten move the point; otherwise the result is rounded to as many
    significant digits as the value has (a temperature: to as many decimals).

    Raises UcumError when the units measure different kinds of things.
    """
    source, target = parse_unit(unit), parse_unit(to)
    if source.kinds != target.kinds:
        raise UcumError(f"{unit} {to}")
    if source.offset or target.offset:
        absolute = (Fraction(value) + source.offset) * source.factor
        return _decimals(absolute / target.factor - target.offset, _exponent(value))
    return scale(value, source.factor / target.factor)


def scale(value: Decimal, ratio: Fraction) -> Decimal:
    """The value times a ratio, with no digit that it had not."""
    power = _power_of_ten(ratio)
    if power is not None:
        return value.scaleb(power)
    exact = Fraction(value) * ratio
    return _decimals(exact, _magnitude(exact) - max(_magnitude(Fraction(value)) - _exponent(value), 0))


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _magnitude(value: Fraction) -> int:
    """Power of ten of the first digit; 0 for zero."""
    if not value:
        return 0
    return (Decimal(abs(value.numerator)) / Decimal(value.denominator)).adjusted()


def _decimals(value: Fraction, exponent: int) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal((0, (1,), exponent)))


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
def _offsets() -> dict[str, Fraction]:
    return {row["code"]: Fraction(row["kind"]) for row in _rows() if row["kind"] not in ("", "own")}


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
    if row["kind"] == "own":
        return UnitDimension(Fraction(1), ((row["code"], 1),))
    return UnitDimension(Fraction(row["value"])).times(_Parser(row["unit"]).whole())


def _unit(text: str, code: str) -> UnitDimension:
    """An atom, or a prefix and a metric atom."""
    found = _atoms().get(text)
    if found is not None:
        return found
    for size in (1, 2):
        atom = _atoms().get(text[size:]) if text[size:] in _metric() else None
        if atom is not None and text[:size] in _PREFIXES:
            return UnitDimension(Fraction(10) ** _PREFIXES[text[:size]]).times(atom)
        if atom is not None and text[:size] in _BINARY:
            return UnitDimension(Fraction(_BINARY[text[:size]])).times(atom)
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
        power = -1 if leading and self._sign("/") else 1
        found = _ONE.times(self._component(), power)
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
        return _ONE.times(_unit(token["unit"], self._code), int(token["power"] or 1))
