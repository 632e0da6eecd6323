"""A date without a time stays a date: in the record, in the database, and at the hospital (R4's dateTime)."""

import csv
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from mapping_support import engine as mapping_engine
from mapping_support import readable
from openpyxl import Workbook
from sqlalchemy import Engine, select, update

from adapter.database import read_transaction, write_transaction
from adapter.fhir.codec import digest
from adapter.fhir.validation.checker import check_resource
from adapter.migrations import versions
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import Record, Visit
from adapter.records.partial_dates import centre_day, is_before
from adapter.records.plausible.ranges import load_ranges
from adapter.records.store import RecordStore
from adapter.records.tables import record
from adapter.report import latest_year, year_report

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
CODES = Path(__file__).parents[2] / "mappings" / "codes"
DAY = date(2026, 10, 2)
Sheets = Mapping[str, list[dict[str, Any]]]


def sheets(day: Any = "02/10/2026", end: Any = "") -> Sheets:
    return {
        "Cán bộ": [
            {
                "Mã cán bộ": "P1",
                "Họ và tên": "Nguyễn Văn An",
                "Giới tính": "Nam",
                "Ngày sinh": "12/03/1960",
                "Diện quản lý": "T5",
            }
        ],
        "Lượt khám": [
            {"Mã lượt khám": "V1", "Mã cán bộ": "P1", "Loại": "Khám định kỳ", "Bắt đầu": day, "Kết thúc": end}
            | {"Kết luận": "Bình thường", "Hướng xử trí": "Theo dõi", "Phân loại sức khỏe": "II"}
        ],
        "Chỉ số": [
            {"Mã lượt khám": "V1", "Mã chỉ số": "BIO-K", "Giá trị": "4,1", "Đơn vị": "mmol/L"}
            | {"Thời điểm lấy": day},
            {"Mã lượt khám": "V1", "Mã chỉ số": "VS-HR", "Giá trị": "72", "Đơn vị": "", "Thời điểm lấy": ""},
        ],
        "Thủ thuật": [
            {"Mã thủ thuật": "T1", "Mã cán bộ": "P1", "Mã lượt khám": "V1", "Thủ thuật": "PT-1"}
            | {"Bắt đầu": day, "Kết thúc": end}
        ],
        "Chuyển khám": [
            {"Mã phiếu": "R1", "Mã cán bộ": "P1", "Mã lượt khám": "V1", "Bệnh viện": "bv-tinh"}
            | {"Dịch vụ": "NOISOI", "Ngày chỉ định": day, "Hạn": "02/10/2026"}
        ],
    }


def workbook(folder: Path, pages: Sheets, name: str = "a.xlsx") -> Path:
    book = Workbook()
    book.remove(book.active)
    for title, rows in pages.items():
        sheet = book.create_sheet(title)
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append(list(row.values()))
    book.save(folder / name)
    return folder / name


def take(engine: Engine, path: Path) -> ImportReport:
    return run_import(
        engine,
        [path],
        max_deletions_percent=100,
        known_hospitals=frozenset({"bv-tinh"}),
        now=NOW,
        plausible=load_ranges(CODES),
    )


def stored(engine: Engine) -> dict[str, Record]:
    kinds = ("visit", "measurement", "procedure", "referral")
    return {one.key: one for kind in kinds for one in RecordStore(engine).iterate(kind)}


def bodies(engine: Engine) -> dict[str, tuple[str, str, str]]:
    query = select(record.c.key, record.c.body, record.c.digest, record.c.source_digest)
    with read_transaction(engine) as connection:
        return {row[0]: tuple(row[1:]) for row in connection.execute(query)}  # type: ignore[misc]


@pytest.mark.parametrize(
    "day",
    [
        "02/10/2026",
        "2026-10-02",
        "20261002",
        "202610020000",
        "02/10/2026 00:00",
        date(2026, 10, 2),
        datetime(2026, 10, 2),  # noqa: DTZ001 - a spreadsheet's date cell has no zone
    ],
)
def test_no_digit_is_invented(engine: Engine, tmp_path: Path, day: Any) -> None:
    path = workbook(tmp_path, sheets(day))
    report = take(engine, path)
    assert report.rejected == 0, report.problems
    records = stored(engine)
    assert set(records) == {"V1", "V1/BIO-K", "V1/VS-HR", "T1", "R1"}
    visit = records["V1"]
    assert isinstance(visit, Visit)
    assert visit.started_at == DAY
    assert not any("T00:00" in body for body, _, _ in bodies(engine).values())
    made = mapping_engine()
    by_type: dict[str, list[dict[str, Any]]] = {}
    for one in records.values():
        for mapped in made.map(one, visit=None if one is visit else visit, related={}):
            assert b"T00:00" not in readable(mapped.resource)
            assert check_resource(mapped.resource) == []
            by_type.setdefault(mapped.resource["resourceType"], []).append(mapped.resource)
    assert by_type["Encounter"][0]["period"] == {"start": "2026-10-02"}
    assert by_type["Procedure"][0]["performedDateTime"] == "2026-10-02"
    assert by_type["ServiceRequest"][0]["authoredOn"] == "2026-10-02"
    assert by_type["Task"][0]["authoredOn"] == "2026-10-02"
    days = {one["code"]["coding"][0]["code"]: one.get("effectiveDateTime") for one in by_type["Observation"]}
    assert days["BIO-K"] == days["VS-HR"] == "2026-10-02"
    assert take(engine, path).changes == 0


@pytest.mark.parametrize(
    ("start", "end", "period"),
    [
        ("02/10/2026", "02/10/2026", {"start": "2026-10-02", "end": "2026-10-02"}),
        ("02/10/2026", "02/10/2026 11:00", {"start": "2026-10-02", "end": "2026-10-02T11:00:00+07:00"}),
        ("02/10/2026 08:00", "02/10/2026", {"start": "2026-10-02T08:00:00+07:00", "end": "2026-10-02"}),
        ("02/10/2026 08:00", "03/10/2026", {"start": "2026-10-02T08:00:00+07:00", "end": "2026-10-03"}),
        ("02/10/2026", "", {"start": "2026-10-02"}),
    ],
)
def test_what_is_known_of_a_period_goes(
    engine: Engine, tmp_path: Path, start: str, end: str, period: dict[str, str]
) -> None:
    report = take(engine, workbook(tmp_path, sheets(start, end)))
    assert report.rejected == 0, report.problems
    made = mapping_engine()
    records = stored(engine)
    visit = records["V1"]
    assert made.map(visit)[0].resource["period"] == period
    if end:
        assert made.map(records["T1"], visit=visit)[0].resource["performedPeriod"] == period
        assert made.map(records["V1/VS-HR"], visit=visit)[0].resource["effectivePeriod"] == period
    for one in records.values():
        assert check_resource(made.map(one, visit=visit)[0].resource) == []


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("02/10/2026", "01/10/2026"),
        ("02/10/2026 08:00", "01/10/2026"),
        ("02/10/2026", "01/10/2026 23:59"),
        ("02/10/2026 08:00", "02/10/2026 07:00"),
    ],
)
def test_an_end_before_its_start_is_refused(engine: Engine, tmp_path: Path, start: str, end: str) -> None:
    assert take(engine, workbook(tmp_path, sheets(start, end))).rejected > 0
    assert "V1" not in stored(engine)


def test_days_and_moments_are_compared_by_what_is_certain() -> None:
    moment = datetime(2026, 10, 1, 20, 0, tzinfo=UTC)  # 3 in the morning of the second, at the centre
    assert centre_day(moment) == DAY
    assert not is_before(moment, DAY)
    assert not is_before(DAY, moment)
    assert is_before(date(2026, 10, 1), moment)
    assert is_before(moment, date(2026, 10, 3))
    assert is_before(moment, moment.replace(minute=1))


def test_the_years_report_takes_days(engine: Engine, tmp_path: Path) -> None:
    pages = {**sheets("31/12/2025", "31/12/2025")}
    pages["Lượt khám"] = [
        pages["Lượt khám"][0] | {"Mã lượt khám": "V0", "Bắt đầu": "31/12/2025 08:00", "Kết thúc": ""}
        | {"Phân loại sức khỏe": "III"},
        pages["Lượt khám"][0] | {"Phân loại sức khỏe": "II"},
    ]  # fmt: skip
    take(engine, workbook(tmp_path, {title: pages[title] for title in ("Cán bộ", "Lượt khám")}))
    records = RecordStore(engine)
    assert latest_year(records, date(2026, 11, 22)) == 2025
    report = year_report(records, 2025, levels={}, today=date(2026, 11, 22))
    assert report.year == 2025


def test_what_is_stored_as_midnight_is_a_day_after_the_migration(engine: Engine, tmp_path: Path) -> None:
    path = workbook(tmp_path, sheets("02/10/2026", "02/10/2026 11:00"))
    take(engine, path)
    after = bodies(engine)
    with write_transaction(engine) as connection:
        for key, (body, _, _) in after.items():
            old = body.replace('_at":"2026-10-02"', '_at":"2026-10-02T00:00:00+07:00"')
            old = old.replace('"state":"received"', '"fulfilment":"none"')  # as it was then
            changed = old != body
            assert changed or key in ("P1", "V1/VS-HR")
            values = {"body": old, "digest": digest(old.encode())}
            if changed:
                less = old.replace(',"fulfilment":"none"', "")
                values["source_digest"] = digest(less.encode())
            connection.execute(update(record).where(record.c.key == key).values(values))
    for name in ("days_without_times", "referral_states"):
        (file,) = Path(versions.__file__).parent.glob(f"*_{name}.py")
        migration = import_module(f"{versions.__name__}.{file.stem}")
        with (
            write_transaction(engine) as connection,
            Operations.context(MigrationContext.configure(connection)),
        ):
            migration.upgrade()
    assert bodies(engine) == after
    assert take(engine, path).changes == 0


def test_a_csv_too(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "csv"
    folder.mkdir()
    for title, rows in sheets().items():
        with (folder / f"{title}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    assert take(engine, folder).rejected == 0
    assert '"started_at":"2026-10-02"' in bodies(engine)["V1"][0]
