"""Access tokens of five minutes, and the numbers of assertions that were used: only hashes are stored."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import Column, Connection, Engine, String, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError

from adapter.authorization.scopes import Scope, parse_scopes, written_scopes
from adapter.database import UtcDateTime, metadata, read_transaction, write_transaction

__all__ = [
    "ACCESS_TOKEN_PREFIX",
    "LIFETIME",
    "AssertionUsedAgain",
    "TokenHolder",
    "access_token",
    "holder_of_token",
    "issue_access_token",
    "revoke_access_tokens",
    "used_assertion",
]

ACCESS_TOKEN_PREFIX = "cfs_"  # noqa: S105 - which kind of token it is, not one
LIFETIME = timedelta(minutes=5)

access_token = Table(
    "access_token",
    metadata,
    Column("token", String(64), primary_key=True),  # SHA-256 of the token, hexadecimal
    Column("hospital", String(64), nullable=False, index=True),
    Column("scopes", String(4000), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
used_assertion = Table(
    "used_assertion",
    metadata,
    Column("assertion", String(64), primary_key=True),  # SHA-256 of client and `jti`, hexadecimal
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)


class AssertionUsedAgain(Exception):
    """The number of this assertion was used before."""


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Whose a token is, and what it may do."""

    hospital: str
    scopes: tuple[Scope, ...]


def issue_access_token(
    engine: Engine,
    hospital: str,
    scopes: tuple[Scope, ...],
    *,
    assertion: str,
    assertion_expires: datetime,
    now: datetime,
) -> str:
    """A token for the bearer of an assertion (its `jti`) that was proved and is used up by it. Raises
    AssertionUsedAgain.
    """
    token = ACCESS_TOKEN_PREFIX + secrets.token_urlsafe(32)
    with write_transaction(engine) as connection:
        _forget_what_is_over(connection, now)
        try:
            connection.execute(
                insert(used_assertion).values(
                    assertion=_hash(f"{hospital}\x1f{assertion}"), expires_at=assertion_expires
                )
            )
        except IntegrityError:
            raise AssertionUsedAgain from None
        connection.execute(
            insert(access_token).values(
                token=_hash(token),
                hospital=hospital,
                scopes=written_scopes(scopes),
                expires_at=now + LIFETIME,
            )
        )
    return token


def holder_of_token(engine: Engine, token: str, now: datetime) -> TokenHolder | None:
    """Whose token this is, while it holds."""
    statement = select(access_token.c.hospital, access_token.c.scopes).where(
        access_token.c.token == _hash(token), access_token.c.expires_at > now
    )
    with read_transaction(engine) as connection:
        found = connection.execute(statement).first()
    return TokenHolder(found.hospital, parse_scopes(found.scopes)) if found else None


def revoke_access_tokens(engine: Engine, hospital: str) -> int:
    """End those of a hospital at once. Returns how many there were."""
    with write_transaction(engine) as connection:
        return connection.execute(delete(access_token).where(access_token.c.hospital == hospital)).rowcount


def _forget_what_is_over(connection: Connection, now: datetime) -> None:
    for table in (access_token, used_assertion):
        connection.execute(delete(table).where(table.c.expires_at <= now))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
