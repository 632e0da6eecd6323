"""Centres on SQLite whose data is brought into a state once in a test process, and copied for each test."""

import shutil
from collections.abc import Callable
from pathlib import Path

from adapter.testing import Centre

__all__ = ["CentreStates"]

_DATA = "data"  # in a centre's folder: the database, and all that is kept beside it


class CentreStates:
    """Puts data into the folders of centres that are not there yet."""

    def __init__(self, folder: Path, empty_sqlite: Path) -> None:
        self._folder = folder
        self._empty_sqlite = empty_sqlite
        self._kept: dict[str, Path] = {}

    def put_empty(self, centre: Path) -> None:
        """A database that was made, and holds nothing."""
        (centre / _DATA).mkdir(mode=0o700, parents=True)
        file = Path(shutil.copy(self._empty_sqlite, centre / _DATA / "adapter.db"))
        file.chmod(0o600)

    def put(self, state: str, centre: Path, make: Callable[[Centre], None]) -> None:
        """Data in `state`. `make` gets a centre without records where the state was not made yet."""
        if state not in self._kept:
            first = self._folder / str(len(self._kept))
            self.put_empty(first)
            with Centre(first) as made:
                make(made)
            self._kept[state] = first
        shutil.copytree(self._kept[state] / _DATA, centre / _DATA)
