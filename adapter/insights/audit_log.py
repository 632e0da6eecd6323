"""The audit as it may be looked at: its rows, newest first, a page at a time, and whether it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Select, or_, select

from adapter import audit
from adapter.database import read_transaction
from adapter.pipeline.application import Adapter

__all__ = ["AuditFilter", "AuditHeadReport", "AuditLogRow", "AuditPage", "audit_head", "audit_page"]

_A = audit.audit.c


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows. `who` and `action` may be beginnings: `cli`, `disclosure`. `subjects` are a person's opaque
    names, none: anybody's. The moments are those between which it was: from `since` on, before `until`.
    """

    who: str | None = None
    action: str | None = None
    hospital: str | None = None
    subjects: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditLogRow:
    """One row, as it is."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str | None
    hospital: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Rows, newest first. `older`: the number before which the next page begins; None at the end."""

    rows: tuple[AuditLogRow, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class AuditHeadReport:
    """The newest row, and what this machine remembers of it. `trouble` says in a word why the audit no longer
    leads there, empty where it does.
    """

    seq: int
    hash: str
    keyed_from: int | None
    remembered: int | None
    trouble: str


def audit_page(adapter: Adapter, wanted: AuditFilter, *, before: int | None, limit: int) -> AuditPage:
    """At most `limit` rows with numbers under `before`. Looks back until it has so many."""
    query = _filtered(select(audit.audit), wanted).order_by(_A.seq.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(_A.seq < before)
    with read_transaction(adapter.engine) as connection:
        found = connection.execute(query).all()
    rows = tuple(
        AuditLogRow(
            row.seq, row.at, row.actor, row.action, row.subject, row.hospital, orjson.loads(row.details)
        )
        for row in found[:limit]
    )
    return AuditPage(rows, rows[-1].seq if len(found) > limit else None)


def _filtered(query: Select[Any], wanted: AuditFilter) -> Select[Any]:
    for column, word, next_ in ((_A.actor, wanted.who, ":"), (_A.action, wanted.action, ".")):
        if word:
            query = query.where(
                or_(column == word, column.startswith(word.rstrip(next_) + next_, autoescape=True))
            )
    if wanted.hospital:
        query = query.where(_A.hospital == wanted.hospital)
    if wanted.subjects:
        query = query.where(_A.subject.in_(wanted.subjects))
    if wanted.since:
        query = query.where(_A.at >= wanted.since)
    return query.where(_A.at < wanted.until) if wanted.until else query


def audit_head(adapter: Adapter) -> AuditHeadReport:
    """Where the audit stands."""
    there, known = audit.newest(adapter.engine), adapter.remembered_head.read()
    return AuditHeadReport(
        there.seq,
        there.hash,
        there.keyed_from,
        known.seq if known else None,
        adapter.remembered_head.trouble(),
    )
