"""What there is to do today, as sentences with a verb: from facts (`collect_day`) to lines (`day_lines`,
pure), the most urgent first. Counts and hospitals' names only, nothing of a person.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from adapter.database import read_transaction
from adapter.inbox.quarantine.store import RefusedBacklog
from adapter.insights.problems import HospitalFacts, reach_problem
from adapter.insights.referrals import ReferralLine, referral_lines
from adapter.ledger.monitoring.overdue import Backlog
from adapter.ledger.parking import ParkedGroup, ParkedSelection
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.server_identity import halt_reason
from adapter.records.doubles import SharedNumber, shared_numbers
from adapter.records.model import Cadre, Tier
from adapter.settings import AlarmSettings
from adapter.texts import has_text, say

__all__ = ["DayAct", "DayFacts", "DayKind", "DayLine", "HospitalDay", "collect_day", "day_lines", "today"]

_NONE = Backlog(0, None)


class DayKind(StrEnum):
    """What a line is about; in this order they are listed, a later one never before an earlier."""

    LATE_REFERRALS = "late-referrals"
    SILENT = "silent"
    WAITING_RESULTS = "waiting-results"
    REFUSED_VALUES = "refused-values"
    REFUSED_REQUESTS = "refused-requests"
    HELD_ROWS = "held-rows"
    DOUBLES = "doubles"


class DayAct(StrEnum):
    """What a person can do about a line."""

    LOOK = "look"
    CALL = "call"
    SEND_AGAIN = "send-again"
    LINK = "link"
    CORRECT = "correct"
    DECIDE = "decide"
    COMPARE = "compare"


@dataclass(frozen=True, slots=True)
class DayLine:
    """One thing to do. `hospital` is its name in the settings, `display` what staff call it; both "" where it
    is about none. `cause` says which of its kind, `since` when the oldest began, None: not known.
    `telephone` is whom to call, "" where the settings do not say. `command` does the same at a terminal.
    """

    kind: DayKind
    count: int
    since: datetime | None
    acts: tuple[DayAct, ...]
    command: str
    hospital: str = ""
    display: str = ""
    cause: str = ""
    telephone: str = ""

    def words(self, now: datetime) -> str:
        """The line as a sentence, in the language in use."""
        cause = say(f"day.late_{self.cause}") if has_text(f"day.late_{self.cause}") else self.cause
        if has_text(f"reason.{self.cause}") and self.kind is not DayKind.LATE_REFERRALS:
            cause = say(f"reason.{self.cause}")
        key = f"{self.kind}-{self.cause}" if has_text(f"day.{self.kind}-{self.cause}") else self.kind
        sentence = say(f"day.{key}", hospital=self.display, count=self.count, cause=cause)
        days = 0 if self.since is None else (now - self.since).days
        return sentence if days < 1 else f"{sentence}, {say('day.since_days', days=days)}"


@dataclass(frozen=True, slots=True)
class HospitalDay:
    """What is known of one hospital today. `late`: by what is waited for."""

    display: str
    reached: HospitalFacts
    telephone: str = ""
    unmatched: Backlog = _NONE
    late: Mapping[str, Backlog] = field(default_factory=dict)
    parked: tuple[ParkedGroup, ...] = ()
    refused: RefusedBacklog | None = None


@dataclass(frozen=True, slots=True)
class DayFacts:
    """All that the lines are made of."""

    hospitals: Mapping[str, HospitalDay] = field(default_factory=dict)
    held: Backlog = _NONE
    doubles: int = 0


def today(adapter: Adapter, now: datetime, *, sees_t1: bool = True) -> tuple[DayLine, ...]:
    """What there is to do; to who does not see people of T1, theirs does not count."""
    return day_lines(collect_day(adapter, now, sees_t1=sees_t1), adapter.settings.alarm, now)


# -- judging -------------------------------------------------------------------------------


def day_lines(known: DayFacts, limits: AlarmSettings, now: datetime) -> tuple[DayLine, ...]:
    """The lines, the most urgent kind first, within one the oldest first (pure). Nothing: all is well."""
    found = [one for name, there in known.hospitals.items() for one in _at(name, there, limits, now)]
    if known.held.count:
        command = "adapter import held"
        found.append(
            DayLine(DayKind.HELD_ROWS, known.held.count, known.held.since, (DayAct.DECIDE,), command)
        )
    if known.doubles:
        found.append(
            DayLine(DayKind.DOUBLES, known.doubles, None, (DayAct.COMPARE,), "adapter cadre doubles")
        )
    order = list(DayKind)
    return tuple(sorted(found, key=lambda one: (order.index(one.kind), one.since or now, one.hospital)))


def _at(name: str, there: HospitalDay, limits: AlarmSettings, now: datetime) -> Iterator[DayLine]:
    def line(
        kind: DayKind,
        waits: Backlog | RefusedBacklog,
        acts: tuple[DayAct, ...],
        command: str,
        cause: str = "",
    ) -> DayLine:
        return DayLine(
            kind, waits.count, waits.since, acts, command, name, there.display, cause, there.telephone
        )

    for cause, waits in there.late.items():
        yield line(
            DayKind.LATE_REFERRALS,
            waits,
            (DayAct.LOOK, DayAct.CALL),
            f"adapter referral list {name} --late",
            cause,
        )
    for problem in reach_problem(name, there.reached, limits, now):
        waits = Backlog(problem.count, problem.since)
        yield line(DayKind.SILENT, waits, (DayAct.CALL, DayAct.LOOK), problem.command, problem.code)
    if there.unmatched.count:
        yield line(DayKind.WAITING_RESULTS, there.unmatched, (DayAct.LINK,), "adapter inbox")
    for group in there.parked:
        waits = Backlog(group.count, group.since)
        acts = (DayAct.CORRECT, DayAct.SEND_AGAIN)
        yield line(DayKind.REFUSED_VALUES, waits, acts, "adapter status", group.reason)
    if there.refused is not None and there.refused.count:
        yield line(DayKind.REFUSED_REQUESTS, there.refused, (DayAct.LOOK,), "adapter inbox refused")


# -- gathering -----------------------------------------------------------------------------


def collect_day(adapter: Adapter, now: datetime, *, sees_t1: bool = True) -> DayFacts:
    """What the database says. Writes nothing, asks no hospital."""
    unmatched = adapter.inbox.unmatched_backlog(now)
    refused = adapter.quarantine.backlog()
    may_see = _all if sees_t1 else _sees_no_t1(adapter)
    late = _late(referral_lines(adapter, adapter.settings.hospitals, now), may_see)
    with read_transaction(adapter.engine) as connection:
        shared = shared_numbers(connection)
    return DayFacts(
        hospitals={
            name: HospitalDay(
                display=settings.display,
                reached=_reach_facts(adapter, name, now),
                telephone=settings.telephone,
                unmatched=Backlog(*unmatched.get(name, (0, None))),
                late=late.get(name, {}),
                parked=tuple(adapter.parked_store.groups([ParkedSelection(name)])),
                refused=refused.get(name),
            )
            for name, settings in adapter.settings.hospitals.items()
        },
        held=Backlog(*adapter.held_rows.backlog()),
        doubles=sum(1 for one in shared if _is_shown(one, may_see)),
    )


def _reach_facts(adapter: Adapter, name: str, now: datetime) -> HospitalFacts:
    quiet = now - timedelta(minutes=adapter.settings.alarm.idle_minutes)
    return HospitalFacts(
        row=adapter.ledger.hospitals.row(name),
        idle=adapter.overdue.unclaimed_shipments(name, quiet, now),
        halted=halt_reason(adapter, name),
    )


def _late(
    lines: Sequence[ReferralLine], may_see: Callable[[str], bool]
) -> Mapping[str, Mapping[str, Backlog]]:
    """How many are late by hospital and what is waited for, and since when the first is."""
    found: dict[str, dict[str, Backlog]] = {}
    for one in lines:
        if one.is_late and one.due is not None and one.waits_for is not None and may_see(one.cadre):
            there = found.setdefault(one.hospital, {})
            before = there.get(one.waits_for, _NONE)
            there[one.waits_for] = Backlog(before.count + 1, min(before.since or one.due, one.due))
    return found


def _is_shown(shared: SharedNumber, may_see: Callable[[str], bool]) -> bool:
    return all(map(may_see, shared.cadres))


def _all(_key: str) -> bool:
    return True


def _sees_no_t1(adapter: Adapter) -> Callable[[str], bool]:
    def may_see(key: str) -> bool:
        found = adapter.records.get(Cadre.kind, key)
        return isinstance(found, Cadre) and found.tier is not Tier.T1

    return may_see
