"""What the console says when a page cannot be made."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from starlette.responses import Response

from adapter.testing import Centre, serving
from adapter.web.console.app import COOKIE, console_app
from adapter.web.console.visit import ConsoleRoute, Visit

NAME = "Nguyễn Văn Kín"


def _now() -> datetime:
    return datetime.now(UTC)


def _away(visit: Visit) -> Response:
    raise OperationalError("SELECT", {"name": NAME}, Exception("no connection"))


def _wrong(visit: Visit) -> Response:
    raise RuntimeError(NAME)


@pytest.mark.parametrize(
    ("handler", "status", "words"),
    [(_away, 503, "Cơ sở dữ liệu tạm thời không trả lời"), (_wrong, 500, "Có lỗi ở hệ thống")],
)
def test_a_page_that_fails_says_so_in_words_and_nothing_of_whom_it_was_about(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    handler: Callable[[Visit], Response],
    status: int,
    words: str,
) -> None:
    routes = [ConsoleRoute("GET", "/page", handler, None)]
    centre = Centre(tmp_path, database_url=f"sqlite:///{tmp_path / 'adapter.db'}")
    with (
        centre.open() as adapter,
        serving(console_app(adapter, lambda: datetime.now(UTC), routes=routes)) as base,
    ):
        answer = httpx.get(f"{base}/page", cookies={COOKIE: "no-session"}, trust_env=False)
    assert answer.status_code == status
    assert words in answer.text
    assert (answer.headers.get("retry-after") == "5") is (status == 503)
    logged = capfd.readouterr()
    assert NAME not in answer.text + logged.out + logged.err
