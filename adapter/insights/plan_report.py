"""What a sync would do at each hospital, and why: for the eyes, nothing is written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.ledger.entries.comparison import PlannedAction, PlannedChange
from adapter.ledger.hospitals.pace import PaceLimits
from adapter.ledger.schema.states import EntryState
from adapter.ledger.server_cards.card import ServerCard
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import PlannedPerson, all_people
from adapter.pipeline.destination import Destination
from adapter.pipeline.mappings.activation import MappingChoice, ProgressCallback, choose_mapping
from adapter.pipeline.mappings.activation_status import InactiveMapping
from adapter.pipeline.outbound.planning import preview_bundles

__all__ = ["PersonReport", "PlanReport", "PlanReportLine", "plan_reports"]

_SHOWN = (PlannedAction.CREATE, PlannedAction.UPDATE, PlannedAction.RETRACT, PlannedAction.UNCHANGED)


@dataclass(frozen=True)
class PlanReportLine:
    """One resource that changes. `why` is a word: "new", "record", "mapping", "moved", "waiting" of what is
    sent; "deleted", "unmapped" or a reason of the policy of what is taken away.
    """

    type: str
    action: str
    why: str
    kind: str
    key: str


@dataclass
class PersonReport:
    """What concerns one cadre. `withheld`: how many of the records; `requests`: that it takes."""

    cadre: str
    counts: Counter[str] = field(default_factory=Counter)
    withheld: int = 0
    requests: int = 0
    lines: list[PlanReportLine] = field(default_factory=list)


@dataclass
class PlanReport:
    """What a sync would do at one hospital. `counts`: type -> action -> how many; `reasons`: (action, why)
    -> how many; `withheld`: (kind, reason, how many records), for the people that changed and those that
    did not; `invalid`: may not be sent, being wrong; `parked`: wait for a person; `requests`: that it
    takes; `seconds`: at least, at the hospital's pace (None: its server was not measured); `kept`: the
    folder's mapping is not in force, and why; `people`: everybody whom anything concerns.
    """

    hospital: str
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    withheld: list[tuple[str, str, int]] = field(default_factory=list)
    invalid: int = 0
    parked: int = 0
    requests: int = 0
    seconds: float | None = None
    kept: InactiveMapping | None = None
    people: list[PersonReport] = field(default_factory=list)


def plan_reports(adapter: Adapter, hospitals: list[str], progress: ProgressCallback) -> dict[str, PlanReport]:
    """What a sync would send to each hospital, what not and why. Writes nothing."""
    return {name: _plan(adapter, name, progress) for name in hospitals}


def _plan(adapter: Adapter, name: str, progress: ProgressCallback) -> PlanReport:
    choice = choose_mapping(adapter, name, progress)
    found = PlanReport(name, kept=choice.kept)
    withheld: Counter[tuple[str, str]] = Counter()
    total = adapter.records.counts()["cadre"]
    for done, person in enumerate(all_people(adapter, choice.outlet), 1):
        withheld += person.desired_state.withheld_counts()
        one = _of_person(found, choice, person)
        if one.requests or one.withheld or one.counts.keys() - {str(PlannedAction.UNCHANGED)}:
            found.people.append(one)
        progress("plan", name, done, max(done, total))
    found.withheld = [(kind, reason, count) for (kind, reason), count in sorted(withheld.items())]
    limits = adapter.ledger.hospitals.limits(name)
    found.seconds = _seconds(found, choice.outlet.card, limits)
    return found


def _of_person(found: PlanReport, choice: MappingChoice, person: PlannedPerson) -> PersonReport:
    one = PersonReport(person.cadre, withheld=len(person.desired_state.withheld or {}))
    changes = person.required_removals() if choice.only_removals else person.changes
    for change in changes:
        action = _action(found, change)
        if action is None:
            continue
        resource_type = change.desired.type if change.desired else change.entry.type if change.entry else ""
        found.counts.setdefault(resource_type, Counter())[str(action)] += 1
        one.counts[str(action)] += 1
        if action is not PlannedAction.UNCHANGED:
            line = _line(choice.outlet, person, change, action)
            found.reasons[line.action, line.why] += 1
            one.lines.append(line)
    one.requests = sum(1 for _ in preview_bundles(choice.outlet, changes))
    found.requests += one.requests
    return one


def _action(found: PlanReport, change: PlannedChange) -> PlannedAction | None:
    """What is done with a resource; None for what is counted otherwise, or nothing is done with."""
    action, entry = change.action, change.entry
    if action is PlannedAction.INVALID or (
        entry is not None and entry.reason == "invalid" and action is PlannedAction.WAITING
    ):
        found.invalid += 1
        return None
    if action is PlannedAction.WAITING and entry is not None:
        if entry.state is EntryState.PARKED:
            found.parked += 1
            return None
        there = entry.remote_id is not None
        action = (
            PlannedAction.RETRACT
            if change.desired is None
            else PlannedAction.UPDATE
            if there
            else PlannedAction.CREATE
        )
    gone = entry is not None and entry.state is EntryState.RETRACTED and change.desired is None
    return action if action in _SHOWN and not gone else None


def _line(
    outlet: Destination, person: PlannedPerson, change: PlannedChange, action: PlannedAction
) -> PlanReportLine:
    made = change.desired or change.entry
    assert made is not None  # noqa: S101 - a change is of something
    why = _why_gone(person, change) if action is PlannedAction.RETRACT else _why_sent(outlet, change)
    return PlanReportLine(made.type, str(action), why, made.kind, made.key)


def _why_gone(person: PlannedPerson, change: PlannedChange) -> str:
    if change.entry is None:
        return "deleted"
    record = (change.entry.kind, change.entry.key)
    withheld: Mapping[tuple[str, str], str] = person.desired_state.withheld or {}
    if record in withheld:
        return str(withheld[record])
    return "unmapped" if any((one.kind, one.key) == record for one in person.records) else "deleted"


def _why_sent(outlet: Destination, change: PlannedChange) -> str:
    entry = change.entry
    if entry is None or entry.state is EntryState.RETRACTED:
        return "new"
    if entry.state is EntryState.PENDING and entry.body is None:
        return "moved"
    if change.action is PlannedAction.WAITING:
        return "waiting"
    return "record" if entry.mapping_version == outlet.mapping_version else "mapping"


def _seconds(found: PlanReport, card: ServerCard, limits: PaceLimits) -> float | None:
    """How long it takes at least: what the server was measured to need, and the rate it is allowed."""
    by_rate = found.requests / limits.per_second if limits.per_second else 0.0
    if card.seconds_an_entry is None:
        return by_rate or None
    counts = Counter[str]()
    for of_type in found.counts.values():
        counts += of_type
    entries = sum(count for action, count in counts.items() if action != str(PlannedAction.UNCHANGED))
    return max(by_rate, entries * card.seconds_an_entry / max(1, limits.concurrency))
