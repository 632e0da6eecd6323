"""The database layer holds on both systems."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, inspect, select
from sqlalchemy.exc import IntegrityError

from adapter.database import UtcDateTime, migrate, open_database, read_transaction, write_transaction
from adapter.errors import SettingsError

tables = MetaData()
moment = Table("moment", tables, Column("id", Integer, primary_key=True), Column("at", UtcDateTime))


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
