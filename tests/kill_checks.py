"""What an endpoint holds after it was killed, read from its database and not by itself."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from kill_requests import SYSTEM, Attempt, Caller, Content, Held, content_of
from sqlalchemy import Engine, func, select, text

from adapter.database import read_transaction
from adapter.fhir import codec
from adapter.inbox.quarantine.tables import refused_request
from adapter.inbox.tables import inbox_item
from adapter.records.model import Result
from adapter.records.tables import record
from adapter.repository.tables import repository_index, repository_resource, repository_version

__all__ = ["Stored", "wrong_in_the_whole"]


class Stored:
    """One hospital's resources at a moment."""

    def __init__(self, engine: Engine, hospital: str) -> None:
        self._engine, self._hospital = engine, hospital

    def look(self, caller: Caller, attempts: Sequence[Attempt]) -> tuple[list[str], list[str]]:
        """What is wrong with what a caller sent, one after the other; and the kinds of what was not answered
        and is there whole. What is there is certain from then on.
        """
        wrong, whole = [], []
        touched = {value: None for one in attempts for value in one.parts}
        unanswered = [one for one in attempts if one.status is None]
        if any(one is not attempts[-1] for one in unanswered):
            wrong.append("the caller went on after something was not answered")
        maybe = unanswered[-1].parts if unanswered else {}
        there = {
            value: self._look_at(value, caller.held[value], maybe.get(value), wrong) for value in touched
        }
        for one in attempts:
            kept = [there[value] for value in one.parts if value in maybe]
            kept += [self._is_refused(one.sent)] if one.is_refused else []
            kept += [self._is_kept(one.body)] if one.is_document else []
            if one.status is None:
                whole += [one.kind] if kept and all(kept) else []
                if one.is_atomic and any(kept) and not all(kept):
                    wrong.append(f"{one.kind}: a part is there: {kept}")
            elif one.status not in one.expects:
                wrong.append(f"{one.kind}: answered {one.status} {one.answer[:300]!r}")
            elif (one.is_refused or one.is_document) and not all(kept[-1:]):
                wrong.append(f"{one.kind}: answered {one.status}, and not kept")
        return wrong, whole

    def _look_at(self, value: str, held: Held, maybe: tuple[str, Content] | None, wrong: list[str]) -> bool:
        """Whether `maybe` is stored under this number; else what was certain is to be."""
        rows = self._found(held.kind, value)
        if len(rows) > 1:
            wrong.append(f"{held.kind} {value}: there {len(rows)} times")
        if not rows:
            if held.sure is not None:
                wrong.append(f"{held.kind} {value}: lost")
            return False
        held.id, resource = rows[0]
        content = content_of(resource)
        if maybe is not None and content == maybe[1]:
            held.sure = content
            return True
        if content != held.sure:
            wrong.append(f"{held.kind} {value}: {content} is there, not {held.sure}")
        return False

    def _found(self, kind: str, value: str) -> list[tuple[str, Any]]:
        index, table = repository_index.c, repository_resource.c
        mine = (index.owner == self._hospital) & (index.type == kind) & (index.name == "identifier")
        same = (table.owner == index.owner) & (table.type == index.type) & (table.id == index.id)
        query = select(table.id, table.body).join_from(repository_index, repository_resource, same)
        with read_transaction(self._engine) as connection:
            found = connection.execute(query.where(mine, index.value == value, index.system == SYSTEM))
            return [(row.id, codec.loads(row.body)) for row in found]

    def _is_refused(self, body: bytes) -> bool:
        """Whether this is kept among what was refused."""
        query = select(refused_request.c.id).where(refused_request.c.body == body)
        with read_transaction(self._engine) as connection:
            return connection.execute(query).first() is not None

    def _is_kept(self, document: Any) -> bool:
        """Whether a document is kept whole."""
        table = repository_resource.c
        query = select(table.body).where(table.owner == self._hospital, table.type == "Bundle")
        with read_transaction(self._engine) as connection:
            kept = (codec.loads(body) for body in connection.execute(query).scalars())
            return any(one["identifier"] == document["identifier"] for one in kept)


def wrong_in_the_whole(engine: Engine, hospital: str, held: Mapping[str, Held]) -> list[str]:
    """What does not fit together: versions without their item in the inbox or the other way round, numbers
    that are there twice or not at all, links that lead nowhere, results that are not in the record.
    """
    wrong: list[str] = []
    with read_transaction(engine) as connection:
        if connection.dialect.name == "sqlite":
            said = connection.execute(text("PRAGMA integrity_check")).scalar_one()
            wrong += [] if said == "ok" else [f"SQLite: {said}"]
        bodies, versions = {}, Counter[tuple[str, str, int]]()
        for row in connection.execute(select(repository_resource)):
            bodies[row.type, row.id] = codec.loads(row.body)
            versions[row.type, row.id, row.version] += 1
        for row in connection.execute(select(repository_version)):
            versions[row.type, row.id, row.version] += 1
        columns = inbox_item.c
        listed = connection.execute(select(columns.type, columns.resource_id, columns.version, columns.state))
        items = [tuple(row) for row in listed]
        applied = select(func.count(columns.lineage.distinct())).where(columns.state == "applied")
        lineages = connection.execute(applied.where(columns.result_key.is_not(None))).scalar_one()
        of_results = select(func.count()).where(record.c.kind == Result.kind, ~record.c.deleted)
        results = connection.execute(of_results).scalar_one()
    received = Counter(one[:3] for one in items)
    expected = Counter({one: count for one, count in versions.items() if one[0] != "Bundle"})
    wrong += [f"versions and items differ: {one}" for one in (expected - received) + (received - expected)]
    wrong += [f"not matched: {one}" for one in items if one[3] == "new"]
    newest = Counter((kind, id_) for kind, id_, _ in versions)
    gaps = ((key, max(one[2] for one in versions if one[:2] == key), count) for key, count in newest.items())
    wrong += [f"{key}: {count} versions up to {last}" for key, last, count in gaps if last != count]
    numbers = Counter(
        one["identifier"][0]["value"]
        for (kind, _), one in bodies.items()
        if kind in ("Observation", "DiagnosticReport")
    )
    wrong += [f"{value}: there {count} times" for value, count in numbers.items() if count > 1]
    wrong += [f"{value}: not there" for value, one in held.items() if one.sure and not numbers[value]]
    wrong += [f"{value}: nobody sent that" for value in numbers if value not in held]
    for one in bodies.values():
        for link in one.get("result", ()):
            if tuple(link["reference"].split("/")) not in bodies:
                wrong.append(f"a link leads nowhere: {link}")
    if results != lineages or not results:
        wrong.append(f"{results} results in the record, of {lineages} that were applied")
    return wrong
