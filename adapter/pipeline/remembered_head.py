"""The audit's newest row, remembered outside the database: in `audit.head` in the data folder, sealed
with the audit's key. A database that was cut or put back no longer leads to it.

A backup that was rightly put back looks the same: then a person says so (`adapter audit head --accept`).
"""

import hmac
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson
from sqlalchemy import Engine

from adapter import audit
from adapter.audit import ChainHead
from adapter.errors import SettingsError
from adapter.settings import Settings

__all__ = ["HEAD_FILE", "AuditKey", "HeadTrouble", "RememberedHead"]

HEAD_FILE = "audit.head"
_PURPOSE = b"cadre-fhir-adapter/audit/1"

HeadTrouble = Literal["back", "other", "unsealed", ""]
"""The chain ends before what is remembered; it says something else there; the file was not written with this
key; nothing of it.
"""


@dataclass
class AuditKey:
    """The key of the audit's hashes: made of the secret that `audit_key` names, else of the identity key."""

    settings: Settings
    _known: bytes | None = None

    def __call__(self) -> bytes | None:
        """The key; None while there is no secret."""
        if self._known is None:
            with suppress(SettingsError):
                reference = self.settings.audit_key or self.settings.identity_key
                self._known = self.made_of(self.settings.secret(reference).get_secret_value())
        return self._known

    @staticmethod
    def made_of(secret: str) -> bytes:
        """The key that this secret gives."""
        return hmac.digest(secret.encode(), _PURPOSE, "sha256")


@dataclass(frozen=True)
class RememberedHead:
    """What this machine remembers of an audit."""

    engine: Engine
    folder: Path
    key: Callable[[], bytes | None]

    def read(self) -> ChainHead | None:
        """What is remembered; None where nothing is, or nothing that this key has sealed."""
        key = self.key()
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = orjson.loads((self.folder / HEAD_FILE).read_bytes())
            head = ChainHead(int(said["seq"]), str(said["hash"]), said["keyed_from"])
            if key and hmac.compare_digest(str(said["seal"]), _seal(head, key)):
                return head
        return None

    def trouble(self) -> HeadTrouble:
        """Whether the audit still leads to what is remembered; nothing can be said without the key."""
        if self.key() is None or not (self.folder / HEAD_FILE).exists():
            return ""
        known = self.read()
        if known is None:
            return "unsealed"
        there = audit.newest(self.engine)
        if there.seq < known.seq:
            return "back"
        same = audit.hash_at(self.engine, known.seq) == known.hash and there.keyed_from == known.keyed_from
        return "" if same else "other"

    def remember(self) -> None:
        """Write down how far the audit has come, unless it no longer leads to what is known."""
        if not self.trouble():
            self.accept()

    def accept(self) -> None:
        """Write down how far the audit has come, whatever was known. Nothing without the key."""
        key, there = self.key(), audit.newest(self.engine)
        if key is None or not there.seq:
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.folder / f"{HEAD_FILE}.{os.getpid()}-{threading.get_ident()}"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(orjson.dumps({**there._asdict(), "seal": _seal(there, key)}))
        part.replace(self.folder / HEAD_FILE)


def _seal(head: ChainHead, key: bytes) -> str:
    """What only who has the key can write."""
    return hmac.digest(key, orjson.dumps(list(head)), "sha256").hex()
