"""A centre's one IT person at the command line: a slip in a workbook, two years in a row, and taking back."""

from pathlib import Path

import pytest
from openpyxl import load_workbook
from sample import SMALL

from adapter.testing import Centre
from adapter.testing.workbooks import Row, with_cells


@pytest.fixture
def synced(centre: Centre) -> Centre:
    """The sample is imported, and delivered at one hospital."""
    centre.start_hospital("bv-tinh")
    centre.run("import", str(SMALL))
    centre.run("sync", "bv-tinh")
    return centre


def _patients(centre: Centre) -> dict[str, str]:
    """Names of the people that the hospital holds, by the id of ours."""
    held = centre.hospital_view("bv-tinh").all("Patient")
    return {one["identifier"][0]["value"]: str(one.get("name")) for one in held}


def test_people_who_are_counted_anew_change_nothing_at_the_hospital(synced: Centre, tmp_path: Path) -> None:
    before = _patients(synced)
    keys = [str(row[0].value) for row in load_workbook(SMALL)["Cán bộ"].iter_rows(min_row=2)]
    following = dict(zip(keys, [*keys[1:], keys[0]], strict=True))

    def count_anew(sheet: str, row: Row) -> bool:
        if sheet == "Cán bộ":
            row["Mã cán bộ"] = following[row["Mã cán bộ"]]
        return True

    slipped = with_cells(SMALL, tmp_path / "slipped.xlsx", count_anew)
    done = synced.attempt("import", str(slipped))
    assert done.returncode == 1
    assert "--allow-other-people" in done.stderr
    assert synced.attempt("sync", "bv-tinh").returncode == 0
    assert _patients(synced) == before


def test_two_years_in_a_row_stand_beside_each_other(synced: Centre, tmp_path: Path) -> None:
    def last_year(sheet: str, row: Row) -> bool:
        for name, cell in row.items():
            if "Mã lượt khám" in name or (sheet != "Cán bộ" and name.startswith("Mã ") and "." in str(cell)):
                row[name] = f"25-{cell}" if cell else cell
            elif name in ("Bắt đầu", "Kết thúc"):
                row[name] = str(cell).replace("/2025", "/2024").replace("/2026", "/2025")
        return sheet in ("Cán bộ", "Lượt khám")

    before = synced.run_json("status")[0]["desired"]
    done = synced.attempt("import", str(with_cells(SMALL, tmp_path / "last.xlsx", last_year)), "--json")
    assert done.returncode == 0, done.stderr
    assert synced.attempt("sync", "bv-tinh").returncode == 0
    assert synced.run_json("status")[0]["desired"] > before


def test_a_wrong_workbook_is_taken_back_and_the_hospital_has_what_it_had(
    synced: Centre, tmp_path: Path
) -> None:
    before = _patients(synced)

    def rename(sheet: str, row: Row) -> bool:
        if sheet == "Cán bộ":
            row["Họ và tên"] = f"{row['Họ và tên']} Sai"
        return True

    wrong = with_cells(SMALL, tmp_path / "wrong.xlsx", rename)
    dry = synced.run("import", str(wrong), "--dry-run")
    assert " Sai" in dry
    synced.run("import", str(wrong))
    key = str(load_workbook(SMALL)["Cán bộ"]["A2"].value)
    [person] = synced.run_json("explain", key)
    assert [line["is_outdated"] for line in person["hospitals"] if line["hospital"] == "bv-tinh"] == [True]
    assert "an earlier version was sent" in " ".join(synced.run("explain", key).split())
    synced.run("sync", "bv-tinh")
    [person] = synced.run_json("explain", key)
    assert not any(line["is_outdated"] for line in person["hospitals"])
    assert any(" Sai" in name for name in _patients(synced).values())
    newest = synced.run_json("imports", "list")[0]
    assert newest["files"][0][0] == "wrong.xlsx"
    assert " Sai" in synced.run("imports", "show", str(newest["id"]))
    assert " Sai" in synced.run("imports", "undo", str(newest["id"]), "--dry-run")
    synced.run("imports", "undo", str(newest["id"]))
    synced.run("sync", "bv-tinh")
    assert _patients(synced) == before
    assert synced.attempt("imports", "undo", str(newest["id"])).returncode == 2


def test_one_number_in_two_people_is_a_problem_until_it_is_corrected(synced: Centre, tmp_path: Path) -> None:
    folder = tmp_path / "more"
    folder.mkdir()
    file = folder / "Cán bộ.csv"
    file.write_text(
        "Mã cán bộ,Họ và tên,Giới tính,Ngày sinh,Diện quản lý,Số CCCD,Số thẻ BHYT\n"
        "M-1,Lê Thị Một,Nữ,01/02/1960,T4,,DN4010198765432\n"
        "M-2,Lê Thị Hai,Nữ,01/02/1961,T4,,DN4010198765432\n",
        "utf-8",
    )
    done = synced.attempt("import", str(folder), "--partial")
    assert done.returncode == 0
    assert "adapter cadre doubles" in done.stderr
    found = synced.run_json("cadre", "doubles", code=1)
    assert [[side["key"] for side in one["sides"]] for one in found] == [["M-1", "M-2"]]
    assert "doubles" in [one["code"] for one in synced.run_json("status", "--problems", code=1)]


def test_who_takes_over_a_key_gets_nothing_of_whom_it_was(synced: Centre, tmp_path: Path) -> None:
    """Through the command line, to the hospital."""
    key = str(load_workbook(SMALL)["Cán bộ"]["A2"].value)

    def another(sheet: str, row: Row) -> bool:
        if sheet == "Cán bộ" and row["Mã cán bộ"] == key:
            row |= {
                "Họ và tên": "Người Khác Hẳn",
                "Ngày sinh": "07/07/1977",
                "Số CCCD": "",
                "Giới tính": "Nam",
            }
            return True
        return False

    file = str(with_cells(SMALL, tmp_path / "other.xlsx", another))
    for options in ((), ("--allow-other-people",)):
        done = synced.attempt("import", file, "--partial", *options)
        assert done.returncode == 1
    assert "--remove-former" in done.stderr
    synced.run("import", file, "--partial", "--remove-former")
    synced.run("sync", "bv-tinh")
    with synced.open() as adapter:
        assert [one.kind for one in adapter.records.of_cadre(key)] == ["cadre"]
        [lines] = adapter.ledger.entries("bv-tinh", [key]).values()
        assert {line.kind for line in lines if line.state == "delivered"} <= {"cadre"}
        assert {line.state for line in lines if line.kind != "cadre"} == {"retracted"}
