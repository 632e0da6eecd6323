"""A centre's own words, and that none of them makes anybody handled who is T0."""

from pathlib import Path

import pytest

from adapter.errors import ImportRefused
from adapter.pipeline.centre_words import load_words
from adapter.pipeline.layout_context import layout_context
from adapter.records.sheets.cell_parsers import CellError, parse_key
from adapter.records.sheets.choices import CHOICE_LISTS
from adapter.records.sheets.code_cells import parse_ethnic_group
from adapter.records.sheets.layout import SHEETS
from adapter.records.sheets.tier_cell import TierReading
from adapter.records.sheets.words import Words
from adapter.settings import Settings

SETTINGS = Settings()


def settings(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "words.csv").write_text(text, "utf-8")
    return Settings(database_url=f"sqlite:///{tmp_path}/adapter.db")


def test_hospitals_are_known_by_what_the_settings_call_them(tmp_path: Path) -> None:
    one = {"base_url": "http://127.0.0.1/fhir", "level": "provincial"}
    two = one | {"display": "Bệnh viện C"}
    hospitals = {
        "bv-tinh": one | {"display": "Bệnh viện Đa khoa tỉnh"},
        "bv-c": two,
        "bv-c2": two,
    }
    url = f"sqlite:///{tmp_path}/adapter.db"
    words = layout_context(Settings.model_validate({"database_url": url, "hospitals": hospitals})).words
    read = words.parser("hospital", parse_key)
    for cell in ("Bệnh viện Đa khoa tỉnh", "BỆNH VIỆN ĐA KHOA TỈNH", "benh vien da khoa tinh", "BV-Tinh"):
        assert read(cell) == "bv-tinh"
    assert read("Bệnh viện C") == "Bệnh viện C"  # of two: said, and known for neither
    assert read("bv-c2") == "bv-c2"


@pytest.mark.parametrize(
    ("field", "cell", "meaning"),
    [
        ("ethnic_group", "Kinh", "01"),
        ("ethnic_group", "KINH", "01"),
        ("ethnic_group", "H'Mông", "08"),
        ("ethnic_group", "01", "01"),
        ("province", "Hà Nội", "01"),
        ("province", "Thành phố Hà Nội", "01"),
        ("province", "TP. Hồ Chí Minh", "79"),
        ("province", "Tỉnh Bắc Ninh", "24"),
        ("type", "KSK định kỳ", "checkup"),
        ("type", "Khám sức khoẻ định kỳ", "checkup"),
        ("sex", "Bà", "female"),
        ("health_class", "Khỏe", "II"),
    ],
)
def test_words_that_are_shipped(field: str, cell: str, meaning: str) -> None:
    words = layout_context(SETTINGS).words
    column = next(one for sheet in SHEETS for one in sheet.columns if one.field == field)
    assert words.parser(field, column.parse)(cell) == meaning


@pytest.mark.parametrize(("field", "cell"), [("ethnic_group", "Kin"), ("type", "KS"), ("province", "Hà")])
def test_a_word_that_is_in_no_table_is_refused_as_before(field: str, cell: str) -> None:
    words = layout_context(SETTINGS).words
    column = next(one for sheet in SHEETS for one in sheet.columns if one.field == field)
    with pytest.raises(CellError):
        words.parser(field, column.parse)(cell)


def test_the_data_folders_words_win_and_hospitals_are_looked_up_first(tmp_path: Path) -> None:
    found = Words(
        load_words(settings(tmp_path, "field;word;meaning\nhospital;BV tỉnh;bv-tinh\nethnic_group;Kinh;02\n"))
    )
    assert found.parser("hospital", parse_key)("bv  TỈNH") == "bv-tinh"
    assert found.parser("hospital", parse_key)("khac") == "khac"
    assert found.parser("ethnic_group", parse_ethnic_group)("Kinh") == "02"
    assert found.parser("sex", CHOICE_LISTS["sex"].parse)("Ông") == "male"


@pytest.mark.parametrize(
    ("cell", "reading"),
    [
        ("Diện BTV Tỉnh ủy quản lý", TierReading.KEPT),
        ("T2", TierReading.KEPT),
        ("Diện Trung ương A", TierReading.REFUSED),
        ("T0", TierReading.REFUSED),
        ("Ủy viên Bộ Chính trị", TierReading.REFUSED),  # whatever a table says
        ("Diện nào đó", TierReading.UNREADABLE),
        ("", TierReading.UNREADABLE),
    ],
)
def test_a_word_for_a_tier(cell: str, reading: TierReading) -> None:
    words = Words(
        [
            ("tier", "Diện BTV Tỉnh ủy quản lý", "T2"),
            ("tier", "Diện Trung ương A", "T0"),
            ("tier", "Ủy viên Bộ Chính trị", "T3"),
            ("tier", "T0", "T3"),
        ]
    )
    assert words.read_tier(cell) is reading


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ethnic,Kinh,01", "ethnic_group"),
        ("ethnic_group,Kinh,77", "77"),
        ("type,KSK,checkups", "checkups"),
        ("tier,Diện gì,T7", "T7"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(ImportRefused, match="line 2") as refused:
        load_words(settings(tmp_path, f"field,word,meaning\n{line}\n"))
    assert says in str(refused.value)
