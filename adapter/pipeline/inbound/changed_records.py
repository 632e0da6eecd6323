"""People and referrals that changed are told to whatever of the inbox waits for them: by the change feed, so
each change is looked at once, whoever made it (an import, a merge, a person).
"""

from collections.abc import Iterator

from sqlalchemy import Connection, select, update

from adapter.awaited import is_anything_awaited, note_arrivals, number_name, person_name, record_name
from adapter.database import read_transaction, write_transaction
from adapter.inbox.tables import inbox_position
from adapter.pipeline.application import Adapter
from adapter.records.model import Cadre, Record, Referral
from adapter.records.serialisation import name_digest, person_identifiers

__all__ = ["note_changed_records"]

_PAGE = 500
_P = inbox_position.c


def note_changed_records(adapter: Adapter) -> None:
    """Go on in the change feed to its end."""
    while _note_page(adapter):
        pass


def _note_page(adapter: Adapter) -> bool:
    """Whether there may be more."""
    newest = adapter.records.newest_position()
    with read_transaction(adapter.engine) as connection:
        since = _position(connection)
        if since == newest:
            return False
        is_awaited = is_anything_awaited(connection)
    changed = adapter.records.changed_records((Cadre.kind, Referral.kind), since, _PAGE) if is_awaited else []
    last = changed[-1].position if len(changed) == _PAGE else newest
    names = [name for one in changed for name in _names(one.kind, one.key, one.record)]
    with write_transaction(adapter.engine) as connection:
        here = update(inbox_position).where(_P.position == since).values(position=last)
        if connection.execute(here).rowcount:  # else another process has told it
            note_arrivals(connection, names)
    return len(changed) == _PAGE


def _position(connection: Connection) -> int:
    return int(connection.execute(select(_P.position)).scalar_one())


def _names(kind: str, key: str, record: Record | None) -> Iterator[str]:
    yield record_name(kind, key)
    if isinstance(record, Cadre):
        yield person_name(name_digest(record))
        yield from map(number_name, person_identifiers(record))
