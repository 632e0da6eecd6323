"""The first day: `adapter console` as a process on a new centre, the first account by the code it prints,
and pages that learn that something has changed.
"""

import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from console_browser import SIZES, ConsoleWindow, opened
from console_centre import Console, console_on, now, small_centre
from playwright.sync_api import Browser

from adapter.authorization.staff_accounts import first_code
from adapter.testing import Centre, free_port, until
from adapter.texts import say_in

_WORDS = {
    "vi": ("Mã dùng một lần", "Tên đăng nhập", "Họ tên", "Mật khẩu mới", "Nhập lại", "Đặt mật khẩu"),
    "en": ("One-time code", "Name to sign in", "Your name", "New password", "The same again", "Choose a"),
}


@pytest.fixture
def new_centre(tmp_path: Path, empty_sqlite: Path) -> Centre:
    (tmp_path / "centre" / "data").mkdir(mode=0o700, parents=True)
    shutil.copy(empty_sqlite, tmp_path / "centre" / "data" / "adapter.db")  # quicker than migrating
    return small_centre(tmp_path / "centre")


def test_the_process_prints_a_code_once_and_only_while_nobody_has_an_account(new_centre: Centre) -> None:
    with new_centre as centre:
        port = free_port()
        centre.start("console", "console", "--port", str(port))
        assert until(lambda: "-" in centre.log("console").read_text().rpartition("code")[2], 30)
        said = centre.log("console").read_text()
        code = re.search(r"[2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4}", said)
        assert code is not None
        assert f"http://127.0.0.1:{port}/code" in said
        base = f"http://127.0.0.1:{port}"
        chosen = {"name": "lan", "display": "BS Lan", "password": "một câu ngắn", "again": "một câu ngắn"}
        with httpx.Client(base_url=base, headers={"Origin": base}) as client:
            made = client.post("/code", data={"code": code[0], **chosen})
            assert made.headers["location"] == "/"
            assert client.get("/accounts").status_code == 200
            again = client.post("/code", data={"code": code[0], **chosen, "name": "other"})
            assert again.status_code == 403
        assert centre.stop("console") == 0
        centre.start("again", "console", "--port", str(port))
        assert until(lambda: _answers(base), 30)
        assert not re.search(r"[2-9A-Z]{4}-[2-9A-Z]{4}-", centre.log("again").read_text())
        assert code[0] not in centre.run("audit", "show")
        assert centre.stop("again") == 0


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/sign-in").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
def test_the_first_account_is_made_in_the_browser(
    chromium: Browser, new_centre: Centre, language: str, size: tuple[int, int]
) -> None:
    code_field, name, display, password, again, button = _WORDS[language]
    with new_centre as centre, console_on(centre) as console:
        code = first_code(console.adapter.engine, now(), by="test")
        assert code is not None
        with opened(chromium, console, None, size=size) as one:
            one.open(f"/sign-in?lang={language}")
            assert one.path == f"/code?lang={language}", "nobody can sign in yet"
            one.check()
            one.write(code_field, code.lower())
            one.write(name, "lan")
            one.write(display, "BS Nguyễn Thị Lan")
            one.write(password, "một câu ngắn")
            one.write(again, "một câu ngắn")
            one.press(button)
            assert "BS Nguyễn Thị Lan" in one.text
            one.open("/day")
            one.check()
            one.press(say_in(language, "console_day.alone_do"))
            assert one.path == "/accounts"
        assert first_code(console.adapter.engine, now(), by="test") is None


def test_pages_are_told_that_something_changed_and_are_not_kept_signed_in_by_it(
    console: Console, window: Callable[..., ConsoleWindow]
) -> None:
    told = threading.Event()

    def listen(client: httpx.Client) -> None:
        with client.stream("GET", "/events", timeout=30) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line == "data: changed":
                    told.set()
                    return

    with console.client() as nobody:
        assert nobody.get("/events").headers["location"] == "/sign-in"
    with console.client("clerk") as client:
        listener = threading.Thread(target=listen, args=(client,), daemon=True)
        listener.start()
        times = iter(range(1, 100))

        def change() -> bool:
            reason = {"reason": f"Đau ngực, lần {next(times)}"}
            console.adapter.records.amend_referral("GT-4", lambda one: one.model_copy(update=reason))
            return told.wait(1)

        assert until(change, 20)
        listener.join(10)
