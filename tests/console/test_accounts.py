"""The accounts of the staff, in a browser and over HTTP: made, changed, shut out, with a second step."""

from collections.abc import Callable

import httpx
import pyotp
import pytest
from console_browser import DESK, SIZES, ConsoleWindow
from console_centre import Console, now

from adapter.authorization.staff_accounts import hash_of
from adapter.authorization.staff_sessions import IDLE, LONGEST, session_of


def _seen(client: httpx.Client, account: str) -> str:
    """The version of an account that its page shows."""
    return client.get(f"/accounts/{account}").text.split('name="seen" value="')[1].split('"')[0]


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size[0]))
def test_it_makes_an_account_and_shuts_it_out_again(
    window: Callable[..., ConsoleWindow], language: str, size: tuple[int, int]
) -> None:
    words = {
        "vi": (
            "Tên đăng nhập",
            "Họ tên",
            "bác sĩ",
            "Thêm tài khoản",
            "Mã dùng một lần cho",
            "Thay đổi",
            "Khóa",
        ),
        "en": ("Name to", "Name for", "doctor", "Add an account", "One-time code for", "Change", "Shut out"),
    }[language]
    name = f"bs.{language}{size[0]}"
    one = window("it", language=language, size=size)
    one.open("/accounts")
    one.check()
    one.write(words[0], name)
    one.write(words[1], f"Bác sĩ <b>{name}</b>")
    one.tick(words[2])
    one.press(words[3])
    assert f"{words[4]} {name}" in one.text
    assert f"Bác sĩ <b>{name}</b>" in one.text
    one.check()
    one.press(f"{words[5]} Bác sĩ <b>{name}")
    one.check()
    one.press(words[6])
    assert one.path == "/accounts"
    assert name in one.text


def test_the_second_step_is_turned_on_and_asked_for(
    console: Console, window: Callable[..., ConsoleWindow]
) -> None:
    one = window("auditor", size=DESK)
    one.open("/account")
    one.check()
    one.press("Bật bước thứ hai")
    one.check()
    key = one.page.inner_text("code")
    one.write("Mã trên ứng dụng", "000000")
    one.press("Bật bước thứ hai")
    assert "Mã không đúng" in one.text
    assert one.page.inner_text("code") == key
    one.write("Mã trên ứng dụng", pyotp.TOTP(key).now())
    one.press("Bật bước thứ hai")
    assert "Từ nay sẽ hỏi bước thứ hai." in one.text
    assert key not in str(console.audit())


def test_who_may_not_manage_accounts_finds_no_way_there(console: Console) -> None:
    with console.client("doctor") as doctor:
        assert doctor.get("/accounts").status_code == 403
        assert (
            doctor.post("/accounts", data={"name": "me", "display": "Me", "role-it": "yes"}).status_code
            == 403
        )
        assert "/accounts" not in doctor.get("/account").text


def test_somebody_else_changed_the_account_meanwhile(console: Console) -> None:
    with console.client("it") as first, console.client("head") as second:
        seen = _seen(first, "clerk")
        changed = second.post("/accounts/clerk", data={"seen": seen, "role-clerk": "yes", "t1": "yes"})
        assert changed.status_code == 303
        refused = first.post("/accounts/clerk/shut", data={"seen": seen})
        assert refused.status_code == 409
        assert console.account("clerk").sees_t1
        assert console.account("clerk").disabled_at is None


def test_the_last_who_manages_accounts_stays(console: Console) -> None:
    with console.client("it") as client:
        assert client.post("/accounts/head/shut", data={"seen": _seen(client, "head")}).status_code == 303
        refused = client.post("/accounts/it", data={"seen": _seen(client, "it"), "role-nurse": "yes"})
        assert refused.status_code == 400
        assert "không còn ai quản lý" in refused.text
        assert client.post("/accounts/head/open", data={"seen": _seen(client, "head")}).status_code == 303


def test_a_changed_account_is_signed_out_and_idle_and_long_sessions_end(console: Console) -> None:
    engine = console.adapter.engine
    token = console.cookie("nurse")
    assert session_of(engine, token, now()) is not None
    assert session_of(engine, token, now() + IDLE) is None
    assert session_of(engine, token, now() + LONGEST) is None
    assert session_of(engine, hash_of(token), now()) is None
    with console.client("it") as client:
        client.post("/accounts/nurse", data={"seen": _seen(client, "nurse"), "role-nurse": "yes"})
    assert session_of(engine, token, now()) is None


def test_each_act_is_in_the_audit_with_who_did_it(console: Console) -> None:
    with console.client("it") as client:
        client.post("/accounts", data={"name": "audited", "display": "A", "role-clerk": "yes"})
        client.post("/accounts/audited/code", data={"seen": _seen(client, "audited")})
        client.post("/accounts/audited/shut", data={"seen": _seen(client, "audited")})
    done = [(actor, action) for actor, action, more in console.audit() if more.get("account") == "audited"]
    assert done == [
        ("staff:it", "staff.added"),
        ("staff:it", "staff.reset"),
        ("staff:it", "staff.reset"),
        ("staff:it", "staff.disabled"),
    ]
