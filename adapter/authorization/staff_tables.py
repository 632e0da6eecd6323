"""The tables of the centre's own staff: accounts, one-time codes, sessions."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, Text

from adapter.database import UtcDateTime, metadata

__all__ = ["staff_account", "staff_code", "staff_session"]

staff_account = Table(
    "staff_account",
    metadata,
    Column("name", String(40), primary_key=True),  # what is typed to sign in; the audit has it
    Column("display", String(100), nullable=False),  # as colleagues read it
    Column("roles", String(100), nullable=False),  # StaffRole, in order, with commas between
    Column("sees_t1", Boolean, nullable=False),
    Column("language", String(2), nullable=False),
    Column("password", String(200)),  # argon2id's own form; none where nobody chose one yet
    Column("totp_key", Text),  # encrypted by a key that is not in the database
    Column("totp_step", BigInteger, nullable=False),  # the last one used: no code holds twice
    Column("outside", String(64), unique=True),  # SHA-256 of issuer and subject of a provider of identities
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
)
staff_code = Table(  # with one a password is chosen, once
    "staff_code",
    metadata,
    Column("code", String(64), primary_key=True),  # SHA-256
    Column("account", String(40), index=True),  # none: it makes the first account
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
staff_session = Table(
    "staff_session",
    metadata,
    Column("session", String(64), primary_key=True),  # SHA-256 of the cookie's value
    Column("account", String(40), nullable=False, index=True),
    Column("is_whole", Boolean, nullable=False),  # no second factor is waited for any more
    Column("tries", Integer, nullable=False),  # of the second factor
    Column("notice", Text),  # what the next page says first, as JSON: what is in an address is in histories
    Column("last_used", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
