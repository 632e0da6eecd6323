"""Whether two names are one person's, however each is written. Pure.

Capitals, the order of the parts and titles before them never matter: hospitals write NGUYEN VAN AN,
"An Nguyễn Văn" and "Ông Nguyễn Văn An" for Nguyễn Văn An. Marks do not contradict, since many systems drop
or spoil them; but two names that both have marks, and other ones, confirm nobody either.
"""

import re
import unicodedata
from collections.abc import Iterable
from hashlib import blake2b

from adapter.text_folding import fold_text, unify_letters

__all__ = [
    "bare_name",
    "looks_like_a_name",
    "marked_parts",
    "name_and_birth_date",
    "name_parts",
    "names_agree",
    "vietnamese_name_key",
    "without_titles",
]

_TITLES = tuple(
    sorted(
        (
            tuple(words.split())
            for words in (
                "ong", "ba", "anh", "chi", "co", "chu", "bac", "cu", "cu ong", "cu ba", "em", "be",
                "dong chi", "dc", "d c", "benh nhan", "nguoi benh", "bn", "nb", "patient", "mr", "mrs", "ms",
                "miss", "dr", "bs", "bac si", "bscki", "bsckii", "bsck", "bsck1", "bsck2", "bs cki",
                "bs ckii", "bs ck1", "bs ck2", "bsnt", "ds", "dd", "ktv", "ths", "th s", "ts", "ths bs",
                "ts bs", "pgs", "pgs ts", "gs", "gs ts", "thac si", "tien si", "pho giao su", "giao su",
                "ks", "ky su", "cn", "cu nhan", "ls", "luat su", "nsut", "nsnd", "ngut", "ngnd", "ttut",
                "ttnd", "thieu uy", "trung uy", "thuong uy", "dai uy", "thieu ta", "trung ta", "thuong ta",
                "dai ta", "thieu tuong", "trung tuong", "thuong tuong", "dai tuong",
            )
        ),
        key=len,
        reverse=True,
    )
)  # fmt: skip
_NOT_LETTER = re.compile(r"[^\w]+")
_MOST_TITLES = 4  # PGS. TS. BS. Thiếu tướng
# How a Vietnamese dictionary orders letters that NFD takes apart, and then tones.
_LETTERS = {"\u0306": "1", "\u0302": "2", "\u031b": "3"}  # a ă â, e ê, o ô ơ, u ư; and đ as we write it
_TONES = "\u0300\u0309\u0303\u0301\u0323"  # huyền, hỏi, ngã, sắc, nặng, after none
_FEWEST_PARTS = 2
_MOST_PARTS = 7


def names_agree(given: Iterable[str], own: str) -> bool | None:
    """Does any of the names agree with ours? None when none was given, or when all that speaks for it is
    that the marks were left out of account, although both have some.
    """
    listed = [name for name in given if bare_name(name)]
    if not listed:
        return None
    mine = _forms(own)
    agreeing = [name for name in listed if _forms(name) & mine]
    if not agreeing:
        return False
    return True if any(_marks_agree(name, own) for name in agreeing) else None


def bare_name(name: str) -> str:
    """The parts of a name without titles, marks and capitals, in one order, however it is spelt."""
    return " ".join(sorted(without_titles(name_parts(name))))


def looks_like_a_name(text: str) -> bool:
    """Whether a text that may be anything ("giường 12", "Patient/77") is a person's name."""
    if any(char.isdigit() or char in "/|@#_:" for char in text):
        return False
    return _FEWEST_PARTS <= len(without_titles(name_parts(text))) <= _MOST_PARTS


def _forms(name: str) -> set[tuple[str, ...]]:
    """The parts in one order, with and without what may be a title (Ông is a family name too)."""
    parts = name_parts(name)
    return {tuple(sorted(parts)), tuple(sorted(without_titles(parts)))}


def name_parts(name: str) -> list[str]:
    """The words of a name, folded."""
    return [part for part in _NOT_LETTER.split(fold_text(name)) if part]


def without_titles(parts: list[str]) -> list[str]:
    """The folded parts of a name without the titles before them; the last part is never one."""
    for _ in range(_MOST_TITLES):
        for title in _TITLES:
            if len(parts) > len(title) and tuple(parts[: len(title)]) == title:
                parts = parts[len(title) :]
                break
        else:
            return parts
    return parts


def _marks_agree(given: str, own: str) -> bool:
    """True too where either has no marks at all."""
    first, second = marked_parts(given), marked_parts(own)
    plain = {fold_text(part) for part in first} == set(first) or {fold_text(part) for part in second} == set(
        second
    )
    return plain or set(second) <= set(first) or set(first) <= set(second)


def marked_parts(name: str) -> list[str]:
    """The parts with their marks, wherever in the syllable the tone stands: hòa and hoà are one."""
    text = unicodedata.normalize("NFC", unify_letters(name)).casefold()
    return [_tone_last(part) for part in _NOT_LETTER.split(text) if part]


def _tone_last(part: str) -> str:
    tones = "\u0300\u0301\u0303\u0309\u0323"
    spread = unicodedata.normalize("NFD", part)
    return "".join(sign for sign in spread if sign not in tones) + "".join(
        sign for sign in spread if sign in tones
    )


def name_and_birth_date(name: str, birth_date: str) -> str:
    """What a name with a whole date of birth is found by, however it is spelt: 32 hexadecimal digits."""
    said = f"{bare_name(name)}\x1f{birth_date}"
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def vietnamese_name_key(name: str) -> tuple[tuple[str, str], ...]:
    """Sorts names as a list of a Vietnamese office does: by the given name, which stands last, then by the
    family name, then by what is between; letters before tones, `d` before `đ`. Capitals do not matter.
    """
    parts = [_dictionary_order(part) for part in _NOT_LETTER.split(unify_letters(name)) if part]
    return tuple(parts[-1:] + parts[:-1])


def _dictionary_order(word: str) -> tuple[str, str]:
    """The letters of one word, and its tones, such that they compare as a dictionary has them."""
    spread = unicodedata.normalize("NFD", word.casefold().replace("đ", "d\u0306"))
    letters = "".join(_LETTERS.get(sign, f"{sign}0") for sign in spread if sign not in _TONES)
    tones = "".join(str(_TONES.index(sign)) for sign in spread if sign in _TONES)
    return re.sub(r"0([123])", r"\1", letters), tones
