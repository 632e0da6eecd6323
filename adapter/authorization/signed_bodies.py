"""Bodies that are signed with a shared secret (HMAC SHA-256, RFC 2104): `t=SECONDS,k=NAME,v1=HEX`. Pure.

What is signed is the moment, a point and the body, so that neither can be exchanged.
"""

import hmac
import re
from dataclasses import dataclass
from typing import Final

__all__ = ["MIN_SECRET_BYTES", "BodySignature", "parse_signature", "sign_body"]

MIN_SECRET_BYTES: Final = 16
_LONGEST: Final = 1_000
_MOST: Final = 4  # signatures of one body
_SECONDS: Final = re.compile(r"\d{1,12}", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BodySignature:
    """`at` is in seconds since 1970, UTC; `key` names the secret; one of `values` must be right."""

    at: int
    key: str
    values: tuple[str, ...]

    def is_fresh(self, now: float, window: float) -> bool:
        """Whether it was made within so many seconds, before or after."""
        return abs(now - self.at) <= window

    def is_right(self, secret: bytes, body: bytes) -> bool:
        """Whether who made it has the secret. Takes as long wherever it differs."""
        expected = sign_body(secret, self.at, body)
        return sum(hmac.compare_digest(one, expected) for one in self.values) > 0


def sign_body(secret: bytes, at: int, body: bytes) -> str:
    """The signature, 64 hexadecimal digits."""
    made = hmac.new(secret, f"{at}.".encode(), "sha256")
    made.update(body)
    return made.hexdigest()


def parse_signature(header: str) -> BodySignature | None:
    """The signature in a header; None of what is none."""
    if len(header) > _LONGEST:
        return None
    at, key, values = "", "", []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and not at:
            at = value
        elif name == "k" and not key:
            key = value
        elif name == "v1":
            values.append(value.lower())
        else:
            return None
    is_whole = _SECONDS.fullmatch(at) and key and 0 < len(values) <= _MOST
    if not is_whole or not all(_HEX.fullmatch(one) for one in values):
        return None
    return BodySignature(int(at), key, tuple(values))
