"""What the tier's cell of a row says, before anything else of the row is looked at. Fails closed.

A person is handled only when the cell says T1 to T5 and nothing besides. Whatever mentions T0 in any
spelling is refused. What remains may be anybody's: only a short plain slip such as "T9" may be shown.
"""

import re
import unicodedata
from datetime import date, time, timedelta
from enum import StrEnum
from functools import lru_cache

from adapter.records.sheets.cell_parsers import CellError, CellValue, cell_text
from adapter.records.sheets.choices import CHOICE_LISTS, fold_label
from adapter.text_folding import unify_letters

__all__ = ["TierReading", "read_tier"]


class TierReading(StrEnum):
    """How a tier's cell is understood."""

    KEPT = "kept"  # T1 to T5
    REFUSED = "refused"  # T0
    PLAIN = "plain"  # a slip that cannot mean T0: may be shown and copied
    UNREADABLE = "unreadable"  # empty, or it might mean T0: neither shown nor copied


_MARKS = re.compile("[\u0300-\u036f]+")
_MARKED_O = re.compile("o[\u0300-\u036f]+")
_LEVEL = r"(?<![a-z])(?:t|te|tier|dien|loai|cap|nhom|muc|hang|bac|level|group|class)[\W_]*(?:t[\W_]*)?"
_ZERO = re.compile(r"(?<!\d)(?<!\d[.,])0+(?!\d)")  # the 0 of "0.0" and "T0/T1", not that of "1.0" or "10"
_LETTER_O = re.compile(rf"(?:{_LEVEL}|(?<![a-z]))o+(?![a-z])")
_WORD_ZERO = re.compile(rf"(?:^[\W_]*|{_LEVEL})(?:khong|zero)[\W_]*(?:$|(?<=[^\w\s]))")
_BODIES = ("bochinhtri", "banbithu", "tongbithu", "politburo", "politbureau", "secretariat", "bct", "bbt")
_SLIP = re.compile(r"(?:t|tier|dien)?[ .\-]?[6-9]{1,2}|[acefghijlmnprsuvwxyz]")


def read_tier(value: CellValue) -> TierReading:
    """How the cell is understood; see TierReading."""
    if isinstance(value, bool | date | time | timedelta):
        return TierReading.UNREADABLE
    return _read(cell_text(value))


@lru_cache(maxsize=1_000)
def _read(written: str) -> TierReading:
    # NFKC first: full-width, raised, lowered and circled digits become plain ones.
    decomposed = unicodedata.normalize(
        "NFD", unicodedata.normalize("NFKC", unify_letters(written)).casefold()
    )
    bare = _MARKS.sub("", _MARKED_O.sub("ø", decomposed)).replace("đ", "d")  # "tổ" is not "to"
    words = bare.replace("ø", "o")
    if _ZERO.search(words) or _LETTER_O.search(bare) or _WORD_ZERO.search(words):
        return TierReading.REFUSED
    letters = "".join(letter for letter in words if letter.isalnum())
    if any(body in letters for body in _BODIES):
        return TierReading.REFUSED
    if letters.isascii() and letters == fold_label(written) and _is_tier(written):
        return TierReading.KEPT
    # `written` too, so that what only looks like a slip once it is simplified stays hidden.
    return TierReading.PLAIN if written.isascii() and _SLIP.fullmatch(words) else TierReading.UNREADABLE


def _is_tier(written: str) -> bool:
    try:
        CHOICE_LISTS["tier"].parse(written)
    except CellError:
        return False
    return True
