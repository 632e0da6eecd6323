"""What people and analysers write around a number: flags (`5.3 H`, `*7.8`, `7.8↑`) and units in its middle
(`1m65`, `36°5`), and what says that nothing was measured. Pure; records and mapping read it alike.

A flag is one only beside a number: "A" alone is a blood group, "H" beside a word belongs to the word.
"""

import re
from functools import lru_cache

__all__ = ["flag_apart", "flag_of", "flags_agree", "says_not_done", "stronger_flag", "unit_apart"]

_NUMBER = r"[-\u2212]?\d+(?:[.,]\d+)*"
_MEASURED = re.compile(
    rf"(?:[<>≤≥]=?|=<|=>)?\s*{_NUMBER}(?:\s*/\s*{_NUMBER})?(?:\s*(?:%|‰|[^\s\d*↑↓!()\[\]][^\s*↑↓!()\[\]]*))?"
)
_FLAGS = {
    "H": ("H", "↑", "⇑", "▲", "△", "⬆", "🔺", "cao", "tăng", "high"),
    "L": ("L", "↓", "⇓", "▼", "▽", "⬇", "🔻", "thấp", "giảm", "low"),
    "HH": ("HH", "↑↑"),
    "LL": ("LL", "↓↓"),
    "A": ("*", "**", "!", "A", "bất thường", "abnormal"),
    "N": ("N", "bình thường", "normal"),
}
_MEANINGS = {sign.casefold(): flag for flag, signs in _FLAGS.items() for sign in signs}
_SIGNS = {sign for signs in _FLAGS.values() for sign in signs if not sign[0].isalpha()}
_LETTERS = r"HH?|LL?|[AN]"
_WORDS = "|".join(
    re.escape(sign) for signs in _FLAGS.values() for sign in signs if len(sign) > 2 and sign[0].isalpha()
)
_MARKS = "|".join(sorted(map(re.escape, _SIGNS), key=len, reverse=True))
_PLAIN = rf"{_MARKS}|{_LETTERS}|(?i:{_WORDS})"
_BRACKETED = rf"[(\[]\s*(?:{_PLAIN})\s*[)\]]"
_BEHIND = re.compile(
    rf"(?P<rest>.*?\S)(?:\s*(?P<b>{_BRACKETED})|\s*(?P<m>{_MARKS})|(?:\s+|(?<=\d))(?P<l>{_LETTERS})|\s+(?P<w>(?i:{_WORDS})))"
)
_BEFORE = re.compile(
    rf"(?:(?P<b>{_BRACKETED})\s*|(?P<m>{_MARKS})\s*|(?P<l>{_LETTERS})\s+|(?P<w>(?i:{_WORDS}))\s+)(?P<rest>\S.*)"
)
_AGREEING = {frozenset(pair) for pair in (("A", "H"), ("A", "L"), ("A", "HH"), ("A", "LL"))}
_AGREEING |= {frozenset(pair) for pair in (("H", "HH"), ("L", "LL"))}

_UNIT_INSIDE = re.compile(
    r"(?P<whole>\d{1,3})\s*(?:(?P<m>m)|(?P<kg>kg)|(?P<c>(?:°|º|˚|độ|o)\s*c?))\s*(?P<part>\d{1,3})\s*(?P<end>cm|°?c)?",
    re.IGNORECASE,
)
_DEGREES = re.compile(r"(\d{2}(?:[.,]\d{1,2})?)\s*(?:°|º|˚|độ)", re.IGNORECASE)

# "không đỏ" is a finding: of words whose marks say something, only those with them count.
_NOT_DONE = frozenset(
    (
        *(
            "không làm",
            "khong lam",
            "ko làm",
            "ko lam",
            "k làm",
            "klm",
            "không làm xn",
            "không làm xét nghiệm",
        ),
        *("không thực hiện", "khong thuc hien", "không đo", "ko đo", "không xét nghiệm", "không xn", "ko xn"),
        *("chưa làm", "chua lam", "chưa thực hiện", "chưa đo", "chưa xét nghiệm", "chưa có kết quả"),
        *("không có kết quả", "not done", "not performed"),
    )
)
# The same where a number is expected; elsewhere a dash may be "negative".
_NO_NUMBER = frozenset(
    (
        *("-", "--", "---", "–", "—", "/", "//", ".", "...", "…", "không", "khong", "ko", "k", "không có"),
        *("ko có", "không rõ", "n/a", "na"),
    )
)


@lru_cache(maxsize=20_000)
def says_not_done(value: str, *, numeric: bool) -> bool:
    """Whether a value's cell says that it was not measured; `numeric`: a number is expected there."""
    written = value.casefold().strip().rstrip("!")
    plain = written.rstrip(". ") or written
    return plain in _NOT_DONE or (numeric and (plain in _NO_NUMBER or written in _NO_NUMBER))


@lru_cache(maxsize=20_000)
def flag_apart(value: str) -> tuple[str, str] | None:
    """The number, as it is written, and its flag (H, L, HH, LL, A, N); None where there is no flag, or
    what stands beside it is no number.
    """
    for form in (_BEHIND, _BEFORE):
        match = form.fullmatch(value)
        if match is None:
            continue
        sign = next(found for name in "bmlw" if (found := match[name]))
        flag = _MEANINGS[sign.strip("()[] ").casefold()]
        if again := flag_apart(match["rest"]):
            return (again[0], stronger_flag(again[1], flag)) if flags_agree(again[1], flag) else None
        if _MEASURED.fullmatch(match["rest"]):
            return match["rest"], flag
    return None


def flag_of(sign: str) -> str | None:
    """The flag that a sign of its own says, such as `↑` or `*`."""
    return _MEANINGS.get(sign.strip("()[] ").casefold())


def flags_agree(one: str | None, two: str | None) -> bool:
    """Whether both can be said of one value: abnormal and high can, high and low cannot."""
    return not one or not two or one == two or frozenset((one, two)) in _AGREEING


def stronger_flag(one: str | None, two: str) -> str:
    """That of two flags which says more."""
    return max(one or "A", two, key=lambda flag: len(flag) * (flag != "A"))


@lru_cache(maxsize=20_000)
def unit_apart(value: str) -> tuple[str, str] | None:
    """Number and unit of a value whose unit stands where the decimal point would: `1m65` is 1.65 m, `36°5`
    36.5 °C. None for all else.
    """
    if match := _DEGREES.fullmatch(value):
        return match[1].replace(",", "."), "°C"
    match = _UNIT_INSIDE.fullmatch(value)
    if match is None:
        return None
    unit = "m" if match["m"] else "kg" if match["kg"] else "°C"
    end = (match["end"] or "").casefold()
    if end and (end == "cm") != (unit == "m"):
        return None
    if end == "cm" and len(match["part"]) != 2:
        return None  # 1m5cm is 1.05 m
    return f"{match['whole']}.{match['part']}", unit
