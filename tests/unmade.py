"""Databases before any migration."""

from pathlib import Path

from sqlalchemy import Engine, text

from adapter.database import open_database


def emptied(url: str) -> Engine:
    """The database of that URL without any table."""
    engine = open_database(url)
    if engine.dialect.name == "sqlite":
        engine.dispose()
        Path(url.removeprefix("sqlite:///")).unlink()
    else:
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    return engine
