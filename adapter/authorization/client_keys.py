"""The public keys of hospitals' clients: a JWKS (RFC 7517) from a file, or from the hospital's own URL."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from adapter.authorization.remote_documents import KeysUnavailable, RemoteDocuments

__all__ = ["ClientKeys", "key_set_of"]

_MAX_BYTES: Final = 100_000  # of a file
_MAX_KEYS: Final = 50
_MIN_RSA_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class _KeyFile:
    """What was read of a file, and how the file was then."""

    keys: KeySet
    stamp: tuple[int, int]


class ClientKeys:
    """The key sets of clients. A client may change its keys without telling anybody: a key that is not there
    is looked for anew, and so is a file that changed.
    """

    def __init__(self, documents: RemoteDocuments) -> None:
        self._documents = documents
        self._files: dict[Path, _KeyFile] = {}

    def at_url(self, url: str, key_id: str) -> KeySet:
        """The keys there, with `key_id` among them if it can be had. Raises KeysUnavailable."""
        return self._documents.get(url, key_set_of, lambda keys: any(key.kid == key_id for key in keys.keys))

    def in_file(self, file: Path) -> KeySet:
        """The keys in a file. Raises KeysUnavailable."""
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            kept = self._files.get(file)
            if kept is not None and kept.stamp == stamp:
                return kept.keys
            if status.st_size > _MAX_BYTES:
                raise KeysUnavailable("too-large")
            content = orjson.loads(file.read_bytes())
        except OSError:
            raise KeysUnavailable("no-file") from None
        except ValueError:
            raise KeysUnavailable("not-jwks") from None
        found = key_set_of(content)
        self._files[file] = _KeyFile(found, stamp)
        return found


def key_set_of(content: object) -> KeySet:
    """The public RSA and EC keys of a JWKS that have a name; what else it holds is left out. Raises
    KeysUnavailable when there is none.
    """
    listed = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise KeysUnavailable("not-jwks")
    keys: list[RSAKey | ECKey] = []
    for one in listed[:_MAX_KEYS]:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig" or not isinstance(one.get("kid"), str):
            continue
        if "d" in one:
            raise KeysUnavailable("private-key")  # who can read it here could sign as the hospital
        try:
            if one.get("kty") == "RSA" and _bits(one.get("n")) >= _MIN_RSA_BITS:
                keys.append(RSAKey.import_key(one))
            elif one.get("kty") == "EC":
                keys.append(ECKey.import_key(one))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    if not keys:
        raise KeysUnavailable("no-keys")
    return KeySet(list(keys))


def _bits(modulus: object) -> int:
    """Of an RSA key, by its `n`: base64url of whole bytes, four letters for three."""
    return len(modulus.rstrip("=")) * 6 // 8 * 8 if isinstance(modulus, str) else 0
