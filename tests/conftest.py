"""Fixtures that every test may use. Store tests run on SQLite and on PostgreSQL alike."""

import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import compiled_statements
import forking
import known_mappings
import pytest
from centre_states import CentreStates
from mariadb import MariaDB
from postgres import Postgres
from sample import SMALL, write_brief
from snapshots import Snapshots, Urls
from sqlalchemy import Engine

from adapter.database import migrate, open_database
from adapter.records.importing.importer import run_import
from adapter.testing.centre import HOSPITALS
from adapter.testing.commands import Commands

NO_SKIPS_VARIABLE = "ADAPTER_TEST_NO_SKIPS"  # CI: a skipped test is a failed run
_NOT_FOUND = "PostgreSQL not found"
_NO_MARIADB = "MariaDB not found"
_MEMORY = Path("/dev/shm")  # noqa: S108 - where files are that nobody keeps
_ROOM = 8_000_000_000  # bytes that must be free there
_LONGEST_FIRST = {  # by what a test of the file takes, as last measured
    name: place
    for place, name in enumerate(
        (
            "test_faults.py",
            "test_noninterference.py",
            "test_mapping_service.py",
            "test_workers.py",
            "test_demo.py",
            "test_out.py",
            "test_back.py",
            "test_opened.py",
            "test_readme.py",
            "test_ledger_model.py",
            "test_disclosure_cli.py",
            "test_linking.py",
            "test_migrating.py",
            "test_reconcile.py",
            "test_merging.py",
            "test_mapping_change.py",
            "test_explaining.py",
            "test_doctor_cli.py",
            "test_doctor.py",
            "test_disclosed.py",
            "test_syncing.py",
            "test_moved_records.py",
            "test_foresight.py",
            "test_recorded_servers.py",
        )
    )
}
_postgres = pytest.StashKey[Postgres]()
_mariadb = pytest.StashKey[MariaDB]()
_figures = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    _write_into_memory()
    os.environ["ADAPTER_ALLOW_ROOT"] = "true"  # tests often run in a container
    Commands.launch = staticmethod(forking.launch)
    compiled_statements.share()
    known_mappings.share()
    config.stash[_postgres] = Postgres()
    config.stash[_mariadb] = MariaDB()
    config.stash[_figures] = []


def _write_into_memory() -> None:
    """Temporary files, databases too, wait for no disk where there is room in memory."""
    if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None  # it may have been looked up before


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for long begins first, a share of it with each worker of xdist: else some would wait alone
    at the end. Each worker begins with a piece of the list and takes from others' when its own is done. A
    file's tests stay together.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    hands: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for path in sorted(files, key=lambda path: _LONGEST_FIRST.get(path.name, len(_LONGEST_FIRST))):
        min(hands, key=len).extend(files[path])
    items[:] = [item for hand in hands for item in hand]


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is loaded now stays to the end: the collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get(NO_SKIPS_VARIABLE) and _skipped(session.config) and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = session.config.stash[_figures]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say last what was not tested, after pytest's own closing line."""
    config.stash[_postgres].stop()
    config.stash[_mariadb].stop()
    skipped = _skipped(config)
    for_postgres = sum(_NOT_FOUND in str(report.longrepr) for report in skipped)
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None:
        return
    if for_postgres:
        terminal.write_line(
            f"PostgreSQL not found: {for_postgres} store tests were skipped and ran on SQLite alone. "
            "On Debian and Ubuntu: apt-get install postgresql",
            yellow=True,
        )
    for_mariadb = sum(_NO_MARIADB in str(report.longrepr) for report in skipped)
    if for_mariadb:
        terminal.write_line(
            f"MariaDB not found: {for_mariadb} tests of it as a source were skipped. "
            "On Debian and Ubuntu: apt-get install mariadb-server",
            yellow=True,
        )
    if skipped and os.environ.get(NO_SKIPS_VARIABLE):
        terminal.write_line(f"{NO_SKIPS_VARIABLE}: {len(skipped)} skipped tests fail this run", red=True)


def _skipped(config: pytest.Config) -> list[pytest.TestReport]:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    return terminal.stats.get("skipped", []) if terminal else []


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker's figures come to who prints them."""
    node.config.stash[_figures] += getattr(node, "workeroutput", {}).get("figures", ())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[_figures]:
        terminalreporter.section("figures")
    for line in config.stash[_figures]:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> list[str]:
    """Lines that are printed when all tests are done."""
    return pytestconfig.stash[_figures]


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy: quicker than migrating for each test."""
    path = tmp_path_factory.mktemp("template") / "adapter.db"
    engine = open_database(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()  # the last connection checkpoints, so the one file is all there is
    return path


@pytest.fixture
def sqlite_url(empty_sqlite: Path, tmp_path: Path) -> str:
    """URL of a migrated, empty SQLite database."""
    return f"sqlite:///{shutil.copy(empty_sqlite, tmp_path / 'adapter.db')}"


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a migrated, empty PostgreSQL database; skips where there is no PostgreSQL."""
    postgres = request.config.stash[_postgres]
    if not postgres.available:
        pytest.skip(_NOT_FOUND)
    name = f"t_{uuid.uuid4().hex}"
    yield postgres.create(name)
    postgres.drop(name)


@pytest.fixture
def mariadb_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of an empty MariaDB database, to read from; skips where there is no MariaDB."""
    mariadb = request.config.stash[_mariadb]
    if not mariadb.available:
        pytest.skip(_NO_MARIADB)
    name = f"t_{uuid.uuid4().hex}"
    yield mariadb.create(name)
    mariadb.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_system(request: pytest.FixtureRequest) -> str:
    """Each test that asks for it runs once per database system; skips PostgreSQL where there is none."""
    system: str = request.param
    if system == "postgresql" and not request.config.stash[_postgres].available:
        pytest.skip(_NOT_FOUND)
    return system


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_system: str) -> str:
    """URL of a migrated, empty database."""
    url: str = request.getfixturevalue("sqlite_url" if database_system == "sqlite" else "postgres_url")
    return url


@pytest.fixture(scope="session")
def _snapshots(
    tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, pytestconfig: pytest.Config
) -> Snapshots:
    return Snapshots(tmp_path_factory.mktemp("snapshots"), empty_sqlite, pytestconfig.stash[_postgres])


@pytest.fixture
def snapshots(_snapshots: Snapshots) -> Iterator[Snapshots]:
    """Databases that others have brought into a state; a test's copies are dropped after it."""
    yield _snapshots
    _snapshots.drop_copies()


@pytest.fixture(scope="session")
def centre_states(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> CentreStates:
    """Data of centres on SQLite that others have brought into a state."""
    return CentreStates(tmp_path_factory.mktemp("centres"), empty_sqlite)


@pytest.fixture
def sample_url(database_system: str, tmp_path: Path, snapshots: Snapshots) -> str:
    """URL of a database that holds the small sample."""

    def make(urls: Urls) -> None:
        _import(urls["sample"], SMALL)

    return snapshots.copies("sample", {"sample": database_system}, tmp_path, make)["sample"]


@pytest.fixture(scope="session")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small sample with a few measurements of each visit: quicker to deliver."""
    return write_brief(tmp_path_factory.mktemp("brief") / "brief.xlsx")


@pytest.fixture
def brief_sqlite_url(brief: Path, tmp_path: Path, snapshots: Snapshots) -> str:
    """URL of a SQLite database that holds it."""

    def make(urls: Urls) -> None:
        _import(urls["sample"], brief)

    return snapshots.copies("brief", {"sample": "sqlite"}, tmp_path, make)["sample"]


def _import(url: str, workbook: Path) -> None:
    engine = open_database(url)
    run_import(
        engine,
        [workbook],
        max_deletions_percent=3,
        known_hospitals=frozenset(HOSPITALS),
        now=datetime(2026, 11, 22, 8, 0, tzinfo=UTC),
    )
    engine.dispose()


@pytest.fixture
def sample_engine(sample_url: str) -> Iterator[Engine]:
    """A database that holds the small sample, opened; tests run once on each database system."""
    engine = open_database(sample_url)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A migrated, empty database, opened; store tests run once on each database system."""
    engine = open_database(database_url)
    yield engine
    engine.dispose()
