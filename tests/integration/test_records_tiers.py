"""T0 at import: whoever may be one leaves no trace, and nobody else is lost to it."""

from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from rich.console import Console
from sqlalchemy import Engine

from adapter.cli.commands import import_records as command
from adapter.errors import ImportRefused
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.store import RecordStore

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SMALL = Path(__file__).parents[2] / "fixtures" / "sample" / "small.xlsx"
PEOPLE = "Key;Name;Sex;Date of birth;Tier\n"
VISITS = "Key;Cadre key;Type;Started at\n"


def imports(engine: Engine, path: Path, **options: Any) -> ImportReport:
    fixed: dict[str, Any] = {
        "max_deletions_percent": 3,
        "known_hospitals": frozenset({"bv-tinh", "bv-trung-uong"}),
        "now": NOW,
    }
    return run_import(engine, [path], **fixed | options)


def folder(path: Path, people: dict[str, str], visits: dict[str, str] | None = None) -> Path:
    """CSVs of people (key: tier) and visits (key: cadre)."""
    path.mkdir()
    lines = [f"{key};Lê An;Nam;05/03/1960;{tier}\n" for key, tier in people.items()]
    (path / "cadres.csv").write_text(PEOPLE + "".join(lines), "utf-8")
    lines = [f"{key};{cadre};Khám định kỳ;202603150730\n" for key, cadre in (visits or {}).items()]
    (path / "visits.csv").write_text(VISITS + "".join(lines), "utf-8")
    return path


def keys(engine: Engine, kind: str) -> set[str]:
    return {record.key for record in RecordStore(engine).iterate(kind)}


def content(path: Path | None) -> str:
    assert path is not None
    return "".join(file.read_text("utf-8-sig") for file in path.iterdir())


def test_a_key_that_differs_by_a_hyphen_is_somebody_elses(engine: Engine, tmp_path: Path) -> None:
    visits = {"CB-1.12": "CB1", "CB-11.2": "CB-11"}
    imports(engine, folder(tmp_path / "a", {"CB1": "T5", "CB-11": "T5"}, visits))
    path = folder(tmp_path / "b", {"CB-1": "T0", "CB1": "T5", "CB-11": "T5"}, visits | {"CB-1.1": "CB-1"})
    report = imports(engine, path, partial=True)
    assert (report.refused_people, report.refused_rows, report.scrubbed, report.changes) == (1, 2, 0, 0)
    assert keys(engine, "cadre") == {"CB1", "CB-11"}
    assert keys(engine, "visit") == set(visits)


def test_a_second_row_with_a_t0_persons_key_scrubs_nobody(engine: Engine, tmp_path: Path) -> None:
    imports(engine, folder(tmp_path / "a", {"cb-1": "T5"}))
    report = imports(engine, folder(tmp_path / "b", {"CB-1": "T0", "cb-1": "T5"}), partial=True)
    assert (report.refused_people, report.scrubbed) == (2, 0)
    assert keys(engine, "cadre") == {"cb-1"}


LISTED = {
    "CB-1": "Lê Văn An;Nam;05/03/1960;T4",
    "CB-2": "Trần Thị Bưởi;Nữ;06/04/1961;T5",
}


def listed(path: Path, *rows: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "cadres.csv").write_text(PEOPLE + "".join(f"{row}\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize("own_row", [True, False])
def test_a_t0_row_with_somebody_elses_key_erases_nobody(
    engine: Engine, tmp_path: Path, own_row: bool
) -> None:
    people = [f"{key};{rest}" for key, rest in LISTED.items()]
    imports(engine, listed(tmp_path / "a", *people))
    slip = "CB-1;Hoàng Quốc Thắng;Nam;01/09/1958;T0"
    rows = [slip, *people] if own_row else [slip, people[1]]
    with pytest.raises(ImportRefused, match="cadres 2"):
        imports(engine, listed(tmp_path / "a", *rows), allow_deletions=True)
    assert keys(engine, "cadre") == {"CB-1", "CB-2"}


@pytest.mark.parametrize("row", ["Lê Anh;Nam;05/03/1960;T0", "Ông Lê Văn An;Nam;05/03/1961;T0"])
def test_where_as_much_speaks_against_it_as_for_it_nobody_is_erased(
    engine: Engine, tmp_path: Path, row: str
) -> None:
    imports(engine, listed(tmp_path / "a", *(f"{key};{rest}" for key, rest in LISTED.items())))
    with pytest.raises(ImportRefused, match="cadres 2"):
        imports(engine, listed(tmp_path / "b", f"CB-1;{row}"), allow_deletions=True)


def test_nor_does_it_take_the_place_of_one_who_comes_with_it(engine: Engine, tmp_path: Path) -> None:
    rows = ("CB-1;Hoàng Quốc Thắng;Nam;01/09/1958;T0", f"CB-1;{LISTED['CB-1']}")
    with pytest.raises(ImportRefused, match="cadres 2"):
        imports(engine, listed(tmp_path / "a", *rows))


@pytest.mark.parametrize(
    "row",
    [
        "CB-1;Lê Văn An;Nam;05/03/1960;T0",
        "CB-1;LE VAN AN;Nam;;T0",
        "CB-1;;;;T0",
    ],
)
def test_who_becomes_t0_is_erased_however_the_row_is_written(
    engine: Engine, tmp_path: Path, row: str
) -> None:
    imports(engine, listed(tmp_path / "a", *(f"{key};{rest}" for key, rest in LISTED.items())))
    imports(engine, listed(tmp_path / "b", row, f"CB-2;{LISTED['CB-2']}"), allow_deletions=True)
    assert keys(engine, "cadre") == {"CB-2"}


def test_in_a_file_without_people_whoever_is_unknown_may_be_one(engine: Engine, tmp_path: Path) -> None:
    imports(engine, listed(tmp_path / "a", *(f"{key};{rest}" for key, rest in LISTED.items())))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "visits.csv").write_text(
        "Key;Cadre;Name;Type;Start\nV1;CB-1;Lê Văn An;Outpatient;02/03/2026\n"
        "V2;CB-17;Hoàng Quốc Thắng;Outpatient;02/03/2026\n",
        "utf-8",
    )
    report = imports(engine, tmp_path / "b", rejects=tmp_path / "rejects", partial=True)
    assert (report.kinds["visit"].created, report.withheld, report.rejects) == (1, 1, None)
    said = " ".join((*map(str, report.groups), *report.warnings))
    assert "CB-17" not in said
    assert "Thắng" not in said


def test_a_visit_of_a_t0_person_spelt_otherwise_is_not_shown(engine: Engine, tmp_path: Path) -> None:
    path = folder(tmp_path / "a", {"CB-1": "T0", "CB-2": "T5", "CB-3": "?"}, {"V1": "CB 1", "V3": "CB 3"})
    report = imports(engine, path, rejects=tmp_path / "r")
    assert report.refused_rows == 2
    assert report.kinds["visit"].withheld == 1
    assert "CB" not in "".join(map(str, report.problems))
    assert report.rejects is None


def test_a_wrong_tier_column_is_a_deletion_too_many(engine: Engine, tmp_path: Path) -> None:
    people = {f"CB-{number}": "T5" for number in range(40)}
    imports(engine, folder(tmp_path / "a", people, {"V1": "CB-1"}))
    path = folder(tmp_path / "b", dict.fromkeys(people, "0"), {"V1": "CB-1"})
    for options in ({}, {"partial": True}):
        with pytest.raises(ImportRefused, match="40 of 40 cadres"):
            imports(engine, path, **options)
    assert keys(engine, "cadre") == set(people)
    assert keys(engine, "visit") == {"V1"}
    few = folder(tmp_path / "c", people | {"CB-1": "T0"}, {"V1": "CB-1"})
    report = imports(engine, few)  # one of forty is no mistake
    assert report.scrubbed == 2
    assert "2 stored records of people who are T0 now were erased" in drawn(report)


def drawn(report: ImportReport) -> str:
    out = Console(file=StringIO(), width=500)
    command._draw(out, report)
    assert isinstance(out.file, StringIO)
    return out.file.getvalue()


SECRET = "Trần Bí Mật"


def secretive(tier: Any) -> Callable[[Any], None]:
    """A person with that tier, with bad cells everywhere."""

    def edit(book: Any) -> None:
        people = book["Cán bộ"]
        titles = [cell.value for cell in people[1]]
        row = next(cell.row for cell in people["A"] if cell.value == "CB-0001")
        people.cell(row, titles.index("Diện quản lý") + 1, tier).value = tier
        people.cell(row, titles.index("Họ và tên") + 1, f"{SECRET} 7")
        people.cell(row, titles.index("Số CCCD") + 1, "98765")
        for name in ("Lượt khám", "Chỉ số"):
            page = book[name]
            for cells in page.iter_rows(min_row=2):
                if any(str(cell.value).startswith("CB-0001") for cell in cells):
                    cells[-1].value = SECRET
                    cells[3].value = SECRET

    return edit


def edited(path: Path, edit: Callable[[Any], None]) -> Path:
    book = load_workbook(SMALL)
    edit(book)
    book.save(path)
    return path


@pytest.mark.parametrize("tier", [None, "T0/T1", "T10", "Ủy viên BCT", "Cấp cao, mật"])
def test_whoever_may_be_t0_is_nowhere(engine: Engine, tmp_path: Path, tier: Any) -> None:
    lines: list[Any] = []
    report = imports(
        engine,
        edited(tmp_path / "in.xlsx", secretive(tier)),
        rejects=tmp_path / "r.xlsx",
        on_problem=lines.append,
    )
    told = "".join([*map(str, lines), *map(repr, lines), repr(report), drawn(report)])
    for telling in (SECRET, "CB-0001", "98765", tier or SECRET):
        assert telling not in told
    assert report.rejects is None
    assert keys(engine, "cadre").isdisjoint({"CB-0001"})
    if lines:
        assert [(line.sheet, line.row, line.column) for line in lines] == [("Cán bộ", 2, "Diện quản lý")]
        assert "T1, T2, T3, T4, T5; correct it in the source" in str(lines[0])
        assert ("empty" in str(lines[0])) is (tier is None)
        assert report.withheld == report.rejected == 1 + sum(k.waiting for k in report.kinds.values()) > 60
        assert f"{report.withheld} rejected records are in no rejects file" in drawn(report)


def untiered(people: Any) -> None:
    people.cell(2, [cell.value for cell in people[1]].index("Diện quản lý") + 1).value = None


def test_an_unreadable_tier_takes_nothing_out_of_the_store(engine: Engine, tmp_path: Path) -> None:
    imports(engine, SMALL)
    before = RecordStore(engine).of_cadre("CB-0001")
    report = imports(engine, edited(tmp_path / "in.xlsx", lambda book: untiered(book["Cán bộ"])))
    assert report.withheld > 60
    assert report.changes == 0
    assert RecordStore(engine).of_cadre("CB-0001") == before


def test_a_short_slip_is_shown_and_copied(engine: Engine, tmp_path: Path) -> None:
    path = folder(tmp_path / "a", {"CB-1": "T9", "CB-2": "T5"}, {"V1": "CB-1"})
    report = imports(engine, path, rejects=tmp_path / "r")
    assert [problem.value for problem in report.problems] == ["T9"]
    assert report.withheld == 0
    assert "CB-1;Lê An" in content(report.rejects).replace(",", ";")


def test_a_marked_row_needs_no_tier(engine: Engine, tmp_path: Path) -> None:
    path = folder(tmp_path / "a", {"CB-1": "T5", "CB-2": "T5"})
    imports(engine, path)
    (path / "cadres.csv").write_text("Key;Name;Sex;Date of birth;Tier;Deleted\nCB-1;;;;;x\n", "utf-8")
    report = imports(engine, path, partial=True, allow_deletions=True)
    assert report.problem_count == 0
    assert keys(engine, "cadre") == {"CB-2"}
