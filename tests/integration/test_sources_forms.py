"""Check-up forms as a source: whose they are, what is read safely, what is refused."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from checkup_forms import document
from his import SAMPLE
from sqlalchemy import Engine, select

from adapter.database import open_database, read_transaction
from adapter.errors import ImportRefused, SourceError
from adapter.records.importing import importer
from adapter.records.importing.import_report import ImportReport
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.tables import record
from adapter.texts import set_language

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
FORM = (
    "<HO_SO_KSK><HANH_CHINH><MA_LK>{visit}</MA_LK><SO_CCCD>{citizen}</SO_CCCD><MA_THE_BHYT>{cards}</MA_THE_BHYT>"
    "<NGAY_KHAM>202610020800</NGAY_KHAM></HANH_CHINH>"
    "<KHAM_THE_LUC><HUYET_AP>120/80</HUYET_AP><CAN_NANG>62,5</CAN_NANG></KHAM_THE_LUC>"
    "<XET_NGHIEM><CHI_TIET><MA_DICH_VU>XN01</MA_DICH_VU><MA_CHI_SO>BIO-CREA</MA_CHI_SO>"
    "<GIA_TRI>75</GIA_TRI><DON_VI_DO>µmol/L</DON_VI_DO></CHI_TIET></XET_NGHIEM>"
    "<TIEN_SU><BAN_THAN><MA_BENH>I10;E11.9</MA_BENH></BAN_THAN></TIEN_SU>"
    "<KET_LUAN><PHAN_LOAI_SK>2</PHAN_LOAI_SK><HUONG_XU_TRI>2</HUONG_XU_TRI></KET_LUAN></HO_SO_KSK>\n"
)


def form(visit: str = "LK1", citizen: str = "024064104760", cards: str = "") -> str:
    return FORM.format(visit=visit, citizen=citizen, cards=cards)


@pytest.fixture
def store(sqlite_url: str) -> Engine:
    set_language("en")
    engine = open_database(sqlite_url)
    importer.run_import(
        engine, [SAMPLE / "Cán bộ.csv"], max_deletions_percent=3, known_hospitals=frozenset(), now=NOW
    )
    return engine


def load(store: Engine, file: Path, **options: object) -> ImportReport:
    return importer.run_import(
        store,
        [file],
        max_deletions_percent=3,
        known_hospitals=frozenset(),
        now=NOW,
        rejects=file.parent / "rejects",
        **options,  # type: ignore[arg-type]
    )


def bodies(store: Engine, kind: str) -> dict[str, str]:
    query = select(record.c.key, record.c.body).where(record.c.kind == kind, record.c.deleted.is_(False))
    with read_transaction(store) as connection:
        return {row.key: row.body for row in connection.execute(query)}


def written(folder: Path, content: bytes | str, name: str = "form.xml") -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def test_a_form_becomes_a_visit_with_its_values(store: Engine, tmp_path: Path) -> None:
    report = load(store, written(tmp_path, document(form())))
    assert not report.problems
    (visit,) = bodies(store, "visit").values()
    assert '"cadre":"CB-0001"' in visit
    assert '"started_at":"2026-10-02T08:00:00+07:00"' in visit
    assert '"advice":"follow-up","health_class":"II"' in visit
    values = bodies(store, "measurement")
    assert set(values) == {"LK1/VS-BP", "LK1/VS-WEIGHT", "LK1/BIO-CREA"}
    assert '"value":"62.5","unit":"kg"' in values["LK1/VS-WEIGHT"]
    assert not [word for word in ("low", "high", "flag", "taken_at") if f'"{word}"' in values["LK1/BIO-CREA"]]
    assert set(bodies(store, "diagnosis")) == {"LK1/TS/I10", "LK1/TS/E11.9"}


def test_importing_a_form_again_changes_nothing_and_another_deletes_nothing(
    store: Engine, tmp_path: Path
) -> None:
    first = written(tmp_path, document(form()))
    load(store, first)
    assert load(store, first).changes == 0
    load(store, written(tmp_path, document(form(visit="LK2")), "second.xml"))
    assert set(bodies(store, "visit")) == {"LK1", "LK2"}


@pytest.mark.parametrize(
    ("citizen", "cards"),
    [
        ("001099000001", ""),  # nobody
        ("022060120598", ""),  # a T0 person's, whom nobody knows here
        ("", ""),
        ("024064104760", "DN4241126790001"),  # two people's
    ],
)
def test_a_form_of_a_stranger_is_told_by_its_line_alone(
    store: Engine, tmp_path: Path, citizen: str, cards: str
) -> None:
    report = load(store, written(tmp_path, document(form(), form("LK2", citizen, cards))))
    assert set(bodies(store, "visit")) == {"LK1"}
    assert report.withheld == report.rejected == 6
    assert report.problem_count == 3  # the visit and two old diagnoses; what hangs on the visit goes with it
    assert {problem.row for problem in report.problems} == {4}
    assert not (tmp_path / "rejects").exists()
    said = "".join(map(str, report.problems))
    assert not citizen or citizen not in said


def test_several_cards_find_their_one_person(store: Engine, tmp_path: Path) -> None:
    load(store, written(tmp_path, document(form(citizen="", cards="HT3241443550005;027049144355"))))
    assert '"cadre":"CB-0006"' in bodies(store, "visit")["LK1"]


@pytest.mark.parametrize(
    "cards",
    [
        "1443550005",  # the social insurance number alone, as new cards and VssID show it
        "144 355 0005",
        "GD4241443550005",  # issued anew: another group and benefit
        "ht 3 01 1443550005",  # another province
        "HT1791443550005;0000000001",
    ],
)
def test_ten_digits_and_any_card_with_them_are_one_person(store: Engine, tmp_path: Path, cards: str) -> None:
    load(store, written(tmp_path, document(form(citizen="", cards=cards))))
    assert '"cadre":"CB-0006"' in bodies(store, "visit")["LK1"]


@pytest.mark.parametrize("cards", ["1443550006", "443550005", "11443550005", "HT1144355000", "14435500055"])
def test_other_digits_are_nobodys(store: Engine, tmp_path: Path, cards: str) -> None:
    load(store, written(tmp_path, document(form(citizen="", cards=cards))))
    assert bodies(store, "visit") == {}


def test_a_bad_value_costs_its_row_and_names_its_line(store: Engine, tmp_path: Path) -> None:
    assert "<NGAY_KHAM>" in form()
    broken = re.sub("<NGAY_KHAM>.*?<", "<NGAY_KHAM>hôm nọ<", form())
    report = load(store, written(tmp_path, document(form("LK0"), broken)))
    assert set(bodies(store, "visit")) == {"LK0"}
    assert report.problems[0].row == 4
    assert str(report.problems[0]).startswith("Sheet Visits, row 4, column Started at: ")
    assert (tmp_path / "rejects" / "Visits.csv").read_text("utf-8-sig").count("\n") == 2


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><DS>&b;</DS>'


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (BOMB, 1, "document type"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><DS/>', 1, "document type"),
        ('<?xml version="1.0" encoding="windows-1258"?><DS/>', 1, "windows-1258"),
        ('<?xml version="1.0"?>\n<DS>\n<A></B></DS>', 3, "mismatched tag"),
        ("<DS>\n" + "<A>" * 60, 2, "deeper"),
        ('<?xml version="1.0" encoding="UTF-8"?>\n<DS>\nHà</DS>'.encode("latin-1"), 3, "not UTF-8"),
        ("<DS></DS>", None, "HO_SO_KSK"),
        ("<DS>\n<HO_SO_KSK>" + "x" * 2_100_000 + "</HO_SO_KSK></DS>", 2, "more than"),
    ],
)
def test_what_is_not_safe_or_not_well_formed_is_refused_with_its_line(
    store: Engine, tmp_path: Path, content: str | bytes, line: int | None, said: str
) -> None:
    with pytest.raises(ImportRefused, match=said) as error:
        load(store, written(tmp_path, content))
    assert error.value.params.get("line") == line
    assert bodies(store, "visit") == {}


def test_a_province_names_its_own_elements(store: Engine, tmp_path: Path) -> None:
    own = tmp_path / "checkup.yaml"
    own.write_text(
        "checkup: PHIEU\nperson: {identifiers: [CCCD]}\nrecords:\n  visit:\n"
        "    - {key: SO, type: =checkup, started_at: NGAY}\n"
    )
    content = "<D><PHIEU><SO>7</SO><CCCD>024064104760</CCCD><NGAY>20261002</NGAY></PHIEU></D>"
    load(store, written(tmp_path, content), inputs=InputOptions(form=own))
    assert set(bodies(store, "visit")) == {"7"}


def test_a_wrong_form_is_told_with_its_line(store: Engine, tmp_path: Path) -> None:
    own = tmp_path / "checkup.yaml"
    own.write_text("checkup: A\nperson: {}\nrecords:\n  visit:\n    - key: SO\n      started: NGAY\n")
    with pytest.raises(SourceError, match=r"line 6: \"started\" .* started_at"):
        load(store, written(tmp_path, "<A/>"), inputs=InputOptions(form=own))


def test_a_folder_may_hold_forms_and_tables(store: Engine, tmp_path: Path) -> None:
    """Neither hides the other, and a folder that is called like a form is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    written(folder, form())
    (folder / "old.xml").mkdir()
    shutil.copy(SAMPLE / "Cán bộ.csv", folder)
    report = load(store, folder)
    assert report.kinds["visit"].created == 1
    assert report.kinds["cadre"].unchanged


@pytest.mark.parametrize("content", ["<HO_SO_KSK/>", '<HO_SO_KSK><HANH_CHINH MA_LK="LK1"/></HO_SO_KSK>'])
def test_a_check_up_that_says_nothing_is_told(store: Engine, tmp_path: Path, content: str) -> None:
    """One in attributes, or of other elements, must not be passed over in silence."""
    report = load(store, written(tmp_path, content))
    assert report.kinds["visit"].rejected == 1
    assert "key" in str(report.problems[0])


def _form_with(text: str, encoding: str = "UTF-8") -> bytes:
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n<DS_KSK>\n'
    return f"{head}<HO_SO_KSK><A>ê{text}</A></HO_SO_KSK></DS_KSK>".encode(encoding)


@pytest.mark.parametrize(
    ("content", "column", "said"),
    [
        (_form_with("HBV & HCV"), 20, "write &amp;"),
        (_form_with("HBV &"), 20, "write &amp;"),
        (_form_with("HBV & HCV", "UTF-16"), 20, "write &amp;"),
        (_form_with("<0,1"), 16, "write &lt;"),
        (_form_with("x < y"), 18, "write &lt;"),
        (_form_with("<B x='<'/>"), 22, "write &lt;"),
        (_form_with("<B x=1/>"), 21, "no quotation marks"),
        (_form_with("\x0b"), 16, "control character U+000B"),
        (_form_with("\x00"), 16, "control character U+0000"),
        (_form_with("\uffff"), 16, "control character U+FFFF"),
        (_form_with("<B x='1'y='2'/>"), 24, "not well-formed"),
        (_form_with("&nbsp;"), 16, "undefined entity"),
        (_form_with("</B>"), 18, "mismatched tag"),
        (_form_with("Hà").replace("Hà".encode(), "Hà".encode("latin-1")), 17, "not UTF-8"),
        (_form_with("&B").replace(b"B", "ê".encode("latin-1")), 17, "not UTF-8"),
        (_form_with("").partition("ê".encode())[0] + "ê".encode()[:1], 15, "not UTF-8"),
    ],
)
def test_what_is_not_well_formed_is_told_with_line_and_column_and_what_to_write(
    store: Engine, tmp_path: Path, content: bytes, column: int, said: str
) -> None:
    with pytest.raises(ImportRefused) as refused:
        load(store, written(tmp_path, content))
    assert f"line 3, column {column}: " in str(refused.value)
    assert said in str(refused.value)
    assert ("UTF-8" in str(refused.value)) == ("UTF-8" in said)


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("<DS>\n<A></B></DS>", 2, "thẻ đóng ở đây không khớp"),
        ("<DS>\n<A>", 2, "còn chưa đóng"),
        ("<DS>\n<A", 2, "còn chưa đóng"),
        ("", 1, "còn chưa đóng"),
        ("<DS>\n<A x='1' x='2'/></DS>", 2, "hai lần"),
        ("<DS/>\n<DS/>", 2, "sau phần tử ngoài cùng"),
        ("<DS>\n&nbsp;</DS>", 2, "viết chính ký tự ấy"),
    ],
)
def test_what_is_not_well_formed_is_told_in_vietnamese(
    store: Engine, tmp_path: Path, content: str, line: int, said: str
) -> None:
    with pytest.raises(ImportRefused) as refused:
        load(store, written(tmp_path, content))
    set_language("vi")
    try:
        words = str(refused.value)
    finally:
        set_language("en")
    assert f"dòng {line}, cột" in words
    assert said in words
    assert not re.search(r"\b(tag|element|token|attribute|entity)\b", words)


def test_the_fault_is_found_where_it_stands_far_behind_the_first_block(store: Engine, tmp_path: Path) -> None:
    filler = "<X/>\n" * 40_000
    content = document(filler + form().replace("BIO-CREA", "A & B"))
    with pytest.raises(ImportRefused, match=r"line 40003, column .*write &amp;"):
        load(store, written(tmp_path, content))


def _tests(*results: tuple[str, str, str]) -> str:
    rows = "".join(
        f"<CHI_TIET><MA_DICH_VU>XN01</MA_DICH_VU><MA_CHI_SO>{code}</MA_CHI_SO><TEN_CHI_SO>{name}</TEN_CHI_SO>"
        f"<GIA_TRI>{value}</GIA_TRI><DON_VI_DO>mmol/L</DON_VI_DO></CHI_TIET>"
        for code, name, value in results
    )
    return re.sub("<XET_NGHIEM>.*</XET_NGHIEM>", f"<XET_NGHIEM>{rows}</XET_NGHIEM>", form())


_GLUCOSE = {"LK1/BIO-GLU": "5.3", "LK1/BIO-GLU/2": "7.8"}


@pytest.mark.parametrize(
    ("results", "values"),
    [
        ([("BIO-GLU", "Glucose 7h", "5,3"), ("BIO-GLU", "Glucose 9h", "7,8")], _GLUCOSE),
        ([("BIO-GLU", "Glucose", "5,3"), ("BIO-GLU", "Glucose", "7,8")], _GLUCOSE),
        ([("BIO-GLU", "Glucose", "5,3"), ("BIO-K", "", "4"), ("BIO-GLU ", "", "7,8")], _GLUCOSE),
        ([("BIO-GLU", "", "5,3"), ("BIO-GLU", "", "5,3")], {"LK1/BIO-GLU": "5.3", "LK1/BIO-GLU/2": "5.3"}),
        (
            [("BIO-GLU", "", n) for n in "567"],
            {"LK1/BIO-GLU": "5", "LK1/BIO-GLU/2": "6", "LK1/BIO-GLU/3": "7"},
        ),
        ([("", "Natri", "140"), ("", "Kali", "4,1")], {"LK1/XN01": "140", "LK1/XN01/2": "4.1"}),
    ],
)
def test_a_test_that_stands_twice_in_a_check_up_is_two_results(
    store: Engine, tmp_path: Path, results: list[tuple[str, str, str]], values: dict[str, str]
) -> None:
    file = written(tmp_path, document(_tests(*results)))
    report = load(store, file)
    assert report.rejected == 0
    stored = bodies(store, "measurement")
    for key, value in values.items():
        assert f'"value":"{value}"' in stored[key]
    assert load(store, file).changes == 0


def test_the_same_test_of_two_check_ups_is_no_repetition(store: Engine, tmp_path: Path) -> None:
    report = load(store, written(tmp_path, document(form(), form("LK2"))))
    assert report.rejected == 0
    assert {key for key in bodies(store, "measurement") if "CREA" in key} == {"LK1/BIO-CREA", "LK2/BIO-CREA"}
