"""All SQL of the quarantine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, func, insert, select, text, update

from adapter.database import read_transaction, write_transaction
from adapter.fhir import codec
from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.inbox.quarantine.tables import refused_request, refused_volume

__all__ = ["QuarantineLimits", "QuarantineStore", "QuarantinedRequest", "RefusedBacklog"]

_PAGE = 100
_BODIES = 5  # that are in memory together
_MAKE_VOLUME = text(
    "INSERT INTO refused_volume (hospital, bytes) VALUES (:hospital, 0) ON CONFLICT (hospital) DO NOTHING"
)
_BACKLOG = select(
    refused_request.c.hospital,
    func.count(),
    func.min(refused_request.c.first_at),
    func.count(refused_request.c.kind.distinct()),
).group_by(refused_request.c.hospital)
_LISTED = [column for column in refused_request.columns if column.name not in ("body", "size")]


@dataclass(frozen=True, slots=True)
class QuarantineLimits:
    """The most bytes that are kept, of all hospitals and of one."""

    all_bytes: int
    hospital_bytes: int


@dataclass(frozen=True, slots=True)
class RefusedBacklog:
    """What of one hospital waits: how many requests, since when, of how many kinds."""

    count: int
    since: datetime | None
    kinds: int


@dataclass(frozen=True, slots=True)
class QuarantinedRequest:
    """A request that waits. `body` is empty in lists; `times` is how often exactly this was sent."""

    id: int
    hospital: str
    digest: str
    method: str
    url: str
    conditions: Mapping[str, str]
    status: int
    kind: str
    outcome: codec.Resource
    times: int
    first_at: datetime
    last_at: datetime
    body: bytes = b""


class QuarantineStore:
    """The quarantine of one database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @staticmethod
    def keep(
        connection: Connection, refused: RefusedRequest, limits: QuarantineLimits, now: datetime
    ) -> bool:
        """Keep it in the caller's transaction, the same again as one row; the oldest goes where there is no
        room. False: it is larger than all the room there is, and is not kept.
        """
        if refused.size > min(limits.all_bytes, limits.hospital_bytes):
            return False
        connection.execute(_MAKE_VOLUME, {"hospital": refused.hospital})
        volumes = _locked_volumes(connection)
        diagnosis = _diagnosis(refused)
        same = (refused_request.c.hospital == refused.hospital) & (refused_request.c.digest == refused.digest)
        again = {**diagnosis, "times": refused_request.c.times + 1, "last_at": now}
        if connection.execute(update(refused_request).where(same).values(**again)).rowcount:
            return True
        connection.execute(
            insert(refused_request).values(
                hospital=refused.hospital,
                digest=refused.digest,
                method=refused.method,
                url=refused.url,
                conditions=orjson.dumps(dict(refused.conditions)).decode(),
                body=refused.body,
                size=refused.size,
                times=1,
                first_at=now,
                last_at=now,
                **diagnosis,
            )
        )
        volumes[refused.hospital] += refused.size
        _make_room(connection, volumes, refused.hospital, limits)
        return True

    @staticmethod
    def diagnose(connection: Connection, number: int, refused: RefusedRequest) -> None:
        """It was tried again, and is refused for this now."""
        this = refused_request.c.id == number
        connection.execute(update(refused_request).where(this).values(**_diagnosis(refused)))

    def waiting(self, limit: int = 200) -> Sequence[QuarantinedRequest]:
        """What waits, the newest first, without bodies."""
        query = select(*_LISTED).order_by(refused_request.c.last_at.desc()).limit(limit)
        with read_transaction(self.engine) as connection:
            return [_request(row) for row in connection.execute(query).all()]

    def get(self, number: int) -> QuarantinedRequest | None:
        """One, with its body."""
        columns: list[ColumnElement[Any]] = [*_LISTED, refused_request.c.body]
        query = select(*columns).where(refused_request.c.id == number)
        with read_transaction(self.engine) as connection:
            row = connection.execute(query).first()
        return _request(row) if row else None

    def backlog(self) -> Mapping[str, RefusedBacklog]:
        """What waits, by hospital."""
        with read_transaction(self.engine) as connection:
            return {row[0]: RefusedBacklog(*row[1:]) for row in connection.execute(_BACKLOG)}

    @staticmethod
    def remove(connection: Connection, numbers: Sequence[int]) -> int:
        """Take these out for good, in the caller's transaction; how many there were."""
        _locked_volumes(connection)
        gone = 0
        for number in numbers:
            this = refused_request.c.id == number
            row = connection.execute(
                select(refused_request.c.hospital, refused_request.c.size).where(this)
            ).first()
            if row is not None:
                connection.execute(delete(refused_request).where(this))
                _shrink(connection, row.hospital, row.size)
                gone += 1
        return gone

    def forget(self, before: datetime) -> int:
        """What was last sent before that moment goes; how many."""
        query = select(refused_request.c.id).where(refused_request.c.last_at < before).limit(_PAGE)
        gone = 0
        while True:
            with read_transaction(self.engine) as connection:
                numbers = list(connection.execute(query).scalars())
            if not numbers:
                return gone
            with write_transaction(self.engine) as connection:
                gone += self.remove(connection, numbers)

    @staticmethod
    def all_bodies(connection: Connection) -> Iterator[tuple[int, str, str]]:
        """Number, hospital and text of each, a page at a time: the URL, the conditions and the body."""
        last = 0
        names = ("id", "hospital", "url", "conditions", "body")
        columns = [refused_request.c[name] for name in names]
        while True:
            query = select(*columns).where(refused_request.c.id > last).order_by(refused_request.c.id)
            page = connection.execute(query.limit(_BODIES)).all()
            if not page:
                return
            last = page[-1].id
            for row in page:
                yield row.id, row.hospital, f"{row.url}\n{row.conditions}\n{_text(row.body)}"


def _text(body: bytes) -> str:
    """Its words; what is no UTF-8 may be in an old font, which is read in the letters of Western Europe."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def _diagnosis(refused: RefusedRequest) -> dict[str, Any]:
    outcome = codec.dumps(refused.outcome).decode()
    return {"status": refused.status, "kind": refused.kind, "outcome": outcome}


def _locked_volumes(connection: Connection) -> dict[str, int]:
    """Bytes by hospital. Who keeps or removes waits here for whoever does."""
    query = select(refused_volume.c.hospital, refused_volume.c.bytes).order_by(refused_volume.c.hospital)
    return {row[0]: row[1] for row in connection.execute(query.with_for_update())}


def _shrink(connection: Connection, hospital: str, size: int) -> None:
    mine = refused_volume.c.hospital == hospital
    connection.execute(update(refused_volume).where(mine).values(bytes=refused_volume.c.bytes - size))


def _make_room(
    connection: Connection, volumes: dict[str, int], hospital: str, limits: QuarantineLimits
) -> None:
    """Let the oldest go: of this hospital, then of whoever has most, so that nobody's flood takes another's
    room. Each request that is kept pushes out no more bytes than it brought and one request.
    """
    mine = refused_volume.c.hospital == hospital
    connection.execute(update(refused_volume).where(mine).values(bytes=volumes[hospital]))
    _push_out(connection, hospital, volumes, limits.hospital_bytes)
    while (over := sum(volumes.values()) - limits.all_bytes) > 0:
        most = max(volumes, key=lambda name: volumes[name])
        _push_out(connection, most, volumes, max(volumes[most] - over, 0))


def _push_out(connection: Connection, hospital: str, volumes: dict[str, int], most: int) -> None:
    oldest = (
        select(refused_request.c.id, refused_request.c.size)
        .where(refused_request.c.hospital == hospital)
        .order_by(refused_request.c.last_at, refused_request.c.id)
        .limit(_PAGE)
    )
    while volumes[hospital] > most:
        gone, freed = [], 0
        for number, size in connection.execute(oldest).all():
            if volumes[hospital] - freed <= most:
                break
            gone.append(number)
            freed += size
        if not gone:  # there is nothing, whatever the sum says
            freed = volumes[hospital]
        connection.execute(delete(refused_request).where(refused_request.c.id.in_(gone)))
        _shrink(connection, hospital, freed)
        volumes[hospital] -= freed


def _request(row: Row[Any]) -> QuarantinedRequest:
    values = dict(row._mapping)
    values["conditions"] = orjson.loads(values["conditions"])
    values["outcome"] = codec.loads(values["outcome"])
    return QuarantinedRequest(**values)
