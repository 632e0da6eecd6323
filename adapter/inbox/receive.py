"""The door of the inbox: an accepted resource becomes an item in the transaction that stores it.

So what the endpoint acknowledged is in the inbox, and what it refused is not. The same content
again is recognised, whether under the same identity or posted anew without one; so is an earlier version
that comes late.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, update

from adapter.awaited import note_arrivals, sent_name
from adapter.bulk_insert import insert_rows
from adapter.fhir import codec
from adapter.inbox.arrival_facts import ArrivalFacts, arrival_facts
from adapter.inbox.caveats import resource_caveats
from adapter.inbox.lineage import CODED_TYPES, LineageChoice
from adapter.inbox.matching import READ_TYPES
from adapter.inbox.ordering import ServerVersion, latest, older, version_status, written_after
from adapter.inbox.recognition import RESULT_TYPES, Arrival, Recognition, marks_of
from adapter.inbox.tables import inbox_item

__all__ = [
    "AcceptedVersion",
    "ReceivedVersion",
    "receive_versions",
]

# Made once: to make them for each of a thousand entries took more than to carry them out.
_ADD_ITEM = insert(inbox_item)
_BEGIN_LINEAGE = (
    update(inbox_item).where(inbox_item.c.id == bindparam("item")).values(lineage=inbox_item.c.id)
)


@dataclass(frozen=True, slots=True)
class AcceptedVersion:
    """One version of a resource: `id` and `version` are the repository's, `body` the JSON that it stores,
    `there` what the sender's server says which version it is, `facts` those of the resource, made earlier,
    `is_new_id` that the repository made the id for it just now.
    """

    type: str
    id: str
    version: int
    resource: codec.Resource
    body: bytes
    there: ServerVersion | None = None
    facts: ArrivalFacts | None = None
    is_new_id: bool = False


@dataclass(frozen=True, slots=True)
class ReceivedVersion:
    """The number of the item, and why the version is ignored as older, if it is."""

    item: int
    older: str | None = None


def receive_versions(
    connection: Connection,
    hospital: str,
    accepted: Sequence[AcceptedVersion],
    *,
    now: datetime,
    delivery: str | None = None,
    envelope: codec.Resource | None = None,
) -> list[ReceivedVersion]:
    """Store what was accepted, in the caller's transaction and in its order.

    What came in one request has one `delivery`, and the Bundle of that is the `envelope`. For a repeat (the
    newest content of that identity again) the number is that of the item there already is.
    """
    return _Door(connection, hospital, now, delivery, envelope).receive(accepted)


class _Door:
    """What one request brings. Whatever is new in every way is written together, a statement for all; what
    has a past is looked at one by one.
    """

    def __init__(
        self,
        connection: Connection,
        hospital: str,
        now: datetime,
        delivery: str | None,
        envelope: codec.Resource | None,
    ) -> None:
        self._connection = connection
        self._hospital = hospital
        self._now = now
        self._delivery = delivery
        self._is_marked = any(resource_caveats(envelope or {}))
        self._recognitions: dict[str, Recognition] = {}

    def receive(self, accepted: Sequence[AcceptedVersion]) -> list[ReceivedVersion]:
        """See `receive_versions`."""
        arrivals = [
            Arrival(one.id, one.resource, one.facts or arrival_facts(one.resource), one.is_new_id)
            for one in accepted
        ]
        of_type: dict[str, list[Arrival]] = {}
        for one, arrival in zip(accepted, arrivals, strict=True):
            of_type.setdefault(one.type, []).append(arrival)
        unknown = {
            (type_, id_)
            for type_, listed in of_type.items()
            for id_ in self._recognition(type_).unknown(listed)
        }
        received: list[ReceivedVersion] = []
        pairs = zip(accepted, arrivals, strict=True)
        for is_new, group in groupby(pairs, lambda pair: (pair[0].type, pair[0].id) in unknown):
            if is_new:
                received += self._begin(list(group))
            else:
                received += [self._go_on(one, arrival) for one, arrival in group]
        note_arrivals(self._connection, self._arrived(accepted, arrivals))
        return received

    def _recognition(self, type_: str) -> Recognition:
        return self._recognitions.setdefault(type_, Recognition(self._connection, self._hospital, type_))

    def _arrived(self, accepted: Iterable[AcceptedVersion], arrivals: Iterable[Arrival]) -> Iterator[str]:
        for one, arrival in zip(accepted, arrivals, strict=True):
            yield sent_name(self._hospital, f"{one.type}/{one.id}")
            for member in arrival.facts.members:
                yield sent_name(self._hospital, member)

    def _begin(self, group: Sequence[tuple[AcceptedVersion, Arrival]]) -> list[ReceivedVersion]:
        """Each is the first of its lineage."""
        rows = [self._row(one, arrival.facts, LineageChoice()) for one, arrival in group]
        insert_rows(self._connection, inbox_item, rows)
        items: dict[tuple[str, str], int] = {}
        for type_ in dict.fromkeys(one.type for one, _ in group):
            recognition = self._recognition(type_)
            mine = [arrival for one, arrival in group if one.type == type_]
            found = recognition.begin_lineages([one.id for one in mine])
            items |= {(type_, id_): item for id_, item in found.items()}
            recognition.add_marks(
                (found[one.id], mark) for one in mine for mark in marks_of(type_, one.facts)
            )
            for one in mine:
                recognition.list_members(f"{type_}/{one.id}", one.facts.members)
        return [ReceivedVersion(items[one.type, one.id]) for one, _ in group]

    def _go_on(self, one: AcceptedVersion, arrival: Arrival) -> ReceivedVersion:
        """It may be a version of something that came before."""
        recognition, facts = self._recognition(one.type), arrival.facts
        digest = facts.digest
        choice, versions = recognition.find(arrival, self._delivery)
        known = _repeated(versions, digest)
        if known is not None and any(version.resource_id == one.id for version in versions):
            return ReceivedVersion(known)
        why = None
        if choice.lineage is not None:
            came_before = one.type in RESULT_TYPES and recognition.has_version(choice.lineage, digest)
            why = _why_older(versions, one, self._now, came_before=came_before)
        row = self._row(one, facts, choice)
        is_repeated = known is not None and one.type in CODED_TYPES | READ_TYPES
        if is_repeated:  # its URL is kept, for what comes to it later
            row, why = _ignored(row, "repeated"), None
        elif why == "older-version":  # as its server itself says: nobody needs to look at it
            row = _ignored(row, why)
        elif why == "repeated-version":
            row = _ignored(row, why) | {"settled_at": self._now, "settled_by": "matching"}
        done = self._connection.execute(_ADD_ITEM, row)
        assert done.inserted_primary_key is not None  # noqa: S101 - one-row inserts always have it
        item = int(done.inserted_primary_key[0])
        if choice.lineage is None:
            self._connection.execute(_BEGIN_LINEAGE, {"item": item})
        recognition.mark(choice.lineage or item, facts)
        recognition.list_members(f"{one.type}/{one.id}", facts.members)
        is_known = known is not None and row["state"] == "ignored" and _is_read(one.type)
        return ReceivedVersion(known if known is not None and is_known else item, why)

    def _row(self, one: AcceptedVersion, facts: ArrivalFacts, choice: LineageChoice) -> dict[str, Any]:
        reasons = [choice.doubt] if choice.doubt else []
        if self._is_marked:
            reasons.append("marked-delivery")
        is_read = _is_read(one.type)
        return {
            "hospital": self._hospital,
            "type": one.type,
            "resource_id": one.id,
            "version": one.version,
            "identity": facts.identity,
            "digest": facts.digest,
            "body": one.body.decode("utf-8"),
            "received_at": self._now,
            "state": "new" if is_read else "ignored",
            "reasons": codec.dumps(reasons if is_read else ["context"]).decode(),
            "candidates": "[]",
            "attempts": 0,
            "due_at": self._now if is_read else None,
            "settled_at": None,
            "settled_by": None,
            "lineage": choice.lineage or 0,
            "delivery": self._delivery,
            "sender_version": one.there.number if one.there else None,
            "sender_updated": one.there.updated if one.there else None,
        }


def _is_read(type_: str) -> bool:
    return type_ in RESULT_TYPES or type_ in READ_TYPES


def _ignored(row: dict[str, Any], reason: str) -> dict[str, Any]:
    return row | {"state": "ignored", "reasons": codec.dumps([reason]).decode(), "due_at": None}


def _repeated(versions: Sequence[Row[Any]], digest: str) -> int | None:
    """The item that has this very content, if that is the newest. An older one does not count: A, then B,
    then A again is no repeat of what there is.
    """
    taken = [one for one in versions if one.reasons not in _LATE]
    return int(taken[-1].id) if taken and taken[-1].digest == digest else None


_LATE = ('["repeated"]', '["repeated-version"]', '["older-version"]')


def _why_older(
    versions: Sequence[Row[Any]], one: AcceptedVersion, now: datetime, *, came_before: bool
) -> str | None:
    """Whether it is ignored as older, as far as can be told before anybody is looked for. `came_before`
    tells that a version had this very content: unless its server wrote it anew, it is that one.
    """
    known = latest(
        version_status(codec.loads(each.body), each.received_at, version_there(each))
        for each in versions
        if each.reasons not in _LATE
    )
    new = version_status(one.resource, now, one.there)
    if came_before and not (known and written_after(new.there, known.there)):
        return "repeated-version"
    why = older(new, known) if known else None
    return why if one.type in RESULT_TYPES or why == "older-version" else None


def version_there(row: Row[Any]) -> ServerVersion | None:
    """What is stored of what the sender's server says."""
    if row.sender_updated is None:
        return None
    return ServerVersion(row.resource_id, row.sender_version, row.sender_updated)
