"""What is wrong with an entry of a file that a person wrote, in that person's words instead of pydantic's."""

from collections.abc import Mapping
from typing import Any

from adapter.texts import has_text, say

__all__ = ["describe_invalid_entry"]

_PROBLEMS = {  # pydantic's type of a problem -> our text
    "missing": "missing",
    "extra_forbidden": "unknown",
    "literal_error": "one_of",
    "enum": "one_of",
    "string_pattern_mismatch": "pattern",
    "string_type": "text",
    "path_type": "text",
    "int_parsing": "whole",
    "int_type": "whole",
    "int_from_float": "whole",
    "float_parsing": "number",
    "float_type": "number",
    "bool_parsing": "yes_no",
    "bool_type": "yes_no",
    "dict_type": "section",
    "model_type": "section",
    "greater_than": "above",
    "greater_than_equal": "at_least",
    "less_than": "below",
    "less_than_equal": "at_most",
    "value_error": "own",
    "list_type": "list",
    "tuple_type": "list",
    "set_type": "list",
    "frozen_set_type": "list",
    "too_short": "too_few",
    "too_long": "too_many",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
}


def describe_invalid_entry(item: Mapping[str, Any]) -> str:
    """What is wrong with an entry of a file, in words: one of pydantic's errors."""
    known = f"settings.wrong_{_PROBLEMS.get(item['type'], '')}"
    found = {"problem": item["msg"], **item.get("ctx", {})}
    if "expected" in found:  # "'a', 'b' or 'c'"
        found["expected"] = str(found["expected"]).replace(" or ", ", ")
    return say(known if has_text(known) else "settings.wrong_other", **found)
