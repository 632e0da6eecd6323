"""Alembic's entry: runs the migrations in one transaction, on the engine handed over by `migrate`."""

from alembic import context
from sqlalchemy import text

from adapter.database import metadata, write

engine = context.config.attributes["engine"]

with write(engine) as connection:
    if connection.dialect.name == "postgresql":
        # Two processes that start together must not both create the tables.
        connection.execute(text("SELECT pg_advisory_xact_lock(727274)"))
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    context.run_migrations()
