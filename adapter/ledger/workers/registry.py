"""Processes that work on the ledger: who there is, and what a dead one leaves. All SQL on them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, insert, select, update

from adapter.database import read_transaction, write_transaction
from adapter.ledger.schema import tables
from adapter.ledger.workers.death_detection import LivenessMonitor, UptimeClock, uptime

__all__ = ["Worker", "WorkerStore"]

_W, _S, _T = tables.worker, tables.shipment, tables.turn


@dataclass(frozen=True, slots=True)
class Worker:
    """A process: on which host, since when, and when it last gave a sign of life (by its own clock)."""

    id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime


class WorkerStore:
    """Every method is one transaction."""

    def __init__(self, engine: Engine, clock: UptimeClock = uptime) -> None:
        self.engine = engine
        self._watch = LivenessMonitor(clock)

    def record_heartbeat(self, worker: Worker) -> None:
        """A sign of life; a worker that is not known is registered."""
        with write_transaction(self.engine) as connection:
            known = connection.execute(
                update(_W).where(_W.c.id == worker.id).values(seen_at=worker.seen_at)
            ).rowcount
            if not known:
                values = {name: getattr(worker, name) for name in Worker.__dataclass_fields__}
                connection.execute(insert(_W).values(**values))

    def all(self) -> list[Worker]:
        """All there are, oldest first."""
        query = select(_W).order_by(_W.c.started_at, _W.c.id)
        with read_transaction(self.engine) as connection:
            return [Worker(**row._mapping) for row in connection.execute(query)]

    def remove(self, worker: str) -> None:
        """That worker is dead, or ends: what it has under way is free, and it is no longer listed."""
        with write_transaction(self.engine) as connection:
            self._free(connection, worker)
            connection.execute(delete(_W).where(_W.c.id == worker))

    @staticmethod
    def _free(connection: Connection, worker: str) -> None:
        shipment = update(_S).where(_S.c.lease_token.is_not(None), _S.c.lease_token.startswith(worker))
        connection.execute(shipment.values(lease_token=None, lease_until=None))
        connection.execute(update(_T).where(_T.c.holder.startswith(worker)).values(holder=None))

    def remove_silent(self, seconds: float) -> None:
        """Forget workers that gave no sign of life while this process watched for `seconds`. Their leases
        end by themselves, and one that was only held up registers again.
        """
        signs = {worker.id: worker.seen_at for worker in self.all()}
        for stopped in self._watch.unchanged("workers", signs, seconds):
            with write_transaction(self.engine) as connection:
                connection.execute(delete(_W).where(_W.c.id == stopped, _W.c.seen_at == signs[stopped]))
