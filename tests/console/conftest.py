"""Fixtures of the console's tests: a centre that is filled once, a console on a copy of it, and Chromium."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console_browser import CHROMIUM, ConsoleWindow, opened
from console_centre import Console, console_on, fill_centre, small_centre
from playwright.sync_api import Browser, sync_playwright


@pytest.fixture(scope="session")
def filled_centre(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path) -> Path:
    """Folder of a centre with people, referrals, results and staff."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "data").mkdir(mode=0o700)
    shutil.copy(empty_sqlite, folder / "data" / "adapter.db")
    with small_centre(folder) as centre, centre.open() as adapter:
        fill_centre(adapter)
    return folder


@pytest.fixture(scope="module")
def console(filled_centre: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console on a copy of it, for all tests of a module."""
    folder = tmp_path_factory.mktemp("console")
    shutil.copytree(filled_centre / "data", folder / "data")
    with small_centre(folder) as centre, console_on(centre) as console:
        yield console


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for the tests of a module. While it lives Playwright keeps an event loop in this thread, and
    what comes after in the same worker could run none of its own.
    """
    if not Path(CHROMIUM).exists():
        pytest.skip("no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


Open = Callable[..., ConsoleWindow]


@pytest.fixture
def window(chromium: Browser, console: Console) -> Iterator[Open]:
    """`window("clerk", language="vi", size=PHONE)`: a window of the console, closed after the test."""
    contexts = []

    def make(name: str | None, **how: object) -> ConsoleWindow:
        context = opened(chromium, console, name, **how)  # type: ignore[arg-type] # as the caller says
        contexts.append(context)
        return context.__enter__()

    yield make
    for one in contexts:
        one.__exit__(None, None, None)
