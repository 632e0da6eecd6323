"""A resource's bytes as stored, and the digest that tells whether two are the same. Pure."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from adapter.fhir.codec import Resource, digest, dumps

__all__ = ["ResourceContent", "format_instant", "instant_millis", "new_resource_id"]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ResourceContent:
    """A resource without what the server sets: id, meta.versionId and meta.lastUpdated."""

    resource_type: str
    client_content: Resource
    meta: dict[str, Any]
    rest_bytes: bytes
    digest: str

    @classmethod
    def of(cls, resource: Resource) -> "ResourceContent":
        """Take a resource apart. Raises TypeError for what JSON cannot hold."""
        rest = {key: value for key, value in resource.items() if key not in ("resourceType", "id", "meta")}
        meta = {
            key: value
            for key, value in (resource.get("meta") or {}).items()
            if key not in ("versionId", "lastUpdated")
        }
        rest_bytes = dumps(rest)
        signed = resource["resourceType"].encode() + rest_bytes + (dumps(meta) if meta else b"")
        return cls(resource["resourceType"], rest, meta, rest_bytes, digest(signed))

    def as_version(self, resource_id: str, version: int, updated: int) -> tuple[Resource, bytes]:
        """The resource and its bytes under this id and version; `updated` in milliseconds."""
        meta = {"versionId": str(version), "lastUpdated": format_instant(updated), **self.meta}
        head: Resource = {"resourceType": self.resource_type, "id": resource_id, "meta": meta}
        body = dumps(head)
        if self.client_content:
            body = body[:-1] + b"," + self.rest_bytes[1:]
        return {**head, **self.client_content}, body


@lru_cache(maxsize=64)  # what is stored together was stored at one moment
def format_instant(millis: int) -> str:
    """FHIR's instant: `2026-11-22T03:16:00.123Z`."""
    moment = datetime.fromtimestamp(millis // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}Z"


def instant_millis(text: object) -> int | None:
    """The same moment in milliseconds, however it is spelt (`…+07:00`); None of what is no instant."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None:
        return None
    since = moment - _EPOCH
    return since // timedelta(milliseconds=1)


def new_resource_id(millis: int) -> str:
    """A UUID whose beginning is the time (RFC 9562, version 7): new rows lie side by side on disk."""
    random = int.from_bytes(os.urandom(10), "big")
    value = (
        (millis & (1 << 48) - 1) << 80
        | 7 << 76
        | (random >> 68 & 0xFFF) << 64
        | 2 << 62
        | (random & (1 << 62) - 1)
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
