"""The migrations make exactly the tables that the stores declare."""

import re
from importlib import import_module
from pathlib import Path

import filled  # noqa: F401 - whatever stores there are, their tables are declared
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import DatabaseError

from adapter.database import metadata, migrate, read_transaction, write_transaction
from adapter.migrations import versions
from adapter.records.tables import cadre_identifier


def test_the_migrated_schema_is_the_declared_one(engine: Engine) -> None:
    with read_transaction(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_each_version_follows_the_one_before_it_by_number() -> None:
    """As `migrate` takes the steps: a lower number that came later would never be taken."""
    folder = Path(versions.__file__).parent
    files = sorted(folder.glob("[0-9]*.py"))
    said = [dict(re.findall(r'^(revision|down_revision) = "(\d+)"', one.read_text(), re.M)) for one in files]
    assert [one["revision"] for one in said] == [one.name[:4] for one in files]
    assert [one["down_revision"] for one in said[1:]] == [one["revision"] for one in said[:-1]]


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    newest = max(path.name[:4] for path in Path(versions.__file__).parent.glob("[0-9]*.py"))
    with read_transaction(engine) as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [newest]


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_the_audit_cannot_be_changed(engine: Engine, statement: str) -> None:
    with write_transaction(engine) as connection:
        connection.execute(
            text(
                "INSERT INTO audit (seq, at, actor, action, details, previous, hash) "
                "VALUES (1, '2026-11-22 00:00:00+00:00', 'a', 'b', '{}', '', '')"
            )
        )
    with pytest.raises(DatabaseError, match="append-only"), write_transaction(engine) as connection:
        connection.execute(text(statement))


def test_cards_that_are_stored_are_found_by_their_ten_digits_after_the_migration(engine: Engine) -> None:
    stored = [
        ("DN4240123456789", "1"),
        ("HT2010123456789", "1"),
        ("0123456789", "2"),
        ("GD4010123456789", "2"),
        ("024060012345", "3"),
    ]
    (file,) = Path(versions.__file__).parent.glob("*_insurance_numbers.py")
    migration = import_module(f"{versions.__name__}.{file.stem}")
    with write_transaction(engine) as connection:
        connection.execute(insert(cadre_identifier), [{"value": v, "cadre": c} for v, c in stored])
        with Operations.context(MigrationContext.configure(connection)):
            migration.upgrade()
        rows = connection.execute(select(cadre_identifier.c.value, cadre_identifier.c.cadre))
        assert sorted(map(tuple, rows)) == sorted([*stored, ("0123456789", "1")])
