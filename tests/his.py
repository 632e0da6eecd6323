"""A hospital information system: the small sample in any kind of database, in such systems' types."""

import csv
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Integer,
    MetaData,
    NullPool,
    Numeric,
    String,
    Table,
    create_engine,
)

from adapter.records.sheets import cell_parsers

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "fixtures" / "sample" / "small-csv"
SOURCE = ROOT / "fixtures" / "sources" / "his.yaml"
CHANGED = datetime(2026, 11, 1, 8, 0)  # noqa: DTZ001 - as such systems write it

_DRIVERS = {"mariadb://": "mariadb+pymysql://", "postgresql://": "postgresql+psycopg://"}
_metadata = MetaData()
_TYPES: dict[str, Any] = {"text": String(400), "day": Date(), "time": DateTime(), "number": Numeric(12, 4)}
_TYPES |= {"whole": Integer(), "code": String(60)}


def _table(name: str, columns: str) -> Table:
    made = []
    for one in columns.split():
        title, _, kind = one.partition(":")
        made.append(Column(title, _TYPES[kind or "code"]))
    return Table(name, _metadata, *made)


TABLES = {  # in the order of the sample's columns
    "Cán bộ": _table(
        "can_bo",
        "ma_cb ho_ten:text gioi_tinh:whole ngay_sinh:day dien chuc_vu:text so_cccd so_cmnd the_bhyt:text "
        "dien_thoai dia_chi:text ma_tinh dan_toc dong_y:text ngay_mat:day",
    ),
    "Lượt khám": _table(
        "luot_kham",
        "ma_lk ma_cb loai tg_bat_dau:time tg_ket_thuc:time benh_vien ly_do:text ket_luan:text xu_tri:text "
        "phan_loai phan_loai_cb so_mau:whole cap_nhat_luc:time",
    ),
    "Chỉ số": _table(
        "chi_so",
        "ma ma_lk ma_cb ma_chi_so ten_chi_so:text gia_tri:text don_vi_do nguong_duoi:number "
        "nguong_tren:number co tg_lay:time trang_thai cap_nhat_luc:time",
    ),
    "Chẩn đoán": _table(
        "chan_doan", "ma ma_cb ma_lk ma_benh ten_benh:text muc_do moi ngay_ghi:day cap_nhat_luc:time"
    ),
    "Chuyển khám": _table(
        "chuyen_kham",
        "ma_phieu ma_cb ma_lk benh_vien loai dich_vu ly_do:text ma_benh uu_tien trang_thai "
        "ngay_chi_dinh:time han:day chi_so:text cap_nhat_luc:time",
    ),
    "Thủ thuật": _table(
        "thu_thuat",
        "ma ma_cb ma_lk ma_thu_thuat ten_thu_thuat:text trang_thai tg_bat_dau:time tg_ket_thuc:time "
        "vi_tri:text ket_qua:text ma_benh cap_nhat_luc:time",
    ),
    "Tiêm chủng": _table(
        "tiem_chung",
        "ma ma_cb ma_lk vac_xin ten_vac_xin:text ngay_tiem so_lo mui_so:whole dot_tiem:text vi_tri:text "
        "han_dung:day trang_thai ly_do:text cap_nhat_luc:time",
    ),
}
GONE = _table("da_xoa", "bang ma")
_SEXES = {"Nam": 1, "Nữ": 2, "Không rõ": 3}


def engine_of(url: str) -> Engine:
    """The database behind a source's URL, to write to."""
    for scheme, driver in _DRIVERS.items():
        url = url.replace(scheme, driver, 1)
    return create_engine(url, poolclass=NullPool)


def sample_rows(sheet: str) -> Iterator[list[str]]:
    """The rows of a sheet of the small sample as they are written."""
    with (SAMPLE / f"{sheet}.csv").open(encoding="utf-8-sig", newline="") as file:
        yield from list(csv.reader(file, delimiter=";"))[1:]


def fill(connection: Connection) -> None:
    """Make the tables and put the small sample into them."""
    _metadata.create_all(connection)
    for sheet, table in TABLES.items():
        rows = [_row(table, cells) for cells in sample_rows(sheet)]
        connection.execute(table.insert(), rows)


def _row(table: Table, cells: list[str]) -> dict[str, Any]:
    columns = [column for column in table.columns if column.name != "cap_nhat_luc"]
    row = {column.name: _value(column, cell) for column, cell in zip(columns, cells, strict=False)}
    return row | ({"cap_nhat_luc": CHANGED} if "cap_nhat_luc" in table.columns else {})


def _value(column: Column[Any], cell: str) -> str | int | date | datetime | Decimal | None:
    if not cell:
        return None
    if column.name == "gioi_tinh":
        return _SEXES[cell]
    if isinstance(column.type, DateTime):
        return cell_parsers.parse_datetime(cell).replace(tzinfo=None)
    if isinstance(column.type, Date):
        return cell_parsers.parse_date(cell)
    if isinstance(column.type, Numeric):
        return cell_parsers.parse_decimal(cell)
    return int(cell) if isinstance(column.type, Integer) else cell
