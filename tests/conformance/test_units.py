"""1,200 random conversions as two other implementations of UCUM make them; each difference is explained.

One is `@lhncbc/ucum-lhc` (npm), of the authors of LOINC; the other `org.fhir:ucum`, of HL7's validator.
"""

import csv
import random
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

from conformance.fetch import HAPI, UCUM_LHC

from adapter.units import ucum
from adapter.units.ucum import convert, is_ucum_code, parse_unit

CONVERSIONS = 1200
_PREFIXES = ("k", "d", "c", "m", "u", "n", "p", "f", "M", "G", "h", "da")


class Explanation(NamedTuple):
    """Which units of which implementation differ, and why, by UCUM's text or table (https://ucum.org/ucum)."""

    implementation: str
    units: str
    why: str


# Constants of nature are measured, and UCUM 2.2 took those of 2018: [e] is 1.602176634e-19 C exactly.
_CONSTANTS = (
    r"\[m_p\]|\[m_e\]|\[e\]|eV|(?<![A-Za-z_\[])[a-zA-Z]{0,2}u(?![A-Za-z_\]])|\[G\]|\[eps_0\]|\[mu_0\]"
)
EXPLAINED = (
    Explanation("lhc", _CONSTANTS, "it has the constants of a table before 2.2"),
    Explanation("fhir", _CONSTANTS, "it has the constants of a table before 2.2"),
    Explanation(
        "lhc",
        r"\[degRe\]",
        "table: degre(5 K/4), so that water boils at 80 [degRe]; it moves the zero before it scales",
    ),
    Explanation(
        "lhc",
        r"(?:^|[ /])[a-zA-Z]{0,2}(?:B(?:\[|[ /23]|$)|Np|bit_s)",
        "section 22: the prefix of a special unit scales the logarithm, so 10 dB[mV] are 1 B[mV] exactly; it "
        "goes through the exponential and back in binary floating point",
    ),
    Explanation(
        "lhc", r"\[IU\]|\[iU\]", "table: 1 [IU] is 1 [iU]; it converts no arbitrary unit, not even so"
    ),
    Explanation(
        "lhc",
        r"Ky|\[mesh_i\]|\[diop\]|Bd|Bq|Ci|Hz",
        "table: Ky is cm-1, [mesh_i] /[in_i], [diop] /m, all inverse lengths; Bd, Bq and Ci are per second "
        "as Hz is; it holds those for different that are not defined by one another",
    ),
    Explanation(
        "fhir", r"Cel|\[deg|B\[|Np|bit_s|\[pH\]|\[p'|\[hp'|%\[", "section 21: it has few special units"
    ),
    Explanation(
        "fhir",
        r".",
        "section 4: a unit is what its definition multiplied out gives; it rounds each step to the digits of "
        "the numbers in it, and differs by up to a fifth (0.2 g of a carat are one digit)",
    ),
)
CARRY = "it rounds 0.0000098 up to 0.0000010: where the first digit becomes ten, it loses the place"
Asked = tuple[str, str, str]


@cache
def units() -> dict[tuple[tuple[tuple[str, int], ...], bool], list[str]]:
    """Units by what they measure, special ones apart, with three prefixes each where they may have one."""
    draw = random.Random("units")  # noqa: S311 - the same ones each time
    found = defaultdict(list)
    with Path(ucum.__file__).with_name("ucum.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            prefixes = draw.sample(_PREFIXES, 3) if row["metric"] else ()
            for code in (row["code"], *(prefix + row["code"] for prefix in prefixes)):
                if is_ucum_code(code) and not code.startswith("10"):
                    unit = parse_unit(code)
                    found[unit.kinds, unit.is_special].append(code)
    return {kind: codes for kind, codes in found.items() if len(codes) > 1 and kind[0]}


def asked() -> Iterator[Asked]:
    """A value, its unit, another unit of that dimension: of single units, quotients, powers, special ones."""
    draw = random.Random("conversions")  # noqa: S311 - the same ones each time
    plain = [codes for (_, is_special), codes in units().items() if not is_special]
    special = [codes for (_, is_special), codes in units().items() if is_special]
    while True:
        codes = draw.choices(plain, weights=[min(len(one), 40) for one in plain], k=2)
        (one, other), (low, lower) = (draw.choices(listed, k=2) for listed in codes)
        power = draw.choice(("", "2", "3"))
        one, other = draw.choice(
            (
                (one, other),
                (one, other),
                (f"{one}/{low}", f"{other}/{lower}"),
                (f"{one}{power}", f"{other}{power}"),
                tuple(draw.choices(draw.choice(special), k=2)),
            )
        )
        value = Decimal(draw.randint(1, 10 ** draw.randint(1, 5))).scaleb(-draw.randint(0, 3))
        if one != other and is_ucum_code(one) and is_ucum_code(other):
            yield format(value, "f"), one, other


def answers(command: list[str], conversions: list[Asked]) -> list[Decimal | None]:
    """What another implementation says; None where it does not convert."""
    lines = "".join("\t".join(one) + "\n" for one in conversions)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert len(said) == len(conversions)
    return [Decimal(one) if re.fullmatch(r"[-+.0-9eE]+", one) else None for one in said]


def agree(ours: Decimal, theirs: Decimal | None) -> bool:
    """Whether they are the same as far as both have digits; binary floating point has fifteen of them."""
    if theirs is None:
        return False
    ends = [Decimal((0, (5,), int(one.as_tuple().exponent) - 1)) for one in (ours, theirs)]
    return abs(ours - theirs) <= max(ends) * Decimal("1.001") + abs(ours) * Decimal("1e-9")


def test_conversions_are_those_of_other_implementations(figures: list[str]) -> None:
    stream = asked()
    conversions = [next(stream) for _ in range(CONVERSIONS)]
    classpath = f"{HAPI / 'classes'}:{(HAPI / 'classpath').read_text().strip()}"
    theirs = {
        "lhc": answers(["node", str(UCUM_LHC / "convert.mjs")], conversions),
        "fhir": answers(["java", "-cp", classpath, "Convert"], conversions),
    }
    differing: Counter[tuple[str, str]] = Counter()
    for name, said in theirs.items():
        for (value, unit, to), answer in zip(conversions, said, strict=True):
            ours = convert(Decimal(value), unit, to)
            if agree(ours, answer):
                continue
            if name == "fhir" and answer is not None and abs(answer * 10 - ours) <= abs(ours) / 10:
                differing[name, CARRY] += 1
                continue
            why = [
                one
                for one in EXPLAINED
                if one.implementation == name and re.search(one.units, f"{unit} {to}")
            ]
            assert why, f"{name}: {value} {unit} are {answer} {to}, and not {ours}"
            if why[0].units == r".":
                assert answer is not None, f"{name} does not convert {unit} to {to}"
                assert abs(answer - ours) <= abs(ours) / 5, f"{name}: {value} {unit} {to} {answer} {ours}"
            differing[name, why[0].why] += 1
    for (name, why), count in sorted(differing.items()):
        figures.append(f"  {count} of {CONVERSIONS} conversions differ from {name}: {why}")
    both = sum(
        any(agree(convert(Decimal(one[0]), *one[1:]), said[index]) for said in theirs.values())
        for index, one in enumerate(conversions)
    )
    figures.append(f"conversions of units that another implementation agrees with: {both} of {CONVERSIONS}")
    assert both > CONVERSIONS * 0.9
