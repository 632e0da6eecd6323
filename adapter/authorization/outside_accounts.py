"""Accounts of the staff that the centre's own sign-in vouches for. What it calls somebody is stored as a hash
alone: it may be a mail address.
"""

from datetime import datetime

from sqlalchemy import Engine, select, update

from adapter import audit
from adapter.authorization.staff_accounts import StaffAccount, hash_of, read_account
from adapter.authorization.staff_sessions import StaffSession, open_session
from adapter.authorization.staff_tables import staff_account
from adapter.database import write_transaction

__all__ = ["link_outside", "sign_in_outside"]


def sign_in_outside(engine: Engine, issuer: str, subject: str, now: datetime) -> StaffSession | None:
    """A session for the account to which this sign-in was linked; None where there is none, or it is shut
    out. The second factor is the provider's matter.
    """
    with write_transaction(engine) as connection:
        asked = select(staff_account.c.name).where(staff_account.c.outside == _named(issuer, subject))
        name = connection.execute(asked).scalar_one_or_none()
        account = None if name is None else read_account(connection, name)
        if account is None or account.disabled_at is not None:
            return None
        return open_session(connection, account, now, is_whole=True, how="outside")


def link_outside(
    engine: Engine, account: StaffAccount, proved: tuple[str, str] | None, now: datetime
) -> bool:
    """Let this sign-in (issuer and subject) open the account from now on, in place of another; with None none
    does. False where it opens another's. Audited.
    """
    stored = None if proved is None else _named(*proved)
    with write_transaction(engine) as connection:
        if stored is not None:
            asked = select(staff_account.c.name).where(staff_account.c.outside == stored)
            if connection.execute(asked).scalar_one_or_none() not in (None, account.name):
                return False
        mine = staff_account.c.name == account.name
        connection.execute(update(staff_account).where(mine).values(outside=stored))
        details = {"set": stored is not None}
        audit.append(connection, at=now, actor=account.actor, action="staff.outside", details=details)
    return True


def _named(issuer: str, subject: str) -> str:
    return hash_of(f"{issuer}\x1f{subject}")
