"""What IT sees at the hospital of the small centre (console_centre): two days of requests, and values that it
refused: of DUC, and of SECRET, who is T1.
"""

from datetime import timedelta

from console_centre import HOME, now
from sqlalchemy import update

from adapter.database import write_transaction
from adapter.ledger.hospitals.traffic import TrafficCell, TrafficOutcome
from adapter.ledger.schema.states import EntryState
from adapter.ledger.schema.tables import entry
from adapter.pipeline.application import Adapter

__all__ = ["SAID", "put_traffic"]

SAID = "Observation.valueQuantity.unit: <b>µmol/L</b> is not known here"
"""What the hospital said when it refused them: with markup, which is to be shown as words."""


def put_traffic(adapter: Adapter) -> None:
    """Two days of requests, and the two values of creatinine that the hospital did not take."""
    hour = now().replace(minute=0, second=0, microsecond=0)
    for back, done, silent in ((1, 40, 3), (5, 120, 0), (30, 7, 1)):
        at = hour - timedelta(hours=back)
        counts = {
            TrafficCell(at, TrafficOutcome.DONE, 250): done,
            TrafficCell(at, TrafficOutcome.DONE, 2_500): 2,
            TrafficCell(at, TrafficOutcome.SILENT, 30_000): silent,
        }
        adapter.ledger.traffic.add(HOME, {cell: count for cell, count in counts.items() if count})
    for key in ("CS-1-0-0", "CS-4-0-0"):
        with write_transaction(adapter.engine) as connection:
            done = connection.execute(
                update(entry)
                .where(entry.c.hospital == HOME, entry.c.key == key)
                .values(state=EntryState.PARKED, reason="refused", detail=SAID, changed_at=now())
            )
        assert key == "CS-4-0-0" or done.rowcount == 1
