"""Names stand as an office lists them: by the given name, then the family name."""

import pytest

from adapter.person_names import vietnamese_name_key

ORDERED = [
    "Đỗ Thị An",
    "Nguyễn An",
    "Nguyễn Bảo An",
    "Nguyễn Văn An",
    "Nguyễn Vân An",
    "Trần Văn An",
    "Lê Thị Ân",
    "Phạm Dung",
    "Bùi Dũng",
    "Bùi Đức",
    "Võ Thị Hoa",
    "Võ Thị Hòa",
    "Võ Thị Hóa",
    "Ngô Oanh",
    "Ngô Ổn",
    "Ngô Ơn",
    "Đào Tư",
]


def test_a_list_is_in_the_order_of_given_names_then_family_names() -> None:
    for mixed in (ORDERED[::-1], ORDERED[1::2] + ORDERED[::2], sorted(ORDERED)):
        assert sorted(mixed, key=vietnamese_name_key) == ORDERED


@pytest.mark.parametrize(
    "same", [("Đỗ Văn Đức", "ĐỖ VĂN ĐỨC"), ("Lê Hoà", "Lê Hòa"), ("Ðỗ Đức", "Đỗ Đức"), ("Lê  An ", "lê an")]
)
def test_how_it_is_typed_does_not_matter(same: tuple[str, str]) -> None:
    first, second = same
    assert vietnamese_name_key(first) == vietnamese_name_key(second)


def test_letters_come_before_tones() -> None:
    """Hồng is before Hống, and both before Hơ: a tone only decides among the same letters."""
    assert sorted(["Hơ", "Hống", "Hồng"], key=vietnamese_name_key) == ["Hồng", "Hống", "Hơ"]


@pytest.mark.parametrize("nothing", ["", "  ", "–"])
def test_no_name_comes_first(nothing: str) -> None:
    assert vietnamese_name_key(nothing) < vietnamese_name_key("Lê An")
