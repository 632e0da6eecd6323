"""A copy of the database while all goes on, whole and for this account alone."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from adapter import audit
from adapter.database import write_transaction
from adapter.errors import UsageError
from adapter.insights.trial_restore import client_url
from adapter.operations.operation import Operation, OperationContext

__all__ = ["BackupMade", "BackupPlan", "MakeBackup"]


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """What would be copied: `system` is `sqlite` or `postgresql`."""

    file: str
    system: str


@dataclass(frozen=True, slots=True)
class BackupMade:
    """What was written. The identity key is not in it, on purpose: whoever finds one has not the other."""

    file: str
    system: str
    bytes: int
    made_at: datetime
    identity_key: str


@dataclass(frozen=True)
class MakeBackup(Operation[BackupPlan, BackupMade]):
    """Write the database into a file that is not there yet. Nothing undoes it: delete the file."""

    name: ClassVar[str] = "database.backup"
    audited_as: ClassVar[tuple[str, ...]] = ("backup.made",)
    file: Path

    def look(self, context: OperationContext) -> BackupPlan:
        """Where it would be written. Raises UsageError where something is there already, or no program that
        can do it.
        """
        system = context.adapter.engine.dialect.name
        if self.file.exists() or self.file.is_symlink():
            raise UsageError("backup.exists", path=str(self.file))
        if system == "postgresql" and shutil.which("pg_dump") is None:
            raise UsageError("backup.no_pg_dump")
        return BackupPlan(str(self.file.absolute()), system)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> BackupMade:
        """Copy, check the copy, and only then give it its name."""
        unchanged()
        plan, part = self.look(context), self.file.with_name(f"{self.file.name}.part")
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            if plan.system == "sqlite":
                _copy_sqlite(context, part)
            else:
                _dump(context.adapter.settings.resolved_database_url, part)
            _to_disk(part)
            part.rename(self.file)
        finally:
            part.unlink(missing_ok=True)
        size, now = self.file.stat().st_size, context.clock()
        with write_transaction(context.adapter.engine) as connection:
            details = {"system": plan.system, "bytes": size}
            audit.append(connection, at=now, actor=context.by, action="backup.made", details=details)
        return BackupMade(plan.file, plan.system, size, now, context.adapter.settings.identity_key)


def _copy_sqlite(context: OperationContext, part: Path) -> None:
    """By SQLite's own backup, which sees one state whatever is written meanwhile. What was deleted is not
    copied: freed pages are left out.
    """
    source = context.adapter.engine.raw_connection()
    with closing(source), closing(sqlite3.connect(part, isolation_level=None)) as target:
        assert isinstance(source.driver_connection, sqlite3.Connection)  # noqa: S101 - the dialect says so
        source.driver_connection.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, where the source has three
        target.execute("VACUUM")
        [(said,), *_] = target.execute("PRAGMA integrity_check").fetchall()
    if said != "ok":
        raise UsageError("backup.not_whole", problem=said)


def _dump(url: str, part: Path) -> None:
    """By `pg_dump`, in its own format; the password goes by the environment, which others cannot read."""
    plain, environment = client_url(url)
    program = shutil.which("pg_dump") or "pg_dump"
    command = [
        program,
        "--format=custom",
        "--no-password",
        "--no-owner",
        f"--file={part}",
        f"--dbname={plain}",
    ]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        first = next((line.strip() for line in done.stderr.splitlines() if line.strip()), "-")
        raise UsageError("backup.not_dumped", problem=first)


def _to_disk(part: Path) -> None:
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
