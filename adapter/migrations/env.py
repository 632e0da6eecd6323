"""Alembic's entry: takes one step in one transaction, on the engine handed over by `migrate`."""

from alembic import context
from sqlalchemy import inspect, text

from adapter.database import metadata, write_transaction

engine = context.config.attributes["engine"]

with write_transaction(engine) as connection:
    if connection.dialect.name == "postgresql":
        # One process takes the steps. It waits for a table no longer than this: whoever comes after a
        # waiting ALTER TABLE waits too.
        connection.execute(text("SELECT pg_advisory_xact_lock(727274)"))
        connection.execute(text("SET LOCAL lock_timeout = '5s'"))
    has_version = inspect(connection).has_table("alembic_version")
    there = (
        connection.execute(text("SELECT version_num FROM alembic_version")).scalar() if has_version else None
    )
    if there is None or there < str(context.get_revision_argument()):  # else another process was quicker
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        context.run_migrations()
