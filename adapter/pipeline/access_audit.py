"""Who looked at whose data: a command that shows a person's content writes it into the audit first.

The audit gets the opaque name of the person and the command; no key, no value, no name.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from adapter import audit
from adapter.database import write_transaction
from adapter.pipeline.application import Adapter

__all__ = ["audit_export", "audit_look", "audit_page_view", "audit_people", "audit_read"]


def audit_read(
    adapter: Adapter,
    records: Iterable[tuple[str, str]],
    *,
    command: str,
    by: str,
    now: datetime,
    why: str | None = None,
) -> None:
    """`by` is about to see these records (kind, key): a row for each person that they are of. `why`: what
    for, where that is asked.
    """
    stored = (adapter.records.stored_record(kind, key) for kind, key in dict.fromkeys(records))
    people = dict.fromkeys(one.cadre for one in stored if one is not None and one.cadre)
    audit_people(adapter, people, "record.read", command=command, by=by, now=now, why=why)


def audit_people(
    adapter: Adapter,
    people: Iterable[str],
    action: str,
    *,
    command: str,
    by: str,
    now: datetime,
    why: str | None = None,
) -> None:
    """`by` is about to see, or get as files, what is known of these people: a row for each."""
    people = tuple(people)
    if not people:
        return
    details = {"command": command} if why is None else {"command": command, "why": why}
    events = [(action, adapter.audit_subject(cadre), None, details) for cadre in people]
    with write_transaction(adapter.engine) as connection:
        audit.append_events(connection, now, by, events)


def audit_look(
    adapter: Adapter,
    action: str,
    details: Mapping[str, Any],
    *,
    by: str,
    now: datetime,
    subject: str | None = None,
) -> None:
    """`by` is about to see something that is of many people, or of one by his opaque name."""
    with write_transaction(adapter.engine) as connection:
        audit.append(connection, at=now, actor=by, action=action, subject=subject, details=details)


def audit_export(adapter: Adapter, hospital: str, *, command: str, by: str, now: datetime) -> None:
    """`by` is about to get, as files, what goes to a hospital."""
    with write_transaction(adapter.engine) as connection:
        audit.append(
            connection,
            at=now,
            actor=by,
            action="record.exported",
            hospital=hospital,
            details={"command": command},
        )


def audit_page_view(
    adapter: Adapter, hospital: str, now: datetime, *, cadre: str | None = None, count: int | None = None
) -> None:
    """A hospital's clerk is about to see a list of so many of its referrals, or the one of a person."""
    with write_transaction(adapter.engine) as connection:
        audit.append(
            connection,
            at=now,
            actor=f"page:{hospital}",
            action="page.listed" if cadre is None else "page.read",
            subject=None if cadre is None else adapter.audit_subject(cadre),
            hospital=hospital,
            details={} if count is None else {"count": count},
        )
