"""Names of sheets, headings and single cells that tell of a T0 person: nothing of them is said or kept."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from centre_states import CentreStates
from openpyxl import Workbook, load_workbook
from rich.console import Console
from sqlalchemy import Engine, select

from adapter.cli.commands import import_records as command
from adapter.database import metadata
from adapter.errors import ImportRefused
from adapter.fhir.identity import IdentityFactory
from adapter.records.importing.import_history import list_runs
from adapter.records.importing.importer import run_import
from adapter.records.layouts.measure_names import MeasureNames, NamedMeasure
from adapter.records.layouts.understanding import LayoutContext
from adapter.records.plausible.ranges import PlausibleRanges
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.store import RecordStore
from adapter.testing import Centre

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NAME, KEY, CITIZEN = "Mạch Thị Bí Ẩn", "CB-0040", "001150012345"
TELLING = ("Mạch", "Mach Thi", "M¹ch", "Bí Ẩn", KEY, CITIZEN)
MEASURES = MeasureNames(
    [
        NamedMeasure("BIO-CREA", "Creatinin", "Creatinine", "µmol/L"),
        NamedMeasure("BIO-AST", "AST (GOT)", "AST", "U/L"),
    ],
    ["µmol/L", "U/L"],
)
TITLES = ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "Số định danh cá nhân")
PLAIN = ("CB-0001", "Lê Văn Thường", "Nam", "05/03/1960", "T5", "")
SECRET = (KEY, NAME, "Nữ", "02/09/1950", "T0", CITIZEN)
WIDE = ("Mã cán bộ", "Loại", "Bắt đầu", "Creatinin", "AST (GOT)")
RESULT = ("CB-0001", "Khám định kỳ", "15/03/2026", 88, 30)
WORSE = ("CB-0001", "Khám định kỳ", "31/02/2026", 88, 30)
Rows = Sequence[Sequence[Any]]
Book = dict[str, Rows]


def book(path: Path, sheets: Book) -> Path:
    made = Workbook()
    made.remove(made.worksheets[0])
    for title, rows in sheets.items():
        page = made.create_sheet(title)
        for row in rows:
            page.append(list(row))
    made.save(path)
    return path


def everything(engine: Engine, path: Path, **options: Any) -> str:
    """All that an import says, writes and keeps, refused or not."""
    rejects = path.with_name("rejects")
    said: list[Any] = []
    fixed: dict[str, Any] = {
        "max_deletions_percent": 100,
        "known_hospitals": frozenset(),
        "now": NOW,
        "rejects": rejects,
        "on_problem": said.append,
        "inputs": InputOptions(layouts=LayoutContext(MEASURES)),
        "plausible": PlausibleRanges({}, {}),
    }
    try:
        report = run_import(engine, [path], **fixed | options)
    except ImportRefused as refused:
        said += [refused, refused.params, refused.problems]
    else:
        out = Console(file=StringIO(), width=500)
        command._draw(out, report)
        assert isinstance(out.file, StringIO)
        shown = json.dumps(report.as_json(), ensure_ascii=False)
        said += [report, *map(str, report.problems), shown, out.file.getvalue()]
    with engine.connect() as connection:
        said += [row for table in metadata.sorted_tables for row in connection.execute(select(table))]
    return "".join([*map(str, said), *map(repr, said), *written(rejects)])


def written(rejects: Path) -> Iterator[str]:
    if rejects.with_suffix(".xlsx").is_file():
        for page in load_workbook(rejects.with_suffix(".xlsx")).worksheets:
            yield page.title
            yield repr(list(page.iter_rows(values_only=True)))
    for file in sorted(rejects.glob("*")) if rejects.is_dir() else ():
        yield f"{file.name}{file.read_text('utf-8-sig')}"


def tells(text: str) -> list[str]:
    return [one for one in TELLING if one in text]


PEOPLE: Rows = [TITLES, PLAIN, SECRET]
FREE: Rows = [("a", "b"), ("1", "2"), ("3", "4"), ("5", "6")]  # a sheet that is none
NEAR: Rows = [("Mã cán bộ", "Loại", "Ghi"), ("CB-0001", "x", "y"), ("CB-0001", "x", "y")]


def places(telling: str) -> dict[str, Book]:
    """Where a clerk writes a name besides a row's own cells."""
    wide = "Kết quả theo hàng"
    return {
        "sheet": {"Cán bộ": PEOPLE, telling: [("a",)]},
        "sheet of rows": {"Cán bộ": PEOPLE, telling: FREE},
        "sheet that is near": {"Cán bộ": PEOPLE, telling: NEAR},
        "sheet of people": {telling: PEOPLE},  # asked about
        "sheet of results": {"Cán bộ": PEOPLE, telling: [WIDE, RESULT]},  # asked about
        "wide name": {"Cán bộ": PEOPLE, f"Wide {telling}": [WIDE, RESULT]},
        "sheet without rows": {"Cán bộ": PEOPLE, telling: []},
        "heading": {"Cán bộ": [(*TITLES, telling), (*PLAIN, "x"), (*SECRET, "y")]},
        "heading of rejects": {"Cán bộ": [(*TITLES, telling), (*PLAIN[:3], "?", *PLAIN[4:], "x"), SECRET]},
        "heading twice": {"Cán bộ": [(*TITLES, "Họ và tên"), (*PLAIN, telling), (*SECRET, "y")]},
        "near a heading": {"Cán bộ": [TITLES[:-1], *(row[:-1] for row in PEOPLE[1:])]}
        | {"Lượt khám": [("Mã lượt khám", "Mã cán bộ", "Loại", f"Bắt đầu {telling}"), RESULT[:4]]},
        "wide heading": {"Cán bộ": PEOPLE, wide: [(*WIDE, telling), (*RESULT, 5)]},
        "wide heading of rejects": {"Cán bộ": PEOPLE, wide: [(*WIDE, telling), (*WORSE, 5)]},
        "measure": {"Cán bộ": PEOPLE, wide: [(*WIDE[:4], f"AST ({telling})"), (*WORSE[:4], "?")]},
        "measure that is held": {
            "Cán bộ": PEOPLE,
            wide: [(*WIDE[:4], f"AST ({telling})"), (*RESULT[:4], "08-Oct")],
        },
        "near a measure": {"Cán bộ": PEOPLE, wide: [(*WIDE, f"Creatinin {telling}"), (*RESULT, 5)]},
        "person's heading": {"Cán bộ": PEOPLE, wide: [(*WIDE, f"Họ và tên ({telling})"), (*WORSE, "An")]},
        "visit's heading": {"Cán bộ": PEOPLE, wide: [(*WIDE, f"Kết luận ({telling})"), (*WORSE, "ổn")]},
        "headerless": {"Cán bộ": [TITLES, (*PLAIN, telling), SECRET]},
        "title": {"Cán bộ": [(f"Đoàn của {telling}",), *PEOPLE]},
        "group": {"Cán bộ": [TITLES, (f"Phòng bà {telling}",), PLAIN, SECRET]},
        "footer": {"Cán bộ": [*PEOPLE, (f"Người lập: {telling}",)]},
        "lost cell": {"Cán bộ": [(*TITLES, "Dân tộc"), (*PLAIN, telling), (*SECRET, "Kinh")]},
        "lost number": {"Cán bộ": [TITLES, (*PLAIN[:5], f"của {telling}"), SECRET]},
        "tier": {"Cán bộ": [TITLES, (*PLAIN[:4], telling, ""), SECRET]},
        "unknown measure": {
            "Cán bộ": PEOPLE,
            "Lượt khám": [("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"), ("V1", *RESULT[:3])],
            "Chỉ số": [("Mã lượt khám", "Mã chỉ số", "Giá trị"), ("V1", telling, 5)],
        },
        "unreadable key": {"Cán bộ": [TITLES, (f"{telling} " * 9, *PLAIN[1:]), SECRET]},
        "visit": {"Cán bộ": PEOPLE, wide: [(*WIDE, "Mã lượt khám"), (*RESULT, f"V {telling}")]},
        "kind": {"Cán bộ": PEOPLE, wide: [WIDE, ("CB-0001", telling, *RESULT[2:])]},
        "day": {"Cán bộ": PEOPLE, wide: [WIDE, (*RESULT[:2], telling, *RESULT[3:])]},
        "value": {"Cán bộ": PEOPLE, wide: [WIDE, (*RESULT[:3], telling, 30)]},
        "mark": {"Cán bộ": PEOPLE, wide: [(*WIDE, "Xóa"), (*RESULT, telling)]},
        "made visit": {"Cán bộ": PEOPLE, wide: [WIDE, (KEY, *RESULT[1:])]},
    }


SPELLINGS = [NAME, "MACH  THI BI AN", KEY, "cb 0040", CITIZEN, "M¹ch ThÞ BÝ Èn"]  # the last in an old font
PLACES = list(places(NAME))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_no_text_of_a_file_tells_of_a_t0_person(
    engine: Engine, tmp_path: Path, place: str, *, first: bool
) -> None:
    sheets = places(NAME)[place]
    ordered = sheets if first else dict(reversed(sheets.items()))
    path = book(tmp_path / "a.xlsx", ordered)
    tried = everything(engine, path, dry_run=True)
    assert tells(tried) == []
    assert tells(everything(engine, path)) == []


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("place", ["sheet", "sheet of people", "heading of rejects", "wide heading"])
def test_however_it_is_spelt(engine: Engine, tmp_path: Path, place: str, spelling: str) -> None:
    said = everything(engine, book(tmp_path / "a.xlsx", places(spelling)[place]))
    assert tells(said) == []
    assert spelling not in said


@pytest.mark.parametrize("place", PLACES)
def test_without_a_t0_person_the_words_are_said(engine: Engine, tmp_path: Path, place: str) -> None:
    """The guard hides nothing else: a test that could not fail would say the same of a silent import."""
    silent = {"title", "group", "footer", "headerless", "heading twice", "near a heading", "tier"}
    silent |= {"made visit", "visit's heading"}
    sheets = {
        title: [(*row[:4], "T5", *row[5:]) if row[:2] == SECRET[:2] else row for row in rows]
        for title, rows in places("Bà Vũ Thị Cẩm")[place].items()
    }
    said = everything(engine, book(tmp_path / "a.xlsx", sheets))
    assert ("Cẩm" in said) is (place not in silent)


def test_who_was_erased_is_not_told_of_either(engine: Engine, tmp_path: Path) -> None:
    """Without a T0 row: the person comes back in a sheet, and another one bears the name."""
    options = {"identities": lambda: IdentityFactory(b"k" * 32)}
    back: Rows = [TITLES, PLAIN, (*SECRET[:4], "T5", CITIZEN)]
    everything(engine, book(tmp_path / "a.xlsx", {"Cán bộ": back}), **options)
    assert RecordStore(engine).get("cadre", KEY)
    everything(engine, book(tmp_path / "a.xlsx", {"Cán bộ": PEOPLE}), **options)
    assert RecordStore(engine).get("cadre", KEY) is None
    for title, rows in ((NAME, FREE), (NAME, [WIDE, RESULT]), ("Cán bộ", back)):
        path = book(tmp_path / "a.xlsx", {"Cán bộ": back, title: rows})
        assert tells(everything(engine, path, **options)) == []


OLD = "M¹ch ThÞ BÝ Èn"  # TCVN3


@pytest.mark.parametrize(("written", "said"), [(OLD, NAME), (NAME, OLD), (OLD, OLD)])
def test_names_in_old_fonts_are_the_same_names(
    engine: Engine, tmp_path: Path, written: str, said: str
) -> None:
    sheets: Book = {
        "Cán bộ": [TITLES, PLAIN, (KEY, written, *SECRET[2:])],
        said: FREE,
        "Lượt khám": [
            ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu", "Kết luận"),
            ("V1", *RESULT[:3], f"{'®i' if said == OLD else 'đi'} theo {said}"),
            ("V2", *RESULT[:2], "16/03/2026", "ổn"),
        ],
    }
    assert tells(everything(engine, book(tmp_path / "a.xlsx", sheets))) == []
    assert [one.key for one in RecordStore(engine).iterate("visit")] == ["V2"]


@pytest.mark.parametrize("name", [f"{NAME}.csv", f"{NAME}.docx", f"visits {KEY}.csv", f"ảnh {CITIZEN}.jpg"])
def test_no_file_of_a_folder_tells_of_a_t0_person(engine: Engine, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    lines = (";".join(map(str, row)) for row in PEOPLE)
    (folder / "cadres.csv").write_text("\n".join(lines), "utf-8")
    (folder / name).write_text("a;b\n1;2\n3;4\n", "utf-8")
    assert tells(everything(engine, folder)) == []
    assert [one.key for one in RecordStore(engine).iterate("cadre")] == ["CB-0001"]
    with engine.connect() as connection:
        [run] = list_runs(connection)
    assert sorted(name for name, _ in run.files) == ["-", "cadres.csv"]


def test_a_folder_named_after_a_t0_person_is_refused(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    lines = (";".join(map(str, row)) for row in PEOPLE)
    (folder / "cadres.csv").write_text("\n".join(lines), "utf-8")
    assert "tells of somebody" in everything(engine, folder)
    assert list(RecordStore(engine).iterate("cadre")) == []


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    centre_states.put_empty(tmp_path)
    made = Centre(tmp_path)
    yield made
    made.close()


def test_a_look_tells_of_no_t0_person(centre: Centre, tmp_path: Path) -> None:
    """Nor do T0 rows below those that a look shows."""
    many = [(f"CB-1{number:03}", "Lê Văn Thường", "Nam", "05/03/1960", "T5", "") for number in range(100)]
    for place in PLACES:
        sheets = places(NAME)[place] | {"Danh sách": [TITLES, *many, SECRET]}
        path = book(tmp_path / "a.xlsx", sheets)
        for arguments in ((), ("--json",)):
            done = centre.attempt("import", "--look", path.name, *arguments)
            assert tells(f"{done.stdout}{done.stderr}") == [], place


def test_a_heading_that_tells_of_somebody_is_not_kept(centre: Centre, tmp_path: Path) -> None:
    path = book(tmp_path / "a.xlsx", places(NAME)["heading"])
    done = centre.attempt("import", "--look", "--keep", "ds", path.name)
    assert (done.returncode, tells(f"{done.stdout}{done.stderr}")) == (1, [])
    assert "rename it" in done.stderr
    layouts = tmp_path / "data" / "layouts"
    assert not layouts.exists() or not list(layouts.iterdir())
    path = book(tmp_path / "a.xlsx", {NAME: PEOPLE})
    centre.run("import", "--look", "--keep", "ds", path.name)
    kept = (layouts / "ds.yaml").read_text("utf-8")
    assert tells(kept) == []
    assert 'sheet: "-"' in kept
    path = book(tmp_path / "b.xlsx", {"DS": PEOPLE})
    assert json.loads(centre.run("import", path.name, "--json"))["kinds"]["cadre"]["created"] == 1
