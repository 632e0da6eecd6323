"""Two centres that differ only in what is withheld, by the dice of a seed: their rows, and what differs."""

import random
from collections.abc import Callable, Mapping
from copy import deepcopy

__all__ = ["HOSPITALS", "MUTATIONS", "Rows", "pair", "world"]

Rows = dict[str, list[dict[str, str]]]
Dice = random.Random
HOSPITALS: Mapping[str, str] = {"bv-tinh": "provincial", "bv-trung-uong": "central"}
_FAMILY = ("Lương", "Triệu", "Đặng", "Vi", "Hứa", "Mạc", "Khúc", "Tiêu", "Âu", "Nghiêm")
_GIVEN = ("Tuyển", "Vĩnh", "Khoát", "Nhàn", "Thước", "Uyên", "Bách", "Chuyên", "Dực", "Sâm")
_POSITIONS = ("Chuyên viên", "Tỉnh ủy viên", "Nguyên Giám đốc Sở Y tế", "Bí thư Huyện ủy", "")
_CLASSES = ("Loại I", "Loại II", "Loại III", "Loại IV")
_SCALE = ("A", "B1", "B2", "C")
_VALUES = (("BIO-GLU", "5,3", "mmol/L"), ("BIO-CREA", "80", "umol/L"), ("VIT-PULSE", "72", "/min"))
_REASONS = ("Đau ngực", "Kiểm tra định kỳ", "Theo dõi huyết áp")
_HIV = ("xét nghiệm HIV", "điều trị ARV")
_GIVES_AWAY = ("nguyên Giám đốc Sở Xây dựng", "diện Tỉnh ủy quản lý")  # under a pseudonym no words go at all
_SECRET_REASONS = (*_HIV, *_GIVES_AWAY)
_SAME_FORM = {"T2": "T3", "T3": "T2", "T4": "T5", "T5": "T4"}


def _person(dice: Dice, key: str, tier: str) -> dict[str, str]:
    woman = dice.random() < 0.5
    year = dice.randint(1940, 1985)
    return {
        "Mã cán bộ": key,
        "Họ và tên": f"{dice.choice(_FAMILY)} {dice.choice(_FAMILY)} {dice.choice(_GIVEN)}",
        "Giới tính": "Nữ" if woman else "Nam",
        "Ngày sinh": f"{dice.randint(1, 28):02}/{dice.randint(1, 12):02}/{year}",
        "Diện quản lý": tier,
        "Chức vụ": dice.choice(_POSITIONS),
        "Số CCCD": f"001{int(woman)}{year % 100:02}{dice.randint(0, 999999):06}",
        "Điện thoại": f"09{dice.randint(0, 99999999):08}",
        "Đồng ý chia sẻ": "",
    }


def _care(dice: Dice, key: str, number: int, reason: str) -> Rows:
    """A check-up with values, sometimes with more."""
    visit, day = f"{key}.K{number}", f"{dice.randint(1, 28):02}/{dice.randint(1, 10):02}/2026"
    both = {"Mã lượt khám": visit, "Mã cán bộ": key}
    found: Rows = {
        "Lượt khám": [
            {
                **both,
                "Loại": "Khám định kỳ",
                "Bắt đầu": f"{day} 08:{dice.randint(0, 59):02}",
                "Lý do": dice.choice(_REASONS),
                "Phân loại sức khỏe": dice.choice(_CLASSES),
                "Phân loại cán bộ": dice.choice(_SCALE),
            }
        ],
        "Chỉ số": [
            {**both, "Mã chỉ số": code, "Giá trị": value, "Đơn vị": unit} for code, value, unit in _VALUES
        ],
    }
    if dice.random() < 0.5:
        found["Chẩn đoán"] = [{**both, "Mã chẩn đoán": f"{visit}.d", "ICD-10": "I10", "Diễn giải": "THA"}]
    if dice.random() < 0.6:
        found["Chuyển khám"] = [_referral(dice, key, visit, f"{visit}.p", reason)]
    return found


def _referral(dice: Dice, key: str, visit: str, own: str, reason: str) -> dict[str, str]:
    return {
        "Mã phiếu": own,
        "Mã cán bộ": key,
        "Mã lượt khám": visit,
        "Bệnh viện": dice.choice(list(HOSPITALS)),
        "Loại yêu cầu": "Khám thêm",
        "Dịch vụ": "WORKUP-CARD",
        "Lý do": reason,
        "Ngày chỉ định": "09/10/2026 08:15",
    }


def _add(rows: Rows, more: Rows, dice: Dice) -> None:
    """Rows among the others, wherever: their place tells nothing."""
    for sheet, listed in more.items():
        there = rows.setdefault(sheet, [])
        for row in listed:
            there.insert(dice.randint(0, len(there)), row)


def _whole_person(dice: Dice, key: str, tier: str) -> Rows:
    found: Rows = {"Cán bộ": [_person(dice, key, tier)]}
    for number in range(dice.randint(1, 2)):
        _add(found, _care(dice, key, number, dice.choice(_REASONS)), dice)
    return found


def world(dice: Dice) -> Rows:
    """A centre of a few people of every tier that may go out, or be held."""
    rows: Rows = {}
    for number, tier in enumerate(dice.sample(("T1", "T2", "T3", "T4", "T5"), dice.randint(2, 4))):
        _add(rows, _whole_person(dice, f"CB-{number:04}", tier), dice)
    return rows


# -- what is withheld, and may be otherwise ------------------------------------------------------------


def _of_tier(rows: Rows, *tiers: str) -> list[dict[str, str]]:
    return [row for row in rows["Cán bộ"] if row["Diện quản lý"] in tiers]


def _add_t0(rows: Rows, dice: Dice) -> None:
    _add(rows, _whole_person(dice, "CB-0900", "T0"), dice)


def _add_held(rows: Rows, dice: Dice) -> None:
    _add(rows, _whole_person(dice, "CB-0901", "T1"), dice)


def _held_becomes_t0(rows: Rows, _dice: Dice) -> None:
    for row in _of_tier(rows, "T1"):
        row["Diện quản lý"] = "T0"


def _held_is_called_otherwise(rows: Rows, dice: Dice) -> None:
    """Not another person under the same key, which is asked about at import."""
    for row in _of_tier(rows, "T1"):
        other = _person(dice, row["Mã cán bộ"], "T1")
        row.update({name: other[name] for name in ("Họ và tên", "Điện thoại", "Chức vụ")})


def _held_has_more(rows: Rows, dice: Dice) -> None:
    for row in _of_tier(rows, "T1"):
        _add(rows, _care(dice, row["Mã cán bộ"], 7, dice.choice((*_REASONS, *_SECRET_REASONS))), dice)


def _other_positions(rows: Rows, dice: Dice) -> None:
    for row in rows["Cán bộ"]:
        row["Chức vụ"] = dice.choice(_POSITIONS)


def _other_classes(rows: Rows, dice: Dice) -> None:
    for row in rows["Lượt khám"]:
        row |= {"Phân loại sức khỏe": dice.choice(_CLASSES), "Phân loại cán bộ": dice.choice(_SCALE)}


def _tier_of_the_same_form(rows: Rows, _dice: Dice) -> None:
    for row in rows["Cán bộ"]:
        row["Diện quản lý"] = _SAME_FORM.get(row["Diện quản lý"], row["Diện quản lý"])


def _hiv_without_consent(rows: Rows, dice: Dice) -> None:
    visit = dice.choice(rows["Lượt khám"])
    both = {name: visit[name] for name in ("Mã lượt khám", "Mã cán bộ")}
    value = {**both, "Mã chỉ số": "SER-HIV", "Giá trị": "dương tính", "Đơn vị": ""}
    found = {**both, "Mã chẩn đoán": f"{visit['Mã lượt khám']}.h", "ICD-10": "B24", "Diễn giải": "HIV"}
    _add(rows, {"Chỉ số": [value], "Chẩn đoán": [found]}, dice)


def _order_that_is_withheld(rows: Rows, dice: Dice) -> None:
    """The need of a hospital is a secret as the order itself is."""
    visit = dice.choice(rows["Lượt khám"])
    key, name = visit["Mã cán bộ"], visit["Mã lượt khám"]
    by_name = any(row["Mã cán bộ"] == key for row in _of_tier(rows, "T4", "T5"))
    order = _referral(dice, key, name, f"{name}.s", dice.choice(_SECRET_REASONS if by_name else _HIV))
    _add(rows, {"Chuyển khám": [order]}, dice)


def _consent_to_nothing(rows: Rows, dice: Dice) -> None:
    for row in rows["Cán bộ"]:
        row["Đồng ý chia sẻ"] = dice.choice(("", "Tâm thần"))


MUTATIONS: Mapping[str, Callable[[Rows, Dice], None]] = {
    "a T0 person more": _add_t0,
    "a held person more": _add_held,
    "a held person is T0": _held_becomes_t0,
    "a held person is called otherwise": _held_is_called_otherwise,
    "a held person has more records": _held_has_more,
    "other positions": _other_positions,
    "other health classes": _other_classes,
    "another tier that goes in the same form": _tier_of_the_same_form,
    "HIV without consent": _hiv_without_consent,
    "an order that is withheld": _order_that_is_withheld,
    "consent to a group that nobody has": _consent_to_nothing,
}
"""What no hospital, log or alarm may tell, by what it is."""


def pair(seed: int) -> tuple[Rows, Rows, tuple[str, ...]]:
    """A centre, the same one with some withheld facts otherwise, and which."""
    dice = random.Random(seed)  # noqa: S311 - a seed makes the same pair again
    one = world(dice)
    chosen = tuple(dice.sample(sorted(MUTATIONS), dice.randint(1, 3)))
    other = deepcopy(one)
    for name in chosen:
        MUTATIONS[name](other, dice)
    return one, other, chosen
