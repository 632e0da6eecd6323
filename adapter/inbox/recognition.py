"""By what later versions from one hospital are recognised: under which URL, content, identifiers and codes
its results came before, and what its reports list.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, bindparam, func, select, update

from adapter.bulk_insert import insert_rows
from adapter.fhir import codec
from adapter.inbox.arrival_facts import ArrivalFacts
from adapter.inbox.lineage import EarlierVersion, LineageChoice, choose_lineage, found_at
from adapter.inbox.matching import READ_TYPES
from adapter.inbox.ordering import REVISIONS
from adapter.inbox.tables import inbox_item, inbox_listing, inbox_mark

__all__ = ["RESULT_TYPES", "Arrival", "Recognition", "marks_of"]

RESULT_TYPES = frozenset({"DiagnosticReport", "Observation", "Procedure", "ServiceRequest", "Task"})
"""Types that say something about a referral or a person's health; the others are read by a person
(`matching.READ_TYPES`), or are context.
"""

_MOST_LINEAGES = 50  # that share an identifier and a code
_MOST_VERSIONS = 20  # of one lineage, the newest, whose order is compared
_CHUNK = 500

# Made once: to make them for each of a thousand entries took more than to carry them out.
_MINE = (inbox_item.c.hospital == bindparam("hospital")) & (inbox_item.c.type == bindparam("type"))
_LINEAGE = select(inbox_item.c.lineage).where(_MINE).order_by(inbox_item.c.id.desc()).limit(1)
_LINEAGE_OF_ID = _LINEAGE.where(inbox_item.c.resource_id == bindparam("id"))
_LINEAGE_OF_DIGEST = _LINEAGE.where(inbox_item.c.digest == bindparam("digest"))
_VERSION = (
    select(inbox_item.c.id)
    .where(_MINE, inbox_item.c.digest == bindparam("digest"), inbox_item.c.lineage == bindparam("lineage"))
    .limit(1)
)
_VERSIONS = (
    select(inbox_item)
    .where(inbox_item.c.lineage == bindparam("lineage"))
    .order_by(inbox_item.c.id.desc())
    .limit(_MOST_VERSIONS)
)
_MARKED = (
    select(inbox_mark.c.lineage)
    .where(
        inbox_mark.c.hospital == bindparam("hospital"),
        inbox_mark.c.type == bindparam("type"),
        inbox_mark.c.value.in_(bindparam("values", expanding=True)),
    )
    .distinct()
    .order_by(inbox_mark.c.lineage.desc())
    .limit(_MOST_LINEAGES)
)
_MARKS = select(inbox_mark.c.value).where(
    inbox_mark.c.lineage == bindparam("lineage"),
    inbox_mark.c.value.in_(bindparam("values", expanding=True)),
)
_MEMBERS = select(inbox_listing.c.member).where(
    inbox_listing.c.hospital == bindparam("hospital"), inbox_listing.c.listed_by == bindparam("by")
)
_IDS = select(inbox_item.c.resource_id).where(
    _MINE, inbox_item.c.resource_id.in_(bindparam("values", expanding=True))
)
_DIGESTS = select(inbox_item.c.digest).where(
    # not by the columns: of five digests on SQLite would rather read all items of that hospital and type
    func.coalesce(inbox_item.c.hospital, "") == bindparam("hospital"),
    func.coalesce(inbox_item.c.type, "") == bindparam("type"),
    inbox_item.c.digest.in_(bindparam("values", expanding=True)),
)
_MARKED_VALUES = select(inbox_mark.c.value).where(
    inbox_mark.c.hospital == bindparam("hospital"),
    inbox_mark.c.type == bindparam("type"),
    inbox_mark.c.value.in_(bindparam("values", expanding=True)),
)
_BEGIN_LINEAGES = (
    update(inbox_item)
    .where(
        inbox_item.c.hospital == bindparam("b_hospital"),
        inbox_item.c.type == bindparam("b_type"),
        inbox_item.c.resource_id.in_(bindparam("values", expanding=True)),
    )
    .values(lineage=inbox_item.c.id)
    .returning(inbox_item.c.id, inbox_item.c.resource_id)
)


class Arrival(NamedTuple):
    """A resource as it came, under its id here: `is_new_id`, one that was made for it just now."""

    id: str
    resource: codec.Resource
    facts: ArrivalFacts
    is_new_id: bool = False


class Recognition:
    """Finds and writes what later versions from one hospital are recognised by."""

    def __init__(self, connection: Connection, hospital: str, type_: str) -> None:
        self._connection = connection
        self._hospital = hospital
        self._type = type_
        self._mine = {"hospital": hospital, "type": type_}

    def find(self, arrival: Arrival, delivery: str | None) -> tuple[LineageChoice, Sequence[Row[Any]]]:
        """The lineage, and its versions in the order of their arrival."""
        facts = arrival.facts
        lineage = self._newest_lineage(_LINEAGE_OF_ID, id=arrival.id)
        if lineage is not None:
            return LineageChoice(lineage), self._versions(lineage)
        if self._type in READ_TYPES:
            same = self._newest_lineage(_LINEAGE_OF_DIGEST, digest=facts.digest)
            return LineageChoice(same), self._versions(same) if same else ()
        if self._type not in RESULT_TYPES:
            return LineageChoice(), ()
        lineages = self._marked(facts.marks)
        again = self._newest_lineage(_LINEAGE_OF_DIGEST, digest=facts.digest)
        if again is not None and (again in lineages or not facts.marks):
            return LineageChoice(again), self._versions(again)
        choice = choose_lineage(
            arrival.resource,
            delivery=delivery,
            sharing=[self._earlier(one) for one in lineages],
            shares_number=bool(lineages) or bool(self._marked(facts.numbers)),
        )
        return choice, self._versions(choice.lineage) if choice.lineage else ()

    def has_version(self, lineage: int, digest: str) -> bool:
        """Whether any version of the lineage, however old, had this content."""
        wanted = self._mine | {"digest": digest, "lineage": lineage}
        return self._connection.execute(_VERSION, wanted).first() is not None

    def mark(self, lineage: int, facts: ArrivalFacts) -> None:
        """Remember by what a later version will be recognised."""
        wanted = marks_of(self._type, facts)
        if not wanted:
            return
        held = {"lineage": lineage, "values": list(wanted)}
        there = set(self._connection.execute(_MARKS, held).scalars())
        self.add_marks((lineage, value) for value in wanted if value not in there)

    def add_marks(self, marks: Iterable[tuple[int, str]]) -> None:
        """Remember marks that the lineages do not have yet."""
        rows = [{**self._mine, "value": value, "lineage": lineage} for lineage, value in marks]
        insert_rows(self._connection, inbox_mark, rows)

    def list_members(self, listed_by: str, members: Sequence[str]) -> None:
        """Remember which results a report or panel lists. What it no longer lists is found out when read."""
        if not members:
            return
        held = {"hospital": self._hospital, "by": listed_by}
        there = set(self._connection.execute(_MEMBERS, held).scalars())
        rows = [
            {"hospital": self._hospital, "member": member, "listed_by": listed_by}
            for member in members
            if member not in there
        ]
        insert_rows(self._connection, inbox_listing, rows)

    def unknown(self, arrivals: Sequence[Arrival]) -> set[str]:
        """The ids of those that have nothing in common with anything from before, and with none of these that
        stands before them, and correct nothing: each begins a lineage, and there is nothing else to find out.
        """
        marks = {one.id: one.facts.marks if self._has_lineages else () for one in arrivals}
        ids = self._values(_IDS, [one.id for one in arrivals if not one.is_new_id])
        digests = self._values(_DIGESTS, [one.facts.digest for one in arrivals]) if self._is_read else set()
        marked = self._values(_MARKED_VALUES, [value for listed in marks.values() for value in listed])
        found = set()
        for one in arrivals:
            of_this = marks[one.id]
            is_seen = one.id in ids or one.facts.digest in digests or not marked.isdisjoint(of_this)
            if not is_seen and str(one.resource.get("status")) not in REVISIONS:
                found.add(one.id)
            marked.update(of_this)
            if self._is_read:
                digests.add(one.facts.digest)
        return found

    @property
    def _has_lineages(self) -> bool:
        return self._type in RESULT_TYPES

    @property
    def _is_read(self) -> bool:
        return self._has_lineages or self._type in READ_TYPES

    def begin_lineages(self, ids: Sequence[str]) -> dict[str, int]:
        """Each of these resources, which have one item, begins a lineage; the item of each."""
        mine = {"b_hospital": self._hospital, "b_type": self._type}
        return {
            row.resource_id: row.id
            for chunk in _chunks(ids)
            for row in self._connection.execute(_BEGIN_LINEAGES, mine | {"values": chunk})
        }

    def _values(self, query: Select[Any], values: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for chunk in _chunks(values):
            found.update(self._connection.execute(query, self._mine | {"values": chunk}).scalars())
        return found

    def _newest_lineage(self, query: Select[Any], **wanted: str) -> int | None:
        found: int | None = self._connection.execute(query, self._mine | wanted).scalar()
        return found

    def _versions(self, lineage: int) -> Sequence[Row[Any]]:
        return list(reversed(self._connection.execute(_VERSIONS, {"lineage": lineage}).all()))

    def _marked(self, marks: Iterable[str]) -> list[int]:
        wanted = self._mine | {"values": list(marks)}
        return list(self._connection.execute(_MARKED, wanted).scalars()) if wanted["values"] else []

    def _earlier(self, lineage: int) -> EarlierVersion:
        versions = self._versions(lineage)
        newest = codec.loads(versions[-1].body) if versions else {}
        return EarlierVersion(
            lineage,
            str(newest.get("status", "")),
            found_at(newest),
            frozenset(str(one.delivery) for one in versions),
        )


def marks_of(type_: str, facts: ArrivalFacts) -> list[str]:
    """All by which a later version of this will be recognised."""
    if type_ not in RESULT_TYPES:
        return []
    return list(dict.fromkeys((*facts.marks, *facts.numbers)))


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
