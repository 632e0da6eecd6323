"""The door of the inbox: an accepted resource becomes an item in the transaction that stores it.

So what the endpoint acknowledged is in the inbox, and what it refused is not. The same content
again is recognised, whether under the same identity or posted anew without one.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select

from adapter.fhir import codec
from adapter.inbox.tables import inbox_item

__all__ = ["RESULT_TYPES", "business_identifier", "normalised_digest", "receive_resource"]

RESULT_TYPES = frozenset({"DiagnosticReport", "Observation", "Procedure", "ServiceRequest", "Task"})
"""Types that say something about a referral or a person's health; all others are context."""

_LONGEST_IDENTITY = 400
_CODED = ("DiagnosticReport", "Observation", "Procedure")


def receive_resource(
    connection: Connection,
    *,
    hospital: str,
    type: str,
    id: str,
    version: int,
    resource: codec.Resource,
    body: bytes,
    now: datetime,
) -> int:
    """Store one accepted version in the caller's transaction; the number of its inbox item.

    `id` and `version` are the repository's, `body` the JSON it stores. For a repeat (the newest
    content of that identity again) the number is that of the item there already is.
    """
    identity, digest = business_identifier(resource), normalised_digest(resource)
    repeated = _repeated(connection, hospital=hospital, type_=type, id_=id, identity=identity, digest=digest)
    if repeated is not None:
        return repeated
    done = connection.execute(
        insert(inbox_item).values(
            hospital=hospital,
            type=type,
            resource_id=id,
            version=version,
            identity=identity,
            digest=digest,
            body=body.decode("utf-8"),
            received_at=now,
            state="new" if type in RESULT_TYPES else "ignored",
            reasons="[]" if type in RESULT_TYPES else '["context"]',
            candidates="[]",
            attempts=0,
        )
    )
    assert done.inserted_primary_key is not None  # noqa: S101 - one-row inserts always have it
    return int(done.inserted_primary_key[0])


def _repeated(
    connection: Connection, *, hospital: str, type_: str, id_: str, identity: str | None, digest: str
) -> int | None:
    mine = (inbox_item.c.hospital == hospital) & (inbox_item.c.type == type_)
    newest: Select[Any] = select(inbox_item).where(mine).order_by(inbox_item.c.id.desc()).limit(1)
    same = connection.execute(newest.where(inbox_item.c.resource_id == id_)).first()
    if same is None and identity is not None:
        same = connection.execute(newest.where(inbox_item.c.identity == identity)).first()
    if same is None and identity is None:
        same = _same_content_elsewhere(connection, newest, digest)
    return int(same.id) if same is not None and same.digest == digest else None


def _same_content_elsewhere(connection: Connection, newest: Select[Any], digest: str) -> Row[Any] | None:
    """The same content without any identity under another id, if it still is that id's newest.

    An older version does not count: A, then B, then A again is a correction, not a repeat.
    """
    twin = connection.execute(
        newest.where(inbox_item.c.identity.is_(None), inbox_item.c.digest == digest)
    ).first()
    if twin is None:
        return None
    return connection.execute(newest.where(inbox_item.c.resource_id == twin.resource_id)).first()


def business_identifier(resource: codec.Resource) -> str | None:
    """`system|value` of the first identifier that has both; None when there is none. A result's code
    is part of it: a laboratory gives all values of one specimen the same number.

    A value without a system ("1", "17/2026") is unique nowhere, so it identifies nothing. What a
    database cannot hold as text (NUL, half a surrogate pair, great length) is kept as its hash.
    """
    listed = resource.get("identifier")
    for item in listed if isinstance(listed, list) else [listed]:
        if not isinstance(item, dict):
            continue
        system, value = item.get("system"), item.get("value")
        if isinstance(system, str) and isinstance(value, str) and system and value:
            return _storable(f"{system}|{value}{_code_of(resource)}")
    return None


def _code_of(resource: codec.Resource) -> str:
    """` code` of a result: its first coding, or else its text; "" of what has none."""
    code = resource.get("code")
    if resource.get("resourceType") not in _CODED or not isinstance(code, dict):
        return ""
    listed = code.get("coding")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    said = f"{first.get('system') or ''}|{first['code']}" if first.get("code") else code.get("text")
    return f" {said}" if said else ""


def _storable(identity: str) -> str:
    data = identity.encode("utf-8", "surrogatepass")
    plain = len(data) <= _LONGEST_IDENTITY and "\x00" not in identity
    try:
        identity.encode("utf-8")
    except UnicodeEncodeError:
        plain = False
    return identity if plain else f"hash|{codec.digest(data)}"


def normalised_digest(resource: codec.Resource) -> str:
    """Content hash without `id`, `meta` and the order of members: equal means nothing new is said."""
    content = {name: value for name, value in resource.items() if name not in ("id", "meta")}
    return codec.digest(codec.dumps(_ordered(content)))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value
