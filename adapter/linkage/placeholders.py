"""Numbers that are typed where a form wants one and nobody has it. Pure."""

import re

__all__ = ["is_placeholder"]

_NOT_SIGN = re.compile(r"[\W_]+")
_CARD = re.compile(
    r"[A-Z]{2}\d{3}(?P<own>\d{10})", re.IGNORECASE
)  # group, benefit and province before its own
_RUNS = ("0123456789" * 3, "1234567890" * 3, "9876543210" * 3, "0987654321" * 3)
_MAY_BE_SOMEBODYS = "0123456789"  # as a social insurance number, it begins with the code of a province
_SHORTEST = 6  # digits; a shorter run may well be somebody's number


def is_placeholder(number: str) -> bool:
    """Whether it is nobody's number: one digit all along (000000000000, 999999999), or counted up or down
    (123456789, 9876543210); of an insurance card the ten digits that are a person's own.
    """
    digits = _NOT_SIGN.sub("", number)
    if card := _CARD.fullmatch(digits):
        digits = card["own"]
    if len(digits) < _SHORTEST or not digits.isdecimal():
        return False
    if len(set(digits)) == 1:
        return True
    return digits != _MAY_BE_SOMEBODYS and any(run.startswith(digits) for run in _RUNS)
