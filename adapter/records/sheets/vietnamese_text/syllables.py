"""What a Vietnamese syllable is: onset, rime and tone, by rule.

Source: the orthography as Đoàn Thiện Thuật describes it (Ngữ âm tiếng Việt, 1977), with both ways of placing
the tone in oa, oe, uy, and the few spellings of place names (Đắk Lắk, Bắc Kạn). Rare syllables that the rule
makes and nobody uses do no harm: it is asked only which of several readings of a text is Vietnamese.
"""

import unicodedata
from functools import lru_cache

__all__ = ["is_letter", "is_syllable"]

_ONSETS = (
    *("ngh", "ch", "gh", "gi", "kh", "ng", "nh", "ph", "qu", "th", "tr"),
    *("b", "c", "d", "đ", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "x", ""),
)
_OPEN = frozenset(
    """
a ai ao au ay âu ây e eo ê êu i ia iu iêu o oa oai oao oay oe oeo oi ô ôi ơ ơi
u ua ua uê ui uy uya uyu uây uơ uôi ư ưa ưi ưu ươi ươu y yêu
am an ang anh ăm ăn ăng âm ân âng em en eng êm ên ênh im in inh iêm iên iêng
oam oan oang oanh oăm oăn oăng oen oeng om on ong oong ôm ôn ông ôông ơm ơn
um un ung uân uâng uên uênh uôm uôn uông uyn uynh uyên ưm ưn ưng ươm ươn ương yêm yên yêng ym yn ynh
""".split()  # noqa: SIM905 - as a table
)
_STOPPED = frozenset(
    """
ac ach ap at ăc ăp ăt âc âp ât ec ep et êch êp êt ich ip it iêc iêp iêt
oac oach oap oat oăc oăt oet oc ooc op ot ôc ôp ôt ơp ơt
uc up ut uât uêch uôc uôt uych uyt uyêt uyp ưc ưt ươc ươp ươt yêt ych yt
""".split()  # noqa: SIM905 - as a table
)
_AFTER_GI = frozenset(("ê", "êc", "êm", "ên", "êng", "êp", "êt", "êu"))  # giếng, giêng: the i belongs to both
_RIMES = _OPEN | _STOPPED
_FRONT = frozenset("eêiy")
_PLACES = frozenset({"đắk", "đăk", "lắk", "lăk", "đắc", "plei", "pleiku"})
_GRAVE, _ACUTE, _HOOK, _TILDE, _DOT = "\u0300", "\u0301", "\u0309", "\u0303", "\u0323"
_TONES = frozenset((_GRAVE, _ACUTE, _HOOK, _TILDE, _DOT))
_MARKED = frozenset("ăâêôơư")
_LETTERS = _MARKED | {"đ"}
_EITHER = frozenset({"oa", "oe", "uy", "oan", "oat", "oac", "oang", "oanh", "oen", "oai", "oay"})


def is_letter(letter: str) -> bool:
    """Whether one composed letter is of the Vietnamese alphabet, or plain ASCII."""
    parts = unicodedata.normalize("NFD", letter.lower())
    base = unicodedata.normalize("NFC", "".join(part for part in parts if part not in _TONES))
    return len(base) == 1 and (base.isascii() or base in _LETTERS)


@lru_cache(maxsize=20_000)
def is_syllable(word: str) -> bool:
    """Whether a word, in any case and normal form, is one syllable of Vietnamese."""
    plain = unicodedata.normalize("NFC", word).lower()
    if plain in _PLACES:
        return True
    toned = _take_tone(plain)
    if toned is None:
        return False
    base, place, tone = toned
    return any(_fits(base, onset, place, tone) for onset in _ONSETS if base.startswith(onset))


def _take_tone(word: str) -> tuple[str, int, str] | None:
    """The word without its tone, which letter bears it (-1: none), and the tone; None if it has two."""
    letters: list[str] = []
    place, tone = -1, ""
    for letter in word:
        parts = unicodedata.normalize("NFD", letter)
        marks = [mark for mark in parts if mark in _TONES]
        if len(marks) + bool(tone) > 1:
            return None
        if marks:
            place, tone = len(letters), marks[0]
            letter = unicodedata.normalize("NFC", parts.replace(tone, ""))  # noqa: PLW2901 - without its tone
        letters.append(letter)
    return "".join(letters), place, tone


def _fits(base: str, onset: str, place: int, tone: str) -> bool:
    rime = base[len(onset) :]
    if onset == "gi" and not rime:
        return place in (-1, 1)  # gì
    if rime not in _RIMES and not (onset == "gi" and rime in _AFTER_GI):
        return False
    if not _spells(onset, rime):
        return False
    if rime in _STOPPED and tone not in (_ACUTE, _DOT):
        return onset == "k" and not tone  # Đăk, Kpă: names of places
    return place == -1 or _bears(onset, rime, place - len(onset))


def _spells(onset: str, rime: str) -> bool:
    """c, g, ng before back vowels; gh, ngh before front ones; qu before what can follow its u."""
    front = rime[0] in _FRONT
    if onset in ("gh", "ngh"):
        return front
    if onset in ("c", "ng"):
        return not front
    if onset == "g":
        return rime[0] not in "eêy"
    if onset == "qu":
        return rime[0] not in "ouư" and not rime.startswith(("ia", "iê"))
    return True


def _bears(onset: str, rime: str, place: int) -> bool:
    """Whether the tone may stand on that letter of the rime (-1: the last of the onset, as in qúy, gía)."""
    if place < 0:
        return place == -1 and onset in ("qu", "gi")
    vowels = _vowels(rime)
    if place >= vowels:
        return False
    marked = [at for at, letter in enumerate(rime[:vowels]) if letter in _MARKED]
    if marked:
        return place == marked[-1]
    if rime in _EITHER:
        return place in (0, 1)
    if vowels == len(rime):
        return place == (1 if vowels == 3 else 0)
    return place == vowels - 1


def _vowels(rime: str) -> int:
    return next((at for at, letter in enumerate(rime) if letter not in "aăâeêioôơuưy"), len(rime))
