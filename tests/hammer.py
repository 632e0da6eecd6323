"""Workers that claim as fast as they can, in processes of their own: `python hammer.py URL THREADS ROUNDS`.

Each claim is written into a table whose key allows a shipment once, and taken out before it is given back.
"""

import sys
import threading
from datetime import UTC, datetime

from sqlalchemy import text

from adapter.database import open_database, write_transaction
from adapter.ledger.hospitals.circuit_breaker import PaceLimits
from adapter.ledger.store import LedgerStore

HOSPITALS = ("bv-a", "bv-b")
LIMIT = 5  # in flight at a hospital


def hammer(url: str, threads: int, rounds: int) -> None:
    """Claim and give back, `rounds` times in each thread. Raises whatever a thread raised."""
    engine = open_database(url)
    ledger = LedgerStore(engine, dict.fromkeys(HOSPITALS, PaceLimits(concurrency=LIMIT)))
    errors: list[BaseException] = []

    def work(number: int) -> None:
        hospital = HOSPITALS[number % len(HOSPITALS)]
        try:
            for _ in range(rounds):
                _once(ledger, hospital)
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    def _once(ledger: LedgerStore, hospital: str) -> None:
        for lease in ledger.shipments.claim(hospital, datetime.now(UTC), 60, max_count=2):
            row = {"hospital": lease.hospital, "cadre": lease.cadre}
            with write_transaction(engine) as connection:
                connection.execute(text("INSERT INTO flying VALUES (:hospital, :cadre)"), row)
            with write_transaction(engine) as connection:
                count = text("SELECT count(*) FROM flying WHERE hospital = :hospital")
                assert connection.execute(count, row).scalar_one() <= LIMIT
                connection.execute(
                    text("DELETE FROM flying WHERE hospital = :hospital AND cadre = :cadre"), row
                )
                connection.execute(text("INSERT INTO flown VALUES (:hospital, :cadre)"), row)
            ledger.shipments.finish(lease, datetime.now(UTC), datetime.now(UTC))

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    engine.dispose()
    if errors:
        raise errors[0]


if __name__ == "__main__":
    hammer(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
