"""What each hospital holds of a person, and why; and what is kept from it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from adapter.ledger.named_lines import PersonLine
from adapter.ledger.schema.states import EntryState
from adapter.pipeline.application import Adapter
from adapter.records.model import Record, Referral, Visit, VisitKind
from adapter.withheld import withheld_of_person

__all__ = ["HoldingCause", "HospitalHolding", "hospital_holdings"]

_HELD = frozenset((EntryState.DELIVERED, EntryState.RETRACTING))
_GONE = frozenset((EntryState.RETRACTED,))


@dataclass(frozen=True, slots=True)
class HoldingCause:
    """Why a hospital has something: a "referral" to it, a "trip" there."""

    kind: str
    at: date | datetime


@dataclass(frozen=True, slots=True)
class HospitalHolding:
    """`held` counts records by kind that it has, `on_the_way` those that it is to get or get anew, `parked`
    those that it refused, `leaving` those that are being taken back; `withheld` is how many are kept from it,
    by the word of the reason. `last`: when something came there last. Without a cause, it
    is for care, as policy says.
    """

    hospital: str
    held: tuple[tuple[str, int], ...]
    on_the_way: int
    parked: int
    leaving: int
    withheld: tuple[tuple[str, int], ...]
    causes: tuple[HoldingCause, ...]
    last: datetime | None

    @property
    def is_nothing(self) -> bool:
        """Whether it has nothing and is to get nothing."""
        return not (self.held or self.on_the_way or self.parked or self.leaving)


def hospital_holdings(
    adapter: Adapter,
    cadre: str,
    records: Sequence[Record],
    entries: Mapping[str, Sequence[PersonLine]],
) -> tuple[HospitalHolding, ...]:
    """For each hospital of the settings, those that hold most first. `entries` are the ledger's lines of the
    person by hospital.
    """
    names = tuple(adapter.settings.hospitals)
    kept = withheld_of_person(adapter.engine, names, adapter.audit_subject(cadre))
    found = []
    for name in names:
        withheld: Counter[str] = Counter()
        for (_, reason), count in kept.get(name, {}).items():
            withheld[reason] += count
        found.append(_holding(name, entries.get(name, []), withheld, records))
    return tuple(sorted(found, key=lambda one: (-sum(count for _, count in one.held), one.hospital)))


def _holding(
    name: str, entries: Sequence[PersonLine], withheld: Counter[str], records: Iterable[Record]
) -> HospitalHolding:
    by_kind: dict[str, set[str]] = {}
    for one in entries:
        if one.state in _HELD or (one.delivered_at is not None and one.state not in _GONE):
            by_kind.setdefault(one.kind, set()).add(one.key)
    states = Counter(one.state for one in entries)
    leaving = states[EntryState.RETRACTING]
    ready = sum(states[one] for one in (EntryState.PENDING, EntryState.SENDING, EntryState.UNKNOWN))
    return HospitalHolding(
        hospital=name,
        held=tuple(sorted((kind, len(keys)) for kind, keys in by_kind.items())),
        on_the_way=ready,
        parked=states[EntryState.PARKED],
        leaving=leaving,
        withheld=tuple(withheld.most_common()),
        causes=tuple(_causes(name, records)) if entries else (),
        last=max((one.delivered_at for one in entries if one.delivered_at), default=None),
    )


def _causes(name: str, records: Iterable[Record]) -> Iterable[HoldingCause]:
    for one in records:
        if isinstance(one, Referral) and one.hospital == name and one.status in ("active", "on-hold"):
            yield HoldingCause("referral", one.ordered_at)
        elif isinstance(one, Visit) and one.type is VisitKind.TRIP and one.hospital == name:
            yield HoldingCause("trip", one.started_at)
