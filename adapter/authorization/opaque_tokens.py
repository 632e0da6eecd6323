"""Keys of records as words that say nothing: for addresses, which stand in histories and logs. The same
record has the same word for everybody; only this centre's key leads from either to the other.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

__all__ = ["OpaqueTokens"]

_LONGEST = 400  # characters of a token; ours are shorter


class OpaqueTokens:
    """AES-SIV (RFC 5297): a text that was tampered with, or hidden as another kind, is none. `secret` has 32
    bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESSIV(secret)

    def hide(self, kind: str, text: str) -> str:
        """The token of a text, in letters that an address may have."""
        made = self._cipher.encrypt(text.encode() or b"\0", [kind.encode()])
        return urlsafe_b64encode(made).decode().rstrip("=")

    def show(self, kind: str, token: str) -> str | None:
        """What was hidden; None of what is no token of this kind."""
        if len(token) > _LONGEST or not token.isascii():
            return None
        try:
            sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
            text = self._cipher.decrypt(sealed, [kind.encode()]).decode()
        except (InvalidTag, BadBase64, ValueError):
            return None
        # Base64 has several spellings of one value, and a page has one address.
        return text if self.hide(kind, text) == token else None
