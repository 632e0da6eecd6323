"""Makes `ucum.csv` out of UCUM's own table: `python -m adapter.units.generate FILE`.

The table is version 2.2 of https://github.com/ucum-org/ucum, ucum-essence.xml (a copy is in the package
`ucumvert`). By docs/decisions/0010 mole, equivalent and osmole are kinds of their own (UCUM calls them plain
numbers), and so is each arbitrary unit and each special one: those on a scale that is not linear or does not
begin at zero.
"""

import csv
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

_NS = {"u": "http://unitsofmeasure.org/ucum-essence"}
_OWN = frozenset(("mol", "eq", "osm"))
_OFFSETS = {
    "Cel": "273.15",
    "[degF]": "459.67",
    "[degRe]": "218.52",
}  # from the absolute zero


def atom_rows(source: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """code, metric, kind, value, unit: one row for each atom."""
    root = ET.parse(source).getroot()  # noqa: S314 - a file that the developer chose
    for base in root.findall("u:base-unit", _NS):
        yield base.attrib["Code"], "yes", "own", "1", ""
    for unit in root.findall("u:unit", _NS):
        code, metric = unit.attrib["Code"], "yes" if unit.get("isMetric") == "yes" else ""
        value = unit.find("u:value", _NS)
        function = value.find("u:function", _NS) if value is not None else None
        if value is None:
            raise SystemExit(f"{code} has no value")
        if code in _OFFSETS and function is not None:
            yield code, metric, _OFFSETS[code], function.attrib["value"], function.attrib["Unit"]
        elif function is not None:
            yield code, metric, "special", "1", ""
        elif code in _OWN or (unit.get("isArbitrary") and value.get("Unit") == "1"):
            yield code, metric, "own", "1", ""
        else:
            yield code, metric, "", value.attrib["value"], value.attrib["Unit"]


def main() -> None:
    """Write the table."""
    target = Path(__file__).with_name("ucum.csv")
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("code", "metric", "kind", "value", "unit"))
        writer.writerows(atom_rows(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
