"""What the template's guide says is what the clerks' page says."""

from pathlib import Path

import pytest
from openpyxl import load_workbook

from adapter.records.sheets.template import write_template


@pytest.mark.parametrize(
    ("language", "told"), [("vi", "ở trang Cán bộ với diện T0"), ("en", "in the sheet Cadres with tier T0")]
)
def test_the_template_says_where_t0_people_belong(tmp_path: Path, language: str, told: str) -> None:
    write_template(tmp_path / "t.xlsx", language)
    guide = load_workbook(tmp_path / "t.xlsx").worksheets[0]
    [said] = [str(cell.value) for (cell,) in guide.iter_rows() if "T0" in str(cell.value)]
    assert told in said
