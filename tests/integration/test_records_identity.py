"""Whose data is whose: what an import may not do to people without being asked, and taking it back."""

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from adapter.database import read_transaction, write_transaction
from adapter.errors import ImportRefused, UsageError
from adapter.operations.operation import OperationContext
from adapter.operations.undo_import import UndoImport
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.planning import forget_expired
from adapter.records.doubles import shared_numbers
from adapter.records.importing.identity_checks import AllowedChanges, changed_identity
from adapter.records.importing.import_history import find_run, forget_changes, list_runs
from adapter.records.importing.import_report import ImportReport
from adapter.records.importing.importer import run_import
from adapter.records.importing.undo import changes_of_run, undo_run
from adapter.records.model import Cadre, Measurement, Record, Visit
from adapter.records.store import RecordStore
from adapter.records.tables import held_row, import_change, record, record_merge
from adapter.settings import Settings

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
NAMES = ("An", "Bình", "Cường", "Dung", "Em", "Phúc", "Giang", "Hà", "Ích", "Khánh")
Rows = Sequence[Mapping[str, str]]


def person(key: str, number: int, **cells: str) -> dict[str, str]:
    """A person who is known by `number`, whatever the key."""
    return {
        "Mã cán bộ": key,
        "Họ và tên": f"Trần Thị {NAMES[number % 10]}{'' if number < 10 else ' Hai'}",
        "Giới tính": "Nữ",
        "Ngày sinh": f"{1 + number % 28:02}/0{1 + number % 9}/{1950 + number % 40}",
        "Diện quản lý": "T4",
        "Số CCCD": f"0{10000000000 + number * 1111}",
        **cells,
    }


def visit(key: str, cadre: str, day: str, **cells: str) -> dict[str, str]:
    return {"Mã lượt khám": key, "Mã cán bộ": cadre, "Loại": "Khám định kỳ", "Bắt đầu": day, **cells}


def measured(visit_key: str, value: str, **cells: str) -> dict[str, str]:
    return {"Mã lượt khám": visit_key, "Mã chỉ số": "BIO-CREA", "Giá trị": value, **cells}


class Centre:
    """Imports folders of CSVs, a day after each other."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder, self.now = engine, folder, NOW
        self.records = RecordStore(engine)

    def take(self, sheets: Mapping[str, Rows], **how: Any) -> ImportReport:
        self.now += timedelta(days=1)
        folder = self.folder / f"{self.now:%d%m}"
        folder.mkdir()
        for title, rows in sheets.items():
            with (folder / f"{title}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list({name: None for row in rows for name in row}))
                writer.writeheader()
                writer.writerows(rows)
        how.setdefault("max_deletions_percent", 3)
        return run_import(self.engine, [folder], known_hospitals=frozenset({"bv"}), now=self.now, **how)

    def person(self, key: str) -> Cadre:
        found = self.records.get("cadre", key)
        assert isinstance(found, Cadre)
        return found

    def all(self, kind: str) -> dict[str, Record]:
        return {one.key: one for one in self.records.iterate(kind)}

    def everything(self) -> dict[str, dict[str, Record]]:
        return {kind: self.all(kind) for kind in ("cadre", "visit", "measurement")}


@pytest.fixture
def centre(engine: Engine, tmp_path: Path) -> Centre:
    return Centre(engine, tmp_path)


PEOPLE = [person(str(number + 1), number) for number in range(30)]
VISITS = [visit(f"V{number + 1}", str(number + 1), "05/03/2025") for number in range(30)]
VALUES = [measured(f"V{number + 1}", f"{80 + number}") for number in range(30)]
LAST_YEAR = {"Cán bộ": PEOPLE, "Lượt khám": VISITS, "Chỉ số": VALUES}

# -- a key that is another person's ---------------------------------------------------------------


def test_a_running_number_as_key_gives_nobody_anothers_results(centre: Centre) -> None:
    """One person is inserted on top, and everybody's number moves by one."""
    centre.take(LAST_YEAR)
    before = centre.everything()
    moved = [person("1", 99), *(person(str(number + 2), number) for number in range(30))]
    values = [measured(f"V{number + 2}", f"{80 + number}") for number in range(30)]
    visits = [visit(f"V{number + 2}", str(number + 2), "05/03/2025") for number in range(30)]
    with pytest.raises(ImportRefused) as refused:
        centre.take({"Cán bộ": moved, "Lượt khám": visits, "Chỉ số": values})
    assert refused.value.text == "import.too_many_strangers"
    assert refused.value.params == {"count": 30, "live": 30}  # and no name in what may be logged
    assert "Trần Thị Hà" not in str(refused.value)
    assert any("Trần Thị Hà" in line for line in refused.value.problems)
    assert centre.everything() == before


def test_one_key_that_changes_hands_is_refused_with_all_that_hangs_on_it(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    before = centre.everything()
    people = [person("7", 77), *(one for one in PEOPLE if one["Mã cán bộ"] != "7")]
    visits = [*VISITS, visit("V77", "7", "09/03/2025")]
    values = [
        *(one for one in VALUES if one["Mã lượt khám"] != "V7"),
        measured("V7", "400"),
        measured("V77", "9"),
    ]
    report = centre.take({"Cán bộ": people, "Lượt khám": visits, "Chỉ số": values})
    assert [(one.row, one.column) for one in report.problems] == [(2, "Họ và tên")]
    assert report.rejected == 1 + 2 + 2  # the person, both visits, a value of each
    assert centre.everything() == before


def test_it_is_let_through_by_saying_so(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    people = [person("7", 77), *(one for one in PEOPLE if one["Mã cán bộ"] != "7")]
    allowed = AllowedChanges(people=True, former=True)  # and what is stored of the former one goes
    report = centre.take({"Cán bộ": people}, allowed=allowed, partial=True)
    assert report.rejected == 0
    assert centre.person("7").name == "Trần Thị Hà Hai"


@pytest.mark.parametrize(
    ("cells", "other"),
    [
        ({"Số CCCD": "019999999999"}, ["national_id"]),
        ({"Họ và tên": "Lê Văn Tám", "Ngày sinh": "01/01/1999"}, ["name", "birth_date"]),
        ({"Họ và tên": "Lê Văn Tám", "Giới tính": "Nam"}, ["name", "sex"]),
        ({"Giới tính": "Nam", "Ngày sinh": "01/01/1999"}, ["sex", "birth_date"]),
        ({"Họ và tên": "Lê Văn Tám"}, []),  # names are corrected
        ({"Ngày sinh": "01/01/1999"}, []),
        ({"Giới tính": "Nam"}, []),
        ({"Họ và tên": "TRAN THI AN", "Ngày sinh": "01/01/1999"}, []),  # the same name, spelt otherwise
        ({"Số CCCD": ""}, []),
        ({"Họ và tên": "trần thị an", "Giới tính": "Nam"}, []),  # another case
        ({"Họ và tên": "Tran Thi An", "Giới tính": "Nam"}, []),  # accents
        ({"Họ và tên": "TRẦN  THỊ AN", "Ngày sinh": "1950"}, []),  # a year alone, the same
        ({"Ngày sinh": "1950", "Giới tính": "Nam"}, []),
        ({"Ngày sinh": "1951", "Giới tính": "Nam"}, ["sex", "birth_date"]),
        ({"Số thẻ BHYT": "DN4010198765432"}, []),  # a card that is renewed
        ({"Giới tính": "Không rõ", "Họ và tên": "Lê Văn Tám"}, []),
    ],
)
def test_what_makes_another_person(centre: Centre, cells: dict[str, str], other: list[str]) -> None:
    centre.take({"Cán bộ": PEOPLE})
    first = PEOPLE[0] | cells
    report = centre.take({"Cán bộ": [first, *PEOPLE[1:]]})
    assert report.rejected == bool(other)
    assert len(report.problems) == bool(other)
    if other:
        assert str(report.problems[0].params["was"]).count(";") == len({"name", *other}) - 1
        assert str(report.problems[0].params["was"]).startswith("Trần Thị An")


def test_a_year_alone_is_no_other_date() -> None:
    old = {"name": "Trần Thị An", "sex": "female", "birth_date": "1950-03-01"}
    assert not changed_identity(old, {"name": "Lê Tám", "sex": "female", "birth_date": "1950"})
    assert changed_identity(old, {"name": "Lê Tám", "sex": "female", "birth_date": "1951"})


def test_whoever_takes_over_a_key_takes_over_nothing_that_the_file_does_not_say(centre: Centre) -> None:
    """Least of all the consent of whom the key was."""
    private = {"Đồng ý chia sẻ": "HIV", "Điện thoại": "0912345678", "Dân tộc": "05"}
    centre.take({"Cán bộ": [PEOPLE[0] | private, *PEOPLE[1:]], "Lượt khám": VISITS})
    taken_over = [person("1", 77), *PEOPLE[1:]]
    centre.take({"Cán bộ": taken_over}, allowed=AllowedChanges(people=True, former=True), partial=True)
    found = centre.person("1")
    assert found.name == "Trần Thị Hà Hai"
    assert (found.consents, found.phone, found.ethnic_group) == ((), None, None)


def test_whoever_takes_over_a_key_gets_no_stored_value_for_a_cell_that_cannot_be_read(centre: Centre) -> None:
    centre.take({"Cán bộ": [PEOPLE[0] | {"Điện thoại": "0912345678"}, *PEOPLE[1:]]})
    taken_over = [person("1", 77) | {"Điện thoại": "không rõ"}, *PEOPLE[1:]]
    centre.take({"Cán bộ": taken_over}, allowed=AllowedChanges(people=True))
    assert centre.person("1").phone is None


def test_a_record_that_moves_brings_nothing_of_the_former_persons(centre: Centre) -> None:
    centre.take({**LAST_YEAR, "Lượt khám": [VISITS[0] | {"Kết luận": "riêng tư"}, *VISITS[1:]]})
    moved = [visit("V1", "2", "05/03/2025"), *VISITS[1:]]
    centre.take({"Cán bộ": PEOPLE, "Lượt khám": moved}, allowed=AllowedChanges(moves=True))
    found = centre.records.get("visit", "V1")
    assert isinstance(found, Visit)
    assert (found.cadre, found.conclusion) == ("2", None)


# -- visits that move --------------------------------------------------------------------------------


def test_visit_keys_that_start_again_overwrite_nothing(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    before = centre.everything()
    visits = [visit(f"V{number + 1}", str(30 - number), "06/03/2026") for number in range(30)]
    report = centre.take({"Cán bộ": PEOPLE, "Lượt khám": visits, "Chỉ số": VALUES})
    assert report.kinds["visit"].rejected == 30
    assert report.kinds["measurement"].waiting == 30
    assert centre.everything() == before
    assert {one.column for one in report.problems} == {"Mã lượt khám"}


def test_the_same_persons_visit_of_another_year_is_asked_about(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    visits = [visit("V1", "1", "06/03/2026"), *VISITS[1:]]
    report = centre.take({"Cán bộ": PEOPLE, "Lượt khám": visits, "Chỉ số": VALUES})
    assert [(one.column, one.params["was"]) for one in report.problems] == [("Bắt đầu", "2025")]
    report = centre.take(
        {"Cán bộ": PEOPLE, "Lượt khám": visits, "Chỉ số": VALUES}, allowed=AllowedChanges(moves=True)
    )
    assert report.rejected == 0
    assert _started(centre, "V1").year == 2026


@pytest.mark.parametrize(
    ("sheet", "kind", "first", "again"),
    [
        (
            "Chuyển khám",
            "referral",
            {
                "Mã phiếu": "P-01",
                "Bệnh viện": "bv",
                "Dịch vụ": "WORKUP-CARD",
                "Ngày chỉ định": "06/03/2025",
            },
            {"Ngày chỉ định": "06/03/2026"},
        ),
        (
            "Tiêm chủng",
            "immunization",
            {"Mã mũi tiêm": "T-01", "Mã vắc xin": "VX-FLU", "Ngày tiêm": "06/03/2025"},
            {"Ngày tiêm": "06/03/2026"},
        ),
        (
            "Chẩn đoán",
            "diagnosis",
            {"Mã chẩn đoán": "D-01", "ICD-10": "I10", "Ngày ghi nhận": "06/03/2025"},
            {"ICD-10": "E11", "Ngày ghi nhận": "06/03/2026"},
        ),
    ],
)
def test_keys_of_other_sheets_that_start_again_overwrite_nothing_either(
    centre: Centre, sheet: str, kind: str, first: dict[str, str], again: dict[str, str]
) -> None:
    row = {"Mã cán bộ": "1", **first}
    report = centre.take({"Cán bộ": PEOPLE, sheet: [row]})
    assert (report.kinds[kind].created, report.rejected) == (1, 0)
    before = centre.all(kind)
    report = centre.take({"Cán bộ": PEOPLE, sheet: [row | again]}, partial=True)
    assert report.kinds[kind].rejected == 1
    assert "--allow-moves" in str(report.groups[0])
    assert centre.all(kind) == before
    allowed = AllowedChanges(moves=True)
    report = centre.take({"Cán bộ": PEOPLE, sheet: [row | again]}, partial=True, allowed=allowed)
    assert report.kinds[kind].changed == 1


def test_a_new_year_with_keys_of_its_own_comes_in_and_last_year_stays(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    visits = [visit(f"26-{number + 1}", str(number + 1), "06/03/2026") for number in range(30)]
    values = [measured(f"26-{number + 1}", "90") for number in range(30)]
    report = centre.take({"Cán bộ": PEOPLE, "Lượt khám": visits, "Chỉ số": values})
    assert report.rejected == 0
    assert report.kinds["visit"].created == report.kinds["measurement"].created == 30
    assert report.kinds["visit"].deleted == report.kinds["measurement"].deleted == 0
    assert sum("30" in line and "are of years" in line for line in report.warnings) == 2
    assert len(centre.all("visit")) == len(centre.all("measurement")) == 60


def test_what_a_year_has_no_more_still_goes(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    report = centre.take(
        {"Cán bộ": PEOPLE, "Lượt khám": VISITS[:-1], "Chỉ số": VALUES[:-1]}, max_deletions_percent=5
    )
    assert report.kinds["visit"].deleted == report.kinds["measurement"].deleted == 1
    assert "V30" not in centre.all("visit")


def test_a_slip_in_one_year_makes_last_years_book_no_state_of_this_year(centre: Centre) -> None:
    """One visit of last year's book is dated this year: the book says nothing of this year's others."""
    slip = [*VISITS[:-1], VISITS[-1] | {"Bắt đầu": "05/03/2026"}]
    report = centre.take({"Cán bộ": PEOPLE, "Lượt khám": slip, "Chỉ số": VALUES})
    assert [line for line in report.warnings if "1 visits (rows 31) are of the year 2026" in line]
    assert report.kinds["visit"].created == 30
    new = [visit(f"26-{number + 1}", str(number + 1), "06/03/2026") for number in range(20)]
    values = [measured(f"26-{number + 1}", "90") for number in range(20)]
    centre.take({"Cán bộ": PEOPLE, "Lượt khám": new, "Chỉ số": values}, max_deletions_percent=5)
    again = centre.take({"Cán bộ": PEOPLE, "Lượt khám": slip, "Chỉ số": VALUES}, max_deletions_percent=1)
    assert again.kinds["visit"].deleted == again.kinds["measurement"].deleted == 0
    assert {one["Mã lượt khám"] for one in new} <= set(centre.all("visit"))


def test_values_alone_are_the_state_of_their_visits_years(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    new = [visit(f"26-{number + 1}", str(number + 1), "06/03/2026") for number in range(30)]
    values = [measured(f"26-{number + 1}", "90") for number in range(30)]
    centre.take({"Cán bộ": PEOPLE, "Lượt khám": new, "Chỉ số": values})
    report = centre.take({"Chỉ số": values[:-1]}, max_deletions_percent=5)
    assert report.kinds["measurement"].deleted == 1
    assert len(centre.all("measurement")) == 59


def test_a_sheet_of_which_nothing_can_be_read_deletes_nothing(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    spoiled = [one | {"Bắt đầu": "hôm qua", "Mã lượt khám": f"N-{one['Mã lượt khám']}"} for one in VISITS]
    report = centre.take({"Cán bộ": PEOPLE, "Lượt khám": spoiled}, max_deletions_percent=100)
    assert report.kinds["visit"].rejected == 30
    assert len(centre.all("visit")) == len(centre.all("measurement")) == 30


def _started(centre: Centre, key: str) -> datetime:
    found = centre.records.get("visit", key)
    assert isinstance(found, Visit)
    return found.started_at


# -- one number in two people ------------------------------------------------------------------------


def test_a_number_that_two_people_have_is_said_and_joins_nobody(centre: Centre) -> None:
    twin = person("X-1", 50) | {"Số CCCD": PEOPLE[0]["Số CCCD"]}
    card = {"Số thẻ BHYT": "DN4010112345678"}
    people = [*PEOPLE[:2], PEOPLE[2] | card, PEOPLE[3] | {"Số thẻ BHYT": "DN 4 01 01 12345678"}, twin]
    report = centre.take({"Cán bộ": people})
    assert report.rejected == 0
    said = [line for line in report.warnings if "adapter cadre doubles" in line]
    assert len(said) == 2
    with read_transaction(centre.engine) as connection:
        assert {one.cadres for one in shared_numbers(connection)} == {("1", "X-1"), ("3", "4")}
    centre.records.merges  # noqa: B018 - nobody was merged
    assert centre.records.merges.list() == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("DN4010112345678", "0112345678"),
        ("0112345678", "DN4010112345678"),
        ("0112345678", "0112345678"),
        ("DN4010112345678", "HT2790112345678"),
        ("DN4010112345678;GD4010187654321", "HC 4 01 01 12345678"),
    ],
)
def test_ten_digits_and_cards_meet_in_one_number_that_two_people_have(
    centre: Centre, first: str, second: str
) -> None:
    people = [PEOPLE[0] | {"Số thẻ BHYT": first}, PEOPLE[1] | {"Số thẻ BHYT": second}]
    report = centre.take({"Cán bộ": people})
    with read_transaction(centre.engine) as connection:
        (found,) = shared_numbers(connection)
    assert found.cadres == ("1", "2")
    assert found.ending == "5678"
    assert len([line for line in report.warnings if "adapter cadre doubles" in line]) == 1
    assert centre.records.cadres_by_identifier("TE1-99 0112345678") == ["1", "2"]


def test_two_lists_with_the_same_keys_stand_beside_each_other(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    others = [person(str(number + 1), number + 40) for number in range(9)] + [person("10", 5)]
    visits = [visit(f"V{number + 1}", str(number + 1), "05/03/2025") for number in range(10)]
    values = [measured(f"V{number + 1}", "300") for number in range(10)]
    theirs = {"Cán bộ": others, "Lượt khám": visits, "Chỉ số": values}
    report = centre.take(theirs, key_space="@nd")
    assert report.rejected == 0
    assert all(counts.deleted == 0 for counts in report.kinds.values())
    assert len(centre.all("cadre")) == len(centre.all("visit")) == len(centre.all("measurement")) == 40
    assert any("adapter cadre doubles" in line and "10@nd" in line for line in report.warnings)
    assert centre.records.merges.list() == []
    again = centre.take(LAST_YEAR)  # and neither deletes the other's
    assert again.changes == 0
    fewer = {title: rows[:-1] for title, rows in theirs.items()}
    left = centre.take(fewer, key_space="@nd", max_deletions_percent=100)
    assert left.kinds["cadre"].deleted == 1
    assert len(centre.all("cadre")) == 39


# -- a column that is not there, and one that is empty ------------------------------------------------


@pytest.mark.parametrize("partial", [False, True])
def test_a_column_that_is_not_there_says_nothing(centre: Centre, *, partial: bool) -> None:
    full = [one | {"Điện thoại": "0912345678", "Đồng ý chia sẻ": "HIV"} for one in PEOPLE]
    values = [one | {"Đơn vị": "umol/L", "Ngưỡng trên": "106"} for one in VALUES]
    centre.take({"Cán bộ": full, "Lượt khám": VISITS, "Chỉ số": values})
    bare = [{name: cell for name, cell in one.items() if name != "Số CCCD"} for one in PEOPLE]
    official = [one | {"Chức vụ": "Chuyên viên"} for one in bare]
    report = centre.take({"Cán bộ": official, "Lượt khám": VISITS, "Chỉ số": VALUES}, partial=partial)
    assert report.rejected == 0
    found = centre.person("1")
    assert (found.national_id, found.phone, found.consents) == (PEOPLE[0]["Số CCCD"], "0912345678", ("hiv",))
    assert found.position == "Chuyên viên"
    [value] = [one for one in centre.all("measurement").values() if one.key == "V1/BIO-CREA"]
    assert isinstance(value, Measurement)
    assert (value.unit, value.high) == ("umol/L", 106)
    assert report.kinds["measurement"].changed == 0


def test_an_empty_cell_clears(centre: Centre) -> None:
    centre.take({"Cán bộ": PEOPLE})
    report = centre.take({"Cán bộ": [PEOPLE[0] | {"Số CCCD": ""}, *PEOPLE[1:]]})
    assert report.rejected == 0
    assert centre.person("1").national_id is None


def test_a_column_that_is_emptied_for_many_is_asked_about(centre: Centre) -> None:
    centre.take({"Cán bộ": PEOPLE})
    emptied = [one | {"Số CCCD": ""} for one in PEOPLE]
    with pytest.raises(ImportRefused) as refused:
        centre.take({"Cán bộ": emptied})
    assert refused.value.text == "import.too_many_cleared"
    assert refused.value.params["column"] == "Số CCCD"
    assert centre.person("1").national_id
    report = centre.take({"Cán bộ": emptied}, allowed=AllowedChanges(clearing=True))
    assert report.rejected == 0
    assert centre.person("1").national_id is None


# -- what an import changed, and taking it back -------------------------------------------------------


def _change(centre: Centre) -> dict[str, dict[str, Record]]:
    """Last year, then an import that creates, changes, deletes; how it was between them."""
    centre.take(LAST_YEAR)
    before = centre.everything()
    people = [PEOPLE[0] | {"Họ và tên": "Trần Thị Anh"}, *PEOPLE[1:-1], person("new", 60)]
    visits = [*VISITS[:-1], visit("V-new", "new", "07/03/2025")]
    values = [measured("V1", "999"), *VALUES[1:-1], measured("V-new", "70")]
    centre.take({"Cán bộ": people, "Lượt khám": visits, "Chỉ số": values}, max_deletions_percent=10)
    return before


def test_an_import_is_shown_old_and_new_and_taken_back(centre: Centre) -> None:
    before = _change(centre)
    after = centre.everything()
    with read_transaction(centre.engine) as connection:
        newest, first = list_runs(connection)
        fields = {(one.kind, one.field): one for one in changes_of_run(connection, newest)}
    assert (newest.created, newest.changed, newest.deleted) == (3, 2, 3)
    assert (first.created, first.changed, first.deleted) == (90, 0, 0)
    assert fields["cadre", "name"].examples == (("1", "Trần Thị An", "Trần Thị Anh"),)
    assert fields["measurement", "value"].examples == (("V1/BIO-CREA", "80", "999"),)
    assert fields["cadre", "deleted"].count == 1

    assert _undo(centre, newest.id) == (5, 3, 0)
    assert centre.everything() == before
    with read_transaction(centre.engine) as connection:
        undoing = list_runs(connection)[0]
        assert undoing.undoes == newest.id
        undone = find_run(connection, newest.id)
        assert undone is not None
        assert undone.undone_by == undoing.id
    _undo(centre, undoing.id)  # as an import of its own it is taken back like any other
    assert centre.everything() == after


def test_what_was_changed_later_stays(centre: Centre) -> None:
    _change(centre)
    with read_transaction(centre.engine) as connection:
        run = list_runs(connection)[0].id
    centre.take({"Chỉ số": [measured("V1", "101"), measured("V-new", "71")]}, partial=True)
    restored, removed, left = _undo(centre, run)
    # The new visit and its person stay with the value that came later; so does the value that was corrected.
    assert (restored, removed, left) == (4, 0, 4)
    assert {"new"} <= centre.all("cadre").keys()
    kept = centre.records.get("measurement", "V1/BIO-CREA")
    assert isinstance(kept, Measurement)
    assert kept.value == "101"
    assert centre.person("1").name == "Trần Thị An"
    assert centre.person("30").name == PEOPLE[29]["Họ và tên"]


def test_what_came_to_hang_on_somebody_who_was_back_stays_with_them(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    fewer = {title: rows[:-1] for title, rows in LAST_YEAR.items()}
    centre.take(fewer, max_deletions_percent=10)
    centre.take(LAST_YEAR)  # the thirtieth is back
    with read_transaction(centre.engine) as connection:
        run = list_runs(connection)[0].id
    centre.take({"Lượt khám": [visit("V-later", "30", "07/04/2025")]}, partial=True)
    _undo(centre, run)
    assert "30" in centre.all("cadre")
    assert "V-later" in centre.all("visit")


def test_an_undoing_that_finds_nothing_leaves_the_import_as_it_was(centre: Centre) -> None:
    centre.take({"Cán bộ": PEOPLE})
    with read_transaction(centre.engine) as connection:
        run = list_runs(connection)[0].id
    centre.take({"Cán bộ": [one | {"Chức vụ": "Chuyên viên"} for one in PEOPLE]})
    assert _undo(centre, run) == (0, 0, 30)
    with read_transaction(centre.engine) as connection:
        known = find_run(connection, run)
    assert known is not None
    assert known.undone_by is None


def test_a_t0_persons_past_is_in_no_history(centre: Centre) -> None:
    _change(centre)
    secret = [PEOPLE[0] | {"Diện quản lý": "T0"}, *PEOPLE[1:]]
    centre.take({"Cán bộ": secret}, max_deletions_percent=100)
    with read_transaction(centre.engine) as connection:
        query = select(import_change.c.cadre, import_change.c.before)
        assert not [
            row
            for row in connection.execute(query)
            if row.cadre == "1" or PEOPLE[0]["Số CCCD"] in (row.before or "")
        ]


def test_a_dry_run_says_old_and_new_and_leaves_no_trace(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    changed = [PEOPLE[0] | {"Họ và tên": "Trần Thị Anh"}, *PEOPLE[1:], person("new", 60)]
    report = centre.take({"Cán bộ": changed}, dry_run=True)
    shown = {(one.kind, one.field): one.examples for one in report.field_changes}
    assert shown["cadre", "name"] == (("1", "Trần Thị An", "Trần Thị Anh"),)
    assert shown["cadre", "created"] == (("new", "", "Trần Thị An Hai"),)
    with read_transaction(centre.engine) as connection:
        assert len(list_runs(connection)) == 1


def test_an_import_that_changes_nothing_is_not_listed(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    centre.take(LAST_YEAR)
    with read_transaction(centre.engine) as connection:
        assert len(list_runs(connection)) == 1


def _undo(centre: Centre, number: int) -> tuple[int, int, int]:
    centre.now += timedelta(days=1)
    with write_transaction(centre.engine) as connection:
        run = find_run(connection, number)
        assert run is not None
        done = undo_run(connection, run, at=centre.now, by="cli:test")
    return done.restored, done.removed, done.left


# -- what is stored of whom a key was ------------------------------------------------------------------


TAKEN_OVER = [person("1", 77), *PEOPLE[1:]]


def test_what_is_stored_of_the_former_person_never_becomes_the_others(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    before = centre.everything()
    report = centre.take({"Cán bộ": TAKEN_OVER}, allowed=AllowedChanges(people=True))
    [told] = report.problems
    assert (told.row, told.column, told.text) == (2, "Mã cán bộ", "expect_no_former")
    assert (told.params["records"], told.params["held"]) == (2, 0)  # a visit and its value
    assert centre.everything() == before


def test_it_is_removed_by_saying_so_and_the_file_may_say_it_anew(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    allowed = AllowedChanges(people=True, former=True)
    visits = [visit("V1", "1", "05/03/2025"), *VISITS[1:]]
    report = centre.take({"Cán bộ": TAKEN_OVER, "Lượt khám": visits}, allowed=allowed, partial=True)
    assert report.rejected == 0
    assert centre.person("1").name == "Trần Thị Hà Hai"
    left = {(one.kind, one.key) for one in centre.records.of_cadre("1")}
    assert left == {("cadre", "1"), ("visit", "V1")}  # no value of the former one's visit


@pytest.mark.parametrize("what", ["result", "merge", "held"])
def test_what_a_person_must_move_stops_it(centre: Centre, what: str) -> None:
    centre.take({"Cán bộ": PEOPLE})
    with write_transaction(centre.engine) as connection:
        if what == "result":
            values = {"kind": "result", "key": "R-1", "cadre": "1", "body": "{}", "digest": "d"}
            connection.execute(record.insert().values(**values, position=1, deleted=False))
        elif what == "merge":
            values = {"loser": "2", "survivor": "1", "merged_at": NOW, "merged_by": "x"}
            connection.execute(record_merge.insert().values(**values))
        else:
            values = {"kind": "visit", "key": "V99", "cadre": "1", "state": "waiting"}
            values |= {"body": "{}", "digest": "d"}
            values |= {
                "cells": "[]",
                "findings": "[]",
                "source": "",
                "file_digest": "",
                "sheet": "",
                "row": 1,
            }
            connection.execute(held_row.insert().values(**values, held_at=NOW))
    for former in (False, True):
        report = centre.take({"Cán bộ": TAKEN_OVER}, allowed=AllowedChanges(people=True, former=former))
        stopped = what != "held" or not former
        assert report.rejected == stopped
        if stopped:
            assert report.problems[0].params["records"] == 0
    assert (centre.person("1").name == "Trần Thị Hà Hai") is (what == "held")


def test_taking_it_back_gives_the_former_person_everything_again(centre: Centre) -> None:
    centre.take(LAST_YEAR)
    before = centre.everything()
    centre.take({"Cán bộ": TAKEN_OVER}, allowed=AllowedChanges(people=True, former=True), partial=True)
    with read_transaction(centre.engine) as connection:
        newest = list_runs(connection)[0]
    assert _undo(centre, newest.id)[2] == 0
    assert centre.everything() == before


@pytest.mark.parametrize(
    ("old", "new", "another"),
    [
        ({"birth_date": "1950"}, {"birth_date": "1950-09-02", "sex": "male"}, False),
        ({"birth_date": "1950-09-02"}, {"birth_date": "1950", "sex": "male"}, False),
        ({"birth_date": "1950-09"}, {"birth_date": "1950-09-02", "sex": "male"}, False),
        ({"birth_date": "1950-09"}, {"birth_date": "1950-10", "sex": "male"}, True),
        ({}, {"national_id": "001150012345"}, False),  # a number is added
        ({"national_id": "001150012345"}, {}, False),
        ({"national_id": "011500123"}, {"national_id": "001150012345"}, False),  # the old card gave way
        ({"national_id": "011500123"}, {"national_id": "001150012345", "sex": "male"}, True),
        ({"national_id": "001150012345"}, {"national_id": "011500123"}, True),
        ({"national_id": "001150012345"}, {"national_id": "001150012346"}, True),
        ({"national_id": "001 150 012 345"}, {"national_id": "001150012345"}, False),
    ],
)
def test_what_is_corrected_is_no_other_person(
    old: dict[str, str], new: dict[str, str], *, another: bool
) -> None:
    person_ = {"name": "Trần Thị An", "sex": "female", "birth_date": "1950-03-01"}
    assert bool(changed_identity(person_ | old, {"name": "TRAN THI AN", "sex": "female"} | new)) is another


def test_what_an_import_held_goes_with_it_and_what_was_let_in_is_counted(centre: Centre) -> None:
    centre.take({"Cán bộ": PEOPLE})
    held = {"kind": "visit", "cadre": "1", "body": "{}", "digest": "d", "cells": "[]", "findings": "[]"}
    held |= {"source": "", "file_digest": "", "sheet": "", "row": 1}
    centre.take({"Lượt khám": VISITS}, partial=True)
    with write_transaction(centre.engine) as connection:
        states = {"V-waits": ("waiting", centre.now), "V2": ("released", centre.now)}
        states |= {"V-dropped": ("dropped", centre.now), "V-earlier": ("waiting", NOW)}
        for key, (state, at) in states.items():
            connection.execute(held_row.insert().values(**held, key=key, state=state, held_at=at))
        connection.execute(update(record).where(record.c.key == "V2").values(position=10_000))  # let in since
        run = list_runs(connection)[0]
    with write_transaction(centre.engine) as connection:
        done = undo_run(connection, run, at=centre.now + timedelta(hours=1), by="x")
    assert (done.held, done.released) == (1, 1)
    assert done.left >= 1
    with read_transaction(centre.engine) as connection:
        current = select(held_row.c.key).where(held_row.c.replaced_at.is_(None))
        kept = set(connection.execute(current).scalars())
    assert kept == {"V2", "V-dropped", "V-earlier"}


def test_old_imports_are_forgotten_and_say_so(centre: Centre, tmp_path: Path) -> None:
    centre.take({"Cán bộ": PEOPLE})
    centre.take({"Cán bộ": [one | {"Chức vụ": "Chuyên viên"} for one in PEOPLE]})
    first, second = NOW + timedelta(days=1), NOW + timedelta(days=2)
    assert forget_changes(centre.engine, first) == 0
    assert forget_changes(centre.engine, second + timedelta(seconds=1)) == 30
    with read_transaction(centre.engine) as connection:
        assert connection.execute(select(import_change)).all() == []
        newest = list_runs(connection)[0]
    assert newest.forgotten
    adapter = Adapter(Settings(database_url=f"sqlite:///{tmp_path / 'x.db'}"), centre.engine)
    with pytest.raises(UsageError, match="too old"):
        UndoImport(newest.id).perform(OperationContext(adapter, "x", lambda: NOW))
    assert forget_changes(centre.engine, second + timedelta(days=9)) == 0


def test_a_sync_forgets_them(centre: Centre, tmp_path: Path) -> None:
    centre.take({"Cán bộ": PEOPLE})
    centre.take({"Cán bộ": [one | {"Chức vụ": "Chuyên viên"} for one in PEOPLE]})
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'x.db'}", imports_days=30)
    forget_expired(Adapter(settings, centre.engine), "bv", NOW + timedelta(days=31))
    with read_transaction(centre.engine) as connection:
        assert len(connection.execute(select(import_change)).all()) == 30
    forget_expired(Adapter(settings, centre.engine), "bv", NOW + timedelta(days=33))
    with read_transaction(centre.engine) as connection:
        assert connection.execute(select(import_change)).all() == []
