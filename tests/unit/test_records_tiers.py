"""The tier's cell: nothing that may mean T0 is handled, shown or copied."""

from datetime import date
from typing import Any

import pytest

from adapter.records.sheets.tier_cell import TierReading, read_tier

REFUSED = (
    """
T0|t 0|T.0|diện T0|Diện 0|TO|T O|t.o|O|0|00|T00|0.0|T0 - Bộ Chính trị|T0 (BCT)|T0 – UV BCT|T 0 (mật)
Bộ Chính trị|Bo Chinh tri|Ban Bí thư|Politburo|Secretariat|BCT|UVBCT|UV.BCT|Cấp T0|Nhóm T0|Loại 0|T0,T1
T Không|T không (mật)|Không|diện không|Tier zero|T0/T1|T0;T1|T1/T0|T０|Ｔ０|T⁰|T₀
T⓪|Tier O|T1 (trước là T0)
""".strip()
    .replace("\n", "|")
    .split("|")
)


@pytest.mark.parametrize("cell", [*REFUSED, 0, 0.0, "T1, 0", "T\u200b0"])
def test_t0_in_any_spelling_is_refused(cell: Any) -> None:
    assert read_tier(cell) is TierReading.REFUSED


@pytest.mark.parametrize("cell", ["T1", " t 2 ", "Diện T3", "T-4", 5, 5.0, "T.5"])
def test_the_five_tiers(cell: Any) -> None:
    assert read_tier(cell) is TierReading.KEPT


@pytest.mark.parametrize("cell", ["T9", "T 7", "X", "t6", 9, "T-8", "Tier 9"])
def test_a_short_slip_may_be_shown(cell: Any) -> None:
    assert read_tier(cell) is TierReading.PLAIN


@pytest.mark.parametrize(
    "cell",
    [
        *("", " ", "T", "T10", "1.0", "Tổ 5", "Không rõ", "Không thuộc diện", "TBT", "CTN", "T1ø", "T1/T2"),
        *("\u0422 \u041e", "T1\u2070", "T\uff19", "-", "N/A", "#N/A", False, date(2026, 1, 1)),
    ],
)
def test_anything_else_may_be_anybodys(cell: Any) -> None:
    assert read_tier(cell) is TierReading.UNREADABLE
