"""Passwords of the centre's own staff, as argon2id (RFC 9106)."""

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from adapter.errors import UsageError

__all__ = ["hash_password", "is_password", "require_good_password"]

_SHORTEST = 10
_LONGEST = 200
_AT_ONCE = threading.BoundedSemaphore(2)  # each takes 64 MB: who knocks often must not take all there is
_hasher = PasswordHasher()


def require_good_password(password: str, name: str) -> None:
    """Raises UsageError for one that is short, of few letters, or the account's name."""
    if not _SHORTEST <= len(password) <= _LONGEST or len(set(password)) < 5 or name in password.lower():
        raise UsageError("console.weak_password", shortest=_SHORTEST)


def hash_password(password: str) -> str:
    """As it is stored."""
    with _AT_ONCE:
        return _hasher.hash(password)


def is_password(stored: str | None, password: str) -> bool:
    """Whether it is the one that is stored. Takes as long where none is."""
    if len(password) > _LONGEST:
        return False
    with _AT_ONCE:
        try:
            return _hasher.verify(stored or _nobodys(), password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


@cache
def _nobodys() -> str:
    return _hasher.hash("of nobody")
