"""What is in a backup, and whether it can be put back: read, and never written to. The database in use is not
opened: it may be the one that was lost.
"""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from adapter import audit
from adapter.database import known_versions, read_transaction
from adapter.errors import AdapterError, UsageError
from adapter.fhir.identity import IdentityFactory
from adapter.insights.trial_restore import NotTried, restored_for_a_moment
from adapter.pipeline.mapping_loading import load_mappings
from adapter.pipeline.remembered_head import AuditKey
from adapter.settings import Settings
from adapter.texts import say

__all__ = ["BackupReport", "report_backup"]

_SQLITE, _PG_DUMP = b"SQLite format 3\0", b"PGDMP"
_COUNTED = {
    "people": "SELECT count(*) FROM record WHERE kind = 'cadre'",
    "records": "SELECT count(*) FROM record",
    "resources": "SELECT count(*) FROM ledger_entry",
    "inbox_items": "SELECT count(*) FROM inbox_item",
    "audit_rows": "SELECT count(*) FROM audit",
}
_FEW = "SELECT hospital, type, kind, key, identity FROM ledger_entry WHERE cadre <> '' LIMIT 200"
_HOUR = 3600


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What reading a backup found. None: it could not be known. `problems` are words of the catalogue's part
    `backup.problem_…`; without any it can be put back.
    """

    file: str
    system: str
    bytes: int
    schema: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    last_written: datetime | None = None
    audit_rows_keyed_from: int | None = None
    key_fits: bool | None = None
    problems: tuple[str, ...] = ()
    untried: str = ""  # in a word, why it was not put into a database and looked at there

    @property
    def words(self) -> tuple[str, ...]:
        """The problems, in the language in use."""
        return tuple(say(f"backup.problem_{one}") for one in self.problems)


def report_backup(settings: Settings, file: Path) -> BackupReport:
    """Read a backup whole. Raises UsageError where the file is no backup, OSError where it cannot be read."""
    with file.open("rb") as stream:
        begins = stream.read(len(_SQLITE))
    if begins == _SQLITE:
        return _report_sqlite(settings, file)
    if begins.startswith(_PG_DUMP):
        return _report_dump(settings, file)
    raise UsageError("backup.is_none", path=str(file))


def _report_sqlite(settings: Settings, file: Path) -> BackupReport:
    found = BackupReport(str(file.absolute()), "sqlite", file.stat().st_size)
    engine = _open_to_read(file)
    try:
        problems = [*_of_the_file(file), *_of_the_pages(engine)]
        if "damaged" in problems:
            return replace(found, problems=tuple(problems))
        schema = _schema(engine)
        problems += _of_the_schema(schema)
        if schema is None or schema not in known_versions():
            return replace(found, schema=schema, problems=tuple(problems))
        found = replace(found, schema=schema, counts=_counts(engine), last_written=_last_written(engine))
        if schema != known_versions()[-1]:  # what only the newest has is looked at after it was put back
            return replace(found, key_fits=_key_fits(engine, settings), problems=tuple(problems))
        return _judged(found, engine, settings, problems)
    finally:
        engine.dispose()


def _judged(found: BackupReport, engine: Engine, settings: Settings, problems: list[str]) -> BackupReport:
    """With the audit's chain and the keys."""
    audit.use_key(engine, AuditKey(settings))
    chain, fits = audit.check_chain(engine), _key_fits(engine, settings)
    if chain.broken is not None:
        problems.append("audit")
    if fits is False:
        problems.append("key")
    return replace(
        found, audit_rows_keyed_from=chain.keyed_from, key_fits=fits, problems=tuple(dict.fromkeys(problems))
    )


def _open_to_read(file: Path) -> Engine:
    """Nothing is made beside it: no journal, no lock."""
    uri = f"{file.absolute().as_uri()}?mode=ro&immutable=1"
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(uri, uri=True), poolclass=NullPool, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA trusted_schema=OFF")

    return engine


def _of_the_file(file: Path) -> Iterator[str]:
    wal = file.with_name(f"{file.name}-wal")
    if wal.exists() and wal.stat().st_size:
        yield "live"  # a database in use: part of it is in the other file
    if file.stat().st_mode & 0o077:
        yield "open"


def _of_the_pages(engine: Engine) -> Iterator[str]:
    with suppress(DatabaseError), read_transaction(engine) as connection:
        if connection.execute(text("PRAGMA integrity_check")).scalars().all() == ["ok"]:
            return
    yield "damaged"


def _schema(engine: Engine) -> str | None:
    with suppress(DatabaseError), read_transaction(engine) as connection:
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found
    return None


def _of_the_schema(schema: str | None) -> Iterator[str]:
    if schema is None:
        yield "foreign"
    elif schema not in known_versions():
        yield "newer"


def _counts(engine: Engine) -> dict[str, int]:
    with read_transaction(engine) as connection:
        return {name: connection.execute(text(query)).scalar_one() for name, query in _COUNTED.items()}


def _last_written(engine: Engine) -> datetime | None:
    with read_transaction(engine) as connection:
        newest = audit.audit.c.at
        query = audit.audit.select().with_only_columns(newest).order_by(audit.audit.c.seq.desc()).limit(1)
        found: datetime | None = connection.execute(query).scalar()
    return found


def _key_fits(engine: Engine, settings: Settings) -> bool | None:
    """Whether the identity key of the settings made what the ledger says was sent; None where nothing was, or
    the key cannot be read.
    """
    with read_transaction(engine) as connection:
        known = connection.execute(text(_FEW)).all()
    try:
        made = IdentityFactory(settings.secret(settings.identity_key).get_secret_value().encode())
    except (AdapterError, ValueError):
        return None
    if not known:
        return None
    if any(made.of(one.hospital, one.type, one.kind, one.key) == one.identity for one in known):
        return True
    try:  # perhaps all of them are of mappings with names of their own
        mappings = load_mappings(settings)
    except AdapterError:
        return None
    return any(
        made.of(one.hospital, one.type, map_.identity_kind, one.key) == one.identity
        for one in known
        for map_ in mappings.maps_for(one.hospital)
        if map_.name and map_.type == one.type
    )


def _report_dump(settings: Settings, file: Path) -> BackupReport:
    """PostgreSQL's own: read to its end, and put into a throw-away database where the server of the settings
    allows one; else `untried` says why what it holds is not known.
    """
    found = BackupReport(str(file.absolute()), "postgresql", file.stat().st_size)
    problems, program = list(_of_the_file(file)), shutil.which("pg_restore")
    if program is None:
        raise UsageError("backup.no_pg_restore")

    def read(*options: str) -> "subprocess.CompletedProcess[str]":
        command = [program, *options, str(file)]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=_HOUR)  # noqa: S603

    if read("--file=/dev/null").returncode:
        return replace(found, problems=(*problems, "damaged"))
    said = read("--data-only", "--table=alembic_version", "--file=-").stdout.splitlines()
    begins = next((number for number, line in enumerate(said) if line.startswith("COPY ")), None)
    schema = said[begins + 1] if begins is not None and len(said) > begins + 1 else None
    problems += _of_the_schema(schema)
    found = replace(found, schema=schema, problems=tuple(problems))
    if schema is None or schema != known_versions()[-1]:
        return replace(found, untried="older-schema")
    try:
        with restored_for_a_moment(settings.resolved_database_url, file) as engine:
            found = replace(found, counts=_counts(engine), last_written=_last_written(engine))
            return _judged(found, engine, settings, problems)
    except NotTried as why:
        refused = ("refused",) if why.why == "refused" else ()
        return replace(found, untried=why.why, problems=(*found.problems, *refused))
