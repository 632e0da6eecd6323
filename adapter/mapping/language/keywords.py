"""The words of the mapping language, and the right one nearest to a wrong one."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["DIRECTIVES", "MAPPING_KEYS", "MERGE_DIRECTIVES", "closest_choices", "expression_in"]

MAPPING_KEYS = ("resource", "name", "from", "when", "needs", "body")
DIRECTIVES = ("$when", "$each", "$as", "$item", "$value", "$default")
MERGE_DIRECTIVES = ("$use", "$remove")  # gone before a tree is checked


def expression_in(text: str) -> str | None:
    """The expression of `{{ … }}`, None for a literal. A text that mixes both is not an expression."""
    stripped = text.strip()
    if stripped.startswith("{{") and stripped.endswith("}}") and stripped.count("{{") == 1:
        return stripped[2:-2].strip()
    return None


def closest_choices(word: str, choices: Iterable[str]) -> str:
    """The choice most like `word`, else the first few of them all; a dash where there are none."""
    listed = sorted(choices)
    if not listed:
        return "-"
    close = get_close_matches(word, listed, 1, 0.5)
    return close[0] if close else ", ".join(listed[:8]) + (" …" if len(listed) > 8 else "")
