"""A dump is put into a throw-away database of the same server, looked at, and dropped again: that it can be
read is no proof that it can be put back.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

__all__ = ["NotTried", "client_url", "restored_for_a_moment"]

_HOUR = 3600
_PREFIX = "adapter_restore_check_"


class NotTried(Exception):
    """It could not be tried; the word says why: `no-server`, `no-right`, `refused` by `pg_restore`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def client_url(url: str) -> tuple[str, dict[str, str]]:
    """A URL for PostgreSQL's own programs, without its password, and the environment that has that: others
    can read arguments.
    """
    parsed = make_url(url)
    environment = {**os.environ, "PGPASSWORD": str(parsed.password)} if parsed.password else dict(os.environ)
    # `set` would keep the password
    parts = {**parsed._asdict(), "drivername": "postgresql", "password": None}
    return URL.create(**parts).render_as_string(hide_password=False), environment


@contextmanager
def restored_for_a_moment(url: str, file: Path) -> Iterator[Engine]:
    """The dump as a database beside that of `url`, with a name that nothing else has. It holds everybody for
    that moment, and is dropped whatever happens. Raises NotTried.
    """
    if not url.startswith("postgresql"):
        raise NotTried("no-server")
    parsed = make_url(url).set(drivername="postgresql+psycopg")
    server = create_engine(parsed, isolation_level="AUTOCOMMIT", poolclass=NullPool, hide_parameters=True)
    name = _PREFIX + token_hex(8)
    try:
        _make(server, name)
        there = parsed.set(database=name)
        try:
            _restore(there.render_as_string(hide_password=False), file)
            engine = create_engine(there, poolclass=NullPool, hide_parameters=True)
            try:
                yield engine
            finally:
                engine.dispose()
        finally:
            with suppress(SQLAlchemyError), server.connect() as connection:
                connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
    finally:
        server.dispose()


def _make(server: Engine, name: str) -> None:
    try:
        connection = server.connect()
    except SQLAlchemyError as error:
        raise NotTried("no-server") from error
    with connection:
        try:
            connection.execute(text(f'CREATE DATABASE "{name}"'))
        except SQLAlchemyError as error:
            raise NotTried("no-right") from error


def _restore(url: str, file: Path) -> None:
    plain, environment = client_url(url)
    program = shutil.which("pg_restore") or "pg_restore"
    command = [
        program,
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
        "--no-password",
        f"--dbname={plain}",
    ]
    done = subprocess.run(  # noqa: S603 - the program is PostgreSQL's, the arguments are ours
        [*command, str(file)], env=environment, check=False, capture_output=True, timeout=_HOUR
    )
    if done.returncode:
        raise NotTried("refused")
