"""What hospitals sent about a person who may no longer be kept here is taken out of the inbox."""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from adapter.awaited import forget_awaited
from adapter.fhir import codec
from adapter.inbox.evidence import read_evidence
from adapter.inbox.rulings import erase_rulings
from adapter.inbox.tables import inbox_item, inbox_listing, inbox_mark

__all__ = [
    "ERASED_BODY",
    "SentResource",
    "all_bodies",
    "erase_cadre",
    "erase_resources",
    "forget_candidate",
    "forget_resource",
]

ERASED_BODY = "{}"
_PAGE = 500


class SentResource(NamedTuple):
    """One resource that a hospital sent: its id is the one in the endpoint's repository."""

    hospital: str
    type: str
    id: str


def erase_cadre(connection: Connection, cadre: str, referrals: Collection[str] = ()) -> set[SentResource]:
    """Empty every item that is this person's, or answers one of these referrals, with its other versions
    and the Patient it is about.

    In the caller's transaction; answers what was emptied, for the other stores that hold it.
    """
    columns = (inbox_item.c.hospital, inbox_item.c.type, inbox_item.c.resource_id)
    mine = connection.execute(
        select(*columns, inbox_item.c.body).where(
            or_(inbox_item.c.cadre == cadre, inbox_item.c.referral.in_(referrals))
        )
    ).all()
    sent = {SentResource(*row[:3]) for row in mine}
    for hospital, _, _, body in mine:
        sent.update(_patients(hospital, body))
    erase_resources(connection, sent)
    erase_rulings(connection, cadre=cadre)
    return sent


def erase_resources(connection: Connection, sent: Iterable[SentResource]) -> None:
    """Empty every version of these, and forget by what they were recognised."""
    for one in sent:
        items = connection.execute(select(inbox_item.c.id).where(_versions(one))).scalars().all()
        forget_awaited(connection, items)
        erase_rulings(connection, items=items)
        lineages = set(connection.execute(select(inbox_item.c.lineage).where(_versions(one))).scalars())
        connection.execute(delete(inbox_mark).where(inbox_mark.c.lineage.in_(lineages)))
        _forget_listings(connection, one)
        connection.execute(
            update(inbox_item)
            .where(_versions(one))
            .values(
                body=ERASED_BODY,
                digest="",
                identity=None,
                state="ignored",
                reasons='["erased"]',
                candidates="[]",
                cadre=None,
                referral=None,
                result_key=None,
                settled_by=None,
                due_at=None,
            )
        )


def forget_resource(connection: Connection, one: SentResource) -> None:
    """Its very id tells of somebody: nothing of it stays."""
    connection.execute(delete(inbox_item).where(_versions(one)))
    _forget_listings(connection, one)


def _forget_listings(connection: Connection, one: SentResource) -> None:
    name = f"{one.type}/{one.id}"
    for column in (inbox_listing.c.member, inbox_listing.c.listed_by):
        connection.execute(
            delete(inbox_listing).where(inbox_listing.c.hospital == one.hospital, column == name)
        )


def forget_candidate(connection: Connection, cadre: str) -> None:
    """The person is no candidate any more for what waits for a person."""
    among = inbox_item.c.candidates.contains(orjson.dumps(cadre).decode(), autoescape=True)
    for row in connection.execute(select(inbox_item.c.id, inbox_item.c.candidates).where(among)).all():
        left = [one for one in orjson.loads(row.candidates) if one.get("cadre") != cadre]
        kept = orjson.dumps(left).decode()
        connection.execute(update(inbox_item).where(inbox_item.c.id == row.id).values(candidates=kept))


def all_bodies(connection: Connection) -> Iterator[tuple[str, str, str, str, str | None]]:
    """Hospital, type, id, body and owner of every item that holds something, a page at a time."""
    last = 0
    names = ("hospital", "type", "resource_id", "body", "cadre")
    columns = (inbox_item.c.id, *(inbox_item.c[name] for name in names))
    while True:
        query = select(*columns).where(inbox_item.c.id > last).order_by(inbox_item.c.id).limit(_PAGE)
        page = connection.execute(query).all()
        if not page:
            return
        last = page[-1].id
        for row in page:
            if row.body != ERASED_BODY:
                yield row.hospital, row.type, row.resource_id, row.body, row.cadre


def _versions(one: SentResource) -> ColumnElement[bool]:
    columns = (inbox_item.c.hospital, inbox_item.c.type, inbox_item.c.resource_id)
    return and_(*(column == value for column, value in zip(columns, one, strict=True)))


def _patients(hospital: str, body: str) -> Iterator[SentResource]:
    for remote in read_evidence(codec.loads(body), lambda _: None).subject_ids:
        if remote.base is None:
            yield SentResource(hospital, "Patient", remote.id)
