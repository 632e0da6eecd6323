"""A slow or hostile database: nobody waits for it, it cannot be written to, and nothing is told of it."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from his import CHANGED, SOURCE, TABLES, engine_of, fill
from sqlalchemy import Engine, delete, select, text, update

from adapter.database import open_database, read_transaction, write_transaction
from adapter.errors import SourceError, SourceReplaced
from adapter.records.importing import importer
from adapter.records.importing.import_report import ImportReport
from adapter.records.sources.sql import changed_and_gone_rows, source_cursor
from adapter.records.tables import record
from adapter.texts import set_language

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
HOSPITALS = frozenset({"bv-tinh", "bv-trung-uong"})
VISITS, VALUES, PEOPLE = TABLES["Lượt khám"], TABLES["Chỉ số"], TABLES["Cán bộ"]


class Pull:
    """A store that reads from the sample's system."""

    def __init__(self, url: str, store: str, folder: Path) -> None:
        self.engine = engine_of(url)
        self.store: Engine = open_database(store)
        self.file = Path(shutil.copy(SOURCE, folder / "his.yaml"))

    def __call__(self, **options: Any) -> ImportReport:
        return importer.run_import(
            self.store,
            [self.file],
            max_deletions_percent=100,
            known_hospitals=HOSPITALS,
            now=NOW,
            rejects=self.file.with_name("his.rejects.yaml"),
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


def _made(url: str, store: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Pull:
    set_language("en")
    monkeypatch.setenv("HIS_URL", url)
    made = Pull(url, store, folder)
    with made.engine.begin() as connection:
        fill(connection)
    return made


@pytest.fixture
def pull(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Pull:
    return _made(f"sqlite:///{tmp_path / 'his.db'}", sqlite_url, tmp_path, monkeypatch)


def test_others_write_while_a_database_is_read(pull: Pull) -> None:
    """A result that a hospital pushes must not wait for somebody else's slow query."""
    file = pull.store.url.database
    wrote: list[str] = []

    def meanwhile(*_: object) -> None:
        if len(wrote) < 3:  # while reading; each from another connection, which does not wait
            with closing(sqlite3.connect(str(file), timeout=0)) as other, other:
                other.execute("UPDATE feed SET position = position + 1")
            wrote.append("x")

    assert pull(progress=meanwhile).kinds["visit"].created
    assert len(wrote) == 3


def test_an_import_that_was_overtaken_reads_again(pull: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows read before another import's are not written over it."""
    pull()
    reading = changed_and_gone_rows._SqlOrigin._read_all
    overtaken: list[int] = []

    def slowly(self: Any, told: Any) -> None:
        reading(self, told)
        overtaken.append(1)
        if len(overtaken) == 1:
            with pull.engine.begin() as connection:
                hour = CHANGED + timedelta(hours=5)
                mine = (VALUES.c.ma_lk == "CB-0001.K1") & (VALUES.c.ma_chi_so == "VS-HR")
                connection.execute(update(VALUES).where(mine).values(gia_tri="91", cap_nhat_luc=hour))
            pull()

    monkeypatch.setattr(changed_and_gone_rows._SqlOrigin, "_read_all", slowly)
    assert pull().changes == 0
    assert len(overtaken) == 3
    with read_transaction(pull.store) as connection:
        query = select(record.c.body).where(record.c.key == "CB-0001.K1/VS-HR")
        assert '"value":"91"' in connection.execute(query).scalar_one()


def test_one_that_is_overtaken_again_and_again_says_so(pull: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    pull()
    reading = changed_and_gone_rows._SqlOrigin._read_all

    def overtaken(self: Any, told: Any) -> None:
        reading(self, told)
        with write_transaction(pull.store) as connection:
            one = next(iter(source_cursor.load_cursors(connection).values()))
            later = one.read_at + timedelta(seconds=1)
            source_cursor.save_cursor(connection, type(one)(**{**_fields(one), "read_at": later}))

    monkeypatch.setattr(changed_and_gone_rows._SqlOrigin, "_read_all", overtaken)
    with pytest.raises(SourceReplaced, match="Import again"):
        pull()


def _fields(one: source_cursor.SourceCursor) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def test_keys_that_are_none_at_all_delete_nothing(pull: Pull) -> None:
    """An empty list of keys beside rows that were read is a mistake of the query, not a purge."""
    pull()
    before = pull.live("measurement")
    pull.edit(
        "SELECT ma_lk AS visit, ma_chi_so AS measure FROM chi_so",
        "SELECT NULL AS visit, 1 AS measure WHERE 0",
    )
    report = pull()
    assert pull.live("measurement") == before
    assert any("measurement" in line.casefold() or "result" in line.casefold() for line in report.warnings)


def test_numbers_as_keys_are_the_same_in_rows_and_in_lists_of_keys(
    postgres_url: str, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = _made(postgres_url, sqlite_url, tmp_path, monkeypatch)
    numbered = "SELECT CAST(row_number() OVER (ORDER BY ma) AS DECIMAL(12, 2)) AS ma_chan_doan"
    rest = "ma_cb AS cadre, ma_benh AS icd10, ten_benh AS text, ngay_ghi AS recorded_on FROM chan_doan"
    query = f"{numbered}, {rest}"
    written = pull.file.read_text("utf-8")
    start, end = written.index("  diagnosis:"), written.index("  procedure:")
    keys = f"SELECT ma_chan_doan FROM ({query}) AS q"  # noqa: S608 - nothing of it comes from outside
    kind = f'  diagnosis:\n    query: "{query}"\n    keys: "{keys}"\n    missing: keep\n'
    pull.file.write_text(written[:start] + kind + written[end:], "utf-8")
    assert pull().kinds["diagnosis"].created
    assert "1" in pull.live("diagnosis")
    assert pull().changes == 0


def test_text_in_another_encoding_is_never_told(pull: Pull) -> None:
    with pull.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE can_bo SET ho_ten = CAST(x'5068a16d205365637265740a' AS TEXT) WHERE ma_cb = 'CB-0001'"
            )
        )
    report = pull()
    assert report.kinds["cadre"].rejected == 1
    assert len(pull.live("cadre")) == 19
    assert "Secret" not in "".join(map(str, report.problems))


def test_a_query_with_more_statements_writes_nothing(
    postgres_url: str, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = _made(postgres_url, sqlite_url, tmp_path, monkeypatch)
    pull.edit(
        "SELECT ma FROM da_xoa WHERE bang = 'luot_kham'", "SELECT 1; COMMIT; DELETE FROM can_bo; COMMIT"
    )
    with pytest.raises(SourceError):
        pull()
    with pull.engine.begin() as connection:
        assert len(list(connection.execute(select(PEOPLE)))) == 23


def test_a_query_may_end_in_a_comment(pull: Pull) -> None:
    pull.edit("FROM chuyen_kham\n", "FROM chuyen_kham -- all of them\n")
    pull()
    with pull.engine.begin() as connection:
        connection.execute(delete(VISITS).where(VISITS.c.ma_lk == "none"))
    assert pull().changes == 0


def test_zero_dates_of_mariadb_are_none(
    mariadb_url: str, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = _made(mariadb_url, sqlite_url, tmp_path, monkeypatch)
    with pull.engine.begin() as connection:
        connection.execute(text("SET SESSION sql_mode = ''"))
        connection.execute(text("UPDATE can_bo SET ngay_mat = '0000-00-00' WHERE ngay_mat IS NULL"))
        connection.execute(
            text("UPDATE luot_kham SET cap_nhat_luc = '0000-00-00' WHERE ma_lk = 'CB-0001.K1'")
        )
        connection.execute(text("UPDATE luot_kham SET tg_ket_thuc = '0000-00-00' WHERE tg_ket_thuc IS NULL"))
    report = pull()
    assert not report.rejected, report.problems
    assert len(pull.live("cadre")) == 20
    assert pull().changes == 0


def test_the_rejects_of_a_source_file_are_a_folder_without_its_ending(pull: Pull) -> None:
    with pull.engine.begin() as connection:
        connection.execute(update(PEOPLE).where(PEOPLE.c.ma_cb == "CB-0001").values(gioi_tinh=7))
    assert pull().rejects == pull.file.with_name("his.rejects")
