"""A ledger of a million resources: what nothing new costs, what a change costs, `status`, and its size.

    python benchmarks/ledger.py [--resources 1000000] [--people 500] [--only sqlite|postgresql]

A sample of people is imported and delivered to a hospital that takes everything (support/stub.py); then
ledger, shipments, records and refusals are copied within the tables, under keys of their own, until they are
that many. Records of the sample are changed in place and delivered: 100, then 1,000, two of a person. The
measures of success: nothing new under 2 s, `status` under 0.5 s, and ten times the change at most ten times
the time. PostgreSQL is a cluster of its own without fsync (tests/postgres.py). About 5 minutes.
"""

import argparse
import hashlib
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, event, func, literal_column, select, text, update
from support.centre import Centre, Usage, machine, stub

sys.path.append(str(Path(__file__).parents[1] / "tests"))

_NUMBER = re.compile(r"\d+(\.\d+)?")
_HOSPITAL = "bv-tinh"
_PER_PERSON = 2  # changed records


@dataclass(frozen=True)
class Copied:
    """A table whose rows are copied: `again` are columns that get the number of the copy at their end."""

    table: Table
    again: tuple[str, ...]
    hashed: tuple[str, ...] = ()


def _md5(value: str) -> str:
    return hashlib.md5(value.encode(), usedforsecurity=False).hexdigest()


def multiply(connection: Connection, copied: Copied, times: int) -> None:
    """Each row `times` more."""
    names = [column.name for column in copied.table.columns]
    quoted = ", ".join(f'"{name}"' for name in names)

    def value(name: str) -> str:
        if name in copied.hashed:
            return f"md5(\"{name}\" || '~' || n)"
        return f"\"{name}\" || '~' || n" if name in copied.again else f'"{name}"'

    chosen = ", ".join(map(value, names))
    connection.execute(
        text(
            f"INSERT INTO {copied.table.name} ({quoted}) WITH RECURSIVE copies(n) AS "  # noqa: S608 - our names
            f"(SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < {times}) "
            f"SELECT {chosen} FROM {copied.table.name}, copies"
        )
    )


def grow(engine: Engine, resources: int) -> dict[str, float]:
    """Copy everything until the ledger has `resources`; bytes a resource of the ledger and of the records."""
    from adapter.audit import disclosure_refusal
    from adapter.database import write_transaction
    from adapter.ledger.schema import tables
    from adapter.records import tables as records

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        if engine.dialect.name == "sqlite":
            connection.create_function("md5", 1, _md5, deterministic=True)

    engine.dispose()
    with write_transaction(engine) as connection:
        have = connection.execute(select(func.count()).select_from(tables.entry)).scalar_one()
    times = max(1, -(-resources // have) - 1)
    parts = {
        "ledger": (
            Copied(tables.entry, ("cadre", "key"), ("identity",)),
            Copied(tables.shipment, ("cadre",)),
            Copied(disclosure_refusal, ("subject",)),
        ),
        "records": (Copied(records.record, ("key", "cadre")),),
    }
    sizes = {}
    for name, listed in parts.items():
        before = size(engine)
        with write_transaction(engine) as connection:
            for copied in listed:
                multiply(connection, copied, times)
        sizes[name] = (size(engine) - before) / (have * times)
    if engine.dialect.name == "postgresql":  # as autovacuum does some minutes after so much was written
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE)"))
    return sizes


def size(engine: Engine) -> int:
    """Bytes of the database, after whatever the log still held."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            return int(pages) * int(connection.execute(text("PRAGMA page_size")).scalar_one())
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def change(engine: Engine, count: int, round_: int) -> None:
    """Change the values of `count` measurements of the sample, as an import would."""
    from adapter.database import write_transaction
    from adapter.ledger.schema import tables
    from adapter.records import serialisation
    from adapter.records.tables import feed, record

    sent = (
        select(tables.entry.c.key)
        .where(tables.entry.c.hospital == _HOSPITAL, tables.entry.c.kind == "measurement")
        .where(tables.entry.c.type == "Observation", ~tables.entry.c.cadre.contains("~"))
    )
    of_sample = select(record).where(record.c.kind == "measurement", record.c.key.in_(sent))
    with write_transaction(engine) as connection:
        position = connection.execute(select(feed.c.position)).scalar_one()
        done: dict[str, int] = {}
        for row in connection.execute(of_sample.order_by(record.c.cadre, record.c.key)).all():
            found = serialisation.parse_record(row.kind, row.body)
            numeric = _NUMBER.fullmatch(found.value)
            if sum(done.values()) >= count or done.get(row.cadre, 0) >= _PER_PERSON or not numeric:
                continue
            done[row.cadre] = done.get(row.cadre, 0) + 1
            position += 1
            new = serialisation.serialise_record(found.model_copy(update={"value": f"{found.value}{round_}"}))
            digest = serialisation.body_digest(new)
            connection.execute(
                update(record)
                .where(record.c.kind == row.kind, record.c.key == row.key)
                .values(body=new, digest=digest, source_digest=digest, position=position)
            )
        connection.execute(update(feed).values(position=position))
    assert sum(done.values()) == count, f"only {sum(done.values())} records could be changed"


def measure(folder: Path, workbook: Path, database: str | None, resources: int) -> None:
    """Everything on one database; prints as it goes."""
    from adapter.insights.status import hospital_statuses
    from adapter.ledger.schema import tables
    from adapter.pipeline.application import Adapter
    from adapter.settings import load_settings

    with stub() as url:
        centre = Centre(folder, {_HOSPITAL: {"base_url": url}}, database)
        centre.write_card(_HOSPITAL)
        centre.run("import", str(workbook), "--json")
        centre.run("sync", _HOSPITAL, "--json")
        with Adapter.open(load_settings(folder / "adapter.toml")) as adapter:
            print(f"\n{adapter.engine.dialect.name}", flush=True)
            sizes = grow(adapter.engine, resources)
            with adapter.engine.connect() as connection:
                count = connection.execute(select(func.count(literal_column("*"))).select_from(tables.entry))
                print(f"  resources in the ledger             {count.scalar_one():>12,}")
            print(f"  bytes a resource: ledger            {sizes['ledger']:>12,.0f}")
            print(f"  bytes a resource: records           {sizes['records']:>12,.0f}", flush=True)
            say("nothing new: adapter sync", centre.run("sync", _HOSPITAL, "--json"))
            started = time.perf_counter()
            hospital_statuses(adapter)
            print(
                f"  status, within the process          {time.perf_counter() - started:>12.2f} s", flush=True
            )
            say("adapter status", centre.run("status", "--json", fine=(0, 1)))
            nothing = centre.run("sync", _HOSPITAL, "--json")
            for round_, count in enumerate((100, 1000), 1):
                change(adapter.engine, count, round_)
                used = centre.run("sync", _HOSPITAL, "--json")
                more = used.seconds - nothing.seconds
                say(f"{count} changed records: adapter sync", used, f"; {more:.2f} s more than nothing new")


def say(what: str, used: Usage, more: str = "") -> None:
    """One line."""
    print(f"  {what:36}{used.seconds:>12.2f} s ({used.cpu:.2f} CPU){more}", flush=True)


@contextmanager
def databases(only: str | None) -> Iterator[dict[str, str | None]]:
    """Database URLs by name; None is SQLite in the centre's folder."""
    from postgres import Postgres

    postgres = Postgres()
    found: dict[str, str | None] = {"sqlite": None}
    try:
        if postgres.available and only != "sqlite":
            found["postgresql"] = postgres.create("bench_ledger")
        yield {name: url for name, url in found.items() if only in (None, name)}
    finally:
        postgres.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resources", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=600, help="people of the sample that is copied")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    from adapter.records.synthetic import write_workbook

    print(machine())
    with tempfile.TemporaryDirectory() as name, databases(options.only) as urls:
        write_workbook(Path(name) / "year.xlsx", cadres=options.people)
        for database, url in urls.items():
            measure(Path(name) / database, Path(name) / "year.xlsx", url, options.resources)


if __name__ == "__main__":
    main()
