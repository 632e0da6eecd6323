"""The headers that every answer has, whoever gives it."""

from collections.abc import Iterable
from typing import Final

__all__ = ["SECURITY_HEADERS", "with_security_headers"]

Header = tuple[bytes, bytes]

SECURITY_HEADERS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


def with_security_headers(headers: Iterable[Header]) -> list[Header]:
    """The headers of an answer with these, but for those that it has of its own: of two policies of content
    only what both allow would be.
    """
    own = list(headers)
    named = {name.lower() for name, _ in own}
    return [*own, *(one for one in SECURITY_HEADERS if one[0] not in named)]
