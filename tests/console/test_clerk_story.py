"""A clerk's morning: one page of today's work, each line with what helps; and the pages behind its lines."""

from collections.abc import Callable

import pytest
from console_browser import DESK, PHONE, ConsoleWindow
from console_centre import Console
from sqlalchemy import delete

from adapter.audit import audit
from adapter.database import write_transaction

Open = Callable[..., ConsoleWindow]
EVERYWHERE = pytest.mark.parametrize(
    ("language", "size"), [("vi", DESK), ("vi", PHONE), ("en", DESK), ("en", PHONE)]
)


@EVERYWHERE
def test_every_page_behind_the_day_is_sound(window: Open, language: str, size: tuple[int, int]) -> None:
    one = window("clerk", language=language, size=size)
    for path in ("/day", "/refused", "/held", "/doubles", "/referrals", "/referrals?late=1", "/inbox"):
        one.open(path)
        one.check()
    for state in ("linked", "applied", "ignored"):
        one.open(f"/inbox?state={state}")
        one.check()
