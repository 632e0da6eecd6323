"""The database layer holds on both systems."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Boolean, Column, Engine, Integer, MetaData, String, Table, inspect, select
from sqlalchemy.exc import IntegrityError

from adapter.bulk_insert import insert_rows
from adapter.database import (
    UtcDateTime,
    is_one_of,
    migrate,
    open_database,
    read_transaction,
    refresh_statistics,
    write_transaction,
)
from adapter.errors import SettingsError

tables = MetaData()
moment = Table(
    "moment",
    tables,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime),
    Column("on", Boolean),
)
word = Table("word", tables, Column("text", String(99), primary_key=True))


def test_migrate_can_be_called_again(engine: Engine) -> None:
    before = set(inspect(engine).get_table_names())
    migrate(engine)
    assert set(inspect(engine).get_table_names()) == before
    assert "alembic_version" in before


def test_an_instant_comes_back_aware_and_equal(engine: Engine) -> None:
    tables.create_all(engine)
    at = datetime(2026, 3, 1, 8, 30, tzinfo=timezone(timedelta(hours=7)))
    with write_transaction(engine) as connection:
        connection.execute(moment.insert().values(id=1, at=at))
    with read_transaction(engine) as connection:
        found = connection.execute(select(moment.c.at)).scalar_one()
    assert found == at
    assert found.tzinfo == UTC


def test_an_instant_without_a_zone_is_refused(engine: Engine) -> None:
    tables.create_all(engine)
    with pytest.raises(Exception, match="time zone"), write_transaction(engine) as connection:
        connection.execute(moment.insert().values(id=1, at=datetime(2026, 3, 1)))  # noqa: DTZ001 - the point


def test_a_failed_write_leaves_nothing(engine: Engine) -> None:
    tables.create_all(engine)
    row = {"id": 1, "at": datetime.now(UTC)}
    with pytest.raises(IntegrityError), write_transaction(engine) as connection:
        connection.execute(moment.insert(), [row, row])
    with read_transaction(engine) as connection:
        assert connection.execute(select(moment)).all() == []


def test_many_rows_are_what_one_statement_each_would_have_written(engine: Engine) -> None:
    tables.create_all(engine)
    at = datetime(2026, 3, 1, 8, 30, tzinfo=timezone(timedelta(hours=7)))
    rows = [
        {"at": at, "id": 1, "on": True},
        {"on": None, "id": 2, "at": None},
        {"id": 3, "at": at, "on": False},
    ]
    with write_transaction(engine) as connection:
        insert_rows(connection, moment, [])
        insert_rows(connection, moment, rows)
    with read_transaction(engine) as connection:
        found = connection.execute(select(moment.c.id, moment.c.at, moment.c.on).order_by(moment.c.id)).all()
    assert [tuple(row) for row in found] == [(1, at, True), (2, None, None), (3, at, False)]


def test_many_texts_are_looked_for_as_they_are(engine: Engine) -> None:
    tables.create_all(engine)
    words = ["CB-1", "cb-1", "1", "1.0", "true", "null", 'a"b', "a\\b", "{a,b}", "", "Đỗ", "D\u0300"]
    with write_transaction(engine) as connection:
        insert_rows(connection, word, [{"text": one} for one in words])
        for wanted in ([], ["CB-1"], ["1"], ["TRUE", "a"], words, [f"x{n}" for n in range(40_000)]):
            query = select(word.c.text).where(is_one_of(connection, word.c.text, wanted))
            assert set(connection.execute(query).scalars()) == set(wanted) & set(words)


def test_postgresql_counts_the_rows_of_a_transaction_under_way(engine: Engine) -> None:
    """Else it plans for an empty table, and an import's time grows with the square of its rows."""
    tables.create_all(engine)
    with write_transaction(engine) as connection:
        insert_rows(connection, moment, [{"id": number} for number in range(500)])
        refresh_statistics(connection, moment)
        if engine.dialect.name == "postgresql":
            counted = "SELECT reltuples FROM pg_class WHERE relname = 'moment'"
            assert connection.exec_driver_sql(counted).scalar_one() == 500


def test_of_many_rows_none_is_written_with_an_instant_without_a_zone(engine: Engine) -> None:
    tables.create_all(engine)
    rows = [{"id": 1, "at": datetime.now(UTC)}, {"id": 2, "at": datetime(2026, 3, 1)}]  # noqa: DTZ001 - the point
    with pytest.raises(ValueError, match="time zone"), write_transaction(engine) as connection:
        insert_rows(connection, moment, rows)
    with read_transaction(engine) as connection:
        assert connection.execute(select(moment)).all() == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@host:port/name",
        "postgresql+psycopg://u:secret@[::1/name",
        "sqlite:/x",
        "mysql://h/n",
    ],
)
def test_a_malformed_url_is_said_in_words_that_quote_no_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_database(url)
    assert "database_url" in str(caught.value)
    assert "secret" not in str(caught.value)
