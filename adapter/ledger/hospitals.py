"""Hospitals' rows in the ledger: how far planning got, and the breaker. All SQL on them."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from adapter.database import read, write
from adapter.ledger import tables
from adapter.ledger.model import HospitalState

__all__ = ["HospitalStore"]

_H = tables.hospital

_COLUMNS = [_H.c[name] for name in HospitalState.__dataclass_fields__]
_CONTACT_NEWS = timedelta(seconds=10)


class HospitalStore:
    """What all workers must know of a hospital. Every method is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def row(self, name: str) -> HospitalState:
        """The hospital's row; one that was never planned for has position 0."""
        with read(self._engine) as connection:
            row = connection.execute(select(*_COLUMNS).where(_H.c.name == name)).one_or_none()
        return HospitalState(**row._mapping) if row else HospitalState(name, 0, "", 0, None, None, None)

    def reached(self, name: str, now: datetime) -> None:
        """The hospital answered as it should: its breaker closes. Written only when that is news."""
        state = self.row(name)
        recently = state.last_contact is not None and now - state.last_contact < _CONTACT_NEWS
        if state.failures or state.not_before or not recently:
            self._set(name, failures=0, not_before=None, last_contact=now, last_error=None)

    def failed(self, name: str, error: str) -> int:
        """The hospital could not be reached, or is busy. Returns how many failures there were in a row."""
        with write(self._engine) as connection:
            self.ensure(connection, name)
            connection.execute(
                update(_H).where(_H.c.name == name).values(failures=_H.c.failures + 1, last_error=error[:500])
            )
            return int(connection.execute(select(_H.c.failures).where(_H.c.name == name)).scalar_one())

    def hold_off(self, name: str, until: datetime) -> None:
        """Open the breaker: nothing is claimed for the hospital before `until`."""
        self._set(name, not_before=until)

    def probe(self, name: str) -> None:
        """A new run may try at once, unless the hospital itself asked to be left alone until a time."""
        with write(self._engine) as connection:
            connection.execute(
                update(_H).where(_H.c.name == name, _H.c.last_error != "busy").values(not_before=None)
            )

    def _set(self, name: str, **values: Any) -> None:
        with write(self._engine) as connection:
            self.ensure(connection, name)
            connection.execute(update(_H).where(_H.c.name == name).values(**values))

    @staticmethod
    def ensure(connection: Connection, name: str) -> None:
        """Make the hospital's row where there is none."""
        if connection.execute(select(_H.c.name).where(_H.c.name == name)).one_or_none() is None:
            connection.execute(
                insert(_H).values(name=name, planned_position=0, planned_version="", failures=0)
            )

    @staticmethod
    def planned(connection: Connection, name: str, *, position: int, version: str) -> None:
        """Planning got as far as feed `position` under plan `version`."""
        HospitalStore.ensure(connection, name)
        connection.execute(
            update(_H).where(_H.c.name == name).values(planned_position=position, planned_version=version)
        )
