"""The certificate that a client showed to the proxy in TLS, as proxies hand it on in a header. Pure."""

import base64
import binascii
import re
from hashlib import sha256
from typing import Final
from urllib.parse import unquote

__all__ = ["certificate_fingerprint"]

_HEXADECIMAL: Final = re.compile(r"[0-9a-f]{64}")
_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----(?P<body>[A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_MAX_LENGTH: Final = 20_000  # characters


def certificate_fingerprint(header: str) -> str | None:
    """SHA-256 of the certificate, hexadecimal: of RFC 9440's `:base64:`, of a PEM with its escapes (nginx's
    `$ssl_client_escaped_cert`), or said by the proxy itself. None for anything else.
    """
    text = header.strip()
    if not 0 < len(text) <= _MAX_LENGTH:
        return None
    if text.startswith(":") and text.endswith(":") and len(text) > 2:
        return _of_base64(text[1:-1])
    if pem := _PEM.search(unquote(text)):
        return _of_base64("".join(pem["body"].split()))
    plain = text.lower().replace(":", "")
    return plain if _HEXADECIMAL.fullmatch(plain) else None


def _of_base64(text: str) -> str | None:
    try:
        return sha256(base64.b64decode(text, validate=True)).hexdigest()
    except (binascii.Error, ValueError):
        return None
