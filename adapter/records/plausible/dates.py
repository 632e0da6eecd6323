"""Dates of a row against each other, the person's birth and death, the visit, and today. Pure.

Nothing is before birth: refused. What is after death, in the future or far from its visit is mostly a slip of
a year or of day and month: held.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from adapter.records.partial_dates import centre_day, earliest_day
from adapter.records.plausible.finding import Finding, FindingOutcome

__all__ = ["KnownDates", "date_findings", "day_of"]

_OLDEST, _YOUNGEST = 115, 15  # years; who is managed is grown up, and nobody has been older than 122
_TOMORROW = timedelta(days=1)
_SOON = timedelta(days=31)  # what is written down before it is done
_LONGEST_VISIT = timedelta(days=366)
_AROUND_VISIT = timedelta(days=62)  # samples are taken before a visit, or read long after
_LONGEST_DUE = timedelta(days=3 * 366)
_PAPERS = timedelta(days=366)  # what is still written down after a death


@dataclass(frozen=True, slots=True)
class KnownDates:
    """What the store knows of whom and what a row belongs to."""

    born: date | None = None
    died: date | None = None
    visit_from: date | None = None
    visit_to: date | None = None


def day_of(value: Any) -> date | None:
    """The day, in Viet Nam, of a date or a moment."""
    return centre_day(value) if isinstance(value, date) else None


def date_findings(kind: str, fields: Mapping[str, Any], known: KnownDates, today: date) -> list[Finding]:
    """All that is wrong with the dates of a row of that kind."""
    check = _CHECKS.get(kind)
    return list(check(fields, known, today)) if check else []


def _happened(
    name: str, fields: Mapping[str, Any], known: KnownDates, today: date, papers: timedelta = timedelta()
) -> Iterator[Finding]:
    """A day on which something was done to a living person."""
    day = day_of(fields.get(name))
    if day is None:
        return
    if known.born and day < known.born:
        yield Finding(name, "refused_before_birth", outcome=FindingOutcome.REFUSED)
    elif known.died and day > known.died + papers:
        yield Finding(name, "held_after_death")
    elif day > today + _SOON:
        yield Finding(name, "held_future")
    elif day > today + _TOMORROW:
        yield Finding(name, "noted_future", outcome=FindingOutcome.NOTED)


def _cadre(fields: Mapping[str, Any], _known: KnownDates, today: date) -> Iterator[Finding]:
    born, died = earliest_day(fields["birth_date"]), day_of(fields.get("deceased_on"))
    if died and died > today:
        yield Finding("deceased_on", "expect_past", outcome=FindingOutcome.REFUSED)
    if born > today:
        return
    age = (died or today).year - born.year
    if age > _OLDEST or age < _YOUNGEST:
        yield Finding("birth_date", "held_age", {"age": age})


def _visit(fields: Mapping[str, Any], known: KnownDates, today: date) -> Iterator[Finding]:
    yield from _happened("started_at", fields, known, today)
    started, ended = day_of(fields.get("started_at")), day_of(fields.get("ended_at"))
    if started and ended and ended - started > _LONGEST_VISIT:
        yield Finding("ended_at", "held_long")


def _measurement(fields: Mapping[str, Any], known: KnownDates, today: date) -> Iterator[Finding]:
    found = list(_happened("taken_at", fields, known, today))
    yield from found
    day = day_of(fields.get("taken_at"))
    if found or day is None or known.visit_from is None:
        return
    last = known.visit_to or known.visit_from
    if not known.visit_from - _AROUND_VISIT <= day <= last + _AROUND_VISIT:
        yield Finding("taken_at", "held_far_from_visit")


def _diagnosis(fields: Mapping[str, Any], known: KnownDates, today: date) -> Iterator[Finding]:
    yield from _happened("recorded_on", fields, known, today, _PAPERS)


def _procedure(fields: Mapping[str, Any], known: KnownDates, today: date) -> Iterator[Finding]:
    yield from _happened("started_at", fields, known, today)


def _immunization(fields: Mapping[str, Any], known: KnownDates, today: date) -> Iterator[Finding]:
    yield from _happened("given_at", fields, known, today)
    given, expires = day_of(fields.get("given_at")), day_of(fields.get("expires_on"))
    if given and expires and fields.get("status", "completed") == "completed" and expires < given:
        yield Finding("expires_on", "held_expired")


def _referral(fields: Mapping[str, Any], known: KnownDates, today: date) -> Iterator[Finding]:
    yield from _happened("ordered_at", fields, known, today)
    ordered, due = day_of(fields.get("ordered_at")), day_of(fields.get("due_on"))
    if ordered and due and due - ordered > _LONGEST_DUE:
        yield Finding("due_on", "held_due")


_CHECKS: dict[str, Callable[[Mapping[str, Any], KnownDates, date], Iterator[Finding]]] = {
    "cadre": _cadre,
    "visit": _visit,
    "measurement": _measurement,
    "diagnosis": _diagnosis,
    "procedure": _procedure,
    "immunization": _immunization,
    "referral": _referral,
}
