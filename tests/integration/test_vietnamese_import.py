"""Under Vietnamese no code of a list and no field's name reaches whoever reads what an import says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from centre_states import CentreStates
from openpyxl import Workbook, load_workbook

from adapter.records.sheets.choices import CHOICE_LISTS
from adapter.records.sheets.layout import SHEETS
from adapter.testing import Centre

SHEET_NAMES = ("Cán bộ", "Lượt khám", "Chỉ số", "Chẩn đoán", "Chuyển khám", "Tiêm chủng")
HEADERS: dict[str, tuple[str, ...]] = {
    "Cán bộ": (
        *("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"),
        *("Số CCCD", "Đồng ý chia sẻ"),
    ),
    "Lượt khám": ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Hướng xử trí", "Phân loại sức khỏe"),
    "Chỉ số": ("Mã lượt khám", "Mã chỉ số", "Giá trị", "Cờ", "Trạng thái"),
    "Chẩn đoán": ("Mã chẩn đoán", "Mã cán bộ", "ICD-10", "Mức độ", "Mới phát hiện"),
    "Chuyển khám": (
        *("Mã phiếu", "Mã cán bộ", "Bệnh viện", "Dịch vụ", "Ngày chỉ định", "Loại yêu cầu"),
        *("Mức ưu tiên", "Trạng thái"),
    ),
    "Tiêm chủng": ("Mã mũi tiêm", "Mã cán bộ", "Vắc xin", "Ngày tiêm", "Trạng thái"),
}
BEFORE: dict[str, tuple[Any, ...]] = {
    "Cán bộ": ("P1", "Nguyễn Văn An", "Nam", "12/03/1960", "T5", "", "HIV"),
    "Lượt khám": ("V1", "P1", "Khám định kỳ", "02/10/2026", "Bình thường", "Loại I"),
    "Chỉ số": ("V1", "BIO-CREA", 80, "Bình thường", "Sơ bộ"),
    "Chẩn đoán": ("D1", "P1", "I10", "Sơ bộ", "Không"),
    "Chuyển khám": (
        *("R1", "P1", "bv-tinh", "WORKUP-GEN", "03/10/2026", "Khám thêm"),
        *("Thường", "Đang hiệu lực"),
    ),
    "Tiêm chủng": ("T1", "P1", "VX-FLU", "02/10/2026", "Đã tiêm"),
}
AFTER: dict[str, tuple[Any, ...]] = {
    "Cán bộ": ("P1", "Nguyễn Văn An", "Không rõ", "12/03/1960", "T4", "", "HIV; Tâm thần"),
    "Lượt khám": ("V1", "P1", "Khám ngoại trú", "03/10/2026", "Theo dõi", "Loại 2"),
    "Chỉ số": ("V1", "BIO-CREA", 81, "Cao", "Chính thức"),
    "Chẩn đoán": ("D1", "P1", "I10", "Xác định", "Có"),
    "Chuyển khám": ("R1", "P1", "bv-tinh", "WORKUP-GEN", "04/10/2026", "Điều trị", "Khẩn", "Tạm dừng"),
    "Tiêm chủng": ("T1", "P1", "VX-FLU", "02/10/2026", "Nhập nhầm"),
}
SPOILT: dict[str, tuple[Any, ...]] = {
    "Cán bộ": ("P1", "Lê Thị Bình", "Nữ", "01/02/1970", "T5", "", "tất cả"),
    "Lượt khám": ("V2", "P1", "khám chơi", "02/10/2062", "uống thuốc", "B1"),
    "Chỉ số": ("V1", "BIO-CREA", "104 H", "Thấp", "xong"),
    "Chẩn đoán": ("D2", "P1", "cao áp", "chắc", "chưa"),
    "Chuyển khám": ("R2", "P1", "bv-xa", "khám tim", "04/10/2026", "gì đó", "gấp", "mở"),
    "Tiêm chủng": ("T2", "P1", "cúm", "32/10/2026", "rồi"),
}
HELD = BEFORE | {
    "Lượt khám": ("V2", "P1", "Khám định kỳ", "02/10/2062", "Bình thường", "Loại I"),
    "Chỉ số": ("V1", "BIO-CREA", "104 H", "Thấp", "Chính thức"),
    "Chuyển khám": (*BEFORE["Chuyển khám"][:3], "khám tim", *BEFORE["Chuyển khám"][4:]),
}
CODES = {code for choice in CHOICE_LISTS.values() for code in choice.codes if code.islower()}
FIELDS = {column.field for sheet in SHEETS for column in sheet.columns}
ENGLISH = {
    words[1] for choice in CHOICE_LISTS.values() for _, words in choice.options if words[0] != words[1]
}
HEADINGS = {column.en for sheet in SHEETS for column in sheet.columns if column.en != column.vi}
_WORD = re.compile(
    r"(?<![\w.(-])(?:"
    + "|".join(sorted(CODES | FIELDS | ENGLISH | HEADINGS, key=len, reverse=True))
    + r")(?![\w.-])"
)
_FIELD = re.compile(r"\([a-z_0-9]+\)")  # a look says the field's name beside the column's, for kept layouts
# What clerks type as it is: a table's columns, a field in `words.csv`.
_AS_IT_IS = re.compile(r"`[^`]*`|\bservice,\S+|words\.csv|\bvaccine,\S+")


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    centre_states.put_empty(tmp_path)
    made = Centre(tmp_path)
    yield made
    made.close()


def write(path: Path, rows: dict[str, tuple[Any, ...]]) -> str:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name in SHEET_NAMES:
        page = book.create_sheet(name)
        page.append(HEADERS[name])
        page.append(rows[name])
    book.save(path)
    return path.name


def said(centre: Centre, *arguments: str) -> str:
    done = centre.attempt("--lang", "vi", *arguments)
    return done.stdout + done.stderr


def foreign(text: str) -> set[str]:
    return set(_WORD.findall(_AS_IT_IS.sub("", text)))


def test_what_an_import_says_is_vietnamese(centre: Centre, tmp_path: Path) -> None:
    before, after = write(tmp_path / "a.xlsx", BEFORE), write(tmp_path / "b.xlsx", AFTER)
    spoilt, held = write(tmp_path / "c.xlsx", SPOILT), write(tmp_path / "d.xlsx", HELD)
    outputs = {
        "first": said(centre, "import", before),
        "dry": said(centre, "import", after, "--dry-run", "--partial"),
        "second": said(centre, "import", after, "--partial"),
        "shown": said(centre, "imports", "show", "2"),
        "undone": said(centre, "imports", "undo", "2"),
        "spoilt": said(centre, "import", spoilt, "--partial"),
        "doubtful": said(centre, "import", held, "--partial"),
        "held": said(centre, "import", "held"),
        "looked at": _FIELD.sub("", said(centre, "import", held, "--look")),
        "listed": said(centre, "imports"),
        "doubles": said(centre, "cadre", "doubles"),
    }
    assert {name: found for name, text in outputs.items() if (found := foreign(text))} == {}
    for words in ("Giới tính", "Nam → Không rõ", "Khám định kỳ → Khám ngoại trú", "02/10/2026 → 03/10/2026"):
        assert words in outputs["dry"]
    assert "Nguyễn Văn An; Nam; 12/03/1960" in " ".join(outputs["spoilt"].split())
    assert "(Thấp)" in outputs["doubtful"]
    assert "(Thấp)" in outputs["held"]
    rejects = load_workbook(tmp_path / "c.rejects.xlsx")
    reasons = "\n".join(str(page.cell(2, page.max_column).value) for page in rejects.worksheets)
    assert foreign(reasons) == set()
    assert "Nam; 12/03/1960" in reasons
