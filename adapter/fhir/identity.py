"""A record's identity at a hospital: opaque, stable, and different at every hospital.

A keyed hash of hospital, resource type and the record's own key: two hospitals cannot link what
they were sent, and nobody without the key can go back to the record. Conditional writes put it
into URLs and server logs, so nothing national or personal may stand in its place.
"""

from hashlib import blake2b

__all__ = ["Identities", "conditional_reference"]


class Identities:
    """Makes identities from the centre's secret key (at least 16 bytes)."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError("the identity key needs at least 16 bytes")
        self._key = blake2b(key, digest_size=32).digest()

    def of(self, hospital: str, resource_type: str, kind: str, key: str) -> str:
        """32 hexadecimal characters for this record's resource at this hospital."""
        message = "\x1f".join((hospital, resource_type, kind, key)).encode()
        return blake2b(message, digest_size=16, key=self._key).hexdigest()


def conditional_reference(resource_type: str, system: str, value: str) -> str:
    """A reference by identifier, the form that the ledger keeps: `Patient?identifier=system|value`."""
    return f"{resource_type}?identifier={system}|{value}"
