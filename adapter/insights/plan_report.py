"""What a sync would do at each hospital, and why: for the eyes, nothing is written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from adapter.insights.grouped_counts import grouped_counts
from adapter.ledger.entries.comparison import PlannedAction, PlannedChange
from adapter.ledger.hospitals.circuit_breaker import PaceLimits
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import DesiredResource, LedgerEntry
from adapter.ledger.server_cards.card import ServerCard
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import PlannedPerson, changed_pages
from adapter.pipeline.destination import Destination
from adapter.pipeline.mappings.activation import MappingChoice, ProgressCallback, choose_mapping
from adapter.pipeline.mappings.activation_status import InactiveMapping
from adapter.pipeline.outbound.disclosure_guard import DisclosureGuard, GuardedPerson, guarded_people
from adapter.pipeline.outbound.pending_disclosure import PendingDisclosure
from adapter.pipeline.outbound.planning import preview_bundles

__all__ = ["PersonReport", "PlanReport", "PlanReportLine", "plan_reports"]

_SHOWN = (PlannedAction.CREATE, PlannedAction.UPDATE, PlannedAction.RETRACT, PlannedAction.UNCHANGED)


class _Unsent(StrEnum):
    """Why a resource is not sent although its record is not withheld."""

    INVALID = "invalid"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class PlanReportLine:
    """One resource that changes. `why` is a word: "new", "record", "mapping", "moved", "waiting" of what is
    sent; "deleted", "unmapped" or a reason of the policy of what is taken away.
    """

    type: str
    action: str
    why: str
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class PersonReport:
    """What concerns one cadre. `counts`: action -> how many resources; `withheld`: how many of the records;
    `requests`: that it takes.
    """

    cadre: str
    counts: Mapping[str, int]
    withheld: int
    requests: int
    lines: tuple[PlanReportLine, ...]

    @property
    def is_concerned(self) -> bool:
        """Whether anything is sent, taken away or withheld."""
        return bool(self.requests or self.withheld or self.counts.keys() - {str(PlannedAction.UNCHANGED)})


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What a sync would do at one hospital. `counts`: type -> action -> how many; `reasons`: (action, why)
    -> how many; `withheld`: (kind, reason, how many records), for the people that changed and those that
    did not; `invalid`: may not be sent, being wrong; `parked`: wait for a person; `requests`: that it
    takes; `seconds`: at least, at the hospital's pace (None: its server was not measured); `kept`: the
    folder's mapping is not in force, and why; `waits`: what policy, tiers or records would disclose or take
    back, which is not part of the rest; `people`: everybody whom anything concerns.
    """

    hospital: str
    counts: Mapping[str, Mapping[str, int]]
    reasons: Mapping[tuple[str, str], int]
    withheld: tuple[tuple[str, str, int], ...]
    invalid: int
    parked: int
    requests: int
    seconds: float | None
    kept: InactiveMapping | None
    waits: PendingDisclosure | None
    people: tuple[PersonReport, ...]


def plan_reports(adapter: Adapter, hospitals: list[str], progress: ProgressCallback) -> dict[str, PlanReport]:
    """What a sync would send to each hospital, what not and why. Writes nothing."""
    return {name: _plan(adapter, name, progress) for name in hospitals}


def _plan(adapter: Adapter, name: str, progress: ProgressCallback) -> PlanReport:
    choice = choose_mapping(adapter, name, progress)
    tally = _Tally(choice)
    guard = DisclosureGuard(adapter, choice.destination, choice.only_removals)
    total = adapter.records.counts()["cadre"]
    for done, one in enumerate(guarded_people(guard, changed_pages(adapter, choice.destination, 0)), 1):
        tally.add(one)
        progress("plan", name, done, max(done, total))
    return tally.report(name, adapter.ledger.hospitals.limits(name), guard.pending())


class _Tally:
    """Adds up one hospital's plan, person by person."""

    def __init__(self, choice: MappingChoice) -> None:
        self._choice = choice
        self._actions: Counter[tuple[str, str]] = Counter()  # (type, action)
        self._unsent: Counter[_Unsent] = Counter()
        self._reasons: Counter[tuple[str, str]] = Counter()
        self._withheld: Counter[tuple[str, str]] = Counter()
        self._requests = 0
        self._people: list[PersonReport] = []

    def add(self, guarded: GuardedPerson) -> None:
        destination, person, changes = self._choice.destination, guarded.person, guarded.changes
        outcomes = [(change, _outcome(change)) for change in changes]
        acted = [(change, outcome) for change, outcome in outcomes if isinstance(outcome, PlannedAction)]
        requests = sum(1 for _ in preview_bundles(destination, changes))
        report = _person_report(destination, person, acted, requests)
        self._actions.update((_resource(change).type, str(action)) for change, action in acted)
        self._unsent.update(outcome for _, outcome in outcomes if isinstance(outcome, _Unsent))
        self._reasons.update((line.action, line.why) for line in report.lines)
        self._withheld.update(person.desired_state.withheld_counts())
        self._requests += requests
        if report.is_concerned:
            self._people.append(report)

    def report(self, hospital: str, limits: PaceLimits, waits: PendingDisclosure | None) -> PlanReport:
        return PlanReport(
            hospital,
            counts=grouped_counts(self._actions),
            reasons=dict(self._reasons),
            withheld=tuple((kind, why, count) for (kind, why), count in sorted(self._withheld.items())),
            invalid=self._unsent[_Unsent.INVALID],
            parked=self._unsent[_Unsent.PARKED],
            requests=self._requests,
            seconds=_seconds(self._requests, self._entries(), self._choice.destination.card, limits),
            kept=self._choice.kept,
            waits=waits,
            people=tuple(self._people),
        )

    def _entries(self) -> int:
        """Resources that a request is about."""
        unchanged = str(PlannedAction.UNCHANGED)
        return sum(count for (_, action), count in self._actions.items() if action != unchanged)


def _person_report(
    destination: Destination,
    person: PlannedPerson,
    acted: Sequence[tuple[PlannedChange, PlannedAction]],
    requests: int,
) -> PersonReport:
    return PersonReport(
        person.cadre,
        counts=dict(Counter(str(action) for _, action in acted)),
        withheld=len(person.desired_state.withheld or {}),
        requests=requests,
        lines=tuple(
            _line(destination, person, change, action)
            for change, action in acted
            if action is not PlannedAction.UNCHANGED
        ),
    )


def _outcome(change: PlannedChange) -> PlannedAction | _Unsent | None:
    """What is done with a resource, or why nothing is; None for what is of no interest."""
    action, entry = change.action, change.entry
    if action is PlannedAction.INVALID:
        return _Unsent.INVALID
    if action is PlannedAction.WAITING and entry is not None:
        if entry.reason == "invalid":
            return _Unsent.INVALID
        if entry.state is EntryState.PARKED:
            return _Unsent.PARKED
        action = _waiting_action(change, entry)
    gone = entry is not None and entry.state is EntryState.RETRACTED and change.desired is None
    return action if action in _SHOWN and not gone else None


def _waiting_action(change: PlannedChange, entry: LedgerEntry) -> PlannedAction:
    """What was planned before and is yet to be done."""
    if change.desired is None:
        return PlannedAction.RETRACT
    return PlannedAction.CREATE if entry.remote_id is None else PlannedAction.UPDATE


def _resource(change: PlannedChange) -> DesiredResource | LedgerEntry:
    resource = change.desired or change.entry
    assert resource is not None  # noqa: S101 - a change is of something
    return resource


def _line(
    destination: Destination, person: PlannedPerson, change: PlannedChange, action: PlannedAction
) -> PlanReportLine:
    made = _resource(change)
    why = _why_gone(person, change) if action is PlannedAction.RETRACT else _why_sent(destination, change)
    return PlanReportLine(made.type, str(action), why, made.kind, made.key)


def _why_gone(person: PlannedPerson, change: PlannedChange) -> str:
    if change.entry is None:
        return "deleted"
    record = (change.entry.kind, change.entry.key)
    withheld: Mapping[tuple[str, str], str] = person.desired_state.withheld or {}
    if record in withheld:
        return str(withheld[record])
    return "unmapped" if any((one.kind, one.key) == record for one in person.records) else "deleted"


def _why_sent(destination: Destination, change: PlannedChange) -> str:
    entry = change.entry
    if entry is None or entry.state is EntryState.RETRACTED:
        return "new"
    if entry.state is EntryState.PENDING and entry.body is None:
        return "moved"
    if change.action is PlannedAction.WAITING:
        return "waiting"
    return "record" if entry.mapping_version == destination.mapping_version else "mapping"


def _seconds(requests: int, entries: int, card: ServerCard, limits: PaceLimits) -> float | None:
    """How long it takes at least: what the server was measured to need, and the rate it is allowed."""
    by_rate = requests / limits.per_second if limits.per_second else 0.0
    if card.seconds_an_entry is None:
        return by_rate or None
    return max(by_rate, entries * card.seconds_an_entry / max(1, limits.concurrency))
