"""Which records belong together: what a referral needs, what goes along with a visit (no input or output)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from adapter.records.model import Cadre, Diagnosis, Fulfilment, Measurement, Record, Referral, Visit
from adapter.referrals.lifecycle import ReferralState

__all__ = ["ORDER_TYPES", "RecordKey", "RelatedRecords", "is_withdrawn", "needed_records", "orders_to"]

RecordKey = tuple[str, str]  # (kind, key) of a record
_VOID = ("revoked", "entered-in-error")
# What a referral or a trip itself becomes at a hospital: where that does not go, the order does not.
ORDER_TYPES: Mapping[str, str] = {Referral.kind: "ServiceRequest", Visit.kind: "Encounter"}


def orders_to(hospital: str, records: Iterable[Record]) -> Iterator[Referral | Visit]:
    """The referrals and escorted trips to this hospital."""
    return (one for one in records if isinstance(one, Referral | Visit) and one.hospital == hospital)


def needed_records(
    hospital: str, records: Sequence[Record], refused: Collection[RecordKey] = ()
) -> frozenset[RecordKey]:
    """What the referrals and escorted trips to this hospital need, of one person's records: themselves,
    their visit with its diagnoses, the measurements that a referral names (all of the visit's if it
    names none), and the person. A withdrawn referral needs itself and the person alone, and one that is
    `refused`, since it does not go there itself, needs nothing at all: what came with it would tell of it.
    """
    found: set[RecordKey] = set()
    visits: set[str] = set()
    whole: set[str | None] = set()
    named: set[tuple[str | None, str]] = set()
    for order in orders_to(hospital, records):
        if (order.kind, order.key) in refused:
            continue
        found.add((Cadre.kind, order.cadre))
        if isinstance(order, Referral):
            found.add((order.kind, order.key))
            if is_withdrawn(order):
                continue  # the hospital is told that much, and needs nothing for it any more
            visits.add(order.visit or "")
            if order.supporting:
                named |= {(order.visit, measure) for measure in order.supporting}
            else:
                whole.add(order.visit)
        else:
            visits.add(order.key)
    found |= {(Visit.kind, key) for key in visits}
    for record in records:
        if isinstance(record, Measurement):
            of_visit = record.visit in whole or (record.visit, record.measure) in named
        else:
            of_visit = isinstance(record, Diagnosis) and record.visit in visits
        if of_visit:
            found.add((record.kind, record.key))
    return frozenset(found)


def is_withdrawn(referral: Referral) -> bool:
    """Withdrawn before the hospital did anything for it: in the records, or by asking to cancel it."""
    if referral.status in _VOID:
        return referral.fulfilment is Fulfilment.NONE
    return referral.cancel_asked_at is not None and referral.state is ReferralState.CANCELLED


class RelatedRecords:
    """The records that go to one hospital so far, by visit: what `related` gives a mapping."""

    def __init__(self) -> None:
        self._of_visit: dict[str, dict[str, dict[str, Record]]] = defaultdict(lambda: defaultdict(dict))

    def add(self, record: Record) -> None:
        """This record goes."""
        visit = getattr(record, "visit", None)
        if visit is not None:
            self._of_visit[visit][record.kind][record.key] = record

    def related_to(self, record: Record) -> Mapping[str, Sequence[Record]]:
        """What goes along with a visit, by kind; with a referral the measurements that it names."""
        if isinstance(record, Visit):
            return {kind: tuple(found.values()) for kind, found in self._of_visit[record.key].items()}
        if isinstance(record, Referral) and record.visit is not None:
            there = self._of_visit[record.visit][Measurement.kind].values()
            by_measure = {one.measure: one for one in there if isinstance(one, Measurement)}
            return {Measurement.kind: [by_measure[one] for one in record.supporting if one in by_measure]}
        return {}
