"""Who may open a hospital's page: invitations with a one-time code, the sessions that they open, and the
forms that were sent in them. Only hashes are stored.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import Column, Connection, Engine, Integer, String, Table, delete, insert, select, update

from adapter import audit
from adapter.database import UtcDateTime, metadata, read_transaction, write_transaction

__all__ = [
    "IDLE",
    "LONGEST",
    "WRONG_CODES",
    "Invitation",
    "OpenInvitation",
    "PageSession",
    "end_session",
    "invite",
    "is_taken",
    "open_invitations",
    "open_session",
    "page_form",
    "page_invitation",
    "page_session",
    "revoke_page_access",
    "session_of",
    "set_session_language",
    "take_form",
]

WRONG_CODES = 5  # then an invitation is dead
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=8)
_USE_IS_NEWS = timedelta(minutes=1)  # a use within it is not written again
_FORMS_KEPT = timedelta(days=1)  # longer than any session
_DIGITS = 8

page_invitation = Table(
    "page_invitation",
    metadata,
    Column("link", String(64), primary_key=True),  # SHA-256 of the link's token, hexadecimal
    Column("hospital", String(64), nullable=False, index=True),
    Column(
        "code", String(64), nullable=False
    ),  # SHA-256 of token and code: it is guessed with the token alone
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("tries", Integer, nullable=False),
    Column("ended_at", UtcDateTime),  # it was used, revoked or guessed at
)
page_session = Table(
    "page_session",
    metadata,
    Column("session", String(64), primary_key=True),  # SHA-256 of the cookie's value, hexadecimal
    Column("hospital", String(64), nullable=False, index=True),
    Column("language", String(2), nullable=False),
    Column("last_used", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
page_form = Table(
    "page_form",
    metadata,
    Column("form", String(64), primary_key=True),  # SHA-256 of hospital, the form's number and what it said
    Column("taken_at", UtcDateTime, nullable=False, index=True),
)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a hospital is told, this once: the `token` of its link, and the `code`, eight digits."""

    hospital: str
    token: str
    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """One that can still be used. `name`: the beginning of its link's hash."""

    name: str
    hospital: str
    created_at: datetime
    expires_at: datetime
    tries: int


@dataclass(frozen=True, slots=True, repr=False)
class PageSession:
    """A clerk of `hospital`, signed in. `token` is the cookie's value."""

    token: str
    hospital: str
    language: str

    @property
    def form_key(self) -> str:
        """Stands in each form of the session: whoever cannot read its pages cannot send one (CSRF)."""
        return hmac.new(self.token.encode(), b"form", sha256).hexdigest()

    def is_key(self, shown: str) -> bool:
        """Whether this stood in a form of the session."""
        return hmac.compare_digest(shown.encode(), self.form_key.encode())


def invite(engine: Engine, hospital: str, valid: timedelta, now: datetime, *, by: str) -> Invitation:
    """Invite a clerk of `hospital`, for so long. Audited."""
    token, code = secrets.token_urlsafe(32), f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}}"
    made = Invitation(hospital, token, code, now + valid)
    row = {
        "link": _hash(token),
        "hospital": hospital,
        "code": _hash(f"{token}\x1f{code}"),
        "created_at": now,
        "expires_at": made.expires_at,
        "tries": 0,
    }
    with write_transaction(engine) as connection:
        connection.execute(delete(page_invitation).where(page_invitation.c.expires_at <= now))
        connection.execute(insert(page_invitation).values(row))
        audit.append(connection, at=now, actor=by, action="page.invited", hospital=hospital)
    return made


def open_invitations(engine: Engine, hospital: str, now: datetime) -> list[OpenInvitation]:
    """Those of a hospital that can still be used, the oldest first."""
    row = page_invitation.c
    query = select(row.link, row.hospital, row.created_at, row.expires_at, row.tries)
    query = query.where(row.hospital == hospital, row.expires_at > now)
    query = query.where(row.ended_at.is_(None), row.tries < WRONG_CODES).order_by(row.created_at, row.link)
    with read_transaction(engine) as connection:
        return [OpenInvitation(one[0][:12], *one[1:]) for one in connection.execute(query)]


def revoke_page_access(engine: Engine, hospital: str, now: datetime, *, by: str) -> tuple[int, int]:
    """End the hospital's invitations and sessions; how many of each there were. Audited."""
    invitations, sessions = page_invitation.c, page_session.c
    usable = (invitations.hospital == hospital, invitations.ended_at.is_(None), invitations.expires_at > now)
    with write_transaction(engine) as connection:
        ended = connection.execute(update(page_invitation).where(*usable).values(ended_at=now)).rowcount
        closed = connection.execute(delete(page_session).where(sessions.hospital == hospital)).rowcount
        details = {"invitations": ended, "sessions": closed}
        audit.append(connection, at=now, actor=by, action="page.revoked", hospital=hospital, details=details)
    return ended, closed


def open_session(engine: Engine, token: str, code: str, language: str, now: datetime) -> PageSession | None:
    """A session for who has an invitation's link and its code, which are used up by that; None where either
    is wrong, used, revoked or over. Each try counts before its code is looked at, so that no two at once are
    one. Audited, where there is such an invitation.
    """
    link, row = _hash(token), page_invitation.c
    may_try = (row.link == link, row.ended_at.is_(None), row.expires_at > now, row.tries < WRONG_CODES)
    with write_transaction(engine) as connection:
        counted = connection.execute(update(page_invitation).where(*may_try).values(tries=row.tries + 1))
        found = connection.execute(select(row.hospital, row.code).where(row.link == link)).first()
        right = hmac.compare_digest(found.code if found else "", _hash(f"{token}\x1f{code}"))
        if found is None or not counted.rowcount:
            return None
        actor = f"page:{found.hospital}"
        if not right:
            audit.append(connection, at=now, actor=actor, action="page.code-refused", hospital=found.hospital)
            return None
        connection.execute(update(page_invitation).where(row.link == link).values(ended_at=now))
        made = PageSession(secrets.token_urlsafe(32), found.hospital, language)
        _forget_what_is_over(connection, now)
        connection.execute(
            insert(page_session).values(
                session=_hash(made.token),
                hospital=made.hospital,
                language=language,
                last_used=now,
                expires_at=now + LONGEST,
            )
        )
        audit.append(connection, at=now, actor=actor, action="page.signed-in", hospital=made.hospital)
    return made


def session_of(engine: Engine, token: str, now: datetime) -> PageSession | None:
    """The session of a cookie's value, while it holds. Notes the use."""
    row = page_session.c
    mine = row.session == _hash(token)
    query = select(row.hospital, row.language, row.last_used)
    query = query.where(mine, row.expires_at > now, row.last_used > now - IDLE)
    with read_transaction(engine) as connection:
        found = connection.execute(query).first()
    if found is None:
        return None
    if now - found.last_used > _USE_IS_NEWS:
        with write_transaction(engine) as connection:
            connection.execute(update(page_session).where(mine).values(last_used=now))
    return PageSession(token, found.hospital, found.language)


def set_session_language(engine: Engine, session: PageSession, language: str) -> PageSession:
    """The same session in another language."""
    mine = page_session.c.session == _hash(session.token)
    with write_transaction(engine) as connection:
        connection.execute(update(page_session).where(mine).values(language=language))
    return PageSession(session.token, session.hospital, language)


def end_session(engine: Engine, session: PageSession, now: datetime) -> None:
    """The clerk signs out. Audited."""
    with write_transaction(engine) as connection:
        connection.execute(delete(page_session).where(page_session.c.session == _hash(session.token)))
        audit.append(
            connection,
            at=now,
            actor=f"page:{session.hospital}",
            action="page.signed-out",
            hospital=session.hospital,
        )


def take_form(connection: Connection, form: str, now: datetime) -> bool:
    """Note in the caller's transaction that this form was taken; False where it was before. Of two at once
    one fails with IntegrityError.
    """
    if _is_taken(connection, form):
        return False
    connection.execute(insert(page_form).values(form=form, taken_at=now))
    return True


def is_taken(engine: Engine, form: str) -> bool:
    """Whether this form was taken."""
    with read_transaction(engine) as connection:
        return _is_taken(connection, form)


def _is_taken(connection: Connection, form: str) -> bool:
    return connection.execute(select(page_form.c.form).where(page_form.c.form == form)).first() is not None


def _forget_what_is_over(connection: Connection, now: datetime) -> None:
    connection.execute(delete(page_session).where(page_session.c.expires_at <= now))
    connection.execute(delete(page_form).where(page_form.c.taken_at <= now - _FORMS_KEPT))


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
