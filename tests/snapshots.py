"""Databases that are brought into a state once in a test process, and copied for each test from there."""

import shutil
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from postgres import Postgres

from adapter.pipeline.application import Adapter

Urls = Mapping[str, str]
"""URL of each database by its role, e.g. `centre`, `hospital`."""


def servers_moved(adapter: Adapter) -> None:
    """The hospitals of a copy are those that its ledger was made with, on other ports."""
    for name, address in adapter.addresses.items():
        adapter.ledger.servers.move(name, address, by="test", now=datetime.now(UTC), unchanged=lambda: None)


class Snapshots:
    """Hands out copies. A database's system is `sqlite` or `postgresql`."""

    def __init__(self, folder: Path, empty_sqlite: Path, postgres: Postgres) -> None:
        self._folder = folder
        self._empty_sqlite = empty_sqlite
        self._postgres = postgres
        self._kept: dict[object, dict[str, str]] = {}
        self._copies: list[str] = []  # of PostgreSQL, until the test is over

    def copies(
        self, state: str, systems: Mapping[str, str], folder: Path, make: Callable[[Urls], None]
    ) -> dict[str, str]:
        """Databases in `state`, SQLite's as `folder`/ROLE.db.

        `make` gets migrated, empty ones where the state was not made yet, and leaves all of them closed.
        """
        asked = state, tuple(systems.items())
        if asked not in self._kept:
            urls = {role: self._first(role, system) for role, system in systems.items()}
            make(urls)
            self._kept[asked] = urls
        return {role: self._copy(url, folder / f"{role}.db") for role, url in self._kept[asked].items()}

    def drop_copies(self) -> None:
        """Remove what the last test had; pytest keeps its folder for as long as it likes."""
        while self._copies:
            self._postgres.drop(self._copies.pop())

    def _first(self, role: str, system: str) -> str:
        name = f"s_{uuid.uuid4().hex}"
        if system == "postgresql":
            return self._postgres.create(name)
        return f"sqlite:///{shutil.copy(self._empty_sqlite, self._folder / f'{role}-{name}.db')}"

    def _copy(self, url: str, path: Path) -> str:
        if url.startswith("sqlite:///"):
            return f"sqlite:///{shutil.copy(url.removeprefix('sqlite:///'), path)}"
        name = f"t_{uuid.uuid4().hex}"
        self._copies.append(name)
        return self._postgres.create(name, template=url)
