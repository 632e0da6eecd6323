"""What is Vietnamese, and how text of old fonts was meant. Pure."""

import re
import unicodedata

import pytest
from legacy_text import WRITERS

from adapter.records.sheets.columns import HeaderRow, find_header_row
from adapter.records.sheets.layout import SHEETS, find_sheet
from adapter.records.sheets.vietnamese_text.legacy_encodings import LEGACY_ENCODINGS, read_as
from adapter.records.sheets.vietnamese_text.readings import legacy_readings, other_reading
from adapter.records.sheets.vietnamese_text.syllables import is_syllable
from adapter.records.synthetic.sample_rows import sample_year
from adapter.texts import catalogue

GOOD = """
hoà hòa khuỷu quý qúy gì giếng nghiêng Kạn Đắk Lắk Nguyễn HUỲNH Thuý thúy quốc quyết khoẻ khỏe toà uống yên
Yến ủy huỷ xoăn loằng ngoằng khuếch thuở quở hươu rượu Trương Tuyên oanh Nghĩa Giang già quả Khuê thuỳ boong Ỷ
""".split()  # noqa: SIM905 - as a table
BAD = """
aê eã aù vaên höng Maù Thaø Nguyeãn NguyÔn hát2 ngi cé ngọk bớt̀ qướn tlam zô strà
""".split()  # noqa: SIM905 - as a table

TEXTS = sorted(
    {
        unicodedata.normalize("NFC", text)
        for _, row in sample_year(1, 200, 2026)
        for text in row.values()
        if isinstance(text, str) and not text.isascii()
    }
    | {text for text in catalogue("vi").values() if not text.isascii() and len(text) < 200}
)
NAMES = [
    text
    for text in TEXTS
    if all(map(is_syllable, re.findall(r"[^\W\d_]+", text)))
    and len(text.split()) > 1
    and all(letter.isascii() or letter.isalpha() for letter in text)  # the fonts have no … or “
    and sum(map(str.islower, text)) > 2
    and not any(word.isupper() and len(word) > 1 for word in text.split())  # the fonts have no such letters
]


@pytest.mark.parametrize("word", GOOD)
def test_a_syllable_is_known_in_either_normal_form(word: str) -> None:
    assert is_syllable(word)
    assert is_syllable(unicodedata.normalize("NFD", word))
    assert is_syllable(word.upper())


@pytest.mark.parametrize("word", BAD)
def test_what_no_vietnamese_writes_is_no_syllable(word: str) -> None:
    assert not is_syllable(word)


@pytest.mark.parametrize(
    ("text", "encoding", "meant"),
    [
        ("TrÇn ThÞ Hßa", "TCVN3 (ABC)", "Trần Thị Hòa"),
        ("X· T©n Hßa", "TCVN3 (ABC)", "Xã Tân Hòa"),
        ("NGUYÔN V¡N §øC", "TCVN3 (ABC)", "NGUYỄN VĂN ĐỨC"),
        ("§· §äC §ÕN", "TCVN3 (ABC)", "ĐÃ ĐỌC ĐẾN"),
        ("D­¬ng tÝnh", "TCVN3 (ABC)", "Dương tính"),
        ("N÷", "TCVN3 (ABC)", "Nữ"),
        ("Nguyeãn Vaên Höng", "VNI", "Nguyễn Văn Hưng"),
        ("NGUYEÃN VAÊN ÑÖÙC", "VNI", "NGUYỄN VĂN ĐỨC"),
        ("Phaïm Thò Lan", "VNI", "Phạm Thị Lan"),
        ("Phöôøng 1", "VNI", "Phường 1"),
        ("Nguyá»…n VÄƒn An", "UTF-8 read as Windows-1252", "Nguyễn Văn An"),
        ("Tráº§n Thá»‹ HÃ ", "UTF-8 read as Windows-1252", "Trần Thị Hà"),
        ("HÃ Ná»™i", "UTF-8 read as Windows-1252", "Hà Nội"),
        ("Há Ná»™i x", "UTF-8 read as Windows-1252", None),
    ],
)
def test_text_of_old_fonts_is_read_as_it_was_meant(text: str, encoding: str, meant: str | None) -> None:
    assert legacy_readings(text).get(encoding) == meant


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Ngụy Như",
            "Lê Sơn",
            "Thu Sôn",
            "Müller",
            "Beaulé",
            "Y Bhiăt Niê",
            "H'Hoa Êban",
            "Ksor Phước",
            "Zoé",
        ),
        *("µmol/L", "µm", "10³/µL", "m²", "±", "Ø12 mm", "Nốt mờ 12×3 mm ®", "“Ba Đình” – 1", "½ viên", "°C"),
        *("Kpă Klơng", "Điểu K’Ré", "ĐNT 3m", "β-hCG", "café"),
    ],
)
def test_what_is_as_it_was_meant_is_left_alone(text: str) -> None:
    assert legacy_readings(text) == {}
    assert legacy_readings(unicodedata.normalize("NFD", text)) == {}


def test_no_text_of_the_sample_or_of_the_catalogue_looks_like_an_old_fonts() -> None:
    assert len(TEXTS) > 300
    assert [text for text in TEXTS if legacy_readings(text)] == []


@pytest.mark.parametrize("encoding", LEGACY_ENCODINGS)
def test_every_name_comes_back_out_of_every_encoding(encoding: str) -> None:
    assert len(NAMES) > 150
    wrong = []
    for name in NAMES:
        for text in (name, *((name.upper(),) if len(name.split()) > 2 else ())):
            written = WRITERS[encoding](text)
            if written == text:
                continue
            read = legacy_readings(written).get(encoding) or other_reading(encoding, written)
            if (read or "").casefold() != text.casefold() or (text == name.title() and read != text):
                wrong.append((text, written, read))
    assert wrong == []


def test_what_was_read_wrong_twice_is_read_right() -> None:
    once = WRITERS["UTF-8 read as Windows-1252"]
    assert read_as("UTF-8 read as Windows-1252", once(once("Nguyễn Văn Đức"))) == "Nguyễn Văn Đức"


def test_latin_1_is_read_like_windows_1252() -> None:
    written = "Nguyễn Văn Đức".encode().decode("latin-1")
    assert legacy_readings(written)["UTF-8 read as Windows-1252"] == "Nguyễn Văn Đức"


@pytest.mark.parametrize("encoding", LEGACY_ENCODINGS)
def test_sheets_and_headers_are_known_in_every_encoding(encoding: str) -> None:
    for sheet in SHEETS:
        assert find_sheet(WRITERS[encoding](sheet.vi)) in (sheet, None)
        header = [WRITERS[encoding](column.vi) for column in sheet.columns]
        assert find_header_row(sheet, [["x"], header]) == 1
        assert HeaderRow(sheet, header, source="x").places.keys() == {one.field for one in sheet.columns}
    assert find_sheet(WRITERS[encoding]("Lượt khám")) is find_sheet("Lượt khám")
