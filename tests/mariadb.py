"""A throw-away MariaDB for the tests: made on first use, shared by all test processes, then removed.

Where there is none, `MariaDB.available` is False and the tests that need one are skipped.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

import pymysql
from filelock import FileLock

_FOLDER_VARIABLE = "ADAPTER_TEST_MARIADB_FOLDER"  # from the first process to pytest-xdist's workers
_WAIT_SECONDS = 60.0


def _program(*names: str) -> str | None:
    return next((found for name in names if (found := shutil.which(name, path=_PATH))), None)


_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"))


class MariaDB:
    """Hands out databases. `owner` is the process that removes the server at the end."""

    def __init__(self) -> None:
        self._server = _program("mariadbd", "mysqld")
        self._install = _program("mariadb-install-db")
        self.owner = _FOLDER_VARIABLE not in os.environ
        if self.available and self.owner:
            os.environ[_FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="adapter-my-")
        self._folder = Path(os.environ.get(_FOLDER_VARIABLE, ""))

    @property
    def available(self) -> bool:
        """Whether there is a MariaDB to test on."""
        return bool(self._server and self._install)

    @property
    def socket(self) -> Path:
        """Where the server listens; nowhere else."""
        return self._folder / "s"

    def create(self, name: str) -> str:
        """A new, empty database; its URL. Dropped by `drop`."""
        self._start()
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        return f"mariadb://root@localhost/{name}?unix_socket={self.socket}"

    def drop(self, name: str) -> None:
        """Remove the database `name`."""
        self.execute(f"DROP DATABASE IF EXISTS {name}")

    def execute(self, *statements: str) -> None:
        """Run statements as the server's administrator."""
        with pymysql.connect(unix_socket=str(self.socket), user="root", autocommit=True) as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def stop(self) -> None:
        """Stop and remove what `_start` made, if this process owns it."""
        if not (self.owner and self.available):
            return
        if (self._folder / "ready").exists():
            with contextlib.suppress(pymysql.Error):
                self.execute("SHUTDOWN")
            self._gone()
        shutil.rmtree(self._folder, ignore_errors=True)
        os.environ.pop(_FOLDER_VARIABLE, None)

    def _gone(self) -> None:
        end = time.monotonic() + _WAIT_SECONDS
        while self.socket.exists() and time.monotonic() < end:
            time.sleep(0.05)

    def _start(self) -> None:
        with FileLock(self._folder / "lock"):
            if not (self._folder / "ready").exists():
                self._make()
                (self._folder / "ready").touch()

    def _make(self) -> None:
        who = self._who()
        data = self._folder / "data"
        with (self._folder / "out").open("wb") as output:
            server = self._launch(output, data, who)
        self._answers(server)

    def _launch(self, output: IO[bytes], data: Path, who: dict[str, object]) -> "subprocess.Popen[bytes]":
        common = ["--no-defaults", f"--datadir={data}", f"--tmpdir={self._folder}"]
        subprocess.run(
            [str(self._install), *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            check=True,
            **who,  # type: ignore[call-overload] # user and group are left out unless root
        )
        options = ["--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M"]
        return subprocess.Popen(
            [str(self._server), *common, f"--socket={self.socket}", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            start_new_session=True,
            **who,  # type: ignore[call-overload]
        )

    def _answers(self, server: "subprocess.Popen[bytes]") -> None:
        end = time.monotonic() + _WAIT_SECONDS
        while not self.socket.exists():  # it makes it when it is ready
            if time.monotonic() > end or server.poll() is not None:
                raise RuntimeError(f"MariaDB does not start:\n{(self._folder / 'out').read_text()}")
            time.sleep(0.1)
        server.returncode = 0  # it is not waited for: it ends on SHUTDOWN

    def _who(self) -> dict[str, object]:
        """Whom the server runs as: it refuses to be root."""
        if os.geteuid() != 0:
            return {}
        for name in ("mysql", "nobody"):
            try:
                found = pwd.getpwnam(name)
            except KeyError:
                continue
            os.chown(self._folder, found.pw_uid, found.pw_gid)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
        raise RuntimeError("MariaDB does not run as root, and there is no user 'mysql' or 'nobody'")
