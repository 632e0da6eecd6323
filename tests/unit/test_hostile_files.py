"""Files made to harm: formulas, workbooks that unpack without end or are too wide, queries that write."""

import csv
import io
import re
import time
import zipfile
import zlib
from contextlib import ExitStack
from pathlib import Path

import pytest
from code_names import module_files
from openpyxl import Workbook, load_workbook

from adapter.errors import ImportRefused, SourceError
from adapter.records.importing.rejects_file import RejectsFile
from adapter.records.sheets.formula_cells import defused, restored
from adapter.records.sheets.layout import SHEETS
from adapter.records.sheets.tab import Tab
from adapter.records.sources.open_tabs import InputOptions, open_tabs
from adapter.records.sources.sql.plain_select import is_plain_select
from adapter.records.sources.sql.source_file import load_source
from adapter.records.sources.workbook_limits import check_workbook

FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "=",
    "-",
    "'=1",
    "''@x",
    '=HYPERLINK("http://x")',
    "＝1+1",
    "-5 ngày",
    "+84 912 345 678",
]
PLAIN = [
    "",
    "-5",
    "+5",
    "-5,2",
    "-1.234,5",
    "+84912345678",
    "1e-5",
    "-1E+5",
    "'",
    "'x",
    "''",
    "a=b",
    "5-6",
    " =1",
    "x",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_marked_and_given_back(text: str) -> None:
    written = defused(text)
    assert isinstance(written, str)
    assert written[0] == "'"
    assert restored(written) == text


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert defused(text) == text
    assert restored(text) == text


def test_numbers_stay_numbers() -> None:
    assert [defused(value) for value in (-5, -5.5, None, True)] == [-5, -5.5, None, True]


@pytest.mark.parametrize("as_csv", [True, False], ids=["csv", "xlsx"])
def test_what_was_rejected_comes_back_as_it_was_and_is_no_formula(tmp_path: Path, *, as_csv: bool) -> None:
    sheet = SHEETS[0]
    tab = Tab("in", sheet.vi, sheet, False, 1, as_csv, lambda _: iter(()))
    header = ["=A1", "Họ tên"]
    texts = [text for text in (*FORMULAS, *PLAIN) if text.strip() == text and "\r" not in text]
    rejects = RejectsFile(tmp_path / "r", as_csv=as_csv)
    for text in texts:
        rejects.add(tab, [*header], [text, "x"], "=why")
    rejects.seal()
    path = rejects.move_into_place()
    rejects.close()
    assert path is not None
    if as_csv:
        content = (path / f"{sheet.vi}.csv").read_text("utf-8-sig")
        cells = [cell for row in csv.reader(io.StringIO(content)) for cell in row]
        assert not [one for one in cells if one[:1] in "=@" and one] + [
            one for one in cells if one[:1] in "+-" and one and not one[1:2].isdigit()
        ]
    else:
        [page, *_] = load_workbook(path).worksheets
        assert {cell.data_type for row in page.iter_rows() for cell in row if cell.value is not None} == {"s"}
    with ExitStack() as stack:
        [found] = open_tabs([path], stack, lambda *_, **__: None, InputOptions())
        rows = [cells for _, cells in found.rows()]
    assert rows[0][:2] == header
    assert [row[0] or "" for row in rows[1:]] == texts


def test_every_csv_that_holds_others_words_is_defused() -> None:
    """The sample year and the table of units are our own words."""
    writers = {name for name, path in module_files().items() if "csv.writer(" in path.read_text("utf-8")}
    assert writers == {
        "adapter.operations.table_files",
        "adapter.records.importing.rejects_file",
        "adapter.records.synthetic.sample_files",
        "adapter.report.outputs.csv_file",
        "adapter.units.generate",
    }
    for name in sorted(writers - {"adapter.records.synthetic.sample_files", "adapter.units.generate"}):
        rows = re.findall(r"\.writerow\((.*)\)", module_files()[name].read_text("utf-8"))
        assert rows
        assert [row for row in rows if "defused" not in row and row != "columns"] == [], name


def _workbook(path: Path, *cells: tuple[str, str]) -> Path:
    """A workbook of a known sheet with cells at these places."""
    book = Workbook()
    book.active.title = SHEETS[0].vi
    for place, value in cells:
        book.active[place] = value
    book.save(path)
    return path


def _opened(path: Path) -> None:
    with ExitStack() as stack:
        for tab in open_tabs([path], stack, lambda *_, **__: None, InputOptions()):
            for _ in tab.rows():
                pass


@pytest.mark.parametrize("place", ["XFD1048576", "XFD100000", "ZZ1048576", "CXX1", "AZ1048576"])
def test_a_workbook_wider_than_can_be_is_refused_at_once(tmp_path: Path, place: str) -> None:
    path = _workbook(tmp_path / "wide.xlsx", ("A1", "Mã"), (place, "x"))
    begun = time.monotonic()
    with pytest.raises(ImportRefused):
        _opened(path)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("place", ["D30000", "ZZ20", "AAZ1"])
def test_what_a_clerk_may_have_left_somewhere_is_no_attack(tmp_path: Path, place: str) -> None:
    _opened(_workbook(tmp_path / "odd.xlsx", ("A1", "Mã"), (place, "x")))


def test_cells_that_are_only_formatted_are_no_width(tmp_path: Path) -> None:
    from openpyxl.styles import Font

    path = _workbook(tmp_path / "formatted.xlsx", ("A1", "Mã"))
    book = load_workbook(path)
    book.active["XFD1048576"].font = Font(bold=True)
    book.save(path)
    _opened(path)


@pytest.mark.parametrize("empty", ['<c r="XFD1048576" s="1"/>', '<c r="XFD1048576" s="1"></c>'])
def test_an_empty_cell_is_no_width_however_it_is_written(tmp_path: Path, empty: str) -> None:
    """openpyxl writes the second where lxml is installed."""
    _check_sheet(tmp_path / "empty.xlsx", empty)
    with pytest.raises(ImportRefused):
        _check_sheet(tmp_path / "filled.xlsx", '<c r="XFD1048576" s="1"><v>1</v></c>')


def _check_sheet(path: Path, cell: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        rows = f'<sheetData><row r="1048576">{cell}</row></sheetData>'
        archive.writestr("xl/worksheets/sheet1.xml", f"<worksheet>{rows}</worksheet>")
    with zipfile.ZipFile(path) as archive:
        check_workbook(path, archive)


def _bomb(path: Path, *, size: int, claims: int | None = None) -> Path:
    """A workbook with a part that unpacks to `size` bytes, and says that they are `claims`."""
    _workbook(path, ("A1", "Mã"))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("xl/sharedStrings.bin", "w", force_zip64=True) as part:
            for _ in range(size // 1_000_000):
                part.write(bytes(1_000_000))
        if claims is not None:
            archive.getinfo("xl/sharedStrings.bin").file_size = claims
    return path


@pytest.mark.parametrize(
    ("size", "claims"), [(1_000_000, 2_100_000_000), (60_000_000, None), (60_000_000, 1000)]
)
def test_a_workbook_that_unpacks_without_end_is_refused_at_once(
    tmp_path: Path, size: int, claims: int | None
) -> None:
    path = _bomb(tmp_path / "bomb.xlsx", size=size, claims=claims)
    begun = time.monotonic()
    with pytest.raises(ImportRefused):
        _opened(path)
    assert time.monotonic() - begun < 2


def test_a_damaged_part_is_refused(tmp_path: Path) -> None:
    path = _workbook(
        tmp_path / "odd.xlsx", *((f"A{row}", f"{zlib.crc32(bytes(row))}") for row in range(1, 500))
    )
    content = bytearray(path.read_bytes())
    place = content.find(b"xl/worksheets/sheet1.xml") + 60
    content[place : place + 40] = b"\xff" * 40
    path.write_bytes(bytes(content))
    with pytest.raises(ImportRefused):
        _opened(path)


READS = [
    "SELECT * FROM t",
    "select a, b from t where c = 'x; drop table t' -- insert",
    "  (SELECT 1) UNION (SELECT 2)",
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "SELECT replace(a, 'b', 'c'), \"update\", `delete`, [insert] FROM t /* into; */",
    "SELECT deleted, updated_at, created FROM t",
    "SELECT 'it''s', '\\' FROM t",
    "SELECT a FROM t WHERE b LIKE '50\\%' ESCAPE '\\'",
    "SELECT :x::text, a->>'b' FROM t",
    "SELECT a FROM t\n-- the end; of it",
]
WRITES = [
    "DELETE FROM t",
    "SELECT 1; DROP TABLE t",
    "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
    "WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x",
    "SELECT * INTO other FROM t",
    "SELECT * FROM t INTO OUTFILE '/tmp/x'",
    "SELECT * FROM t FOR UPDATE",
    "SELECT * FROM t FOR NO KEY UPDATE",
    "SELECT * FROM t FOR SHARE",
    "SELECT * FROM t LOCK IN SHARE MODE",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT load_file('/etc/passwd')",
    "SELECT load_extension('x')",
    "SELECT lo_export(1, '/tmp/x')",
    "SELECT * FROM dblink('x', 'y') AS t(a int)",
    "SELECT setval('s', 1)",
    "SELECT /*! 1 INTO OUTFILE '/tmp/x' */ FROM t",
    "SELECT /*M! 1 */ 2",
    "CALL p()",
    "PRAGMA writable_schema=1",
    "ATTACH 'x' AS y",
    "VALUES (1)",
    "SELECT '\\''; DROP TABLE t; -- '",
    "SELECT 1 # it's\n; DELETE FROM t -- '",
    "SELECT 'a' /* ' */ ; DELETE FROM t",
    "EXPLAIN ANALYZE DELETE FROM t",
    "-- only words",
]


@pytest.mark.parametrize("statement", READS)
def test_a_plain_select_is_taken(statement: str) -> None:
    assert is_plain_select(statement)


@pytest.mark.parametrize("statement", WRITES)
def test_what_does_more_than_read_is_refused(statement: str) -> None:
    assert not is_plain_select(statement)


@pytest.mark.parametrize("place", ["query", "deleted", "keys"])
def test_a_source_that_writes_is_refused_when_it_is_read(tmp_path: Path, place: str) -> None:
    file = tmp_path / "his.yaml"
    entries = {"query": "SELECT 1", "deleted": "SELECT 1", "keys": "SELECT 1"} | {place: "DELETE FROM t"}
    lines = "".join(f"    {name}: {statement}\n" for name, statement in entries.items())
    file.write_text(f"source: his\nconnection: env:HIS\nqueries:\n  cadre:\n{lines}")
    with pytest.raises(SourceError) as raised:
        load_source(file)
    assert "SELECT" in "".join(raised.value.problems)


def _ods(path: Path, rows: str) -> Path:
    """A workbook of one sheet "S" with these rows."""
    space = "urn:oasis:names:tc:opendocument:xmlns:"
    names = " ".join(f'xmlns:{one}="{space}{one}:1.0"' for one in ("office", "table", "text"))
    body = f'<office:spreadsheet><table:table table:name="S">{rows}</table:table></office:spreadsheet>'
    content = f"<office:document-content {names}><office:body>{body}</office:body></office:document-content>"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
    return path


def _row(cells: str, repeated: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{repeated}">{cells}</table:table-row>'


def _cell(text: str = "", repeated: int = 1) -> str:
    inside = f"<text:p>{text}</text:p>" if text else ""
    return f'<table:table-cell table:number-columns-repeated="{repeated}">{inside}</table:table-cell>'


@pytest.mark.parametrize(
    "rows",
    [
        _row(_cell("x", 2_000_000_000)),
        _row(_cell("x", 1000), 1_000_000),
        _row(_cell("x"), 2_000_000_000),
        _row(_cell(repeated=16_000) + _cell("x")),  # empty up to a cell far away
        _row(_cell(repeated=5), 1_000_000_000) + _row(_cell("x")),
        _row(_cell("x", 10**4000)),
    ],
)
def test_an_ods_that_repeats_without_end_is_refused_at_once(tmp_path: Path, rows: str) -> None:
    path = _ods(tmp_path / "a.ods", rows)
    with zipfile.ZipFile(path) as archive, pytest.raises(ImportRefused) as refused:
        check_workbook(path, archive)
    assert refused.value.text == "import.too_wide"


@pytest.mark.parametrize(
    "rows",
    [
        _row(_cell("x") + _cell(repeated=16_383)) + _row(_cell(repeated=16_384), 1_048_575),  # as offices do
        _row(_cell("x", 20), 500),
        _row('<table:table-cell table:number-columns-repeated="many"/>'),
    ],
)
def test_an_ods_as_offices_write_it_is_read(tmp_path: Path, rows: str) -> None:
    path = _ods(tmp_path / "a.ods", rows)
    with zipfile.ZipFile(path) as archive:
        check_workbook(path, archive)
