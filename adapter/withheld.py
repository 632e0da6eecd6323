"""What policy keeps back now, and the audit's rows on what changed in it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
)

from adapter.audit import AuditEvent, append_events
from adapter.database import UtcDateTime, metadata, read_transaction

__all__ = [
    "WithheldCount",
    "disclosure_refusal",
    "forget_withheld",
    "rename_subjects",
    "set_withheld",
    "withheld_counts",
    "withheld_of_person",
    "withheld_of_subject",
]

disclosure_refusal = Table(  # what policy keeps back now; the history of it is in `audit`
    "disclosure_refusal",
    metadata,
    Column("hospital", String(60), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("kind", String(40), primary_key=True),
    Column("reason", String(60), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

_THESE = (disclosure_refusal.c.hospital == bindparam("b_hospital")) & disclosure_refusal.c.subject.in_(
    bindparam("b_subjects", expanding=True)
)
_STATED = select(
    disclosure_refusal.c.subject,
    disclosure_refusal.c.kind,
    disclosure_refusal.c.reason,
    disclosure_refusal.c["count"],
).where(_THESE)
_OF_SUBJECT = select(
    disclosure_refusal.c.hospital,
    disclosure_refusal.c.kind,
    disclosure_refusal.c.reason,
    disclosure_refusal.c["count"],
).where(
    disclosure_refusal.c.hospital.in_(bindparam("b_hospitals", expanding=True)),
    disclosure_refusal.c.subject == bindparam("b_subject"),
)
_CLEAR = delete(disclosure_refusal).where(_THESE)


class WithheldCount(NamedTuple):
    """How many records of one kind are kept back for one reason, and of how many people."""

    kind: str
    reason: str
    records: int
    people: int


def set_withheld(
    connection: Connection,
    hospital: str,
    refused: Mapping[str, Mapping[tuple[str, str], int]],
    now: datetime,
    *,
    actor: str = "sync",
) -> Sequence[str]:
    """State what policy keeps back from `hospital` about each subject: {subject: {(kind, reason): count}}.

    Writes and audits, in the order given, only what differs from what was stated before: returns about whom.
    """
    wanted = {
        subject: {key: count for key, count in sorted(counts.items()) if count}
        for subject, counts in refused.items()
    }
    before = _stated(connection, hospital, list(wanted))
    news = {subject: counts for subject, counts in wanted.items() if counts != before.get(subject, {})}
    if before.keys() & news.keys():
        gone = {"b_hospital": hospital, "b_subjects": [subject for subject in news if subject in before]}
        connection.execute(_CLEAR, gone)
    rows = [
        {
            "hospital": hospital,
            "subject": subject,
            "kind": kind,
            "reason": reason,
            "count": count,
            "since": now,
        }
        for subject, counts in news.items()
        for (kind, reason), count in counts.items()
    ]
    if rows:
        connection.execute(insert(disclosure_refusal), rows)
    if news:
        append_events(connection, now, actor, [_told(hospital, *one) for one in news.items()])
    return list(news)


def _told(hospital: str, subject: str, counts: Mapping[tuple[str, str], int]) -> AuditEvent:
    """What the audit says of a subject's refusals."""
    action = "disclosure.refused" if counts else "disclosure.cleared"
    listed = [[kind, reason, count] for (kind, reason), count in counts.items()]
    return (action, subject, hospital, {"refused": listed})


def _stated(
    connection: Connection, hospital: str, subjects: Sequence[str]
) -> dict[str, dict[tuple[str, str], int]]:
    """By subject, of those about whom anything is stated."""
    found: dict[str, dict[tuple[str, str], int]] = {}
    rows = connection.execute(_STATED, {"b_hospital": hospital, "b_subjects": subjects})
    for subject, kind, reason, count in rows:
        found.setdefault(subject, {})[kind, reason] = count
    return found


def withheld_of_subject(engine: Engine, hospital: str, subject: str) -> dict[tuple[str, str], int]:
    """What is kept back from `hospital` about `subject`: {(kind, reason): count}."""
    with read_transaction(engine) as connection:
        return _stated(connection, hospital, [subject]).get(subject, {})


def withheld_of_person(
    engine: Engine, hospitals: Sequence[str], subject: str
) -> dict[str, dict[tuple[str, str], int]]:
    """The same for each of these hospitals, in one statement; without those from which nothing is kept."""
    found: dict[str, dict[tuple[str, str], int]] = {}
    with read_transaction(engine) as connection:
        rows = connection.execute(_OF_SUBJECT, {"b_hospitals": list(hospitals), "b_subject": subject})
        for hospital, kind, reason, count in rows:
            found.setdefault(hospital, {})[kind, reason] = count
    return found


def forget_withheld(connection: Connection, subject: str) -> None:
    """Nothing is withheld any more about somebody who is not in the records. The history of it stays."""
    connection.execute(delete(disclosure_refusal).where(disclosure_refusal.c.subject == subject))


def withheld_counts(engine: Engine, hospital: str) -> list[WithheldCount]:
    """All that is kept back from `hospital`, most first."""
    table = disclosure_refusal.c
    total = func.sum(table["count"])
    query = (
        select(table.kind, table.reason, total, func.count(table.subject.distinct()))
        .where(table.hospital == hospital)
        .group_by(table.kind, table.reason)
        .order_by(total.desc(), table.kind, table.reason)
    )
    with read_transaction(engine) as connection:
        return [WithheldCount(row[0], row[1], int(row[2]), int(row[3])) for row in connection.execute(query)]


def rename_subjects(connection: Connection, names: Mapping[str, str]) -> None:
    """These subjects (opaque name -> the new one) are called otherwise from now on; about others, who are in
    no record any more, nothing is withheld. The history of it stays as it is.
    """
    rows = connection.execute(select(disclosure_refusal)).all()
    connection.execute(delete(disclosure_refusal))
    kept = [{**row._mapping, "subject": names[row.subject]} for row in rows if row.subject in names]
    if kept:
        connection.execute(insert(disclosure_refusal), kept)
