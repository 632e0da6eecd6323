"""The public keys of hospitals' clients: a JWKS (RFC 7517) from a file, or from the hospital's own URL."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

__all__ = ["ClientKeys", "KeySource", "KeysUnavailable", "key_set_of"]

_MAX_BYTES: Final = 100_000  # of a file
_MAX_KEYS: Final = 50
_MIN_RSA_BITS: Final = 2048
_KEPT: Final = 300.0  # seconds that keys from a URL are believed
_AGAIN: Final = 30.0  # seconds between two fetches, whoever asks for a key that is not there

Fetch = Callable[[str], object]  # the JSON at a URL, or KeysUnavailable


class KeysUnavailable(Exception):
    """The keys cannot be read: `why` is a word for the log, nothing that was in them."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a client's keys are: one of the two."""

    file: Path | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    keys: KeySet
    at: float
    stamp: object  # of the file


class ClientKeys:
    """The key sets, kept for a while. A key that is not among them is looked for once more, so that a client
    may rotate its keys without telling anybody; what cannot be fetched leaves the last ones in force.

    Any number of threads may ask. `clock` counts seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float], fetch: Fetch) -> None:
        self._clock = clock
        self._fetch = fetch
        self._lock = threading.Lock()
        self._kept: dict[KeySource, _Kept] = {}
        self._tried: dict[KeySource, float] = {}

    def keys(self, source: KeySource, key_id: str) -> KeySet:
        """The keys there, with `key_id` among them if it can be had. Raises KeysUnavailable."""
        if source.file is not None:
            return self._of_file(source, source.file)
        with self._lock:
            kept, now = self._kept.get(source), self._clock()
            fresh = (
                kept is not None and now - kept.at < _KEPT and any(k.kid == key_id for k in kept.keys.keys)
            )
            wait = now - self._tried.get(source, -_AGAIN) < _AGAIN
            if kept is not None and (fresh or wait):
                return kept.keys
            if wait:
                raise KeysUnavailable("unreachable")
            self._tried[source] = now
        try:
            found = key_set_of(self._fetch(str(source.url)))
        except KeysUnavailable:
            if kept is None:
                raise
            return kept.keys
        with self._lock:
            self._kept[source] = _Kept(found, now, None)
        return found

    def _of_file(self, source: KeySource, file: Path) -> KeySet:
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            kept = self._kept.get(source)
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
        self._kept[source] = _Kept(found, 0.0, stamp)
        return found


def _has(keys: KeySet, key_id: str) -> bool:
    return any(key.kid == key_id for key in keys.keys)


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
