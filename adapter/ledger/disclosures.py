"""Which policy is in force at each hospital, and what of whom waits for consent: all SQL on them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Engine, bindparam, delete, func, or_, select, text, update

from adapter.database import read_transaction
from adapter.ledger.schema import tables
from adapter.ledger.schema.states import EntryEvent, EntryState, next_state
from adapter.ledger.schema.transitions import pack_transition
from adapter.ledger.schema.values import LedgerEntry
from adapter.ledger.shipments import ShipmentStore

__all__ = [
    "ActivePolicy",
    "DisclosureCounter",
    "DisclosureStore",
    "DisclosureWeight",
    "PersonDisclosure",
]

_FEW_PEOPLE = 5  # who may always be concerned, unless nobody may
_FEW = 20  # resources whose records are gone that may always be taken back
_MANY = 500  # identities in one statement

_F, _P, _E = tables.policy_in_force, tables.person_disclosure, tables.entry

_SET = text(
    "INSERT INTO ledger_person (hospital, cadre, exposure, aside, newly, withdrawn, gone) "
    "VALUES (:hospital, :cadre, :exposure, :aside, :newly, :withdrawn, :gone) "
    "ON CONFLICT (hospital, cadre) DO UPDATE SET exposure = excluded.exposure, aside = excluded.aside, "
    "newly = excluded.newly, withdrawn = excluded.withdrawn, gone = excluded.gone"
)
_ACTIVATE = text(
    "INSERT INTO policy_in_force (hospital, digest, level, since, content) "
    "VALUES (:hospital, :digest, :level, :since, :content) "
    "ON CONFLICT (hospital) DO UPDATE SET digest = excluded.digest, level = excluded.level, "
    "since = excluded.since, content = excluded.content"
).bindparams(bindparam("since", type_=_F.c.since.type), bindparam("content", type_=_F.c.content.type))
_ASIDE = (_P.c.hospital == bindparam("b_hospital")) & _P.c.aside.is_(True)


@dataclass(frozen=True, slots=True)
class ActivePolicy:
    """The policy by which a hospital holds what it holds, and the hospital's level then: which of its lines
    counts. `content` is the file.
    """

    digest: str
    level: str
    content: bytes


@dataclass(frozen=True, slots=True)
class PersonDisclosure:
    """One person at a hospital. `exposure`: how much the hospital may know of who it is, as in force (None:
    not known). The rest counts resources that are set aside: those that would newly go, be withdrawn since
    policy or tier say so, or leave with records that are gone.
    """

    exposure: int | None = None
    newly: int = 0
    withdrawn: int = 0
    gone: int = 0

    @property
    def is_aside(self) -> bool:
        """Whether something of this person waits."""
        return bool(self.newly or self.withdrawn or self.gone)


@dataclass(frozen=True, slots=True)
class DisclosureWeight:
    """How much a change of policy, tiers or records discloses or takes back at one hospital, in people and
    resources. `newly`: what goes for the first time, or says more than before. `withdrawn`: what policy or
    tier take away; `gone`: what leaves with its records. `held`: what the hospital holds.
    """

    newly_people: int = 0
    newly: int = 0
    withdrawn_people: int = 0
    withdrawn: int = 0
    gone_people: int = 0
    gone: int = 0
    taken_people: int = 0  # of whom anything is taken back, withdrawn or gone
    held_people: int = 0
    held: int = 0

    @property
    def taken(self) -> int:
        """All resources that would be taken back."""
        return self.withdrawn + self.gone

    def is_within(self, percent: float) -> bool:
        """Whether that is little enough to need nobody's consent. Records that are gone count by resources
        too: of many people one is corrected each, and each then leaves and comes back under another key.
        """
        if not percent:
            return not (self.newly or self.taken)
        people = max(_FEW_PEOPLE, self.held_people * percent / 100)
        few_gone = self.gone_people <= people or self.gone <= max(_FEW, self.held * percent / 100)
        return self.newly_people <= people and self.withdrawn_people <= people and few_gone


class DisclosureCounter:
    """Adds up what is set aside, person by person."""

    def __init__(self) -> None:
        self._people: Counter[str] = Counter()
        self._resources: Counter[str] = Counter()

    def add(self, one: PersonDisclosure | None) -> None:
        """One person's part."""
        if one is None or not one.is_aside:
            return
        counts = {"newly": one.newly, "withdrawn": one.withdrawn, "gone": one.gone}
        self._resources.update(counts)
        self._people.update([name for name, count in counts.items() if count])
        self._people["taken"] += bool(one.withdrawn or one.gone)

    def weight(self, held_people: int, held: int) -> DisclosureWeight:
        """All of it, where the hospital holds so much."""
        people = {f"{name}_people": count for name, count in self._people.items()}
        return DisclosureWeight(**people, **self._resources, held_people=held_people, held=held)


class DisclosureStore:
    """Policies in force, and what waits."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def active_policy(self, hospital: str) -> ActivePolicy | None:
        """The hospital's policy; None before its first whole plan."""
        query = select(_F.c.digest, _F.c.level, _F.c.content).where(_F.c.hospital == hospital)
        with read_transaction(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        return ActivePolicy(row.digest, row.level, bytes(row.content)) if row else None

    @staticmethod
    def activate(connection: Connection, hospital: str, policy: ActivePolicy, now: datetime) -> None:
        """From now on the hospital has this policy. In the caller's transaction."""
        values = {"digest": policy.digest, "level": policy.level, "content": policy.content}
        connection.execute(_ACTIVATE, {"hospital": hospital, "since": now, **values})

    def people(self, hospital: str, cadres: Collection[str]) -> dict[str, PersonDisclosure]:
        """What is known of these people there."""
        columns = (_P.c.cadre, _P.c.exposure, _P.c.newly, _P.c.withdrawn, _P.c.gone)
        query = select(*columns).where(_P.c.hospital == hospital, _P.c.cadre.in_(list(cadres)))
        with read_transaction(self._engine) as connection:
            return {row[0]: PersonDisclosure(*row[1:]) for row in connection.execute(query)}

    @staticmethod
    def write(connection: Connection, hospital: str, people: Mapping[str, PersonDisclosure | None]) -> None:
        """What is known of these people from now on (None: nothing). In the caller's transaction."""
        rows = [
            {
                "hospital": hospital,
                "cadre": cadre,
                "exposure": one.exposure,
                "aside": one.is_aside,
                "newly": one.newly,
                "withdrawn": one.withdrawn,
                "gone": one.gone,
            }
            for cadre, one in people.items()
            if one is not None
        ]
        if rows:
            connection.execute(_SET, rows)
        if forgotten := [cadre for cadre, one in people.items() if one is None]:
            connection.execute(delete(_P).where(_P.c.hospital == hospital, _P.c.cadre.in_(forgotten)))

    def aside(self, hospital: str) -> list[str]:
        """Of whom something is set aside."""
        query = select(_P.c.cadre).where(_ASIDE)
        with read_transaction(self._engine) as connection:
            return sorted(connection.execute(query, {"b_hospital": hospital}).scalars())

    def weight(self, hospital: str) -> DisclosureWeight | None:
        """All that is set aside; None where nothing is."""
        sums = [
            one
            for column in (_P.c.newly, _P.c.withdrawn, _P.c.gone)
            for one in (func.count().filter(column > 0), func.coalesce(func.sum(column), 0))
        ]
        taken = func.count().filter((_P.c.withdrawn > 0) | (_P.c.gone > 0))
        query = select(*sums, taken).where(_ASIDE)
        with read_transaction(self._engine) as connection:
            row = connection.execute(query, {"b_hospital": hospital}).one()
        if not any(row):
            return None
        people, held = self.held(hospital)
        return replace(DisclosureWeight(*map(int, row)), held_people=people, held=held)

    def held(self, hospital: str) -> tuple[int, int]:
        """Of how many people the hospital holds something, and how many resources."""
        there = or_(_E.c.remote_id.is_not(None), _E.c.delivered_digest.is_not(None))
        query = select(func.count(_E.c.cadre.distinct()), func.count()).where(
            _E.c.hospital == hospital, there, _E.c.state != EntryState.RETRACTED
        )
        with read_transaction(self._engine) as connection:
            people, resources = connection.execute(query).one()
        return int(people), int(resources)

    @staticmethod
    def stop_updates(
        connection: Connection, hospital: str, entries: Sequence[LedgerEntry], now: datetime
    ) -> None:
        """What was planned and not begun for these lines does not go any more: the hospital keeps what it
        holds. In the caller's transaction, after the plan.
        """
        if not entries:
            return
        cadres = sorted({one.cadre for one in entries})
        ShipmentStore.lock(connection, hospital, cadres)
        state = next_state(EntryState.PENDING, EntryEvent.CONFIRM)
        history = tables.append_history(connection.dialect.name, pack_transition(state, now))
        as_delivered = {"state": state, "desired_digest": _E.c.delivered_digest, "body": None, "reason": None}
        for start in range(0, len(entries), _MANY):
            theirs = _E.c.identity.in_([one.identity for one in entries[start : start + _MANY]])
            # Not by the column: of many lines SQLite would rather read all that are in that state.
            is_pending = func.coalesce(_E.c.state, "") == EntryState.PENDING
            pending = (_E.c.hospital == hospital) & theirs & is_pending
            held = update(_E).where(pending, _E.c.delivered_digest.is_not(None))
            connection.execute(held.values(**as_delivered, detail=None, changed_at=now, history=history))
            connection.execute(update(_E).where(pending).values(body=None))
        ShipmentStore.mark_due(connection, hospital, cadres, now)
