"""What stands in a value's cell besides its number, put where it belongs: a flag, a per cent sign. Pure."""

import re
from typing import Any

from adapter.records.plausible.finding import Finding
from adapter.records.sheets.cell_parsers import parse_value_as_written
from adapter.written_values import flag_apart, flags_agree, stronger_flag

__all__ = ["PERCENT", "settle_value"]

PERCENT = "%"
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
    return None
