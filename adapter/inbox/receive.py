"""The door of the inbox: an accepted resource becomes an item in the transaction that stores it.

So what the endpoint acknowledged is in the inbox, and what it refused is not. The same content
again is recognised, whether under the same identity or posted anew without one; so is an earlier version
that comes late.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from adapter.awaited import note_arrivals, sent_name
from adapter.fhir import codec
from adapter.inbox.caveats import resource_caveats
from adapter.inbox.evidence import listed_members
from adapter.inbox.lineage import EarlierVersion, LineageChoice, choose_lineage, found_at, identity_marks
from adapter.inbox.matching import READ_TYPES
from adapter.inbox.ordering import VersionStatus, issued_at, latest, older
from adapter.inbox.tables import inbox_item, inbox_listing, inbox_mark

__all__ = [
    "RESULT_TYPES",
    "ReceivedVersion",
    "business_identifier",
    "normalised_digest",
    "receive_version",
]

RESULT_TYPES = frozenset({"DiagnosticReport", "Observation", "Procedure", "ServiceRequest", "Task"})
"""Types that say something about a referral or a person's health; the others are read by a person
(`matching.READ_TYPES`), or are context.
"""

_LONGEST_IDENTITY = 400
_CODED = ("DiagnosticReport", "Observation", "Procedure")
_MOST_LINEAGES = 50  # that share an identifier and a code
_MOST_ARRIVALS = 10_000  # of what one report lists
_MOST_VERSIONS = 20  # of one lineage, the newest, whose order is compared


@dataclass(frozen=True, slots=True)
class ReceivedVersion:
    """The number of the item, and why the version is ignored as older, if it is."""

    item: int
    older: str | None = None


def receive_version(
    connection: Connection,
    *,
    hospital: str,
    type: str,
    id: str,
    version: int,
    resource: codec.Resource,
    body: bytes,
    now: datetime,
    delivery: str | None = None,
    envelope: codec.Resource | None = None,
) -> ReceivedVersion:
    """Store one accepted version in the caller's transaction.

    `id` and `version` are the repository's, `body` the JSON it stores; what came in one request has one
    `delivery`, and the Bundle of that is the `envelope`. For a repeat (the newest content of that identity
    again) the number is that of the item there already is.
    """
    digest = normalised_digest(resource)
    door = _Door(connection, hospital, type)
    choice, versions = door.find(id, resource, digest, delivery)
    known = _repeated(versions, digest)
    if known is not None and any(one.resource_id == id for one in versions):
        return ReceivedVersion(known)
    is_new = type in RESULT_TYPES or type in READ_TYPES
    why = None
    if type in RESULT_TYPES and choice.lineage is not None:
        came_before = door.has_version(choice.lineage, digest)
        why = "repeated-version" if came_before else _why_older(versions, resource, now)
    state, reasons = "new" if is_new else "ignored", [choice.doubt] if choice.doubt else []
    if any(resource_caveats(envelope or {})):
        reasons.append("marked-delivery")
    if not is_new:
        reasons = ["context"]
    if known is not None and type in (*_CODED, *READ_TYPES):  # its URL is kept, for what comes to it later
        state, reasons, why = "ignored", ["repeated"], None
    elif why == "repeated-version":
        state, reasons = "ignored", [why]
    done = connection.execute(
        insert(inbox_item).values(
            hospital=hospital,
            type=type,
            resource_id=id,
            version=version,
            identity=business_identifier(resource),
            digest=digest,
            body=body.decode("utf-8"),
            received_at=now,
            state=state,
            reasons=codec.dumps(reasons).decode(),
            candidates="[]",
            attempts=0,
            due_at=now if state == "new" else None,
            settled_at=now if why == "repeated-version" else None,
            settled_by="matching" if why == "repeated-version" else None,
            lineage=choice.lineage or 0,
            delivery=delivery,
        )
    )
    assert done.inserted_primary_key is not None  # noqa: S101 - one-row inserts always have it
    item = int(done.inserted_primary_key[0])
    if choice.lineage is None:
        connection.execute(update(inbox_item).where(inbox_item.c.id == item).values(lineage=item))
    door.mark(choice.lineage or item, resource)
    door.list_members(f"{type}/{id}", resource)
    written = (f"{type}/{id}", *islice(listed_members(resource), _MOST_ARRIVALS))
    note_arrivals(connection, (sent_name(hospital, one) for one in written))
    return ReceivedVersion(known if known is not None and state == "ignored" and is_new else item, why)


class _Door:
    """Finds and writes what later versions from one hospital are recognised by."""

    def __init__(self, connection: Connection, hospital: str, type_: str) -> None:
        self._connection = connection
        self._hospital = hospital
        self._type = type_
        self._mine = (inbox_item.c.hospital == hospital) & (inbox_item.c.type == type_)

    def find(
        self, id_: str, resource: codec.Resource, digest: str, delivery: str | None
    ) -> tuple[LineageChoice, Sequence[Row[Any]]]:
        """The lineage, and its versions in the order of their arrival."""
        lineage = self._newest_lineage(inbox_item.c.resource_id == id_)
        if lineage is not None:
            return LineageChoice(lineage), self._versions(lineage)
        if self._type in READ_TYPES:
            same = self._newest_lineage(inbox_item.c.digest == digest)
            return LineageChoice(same), self._versions(same) if same else ()
        if self._type not in RESULT_TYPES:
            return LineageChoice(), ()
        marks, numbers = identity_marks(resource)
        lineages = self._marked(marks)
        again = self._newest_lineage(inbox_item.c.digest == digest)
        if again is not None and (again in lineages or not marks):
            return LineageChoice(again), self._versions(again)
        choice = choose_lineage(
            resource,
            delivery=delivery,
            sharing=[self._earlier(one) for one in lineages],
            shares_number=bool(lineages) or bool(self._marked(numbers)),
        )
        return choice, self._versions(choice.lineage) if choice.lineage else ()

    def has_version(self, lineage: int, digest: str) -> bool:
        """Whether any version of the lineage, however old, had this content."""
        query = select(inbox_item.c.id).where(
            self._mine, inbox_item.c.digest == digest, inbox_item.c.lineage == lineage
        )
        return self._connection.execute(query.limit(1)).first() is not None

    def mark(self, lineage: int, resource: codec.Resource) -> None:
        """Remember by what a later version will be recognised."""
        if self._type not in RESULT_TYPES:
            return
        marks, numbers = identity_marks(resource)
        wanted = dict.fromkeys((*marks, *numbers))
        if not wanted:
            return
        there = self._connection.execute(
            select(inbox_mark.c.value).where(inbox_mark.c.lineage == lineage, inbox_mark.c.value.in_(wanted))
        ).scalars()
        rows = [
            {"hospital": self._hospital, "type": self._type, "value": value, "lineage": lineage}
            for value in wanted.keys() - set(there)
        ]
        if rows:
            self._connection.execute(insert(inbox_mark), rows)

    def list_members(self, listed_by: str, resource: codec.Resource) -> None:
        """Remember which results a report or panel lists. What it no longer lists is found out when read."""
        members = dict.fromkeys(listed_members(resource))
        if not members:
            return
        mine = (inbox_listing.c.hospital == self._hospital) & (inbox_listing.c.listed_by == listed_by)
        there = set(self._connection.execute(select(inbox_listing.c.member).where(mine)).scalars())
        rows = [
            {"hospital": self._hospital, "member": member, "listed_by": listed_by}
            for member in members.keys() - there
        ]
        if rows:
            self._connection.execute(insert(inbox_listing), rows)

    def _newest_lineage(self, condition: Any) -> int | None:
        query = select(inbox_item.c.lineage).where(self._mine, condition)
        found: int | None = self._connection.execute(query.order_by(inbox_item.c.id.desc()).limit(1)).scalar()
        return found

    def _versions(self, lineage: int) -> Sequence[Row[Any]]:
        query = select(inbox_item).where(inbox_item.c.lineage == lineage).order_by(inbox_item.c.id.desc())
        return list(reversed(self._connection.execute(query.limit(_MOST_VERSIONS)).all()))

    def _marked(self, marks: Iterable[str]) -> list[int]:
        query = (
            select(inbox_mark.c.lineage)
            .where(
                inbox_mark.c.hospital == self._hospital,
                inbox_mark.c.type == self._type,
                inbox_mark.c.value.in_(list(marks)),
            )
            .distinct()
            .order_by(inbox_mark.c.lineage.desc())
            .limit(_MOST_LINEAGES)
        )
        return list(self._connection.execute(query).scalars())

    def _earlier(self, lineage: int) -> EarlierVersion:
        versions = self._versions(lineage)
        newest = codec.loads(versions[-1].body) if versions else {}
        return EarlierVersion(
            lineage,
            str(newest.get("status", "")),
            found_at(newest),
            frozenset(str(one.delivery) for one in versions),
        )


def _repeated(versions: Sequence[Row[Any]], digest: str) -> int | None:
    """The item that has this very content, if that is the newest. An older one does not count: A, then B,
    then A again is no repeat of what there is.
    """
    taken = [one for one in versions if one.reasons not in _LATE]
    return int(taken[-1].id) if taken and taken[-1].digest == digest else None


_LATE = ('["repeated"]', '["repeated-version"]')


def _why_older(versions: Sequence[Row[Any]], resource: codec.Resource, now: datetime) -> str | None:
    """Whether it is ignored as older, as far as can be told before anybody is looked for."""
    known = latest(
        _version_status(codec.loads(one.body), one.received_at)
        for one in versions
        if one.reasons not in _LATE
    )
    return older(_version_status(resource, now), known) if known else None


def _version_status(resource: codec.Resource, received_at: datetime) -> VersionStatus:
    return VersionStatus(str(resource.get("status", "")), issued_at(resource, received_at))


def business_identifier(resource: codec.Resource) -> str | None:
    """`system|value` of the first identifier that has both, for people to read; None when there is none. A
    result's code is part of it: a laboratory gives all values of one specimen the same number.

    What a database cannot hold as text (NUL, half a surrogate pair, great length) is kept as its hash.
    """
    listed = resource.get("identifier")
    for item in listed if isinstance(listed, list) else [listed]:
        if not isinstance(item, dict):
            continue
        system, value = item.get("system"), item.get("value")
        if isinstance(system, str) and isinstance(value, str) and system and value:
            return _storable(f"{system}|{value}{_code_of(resource)}")
    return None


def _code_of(resource: codec.Resource) -> str:
    """` code` of a result: its first coding, or else its text; "" of what has none."""
    code = resource.get("code")
    if resource.get("resourceType") not in _CODED or not isinstance(code, dict):
        return ""
    listed = code.get("coding")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    said = f"{first.get('system') or ''}|{first['code']}" if first.get("code") else code.get("text")
    return f" {said}" if said else ""


def _storable(identity: str) -> str:
    data = identity.encode("utf-8", "surrogatepass")
    plain = len(data) <= _LONGEST_IDENTITY and "\x00" not in identity
    try:
        identity.encode("utf-8")
    except UnicodeEncodeError:
        plain = False
    return identity if plain else f"hash|{codec.digest(data)}"


def normalised_digest(resource: codec.Resource) -> str:
    """Content hash without `id`, `meta`, the order of members and that of codings and identifiers, which
    mean nothing: equal means nothing new is said.
    """
    content = {name: value for name, value in resource.items() if name not in ("id", "meta")}
    return codec.digest(codec.dumps(_ordered(content)))


def _ordered(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name], name) for name in sorted(value)}
    if isinstance(value, list):
        items = [_ordered(item) for item in value]
        return sorted(items, key=codec.dumps) if name in ("coding", "identifier") else items
    return value
