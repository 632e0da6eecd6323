"""Fictitious people with the names of Vietnam, and descriptions of them as hospitals spoil them. Seeded.

Family names are as common as is published, given names as in `adapter/linkage/name_tokens.csv`, in the marks
that they are usually written with. Among them are namesakes, twins, and fathers with their sons.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Final

from adapter.text_folding import fold_text

__all__ = ["Person", "Said", "people", "spoilt", "stranger"]

_FAMILY: Final = {
    **{"Nguyễn": 384, "Trần": 121, "Lê": 95, "Phạm": 70, "Hoàng": 26, "Huỳnh": 25, "Phan": 45, "Vũ": 20},
    **{"Võ": 19, "Đặng": 21, "Bùi": 20, "Đỗ": 14, "Hồ": 13, "Ngô": 13, "Dương": 10, "Lý": 5, "Đào": 6},
    **{"Đinh": 7, "Trịnh": 6, "Trương": 9, "Hà": 5, "Mai": 4, "Lương": 5, "Giáp": 2, "Thân": 3, "Tạ": 3},
    **{"Nông": 2, "Chu": 3, "Phùng": 4, "Đoàn": 6, "Cao": 5, "Lưu": 4, "Tô": 3, "Vi": 1, "Quách": 1},
}
_MALE: Final = {
    **{"Hùng": 1200, "Dũng": 900, "Minh": 900, "Huy": 1306, "Tiến": 700, "An": 700, "Hòa": 500, "Hiếu": 900},
    **{"Duy": 1005, "Tuấn": 981, "Nam": 942, "Đức": 939, "Sơn": 894, "Hoàng": 876, "Đạt": 853, "Long": 838},
    **{
        "Dương": 500,
        "Phúc": 812,
        "Cường": 811,
        "Hải": 804,
        "Thắng": 715,
        "Trung": 713,
        "Lâm": 704,
        "Quang": 702,
    },
    **{
        "Bình": 692,
        "Phong": 675,
        "Quân": 663,
        "Vinh": 659,
        "Toàn": 635,
        "Vũ": 605,
        "Trường": 603,
        "Thành": 900,
    },
    **{"Nghĩa": 549, "Tùng": 539, "Tài": 529, "Thịnh": 520, "Tân": 499, "Lộc": 469, "Việt": 409, "Thái": 408},
    **{
        "Hiệp": 387,
        "Kiên": 341,
        "Thông": 336,
        "Khôi": 318,
        "Quý": 317,
        "Mạnh": 287,
        "Luân": 285,
        "Chính": 284,
    },
    **{
        "Chiến": 274,
        "Công": 250,
        "Lợi": 238,
        "Trọng": 223,
        "Tín": 205,
        "Chung": 192,
        "Ninh": 189,
        "Huấn": 169,
    },
    **{"Bắc": 103, "Thạch": 102, "Lập": 88, "Luyện": 103, "Giáp": 35, "Khiêm": 125, "Quyết": 114, "Sỹ": 70},
}
_FEMALE: Final = {
    **{"Anh": 3000, "Linh": 2541, "Phương": 1900, "Thanh": 900, "Trang": 1422, "Thủy": 700, "Thúy": 500},
    **{
        "Ngọc": 1000,
        "Thảo": 1203,
        "Thu": 1175,
        "Hà": 900,
        "Hương": 1105,
        "Hoa": 540,
        "Ngân": 1032,
        "Vân": 800,
    },
    **{"Mỹ": 700, "Hiền": 965, "Uyên": 918, "Tú": 300, "Quỳnh": 863, "Giang": 500, "Trinh": 785, "Tâm": 600},
    **{
        "Huyền": 737,
        "Quyên": 710,
        "Yến": 707,
        "Tuyến": 300,
        "Tuyền": 294,
        "Mai": 688,
        "Chi": 686,
        "Trâm": 684,
    },
    **{"Hằng": 656, "Ly": 653, "Duyên": 601, "Nga": 592, "Hạnh": 577, "Châu": 571, "Lan": 538, "Nhung": 513},
    **{
        "Hồng": 480,
        "Loan": 442,
        "Oanh": 412,
        "Huệ": 378,
        "Xuân": 327,
        "Liên": 302,
        "Phụng": 200,
        "Diệp": 275,
    },
    **{
        "Nguyệt": 267,
        "Tuyết": 257,
        "Hoàn": 120,
        "Diễm": 240,
        "Hoài": 210,
        "Dung": 500,
        "Bích": 132,
        "Cúc": 122,
    },
    **{"Thoa": 122, "Khuyên": 76, "Lành": 88, "Ngoan": 64, "Thơm": 62, "Nhàn": 200, "Lụa": 30, "Na": 60},
}
_MALE_MIDDLE: Final = {
    **{
        "Văn": 45,
        "Đức": 8,
        "Xuân": 6,
        "Quang": 6,
        "Hữu": 6,
        "Đình": 6,
        "Minh": 5,
        "Ngọc": 5,
        "Thế": 3,
        "Bá": 3,
    },
    **{"Duy": 3, "Công": 3, "Trọng": 2, "Viết": 1},
}
_FEMALE_MIDDLE: Final = {
    **{
        "Thị": 52,
        "Thị Thu": 7,
        "Thị Thanh": 7,
        "Thị Minh": 5,
        "Thị Ngọc": 5,
        "Thị Kim": 4,
        "Ngọc": 6,
        "Thúy": 4,
    },
    **{"Bích": 3, "Kim": 4, "Thu": 3},
}
_TITLES: Final = ("Ông ", "Bà ", "BN ", "Đ/c ", "Bác sĩ ")
_LETTERS: Final = "abcdeghiklmnopqrstuvxy"
_TWINS, _FAMILIES, _NAMESAKES = 0.015, 0.03, 0.02  # of all people


@dataclass(frozen=True)
class Person:
    """One fictitious person."""

    name: str
    sex: str
    born: date
    number: str


@dataclass(frozen=True)
class Said:
    """What a hospital says of somebody; None or empty is not said."""

    name: str
    birth_date: str
    sex: str
    number: str = ""
    spoilt: tuple[str, ...] = ()


def people(seed: int, count: int) -> list[Person]:
    """So many, the same for the same seed. Some have a twin, a father or a namesake among them."""
    random = Random(f"{seed}/linkage")  # noqa: S311 - the same people for the same seed
    found = [_person(random) for _ in range(count)]
    places = random.sample(range(count), 2 * round(count * (_TWINS + _FAMILIES + _NAMESAKES) / 2))
    twins, families = round(count * _TWINS / 2), round(count * _FAMILIES / 2)
    for pair, (first, second) in enumerate(zip(places[::2], places[1::2], strict=True)):
        kind = _twin if pair < twins else _son if pair < twins + families else _namesake
        found[second] = kind(random, found[first])
    return found


def stranger(random: Random, known: list[Person]) -> Person:
    """Somebody who is none of these; one in five has a namesake, some of these born on that day."""
    one = _person(random)
    if random.random() < 0.2:
        other = random.choice(known)
        one = replace(one, name=other.name, sex=other.sex)
        if random.random() < 0.02:
            one = replace(one, born=other.born)
    return one


def _person(random: Random) -> Person:
    sex = "male" if random.random() < 0.6 else "female"
    born = date(2026 - random.randint(42, 90), 1, 1) + timedelta(days=random.randrange(365))
    name = f"{_pick(random, _FAMILY)} {_middle(random, sex)} {_given(random, sex)}"
    return Person(name, sex, born, _number(random, sex, born))


def _number(random: Random, sex: str, born: date) -> str:
    return f"024{0 if sex == 'male' else 1}{born.year % 100:02}{random.randrange(1_000_000):06}"


def _pick(random: Random, weights: dict[str, int]) -> str:
    return random.choices(list(weights), weights.values())[0]


def _middle(random: Random, sex: str) -> str:
    return _pick(random, _MALE_MIDDLE if sex == "male" else _FEMALE_MIDDLE)


def _given(random: Random, sex: str) -> str:
    return _pick(random, _MALE if sex == "male" else _FEMALE)


def _twin(random: Random, one: Person) -> Person:
    *rest, given = one.name.split(" ")
    other = next(name for name in iter(lambda: _given(random, one.sex), None) if name != given)
    return Person(" ".join((*rest, other)), one.sex, one.born, f"{int(one.number) + 1:012}")  # the next


def _son(random: Random, father: Person) -> Person:
    *rest, given = father.name.split(" ")
    other = given if random.random() < 0.2 else _given(random, father.sex)
    born = father.born + timedelta(days=random.randint(20 * 365, 40 * 365))
    return Person(" ".join((*rest, other)), father.sex, born, _number(random, father.sex, born))


def _namesake(random: Random, one: Person) -> Person:
    born = one.born + timedelta(days=random.choice((-1, 1)) * random.randint(1, 4000))
    return Person(one.name, one.sex, born, _number(random, one.sex, born))


def spoilt(random: Random, one: Person) -> Said:
    """The person as a hospital writes him: at least one thing is not as it is recorded."""
    while True:
        notes: list[str] = []
        name = _spoilt_name(random, one.name, notes)
        born = _spoilt_date(random, one.born, notes)
        sex = one.sex
        if random.random() < 0.1:
            sex = ""
            notes.append("no sex")
        elif random.random() < 0.005:
            sex = "female" if one.sex == "male" else "male"
            notes.append("other sex")
        if notes:
            return Said(name, born, sex, spoilt=tuple(notes))


def _spoilt_name(random: Random, name: str, notes: list[str]) -> str:
    def happens(chance: float, note: str) -> bool:
        if random.random() >= chance:
            return False
        notes.append(note)
        return True

    parts = _shortened(random, name.split(" "), happens)
    if happens(0.08, "a letter"):
        place = random.randrange(len(parts))
        parts[place] = _slip(random, parts[place])
    if happens(0.03, "another tone"):
        place = random.randrange(len(parts))
        parts[place] = _other_tone(random, parts[place])
    if len(parts) > 1 and happens(0.03, "given name first"):
        parts = [parts[-1], *parts[:-1]]
    text = " ".join(parts)
    if happens(0.3, "no marks"):
        text = fold_text(text).title()
    if happens(0.3, "capitals"):
        text = text.upper()
    return random.choice(_TITLES) + text if happens(0.1, "title") else text


def _shortened(random: Random, parts: list[str], happens: Callable[[float, str], bool]) -> list[str]:
    if len(parts) > 2 and happens(0.08, "no middle"):
        parts = [parts[0], parts[-1]]
    elif len(parts) > 3 and happens(0.15, "less middle"):
        parts.pop(random.randint(1, len(parts) - 2))
    elif happens(0.02, "initials"):
        parts = [*(part[0] + "." for part in parts[:-1]), parts[-1]]
    return parts[1:] if len(parts) > 2 and happens(0.015, "no family name") else parts


def _slip(random: Random, part: str) -> str:
    place = random.randrange(len(part))
    kind = random.randrange(3)
    if kind == 0 and len(part) > 2:
        return part[:place] + part[place + 1 :]
    if kind == 1 and place + 1 < len(part):
        return part[:place] + part[place + 1] + part[place] + part[place + 2 :]
    return part[:place] + random.choice(_LETTERS) + part[place + 1 :]


def _other_tone(random: Random, part: str) -> str:
    vowels = [place for place, sign in enumerate(part) if fold_text(sign) in tuple("aeiouy")]
    if not vowels:
        return part
    place = random.choice(vowels)
    plain = {"a": "áàảãạ", "e": "éèẻẽẹ", "i": "íìỉĩị", "o": "óòỏõọ", "u": "úùủũụ", "y": "ýỳỷỹỵ"}
    return part[:place] + random.choice(plain[fold_text(part[place])]) + part[place + 1 :]


def _spoilt_date(random: Random, born: date, notes: list[str]) -> str:
    kind, text = random.random(), born.isoformat()
    if kind < 0.08:
        notes.append("year only")
        return text[:4]
    if kind < 0.11:
        notes.append("1 January")
        return f"{text[:4]}-01-01"
    if kind < 0.114:
        notes.append("no date")
        return ""
    if 0.12 <= kind < 0.15 and born.day <= 12 and born.day != born.month:
        notes.append("day and month turned")
        return f"{text[:4]}-{text[8:]}-{text[5:7]}"
    if 0.15 <= kind < 0.18:
        changed = date(born.year, born.month, random.randint(1, 28))
        notes.append("another day")
        return changed.isoformat()
    if 0.18 <= kind < 0.2:
        notes.append("another year")
        return f"{born.year + random.choice((-10, -1, 1, 10))}{text[4:]}".replace("-02-29", "-02-28")
    return text
