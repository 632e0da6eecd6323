"""A centre of real processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from centre_states import CentreStates

from adapter.testing import Centre


@pytest.fixture
def centre(tmp_path: Path, centre_states: CentreStates) -> Iterator[Centre]:
    """A centre with an empty SQLite database."""
    centre_states.put_empty(tmp_path)
    centre = Centre(tmp_path)
    centre.put_server_cards()
    yield centre
    centre.close()


@pytest.fixture
def postgres_centre(tmp_path: Path, postgres_url: str) -> Iterator[Centre]:
    """A centre with an empty PostgreSQL database."""
    centre = Centre(tmp_path, database_url=postgres_url)
    centre.put_server_cards()
    yield centre
    centre.close()
