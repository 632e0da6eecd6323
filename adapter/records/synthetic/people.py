"""Fictitious people. Every value is composed from common parts by a seeded generator."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

__all__ = ["PROVINCES_OF_BIRTH", "FictitiousPerson", "make_person"]

# Commoner names stand more often.
_FAMILY = (
    *("Nguyễn",) * 12, *("Trần",) * 5, *("Lê",) * 4, *("Phạm",) * 3, *("Hoàng",) * 2, *("Vũ",) * 2,
    *("Đặng", "Bùi", "Đỗ", "Ngô", "Dương", "Đào", "Giáp", "Thân", "Lý", "Nông", "Hà", "Chu", "Phùng", "Tạ"),
)  # fmt: skip
# Nobody else in the sample has these: a search for a T0 person's name finds that person or nothing.
_FAMILY_T0 = ("Mạch", "Quách", "Tống", "Văn")
_MALE_MIDDLE = (
    "Văn",
    "Văn",
    "Văn",
    "Đức",
    "Xuân",
    "Quang",
    "Hữu",
    "Đình",
    "Minh",
    "Ngọc",
    "Thế",
    "Bá",
    "Duy",
)
_MALE_GIVEN = (
    *("An", "Bình", "Cường", "Dũng", "Đạt", "Hải", "Hiếu", "Hòa", "Hùng", "Khánh", "Kiên", "Lâm", "Long"),
    *("Mạnh", "Nam", "Nghĩa", "Phong", "Phúc", "Quân", "Sơn", "Thắng", "Thành", "Tiến", "Toàn", "Trung"),
    *("Tuấn", "Tùng", "Việt", "Vinh", "Ý"),
)
_FEMALE_MIDDLE = ("Thị", "Thị", "Thị", "Thị Thu", "Thị Thanh", "Thị Minh", "Ngọc", "Thúy", "Bích", "Kim")
_FEMALE_GIVEN = (
    *("Anh", "Bích", "Chi", "Dung", "Hà", "Hạnh", "Hiền", "Hoa", "Hồng", "Hương", "Lan", "Liên", "Loan"),
    *("Mai", "Nga", "Ngân", "Nguyệt", "Nhung", "Oanh", "Phương", "Quyên", "Thảo", "Thủy", "Trang", "Tuyết"),
    *("Vân", "Xuân", "Yến"),
)
_POSITIONS = {
    "T0": ("Cán bộ cấp cao Trung ương",),
    "T1": ("Nguyên cán bộ diện Trung ương quản lý", "Cán bộ diện Trung ương quản lý"),
    "T2": ("Ủy viên Ban Thường vụ Tỉnh ủy", "Giám đốc sở", "Trưởng ban của Tỉnh ủy", "Phó Giám đốc sở"),
    "T3": ("Tỉnh ủy viên", "Bí thư Đảng ủy phường", "Bí thư Đảng ủy xã", "Phó Trưởng ban của Tỉnh ủy"),
    "T4": ("Nguyên Bí thư Huyện ủy", "Nguyên Chủ tịch UBND huyện", "Nguyên Trưởng phòng cấp huyện"),
    "T5": ("Cán bộ hưu trí", "Cán bộ lão thành cách mạng", "Nguyên chuyên viên chính", "Thương binh 1/4"),
}
_AGES = {"T0": (60, 75), "T1": (56, 82), "T2": (46, 60), "T3": (42, 60), "T4": (55, 72), "T5": (60, 90)}
PROVINCES_OF_BIRTH = ("024", "024", "024", "027", "027", "001", "019", "020", "022", "025", "030", "033")
_STREETS = ("Hoàng Văn Thụ", "Lê Lợi", "Trần Phú", "Nguyễn Du", "Quang Trung", "Hai Bà Trưng", "Ngô Gia Tự")
_WARDS = (
    "phường Sông Xanh",
    "phường Đồi Thông",
    "xã Tân Hòa",
    "xã Yên Bình",
    "phường Kinh Đông",
    "xã An Lạc",
)


@dataclass(frozen=True)
class FictitiousPerson:
    """One fictitious person; fields as the record's."""

    key: str
    name: str
    male: bool
    born: date
    tier: str
    position: str
    national_id: str
    old_national_id: str | None
    insurance: str
    phone: str
    address: str
    ethnic_group: str
    consents: str | None


def make_person(seed: int, index: int, tier: str, year: int) -> FictitiousPerson:
    """The person number `index` (from 0) of a sample; the same for the same arguments."""
    random = Random(f"{seed}/person/{index}")  # noqa: S311 - a sample must be the same for the same seed
    male = random.random() < (0.72 if tier < "T4" else 0.6)
    low, high = _AGES[tier]
    born = date(year - random.randint(low, high), 1, 1) + timedelta(days=random.randrange(365))
    # A stride that shares no factor with a million: no two people get the same digits.
    digits = (index * 7919 + seed * 104_729 + 31) % 1_000_000
    national = f"{random.choice(PROVINCES_OF_BIRTH)}{0 if male else 1}{born.year % 100:02}{digits:06}"
    return FictitiousPerson(
        key=f"CB-{index + 1:04}",
        name=_name(random, tier, male=male),
        male=male,
        born=born,
        tier=tier,
        position=random.choice(_POSITIONS[tier]),
        national_id=national,
        old_national_id=f"12{digits:06}{index % 10}" if random.random() < 0.3 else None,
        insurance=_insurance(random, digits, index, national),
        phone=f"09{(digits * 37 + 11) % 1_000_000:06}{index % 100:02}",
        address=f"Số {random.randint(1, 240)} {random.choice(_STREETS)}, {random.choice(_WARDS)}",
        ethnic_group=random.choice(("01",) * 9 + ("02", "05", "11")),
        consents=random.choice((None,) * 7 + ("HIV", "Sinh sản", "HIV; Tâm thần; Sinh sản")),
    )


def _name(random: Random, tier: str, *, male: bool) -> str:
    family = random.choice(_FAMILY_T0 if tier == "T0" else _FAMILY)
    middle = random.choice(_MALE_MIDDLE if male else _FEMALE_MIDDLE)
    given = random.choice(_MALE_GIVEN if male else _FEMALE_GIVEN)
    if given in middle:
        given = "Bảo" if male else "Diệp"
    name = f"{family} {middle} {given}"
    return name.upper() if random.random() < 0.08 else name  # capitals occur in real lists


def _insurance(random: Random, digits: int, index: int, national: str) -> str:
    card = f"{random.choice(('HC4', 'HT3', 'DN4'))}24{digits:06}{index % 10000:04}"
    kind = random.random()
    if kind < 0.7:
        return card
    if kind < 0.85:
        return f"{digits:06}{index % 10000:04}"
    return f"{card}; {national}"
