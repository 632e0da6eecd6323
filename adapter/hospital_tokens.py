"""The tokens that hospitals send with their requests, one hospital each. Only their hashes are stored.

A token has 256 random bits, so a plain SHA-256 cannot be turned back and looking it up by hash
tells nothing by its timing. Several tokens of one hospital may live at once, for rotation.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlalchemy import Column, Engine, String, Table, insert, select, update

from adapter import audit
from adapter.database import UtcDateTime, metadata, read_transaction, write_transaction

__all__ = [
    "IssuedToken",
    "hospital_of_token",
    "hospital_token",
    "issue_token",
    "list_tokens",
    "revoke_tokens",
]

_PREFIX = "cfa_"  # lets a scanner for leaked secrets recognise ours
_USE_IS_NEWS = timedelta(minutes=5)

hospital_token = Table(
    "hospital_token",
    metadata,
    Column("token", String(64), primary_key=True),  # SHA-256 of the token, hexadecimal
    Column("hospital", String(64), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("last_used", UtcDateTime),
)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What may be shown of a token: the beginning of its hash as a name, and when it lived."""

    name: str
    hospital: str
    created_at: datetime
    revoked_at: datetime | None
    last_used: datetime | None


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


def issue_token(engine: Engine, hospital: str, now: datetime, *, by: str) -> str:
    """Make a token for `hospital`. It is returned this once and cannot be shown again. Audited."""
    token = _PREFIX + secrets.token_urlsafe(32)
    row = {"hospital": hospital, "token": _hash(token), "created_at": now}
    with write_transaction(engine) as connection:
        connection.execute(insert(hospital_token).values(row))
        audit.append(connection, at=now, actor=by, action="token.issued", hospital=hospital)
    return token


def revoke_tokens(engine: Engine, hospital: str, now: datetime, *, by: str, name: str | None = None) -> int:
    """End the tokens of `hospital`, or the one whose name (IssuedToken.name) is given. Returns how many.
    Audited.
    """
    statement = (
        update(hospital_token)
        .where(hospital_token.c.hospital == hospital, hospital_token.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if name is not None:
        statement = statement.where(hospital_token.c.token.startswith(name, autoescape=True))
    with write_transaction(engine) as connection:
        count = connection.execute(statement).rowcount
        details = {"count": count}
        audit.append(connection, at=now, actor=by, action="token.revoked", hospital=hospital, details=details)
    return count


def list_tokens(engine: Engine) -> list[IssuedToken]:
    """All tokens there ever were, by hospital and age."""
    table = hospital_token.c
    statement = select(
        table.token, table.hospital, table.created_at, table.revoked_at, table.last_used
    ).order_by(table.hospital, table.created_at)
    with read_transaction(engine) as connection:
        return [IssuedToken(row[0][:12], *row[1:]) for row in connection.execute(statement)]


def hospital_of_token(engine: Engine, token: str, now: datetime | None = None) -> str | None:
    """The hospital whose live token this is, or None. Notes the use, at most every few minutes."""
    now = now or datetime.now(UTC)
    mine = hospital_token.c.token == _hash(token)
    statement = select(hospital_token.c.hospital, hospital_token.c.last_used).where(
        mine, hospital_token.c.revoked_at.is_(None)
    )
    with read_transaction(engine) as connection:
        found = connection.execute(statement).first()
    if found is None:
        return None
    if found.last_used is None or now - found.last_used > _USE_IS_NEWS:
        with write_transaction(engine) as connection:
            connection.execute(update(hospital_token).where(mine).values(last_used=now))
    return str(found.hospital)
