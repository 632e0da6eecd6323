"""A throw-away PostgreSQL for the tests: made on first use, shared by all test processes, then removed.

`ADAPTER_TEST_POSTGRES` (postgresql://USER@HOST/NAME, a role that may create databases) takes its
place. Without either, `Postgres.available` is False and store tests run on SQLite alone.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
from filelock import FileLock
from psycopg import sql

from adapter.database import migrate, open_database

URL_VARIABLE = "ADAPTER_TEST_POSTGRES"
_FOLDER_VARIABLE = "ADAPTER_TEST_POSTGRES_FOLDER"  # from the first process to pytest-xdist's workers
_WITH_STRATEGIES = 15_00_00  # the first version that is told how to copy a database
_FAST = (
    "fsync=off",  # the cluster is thrown away: only speed counts
    "full_page_writes=off",
    "max_connections=300",
    "shared_buffers=64MB",
    "autovacuum=off",  # it would go through each of thousands of databases that live for a second
    "wal_level=minimal",
    "max_wal_senders=0",
)


def _programs() -> Path | None:
    """The folder of initdb and pg_ctl: Debian's newest version, else the PATH's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class Postgres:
    """Hands out databases. `owner` is the process that removes the cluster at the end.

    With a `port` the cluster is this object's alone and listens on 127.0.0.1 too, for programs that do
    not speak over a Unix socket; it may be restarted, and loses no commit then. It counts its rows for the
    planner as any server does, or with `counts_rows`; a test's database does not live so long.
    """

    def __init__(self, port: int | None = None, *, counts_rows: bool = False) -> None:
        self.port = port
        self._counts_rows = counts_rows or port is not None
        self._given = os.environ.get(URL_VARIABLE) if port is None else None
        self._programs = _programs()
        self.owner = port is not None or _FOLDER_VARIABLE not in os.environ
        folder = os.environ.get(_FOLDER_VARIABLE, "")
        if self.available and self.owner:
            folder = tempfile.mkdtemp(prefix="adapter-pg-")
        if port is None and folder:
            os.environ[_FOLDER_VARIABLE] = folder
        self._folder = Path(folder)
        self._administrator: psycopg.Connection | None = None

    @staticmethod
    def installed() -> bool:
        """Whether one of its own can be made here."""
        return _programs() is not None

    @property
    def available(self) -> bool:
        """Whether there is a PostgreSQL to test on."""
        return bool(self._given or self._programs)

    def create(self, name: str, *, empty: bool = False, template: str | None = None) -> str:
        """A new database, migrated unless it is to be `empty`; its URL. Dropped by `drop`. `template` is the
        URL of another that nobody is connected to, of which it is to be a copy.
        """
        server, migrated = self._start()
        template = _name(template) if template else "template0" if empty else migrated
        administrator = self._connected()
        # To copy the files takes half of what it takes to copy page by page through the write-ahead log.
        how = "STRATEGY FILE_COPY" if administrator.info.server_version >= _WITH_STRATEGIES else ""
        administrator.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                sql.Identifier(name), sql.Identifier(template), sql.SQL(how)
            )
        )
        return _with_name(server, name)

    def drop(self, name: str) -> None:
        """Remove the database `name`, whoever is still connected."""
        self._connected().execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def _connected(self) -> psycopg.Connection:
        """A connection that makes and drops databases; it is kept for the next."""
        server, _ = self._start()
        if self._administrator is None or self._administrator.closed:
            self._administrator = psycopg.connect(_plain(server), autocommit=True)
        return self._administrator

    def _disconnect(self) -> None:
        if self._administrator is not None:
            self._administrator.close()
            self._administrator = None

    def stop(self) -> None:
        """Stop and remove what `_start` made, if this process owns it."""
        ready = self._folder / "ready"
        if self.owner and self._given and ready.exists():
            self.drop(ready.read_text().splitlines()[1])
        self._disconnect()
        if not (self.owner and self.available):
            return
        if ready.exists() and not self._given:
            self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)
        if self.port is None:
            os.environ.pop(_FOLDER_VARIABLE, None)

    def _start(self) -> tuple[str, str]:
        """URL of the server and name of the migrated template, starting and making them once."""
        ready = self._folder / "ready"
        if not ready.exists():
            with FileLock(self._folder / "lock"):
                if not ready.exists():
                    server = self._given or self._make_cluster()
                    template = f"adapter_{self._folder.name.removeprefix('adapter-pg-').lower()}"
                    _make_template(server, template)
                    written = self._folder / "ready.new"
                    written.write_text(f"{server}\n{template}\n")
                    written.rename(ready)
        server, template = ready.read_text().splitlines()
        return server, template

    def _make_cluster(self) -> str:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            os.chown(self._folder, *_unprivileged()[1:])
        data = self._folder / "data"
        self._run("initdb", "-D", str(data), "-U", "postgres", "-E", "UTF8", "-A", "trust", "--no-sync")
        self._serve()
        port = f"&port={self.port}" if self.port else ""
        return f"postgresql://postgres@/postgres?host={self._folder}{port}"

    def restart(self, mode: str) -> None:
        """Stop the server (`fast`: sessions are ended; `immediate`: as if it had crashed) and start it."""
        self._disconnect()
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", mode, "-w", "stop")
        self._serve()

    def _serve(self) -> None:
        own = (
            f"listen_addresses='{'127.0.0.1' if self.port else ''}'",
            f"port={self.port or 5432}",
            f"unix_socket_directories='{self._folder}'",
            f"synchronous_commit={'on' if self.port else 'off'}",
        )
        if self._counts_rows:  # its databases live and grow; uncounted, a search would try every pair
            own += ("autovacuum=on", "autovacuum_naptime=1s")
        options = " ".join(f"-c {option}" for option in (*_FAST, *own))
        data, log = str(self._folder / "data"), str(self._folder / "log")
        self._run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "-t", "60", "start")

    def _run(self, program: str, *arguments: str) -> None:
        assert self._programs is not None
        who: dict[str, object] = {}
        if os.geteuid() == 0:
            _, user, group = _unprivileged()
            who = {"user": user, "group": group, "extra_groups": []}
        output = self._folder / f"{program}.out"
        with output.open("wb") as stdout:  # not a pipe: the server would keep it open
            done = subprocess.run(
                [self._programs / program, *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.STDOUT,
                check=False,
                **who,  # type: ignore[call-overload]  # user and group are left out unless root
            )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{output.read_text()}")


def _unprivileged() -> tuple[str, int, int]:
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return name, found.pw_uid, found.pw_gid
    raise RuntimeError("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody'")


def _make_template(server: str, name: str) -> None:
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    engine = open_database(_with_name(server, name))
    migrate(engine)
    engine.dispose()


def _name(url: str) -> str:
    """The database's name in its URL."""
    return url.partition("?")[0].rpartition("/")[2]


def _plain(url: str) -> str:
    """What psycopg itself understands."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _with_name(server: str, name: str) -> str:
    """`server` with another database name."""
    before, mark, query = _plain(server).partition("?")
    base, _, _ = before.rpartition("/")
    return f"{base}/{name}{mark}{query}".replace("postgresql://", "postgresql+psycopg://", 1)
