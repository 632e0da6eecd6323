"""Procedures and immunizations are read, refused and deleted as the other kinds are."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from adapter.records import serialisation as bodies
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.model import Immunization, Procedure
from adapter.records.sheets.cell_parsers import CellError, parse_date_or_datetime, parse_positive_integer
from adapter.records.store import RecordStore

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HERE = timezone(timedelta(hours=7))
PEOPLE = "Key;Name;Sex;Date of birth;Tier\nCB-1;Lê An;Nam;05/03/1960;T5\nCB-2;Lê Bình;Nam;05/03/1961;T0\n"
VISITS = "Key;Cadre key;Type;Started at\nV1;CB-1;Khám tại nhà;15/03/2026 07:30\n"
PROCEDURES = (
    "Mã thủ thuật;Mã cán bộ;Mã lượt khám;Thủ thuật;Trạng thái;Bắt đầu;Kết thúc;Kết quả\n"
    "T1;CB-1;V1;PR-DRESS;Đã thực hiện;15/03/2026 07:40;15/03/2026 08:00;Vết thương khô\n"
    "T2;CB-1;;PR-EAR;Không thực hiện;202603160800;;\n"
)
VACCINES = (
    "Key;Cadre key;Visit key;Vaccine;Given at;Lot;Dose number;Expires on;Status\n"
    "X1;CB-1;V1;VX-FLU;15/03/2026 07:45;A01;;30/06/2027;Given\n"
    "X2;CB-1;;VX-PPSV23;2026-04-01;B02;2;;\n"
)


def imports(engine: Engine, folder: Path, **options: Any) -> ImportReport:
    fixed: dict[str, Any] = {"max_deletions_percent": 100, "known_hospitals": frozenset(), "now": NOW}
    return run_import(engine, [folder], **fixed | options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"cadres": PEOPLE, "visits": VISITS, "thủ thuật": PROCEDURES, "immunizations": VACCINES}
    (tmp_path / "files").mkdir()
    for name, content in files.items():
        (tmp_path / "files" / f"{name}.csv").write_text(content, "utf-8")
    return tmp_path / "files"


def add(folder: Path, name: str, *rows: str) -> None:
    path = folder / f"{name}.csv"
    path.write_text(path.read_text("utf-8") + "".join(f"{row}\n" for row in rows), "utf-8")


def test_they_are_read_and_come_back_typed(engine: Engine, folder: Path) -> None:
    assert imports(engine, folder).problem_count == 0
    store = RecordStore(engine)
    done, planned = store.get("procedure", "T1"), store.get("procedure", "T2")
    assert isinstance(done, Procedure)
    assert isinstance(planned, Procedure)
    assert (done.ended_at, done.outcome) == (datetime(2026, 3, 15, 8, tzinfo=HERE), "Vết thương khô")
    assert (planned.status, planned.visit) == ("not-done", None)
    first, second = store.get("immunization", "X1"), store.get("immunization", "X2")
    assert isinstance(first, Immunization)
    assert isinstance(second, Immunization)
    assert first.given_at == datetime(2026, 3, 15, 7, 45, tzinfo=HERE)
    assert (second.given_at, type(second.given_at)) == (date(2026, 4, 1), date)
    assert (second.dose_number, second.status) == (2, "completed")
    assert imports(engine, folder).changes == 0


def test_a_change_is_in_the_feed_and_a_gone_row_a_tombstone(engine: Engine, folder: Path) -> None:
    imports(engine, folder)
    store = RecordStore(engine)
    head = store.newest_position()
    path = folder / "immunizations.csv"
    path.write_text(path.read_text("utf-8").replace("A01", "A99").replace(VACCINES.splitlines()[2], ""))
    report = imports(engine, folder)
    assert (report.kinds["immunization"].changed, report.kinds["immunization"].deleted) == (1, 1)
    assert store.changed_cadres(head, 10) == [("CB-1", head + 2)]


def test_a_deleted_visit_takes_its_procedures_and_doses_along(engine: Engine, folder: Path) -> None:
    imports(engine, folder)
    (folder / "visits.csv").write_text(VISITS.replace("Started at", "Started at;Deleted")[:-1] + ";x\n")
    imports(engine, folder, partial=True)
    left = [(record.kind, record.key) for record in RecordStore(engine).of_cadre("CB-1")]
    # The file still names them, so their rows are refused rather than brought back.
    assert left == [("cadre", "CB-1"), ("procedure", "T2"), ("immunization", "X2")]


def test_rows_of_a_t0_person_are_refused_and_nowhere(engine: Engine, folder: Path, tmp_path: Path) -> None:
    add(folder, "thủ thuật", "T8;CB-2;;PR-MAT;Đã thực hiện;15/03/2026;;")
    add(folder, "immunizations", "X8;CB 2;;VX-MAT;15/03/2026;;;;")  # spelt otherwise
    report = imports(engine, folder, rejects=tmp_path / "rejects")
    assert (report.refused_people, report.refused_rows, report.problem_count) == (1, 3, 0)
    assert report.rejects is None
    assert b"-MAT" not in b"".join(path.read_bytes() for path in tmp_path.glob("*.db*"))


def test_wrong_cells_cost_their_row_alone(engine: Engine, folder: Path, tmp_path: Path) -> None:
    add(folder, "thủ thuật", "T9;CB-1;V1;PR-EAR;Đã thực hiện;15/03/2026 09:00;15/03/2026 08:00;")
    add(folder, "immunizations", "X9;CB-1;;VX-FLU;yesterday;A;0;;", "X9b;CB-3;;VX-FLU;15/03/2026;;;;")
    report = imports(engine, folder, rejects=tmp_path / "rejects")
    said = {(problem.row, problem.column) for problem in report.problems}
    assert said == {(4, "Kết thúc"), (4, "Given at"), (4, "Dose number"), (5, "Cadre key")}
    assert report.rejects is not None
    assert {path.stem for path in report.rejects.iterdir()} >= {"thủ thuật", "immunizations"}
    assert RecordStore(engine).counts()["immunization"] == 2


@pytest.mark.parametrize("at", [date(2026, 3, 15), datetime(2026, 3, 15, 7, 45, tzinfo=HERE)])
def test_the_time_of_a_dose_is_stored_as_it_is_known(at: date) -> None:
    dose = Immunization(key="X", cadre="C", vaccine="VX-FLU", given_at=at)
    again = bodies.parse_record("immunization", bodies.serialise_record(dose))
    assert again == dose
    assert isinstance(again, Immunization)
    assert type(again.given_at) is type(at)


def test_cells_of_a_dose() -> None:
    midnight = datetime(2026, 3, 15)  # noqa: DTZ001 - as a workbook's reader gives a date
    assert parse_date_or_datetime("15/03/2026") == parse_date_or_datetime(midnight) == date(2026, 3, 15)
    assert (parse_positive_integer("2"), parse_positive_integer(3)) == (2, 3)
    for wrong in ("0", "-1", "1000", "²", True, "x"):
        with pytest.raises(CellError):
            parse_positive_integer(wrong)
