"""TCVN3 (ABC fonts), VNI, VPS, and UTF-8 read as Windows-1252 or 1258: what such text was meant to say.

A file holds the bytes of those fonts as the letters of Windows-1252. TCVN3 is TCVN 5712:1993, as iconv has
it; VNI for Windows puts the tone behind its vowel; VPS is the code page of the Vietnamese Professionals
Society, as xvnkb has it.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import pairwise

__all__ = ["FONTS", "LEGACY_ENCODINGS", "is_of_a_font", "read_as"]

_LOWER = "àáảãạâầấẩẫậăằắẳẵặđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵ"
_TCVN3 = "µ¸¶·¹©ÇÊÈÉË¨»¾¼½Æ®ÌÐÎÏÑªÒÕÓÔÖ×ÝØÜÞßãáâä«åèæçé¬êíëìîïóñòô\xadõøö÷ùúýûüþ"
_VPS = "àáäãåâÀÃÄÅÆæ¢¡£¤¥ÇèéÈëËêŠ‰‹ÍŒìíÌïÎòóÕõ†ôÒÓ°‡¶Ö©§ª«®ùúûÛøÜØÙº»¿ÿš›Ïœ"
_VPS_UPPER = "€Á\x81‚ Â„ƒ…  ˆŽ\x8d\x8fð ñ×ÉÞþ Ê“\x90”• µ´·¸ ¼¹½¾ Ô—–˜™ ÷ž\x9dŸ¦ ¨ÚÑ¬ Ð¯\xad±  ²Ýý³ "

_TCVN3_LETTERS = str.maketrans(
    dict(zip(_TCVN3, _LOWER, strict=True)) | dict(zip("¡¢£¤¥¦§", "ĂÂÊÔƠƯĐ", strict=True))
)
_VPS_LETTERS = str.maketrans(
    {old: new for old, new in zip(_VPS_UPPER, _LOWER.upper(), strict=True) if old != " "}
    | dict(zip(_VPS, _LOWER, strict=True))
)

# VNI: the vowel, then what stands for its marks.
_VNI_TONES = {"ø": "\u0300", "ù": "\u0301", "û": "\u0309", "õ": "\u0303", "ï": "\u0323"}
_VNI_ROUND = {"ê": "", "è": "\u0300", "é": "\u0301", "ú": "\u0309", "ü": "\u0303", "ë": "\u0323"}
_VNI_HAT = {"â": "", "à": "\u0300", "á": "\u0301", "å": "\u0309", "ã": "\u0303", "ä": "\u0323"}
_VNI_ALONE = {"ñ": "đ", "ì": "ì", "í": "í", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "ô": "ơ", "ö": "ư", "î": "ỵ"}


def _vni_table() -> dict[str, str]:
    table = dict(_VNI_ALONE)
    for vowel, meant in (*zip("aeouy", "aeouy", strict=True), ("ô", "ơ"), ("ö", "ư")):
        table |= {vowel + mark: meant + tone for mark, tone in _VNI_TONES.items()}
    table |= {"a" + mark: "a\u0306" + tone for mark, tone in _VNI_ROUND.items()}
    for vowel in "aeo":
        table |= {vowel + mark: f"{vowel}\u0302{tone}" for mark, tone in _VNI_HAT.items()}
    table = {old: unicodedata.normalize("NFC", new) for old, new in table.items()}
    upper = {old.upper(): new.upper() for old, new in table.items()}
    mixed = {old[0].upper() + old[1:]: new.upper() for old, new in table.items()}
    return table | mixed | upper


_VNI = _vni_table()
_VNI_PIECES = re.compile("|".join(sorted(map(re.escape, _VNI), key=len, reverse=True)))
# A word may hold what are symbols elsewhere: « · ¸ are letters of TCVN3.
_WORD = re.compile(r"[^\s\x00-\x40\x5b-\x60\x7b-\x7f]+|[^\S \t\n\r]+")


def _tcvn3(word: str) -> str:
    return word.translate(_TCVN3_LETTERS)


def _vps(word: str) -> str:
    return word.translate(_VPS_LETTERS)


def _vni(word: str) -> str:
    return _VNI_PIECES.sub(lambda found: _VNI[found[0]], word)


def _in_capitals(text: str, read: str) -> str:
    """Capitals with tones are small letters in another font: NGUYÔN V¡N is NGUYỄN VĂN, Lª ThÞ ¸nh is Lê Thị
    Ánh.
    """
    plain = text.encode("ascii", "ignore")
    words = read.split()
    if plain.isupper():
        sure = (
            sum(map(str.isalpha, plain.decode())) > _INITIALS
            or any(len(word) > 1 and word.isupper() for word in words)
            or sum(map(_has_small_then_capital, words)) >= _INITIALS
        )
        return read.upper() if sure else read
    capital = sum(word[0].isupper() for word in words)
    small = [word for word in words if not word[0].isupper()]
    if capital < _INITIALS or not small or any(word[0].isascii() for word in small):
        return read
    return " ".join(word[0].upper() + word[1:] for word in words)


def _bytes_of(codec: str) -> dict[str, int]:
    """Letter -> byte."""
    found = {}
    for byte in range(256):
        with suppress(UnicodeDecodeError):
            found[bytes([byte]).decode(codec)] = byte
    return {chr(byte): byte for byte in range(0x80, 0xA0)} | found  # some programs read these as they are


def _has_small_then_capital(word: str) -> bool:
    return any(small.islower() and capital.isupper() for small, capital in pairwise(word))


_PAGES = {codec: _bytes_of(codec) for codec in ("cp1252", "cp1258")}
_MICRO = ("µm", "µg", "µL", "µl", "µI", "µU")  # before a unit
_TWICE = 2
_INITIALS = 2  # capitals that a name has in any case


def _misread(text: str, page: Mapping[str, int]) -> str:
    """UTF-8 that was read in a code page, once or twice; the text itself if it is none."""
    for _ in range(_TWICE):
        read = _decoded(text, page)
        if read is None:
            break
        text = read
    return text


def _decoded(text: str, page: Mapping[str, int]) -> str | None:
    if text.isascii():
        return None
    try:
        return bytes(page[letter] for letter in text).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return None


def _by_word(read: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: _in_capitals(
        text, _WORD.sub(lambda word: word[0] if word[0].startswith(_MICRO) else read(word[0]), text)
    )


FONTS = ("TCVN3 (ABC)", "VNI", "VPS")
LEGACY_ENCODINGS: dict[str, Callable[[str], str]] = {
    **dict(zip(FONTS, map(_by_word, (_tcvn3, _vni, _vps)), strict=True)),
    "UTF-8 read as Windows-1252": lambda text: _misread(text, _PAGES["cp1252"]),
    "UTF-8 read as Windows-1258": lambda text: _misread(text, _PAGES["cp1258"]),
}


def read_as(encoding: str, text: str) -> str:
    """What the text says, if it is in that encoding; NFC. What has no letter of it stays."""
    return unicodedata.normalize("NFC", LEGACY_ENCODINGS[encoding](text))


def is_of_a_font(text: str) -> bool:
    """Whether every letter is one of Windows-1252, so that an old font can have shown it as another."""
    return all(letter in _PAGES["cp1252"] for letter in text if letter.isalpha())
