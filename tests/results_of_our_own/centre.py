"""The centre that the results are sent to: its people and referrals as a clerk writes them into a workbook,
imported and delivered to a hospital by the commands, then served by `adapter serve`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from adapter.records.sheets.layout import SHEETS

__all__ = ["PEOPLE", "REFERRALS", "write_people"]

PEOPLE: tuple[Mapping[str, str], ...] = (
    {"key": "AN", "name": "Nguyễn Văn An", "sex": "Nam", "birth_date": "14/03/1955", "tier": "T4"}
    | {"national_id": "024055000111", "insurance": "GD4240512345867"},
    {"key": "BINH", "name": "Trần Thị Bình", "sex": "Nữ", "birth_date": "01/07/1960", "tier": "T5"}
    | {"national_id": "024160000222"},
    # twins
    {"key": "MAI", "name": "Lê Thị Mai", "sex": "Nữ", "birth_date": "02/02/1970", "tier": "T4"}
    | {"national_id": "024170000331"},
    {"key": "MY", "name": "Lê Thị My", "sex": "Nữ", "birth_date": "02/02/1970", "tier": "T4"}
    | {"national_id": "024170000332"},
    # two men of one name, born on one day
    {"key": "HUNG-1", "name": "Phạm Văn Hùng", "sex": "Nam", "birth_date": "05/05/1962", "tier": "T4"}
    | {"national_id": "024062000441"},
    {"key": "HUNG-2", "name": "Phạm Văn Hùng", "sex": "Nam", "birth_date": "05/05/1962", "tier": "T4"}
    | {"national_id": "024062000442"},
    # goes out under a pseudonym
    {"key": "DUC", "name": "Đỗ Văn Đức", "sex": "Nam", "birth_date": "30/11/1958", "tier": "T3"}
    | {"national_id": "024058000551"},
    # the year of birth alone; an old identity card
    {"key": "LIEN", "name": "Hoàng Thị Liên", "sex": "Nữ", "birth_date": "1948", "tier": "T4"}
    | {"old_national_id": "020123456"},
    # nothing of her leaves
    {"key": "HOA", "name": "Vũ Thị Hoa", "sex": "Nữ", "birth_date": "09/09/1950", "tier": "T1"}
    | {"national_id": "024150000661"},
)

_EACH = 14
REFERRALS: tuple[Mapping[str, str], ...] = (
    *(
        {"key": f"{cadre}.P{number}", "cadre": cadre, "hospital": "bv-tinh"}
        for cadre in ("AN", "BINH", "MAI", "MY", "DUC", "LIEN")
        for number in range(1, _EACH + 1)
    ),
    {"key": "AN.TU", "cadre": "AN", "hospital": "bv-trung-uong"},
    {"key": "AN.BO", "cadre": "AN", "hospital": "bv-tinh"},  # revoked after it was sent
)


def write_people(path: Path, *, revoked: str | None = None) -> Path:
    """The workbook, with one referral revoked."""
    book = Workbook(write_only=True)
    visits = [
        {
            "key": f"{one['key']}.K1",
            "cadre": one["key"],
            "type": "Khám định kỳ",
            "started_at": "20/10/2026 08:00",
        }
        for one in PEOPLE
    ]
    measured = [{"visit": "AN.K1", "measure": "BIO-CREA", "value": "104", "unit": "µmol/L"}]
    sheets = (("cadre", PEOPLE), ("visit", visits), ("measurement", measured))
    for kind, rows in (*sheets, ("referral", list(_referrals(revoked)))):
        sheet = next(one for one in SHEETS if one.kind == kind)
        page = book.create_sheet(sheet.vi)
        page.append([column.vi for column in sheet.columns])
        for row in rows:
            page.append([row.get(column.field) for column in sheet.columns])
    book.save(path)
    return path


def _referrals(revoked: str | None) -> Iterator[dict[str, Any]]:
    for one in REFERRALS:
        said = {"category": "Khám thêm", "service": "WORKUP-CARD", "ordered_at": "21/10/2026 09:00"}
        said |= {"visit": f"{one['cadre']}.K1", "priority": "Thường"}
        yield {**said, **one} | ({"status": "Đã hủy"} if one["key"] == revoked else {})
