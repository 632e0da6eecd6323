"""That settings or policy are others than they were: noted in the audit, as digests from and to.

Who changed a file is the file system's to know; the audit says since when it was so.
"""

from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b

import orjson
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapter import audit
from adapter.database import read_transaction, write_transaction
from adapter.inbox.queue import InboxQueue
from adapter.pipeline.application import Adapter
from adapter.settings import Settings

__all__ = ["configuration_digests", "note_configuration"]

# What a command may well be given otherwise, and what may hold a password.
_OF_NO_CONCERN = {"lang", "log_level", "log_json", "listen_host", "listen_port", "database_url", "allow_root"}
_PARTS = {"centre", "alarm", "hospitals", "sources"}
_OF_A_HOSPITAL = "hospitals."
_D = audit.configuration_digest.c


def configuration_digests(settings: Settings) -> dict[str, str]:
    """A digest of each part of the settings by its name: `hospitals.bv-tinh`, `general`."""
    said = settings.model_dump(mode="json")
    parts = {
        "general": {name: value for name, value in said.items() if name not in _OF_NO_CONCERN | _PARTS},
        "centre": said["centre"],
        "alarm": said["alarm"],
        **{f"hospitals.{name}": value for name, value in said["hospitals"].items()},
        **{f"sources.{name}": value for name, value in said["sources"].items()},
    }
    return {
        name: blake2b(orjson.dumps(part, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()
        for name, part in parts.items()
    }


def note_configuration(adapter: Adapter, now: datetime, *, by: str) -> None:
    """Audit what is other than when somebody last looked: for whoever is about to go by it. Mostly that is
    nothing, and costs one look.
    """
    wanted = {**configuration_digests(adapter.settings), "policy": adapter.library.policy_digest()}
    with read_transaction(adapter.engine) as connection:
        if _known(connection) == wanted:
            return
    with suppress(IntegrityError), write_transaction(adapter.engine) as connection:  # another was quicker
        known = _known(connection, lock=True)
        changes = [
            [name, known.get(name), wanted.get(name)]
            for name in sorted(known.keys() | wanted.keys())
            if known.get(name) != wanted.get(name)
        ]
        for name, _, digest in changes:
            _put(connection, str(name), digest, now, is_new=name not in known)
        if changes:
            _look_again(connection, {str(name) for name, _, _ in changes}, now)
            action = "configuration.changed" if known else "configuration.noted"
            audit.append(connection, at=now, actor=by, action=action, details={"parts": changes})


def _look_again(connection: Connection, parts: AbstractSet[str], now: datetime) -> None:
    """What waits for a person is read by other settings now."""
    if parts & {"general", "centre"}:
        InboxQueue.wake_all(connection, now)
        return
    for name in parts:
        if name.startswith(_OF_A_HOSPITAL):
            InboxQueue.wake_all(connection, now, name.removeprefix(_OF_A_HOSPITAL))


def _known(connection: Connection, *, lock: bool = False) -> dict[str, str]:
    query = select(_D.name, _D.digest)
    rows = connection.execute(query.with_for_update() if lock else query)
    return {row.name: row.digest for row in rows}


def _put(connection: Connection, name: str, digest: str | None, now: datetime, *, is_new: bool) -> None:
    table = audit.configuration_digest
    if digest is None:
        connection.execute(delete(table).where(_D.name == name))
    elif is_new:
        connection.execute(insert(table).values(name=name, digest=digest, since=now))
    else:
        connection.execute(update(table).where(_D.name == name).values(digest=digest, since=now))
