"""Results that a doctor is to see, and what doctors said is to follow: as lines, the pressing ones first."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from adapter.database import read_transaction
from adapter.insights.result_titles import worded
from adapter.ledger.monitoring.overdue import Backlog
from adapter.pipeline.application import Adapter
from adapter.records.change_feed import records_state
from adapter.records.lookups import live_records
from adapter.records.model import Cadre, Record, Referral, Result, Tier, Visit
from adapter.records.result_views import (
    Attention,
    ResultView,
    open_tasks,
    unseen,
    views_of,
)
from adapter.records.sheets.cell_parsers import VIETNAM_OFFSET
from adapter.records.stated_content import Decision, Urgency, strictest
from adapter.records.store import StoredRecord
from adapter.result_content import ResultContent

__all__ = [
    "ResultTask",
    "UnseenResult",
    "WaitingResult",
    "late_results",
    "listed_results",
    "result_tasks",
    "unseen_results",
    "waiting_results",
]

_PRESSING = (Urgency.CRITICAL, Urgency.ABNORMAL)
_MOST = 500  # a page of a day's work shows no more
_WANTED = ("active", "on-hold")


@dataclass(frozen=True, slots=True)
class UnseenResult:
    """A result that nobody has seen as it is now, with what it lists. `is_late`: abnormal, and waits for
    longer than the settings say. `was_seen`: an earlier version was; `listed` are keys of its members.
    """

    result: str
    hospital: str
    cadre: str
    name: str
    tier: Tier
    title: str
    value: str
    status: str
    urgency: Urgency
    since: datetime
    due: datetime | None
    is_late: bool
    was_seen: bool
    referral: str | None
    listed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WaitingResult:
    """As much of an abnormal one as is counted: whose it is, since when it waits, and until when in time."""

    hospital: str
    cadre: str
    since: datetime
    due: datetime


@dataclass(frozen=True, slots=True)
class ResultTask:
    """What a doctor said is to follow a result and is not in the records yet: a visit, or a referral."""

    result: str
    hospital: str
    cadre: str
    name: str
    tier: Tier
    title: str
    decision: Decision
    note: str | None
    since: datetime
    by: str


def unseen_results(
    adapter: Adapter, now: datetime, *, with_normal: bool = False, most: int = _MOST
) -> Sequence[UnseenResult]:
    """Abnormal results first, of these the critical, the oldest first; others only `with_normal`. What a
    report lists is a part of its line.
    """
    return _unseen(adapter, now, tuple(Urgency) if with_normal else _PRESSING, most)


def _unseen(
    adapter: Adapter, now: datetime, urgencies: Iterable[Urgency], most: int
) -> Sequence[UnseenResult]:
    waiting: list[Attention] = []
    with read_transaction(adapter.engine) as connection:
        for urgency in urgencies:
            waiting += unseen(connection, urgency, most=most - len(waiting))
        seen = {one.result for one in views_of(connection, [each.result for each in waiting])}
    lines = [
        _line(group, seen, now, adapter.settings.alarm.unseen_time) for group in _grouped(adapter, waiting)
    ]
    return sorted(lines, key=lambda one: (list(Urgency).index(one.urgency), one.since, one.result))


def late_results(adapter: Adapter, now: datetime) -> Mapping[str, Backlog]:
    """How many abnormal results wait for too long to be seen, by hospital, and since when the first does."""
    found: dict[str, list[datetime]] = {}
    for one in waiting_results(adapter, before=now - adapter.settings.alarm.unseen_time):
        found.setdefault(one.hospital, []).append(one.since)
    return {hospital: Backlog(len(since), min(since)) for hospital, since in found.items()}


def waiting_results(adapter: Adapter, before: datetime | None = None) -> Sequence[WaitingResult]:
    """Abnormal results that nobody has seen; with `before` those that wait since before that. They are looked
    at anew when the records have changed, or what waits.
    """
    waiting: list[Attention] = []
    with read_transaction(adapter.engine) as connection:
        state = records_state(connection)
        for urgency in _PRESSING:
            waiting += unseen(connection, urgency, most=_MOST - len(waiting), before=before)
    limit, any_time = adapter.settings.alarm.unseen_time, datetime.now(VIETNAM_OFFSET)

    def look() -> Sequence[WaitingResult]:
        lines = (_line(one, (), any_time, limit) for one in _grouped(adapter, waiting))
        return tuple(WaitingResult(one.hospital, one.cadre, one.since, one.since + limit) for one in lines)

    asked = "waiting-results" if before is None else "late-results"
    return adapter.remembered(asked, (state, tuple(waiting)), look)


def result_tasks(adapter: Adapter, most: int = _MOST) -> Sequence[ResultTask]:
    """What is still to follow, the oldest first."""
    with read_transaction(adapter.engine) as connection:
        views = open_tasks(connection, most)
    results = {one.result: adapter.records.get(Result.kind, one.result) for one in views}
    people = {found.cadre for found in results.values() if isinstance(found, Result)}
    stored = adapter.records.stored_of_cadres(people)
    tasks = (_task(view, results[view.result], stored) for view in views)
    return [one for one in tasks if one is not None]


def listed_results(one: Result, records: Iterable[Record]) -> tuple[Result, ...]:
    """Those of the person's `records` that a report or panel lists, which are a result of their own too."""
    wanted = set(_listed_names(one.content))
    return tuple(
        each
        for each in records
        if isinstance(each, Result)
        and each.key != one.key
        and each.hospital == one.hospital
        and each.content is not None
        and each.content.source in wanted
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """A result, or a report with what it lists, and what of these nobody has seen."""

    result: Result
    person: Cadre
    waiting: tuple[Attention, ...]
    listed: tuple[str, ...]


def _grouped(adapter: Adapter, waiting: Sequence[Attention]) -> Iterator[_Group]:
    attention = {one.result: one for one in waiting}
    with read_transaction(adapter.engine) as connection:
        results = live_records(connection, Result.kind, attention)
    owners = {one.cadre for one in results.values() if isinstance(one, Result)}
    for records in adapter.records.of_cadres(owners, (Cadre.kind, Result.kind)).values():
        person = next((one for one in records if isinstance(one, Cadre)), None)
        if person is not None:
            yield from _of_person(person, [one for one in records if isinstance(one, Result)], attention)


def _of_person(
    person: Cadre, results: Sequence[Result], attention: Mapping[str, Attention]
) -> Iterator[_Group]:
    lists = {one.key: tuple(each.key for each in listed_results(one, results)) for one in results}
    within = {key for keys in lists.values() for key in keys}
    for one in results:
        if one.key in within and one.key not in lists[one.key] and _has_list(one.key, lists):
            continue
        members = _all_listed(one.key, lists)
        mine = tuple(attention[key] for key in (one.key, *members) if key in attention)
        if mine:
            yield _Group(one, person, mine, members)


def _has_list(key: str, lists: Mapping[str, Collection[str]]) -> bool:
    """Whether a list that is no part of this one has it: what lists each other stands for itself."""
    return any(key in members and other not in lists[key] for other, members in lists.items())


def _all_listed(key: str, lists: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    ahead = list(lists[key])
    while ahead:
        one = ahead.pop(0)
        if one not in found and one != key:
            found[one] = None
            ahead += lists[one]
    return tuple(found)


def _listed_names(content: ResultContent | None) -> Iterator[str]:
    for member in content.members if content else ():
        if member.reference and not member.other_subject:
            yield member.reference.split("/_history/", 1)[0]


def _line(group: _Group, seen: Collection[str], now: datetime, limit: timedelta) -> UnseenResult:
    one, content = group.result, group.result.content
    urgency = strictest(each.urgency for each in group.waiting)
    pressing = [each for each in group.waiting if each.urgency is urgency and each.waits_since]
    since = min((each.waits_since for each in pressing if each.waits_since), default=now)
    due = None if urgency is Urgency.NORMAL else since + limit
    return UnseenResult(
        result=one.key,
        hospital=one.hospital,
        cadre=group.person.key,
        name=group.person.name,
        tier=group.person.tier,
        title=(worded(content).title if content else "") or one.title or "",
        value=(content.summary if content else "") or one.value or "",
        status=one.status,
        urgency=urgency,
        since=since,
        due=due,
        is_late=due is not None and due < now,
        was_seen=any(each.result in seen for each in group.waiting),
        referral=one.referral,
        listed=group.listed,
    )


def _task(
    view: ResultView, result: Record | None, stored: Mapping[str, Sequence[StoredRecord]]
) -> ResultTask | None:
    """None where it is done, or the result left the records."""
    if not isinstance(result, Result):
        return None
    mine = stored.get(result.cadre, ())
    people = [one.record for one in mine if isinstance(one.record, Cadre)]
    person = next((one for one in people if one.key == result.cadre), None)
    if person is None or any(_follows(one, view) for one in mine):
        return None
    return ResultTask(
        result=result.key,
        hospital=result.hospital,
        cadre=person.key,
        name=person.name,
        tier=min(one.tier for one in people),  # of several that were merged the strictest
        title=(worded(result.content).title if result.content else "") or result.title or "",
        decision=view.decision,
        note=view.note,
        since=view.seen_at,
        by=view.seen_by,
    )


def _follows(stored: StoredRecord, view: ResultView) -> bool:
    """Whether this record is what was to follow: written after the decision, and not of a day before it."""
    one = stored.record
    if stored.position <= view.position:
        return False
    if view.decision is Decision.RECALL:
        return isinstance(one, Visit) and _day(one.started_at) >= _day(view.seen_at)
    return isinstance(one, Referral) and one.status in _WANTED and _day(one.ordered_at) >= _day(view.seen_at)


def _day(at: date | datetime) -> date:
    return at.astimezone(VIETNAM_OFFSET).date() if isinstance(at, datetime) else at
