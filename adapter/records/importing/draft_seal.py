"""What is kept of an uploaded workbook, sealed: it may tell of people whose records are not handled."""

from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapter.fhir.identity import IdentityFactory

__all__ = ["DraftSeal"]

_NONCE = 12  # bytes, another each time


class DraftSeal:
    """AES-256-GCM under a key that is made of the identity key: a copy of the database alone, such as a
    backup, shows nothing. `part` says what is sealed, and of which draft: another's does not open in its
    place.
    """

    def __init__(self, identities: IdentityFactory) -> None:
        halves = (identities.of("", "import-draft", "seal", part) for part in ("1", "2"))
        self._cipher = AESGCM(bytes.fromhex("".join(halves)))

    def close(self, part: str, content: bytes) -> bytes:
        """The content, sealed."""
        nonce = token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, content, part.encode())

    def open(self, part: str, sealed: bytes) -> bytes | None:
        """The content again; None where it was emptied, tampered with, or sealed under another key."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], part.encode())
        except (InvalidTag, ValueError):
            return None
