"""Đ in each of its looks, and letters that nobody sees: one folding wherever words are compared."""

import unicodedata

import pytest

from adapter.mapping.terminology.code_tables import normalise_text, normalise_unit
from adapter.mapping.terminology.spellings import Spelling, Spellings
from adapter.records.sheets.cell_parsers import (
    parse_boolean,
    parse_key,
    parse_name,
    parse_text,
    parse_value_as_written,
)
from adapter.records.sheets.choices import CHOICE_LISTS, fold_label
from adapter.records.sheets.tier_cell import TierReading, read_tier
from adapter.records.sheets.vietnamese_text.readings import legacy_readings
from adapter.text_folding import accented_words, fold_text, unify_letters

LOOKS = ["\u00d0", "\u0189", "D\u0335", "D\u0336", "\ua7c7", "\u0110"]
SMALL_LOOKS = ["\u00f0", "\u0256", "d\u0335", "d\u0336", "\ua7c8", "\u1d6d", "\u0111"]
UNSEEN = [
    *("\u200b", "\u200c", "\u200d", "\u200e", "\u202a", "\u202c", "\u2060", "\u2066", "\u2069"),
    *("\ufeff", "\u00ad", "\u034f", "\ufe0f", "\ufe0e", "\U000e0101", "\u3164", "\u061c", "\u180e"),
]
SPACES = ["\u00a0", "\u202f", "\u2007", "\u2009", "\u3000", "\t", "\u2028"]


@pytest.mark.parametrize("look", LOOKS)
def test_a_name_with_any_d_is_stored_with_one_and_found_by_all(look: str) -> None:
    name = f"{look}ỗ Văn {look}ức"
    assert parse_name(name) == parse_text(name) == "Đỗ Văn Đức"
    assert fold_text(name) == "do van duc"
    assert fold_label(name) == "dovanduc"
    assert normalise_text(name) == "đỗ văn đức"
    assert accented_words(name) == ["đỗ", "văn", "đức"]


@pytest.mark.parametrize("look", SMALL_LOOKS)
def test_the_small_letter_too(look: str) -> None:
    assert parse_text(f"Ho{look}") == "Hođ"
    assert fold_text(f"bình {look}ịnh") == "binh dinh"
    assert parse_value_as_written(f"{look}ục") == "đục"
    assert parse_boolean(f"{look}úng") is True
    assert CHOICE_LISTS["advice"].parse(f"Tiếp tục {look}iều trị") == "continue"
    assert Spellings([Spelling("đục", "cloudy")]).find(f"{look}ục", "URI-COL") == "cloudy"


@pytest.mark.parametrize("sign", UNSEEN)
def test_what_nobody_sees_is_neither_stored_nor_compared(sign: str) -> None:
    assert parse_name(f"Lê{sign} Thị M{sign}ai{sign}") == "Lê Thị Mai"
    assert parse_key(f"CB-1{sign}") == "CB-1"
    assert parse_value_as_written(f"{sign}5,3{sign}") == "5.3"
    assert fold_text(f"Lê Thị M{sign}ai") == "le thi mai"
    assert fold_label(f"Họ{sign} và tên") == "hovaten"
    assert normalise_unit(f"mmol{sign}/L") == "mmol/L"
    assert CHOICE_LISTS["sex"].parse(f"N{sign}ữ") == "female"


@pytest.mark.parametrize("space", SPACES)
def test_every_space_is_one(space: str) -> None:
    assert parse_name(f"Lê{space}Thị{space} Mai") == "Lê Thị Mai"
    assert normalise_unit(f"mmol{space}/{space}L") == "mmol/L"


def test_a_key_keeps_its_letters() -> None:
    """Who is stored under it would be another otherwise."""
    assert parse_key("\u00d0-01") == "\u00d0-01"
    assert parse_key("Đ-01") == "Đ-01"


def test_other_letters_stay() -> None:
    for text in ("Søren Þór", "ß", "D.", "đd", "Nguyễn", "5 µm", "e\u0323\u0302"):
        assert unify_letters(text) == unicodedata.normalize("NFC", text)


def test_t0_is_found_behind_what_nobody_sees() -> None:
    for sign in UNSEEN:
        assert read_tier(f"T{sign}0") is TierReading.REFUSED
    assert read_tier("\u00d0iện T0") is TierReading.REFUSED
    assert read_tier("\u00d0iện T5") is TierReading.KEPT


@pytest.mark.parametrize("text", ["\u00d0a khoa", "\u00d0ỗ", "\u00d0ình \u00d0a", "Bệnh viện \u00d0a khoa"])
def test_the_slip_of_a_keyboard_is_no_old_font(text: str) -> None:
    assert legacy_readings(text) == {}
    assert legacy_readings("TrÇn ThÞ Hßa") != {}
