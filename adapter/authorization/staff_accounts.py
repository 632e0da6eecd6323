"""Accounts of the centre's own staff: who there is, what each may, and the one-time codes with which a
password is chosen. Passwords are stored as argon2id, codes as hashes. Every change is audited.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from adapter import audit
from adapter.authorization.staff_roles import Permission, StaffRole, permissions_of
from adapter.authorization.staff_tables import staff_account, staff_code, staff_session
from adapter.database import read_transaction, write_transaction
from adapter.errors import UsageError

__all__ = [
    "NAME",
    "StaffAccount",
    "account_named",
    "account_of",
    "add_account",
    "all_accounts",
    "change_account",
    "first_code",
    "hash_of",
    "read_account",
    "reset_account",
    "set_language",
]

NAME = re.compile(r"[a-z][a-z0-9._-]{1,39}")
_CODE_HOLDS = timedelta(hours=72)
_FIRST_CODE_HOLDS = timedelta(hours=1)
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # none that is taken for another
_LENGTH = 12  # 59 bits


@dataclass(frozen=True, slots=True)
class StaffAccount:
    """Somebody of the centre. `language`: "vi" or "en"; `sees_t1`: T1 people exist for this account."""

    name: str
    display: str
    roles: tuple[StaffRole, ...]
    sees_t1: bool
    language: str
    has_password: bool
    has_second_factor: bool
    is_outside: bool
    created_at: datetime
    disabled_at: datetime | None

    @property
    def permissions(self) -> frozenset[Permission]:
        """All that the roles may."""
        return permissions_of(self.roles)

    @property
    def actor(self) -> str:
        """As the audit names who acts."""
        return f"staff:{self.name}"


def all_accounts(engine: Engine) -> Sequence[StaffAccount]:
    """Everybody, those that are shut out too, by name."""
    with read_transaction(engine) as connection:
        found = connection.execute(select(staff_account).order_by(staff_account.c.name))
        return [account_of(row) for row in found]


def account_named(engine: Engine, name: str) -> StaffAccount:
    """One of them. Raises UsageError."""
    with read_transaction(engine) as connection:
        found = read_account(connection, name)
    if found is None:
        raise UsageError("console.no_account", name=name[:40])
    return found


def read_account(connection: Connection, name: str) -> StaffAccount | None:
    """The same on a connection; None where there is none."""
    row = connection.execute(select(staff_account).where(staff_account.c.name == name)).first()
    return None if row is None else account_of(row)


def account_of(row: Row[Any]) -> StaffAccount:
    """The account of a row that has all of its columns."""
    return StaffAccount(
        name=row.name,
        display=row.display,
        roles=tuple(StaffRole(one) for one in row.roles.split(",") if one),
        sees_t1=row.sees_t1,
        language=row.language,
        has_password=row.password is not None,
        has_second_factor=row.totp_key is not None,
        is_outside=row.outside is not None,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def add_account(
    connection: Connection,
    name: str,
    display: str,
    roles: Iterable[StaffRole],
    now: datetime,
    *,
    by: str,
    sees_t1: bool = False,
    language: str = "vi",
) -> None:
    """An account without a password. Raises UsageError for a name that is none, or somebody's."""
    if not NAME.fullmatch(name) or not display.strip():
        raise UsageError("console.bad_account_name")
    if read_account(connection, name) is not None:
        raise UsageError("console.account_there", name=name)
    written = _roles(roles)
    row = {
        "name": name,
        "display": display.strip()[:100],
        "roles": written,
        "sees_t1": sees_t1,
        "language": language,
        "totp_step": 0,
        "created_at": now,
    }
    connection.execute(insert(staff_account).values(row))
    _note(connection, "staff.added", name, now, by, roles=written, sees_t1=sees_t1)


def _roles(roles: Iterable[StaffRole]) -> str:
    chosen = set(roles)
    return ",".join(one for one in StaffRole if one in chosen)


def change_account(
    connection: Connection, name: str, values: Mapping[str, Any], now: datetime, *, by: str
) -> None:
    """Set `roles` (StaffRole), `sees_t1` (bool) or `disabled` (bool) of an account; what is not named stays.
    The account is signed out. Raises UsageError where nobody could manage accounts any more.
    """
    columns: dict[str, Any] = {}
    if "roles" in values:
        columns["roles"] = _roles(values["roles"])
    if "sees_t1" in values:
        columns["sees_t1"] = values["sees_t1"]
    if "disabled" in values:
        columns["disabled_at"] = now if values["disabled"] else None
    connection.execute(update(staff_account).where(staff_account.c.name == name).values(columns))
    _require_a_manager(connection)
    connection.execute(delete(staff_session).where(staff_session.c.account == name))
    if values.get("disabled"):
        connection.execute(delete(staff_code).where(staff_code.c.account == name))
    details = {key: one for key, one in columns.items() if key != "disabled_at"}
    action = "staff.changed" if "disabled" not in values else "staff.disabled"
    if "disabled" in values:
        details["disabled"] = values["disabled"]
    _note(connection, action, name, now, by, **details)


def _require_a_manager(connection: Connection) -> None:
    open_ones = select(staff_account.c.roles).where(staff_account.c.disabled_at.is_(None))
    for written in connection.execute(open_ones).scalars():
        roles = (StaffRole(one) for one in written.split(",") if one)
        if Permission.MANAGE_ACCOUNTS in permissions_of(roles):
            return
    raise UsageError("console.last_manager")


def reset_account(connection: Connection, name: str, now: datetime, *, by: str) -> str:
    """A one-time code with which `name` chooses a password anew; password, second factor and sessions of
    before are gone.
    """
    cleared = {"password": None, "totp_key": None}
    connection.execute(update(staff_account).where(staff_account.c.name == name).values(cleared))
    connection.execute(delete(staff_session).where(staff_session.c.account == name))
    connection.execute(delete(staff_code).where(staff_code.c.account == name))
    _note(connection, "staff.reset", name, now, by)
    return _new_code(connection, name, now + _CODE_HOLDS, now)


def first_code(engine: Engine, now: datetime, *, by: str) -> str | None:
    """A one-time code that makes the first account, the one before it void; None where there are accounts."""
    with write_transaction(engine) as connection:
        if connection.execute(select(func.count()).select_from(staff_account)).scalar_one():
            return None
        connection.execute(delete(staff_code).where(staff_code.c.account.is_(None)))
        audit.append(connection, at=now, actor=by, action="staff.first-code", details={})
        return _new_code(connection, None, now + _FIRST_CODE_HOLDS, now)


def _new_code(connection: Connection, account: str | None, expires_at: datetime, now: datetime) -> str:
    text = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    connection.execute(delete(staff_code).where(staff_code.c.expires_at <= now))
    row = {"code": hash_of(text), "account": account, "expires_at": expires_at}
    connection.execute(insert(staff_code).values(row))
    return "-".join(text[at : at + 4] for at in range(0, _LENGTH, 4))


def set_language(engine: Engine, name: str, language: str) -> None:
    """The language in which the console speaks with this account, "vi" or "en"."""
    with write_transaction(engine) as connection:
        mine = staff_account.c.name == name
        connection.execute(update(staff_account).where(mine).values(language=language))


def hash_of(text: str) -> str:
    """As codes and cookies are stored: SHA-256, hexadecimal."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _note(connection: Connection, action: str, name: str, now: datetime, by: str, **details: Any) -> None:
    audit.append(connection, at=now, actor=by, action=action, details={"account": name, **details})
