"""A database as a source: what changed, what is gone, what is refused, and what is said of trouble."""

import gc
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from his import CHANGED, GONE, SOURCE, TABLES, engine_of, fill
from sqlalchemy import Engine, delete, select, text, update

from adapter.database import open_database, read_transaction
from adapter.errors import ImportRefused, SourceDisconnected, SourceError
from adapter.records.importing import importer
from adapter.records.importing.import_report import ImportReport
from adapter.records.sources.open_tabs import InputOptions
from adapter.records.sources.sql import source_cursor
from adapter.records.tables import record
from adapter.texts import set_language

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
VISITS, VALUES, PEOPLE = TABLES["Lượt khám"], TABLES["Chỉ số"], TABLES["Cán bộ"]
HOSPITALS = frozenset({"bv-tinh", "bv-trung-uong"})


class His:
    """A hospital information system and a store that reads from it."""

    def __init__(self, url: str, store: Engine, folder: Path) -> None:
        self.url = url
        self.engine = engine_of(url)
        self.store = store
        self.folder = folder
        self.file = Path(shutil.copy(SOURCE, folder / "his.yaml"))

    def write(self, *statements: Any) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement) if isinstance(statement, str) else statement)

    def pull(self, *, full: bool = False, **options: Any) -> ImportReport:
        return importer.run_import(
            self.store,
            [self.file],
            max_deletions_percent=options.pop("limit", 100),
            known_hospitals=options.pop("hospitals", HOSPITALS),
            now=NOW,
            rejects=self.folder / "his.rejects",
            inputs=InputOptions(full=full),
            **options,
        )

    def edit(self, before: str, after: str) -> None:
        written = self.file.read_text("utf-8")
        assert before in written
        self.file.write_text(written.replace(before, after, 1), "utf-8")

    def live(self, kind: str) -> set[str]:
        query = select(record.c.key).where(record.c.kind == kind, record.c.deleted.is_(False))
        with read_transaction(self.store) as connection:
            return set(connection.execute(query).scalars())

    def body(self, kind: str, key: str) -> str:
        query = select(record.c.body).where(record.c.kind == kind, record.c.key == key)
        with read_transaction(self.store) as connection:
            return str(connection.execute(query).scalar_one())


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def his(
    request: pytest.FixtureRequest, tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> His:
    set_language("en")
    system = request.param
    url = (
        f"sqlite:///{tmp_path / 'his.db'}" if system == "sqlite" else request.getfixturevalue(f"{system}_url")
    )
    monkeypatch.setenv("HIS_URL", url)
    made = His(url, open_database(sqlite_url), tmp_path)
    with made.engine.begin() as connection:
        fill(connection)
    return made


@pytest.fixture
def lite(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> His:
    """The same on SQLite alone, for what does not depend on the database."""
    url = f"sqlite:///{tmp_path / 'his.db'}"
    monkeypatch.setenv("HIS_URL", url)
    made = His(url, open_database(sqlite_url), tmp_path)
    with made.engine.begin() as connection:
        fill(connection)
    return made


def test_only_what_changed_is_read_again(his: His) -> None:
    first = his.pull()
    assert first.kinds["measurement"].created > 400
    his.write(
        update(VALUES)
        .where(VALUES.c.ma_lk == "CB-0001.K1", VALUES.c.ma_chi_so == "VS-HR")
        .values(gia_tri="88", cap_nhat_luc=CHANGED + timedelta(hours=5)),
    )
    assert his.pull().kinds["measurement"].changed == 1
    again = his.pull()
    assert again.changes == 0
    assert sum(vars(again.kinds["measurement"]).values()) == 1  # what the overlap reads again
    assert '"value":"88"' in his.body("measurement", "CB-0001.K1/VS-HR")


def test_what_commits_late_is_found_by_the_overlap(his: His) -> None:
    later = CHANGED + timedelta(hours=5)
    his.write(update(VISITS).where(VISITS.c.ma_lk == "CB-0001.K1").values(cap_nhat_luc=later))
    his.pull()
    late = {"ly_do": "Ghi muộn", "cap_nhat_luc": later - timedelta(minutes=7)}
    his.write(update(VISITS).where(VISITS.c.ma_lk == "CB-0002.K1").values(late))
    assert his.pull().kinds["visit"].changed == 1


def test_tombstones_by_a_query_and_by_all_keys(his: His) -> None:
    his.pull()
    his.write(
        delete(VISITS).where(VISITS.c.ma_lk == "CB-0002.N1"),
        GONE.insert().values(bang="luot_kham", ma="CB-0002.N1"),
        delete(VALUES).where(VALUES.c.ma_lk == "CB-0001.K1", VALUES.c.ma_chi_so == "VS-HR"),
    )
    report = his.pull()
    assert (report.kinds["visit"].deleted, report.kinds["measurement"].deleted) == (
        1,
        6,
    )  # five of that visit
    assert "CB-0002.N1" not in his.live("visit")
    assert "CB-0001.K1/VS-HR" not in his.live("measurement")
    assert his.pull().changes == 0


def test_the_guard_against_deletions_holds_for_keys_too(lite: His) -> None:
    lite.pull()
    before = lite.live("measurement")
    lite.write(delete(VALUES).where(VALUES.c.ma_lk.in_(["CB-0001.K1", "CB-0002.K1"])))
    with pytest.raises(ImportRefused):
        lite.pull(limit=3)
    assert lite.live("measurement") == before


def test_a_rejected_row_is_read_until_it_is_right(lite: His) -> None:
    trip = "bv-trung-uong"
    report = lite.pull(hospitals=frozenset({"bv-tinh"}))
    rejected = report.kinds["visit"].rejected
    assert rejected
    assert (lite.folder / "his.rejects" / "visit.csv").is_file()
    lite.write(update(VISITS).values(cap_nhat_luc=CHANGED + timedelta(days=3)).where(VISITS.c.loai != "x"))
    lite.write(update(VISITS).values(cap_nhat_luc=CHANGED).where(VISITS.c.benh_vien == trip))
    lite.pull(hospitals=frozenset({"bv-tinh"}))
    assert lite.pull().kinds["visit"].created == rejected  # nothing changed there but the settings here
    assert not (lite.folder / "his.rejects").exists()


def test_t0_is_refused_and_never_shown(his: His) -> None:
    change = CHANGED + timedelta(hours=9)
    his.write(update(VISITS).where(VISITS.c.ma_lk == "CB-0001.K1").values(cap_nhat_luc=change))
    seen: list[Any] = []
    report = his.pull(on_record=seen.append)
    assert report.refused_people == 3
    assert not {"CB-0003", "CB-0011", "CB-0020"} & his.live("cadre")
    assert not [one for one in seen if "CB-0003" in one.model_dump_json()]
    value = {"ma_lk": "CB-0003.K1", "ma_chi_so": "VS-HR", "gia_tri": "77", "cap_nhat_luc": change}
    his.write(VALUES.insert().values(value))
    report = his.pull()
    # Their visit was not read this time, so they are strangers; nothing is said of them.
    assert report.withheld == report.rejected > 0
    assert not (his.folder / "his.rejects").exists()
    assert not [problem for problem in report.problems if problem.value or "CB-0003" in str(problem)]


def test_who_becomes_t0_is_erased_and_who_ceases_has_his_past(his: His) -> None:
    his.pull()
    before = his.live("measurement")
    his.write(update(PEOPLE).where(PEOPLE.c.ma_cb == "CB-0001").values(dien="T0"))
    assert his.pull().scrubbed > 30
    assert not [key for key in his.live("measurement") if key.startswith("CB-0001")]
    his.write(update(PEOPLE).where(PEOPLE.c.ma_cb == "CB-0001").values(dien="T4"))
    his.pull()
    assert his.live("measurement") == before


def test_another_query_or_full_reads_everything(lite: His) -> None:
    lite.pull()
    count = lambda report: sum(vars(report.kinds["visit"]).values())  # noqa: E731
    lite.write(
        update(VISITS).where(VISITS.c.ma_lk == "CB-0001.K1").values(cap_nhat_luc=CHANGED + timedelta(1))
    )
    lite.pull()
    assert count(lite.pull()) == 1
    assert count(lite.pull(full=True)) > 30
    lite.edit("FROM luot_kham", "FROM luot_kham WHERE 1 = 1")
    assert count(lite.pull()) > 30


def test_a_source_deletes_only_what_is_its_own(lite: His) -> None:
    importer.run_import(
        lite.store,
        [Path("fixtures/sample/small.xlsx")],
        max_deletions_percent=3,
        known_hospitals=HOSPITALS,
        now=NOW,
    )
    theirs = lite.live("diagnosis")
    lite.write(TABLES["Chẩn đoán"].delete().where(TABLES["Chẩn đoán"].c.ma == "CB-0004.B2"))
    assert lite.pull().changes == 0
    assert lite.live("diagnosis") == theirs  # the workbook's; the rest is the source's from now on
    lite.write(TABLES["Chẩn đoán"].delete().where(TABLES["Chẩn đoán"].c.ma == "CB-0005.B2"))
    assert lite.pull().changes == 1
    assert theirs - lite.live("diagnosis") == {"CB-0005.B2"}


def test_a_dry_run_leaves_no_trace(lite: His) -> None:
    assert lite.pull(dry_run=True).kinds["cadre"].created == 20
    assert lite.live("cadre") == set()
    with read_transaction(lite.store) as connection:
        assert source_cursor.load_cursors(connection) == {}


def test_times_of_another_zone_become_viet_nams(his: His) -> None:
    his.edit("time_zone: Asia/Ho_Chi_Minh", "time_zone: UTC")
    his.pull()
    assert '"started_at":"2026-10-02T15:00:00+07:00"' in his.body("visit", "CB-0001.K1")
    assert '"birth_date":"1964-10-23"' in his.body("cadre", "CB-0001")


def test_nothing_can_be_written_through_a_source(his: His) -> None:
    his.edit("SELECT ma FROM da_xoa WHERE bang = 'luot_kham'", "DELETE FROM da_xoa")
    with pytest.raises(SourceError):
        his.pull()
    assert his.live("cadre") == set()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("FROM can_bo", "FROM can_bos", "can_bos"),
        ("ho_ten AS name", "ho_tenn AS name", "ho_tenn"),
        ("FROM can_bo", "FORM can_bo", "FORM|can_bo"),
    ],
)
def test_a_wrong_query_is_said_in_the_databases_words(his: His, before: str, after: str, said: str) -> None:
    his.edit(before, after)
    with pytest.raises(SourceError, match=said) as error:
        his.pull()
    assert "Phạm" not in str(error.value)


def test_a_value_is_never_in_what_is_said(
    postgres_url: str, lite: His, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors that depend on data are not quoted, since they quote the data."""
    with engine_of(postgres_url).begin() as connection:
        fill(connection)
    monkeypatch.setenv("HIS_URL", postgres_url)
    lite.edit("ho_ten AS name", "CAST(ho_ten AS INTEGER) AS name")
    with pytest.raises(SourceError, match="InvalidTextRepresentation") as error:
        lite.pull()
    assert "Phạm" not in str(error.value)


def test_wrong_passwords_and_silent_servers(lite: His, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIS_URL", "postgresql://nobody:secret-word@127.0.0.1:1/none")
    with pytest.raises(SourceDisconnected) as lost:
        lite.pull()
    assert "secret-word" not in str(lost.value)
    monkeypatch.setenv("HIS_URL", "mariadb://nobody:secret-word@127.0.0.1:1/none")
    with pytest.raises(SourceDisconnected):
        lite.pull()
    monkeypatch.setenv("HIS_URL", "sqlite:///not-there.db")
    with pytest.raises(SourceError):
        lite.pull()
    monkeypatch.setenv("HIS_URL", "secret-word")
    with pytest.raises(SourceError) as wrong:
        lite.pull()
    assert "secret-word" not in str(wrong.value)


def test_a_refused_password_is_not_tried_again(
    mariadb_url: str, lite: His, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIS_URL", mariadb_url.replace("root@", "root:wrong@"))
    with pytest.raises(SourceError, match="refuses the account") as error:
        lite.pull()
    assert not isinstance(error.value, SourceDisconnected)


# psycopg complains of a cursor that cannot be closed any more.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_lost_connection_reads_all_again(
    postgres_url: str, lite: His, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(postgres_url)
    with engine.begin() as connection:
        fill(connection)
    monkeypatch.setenv("HIS_URL", postgres_url)
    cut: list[int] = []

    def cut_once(*_: int) -> None:
        cut.append(1)
        if len(cut) == 2:  # the people and the visits are read
            with engine.begin() as connection:
                others = (
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                )
                connection.execute(text(f"{others} AND datname = current_database()"))

    report = lite.pull(progress=cut_once)
    assert len(cut) > 10
    assert report.kinds["measurement"].created > 400
    assert len(lite.live("cadre")) == 20
    gc.collect()  # the complaint is of this test, not of the one that the collector happens to run in


def test_a_query_that_takes_too_long_is_ended(his: His) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900000000)"
    endless = f"{numbers} SELECT COUNT(*) FROM n"  # noqa: S608 - nothing of it comes from outside
    if his.url.startswith("mariadb"):
        endless = "SELECT SLEEP(60)"
    his.edit("timeout_seconds: 300", "timeout_seconds: 1")
    his.edit("SELECT ma FROM da_xoa WHERE bang = 'luot_kham'", endless)
    with pytest.raises(SourceError, match="longer than 1 seconds"):
        his.pull()


def test_a_source_file_says_every_mistake_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "his.yaml"
    file.write_text(
        "source: HIS\nconnection: postgresql://u:pw@h/d\ntime_zone: Hanoi\nqueries:\n  visits: SELECT 1\n"
        "overlap: 3\n"
    )
    with pytest.raises(SourceError) as error:
        importer.run_import(
            open_database("sqlite://"), [file], max_deletions_percent=3, known_hospitals=HOSPITALS, now=NOW
        )
    lines = [line.split(":")[1] for line in error.value.problems]
    assert lines == ["1", "2", "3", "4", "6"]
    assert "visit" in error.value.problems[3]
    assert "pw@" not in str(error.value) + "".join(error.value.problems)
