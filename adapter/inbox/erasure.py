"""What hospitals sent about a person who may no longer be kept here is taken out of the inbox."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from adapter.fhir import codec
from adapter.inbox.evidence import read_evidence
from adapter.inbox.tables import inbox_item

__all__ = ["ERASED_BODY", "SentResource", "erase_cadre"]

ERASED_BODY = "{}"


class SentResource(NamedTuple):
    """One resource that a hospital sent: its id is the one in the endpoint's repository."""

    hospital: str
    type: str
    id: str


def erase_cadre(connection: Connection, cadre: str) -> set[SentResource]:
    """Empty every item that is this person's, with its other versions and the Patient it is about.

    In the caller's transaction; answers what was emptied, for the other stores that hold it.
    """
    columns = (inbox_item.c.hospital, inbox_item.c.type, inbox_item.c.resource_id)
    mine = connection.execute(select(*columns, inbox_item.c.body).where(inbox_item.c.cadre == cadre)).all()
    sent = {SentResource(*row[:3]) for row in mine}
    for hospital, _, _, body in mine:
        sent.update(_patients(hospital, body))
    for one in sent:
        connection.execute(
            update(inbox_item)
            .where(*(column == value for column, value in zip(columns, one, strict=True)))
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
            )
        )
    return sent


def _patients(hospital: str, body: str) -> Iterator[SentResource]:
    for remote in read_evidence(codec.loads(body), lambda _: None).subject_ids:
        if remote.base is None:
            yield SentResource(hospital, "Patient", remote.id)
