"""What must hold at the hospitals, in the records and in the logs after a fault run. Everything is
compared with what came about without any fault, none of it with the ledger that went through them.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, insert, select, text

from adapter.database import migrate, open_database
from adapter.fhir.bundle import identities_of
from adapter.records import tables
from adapter.testing import HospitalView

__all__ = ["copy_records", "differences", "imported", "personal_in", "personal_values", "shelf"]

SYSTEM = "https://cadre-health.example/fhir/sid/record"
_LITERAL = re.compile(r"^[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}$")
_PERSONAL = {
    "Mã cán bộ",
    "Họ và tên",
    "Số CCCD",
    "Số CMND cũ",
    "Số thẻ BHYT",
    "Điện thoại",
    "Địa chỉ",
    "Mã lượt khám",
    "Mã phiếu",
}
_BATCH = 500


def _plain(resource: dict[str, Any], names: dict[str, str]) -> str:
    """The content as text that is the same on any server: no server's ids, versions and times."""

    def walk(node: Any, key: str = "") -> Any:
        if isinstance(node, dict):
            return {name: walk(part, name) for name, part in node.items()}
        if isinstance(node, list):
            return [walk(part, key) for part in node]
        return names.get(node, node) if key == "reference" else node

    meta = {
        name: part
        for name, part in resource.get("meta", {}).items()
        if name not in ("versionId", "lastUpdated")
    }
    kept = {name: part for name, part in resource.items() if name not in ("id", "meta")}
    return json.dumps(walk({**kept, "meta": meta}), sort_keys=True, default=str)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for part in node.values():
            yield from _references(part)
    elif isinstance(node, list):
        for part in node:
            yield from _references(part)


def shelf(view: HospitalView) -> tuple[dict[str, str], list[str]]:
    """What a hospital holds, content by identity; and what is wrong with it by itself: two resources
    of one identity, a resource without one of ours, a reference to nothing.
    """
    resources = [one for type_ in view.stats()["resources"] for one in view.all(type_)]
    names: dict[str, str] = {}
    wrong: list[str] = []
    for one in resources:
        found = identities_of(one, SYSTEM)
        if len(found) != 1:
            wrong.append(f"{view.name}: a {one['resourceType']} with {len(found)} identities")
        names[f"{one['resourceType']}/{one['id']}"] = f"{one['resourceType']}|{'+'.join(found)}"
    counted = Counter(names.values())
    wrong += [f"{view.name}: {name} is there {n} times" for name, n in counted.items() if n > 1]
    for one in resources:
        wrong += [
            f"{view.name}: a {one['resourceType']} refers to {reference}, which is not there"
            for reference in _references(one)
            if _LITERAL.match(reference) and reference not in names
        ]
    held = {names[f"{one['resourceType']}/{one['id']}"]: _plain(one, names) for one in resources}
    return held, wrong


def differences(name: str, should: dict[str, str], holds: dict[str, str]) -> list[str]:
    """What a hospital lacks, has too much, or has with other content."""
    return (
        [f"{name}: {one} is missing" for one in sorted(should.keys() - holds.keys())]
        + [f"{name}: {one} is too much" for one in sorted(holds.keys() - should.keys())]
        + [
            f"{name}: {one} differs\n  should {should[one]}\n  holds  {holds[one]}"
            for one in sorted(should.keys() & holds.keys())
            if should[one] != holds[one]
        ]
    )


def copy_records(source_url: str, target_url: str) -> None:
    """Copy the records, and nothing of any ledger, into a new database."""
    target = open_database(target_url)
    migrate(target)
    source = create_engine(source_url.replace("postgresql://", "postgresql+psycopg://", 1))
    copied = (tables.record, tables.feed, tables.cadre_identifier)
    with source.connect() as reading, target.connect() as writing, writing.begin():
        for table in copied:
            writing.execute(table.delete())
            rows = [dict(row) for row in reading.execute(select(table)).mappings()]
            for start in range(0, len(rows), _BATCH):
                writing.execute(insert(table), rows[start : start + _BATCH])
    source.dispose()
    target.dispose()


def imported(url: str) -> dict[tuple[str, str], str]:
    """What imports made of the records that there are: digest by kind and key."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    query = text("SELECT kind, key, source_digest FROM record WHERE deleted IS FALSE AND kind <> 'result'")
    with engine.connect() as connection:
        found = {(row.kind, row.key): str(row.source_digest) for row in connection.execute(query)}
    engine.dispose()
    return found


def personal_values(folder: Path) -> set[str]:
    """Names, numbers and keys of the people in a folder of CSV files."""
    found: set[str] = set()
    for file in folder.glob("*.csv"):
        with file.open(encoding="utf-8-sig", newline="") as lines:
            for row in csv.DictReader(lines, delimiter=";"):
                found |= {row[column] for column in _PERSONAL & row.keys() if row[column]}
    return {value for value in found if len(value) >= 6}


def personal_in(files: Iterable[Path], values: Iterable[str]) -> list[str]:
    """Which files hold something personal (their names, not what they hold)."""
    any_of = re.compile("|".join(re.escape(value) for value in sorted(values, key=len, reverse=True)))
    return [file.name for file in files if any_of.search(file.read_text("utf-8", "replace"))]
