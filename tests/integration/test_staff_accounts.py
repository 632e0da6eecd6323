"""Accounts and sessions of the centre's own staff on both database systems: what is used up is used up for
all processes, and nothing that opens the console is stored as it is.
"""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from sqlalchemy import Engine, select

from adapter.authorization.opaque_tokens import OpaqueTokens
from adapter.authorization.staff_accounts import (
    account_named,
    add_account,
    all_accounts,
    change_account,
    first_code,
    reset_account,
)
from adapter.authorization.staff_roles import ROLES, Permission, StaffRole, permissions_of
from adapter.authorization.staff_sessions import (
    StaffSession,
    change_password,
    choose_password,
    confirm_second_factor,
    end_session,
    put_notice,
    session_of,
    set_second_factor,
    sign_in,
    take_notice,
)
from adapter.authorization.staff_tables import staff_account, staff_code, staff_session
from adapter.database import read_transaction, write_transaction
from adapter.errors import UsageError

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
KEYS = OpaqueTokens(bytes(range(32)))
PASSWORD = "một câu ngắn"
KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def first(engine: Engine) -> StaffSession:
    """The first account, lan, signed in."""
    code = first_code(engine, NOW, by="test")
    assert code is not None
    made = choose_password(engine, code, "lan", PASSWORD, display="BS Lan", now=NOW)
    assert made is not None
    return made


def stored(engine: Engine) -> str:
    """All that the tables of the staff hold."""
    with read_transaction(engine) as connection:
        tables = (staff_account, staff_code, staff_session)
        return repr([row for one in tables for row in connection.execute(select(one)).all()])


def test_the_first_account_is_made_once_and_manages_the_others(engine: Engine) -> None:
    code = first_code(engine, NOW, by="test")
    newer = first_code(engine, NOW, by="test")
    assert code is not None
    assert newer is not None
    assert choose_password(engine, code, "lan", PASSWORD, display="BS Lan", now=NOW) is None
    late = NOW + timedelta(hours=2)
    assert choose_password(engine, newer, "lan", PASSWORD, display="BS Lan", now=late) is None
    made = choose_password(engine, newer.lower(), "lan", PASSWORD, display="BS Lan", now=NOW)
    assert made is not None
    assert Permission.MANAGE_ACCOUNTS in made.account.permissions
    assert first_code(engine, NOW, by="test") is None
    assert choose_password(engine, newer, "eve", PASSWORD, display="Eve", now=NOW) is None
    assert [one.name for one in all_accounts(engine)] == ["lan"]
    for secret in (newer, newer.replace("-", ""), PASSWORD, made.token):
        assert secret not in stored(engine)


def test_a_code_is_for_one_name_and_a_good_password(engine: Engine) -> None:
    first(engine)
    with write_transaction(engine) as connection:
        for name in ("an", "binh"):
            add_account(connection, name, name, (StaffRole.NURSE,), NOW, by="test")
        code = reset_account(connection, "an", NOW, by="test")
    assert choose_password(engine, code, "binh", PASSWORD, display="", now=NOW) is None
    for weak in ("ngắn", "aaaaaaaaaaaa", "an-12345678"):
        with pytest.raises(UsageError):
            choose_password(engine, code, "an", weak, display="", now=NOW)
    assert choose_password(engine, code, "an", PASSWORD, display="", now=NOW) is not None
    assert choose_password(engine, code, "an", PASSWORD, display="", now=NOW) is None


def test_the_second_step_holds_once_and_not_for_ever(engine: Engine) -> None:
    account, now = first(engine).account, NOW
    assert not set_second_factor(engine, account, KEY, "000000", keys=KEYS, now=now)
    assert set_second_factor(engine, account, KEY, pyotp.TOTP(KEY).at(now), keys=KEYS, now=now)
    assert KEY not in stored(engine)
    now += timedelta(minutes=2)
    code = pyotp.TOTP(KEY).at(now)
    waiting = sign_in(engine, "lan", PASSWORD, now)
    assert waiting is not None
    assert not waiting.is_whole
    assert confirm_second_factor(engine, waiting, "12x456", KEYS, now) is None
    whole = confirm_second_factor(engine, waiting, code, KEYS, now)
    assert whole is not None
    assert whole.token != waiting.token
    assert session_of(engine, waiting.token, now) is None
    other = sign_in(engine, "lan", PASSWORD, now)
    assert other is not None
    assert confirm_second_factor(engine, other, code, KEYS, now) is None, "a code holds once"
    for _ in range(6):
        confirm_second_factor(engine, other, "000000", KEYS, now)
    assert session_of(engine, other.token, now) is None, "after some wrong ones it begins anew"


def test_a_session_is_one_for_all_processes(engine: Engine) -> None:
    session = first(engine)
    put_notice(engine, session, "console.title", {"name": "Lê Thị Hoa"})
    seen = session_of(engine, session.token, NOW)
    assert seen is not None
    assert seen.has_notice
    assert take_notice(engine, seen) == ("console.title", {"name": "Lê Thị Hoa"})
    assert take_notice(engine, seen) is None
    end_session(engine, seen, NOW)
    assert session_of(engine, session.token, NOW) is None


def test_what_asks_by_itself_keeps_nobody_signed_in(engine: Engine) -> None:
    session, later = first(engine), NOW + timedelta(minutes=15)
    assert session_of(engine, session.token, later, is_use=False) is not None
    assert session_of(engine, session.token, later + timedelta(minutes=10)) is None
    assert session_of(engine, session.token, later) is not None
    assert session_of(engine, session.token, later + timedelta(minutes=10)) is not None


def test_another_password_ends_the_sessions_elsewhere(engine: Engine) -> None:
    here, there = first(engine), sign_in(engine, "lan", PASSWORD, NOW)
    assert there is not None
    assert not change_password(engine, here, "falsch und lang", "ein anderer Satz", NOW)
    assert change_password(engine, here, PASSWORD, "ein anderer Satz", NOW)
    assert session_of(engine, here.token, NOW) is not None
    assert session_of(engine, there.token, NOW) is None
    assert sign_in(engine, "lan", PASSWORD, NOW) is None
    assert sign_in(engine, "lan", "ein anderer Satz", NOW) is not None
    assert sign_in(engine, "nobody", PASSWORD, NOW) is None


def test_who_is_shut_out_is_out_at_once_and_somebody_always_manages(engine: Engine) -> None:
    session = first(engine)
    with pytest.raises(UsageError), write_transaction(engine) as connection:
        change_account(connection, "lan", {"disabled": True}, NOW, by="test")
    with write_transaction(engine) as connection:
        add_account(connection, "ky", "Kỹ", (StaffRole.IT,), NOW, by="test")
        change_account(connection, "lan", {"disabled": True}, NOW, by="test")
    assert session_of(engine, session.token, NOW) is None
    assert sign_in(engine, "lan", PASSWORD, NOW) is None
    assert account_named(engine, "lan").disabled_at == NOW


def test_tokens_say_nothing_and_are_good_for_their_kind_alone() -> None:
    token = KEYS.hide("person", "CB-1")
    assert KEYS.show("person", token) == "CB-1"
    assert KEYS.hide("person", "CB-1") == token
    assert KEYS.show("result", token) is None
    assert OpaqueTokens(bytes(32)).show("person", token) is None
    for spoilt in (
        "",
        token[:-1],
        token + "=",
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        "ạ",
        "x" * 500,
    ):
        assert KEYS.show("person", spoilt) is None


def test_each_role_may_something_and_it_sees_no_findings() -> None:
    assert set(ROLES) == set(StaffRole)
    assert {one for granted in ROLES.values() for one in granted} == set(Permission) - {
        Permission.OWN_ACCOUNT
    }
    assert permissions_of(()) == {Permission.OWN_ACCOUNT}
    for role in (StaffRole.IT, StaffRole.AUDITOR):
        assert not ROLES[role] & {Permission.SEE_RESULTS, Permission.SEE_PEOPLE}
