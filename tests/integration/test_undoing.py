"""An import that comes, is taken back, and comes again: each time exactly that import goes."""

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapter.database import read_transaction, write_transaction
from adapter.records.held_rows import HeldRowStore, any_replaced
from adapter.records.importing.import_history import find_run, forget_changes, list_runs
from adapter.records.importing.importer import run_import
from adapter.records.importing.undo import ImportUndo, undo_run
from adapter.records.model import KINDS, Record
from adapter.records.plausible.ranges import load_ranges
from adapter.records.store import RecordStore

RANGES = load_ranges(Path(__file__).parents[2] / "mappings" / "codes")
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
Sheets = Mapping[str, Sequence[Sequence[str]]]
PEOPLE = ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý")
VISITS = ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu")
VALUES = ("Mã lượt khám", "Mã chỉ số", "Giá trị")
DIAGNOSES = ("Mã chẩn đoán", "Mã cán bộ", "Mã lượt khám", "ICD-10")
AN = ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4")
BA = ("A2", "Trần Thị Ba", "Nữ", "06/04/1961", "T5")
EMPTY: Sheets = {}
BASE: Sheets = {
    "Cán bộ": [PEOPLE, AN],
    "Lượt khám": [VISITS, ("V1", "A1", "Khám định kỳ", "02/03/2026")],
    "Chỉ số": [VALUES, ("V1", "BIO-CREA", "80"), ("V1", "BIO-GLUF", "5.1")],
}
# What comes and goes: a person with all that is theirs; a visit of somebody who is here; values alone;
# and what changes, moves and goes of what is here.
COMING: dict[str, Sheets] = {
    "a person": {
        "Cán bộ": [PEOPLE, AN, BA],
        "Lượt khám": [VISITS, ("V2", "A2", "Khám định kỳ", "02/03/2026")],
        "Chỉ số": [VALUES, ("V2", "BIO-CREA", "70"), ("V2", "BIO-GLUF", "4.9")],
        "Chẩn đoán": [DIAGNOSES, ("D1", "A2", "V2", "I10")],
    },
    "a visit": {
        "Lượt khám": [VISITS, ("V3", "A1", "Khám định kỳ", "09/03/2026")],
        "Chỉ số": [VALUES, ("V3", "BIO-CREA", "70")],
        "Chẩn đoán": [DIAGNOSES, ("D2", "A1", "V3", "I10")],
    },
    "values": {"Chỉ số": [VALUES, ("V1", "BIO-CREA", "91"), ("V1", "BIO-K", "4.1")]},
    "changes": {
        "Cán bộ": [PEOPLE, (*AN[:4], "T5"), BA],
        "Lượt khám": [
            (*VISITS, "Xóa"),
            ("V1", "A1", "Khám định kỳ", "02/03/2026", "x"),
            ("V4", "A1", "Khám định kỳ", "02/03/2026", ""),
        ],
        "Chỉ số": [VALUES, ("V4", "BIO-CREA", "80")],
        "Chẩn đoán": [DIAGNOSES, ("D3", "A1", "V4", "I10")],
    },
}


class Door:
    """Imports parts of a record, an hour after each other."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder, self.now = engine, folder, NOW

    def take(self, sheets: Sheets) -> int:
        """The number of the import."""
        self.now += timedelta(hours=1)
        folder = self.folder / f"{self.now:%d-%H}"
        folder.mkdir()
        for title, rows in sheets.items():
            with (folder / f"{title}.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(rows)
        report = run_import(
            self.engine,
            [folder],
            max_deletions_percent=100,
            known_hospitals=frozenset(),
            now=self.now,
            partial=True,
            plausible=RANGES,
        )
        assert report.rejected == 0
        return self.newest()

    def undo(self, number: int) -> ImportUndo:
        self.now += timedelta(hours=1)
        with write_transaction(self.engine) as connection:
            run = find_run(connection, number)
            assert run is not None
            return undo_run(connection, run, at=self.now, by="cli:test")

    def newest(self) -> int:
        with read_transaction(self.engine) as connection:
            return list_runs(connection)[0].id

    def waiting(self) -> set[tuple[str, str]]:
        return {(one.key, one.body) for one in HeldRowStore(self.engine).rows()}

    def everything(self) -> dict[str, dict[str, Record]]:
        store = RecordStore(self.engine)
        return {kind: {one.key: one for one in store.iterate(kind)} for kind in KINDS}


@pytest.mark.parametrize(
    ("base", "coming"),
    [(EMPTY, COMING["a person"]), *((BASE, coming) for coming in COMING.values())],
    ids=["a person into nothing", *COMING],
)
def test_an_import_comes_and_goes_and_nothing_looks_edited(
    engine: Engine, tmp_path: Path, base: Sheets, coming: Sheets
) -> None:
    door = Door(engine, tmp_path)
    if base:
        door.take(base)
    before = door.everything()
    after = None
    for _ in range(2):
        run = door.take(coming)
        after = after or door.everything()
        assert door.everything() == after
        done = door.undo(run)
        assert done.left == 0
        assert door.everything() == before
        undoing = door.newest()
        assert door.undo(undoing).left == 0  # the taking back is taken back
        assert door.everything() == after
        assert door.undo(door.newest()).left == 0
        assert door.everything() == before


def test_what_was_edited_since_still_counts_as_edited(engine: Engine, tmp_path: Path) -> None:
    door = Door(engine, tmp_path)
    door.undo(door.take(COMING["a person"]))
    run = door.take(COMING["a person"])
    door.take({"Chỉ số": [VALUES, ("V2", "BIO-CREA", "71")]})
    done = door.undo(run)
    assert (done.removed, done.restored, done.left) == (0, 3, 3)  # the value holds its visit and its person
    assert {(one.kind, one.key, one.cadre) for one in done.left_records} >= {
        ("measurement", "V2/BIO-CREA", "A2")
    }
    kept = door.everything()
    assert [*kept["cadre"], *kept["visit"], *kept["measurement"]] == ["A2", "V2", "V2/BIO-CREA"]


HELD: Sheets = {"Chỉ số": [VALUES, ("V1", "VS-HEIGHT", "1.65"), ("V1", "BIO-K", "4.1")]}
REPLACING: dict[str, Sheets] = {
    "a good value": {"Chỉ số": [VALUES, ("V1", "VS-HEIGHT", "165")]},
    "another that waits": {"Chỉ số": [VALUES, ("V1", "VS-HEIGHT", "1.66"), ("V1", "BIO-K", "4.2")]},
    "that it is deleted": {
        "Chỉ số": [(*VALUES, "Xóa"), ("V1", "VS-HEIGHT", "1.65", "x"), ("V1", "BIO-K", "4.2", "")]
    },
    "that the person is deleted": {"Cán bộ": [(*PEOPLE, "Xóa"), (*AN, "x")]},
}


@pytest.mark.parametrize("coming", REPLACING.values(), ids=REPLACING)
def test_what_waited_waits_again_when_what_came_in_its_place_is_taken_back(
    engine: Engine, tmp_path: Path, coming: Sheets
) -> None:
    door = Door(engine, tmp_path)
    door.take(BASE)
    held = door.take(HELD)
    before, records = door.waiting(), door.everything()
    assert len(before) == 1
    run = door.take(coming)
    after = door.waiting()
    assert after != before
    door.undo(run)
    assert (door.waiting(), door.everything()) == (before, records)
    door.undo(door.newest())
    assert door.waiting() == after
    door.undo(door.newest())
    assert door.waiting() == before
    door.undo(held)
    assert door.waiting() == set(), "that import held it"


def test_what_waited_is_forgotten_with_what_came_in_its_place(engine: Engine, tmp_path: Path) -> None:
    door = Door(engine, tmp_path)
    door.take(BASE)
    door.take(HELD)
    run = door.take(REPLACING["a good value"])
    later = door.now + timedelta(minutes=1)
    forget_changes(engine, later)
    with read_transaction(engine) as connection:
        assert not any_replaced(connection, later)
        found = find_run(connection, run)
    assert found is not None
    assert found.forgotten
