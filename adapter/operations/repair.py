"""What reading a hospital back found wrong is put right, as far as it is ours."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from adapter import audit
from adapter.database import write_transaction
from adapter.delivery.http.client import HospitalClient, NoResponse
from adapter.delivery.read_back.reconciliation import ReadBackVerdict, delete_and_verify
from adapter.errors import HospitalError
from adapter.insights.hospital_service import hospital_service
from adapter.ledger.repairs import Repair, RepairStore
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.values import Lease
from adapter.ledger.server_cards.identity import self_description
from adapter.operations.operation import Operation, OperationContext, version_of
from adapter.operations.reconcile import Discrepancy, ReconcileReport, reconcile_hospital
from adapter.pipeline.application import Adapter
from adapter.pipeline.configuration_changes import note_configuration
from adapter.pipeline.desired_state.changed_people import CENTRE_KEY
from adapter.pipeline.mappings.activation import ProgressCallback
from adapter.pipeline.outbound.planning import update_ledger
from adapter.pipeline.outbound.server_identity import halt_reason
from adapter.pipeline.outbound.sync import planning_locks, sync

__all__ = ["RepairHospital", "RepairSummary", "refresh_ledger", "repair_hospital"]

_ROUNDS = 4
_NOT_SERVED = ("paused", "hours")


@dataclass(frozen=True, slots=True)
class RepairSummary:
    """What was put right: entries to be sent or retracted again, copies deleted; `busy`: shipments under way
    elsewhere, `kept`: copies that the hospital does not delete, with its words, or that are not ours.
    """

    known_again: int
    resend: int
    retract: int
    removed: int
    left: int  # findings of the last reading, which proves the repair
    unknown: int  # of what is retracted, what no record accounts for
    busy: int
    kept: Mapping[str, str]  # Type/id -> why
    accepted: bool = False  # the hospital was halted, and is not any more


@dataclass(frozen=True)
class RepairHospital(Operation[ReconcileReport, tuple[ReconcileReport, RepairSummary | None]]):
    """Read a hospital back, and put right what is ours: `agreed` is shown what was found, and says whether to
    go on. With `delete_unknown` also what it holds of ours that nobody knows any more is taken back. A server
    that is another, or was set back, is the ledger's after it, and the hospital is halted no longer. Nothing
    undoes it: it makes the hospital hold what it should.
    """

    name: ClassVar[str] = "hospital.repair"
    audited_as: ClassVar[tuple[str, ...]] = ("hospital.repaired", "hospital.server_accepted")
    hospital: str
    delete_unknown: bool = False
    agreed: Callable[[ReconcileReport], bool] = field(default=lambda _found: True, compare=False)

    def look(self, context: OperationContext) -> ReconcileReport:
        """What reading it back finds. Raises HospitalError when it cannot be asked."""
        with context.adapter.client(self.hospital) as client:
            return reconcile_hospital(context.adapter, self.hospital, client, context.clock, context.progress)

    def version(self, shown: ReconcileReport) -> str:
        """What was found; not when, nor in how many requests."""
        return version_of((shown.findings, shown.unlisted))

    def act(
        self, context: OperationContext, unchanged: Callable[[], None]
    ) -> tuple[ReconcileReport, RepairSummary | None]:
        """Plan, read back, ask, and put right; None where nothing was. Raises HospitalError, Busy."""
        adapter, clock = context.adapter, context.clock
        refresh_ledger(adapter, self.hospital, clock, context.progress, by=context.by)
        unchanged()
        with adapter.client(self.hospital) as client:
            found = reconcile_hospital(adapter, self.hospital, client, clock, context.progress)
            accept = self._acceptance(context, client)
            if not found.findings and accept is not None:
                accept()
                return found, _NOTHING_ELSE
            if not self.agreed(found) or not found.findings:
                return found, None
            return found, repair_hospital(
                adapter,
                found,
                client,
                clock,
                delete_unknown=self.delete_unknown,
                deliver=lambda: _deliver(context, self.hospital),
                by=context.by,
                stop=context.stop,
                accept=accept,
            )

    def _acceptance(self, context: OperationContext, client: HospitalClient) -> Callable[[], None] | None:
        """What says that the hospital's server is the ledger's from now on; None where it is already."""
        adapter = context.adapter
        if halt_reason(adapter, self.hospital) is None:
            return None
        reply = client.get("metadata")
        says = None if isinstance(reply, NoResponse) else self_description(reply.body)
        accept, address = adapter.ledger.servers.accept, adapter.addresses[self.hospital]
        return lambda: accept(self.hospital, address, says, by=context.by, now=context.clock())


_NOTHING_ELSE = RepairSummary(
    known_again=0, resend=0, retract=0, removed=0, left=0, unknown=0, busy=0, kept={}, accepted=True
)


def _deliver(context: OperationContext, hospital: str) -> None:
    sync(
        context.adapter,
        [hospital],
        context.clock,
        context.progress,
        context.stop,
        keep=True,
        by=context.by,
    )


def refresh_ledger(
    adapter: Adapter,
    name: str,
    clock: Callable[[], datetime],
    progress: ProgressCallback,
    stop: threading.Event | None = None,
    *,
    by: str = "sync",
) -> None:
    """Bring the ledger up to date with the records before a hospital is read back to be put right. Raises
    HospitalError where it may be sent nothing now, Busy when another process plans for it.
    """
    found = hospital_service(adapter, name, clock(), {})
    if found.why in _NOT_SERVED:
        raise HospitalError(f"reconcile.not_served_{found.why}", hospital=name)
    with adapter.as_worker(clock, stop or threading.Event()), planning_locks(adapter, [name]) as turns:
        note_configuration(adapter, clock(), by="reconcile")
        update_ledger(adapter, adapter.destination(name), clock(), progress, lock=turns[name], by=by)


def repair_hospital(
    adapter: Adapter,
    found: ReconcileReport,
    client: HospitalClient,
    clock: Callable[[], datetime],
    *,
    delete_unknown: bool,
    deliver: Callable[[], None],
    by: str,
    stop: threading.Event | None = None,
    accept: Callable[[], None] | None = None,
) -> RepairSummary:
    """Put right what is ours: the ledger learns what the hospital holds, `deliver` sends and retracts what
    is due, and then second copies of what we sent are deleted. What the hospital holds under an identity
    that nobody knows any more is retracted only if told to `delete_unknown`.

    What was made anew has another id, so what refers to it is read again and put right in turn. Once `stop`
    is set nothing more is begun, and what was not read again counts as left. `accept`, where the hospital is
    halted, is called once the ledger knows what its server holds of everybody; without that nothing is sent.
    """
    stop = stop or threading.Event()
    work = _Repairs(adapter, found.hospital, client, clock, stop)
    with adapter.as_worker(clock, stop):  # so that the leases of a repair that is killed are found free
        try:
            left = _rounds(work, found, deliver, accept, delete_unknown=delete_unknown)
        finally:
            work.note(by)
        return work.summary(left + work.still_there(found.findings))


def _rounds(
    work: "_Repairs",
    found: ReconcileReport,
    deliver: Callable[[], None],
    accept: Callable[[], None] | None,
    *,
    delete_unknown: bool,
) -> int:
    """Repair until a reading finds nothing more; gives how many findings are left, what is extra not counted
    until it was read again.
    """
    if delete_unknown:
        work.strangers(found.findings)
    findings, left = found.findings, 0
    for _ in range(_ROUNDS):
        left = sum(one.verdict is not ReadBackVerdict.EXTRA for one in findings)
        work.ledger(findings)
        if accept is not None and not work.accepted:
            if work.busy:
                return left
            work.accept(accept)
        if work.has_to_deliver:
            deliver()
        work.thin_out([one for one in findings if one.verdict is ReadBackVerdict.DUPLICATES])
        if work.stop.is_set():
            return left
        touched = {
            one.cadre
            for one in findings
            if one.verdict not in (ReadBackVerdict.EXTRA, ReadBackVerdict.RECOVERED)
        }
        try:
            again = work.read_again(touched)
        except HospitalError:  # what was done is done, and counts as left until it is read
            return left
        left = len(again.findings)
        findings = tuple(one for one in again.findings if not one.foreign and one.cadre not in work.busy)
        if not findings:
            break
    return left


def _quiet(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """A second reading is short."""


class _Deed(StrEnum):
    """What was done about one finding, as RepairSummary and the audit name it."""

    KNOWN_AGAIN = "known_again"
    RESEND = "resend"
    RETRACT = "retract"
    REMOVED = "removed"


def _deed(repair: Repair) -> _Deed:
    if repair.holds:
        return _Deed.KNOWN_AGAIN
    return _Deed.RETRACT if repair.desired is None else _Deed.RESEND


class _Repairs:
    """The repairs of one hospital."""

    def __init__(
        self,
        adapter: Adapter,
        hospital: str,
        client: HospitalClient,
        clock: Callable[[], datetime],
        stop: threading.Event,
    ) -> None:
        self.stop = stop
        self._adapter = adapter
        self._hospital = hospital
        self._client = client
        self._clock = clock
        self._ranks = adapter.destination(hospital).dependency_ranks
        self._done: Counter[_Deed] = Counter()
        self._unknown = 0
        self._kept: dict[str, str] = {}
        self.busy: set[str] = set()
        self.accepted = False

    def accept(self, accept: Callable[[], None]) -> None:
        """The server is the ledger's from now on."""
        accept()
        self.accepted = True

    @property
    def has_to_deliver(self) -> bool:
        """Whether something is to be sent or retracted again."""
        return bool(self._done[_Deed.RESEND] or self._done[_Deed.RETRACT])

    def summary(self, left: int) -> RepairSummary:
        """What was done, when so many findings are left."""
        return RepairSummary(
            known_again=self._done[_Deed.KNOWN_AGAIN],
            resend=self._done[_Deed.RESEND],
            retract=self._done[_Deed.RETRACT],
            removed=self._done[_Deed.REMOVED],
            left=left,
            unknown=self._unknown,
            busy=len(self.busy),
            kept=self._kept,
            accepted=self.accepted,
        )

    def ledger(self, findings: Sequence[Discrepancy]) -> None:
        """Write down what the hospital holds and what must be sent or retracted again."""
        store = RepairStore(self._adapter.engine)
        for lease, here in self._leased([one for one in findings if one.repair is not None]):
            repairs = [one.repair for one in here if one.repair is not None]
            store.write(lease, repairs, self._clock())
            self._done.update(map(_deed, repairs))

    def strangers(self, findings: Sequence[Discrepancy]) -> None:
        """Retract what carries our identifier and nobody knows."""
        unknown = [
            (one.type, one.identity, one.copies[0], self._ranks.get(one.type, 0))
            for one in findings
            if one.verdict is ReadBackVerdict.EXTRA and one.repair is None
        ]
        store = RepairStore(self._adapter.engine)
        self._unknown = store.retract_unknown(self._hospital, unknown, CENTRE_KEY, self._clock())
        self._done[_Deed.RETRACT] += self._unknown

    def read_again(self, cadres: set[str]) -> ReconcileReport:
        """What is still not as it should be of these people."""
        return reconcile_hospital(
            self._adapter, self._hospital, self._client, self._clock, _quiet, only=cadres, stop=self.stop
        )

    def still_there(self, findings: Sequence[Discrepancy]) -> int:
        """Of what is extra and known to the ledger, what was not proved to be gone."""
        extra = [one for one in findings if one.verdict is ReadBackVerdict.EXTRA]
        lines = [self._adapter.ledger.by_identity(self._hospital, one.type, one.identity) for one in extra]
        return sum(line is not None and line.state is EntryState.RETRACTING for line in lines)

    def note(self, by: str) -> None:
        """That somebody had the hospital repaired, for the audit."""
        noted = (_Deed.KNOWN_AGAIN, _Deed.RESEND, _Deed.RETRACT)
        counts = {str(deed): self._done[deed] for deed in noted}
        with write_transaction(self._adapter.engine) as connection:
            audit.append(
                connection,
                at=self._clock(),
                actor=by,
                action="hospital.repaired",
                hospital=self._hospital,
                details=counts,
            )

    def thin_out(self, twins: Sequence[Discrepancy]) -> None:
        """Delete second copies, dependants first; one with other content may be the hospital's own."""
        ordered = sorted(twins, key=lambda one: -self._ranks.get(one.type, 0))
        for _lease, here in self._leased(ordered):
            for finding, remote_id in ((one, copy) for one in here for copy in one.copies[1:]):
                if self.stop.is_set():
                    return
                self._remove(finding, remote_id)

    def _remove(self, finding: Discrepancy, remote_id: str) -> None:
        said = "foreign" if finding.foreign else delete_and_verify(self._client, finding.type, remote_id)
        if said is None:
            self._done[_Deed.REMOVED] += 1
        else:
            self._kept[f"{finding.type}/{remote_id}"] = said

    def _leased(self, findings: Sequence[Discrepancy]) -> Iterator[tuple[Lease, list[Discrepancy]]]:
        """The findings of each cadre, while nobody else sends for it; counted where somebody does."""
        grouped: dict[str, list[Discrepancy]] = {}
        for one in findings:
            grouped.setdefault(one.cadre, []).append(one)
        shipments = self._adapter.ledger.shipments
        for cadre, here in grouped.items():
            seconds = self._adapter.settings.lease_seconds
            lease = shipments.claim_one(self._hospital, cadre, self._clock(), seconds)
            if lease is None:
                self.busy.add(cadre)
                continue
            try:
                yield lease, here
            finally:
                shipments.give_back(lease)
