"""What stands in a value's cell besides its number, put where it belongs: a flag, a per cent sign. Pure."""

import re
from typing import Any

from adapter.records.plausible.finding import Finding
from adapter.records.sheets.cell_parsers import parse_value_as_written
from adapter.written_values import flag_apart, flags_agree, stronger_flag

__all__ = ["PERCENT", "settle_value"]

PERCENT = "%"
# Of the everyday units those that measure the same: in a column of centimetres a cell says 1,65 m.
_SAME_KIND = (frozenset(("m", "cm", "mm")), frozenset(("kg", "g")))
_WITH_UNIT = re.compile(r"((?:[<>]=?)?\d+(?:[.,]\d+)?)\s*([^\s\d.,;:]\S*)")
_NUMBER = re.compile(r"(?:[<>]=?)?[-\u2212]?\d+(?:\.\d+)?")


def settle_value(fields: dict[str, Any]) -> Finding | None:
    """Take value, flag and unit of a measurement apart. What contradicts another cell waits for a person."""
    value = fields["value"]
    params = {"measure": fields["measure"]}
    if found := flag_apart(value):
        flag = fields.get("flag")
        if not flags_agree(flag, found[1]):
            return Finding("value", "held_flags", {**params, "flag": flag})
        value = parse_value_as_written(found[0])
        fields["value"], fields["flag"] = value, stronger_flag(flag, found[1])
    if value.endswith(PERCENT):
        number = parse_value_as_written(value.removesuffix(PERCENT).rstrip() or PERCENT)
        if _NUMBER.fullmatch(number):
            unit = fields.get("unit")
            if unit and unit.replace(" ", "") != PERCENT:
                return Finding("value", "held_percent", {**params, "unit": unit})
            fields["value"], fields["unit"] = number, PERCENT
    elif (match := _WITH_UNIT.fullmatch(value)) and (unit := _own_unit(match[2], fields.get("unit"))):
        fields["value"], fields["unit"] = parse_value_as_written(match[1]), unit
    return None


def _own_unit(written: str, column: str | None) -> str | None:
    """The unit of a value that is written beside it, where that says the same as its column, or measures the
    same by another of the everyday units; None where a person must look.
    """
    if column is None:
        return None
    if written.casefold() == column.replace(" ", "").casefold():  # a clerk's Kg, CM, mmol/l
        return column
    known = written.casefold()
    return known if any({known, column} <= same for same in _SAME_KIND) else None
