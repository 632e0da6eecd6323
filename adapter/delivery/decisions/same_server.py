"""Whether a server still is where we left it, by what it holds under the ids that we remember (pure).

::

    what it says of a resource that we delivered      sign
    ───────────────────────────────────────────────   ─────────────────────────────────────────────────────
    there, with our identifier, at our version or     THERE: what was written before it is there too
    a later one
    410 Gone                                          DELETED: it remembers the id, so it was not set back
    404 Not Found                                     MISSING: set back, or deleted at a server that was
                                                      measured to answer 404 for that too
    there, without our identifier                     FOREIGN: the id was given to another resource
    there, at an earlier version                      OLDER: set back

FOREIGN and OLDER are certain, wherever they are found. Of the rest the newest decides: what is THERE proves
the server, and MISSING that it was set back, unless it was measured to say 404 of what was deleted: only
there may somebody have deleted just that one, so the next newest decides. Versions are compared where both
are numbers; others have no order.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum

from adapter.fhir.bundle import identities_of, normalised_etag
from adapter.fhir.codec import Resource

__all__ = ["ServerSign", "is_where_we_left_it", "read_sign"]


class ServerSign(StrEnum):
    """What the answer to reading one resource says of the server."""

    THERE = "there"
    DELETED = "deleted"
    MISSING = "missing"
    FOREIGN = "foreign"
    OLDER = "older"


_SET_BACK = (ServerSign.FOREIGN, ServerSign.OLDER)


def read_sign(
    resource: Resource | None, status: int, *, identities: Collection[str], etag: str | None, system: str
) -> ServerSign:
    """What reading by id gave: a resource, or None with a status of 404 or 410. `identities` (it has one of
    them) and `etag` are what we know of it, `system` that of our identifiers.
    """
    if resource is None:
        return ServerSign.DELETED if status == 410 else ServerSign.MISSING
    if not set(identities_of(resource, system)).intersection(identities):
        return ServerSign.FOREIGN
    meta = resource.get("meta")
    there = _number(normalised_etag(meta.get("versionId")) if isinstance(meta, dict) else None)
    known = _number(etag)
    return ServerSign.OLDER if there is not None and known is not None and there < known else ServerSign.THERE


def _number(etag: str | None) -> int | None:
    version = (etag or "").removeprefix('W/"').removesuffix('"')
    return int(version) if version.isascii() and version.isdigit() else None


def is_where_we_left_it(signs: Sequence[ServerSign], *, deleted_status: int | None) -> bool:
    """By the signs of what was delivered last, the newest first; none at all is no sign of anything.
    `deleted_status`: what the server answers of what was deleted, None where that was not measured.
    """
    if any(sign in _SET_BACK for sign in signs):
        return False
    for sign in signs:
        if sign is ServerSign.THERE:
            return True
        if sign is ServerSign.MISSING and deleted_status != 404:
            return False
    return ServerSign.MISSING not in signs
