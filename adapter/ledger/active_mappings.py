"""Which mapping is in force at each hospital, and its files: all SQL on them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, bindparam, select, text, update

from adapter.database import read_transaction, write_transaction
from adapter.ledger.schema import tables

__all__ = ["ActiveMapping", "ActiveMappingStore", "PendingMapping"]

_F, _S = tables.mapping_in_force, tables.mapping_snapshot

_TAKE = text(  # two hospitals may take the same folder at the same moment
    "INSERT INTO mapping_snapshot (digest, taken_at, files) VALUES (:digest, :taken_at, :files) "
    "ON CONFLICT (digest) DO NOTHING"
).bindparams(bindparam("taken_at", type_=_S.c.taken_at.type), bindparam("files", type_=_S.c.files.type))

_KNOW = text(  # and two processes may do so for one hospital
    "INSERT INTO mapping_in_force (hospital, version, snapshot, since) VALUES (:hospital, '', '', :since) "
    "ON CONFLICT (hospital) DO NOTHING"
).bindparams(bindparam("since", type_=_F.c.since.type))

_NOTHING_WAITS = dict.fromkeys(("waiting_version", "waiting_why", "weighed", "resend", "held"))


@dataclass(frozen=True, slots=True)
class PendingMapping:
    """A mapping that is not in force. `why`: "unaccepted" (it would send `resend` of the `held`
    resources again, counted under `weighed`), "unknown" (the same, and none is known to be in force)
    or "broken".
    """

    version: str
    why: str
    weighed: str | None = None
    resend: int | None = None
    held: int | None = None


@dataclass(frozen=True, slots=True)
class ActiveMapping:
    """A hospital's mapping: its version there, the digest of its snapshot, and what waits to follow it.
    Both are empty where an older adapter, which did not write that down, sent what the hospital holds.
    """

    version: str
    snapshot: str
    since: datetime
    waiting: PendingMapping | None


class ActiveMappingStore:
    """Snapshots of mapping folders, and who uses which."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def active(self, hospital: str) -> ActiveMapping | None:
        """The hospital's mapping; None before its first sync."""
        with read_transaction(self._engine) as connection:
            row = connection.execute(select(_F).where(_F.c.hospital == hospital)).one_or_none()
        if row is None:
            return None
        waits = row.waiting_version is not None
        waiting = PendingMapping(row.waiting_version, row.waiting_why, row.weighed, row.resend, row.held)
        return ActiveMapping(row.version, row.snapshot, row.since, waiting if waits else None)

    def files(self, digest: str) -> bytes:
        """The packed files of a snapshot. Raises LookupError when there is none of that digest."""
        with read_transaction(self._engine) as connection:
            found = connection.execute(select(_S.c.files).where(_S.c.digest == digest)).scalar()
        if found is None:
            raise LookupError(digest)
        return bytes(found)

    def activate(
        self, connection: Connection, hospital: str, *, version: str, digest: str, files: bytes, now: datetime
    ) -> None:
        """From now on the hospital has this mapping; nothing waits. In the caller's transaction."""
        connection.execute(_TAKE, {"digest": digest, "taken_at": now, "files": files})
        values = {"version": version, "snapshot": digest, "since": now, **_NOTHING_WAITS}
        connection.execute(_KNOW, {"hospital": hospital, "since": now})
        connection.execute(update(_F).where(_F.c.hospital == hospital).values(**values))

    def set_pending(self, hospital: str, waiting: PendingMapping | None, now: datetime) -> None:
        """What the folder holds and the hospital does not have; None: nothing. Of a hospital whose mapping
        nobody wrote down it is noted that nobody did.
        """
        values = {
            "waiting_version": waiting.version if waiting else None,
            "waiting_why": waiting.why if waiting else None,
            "weighed": waiting.weighed if waiting else None,
            "resend": waiting.resend if waiting else None,
            "held": waiting.held if waiting else None,
        }
        with write_transaction(self._engine) as connection:
            if waiting is not None:
                connection.execute(_KNOW, {"hospital": hospital, "since": now})
            connection.execute(update(_F).where(_F.c.hospital == hospital).values(**values))
