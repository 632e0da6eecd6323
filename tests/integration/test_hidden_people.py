"""T0 people in an import: what belongs to them, who is one of them, and what others' rows tell of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Engine, select

from adapter import audit
from adapter.cli.commands import import_records as command
from adapter.database import metadata
from adapter.errors import ImportRefused
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.store import RecordStore

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NAME, KEY, PHONE, CITIZEN, INSURANCE = (
    "Mạch Thị Bí Ẩn",
    "CB-0040",
    "0912345678",
    "001150012345",
    "GD4010123456789",
)
TITLES = {
    "cadres": "Key;Name;Sex;Date of birth;Tier;Position;Citizen id;Insurance number;Phone;Ghi chú riêng",
    "visits": "Key;Cadre key;Type;Started at;Reason;Conclusion",
    "measurements": "Visit key;Measure;Value;Measure name",
    "referrals": "Key;Cadre key;Hospital;Service;Ordered at;Reason",
}
SECRET = f"{KEY};{NAME};Nữ;02/09/1950;T0;Ủy viên;{CITIZEN};{INSURANCE};{PHONE};"
PLAIN = "CB-0001;Lê Văn Thường;Nam;05/03/1960;T5;Giám đốc sở;;;0987654321;"
TELLING = (NAME, "Mach Thi Bi An", "CB-0040", "CB 0040", PHONE, CITIZEN, INSURANCE, "104.77")


def folder(path: Path, sheets: Mapping[str, Sequence[str]]) -> Path:
    path.mkdir()
    for name, rows in sheets.items():
        (path / f"{name}.csv").write_text("\n".join([TITLES[name], *rows]) + "\n", "utf-8")
    return path


def imports(engine: Engine, path: Path, **options: Any) -> tuple[ImportReport, str]:
    """The report, and all that was said and written of it."""
    lines: list[Any] = []
    rejects = path.with_name(f"{path.name}.rejects")
    fixed: dict[str, Any] = {
        "max_deletions_percent": 100,
        "known_hospitals": frozenset({"bv-tinh"}),
        "now": NOW,
        "rejects": rejects,
        "on_problem": lines.append,
    }
    report = run_import(engine, [path], **fixed | options)
    out = Console(file=StringIO(), width=500)
    command._draw(out, report)
    assert isinstance(out.file, StringIO)
    written = "".join(file.read_text("utf-8-sig") for file in sorted(rejects.glob("*")))
    return report, "".join([*map(str, lines), *map(repr, lines), repr(report), out.file.getvalue(), written])


def stored(engine: Engine) -> str:
    with engine.connect() as connection:
        rows = [row for table in metadata.sorted_tables for row in connection.execute(select(table))]
    return repr(rows)


def keys(engine: Engine, kind: str) -> set[str]:
    return {record.key for record in RecordStore(engine).iterate(kind)}


def nothing_told(engine: Engine, said: str) -> None:
    everything = said + stored(engine)
    if engine.dialect.name == "sqlite":
        place = Path(str(engine.url.database)).parent
        found = b"".join(file.read_bytes() for file in place.glob("adapter.db*"))
        everything += found.decode("utf-8", "ignore")
    for telling in TELLING:
        assert telling not in everything, telling


SPELLINGS = ["CB 0040", "CB-OO40", "CB-040", "СВ-0040", "CB0040", "cb-0040", "CB-0041", "", "x" * 120]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_a_refused_visit_is_of_goes_the_same_way(engine: Engine, tmp_path: Path, spelling: str) -> None:
    sheets = {
        "cadres": [SECRET, PLAIN],
        "visits": [
            f"V40;{spelling};Khám định kỳ;202603150730;{NAME};",
            "V1;CB-0001;Khám định kỳ;202603150730;;",
        ],
        "measurements": ["V40;GLU;104.77;", "V40;;104.77;", "V1;GLU;5.1;"],
    }
    report, said = imports(engine, folder(tmp_path / "a", sheets))
    assert keys(engine, "visit") == {"V1"}
    assert keys(engine, "measurement") == {"V1/GLU"}
    assert report.rejects is None
    nothing_told(engine, said)


@pytest.mark.parametrize("visit", ["V-40", "V 4 0", "V44", "", "V４0"])
def test_a_measurement_of_no_visit_is_counted_alone(engine: Engine, tmp_path: Path, visit: str) -> None:
    sheets = {
        "cadres": [SECRET, PLAIN],
        "visits": [f"V40;{KEY};Khám định kỳ;202603150730;;", "V1;CB-0001;Khám định kỳ;202603150730;;"],
        "measurements": [f"{visit};GLU;104.77;", "V1;GLU;5.1;"],
    }
    report, said = imports(engine, folder(tmp_path / "a", sheets))
    assert report.rejects is None
    assert keys(engine, "measurement") == {"V1/GLU"}
    nothing_told(engine, said)


def test_without_t0_people_such_rows_are_in_the_rejects_file(engine: Engine, tmp_path: Path) -> None:
    sheets = {"cadres": [PLAIN], "visits": ["V9;CB-0009;Khám định kỳ;202603150730;đau lưng;"]}
    report, said = imports(engine, folder(tmp_path / "a", sheets))
    assert report.withheld == 0
    assert "đau lưng" in said


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    "other",
    [
        f"CB-0077;{NAME};Nữ;01/01/1951;T5;;{CITIZEN};;0900000001;",
        f"CB-0077;Mạch T. B. Ẩn;Nữ;02/09/1950;T4;;;{INSURANCE};0900000001;",
        f"CB-0077;Trần Khác;Nam;01/01/1951;T3;;{CITIZEN};;0900000001;",  # may be, or is a slip
        f"CB-0077;{NAME};Nữ;02/09/1950;T5;;;;0900000001;",
        f"{KEY};{NAME};Nữ;02/09/1950;T5;;;;;",
    ],
)
def test_who_shares_a_t0_persons_numbers_is_not_imported(
    engine: Engine, tmp_path: Path, other: str, *, before: bool
) -> None:
    rows = [other, SECRET, PLAIN] if before else [SECRET, PLAIN, other]
    sheets = {"cadres": rows, "visits": ["V77;CB-0077;Khám định kỳ;202603150730;;"]}
    report, said = imports(engine, folder(tmp_path / "a", sheets))
    assert keys(engine, "cadre") == {"CB-0001"}
    assert keys(engine, "visit") == set()
    assert report.rejects is None
    nothing_told(engine, said)


NOTES = [
    f"đi cùng bà {NAME}",
    "BN cùng phòng: MACH  THI BI AN",
    "Mach T B An gọi",
    "m.t.b. ẩn",
    "như CB-0040",
    "xem hồ sơ cb 0040",
    "СВ-0040",
    "gọi 0912.345.678",
    "+84 912 345 678",
    f"CCCD {CITIZEN[:3]} {CITIZEN[3:6]} {CITIZEN[6:]}",
    f"thẻ {INSURANCE}",
]


@pytest.mark.parametrize("note", NOTES)
@pytest.mark.parametrize("sheet", ["visits", "referrals", "measurements", "cadres", "unread"])
def test_what_tells_of_a_t0_person_in_anothers_row_is_held(
    engine: Engine, tmp_path: Path, sheet: str, note: str
) -> None:
    sheets = {
        "cadres": [PLAIN, "CB-0002;Vũ Thị Hai;Nữ;01/02/1961;T4;;;;;", SECRET],
        "visits": ["V1;CB-0001;Khám định kỳ;202603150730;;", "V2;CB-0002;Khám định kỳ;202603150730;;"],
        "measurements": ["V1;GLU;5.1;", "V2;GLU;5.2;"],
        "referrals": [],
    }
    more = {
        "visits": f"V3;CB-0001;Khám định kỳ;202603160730;;{note}",
        "referrals": f"R1;CB-0001;bv-tinh;XQ;202603150730;{note}",
        "measurements": f"V1;VS-HR;77;{note}",
        "cadres": f"CB-0003;Đỗ Ba;Nam;01/02/1961;T4;{note};;;;",
        "unread": f"CB-0003;Đỗ Ba;Nam;bad;T4;;;;;{note}",  # it would go into the rejects file as it is
    }
    sheets["cadres" if sheet == "unread" else sheet].insert(0, more[sheet])
    report, said = imports(engine, folder(tmp_path / "a", sheets))
    assert (report.withheld, report.rejected, report.rejects) == (1, 1, None)
    assert note not in said + stored(engine)
    assert keys(engine, "visit") == {"V1", "V2"}
    nothing_told(engine, said)


def test_anothers_phone_that_is_a_t0_persons_is_held(engine: Engine, tmp_path: Path) -> None:
    wife = f"CB-0005;Hồ Năm;Nam;01/02/1961;T4;;;;{PHONE};"
    report, said = imports(engine, folder(tmp_path / "a", {"cadres": [wife, SECRET, PLAIN]}))
    assert (report.withheld, keys(engine, "cadre")) == (1, {"CB-0001"})
    nothing_told(engine, said)


def test_a_namesake_is_in_the_record_with_texts_of_the_own_name(engine: Engine, tmp_path: Path) -> None:
    sheets = {
        "cadres": [f"CB-0006;{NAME};Nữ;07/07/1977;T5;;;;;", SECRET],
        "visits": [
            f"V6;CB-0006;Khám định kỳ;202603150730;bà {NAME};",
            f"V7;CB-0006;Khám định kỳ;202603150830;{PHONE};",
        ],
    }
    report, _ = imports(engine, folder(tmp_path / "a", sheets))
    assert (keys(engine, "cadre"), keys(engine, "visit")) == ({"CB-0006"}, {"V6"})
    assert report.withheld == 1


def test_words_like_any_other_hold_nobody_back(engine: Engine, tmp_path: Path) -> None:
    """A key that is a small number, a name of one syllable, a year as phone."""
    secret = "1;An;Nam;02/09/1950;T0;;;;;"
    sheets = {
        "cadres": [PLAIN, secret],
        "visits": ["V1;CB-0001;Khám định kỳ;202603150730;1 lần, ăn uống kém, an toàn;Loại 1"],
    }
    report, _ = imports(engine, folder(tmp_path / "a", sheets))
    assert (report.withheld, keys(engine, "visit")) == (0, {"V1"})


def test_a_file_named_after_a_t0_person_is_not_imported(engine: Engine, tmp_path: Path) -> None:
    path = folder(tmp_path / "a", {"cadres": [SECRET, PLAIN]})
    named = (path / "cadres.csv").rename(path / "cadres.csv")
    book = tmp_path / f"{NAME}.xlsx"
    from openpyxl import Workbook

    made = Workbook()
    page = made.active
    assert page is not None
    page.title = "Cadres"
    for line in named.read_text("utf-8").splitlines():
        page.append(line.split(";"))
    made.save(book)
    with pytest.raises(ImportRefused) as refused:
        run_import(engine, [book], max_deletions_percent=3, known_hospitals=frozenset(), now=NOW)
    assert "Mạch" not in str(refused.value)
    assert keys(engine, "cadre") == set()


def test_what_lasts_is_that_of_a_file_without_t0_rows(engine: Engine, tmp_path: Path) -> None:
    """Row numbers, counts and the audit are the same bytes as if the rows had not been there."""
    visits = ["V1;CB-0001;Khám định kỳ;202603150730;;", "V2;CB-0001;Khám định kỳ;202603160730;;"]
    secret = [f"V40;{KEY};Khám định kỳ;202603150730;;", "V41;cb 0040;Khám định kỳ;202603150730;;"]
    with_them = {"cadres": [SECRET, PLAIN], "visits": [secret[0], visits[0], secret[1], visits[1]]}
    imports(engine, folder(tmp_path / "a", with_them))
    lasting = {one.key: one.row for one in RecordStore(engine).stored_of_cadres(["CB-0001"])["CB-0001"]}
    assert lasting == {"CB-0001": 2, "V1": 2, "V2": 3}
    with engine.connect() as connection:
        details = connection.execute(select(audit.audit.c.details)).scalar_one()
    assert "refused" not in details
    assert "withheld" not in details
