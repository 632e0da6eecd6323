"""Who of the centre's own staff is signed in: by name and password, with a second factor where the account
has one. A session is a row, of which only the hash of its cookie is stored; each step makes a new cookie.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyotp
from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update

from adapter import audit
from adapter.authorization.opaque_tokens import OpaqueTokens
from adapter.authorization.passwords import hash_password, is_password, require_good_password
from adapter.authorization.staff_accounts import StaffAccount, account_of, add_account, hash_of, read_account
from adapter.authorization.staff_roles import StaffRole
from adapter.authorization.staff_tables import staff_account, staff_code, staff_session
from adapter.database import read_transaction, write_transaction

__all__ = [
    "IDLE",
    "LONGEST",
    "StaffSession",
    "change_password",
    "choose_password",
    "confirm_second_factor",
    "end_session",
    "open_session",
    "put_notice",
    "session_of",
    "set_second_factor",
    "sign_in",
    "take_notice",
]

IDLE = timedelta(minutes=20)
LONGEST = timedelta(hours=10)
_USE_IS_NEWS = timedelta(minutes=1)  # a use within it is not written again
_WRONG_FACTORS = 5  # then the password is asked for anew
_STEP = 30  # seconds that a code of a second factor holds
# Asked for by every page, with the account: made once.
_HELD = (
    select(
        staff_account,
        staff_session.c.is_whole,
        staff_session.c.last_used,
        staff_session.c.notice.is_not(None).label("has_notice"),
    )
    .join(staff_account, staff_account.c.name == staff_session.c.account)
    .where(
        staff_session.c.session == bindparam("b_session"),
        staff_session.c.expires_at > bindparam("b_now"),
        staff_session.c.last_used > bindparam("b_idle_since"),
        staff_account.c.disabled_at.is_(None),
    )
)


@dataclass(frozen=True, slots=True, repr=False)
class StaffSession:
    """`token` is the cookie's value. Where it is not whole, the second factor is waited for."""

    token: str
    account: StaffAccount
    is_whole: bool
    has_notice: bool = False


def sign_in(engine: Engine, name: str, password: str, now: datetime) -> StaffSession | None:
    """A session for name and password; None where either is wrong, or the account is shut out. Audited, where
    there is such an account.
    """
    with read_transaction(engine) as connection:
        row = staff_account.c
        asked = select(row.password).where(row.name == name, row.disabled_at.is_(None))
        found = connection.execute(asked).first()
    right = is_password(found.password if found else None, password)
    with write_transaction(engine) as connection:
        account = read_account(connection, name)
        if account is None:
            return None
        if not right or account.disabled_at is not None:
            audit.append(connection, at=now, actor=account.actor, action="staff.refused", details={})
            return None
        return open_session(connection, account, now, is_whole=not account.has_second_factor)


def open_session(
    connection: Connection, account: StaffAccount, now: datetime, *, is_whole: bool, how: str = "password"
) -> StaffSession:
    """A new session of this account."""
    made = StaffSession(secrets.token_urlsafe(32), account, is_whole)
    connection.execute(delete(staff_session).where(staff_session.c.expires_at <= now))
    connection.execute(
        insert(staff_session).values(
            session=hash_of(made.token),
            account=account.name,
            is_whole=is_whole,
            tries=0,
            last_used=now,
            expires_at=now + LONGEST,
        )
    )
    if is_whole:
        details = {"how": how}
        audit.append(connection, at=now, actor=account.actor, action="staff.signed-in", details=details)
    return made


def session_of(engine: Engine, token: str, now: datetime, *, is_use: bool = True) -> StaffSession | None:
    """The session of a cookie's value, while it holds. Notes the use, where a person asked."""
    asked = {"b_session": hash_of(token), "b_now": now, "b_idle_since": now - IDLE}
    with read_transaction(engine) as connection:
        found = connection.execute(_HELD, asked).first()
    if found is None:
        return None
    if is_use and now - found.last_used > _USE_IS_NEWS:
        with write_transaction(engine) as connection:
            mine = staff_session.c.session == asked["b_session"]
            connection.execute(update(staff_session).where(mine).values(last_used=now))
    return StaffSession(token, account_of(found), found.is_whole, found.has_notice)


def confirm_second_factor(
    engine: Engine, session: StaffSession, code: str, keys: OpaqueTokens, now: datetime
) -> StaffSession | None:
    """A whole session, in place of one that waits for the second factor; None of a wrong code. After some the
    session is over.
    """
    name, row = session.account.name, staff_session.c
    mine = row.session == hash_of(session.token)
    with write_transaction(engine) as connection:
        may_try = (mine, row.is_whole.is_(False), row.tries < _WRONG_FACTORS)
        counted = connection.execute(update(staff_session).where(*may_try).values(tries=row.tries + 1))
        if not counted.rowcount:
            connection.execute(delete(staff_session).where(mine))
            return None
        account = staff_account.c
        asked = select(account.totp_key, account.totp_step).where(account.name == name)
        stored = connection.execute(asked.with_for_update()).one()
        step = _step_of(_shown(keys, name, stored.totp_key), code, now)
        if step is None or step <= stored.totp_step:
            audit.append(connection, at=now, actor=session.account.actor, action="staff.refused", details={})
            return None
        connection.execute(update(staff_account).where(account.name == name).values(totp_step=step))
        connection.execute(delete(staff_session).where(mine))
        return open_session(connection, session.account, now, is_whole=True, how="second-factor")


def set_second_factor(
    engine: Engine, account: StaffAccount, key: str | None, code: str, *, keys: OpaqueTokens, now: datetime
) -> bool:
    """Ask this account for a second factor from now on, `key` in base 32, of which `code` shows that an app
    has it; with None no more. False of a wrong code. Audited.
    """
    step = _step_of(key, code, now) if key is not None else 0
    if step is None:
        return False
    sealed = None if key is None else keys.hide(f"totp:{account.name}", key)
    with write_transaction(engine) as connection:
        mine = staff_account.c.name == account.name
        connection.execute(update(staff_account).where(mine).values(totp_key=sealed, totp_step=step))
        details = {"set": key is not None}
        action = "staff.second-factor"
        audit.append(connection, at=now, actor=account.actor, action=action, details=details)
    return True


def _shown(keys: OpaqueTokens, name: str, sealed: str | None) -> str | None:
    return None if sealed is None else keys.show(f"totp:{name}", sealed)


def _step_of(key: str | None, code: str, now: datetime) -> int | None:
    """The step of time whose code this is, one before or after it included; None where it is of none."""
    digits = "".join(code.split())
    if key is None or not digits.isascii() or not digits.isdigit():
        return None
    here = int(now.timestamp()) // _STEP
    totp = pyotp.TOTP(key)
    found = [
        step for step in (here - 1, here, here + 1) if secrets.compare_digest(totp.at(step * _STEP), digits)
    ]
    return max(found, default=None)


def choose_password(
    engine: Engine, code: str, name: str, password: str, *, display: str, now: datetime
) -> StaffSession | None:
    """Use a one-time code up: `name` has this password then, and is signed in. A code for the first account
    makes it, as head of the centre and IT. None where the code is wrong or over, or of another. Raises
    UsageError for a password or name that will not do.
    """
    require_good_password(password, name)
    stored = hash_password(password)
    mine = hash_of("".join(one for one in code.upper() if one.isalnum()))
    with write_transaction(engine) as connection:
        row = staff_code.c
        used = select(row.account).where(row.code == mine, row.expires_at > now)
        found = connection.execute(used.with_for_update()).first()
        if found is None or found.account not in (None, name):
            return None
        if not connection.execute(delete(staff_code).where(row.code == mine)).rowcount:
            return None
        if found.account is None:
            if connection.execute(select(func.count()).select_from(staff_account)).scalar_one():
                return None
            roles = (StaffRole.HEAD, StaffRole.IT)
            add_account(connection, name, display, roles, now, by="console:first-run")
        account = read_account(connection, name)
        if account is None or account.disabled_at is not None:
            return None
        connection.execute(update(staff_account).where(staff_account.c.name == name).values(password=stored))
        audit.append(connection, at=now, actor=account.actor, action="staff.password-chosen", details={})
        return open_session(connection, account, now, is_whole=True, how="code")


def change_password(
    engine: Engine, session: StaffSession, old: str, password: str | None, now: datetime
) -> bool:
    """Another password for who is signed in, who knows the `old` one; None: only whether it is the old one.
    Other sessions of the account end. False of a wrong old one, after some of which the session is over.
    Audited. Raises UsageError for a password that will not do.
    """
    name, row = session.account.name, staff_session.c
    mine = row.session == hash_of(session.token)
    with read_transaction(engine) as connection:
        asked = select(staff_account.c.password).where(staff_account.c.name == name)
        stored = connection.execute(asked).scalar()
    if not is_password(stored, old):
        with write_transaction(engine) as connection:
            connection.execute(update(staff_session).where(mine).values(tries=row.tries + 1))
            connection.execute(delete(staff_session).where(mine, row.tries >= _WRONG_FACTORS))
            audit.append(connection, at=now, actor=session.account.actor, action="staff.refused", details={})
        return False
    if password is None:
        return True
    require_good_password(password, name)
    chosen = hash_password(password)
    with write_transaction(engine) as connection:
        connection.execute(update(staff_account).where(staff_account.c.name == name).values(password=chosen))
        connection.execute(delete(staff_session).where(row.account == name, ~mine))
        actor = session.account.actor
        audit.append(connection, at=now, actor=actor, action="staff.password-chosen", details={})
    return True


def end_session(engine: Engine, session: StaffSession, now: datetime) -> None:
    """Sign out. Audited."""
    with write_transaction(engine) as connection:
        mine = staff_session.c.session == hash_of(session.token)
        connection.execute(delete(staff_session).where(mine))
        actor = session.account.actor
        audit.append(connection, at=now, actor=actor, action="staff.signed-out", details={})


def put_notice(engine: Engine, session: StaffSession, text: str, params: Mapping[str, Any]) -> None:
    """What the next page of the session says first: a text's key, and what fills it."""
    with write_transaction(engine) as connection:
        mine = staff_session.c.session == hash_of(session.token)
        notice = json.dumps([text, dict(params)], ensure_ascii=False, default=str)
        connection.execute(update(staff_session).where(mine).values(notice=notice))


def take_notice(engine: Engine, session: StaffSession) -> tuple[str, dict[str, Any]] | None:
    """The same, once."""
    mine = staff_session.c.session == hash_of(session.token)
    with write_transaction(engine) as connection:
        found = connection.execute(select(staff_session.c.notice).where(mine)).scalar()
        if found is None:
            return None
        connection.execute(update(staff_session).where(mine).values(notice=None))
    text, params = json.loads(found)
    return str(text), dict(params)
