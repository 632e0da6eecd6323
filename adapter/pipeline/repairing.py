"""What reading a hospital back found wrong is put right, as far as it is ours."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from adapter import audit
from adapter.database import write
from adapter.delivery.client import HospitalClient
from adapter.delivery.reconcile import Verdict, remove
from adapter.ledger.model import Lease
from adapter.ledger.repairs import RepairStore
from adapter.pipeline.opened import Adapter
from adapter.pipeline.people import NOBODY
from adapter.pipeline.reconciling import Finding, Reconciled, reconcile

__all__ = ["Repaired", "repair"]

_ROUNDS = 4


@dataclass
class Repaired:
    """What was put right: entries to be sent or retracted again, copies deleted; `busy`: shipments under way
    elsewhere, `kept`: copies that the hospital does not delete, with its words, or that are not ours.
    """

    known_again: int = 0
    resend: int = 0
    retract: int = 0
    removed: int = 0
    left: int = 0  # findings of the last reading, which proves the repair
    unknown: int = 0  # of what is retracted, what no record accounts for
    busy: int = 0
    kept: dict[str, str] = field(default_factory=dict)  # Type/id -> why


def repair(
    adapter: Adapter,
    found: Reconciled,
    client: HospitalClient,
    clock: Callable[[], datetime],
    *,
    delete_unknown: bool,
    deliver: Callable[[], None],
    by: str,
) -> Repaired:
    """Put right what is ours: the ledger learns what the hospital holds, `deliver` sends and retracts what
    is due, and then second copies of what we sent are deleted. What the hospital holds under an identity
    that nobody knows any more is retracted only if told to `delete_unknown`.

    What was made anew has another id, so what refers to it is read again and put right in turn.
    """
    work = _Repairs(adapter, found.hospital, client, clock)
    if delete_unknown:
        work.strangers(found.findings)
    findings = found.findings
    for _ in range(_ROUNDS):
        work.ledger(findings)
        if work.done.resend or work.done.retract:
            deliver()
        work.thin_out([one for one in findings if one.verdict is Verdict.DUPLICATES])
        touched = {one.cadre for one in findings if one.verdict not in (Verdict.EXTRA, Verdict.KNOWN_AGAIN)}
        again = reconcile(adapter, found.hospital, client, clock, _quiet, only=touched)
        work.done.left = len(again.findings)
        findings = [one for one in again.findings if not one.foreign and one.cadre not in work.busy]
        if not findings:
            break
    work.note(by)
    return work.done


def _quiet(_stage: str, _hospital: str | None, _done: int, _total: int) -> None:
    """A second reading is short."""


class _Repairs:
    """The repairs of one hospital."""

    def __init__(
        self, adapter: Adapter, hospital: str, client: HospitalClient, clock: Callable[[], datetime]
    ) -> None:
        self._adapter = adapter
        self._hospital = hospital
        self._client = client
        self._clock = clock
        self._ranks = adapter.outlet(hospital).ranks
        self.done = Repaired()
        self.busy: set[str] = set()

    def ledger(self, findings: Sequence[Finding]) -> None:
        """Write down what the hospital holds and what must be sent or retracted again."""
        store = RepairStore(self._adapter.engine)
        for lease, here in self._leased([one for one in findings if one.repair is not None]):
            repairs = [one.repair for one in here if one.repair is not None]
            store.write(lease, repairs, self._clock())
            for one in repairs:
                self.done.known_again += one.holds
                self.done.resend += not one.holds and one.wish is not None
                self.done.retract += not one.holds and one.wish is None

    def strangers(self, findings: Sequence[Finding]) -> None:
        """Retract what carries our identifier and nobody knows."""
        unknown = [
            (one.type, one.identity, one.copies[0], self._ranks.get(one.type, 0))
            for one in findings
            if one.verdict is Verdict.EXTRA and one.repair is None
        ]
        store = RepairStore(self._adapter.engine)
        self.done.unknown = store.retract_unknown(self._hospital, unknown, NOBODY, self._clock())
        self.done.retract += self.done.unknown

    def note(self, by: str) -> None:
        """That somebody had the hospital repaired, for the audit."""
        counts = {name: getattr(self.done, name) for name in ("known_again", "resend", "retract")}
        with write(self._adapter.engine) as connection:
            audit.record(
                connection,
                at=self._clock(),
                actor=by,
                action="hospital.repaired",
                hospital=self._hospital,
                details=counts,
            )

    def thin_out(self, twins: Sequence[Finding]) -> None:
        """Delete second copies, dependants first; one with other content may be the hospital's own."""
        ordered = sorted(twins, key=lambda one: -self._ranks.get(one.type, 0))
        for _lease, here in self._leased(ordered):
            for finding in here:
                for remote_id in finding.copies[1:]:
                    self._remove(finding, remote_id)

    def _remove(self, finding: Finding, remote_id: str) -> None:
        said = "foreign" if finding.foreign else remove(self._client, finding.type, remote_id)
        if said is None:
            self.done.removed += 1
        else:
            self.done.kept[f"{finding.type}/{remote_id}"] = said

    def _leased(self, findings: Sequence[Finding]) -> Iterator[tuple[Lease, list[Finding]]]:
        """The findings of each cadre, while nobody else sends for it; counted where somebody does."""
        grouped: dict[str, list[Finding]] = {}
        for one in findings:
            grouped.setdefault(one.cadre, []).append(one)
        shipments = self._adapter.ledger.shipments
        for cadre, here in grouped.items():
            seconds = self._adapter.settings.lease_seconds
            lease = shipments.claim_one(self._hospital, cadre, self._clock(), seconds)
            if lease is None:
                self.busy.add(cadre)
                self.done.busy = len(self.busy)
                continue
            try:
                yield lease, here
            finally:
                shipments.give_back(lease)
