"""`adapter import --look` and `--keep`, `adapter template`, as typed by a person."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from centre_states import CentreStates
from openpyxl import Workbook

from adapter.testing import Centre

PEOPLE = [
    ("DANH SÁCH CÁN BỘ",),
    ("Mã số cán bộ", "Họ và tên đệm", "Tên", "Phái", "Ngày tháng năm sinh", "Diện", "Quê quán"),
    ("A1", "Lê Văn", "An", "Nam", "05/03/1960", "T4", "Xã Một"),
    ("X1", "Người", "Ẩn", "Nam", "05/03/1950", "T0", "Xã Hai"),
    ("Tổng", 2),
]
RESULTS = [
    ("Mã BN", "Họ tên", "Ngày XN", "Đường máu", "Creatinin (µmol/L)", "AST", "Ghi chú"),
    ("A1", "Lê Văn An", "15/03/2026", "5,1", 88, 30, "nhịn ăn"),
]


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    centre_states.put_empty(tmp_path)
    made = Centre(tmp_path)
    yield made
    made.close()


def write(path: Path, sheets: dict[str, Any]) -> str:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(row)
    book.save(path)
    return path.name


def look(centre: Centre, *arguments: str, code: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(centre.run("import", *arguments, "--json", code=code))
    return found


def test_a_look_shows_each_column_and_imports_nothing(centre: Centre, tmp_path: Path) -> None:
    name = write(tmp_path / "people.xlsx", {"DS 2026": PEOPLE})
    [table] = look(centre, name, "--look")["tables"]
    assert (table["record"], table["asked"], table["header_rows"]) == ("cadre", True, [2])
    assert table["left_out"] == [5]
    columns = {one["column"]: one for one in table["columns"]}
    assert (columns["A"]["means"], columns["A"]["examples"]) == ("key", ["A1"])
    assert (columns["B"]["role"], columns["C"]["role"]) == ("name-part", "name-part")
    assert (columns["G"]["role"], columns["G"]["examples"]) == ("unknown", ["Xã Một"])
    drawn = centre.run("import", name, "--look", code=1)
    assert "call it Cadres" in drawn
    for hidden in ("X1", "Ẩn", "1950", "Xã Hai"):
        assert hidden not in json.dumps(table, ensure_ascii=False)
        assert hidden not in drawn


def test_a_look_shows_the_text_of_old_fonts_as_it_is_read(centre: Centre, tmp_path: Path) -> None:
    """A doubt between two encodings is settled by another sheet of the workbook, as an import does."""
    titles = ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "§Þa chØ")
    people = [
        titles,
        ("A1", "TrÇn ThÞ Hßa", "Nữ", "05/03/1960", "T4", "X· T©n Hßa"),
        ("X1", "NguyÔn V¨n MËt", "Nam", "05/03/1950", "T0", "X· T©n MËt"),
    ]
    name = write(tmp_path / "old.xlsx", {"Cán bộ": people})
    [table] = look(centre, name, "--look", code=0)["tables"]
    columns = {one["column"]: one for one in table["columns"]}
    assert columns["B"]["examples"] == ["Trần Thị Hòa"]
    assert columns["F"]["examples"] == ["Xã Tân Hòa"]
    assert columns["F"]["header"] == "Địa chỉ"
    assert {one["encoding"] for one in columns.values()} == {"", "TCVN3 (ABC)"}
    said = centre.run("import", name, "--look")
    assert "Trần Thị Hòa [TCVN3 (ABC)]" in said
    assert "MËt" not in said
    assert "Mật" not in said


def test_where_no_column_says_tiers_no_examples_say_who_it_is(centre: Centre, tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [
        ("Mã cán bộ", "Họ tên", "Loại", "Ngày khám", "Creatinin", "AST", "Ghi chú")
    ]
    rows.append(("X1", "Người Ẩn", "checkup", "15/03/2026", 88, 30, "của X1"))
    name = write(tmp_path / "a.xlsx", {"KQ": rows})
    [table] = look(centre, name, "--look")["tables"]
    assert table["form"] == "wide"
    shown = json.dumps(table, ensure_ascii=False)
    assert "X1" not in shown
    assert "Ẩn" not in shown
    assert '"88"' in shown


def test_a_kept_layout_is_used_for_the_next_file(centre: Centre, tmp_path: Path) -> None:
    people = write(tmp_path / "people.xlsx", {"DS 2026": PEOPLE})
    refused = centre.run("import", people, code=1)
    assert refused == ""
    kept = look(centre, people, "--keep", "danh-sach", code=0)
    assert kept["saved"].endswith("layouts/danh-sach.yaml")
    report = json.loads(centre.run("import", people, "--json"))
    assert report["kinds"]["cadre"]["created"] == 1
    other = write(tmp_path / "next.xlsx", {"Trang 7": [PEOPLE[1], *PEOPLE[2:4]]})
    assert json.loads(centre.run("import", other, "--json"))["kinds"]["cadre"]["unchanged"] == 1


def test_what_is_missing_is_said_though_the_layout_is_kept(centre: Centre, tmp_path: Path) -> None:
    rows = [("Mã cán bộ", "Họ và tên", "Sinh năm nào"), ("A1", "Lê Văn An", "1960")]
    wide = [("Mã BN", "Loại", "Ngày khám", "Creatinin", "Glucose"), ("A1", "checkup", "15/03/2026", 88, 5)]
    name = write(tmp_path / "p.xlsx", {"Cán bộ": rows, "Kết quả theo hàng": wide})
    said = centre.attempt("import", "--look", "--keep", "thieu", name)
    assert said.returncode == 1
    assert "Cán bộ, Kết quả theo hàng lacks required columns" in " ".join(said.stdout.split())
    assert "Date of birth" in said.stdout
    assert centre.attempt("import", name).returncode == 1
    kept = (tmp_path / "data" / "layouts" / "thieu.yaml").read_text("utf-8")
    assert '{header: "Mã BN", is: "-"}' in kept  # to be said by hand which column it is


def test_a_layout_is_edited_by_hand(centre: Centre, tmp_path: Path) -> None:
    centre.run("import", write(tmp_path / "p.xlsx", {"Cán bộ": PEOPLE}))
    name = write(tmp_path / "kq.xlsx", {"KQ tháng 3": RESULTS})
    layout = tmp_path / "data" / "layouts" / "benh-vien.yaml"
    layout.parent.mkdir(parents=True, exist_ok=True)
    layout.write_text(
        """
tables:
- sheet: KQ
  record: wide
  visit_type: Khám định kỳ
  columns:
  - {header: Mã BN, is: cadre}
  - {header: Họ tên, is: "-"}
  - {header: Ngày XN, is: started_at}
  - {header: Đường máu, is: BIO-GLUF, unit: mmol/L}
  - {header: Creatinin (µmol/L), is: BIO-CREA, unit: µmol/L}
  - {header: AST, is: BIO-AST}
  - {header: Ghi chú, is: "-"}
""",
        "utf-8",
    )
    report = json.loads(centre.run("import", name, "--json"))
    assert (report["kinds"]["visit"]["created"], report["kinds"]["measurement"]["created"]) == (1, 3)
    assert report["warnings"] == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("is: key", "is: keyy", "key"),
        ("is: key", "iss: key", "is"),
        ("record: cadre", "record: cadres", "cadre"),
        ("tables:", "table:", "tables"),
        ("tables:", "tables: [", "YAML"),
    ],
)
def test_a_layout_that_cannot_be_used_says_where(
    centre: Centre, tmp_path: Path, old: str, new: str, says: str
) -> None:
    people = write(tmp_path / "people.xlsx", {"DS 2026": PEOPLE})
    look(centre, people, "--keep", "a", code=0)
    layout = tmp_path / "data" / "layouts" / "a.yaml"
    text = layout.read_text("utf-8").replace('"', "")
    assert old in text
    layout.write_text(text.replace(old, new, 1), "utf-8")
    done = centre.attempt("import", people)
    assert done.returncode == 1
    assert "a.yaml" in done.stderr
    assert says in done.stderr


def test_a_layout_is_kept_once_and_under_a_plain_name(centre: Centre, tmp_path: Path) -> None:
    people = write(tmp_path / "people.xlsx", {"DS 2026": PEOPLE})
    centre.run("import", people, "--keep", "../a", code=2)
    centre.run("import", people, "--keep", "a")
    centre.run("import", people, "--keep", "a", code=2)


def test_the_wide_template_is_understood_column_by_column(centre: Centre, tmp_path: Path) -> None:
    from openpyxl import load_workbook

    for language, sheet in (("vi", "Kết quả theo hàng"), ("en", "Results by row")):
        name = f"{language}.xlsx"
        centre.run("--lang", language, "template", name, "--wide")
        book = load_workbook(tmp_path / name)
        codes = {row[0] for row in book.worksheets[-4].iter_rows(min_row=2, values_only=True)}
        assert "BIO-CREA" in codes
        tables = {one["sheet"]: one for one in look(centre, name, "--look", code=0)["tables"]}
        assert len(tables) == 7
        roles = [one["role"] for one in tables[sheet]["columns"]]
        assert roles.count("measure") > 100
        assert set(roles) == {"field", "person", "measure"}
        means = [one["means"] for one in tables[sheet]["columns"] if one["role"] == "measure"]
        assert len(set(means)) == len(means)
        assert set(means) <= codes


def merged_people(path: Path, kind: str) -> str:
    """A name under one header merged over two columns, and check-ups whose kind is worded as `kind`."""
    book = Workbook()
    people, results = book.worksheets[0], book.create_sheet("KQ khám")
    people.title = "DS cán bộ 2026"
    for row in (
        ("DANH SÁCH",),
        ("Mã số", "Họ và tên", None, "Phái", "Ngày sinh", "Diện"),
        ("A1", "Nguyễn Văn", "An", "Nam", "05/03/1960", "T4"),
    ):
        people.append(row)
    people.merge_cells("B2:C2")
    results.append(("Mã số", "Loại khám", "Ngày khám", "Mạch", "Creatinin", "AST"))
    results.append(("A1", kind, "15/03/2026", 70, 88, 30))
    book.save(path)
    return path.name


def test_a_kept_layout_keeps_the_whole_of_a_name_over_two_columns(centre: Centre, tmp_path: Path) -> None:
    name = merged_people(tmp_path / "a.xlsx", "checkup")
    look(centre, name, "--look", "--keep", "ours", code=0)
    roles = [one["role"] for one in look(centre, name, "--look", code=0)["tables"][0]["columns"]]
    assert roles.count("name-part") == 2
    assert "A1: Nguyễn Văn An" in centre.run("import", name, "--dry-run")


def test_a_visits_made_key_is_the_same_however_its_kind_is_worded(centre: Centre, tmp_path: Path) -> None:
    look(centre, merged_people(tmp_path / "a.xlsx", "checkup"), "--look", "--keep", "ours", code=0)
    centre.run("import", "a.xlsx")
    for kind in (
        "KSK định kỳ",
        "Khám định kỳ",
        "khám sức khỏe định kỳ",
        "Periodic check-up",
        "KSK",
        "Định kỳ",
    ):
        name = merged_people(tmp_path / "b.xlsx", kind)
        found = json.loads(centre.run("import", name, "--json"))["kinds"]
        assert found["visit"]["created"] == found["visit"]["deleted"] == 0, kind
        assert found["measurement"]["unchanged"] == 3


def test_what_changes_is_named_as_a_clerk_names_it(centre: Centre, tmp_path: Path) -> None:
    header = ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý", "Chức vụ", "Số CCCD")
    people = [(f"A{n}", f"Lê Văn {'ABCDEFG'[n]}", "Nam", "1960", "T4", "Giám đốc", "") for n in range(7)]
    write(tmp_path / "a.xlsx", {"Cán bộ": [header, *people]})
    added = centre.run("--lang", "vi", "import", "a.xlsx", "--dry-run")
    assert "Cán bộ mới: 7" in added
    assert "A6: Lê Văn G" in added, "a dry run names all who come"
    centre.run("import", "a.xlsx")
    retired = [(*one[:5], "Hưu trí", one[6]) for one in people]
    write(tmp_path / "a.xlsx", {"Cán bộ": [header, *retired]})
    assert "Cán bộ, Chức vụ: 7" in centre.run("--lang", "vi", "import", "a.xlsx", "--dry-run")
    assert "Cadres, Position: 7" in centre.run("import", "a.xlsx", "--dry-run")
    merged = centre.run("--lang", "vi", "cadre", "merge", "--dry-run", "A1", "A2")
    assert "khác nhau ở: Họ và tên." in merged


def test_a_refused_import_with_rejects_says_nothing_but_why(centre: Centre, tmp_path: Path) -> None:
    header = ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý")
    people = [(f"A{n}", f"Lê Văn {'ABCDEFG'[n]}", "Nam", "1960", "T4") for n in range(7)]
    write(tmp_path / "a.xlsx", {"Cán bộ": [header, *people]})
    centre.run("import", "a.xlsx")
    write(tmp_path / "a.xlsx", {"Cán bộ": [header, *people[:2], ("A2", "Lê", "?", "1960", "T4")]})
    done = subprocess.run(
        [sys.executable, "-c", "from adapter.cli import main; main()", "import", "a.xlsx"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "would delete" in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a.rejects.xlsx").exists()


def test_whose_results_by_row_are_is_said_before_they_come_in(centre: Centre, tmp_path: Path) -> None:
    """By a look, by a dry run, and of another list."""
    people = [
        ("Mã cán bộ", "Họ và tên", "Giới tính", "Ngày sinh", "Diện quản lý"),
        ("A1", "Lê Văn An", "Nam", "05/03/1960", "T4"),
    ]
    visits = [
        ("Mã lượt khám", "Mã cán bộ", "Loại", "Bắt đầu"),
        ("LK-1", "A1", "Khám định kỳ", "15/03/2026"),
    ]
    wide = [("Mã cán bộ", "Loại", "Bắt đầu", "Creatinin"), ("A1", "Khám định kỳ", "15/03/2026", 88)]
    named = [("Mã lượt khám", "Creatinin"), ("LK-1", 88)]
    everybody = write(tmp_path / "p.xlsx", {"Cán bộ": people, "Lượt khám": visits})
    results = write(tmp_path / "r.xlsx", {"Kết quả theo hàng": wide})
    said = centre.run("import", "--look", results)
    assert "A row without a visit key belongs to the visit" in " ".join(said.split())
    assert "without a visit key" not in centre.run(
        "import", "--look", write(tmp_path / "n.xlsx", {"Kết quả theo hàng": named})
    )
    centre.run("import", everybody)
    for list_name, found in (((), True), (("--from", "kh"), False)):
        if list_name:
            centre.run("import", write(tmp_path / "k.xlsx", {"Cán bộ": people}), *list_name)
        for arguments in (("--dry-run",), ()):
            done = json.loads(centre.run("import", results, *list_name, *arguments, "--json"))
            assert done["kinds"].get("visit", {"created": 0})["created"] == int(not found)
            assert any("LK-1" in line for line in done["warnings"]) is found
    with centre.open() as adapter:
        assert {one.key for one in adapter.records.iterate("visit")} == {"LK-1", "A1.checkup.20260315@kh"}
