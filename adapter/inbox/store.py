"""All SQL of the inbox but the door's (`receive`)."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    Engine,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from adapter.awaited import await_names
from adapter.database import read_transaction
from adapter.fhir import codec
from adapter.inbox.evidence import is_another_person, listed_members
from adapter.inbox.matching import Candidate
from adapter.inbox.newest_items import newest_of_each
from adapter.inbox.ordering import ServerVersion, VersionStatus, issued_at, version_status
from adapter.inbox.tables import STATES, inbox_item, inbox_listing, inbox_mark
from adapter.referrals.details import TaskDetails, details_of
from adapter.referrals.sayings import ReferralSaying, saying_of

__all__ = ["InboxItem", "InboxStore", "inbox_item_of"]

_MOST_LISTS = 5  # reports and panels that list one result
_MOST_LISTED_BYTES = 32 * 1024 * 1024
_MOST_OTHERS = 200
_MOST_PEOPLE = 20  # versions of one Patient
_UNSEEN = (inbox_item.c.state == "ignored") & (inbox_item.c.settled_by == "matching")
_BACKLOGS = tuple(
    select(inbox_item.c.hospital, func.count(), func.min(inbox_item.c.received_at))
    .where(waits, bindparam("b_before", type_=inbox_item.c.received_at.type) > inbox_item.c.received_at)
    .group_by(inbox_item.c.hospital)
    for waits in (inbox_item.c.state == "unmatched", _UNSEEN)
)

# Made once: each item that is looked at needs them.
_LISTS = (
    select(inbox_listing.c.listed_by)
    .where(inbox_listing.c.hospital == bindparam("hospital"), inbox_listing.c.member == bindparam("member"))
    .order_by(inbox_listing.c.listed_by)
    .limit(_MOST_LISTS)
)
_LOCKED_VERSIONS = (
    select(inbox_item)
    .where(inbox_item.c.lineage == bindparam("lineage"))
    .order_by(inbox_item.c.id)
    .with_for_update()
)
_VERSIONS = (
    select(inbox_item)
    .where(inbox_item.c.lineage == bindparam("lineage"))
    .order_by(inbox_item.c.id.desc())
    .limit(bindparam("limit"))
)
_SETTLED = (
    "state",
    "reasons",
    "candidates",
    "cadre",
    "referral",
    "result_key",
    "due_at",
    "settled_at",
    "settled_by",
)
_SETTLE = (
    update(inbox_item)
    .where(inbox_item.c.id == bindparam("b_id"))
    .values(attempts=inbox_item.c.attempts + 1, failures=0, **{name: bindparam(name) for name in _SETTLED})
)


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One version of one resource that a hospital sent. `body` is its FHIR JSON."""

    id: int
    hospital: str
    type: str
    resource_id: str
    version: int
    identity: str | None
    body: str
    received_at: datetime
    state: str
    reasons: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    cadre: str | None
    referral: str | None
    result_key: str | None
    attempts: int
    settled_at: datetime | None
    settled_by: str | None
    lineage: int = 0
    failures: int = 0
    sender_version: int | None = None
    sender_updated: datetime | None = None

    @property
    def status(self) -> VersionStatus:
        """What its order among other versions depends on."""
        return version_status(self.resource, self.received_at, self.there)

    @property
    def there(self) -> ServerVersion | None:
        """Which version the sender's server says that it is."""
        if self.sender_updated is None:
            return None
        return ServerVersion(self.resource_id, self.sender_version, self.sender_updated)

    @property
    def resource(self) -> codec.Resource:
        """The resource, parsed."""
        parsed: codec.Resource = codec.loads(self.body)
        return parsed


class InboxStore:
    """The inbox of one database. Methods without a `connection` use a transaction of their own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def get(self, item_id: int) -> InboxItem | None:
        """The item of that number."""
        with read_transaction(self.engine) as connection:
            row = connection.execute(select(inbox_item).where(inbox_item.c.id == item_id)).first()
        return inbox_item_of(row) if row else None

    def items(self, state: str | None = None, *, hospital: str | None = None) -> Iterator[InboxItem]:
        """Items in that state (None: any), oldest first, read a page at a time."""
        after = 0
        while page := self._page((state,) if state else STATES, after, 200, hospital):
            yield from page
            after = page[-1].id

    def of_cadre(self, cadre: str) -> Sequence[InboxItem]:
        """What was found, or said by a person, to be this one's; oldest first."""
        query = select(inbox_item).where(
            inbox_item.c.cadre == cadre, inbox_item.c.state.in_(("applied", "linked"))
        )
        with read_transaction(self.engine) as connection:
            return [inbox_item_of(row) for row in connection.execute(query.order_by(inbox_item.c.id))]

    @staticmethod
    def reassign(connection: Connection, items: Sequence[int], cadre: str) -> None:
        """These items are another's."""
        for item in items:
            connection.execute(update(inbox_item).where(inbox_item.c.id == item).values(cadre=cadre))

    def _page(
        self, states: Sequence[str], after: int, limit: int, hospital: str | None = None
    ) -> Sequence[InboxItem]:
        query: Select[Any] = select(inbox_item).where(inbox_item.c.state.in_(states), inbox_item.c.id > after)
        if hospital:
            query = query.where(inbox_item.c.hospital == hospital)
        with read_transaction(self.engine) as connection:
            rows = connection.execute(query.order_by(inbox_item.c.id).limit(limit)).all()
        return [inbox_item_of(row) for row in rows]

    def counts(self, hospital: str | None = None) -> dict[str, int]:
        """How many items are in each state; every state is there."""
        query = select(inbox_item.c.state, func.count()).group_by(inbox_item.c.state)
        if hospital:
            query = query.where(inbox_item.c.hospital == hospital)
        with read_transaction(self.engine) as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(query)}
        return {state: found.get(state, 0) for state in STATES}

    def unseen(self, limit: int = 200, *, after: int = 0) -> Sequence[InboxItem]:
        """Versions that were ignored as older and that no person has seen yet, oldest first."""
        query = select(inbox_item).where(_UNSEEN, inbox_item.c.id > after).order_by(inbox_item.c.id)
        with read_transaction(self.engine) as connection:
            return [inbox_item_of(row) for row in connection.execute(query.limit(limit))]

    def mark_seen(self, item_id: int, *, by: str, connection: Connection) -> bool:
        """A person has seen a version that was ignored as older; False where it is none, or was seen."""
        mine = (inbox_item.c.id == item_id) & _UNSEEN
        done = connection.execute(update(inbox_item).where(mine).values(settled_by=by))
        return bool(done.rowcount)

    def unmatched_backlog(self, before: datetime) -> dict[str, tuple[int, datetime]]:
        """What waits for a person since before that moment: hospital -> how many, and the oldest. What was
        ignored as older waits to be seen.
        """
        backlog: dict[str, tuple[int, datetime]] = {}
        with read_transaction(self.engine) as connection:
            for query in _BACKLOGS:
                for name, count, since in connection.execute(query, {"b_before": before}):
                    more, earlier = backlog.get(name, (0, since))
                    backlog[name] = (more + int(count), min(earlier, since))
        return backlog

    def newest_version(self, hospital: str, reference: str) -> codec.Resource | None:
        """The newest version of `Type/id` that this hospital sent here."""
        found, _ = self.newest_versions(hospital, [reference], _MOST_LISTED_BYTES)
        return found.get(reference)

    def newest_versions(
        self, hospital: str, references: Collection[str], most_bytes: int
    ) -> tuple[dict[str, codec.Resource], int]:
        """The newest versions of these `Type/id` that this hospital sent here, in a few statements; and how
        many of so many bytes are left: below zero where some were not read for that.
        """
        with read_transaction(self.engine) as connection:
            names = _newest(connection, hospital, references)
            sized = select(inbox_item.c.id, func.length(inbox_item.c.body)).where(inbox_item.c.id.in_(names))
            wanted: list[int] = []
            for item, size in connection.execute(sized) if names else ():
                most_bytes -= size
                if most_bytes >= 0:
                    wanted.append(item)
            query = select(inbox_item.c.id, inbox_item.c.body).where(inbox_item.c.id.in_(wanted))
            bodies = connection.execute(query).all() if wanted else []
        return {names[item]: codec.loads(body) for item, body in bodies}, most_bytes

    def newest_items_named(self, hospital: str, references: Collection[str]) -> list[InboxItem]:
        """The newest versions of these `Type/id` that this hospital sent here, the first come first."""
        with read_transaction(self.engine) as connection:
            ids = list(_newest(connection, hospital, references))
            query = select(inbox_item).where(inbox_item.c.id.in_(ids)).order_by(inbox_item.c.id)
            return [inbox_item_of(row) for row in connection.execute(query)] if ids else []

    def was_somebody_else(self, hospital: str, reference: str) -> bool:
        """Whether what the hospital sent under that `Patient/id` was somebody else before."""
        query = select(inbox_item.c.body).where(
            inbox_item.c.hospital == hospital,
            inbox_item.c.type == "Patient",
            inbox_item.c.resource_id == reference.partition("/")[2],
        )
        with read_transaction(self.engine) as connection:
            bodies = connection.execute(query.order_by(inbox_item.c.id.desc()).limit(_MOST_PEOPLE)).scalars()
            newest, *earlier = [codec.loads(body) for body in bodies] or [{}]
        return any(is_another_person(newest, one) for one in earlier)

    def versions(self, connection: Connection, item: InboxItem) -> Sequence[InboxItem]:
        """All versions of the item's resource as they are now, locked until the transaction ends."""
        return self.lineage_versions(connection, item.lineage)

    @staticmethod
    def lineage_versions(connection: Connection, lineage: int) -> Sequence[InboxItem]:
        """All versions of a lineage, as `versions`."""
        rows = connection.execute(_LOCKED_VERSIONS, {"lineage": lineage})
        return [inbox_item_of(row) for row in rows]

    def listed_by(self, hospital: str, reference: str) -> list[codec.Resource]:
        """The reports and panels of this hospital that list that result, in their newest versions."""
        with read_transaction(self.engine) as connection:
            names = connection.execute(_LISTS, {"hospital": hospital, "member": reference}).scalars().all()
        found, _ = self.newest_versions(hospital, names, _MOST_LISTED_BYTES) if names else ({}, 0)
        return [found[name] for name in names if name in found and reference in listed_members(found[name])]

    def lists_of(self, item: InboxItem) -> list[InboxItem]:
        """The reports and panels of the same hospital that list an item, in their newest versions."""
        reference = f"{item.type}/{item.resource_id}"
        asked = {"hospital": item.hospital, "member": reference}
        with read_transaction(self.engine) as connection:
            names = connection.execute(_LISTS, asked).scalars().all()
        found = self.newest_items_named(item.hospital, names) if names else ()
        return [one for one in found if reference in listed_members(one.resource)]

    @staticmethod
    def belong_to(connection: Connection, items: Collection[int], cadre: str) -> bool:
        """Whether all these are that person's."""
        mine = inbox_item.c.id.in_(items), inbox_item.c.cadre == cadre
        there = inbox_item.c.state.in_(("applied", "linked"))
        found = connection.execute(select(func.count()).select_from(inbox_item).where(*mine, there))
        return found.scalar() == len(items)

    def others_of(self, item: InboxItem, cadre: str) -> list[codec.Resource]:
        """What else of that type this hospital sent about that person and is in the record; the newest."""
        query = (
            select(inbox_item.c.body)
            .where(
                inbox_item.c.cadre == cadre,
                inbox_item.c.hospital == item.hospital,
                inbox_item.c.type == item.type,
                inbox_item.c.lineage != item.lineage,
                inbox_item.c.state.in_(("applied", "linked")),
            )
            .order_by(inbox_item.c.id.desc())
            .limit(_MOST_OTHERS)
        )
        with read_transaction(self.engine) as connection:
            return [codec.loads(body) for body in connection.execute(query).scalars()]

    @staticmethod
    def order_statements(
        connection: Connection, cadres: Collection[str]
    ) -> Iterator[tuple[str, ReferralSaying | None, datetime, TaskDetails | None]]:
        """What Tasks and copies of orders say of these people's referrals, and when, in the order of their
        arrival: those that a person took back say nothing.
        """
        query = select(inbox_item).where(
            inbox_item.c.cadre.in_(list(cadres)),
            inbox_item.c.type.in_(("ServiceRequest", "Task")),
        )
        for item in map(inbox_item_of, connection.execute(query.order_by(inbox_item.c.id))):
            saying, details = saying_of(item.resource), details_of(item.resource)
            if (saying or details) and item.referral and item.state in ("applied", "linked"):
                at = issued_at(item.resource, item.received_at) or item.received_at
                yield item.referral, saying, at, details

    def of_lineage(self, lineage: int, limit: int = 50) -> Sequence[InboxItem]:
        """The versions of one result, the newest first."""
        with read_transaction(self.engine) as connection:
            rows = connection.execute(_VERSIONS, {"lineage": lineage, "limit": limit})
            return [inbox_item_of(row) for row in rows]

    def is_first(self, item: InboxItem) -> bool:
        """Whether nothing of its lineage came before."""
        query = select(inbox_item.c.id).where(inbox_item.c.lineage == item.lineage, inbox_item.c.id < item.id)
        with read_transaction(self.engine) as connection:
            return connection.execute(query.limit(1)).first() is None

    def linked_version(self, item: InboxItem) -> InboxItem | None:
        """The last version before this one that a person linked."""
        earlier = (one for one in self.of_lineage(item.lineage) if one.id < item.id)
        return next((one for one in earlier if one.state == "linked"), None)

    @staticmethod
    def join_lineage(connection: Connection, item: InboxItem, lineage: int) -> None:
        """All versions of the item's lineage are versions of that other one's, and found as such."""
        if item.lineage == lineage:
            return
        there = select(inbox_mark.c.value).where(inbox_mark.c.lineage == lineage)
        known = set(connection.execute(there).scalars())
        mine = inbox_mark.c.lineage == item.lineage
        for row in connection.execute(select(inbox_mark).where(mine)).all():
            if row.value not in known:
                connection.execute(insert(inbox_mark).values({**row._mapping, "lineage": lineage}))
        connection.execute(delete(inbox_mark).where(mine))
        versions = inbox_item.c.lineage == item.lineage
        connection.execute(update(inbox_item).where(versions).values(lineage=lineage))

    def settle(
        self,
        item_id: int,
        state: str,
        *,
        now: datetime,
        by: str | None = "matching",
        reasons: Sequence[str] = (),
        candidates: Sequence[Candidate] = (),
        cadre: str | None = None,
        referral: str | None = None,
        result_key: str | None = None,
        due_at: datetime | None = None,
        awaits: Collection[str] = (),
        connection: Connection,
    ) -> None:
        """Write down what became of the item; when it is to be looked at again, and which names it awaits."""
        await_names(connection, item_id, awaits)
        values = {
            "b_id": item_id,
            "state": state,
            "reasons": orjson.dumps(list(reasons)).decode(),
            "candidates": orjson.dumps([asdict(one) for one in candidates]).decode(),
            "cadre": cadre,
            "referral": referral,
            "result_key": result_key,
            "due_at": due_at,
            "settled_at": now,
            "settled_by": by,
        }
        connection.execute(_SETTLE, values)


def _newest(connection: Connection, hospital: str, references: Collection[str]) -> dict[int, str]:
    """The numbers of the newest versions of these `Type/id`, each with its name."""
    rows = codec.dumps({one: one.partition("/")[::2] for one in references}).decode()
    found = connection.execute(newest_of_each(connection.dialect.name), {"rows": rows, "hospital": hospital})
    return {int(item): name for name, item in found if item is not None}


def inbox_item_of(row: Row[Any]) -> InboxItem:
    """The item that a row of the table says."""
    fields = {name: getattr(row, name) for name in InboxItem.__slots__}
    fields["reasons"] = tuple(orjson.loads(row.reasons))
    fields["candidates"] = tuple(
        Candidate(one["cadre"], one["referral"], tuple(one["because"]))
        for one in orjson.loads(row.candidates)
    )
    return InboxItem(**fields)
