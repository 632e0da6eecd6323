"""What a search sends along with its matches: `_include`, `_revinclude`, and one round of `:iterate`
(http://hl7.org/fhir/R4/search.html#include). Only of the same owner.
"""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection

from adapter.repository.request_limits import RequestBudget, RequestLimits, over_limit
from adapter.repository.search_query import Include
from adapter.repository.search_statements import ids_referred_to, ids_that_refer
from adapter.repository.store import VersionRow, body_lengths, current_with_bodies

__all__ = ["read_included"]

Key = tuple[str, str]


def read_included(
    connection: Connection,
    owner: str,
    includes: Sequence[Include],
    matches: Sequence[VersionRow],
    budget: RequestBudget,
) -> list[VersionRow]:
    """The resources to send along, each once and none that is a match. Raises FhirError 422 for more than
    may be sent along, or than fits into the response.
    """
    most = budget.limits.max_included
    held = {(row.type, row.id) for row in matches}
    first = _keys(connection, owner, includes, held, most=most) - held
    again = [include for include in includes if include.iterate]
    second = _keys(connection, owner, again, first, most=most) - held if again and first else set()
    wanted = sorted(first | second)
    _refuse_many(wanted, most)
    sizes = body_lengths(connection, owner, wanted)
    if (size := sum(len(row.body) for row in matches) + sum(sizes.values())) > budget.bytes_left:
        raise over_limit(budget.limits, "max_response_bytes", size)
    rows = current_with_bodies(connection, owner, wanted)
    return [row for key in wanted if (row := rows.get(key)) and not row.deleted]


def _keys(
    connection: Connection, owner: str, includes: Iterable[Include], held: set[Key], *, most: int
) -> set[Key]:
    found: set[Key] = set()
    for include in includes:
        if include.reverse:
            targets = [f"{kind}/{id_}" for kind, id_ in sorted(held) if include.target in ("", kind)]
            if targets:
                ids = ids_that_refer(connection, owner, include, targets, limit=most + 1)
                found.update((include.type, id_) for id_ in ids)
        elif ids := [id_ for kind, id_ in sorted(held) if kind == include.type]:
            links = ids_referred_to(connection, owner, include, ids)
            found.update(key for link in links if (key := _key(link)) and include.target in ("", key[0]))
        _refuse_many(found, most)
    return found


def _key(link: str) -> Key | None:
    """(type, id) of a reference to this server; None for one elsewhere."""
    kind, slash, id_ = link.partition("/")
    return (kind, id_) if slash and kind and id_ and ":" not in kind and "/" not in id_ else None


def _refuse_many(found: Collection[Key], most: int) -> None:
    if len(found) > most:
        raise over_limit(RequestLimits(max_included=most), "max_included", len(found))
