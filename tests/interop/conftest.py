"""Servers that `make interop` has made: each is started for its tests, and stopped after them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from interop.servers import SERVERS, serving
from interop.site import Site


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.interop)


@dataclass(frozen=True)
class Server:
    """One that is up."""

    name: str
    base: str

    @property
    def is_slow(self) -> bool:
        """It searches by reading all it holds: less than a hundred resources at a time."""
        return self.name == "medplum"


@pytest.fixture(scope="session", params=list(SERVERS))
def running(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Each of the servers in turn; one is stopped before the next starts. A slow one is only named: it is
    started for each test.
    """
    server = Server(request.param, "")
    if server.is_slow:
        yield server
        return
    with serving(server.name) as base:
        yield Server(server.name, base)


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """The server whose turn it is, up."""
    if not running.is_slow:
        yield running
        return
    with serving(running.name) as base:
        yield Server(running.name, base)


@pytest.fixture
def new_site(server: Server, tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes centres whose hospital is the server, under identities of their own."""
    made: list[Site] = []

    def make(name: str = "centre", *, base: str = server.base, **options: object) -> Site:
        made.append(Site(tmp_path / name, base, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """A centre whose hospital is the server."""
    return new_site()
