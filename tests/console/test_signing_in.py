"""Signing in and out in a browser, with the keyboard alone."""

from collections.abc import Callable

import pytest
from console_browser import SIZES, ConsoleWindow
from console_centre import Console, now

from adapter.authorization.staff_accounts import reset_account
from adapter.database import write_transaction


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_pages_before_signing_in_are_sound(
    window: Callable[..., ConsoleWindow], size: tuple[int, int], dark: bool
) -> None:
    one = window(None, size=size, dark=dark)
    for path in ("/sign-in", "/sign-in?lang=en", "/code", "/nothing"):
        one.open(path)
        one.complaints = [said for said in one.complaints if "404" not in said]
        one.check()


def test_a_password_is_chosen_with_a_code_and_opens_the_console(
    console: Console, window: Callable[..., ConsoleWindow]
) -> None:
    with write_transaction(console.adapter.engine) as connection:
        code = reset_account(connection, "nurse", now(), by="test")
    one = window(None)
    one.open("/sign-in")
    one.press("Tôi có mã dùng một lần")
    one.write("Mã dùng một lần", code)
    one.write("Tên đăng nhập", "nurse")
    one.write("Mật khẩu mới", "một câu ngắn 1")
    one.write("Nhập lại mật khẩu", "một câu ngắn 1")
    one.press("Đặt mật khẩu")
    assert "Vũ Thị Dưỡng" in one.text
    one.press("English")
    assert "Sign out" in one.text
    one.press("Sign out")
    one.write("Tên đăng nhập", "nurse")
    one.write("Mật khẩu", "sai rồi sai rồi")
    one.press("Đăng nhập")
    assert "Sai tên hoặc mật khẩu." in one.text
    one.write("Mật khẩu", "một câu ngắn 1")
    one.press("Đăng nhập")
    assert "Vũ Thị Dưỡng" in one.text
