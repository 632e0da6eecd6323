"""Today's work: each line one thing that somebody of the centre can do now, the most urgent first.

What the table of problems judges is judged there (`find_problems`); here it is put into the order of a day,
with the acts that help. Counts and hospitals' names only, nothing of a person.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from adapter.database import shared_read_transaction
from adapter.insights.doubles import numbers_of_two
from adapter.insights.problems import HospitalFacts, Problem, ProblemFacts, find_problems
from adapter.insights.referrals import backlog_of
from adapter.insights.results_to_see import WaitingResult, waiting_results
from adapter.insights.seen_people import seen_people
from adapter.ledger.monitoring.overdue import Backlog
from adapter.ledger.parking import ParkedSelection
from adapter.pipeline.application import Adapter
from adapter.pipeline.outbound.server_identity import halt_reason
from adapter.pipeline.waiting_referrals import ReferralsThatWait
from adapter.referrals.clocks import ReferralClock
from adapter.texts import current_language, has_text, say_in

__all__ = ["Day", "DayAct", "DayLine", "WaitingInTime", "day_lines", "day_work"]


class DayAct(StrEnum):
    """What helps."""

    ANSWER = "answer"  # what the hospital asked
    ACKNOWLEDGE = "acknowledge"  # a doctor reads what came back
    CALL = "call"
    LINK = "link"
    CORRECT = "correct"  # the cell that the hospital complains of
    RESEND = "resend"
    DECIDE = "decide"  # whether a row can be true
    COMPARE = "compare"  # two people with one number
    LOOK = "look"
    TELL_IT = "tell-it"


# By what is late, and by the code of a problem: in the order of urgency. The first act is the likeliest.
_LATE: Final = {
    ReferralClock.ANSWER: (DayAct.ANSWER, DayAct.CALL),
    ReferralClock.ACKNOWLEDGEMENT: (DayAct.ACKNOWLEDGE,),
    ReferralClock.ACCEPTANCE: (DayAct.CALL, DayAct.RESEND),
    ReferralClock.APPOINTMENT: (DayAct.CALL, DayAct.LOOK),
    ReferralClock.VISIT: (DayAct.CALL, DayAct.LOOK),
    ReferralClock.OUTCOME: (DayAct.CALL, DayAct.LOOK),
    ReferralClock.CANCELLATION: (DayAct.CALL, DayAct.LOOK),
}
_CODES: Final = {
    "unseen": (DayAct.ACKNOWLEDGE,),
    "unmatched": (DayAct.LINK,),
    "parked": (DayAct.RESEND,),
    "referrals": (DayAct.TELL_IT,),
    "unreachable": (DayAct.CALL, DayAct.TELL_IT),
    "auth": (DayAct.TELL_IT,),
    "tls": (DayAct.TELL_IT,),
    "not-fhir": (DayAct.TELL_IT,),
    "redirected": (DayAct.TELL_IT,),
    "other-server": (DayAct.TELL_IT,),
    "restored": (DayAct.TELL_IT,),
    "paused": (DayAct.TELL_IT,),
    "idle": (DayAct.TELL_IT,),
    "held": (DayAct.DECIDE,),
    "doubles": (DayAct.COMPARE,),
    "refused": (DayAct.LOOK,),
}
_ORDER: Final = (*_LATE, *_CODES)
_NONE: Final = Backlog(0, None)
# Parked for what a cell says: sent again as it is, it is refused again.
_OF_CELLS: Final = ("refused", "invalid", "missing-reference", "too-large")


@dataclass(frozen=True, slots=True)
class DayLine:
    """One line. `code` is a problem's or, of what is late, the clock's; `cause` why, where one is told.
    `hospital` is its name in the settings, "" of the centre itself; `display` and `telephone` are as people
    call it. `days` are whole days since `since`; `command` helps at the command line.
    """

    code: str
    hospital: str
    display: str
    telephone: str
    count: int
    since: datetime | None
    days: int
    acts: tuple[DayAct, ...]
    command: str
    cause: str = ""

    def sentence(self, language: str = "") -> str:
        """The line as a sentence, in a language or the one in use."""
        of = language or current_language()
        known = has_text(f"reason.{self.cause}")
        cause = say_in(of, f"reason.{self.cause}") if known else self.cause
        said = say_in(of, f"day.{self.code}", hospital=self.display, count=self.count, cause=cause)
        if not self.since:
            return said
        return say_in(of, "day.since_days" if self.days else "day.since_today", line=said, days=self.days)


class WaitingInTime(StrEnum):
    """What waits and is not late yet."""

    RESULTS = "results"  # abnormal ones, for a doctor
    TO_SEE = "to-see"  # referrals whose result came, for a doctor
    AT_HOSPITALS = "at-hospitals"  # referrals, for a hospital or for us to answer it


@dataclass(frozen=True, slots=True)
class Day:
    """Today's work, the most urgent first; and how much waits that need not be done today. All is well where
    both are empty.
    """

    lines: Sequence[DayLine]
    in_time: Mapping[WaitingInTime, int]


def day_lines(adapter: Adapter, now: datetime, *, sees_t1: bool = True) -> Sequence[DayLine]:
    """What is to be done alone."""
    return day_work(adapter, now, sees_t1=sees_t1).lines


def day_work(adapter: Adapter, now: datetime, *, sees_t1: bool = True) -> Day:
    """What is to be done, the most urgent first, and what waits. For who does not see people of T1 theirs
    are not counted where a list of people stands behind the line. Writes nothing, asks no hospital.
    """
    with shared_read_transaction(adapter.engine):
        exists = seen_people(adapter, sees_t1=sees_t1)
        referrals = adapter.waiting_referrals.waiting(now, exists)
        results = [one for one in waiting_results(adapter) if exists(one.cadre)]
        facts = _facts(adapter, now, exists, referrals.late, _unseen(results, now))
    found = find_problems(facts, adapter.settings.alarm, now)
    lines = [_line(adapter, one, now) for one in found if _code(one) in _ORDER]
    return Day(
        sorted(lines, key=lambda one: (_ORDER.index(one.code), one.since or now, one.hospital, one.cause)),
        _in_time(referrals, results, now),
    )


def _in_time(
    referrals: ReferralsThatWait, results: Sequence[WaitingResult], now: datetime
) -> Mapping[WaitingInTime, int]:
    to_see = referrals.in_time.get(ReferralClock.ACKNOWLEDGEMENT, 0)
    counts = {
        WaitingInTime.RESULTS: sum(one.due >= now for one in results),
        WaitingInTime.TO_SEE: to_see,
        WaitingInTime.AT_HOSPITALS: sum(referrals.in_time.values()) - to_see,
    }
    return {what: count for what, count in counts.items() if count}


def _code(problem: Problem) -> str:
    return problem.cause if problem.code == "late" else problem.code


def _line(adapter: Adapter, problem: Problem, now: datetime) -> DayLine:
    code, there = _code(problem), adapter.settings.hospitals.get(problem.hospital)
    since = problem.since
    return DayLine(
        code=code,
        hospital=problem.hospital,
        display=there.display if there else "",
        telephone=there.telephone if there else "",
        count=problem.count,
        since=since,
        days=max(0, (now - since) // timedelta(days=1)) if since else 0,
        acts=_acts(problem),
        command=problem.command,
        cause="" if problem.code == "late" else problem.cause,
    )


def _acts(problem: Problem) -> tuple[DayAct, ...]:
    if problem.code == "late":
        return _LATE[ReferralClock(problem.cause)]
    if problem.code == "parked" and problem.cause in _OF_CELLS:
        return (DayAct.CORRECT,)
    return _CODES[problem.code]


def _facts(
    adapter: Adapter,
    now: datetime,
    exists: Callable[[str], bool],
    late: Mapping[tuple[str, str], Backlog],
    unseen: Mapping[str, Backlog],
) -> ProblemFacts:
    """As much of the facts as a day's work is made of; results wait from the first minute on."""
    limits, ages, names = adapter.settings.alarm, adapter.overdue, tuple(adapter.settings.hospitals)
    unmatched, refused = adapter.inbox.unmatched_backlog(now), adapter.quarantine.backlog()
    undelivered = ages.undelivered_referrals(names, now - timedelta(hours=limits.referral_hours))
    idle = ages.unclaimed_shipments(names, now - timedelta(minutes=limits.idle_minutes), now)
    parked = adapter.parked_store.groups(map(ParkedSelection, names))
    rows = adapter.ledger.hospitals.rows(names)
    return ProblemFacts(
        hospitals={
            name: HospitalFacts(
                row=rows[name],
                parked=tuple(one for one in parked if one.hospital == name),
                referrals=undelivered.get(name, _NONE),
                idle=idle.get(name, _NONE),
                unmatched=Backlog(*unmatched.get(name, (0, None))),
                late=backlog_of(late, name),
                refused=refused.get(name),
                unseen=unseen.get(name, _NONE),
                halted=halt_reason(adapter, name, rows[name]),
            )
            for name in names
        },
        held=Backlog(*adapter.held_rows.backlog()),
        shared_numbers=sum(all(map(exists, one.cadres)) for one in numbers_of_two(adapter)),
    )


def _unseen(results: Sequence[WaitingResult], now: datetime) -> Mapping[str, Backlog]:
    """How many abnormal results wait for too long to be seen, by hospital, and since when the first does."""
    found: dict[str, list[datetime]] = {}
    for one in results:
        if one.due < now:
            found.setdefault(one.hospital, []).append(one.since)
    return {name: Backlog(len(since), min(since)) for name, since in found.items()}
