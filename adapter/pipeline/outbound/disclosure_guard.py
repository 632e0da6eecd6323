"""What policy, tiers or records that are gone disclose or take back is set aside, person by person, until all
of a plan is weighed: a slip of one line or one column concerns many, what must leave for a person's sake few.
See docs/decisions/0018.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from adapter import audit
from adapter.database import write_transaction
from adapter.disclosure.exposure import Exposure, exposure_of
from adapter.disclosure.policy import Policy
from adapter.disclosure.policy_loader import read_policy
from adapter.errors import PolicyError
from adapter.fhir import codec
from adapter.fhir.difference import Difference, differences
from adapter.ledger.disclosures import (
    ActivePolicy,
    DisclosureCounter,
    DisclosureWeight,
    PersonDisclosure,
)
from adapter.ledger.entries.comparison import PlannedAction, PlannedChange, compare
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import DesiredResource, LedgerEntry
from adapter.mapping.folder.version import POLICY_FILE
from adapter.pipeline.application import Adapter
from adapter.pipeline.desired_state.changed_people import (
    CENTRE_KEY,
    PlannedPerson,
    desired_state_of,
    selected_people,
)
from adapter.pipeline.desired_state.desired import DesiredState
from adapter.pipeline.destination import Destination
from adapter.pipeline.mappings.activation import is_at_hospital
from adapter.pipeline.outbound.pending_disclosure import PendingDisclosure
from adapter.records.model import Cadre
from adapter.telemetry import get_logger

__all__ = ["DisclosureGuard", "GuardedPerson", "guarded_people"]

_log = get_logger(__name__)
_SENT = (PlannedAction.CREATE, PlannedAction.UPDATE)
_NOTHING_KNOWN = PersonDisclosure()


@dataclass(frozen=True)
class GuardedPerson:
    """A person's part of a plan as far as it may be carried out. `known`: what was known of the person at the
    hospital, `disclosure`: what is from then on. `refused`: what is withheld by what is in force; None: as it
    was. `stopped`: lines with an update on its way that must not go any more.
    """

    person: PlannedPerson
    changes: list[PlannedChange]
    known: PersonDisclosure | None
    disclosure: PersonDisclosure | None
    refused: Mapping[tuple[str, str], int] | None
    stopped: Sequence[LedgerEntry] = ()

    @property
    def cadre(self) -> str:
        """Whose part it is."""
        return self.person.cadre

    @property
    def is_aside(self) -> bool:
        """Whether something of it waits until all is weighed."""
        return self.disclosure is not None and self.disclosure.is_aside


@dataclass
class DisclosureGuard:
    """Weighs one plan of one hospital. `accept`: somebody lets through what is much. `only_removals`:
    there is no mapping to go on with. `is_open`: all is weighed, and nothing is set aside any more.
    """

    adapter: Adapter
    destination: Destination
    only_removals: bool = False
    accept: bool = False
    is_open: bool = False
    weight: DisclosureWeight = field(default_factory=DisclosureWeight)  # of a preview

    def __post_init__(self) -> None:
        library, hospital = self.adapter.library, self.destination.hospital
        self._policy = ActivePolicy(library.policy_digest(), hospital.level, library.policy_file())
        self._active = self.adapter.disclosures.active_policy(hospital.name)
        self._former = _former_policy(self._active) if self._active and self.is_policy_changed else None

    @property
    def hospital(self) -> str:
        """Its name."""
        return self.destination.hospital.name

    @property
    def is_policy_changed(self) -> bool:
        """Whether another policy than the file's is in force at the hospital; not before its first plan."""
        return self._active is not None and self._active != self._policy

    @property
    def needs_activation(self) -> bool:
        """Whether the policy is yet to be written down as the one in force."""
        return self._active != self._policy and not self.only_removals

    # -- weighing --------------------------------------------------------------------------

    def guard(self, people: Sequence[PlannedPerson]) -> list[GuardedPerson]:
        """What of these people's parts may be carried out now."""
        known = self.adapter.disclosures.people(self.hospital, [one.cadre for one in people])
        erased = self._erased(people)
        return [
            self._usual(one, known.get(one.cadre))
            if self.is_open or one.cadre in erased
            else self._guarded(one, known.get(one.cadre))
            for one in people
        ]

    def _erased(self, people: Sequence[PlannedPerson]) -> set[str]:
        """Who left the records without a trace, being T0: all that is held of them goes at once."""
        left = {one.cadre for one in people if not one.records and one.cadre != CENTRE_KEY and one.changes}
        return left - self.adapter.records.imported_among(left) if left else left

    def _usual(self, person: PlannedPerson, known: PersonDisclosure | None) -> GuardedPerson:
        """With nothing set aside."""
        changes = person.required_removals() if self.only_removals else person.changes
        exposure = self._exposure(person)
        if exposure is not None and self.only_removals:
            exposure = known.exposure if known else None
        disclosure = None if exposure is None else PersonDisclosure(exposure)
        return GuardedPerson(person, changes, known, disclosure, person.desired_state.withheld_counts())

    def _guarded(self, person: PlannedPerson, known: PersonDisclosure | None) -> GuardedPerson:
        before, now = known.exposure if known else None, self._exposure(person)
        step = 0 if before is None or now is None or self.only_removals else now - before
        taken = self._taken(person, is_lowered=step < 0)
        former = self._former_state(person, before, is_raised=step > 0)
        newly = {} if former is None else _newly(person, former, is_lowered=step < 0)
        usual = self._usual(person, known)
        return self._set_aside(usual, former, newly, taken) if taken or newly else usual

    @staticmethod
    def _set_aside(
        usual: GuardedPerson,
        former: DesiredState | None,
        newly: Mapping[str, DesiredResource | None],
        taken: Mapping[str, bool],
    ) -> GuardedPerson:
        """The person as what is in force has it. Of whom something would be taken back, what the hospital
        holds stays as it is.
        """
        withdrawn = sum(taken.values())
        before = usual.known or _NOTHING_KNOWN
        aside = replace(before, newly=len(newly), withdrawn=withdrawn, gone=len(taken) - withdrawn)
        if taken:
            changes = [one for one in usual.changes if _leaves_alone(one) and _identity(one) not in newly]
            stopped = [one for one in usual.person.entries if one.identity in taken and _is_due(one)]
            return replace(usual, changes=changes, disclosure=aside, refused=None, stopped=stopped)
        changes = [one for change in usual.changes for one in _as_before(change, newly)]
        refused = former.withheld_counts() if former is not None else None
        return replace(usual, changes=changes, disclosure=aside, refused=refused)

    def _exposure(self, person: PlannedPerson) -> int | None:
        tier = next((one.tier.value for one in person.records if isinstance(one, Cadre)), None)
        return None if tier is None else int(exposure_of(self.destination.rules, tier))

    def _taken(self, person: PlannedPerson, *, is_lowered: bool) -> dict[str, bool]:
        """What the hospital holds and would lose, by identity: whether policy or tier take it (else it goes
        with its record). What a changed mapping takes is weighed before (`activation`).
        """
        there = set(person.desired_state.withheld or ())
        losing = person.required_removals()
        if self.is_policy_changed and not self.only_removals:  # some of it withholds without saying so
            there, losing = {(one.kind, one.key) for one in person.records}, person.changes
        found = {
            entry.identity: (entry.kind, entry.key) in there
            for entry in _held(losing, PlannedAction.RETRACT)
            if entry.cadre == person.cadre
        }
        if is_lowered:
            found |= {entry.identity: True for entry in _held(person.changes, PlannedAction.UPDATE)}
        return found

    def _former_state(
        self, person: PlannedPerson, before: int | None, *, is_raised: bool
    ) -> DesiredState | None:
        """What the hospital should hold of the same records by the policy in force and by what it was told of
        the person so far; None where that is no other, or nothing would be sent anyway.
        """
        if self.only_removals or not (is_raised or self._former):
            return None
        if not any(one.action in _SENT for one in person.changes):
            return None
        return desired_state_of(person, self._former_destination(before))

    def _former_destination(self, exposure: int | None) -> Destination:
        """The hospital by the policy in force, for a person of that exposure."""
        policy, level = self._former or (self.destination.policy, self.destination.hospital.level)
        return self.destination.under(policy, level, Exposure(exposure) if exposure is not None else None)

    def as_in_force(self, people: Iterable[PlannedPerson]) -> Iterator[PlannedPerson]:
        """The same people; of whom something is set aside, with what the hospital should hold meanwhile."""
        aside = set(self.adapter.disclosures.aside(self.hospital))
        for one in people:
            if one.cadre not in aside:
                yield one
                continue
            known = self.adapter.disclosures.people(self.hospital, [one.cadre])[one.cadre]
            wanted = desired_state_of(one, self._former_destination(known.exposure))
            yield replace(one, desired_state=wanted, changes=compare(one.entries, wanted.desired))

    # -- deciding --------------------------------------------------------------------------

    def has_to_act(self) -> bool:
        """Whether something is to be done although nobody's records changed: what was set aside is little by
        now, or accepted.
        """
        weight = self.adapter.disclosures.weight(self.hospital)
        return self.needs_activation if weight is None else self.accept or self._is_little(weight)

    def released(self, now: datetime, by: str) -> Iterator[PlannedPerson]:
        """After all is planned: who was set aside, to be planned again, if that is little or accepted (which
        is audited before anything of it goes). `by` is who asked for the plan.
        """
        weight = self.adapter.disclosures.weight(self.hospital)
        if weight is None or not (self.accept or self._is_little(weight)):
            return
        if not self._is_little(weight):
            self._note_accepted(weight, now, by)
        self.is_open = True
        cadres = self.adapter.disclosures.aside(self.hospital)
        yield from selected_people(self.adapter, self.destination, cadres)

    def weigh(self, counter: DisclosureCounter) -> None:
        """All that was counted, in a preview: what is little is let through."""
        self.weight = counter.weight(*self.adapter.disclosures.held(self.hospital))
        self.is_open = self._is_little(self.weight)

    def _is_little(self, weight: DisclosureWeight) -> bool:
        return weight.is_within(self.adapter.settings.max_disclosure_percent)

    # -- writing ---------------------------------------------------------------------------

    def note(self, connection: Connection, people: Sequence[GuardedPerson], now: datetime) -> None:
        """Write down what is known of these people now, with their plan, and stop what must not go."""
        news = {one.cadre: one.disclosure for one in people if one.disclosure != one.known}
        self.adapter.disclosures.write(connection, self.hospital, news)
        stopped = [entry for one in people for entry in one.stopped]
        self.adapter.disclosures.stop_updates(connection, self.hospital, stopped, now)

    def _note_accepted(self, weight: DisclosureWeight, now: datetime, by: str) -> None:
        details = {
            "newly": weight.newly,
            "newly_people": weight.newly_people,
            "taken": weight.taken,
            "taken_people": weight.taken_people,
        }
        with write_transaction(self.adapter.engine) as connection:
            audit.append(
                connection,
                at=now,
                actor=by,
                action="disclosure.accepted",
                hospital=self.hospital,
                details=details,
            )

    def finish(self, now: datetime, by: str) -> None:
        """All is planned: where nothing waits the policy is in force, audited. `by` is who asked."""
        waits = self.adapter.disclosures.weight(self.hospital)
        if waits is not None:
            _log.warning("disclosure.waits", hospital=self.hospital, newly=waits.newly, taken=waits.taken)
        elif self.needs_activation:
            before = self._active.digest if self._active else None
            details = {"before": before, "after": self._policy.digest}
            with write_transaction(self.adapter.engine) as connection:
                self.adapter.disclosures.activate(connection, self.hospital, self._policy, now)
                audit.append(
                    connection,
                    at=now,
                    actor=by,
                    action="policy.in-force",
                    hospital=self.hospital,
                    details=details,
                )

    def pending(self) -> PendingDisclosure | None:
        """After a preview: what waits; None where nothing does."""
        return None if self.is_open else PendingDisclosure(self.hospital, self.weight)


def guarded_people(
    guard: DisclosureGuard, pages: Iterable[Sequence[PlannedPerson]]
) -> Iterator[GuardedPerson]:
    """Everybody's part as the next sync would carry it out, when all is weighed; those of whom something is
    set aside come last. Writes nothing. `guard.pending()` says what waits.
    """
    aside: list[str] = []
    counter = DisclosureCounter()
    for page in pages:
        for one in guard.guard(page):
            counter.add(one.disclosure)
            if one.is_aside:
                aside.append(one.cadre)
            else:
                yield one
    guard.weigh(counter)
    for person in selected_people(guard.adapter, guard.destination, aside):
        yield from guard.guard([person])


def _former_policy(active: ActivePolicy) -> tuple[Policy, str] | None:
    """The policy in force; None where this version of the adapter cannot read it any more."""
    try:
        return read_policy(active.content, Path(POLICY_FILE)), active.level
    except PolicyError:
        return None


def _identity(change: PlannedChange) -> str:
    one = change.desired or change.entry
    return one.identity if one else ""


def _held(changes: Iterable[PlannedChange], action: PlannedAction) -> Iterator[LedgerEntry]:
    """The lines of what the hospital holds, of the changes of one kind."""
    for change in changes:
        if change.action is action and change.entry is not None and is_at_hospital(change.entry):
            yield change.entry


def _newly(
    person: PlannedPerson, former: DesiredState, *, is_lowered: bool
) -> dict[str, DesiredResource | None]:
    """What would be sent and discloses more than was in force, by identity: with what was (None: nothing)."""
    was = {one.identity: one for one in former.desired if one.problem is None}
    found: dict[str, DesiredResource | None] = {}
    for change in person.changes:
        if change.action not in _SENT or change.desired is None:
            continue
        old = was.get(change.desired.identity)
        if old is None or (not is_lowered and _says_more(old, change.desired)):
            found[change.desired.identity] = old
    return found


def _says_more(old: DesiredResource, new: DesiredResource) -> bool:
    if old.digest == new.digest:
        return False
    return any(map(_is_more, differences(codec.loads(old.body), codec.loads(new.body))))


def _is_more(one: Difference) -> bool:
    """Whether something is said that was not: no label, no part of what was said before."""
    if one.after is None or ".meta." in one.path or ".dataAbsentReason." in one.path:
        return False
    return one.before is None or not one.before.startswith(one.after)


def _leaves_alone(change: PlannedChange) -> bool:
    """Whether a change leaves what the hospital holds as it is."""
    if change.action in (PlannedAction.UPDATE, PlannedAction.INVALID):
        return change.entry is None or not is_at_hospital(change.entry)
    return change.action is not PlannedAction.RETRACT or not (change.entry and is_at_hospital(change.entry))


def _is_due(entry: LedgerEntry) -> bool:
    return entry.state is EntryState.PENDING and entry.body is not None


def _as_before(change: PlannedChange, newly: Mapping[str, DesiredResource | None]) -> Iterable[PlannedChange]:
    """The change as what is in force has it."""
    identity = _identity(change)
    if identity not in newly:
        return (change,)
    old = newly[identity]
    return compare([change.entry] if change.entry else [], [old]) if old else ()
