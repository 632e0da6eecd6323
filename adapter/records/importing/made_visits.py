"""A visit that was made of results by row has no line in a sheet of visits, nor its values in one of values:
that they are not there says nothing of them. They go when they are marked.
"""

import re
from collections.abc import Collection, Mapping

import orjson

from adapter.records.importing.stored_records import StoredRecords, StoredRow
from adapter.records.sheets.key_space import key_space_in
from adapter.records.sheets.visit_finder import made_key

__all__ = ["is_made", "without_lines"]

_LIKE_MADE = re.compile(r".+\.[a-z-]+\.\d{8}(?:@.+)?", re.DOTALL)


def is_made(key: str, body: str | None) -> bool:
    """Whether a stored visit has the key that is made of its person, kind and day."""
    if not body or not _LIKE_MADE.fullmatch(key):
        return False
    visit = orjson.loads(body)
    ending = key_space_in(visit["cadre"])
    asked = (visit["cadre"].removesuffix(ending), visit["type"], visit["started_at"][:10].replace("-", ""))
    return key == made_key(asked, ending)


def without_lines(
    records: StoredRecords, kind: str, stored: Mapping[str, StoredRow], keys: Collection[str]
) -> set[str]:
    """Which of these stored records of a kind (with their bodies) need no line in a sheet of that kind."""
    if kind == "visit":
        return {key for key in keys if is_made(key, stored[key].body)}
    if kind != "measurement":
        return set()
    visit_of = {key: orjson.loads(stored[key].body or "{}").get("visit") or "" for key in keys}
    asked = sorted({visit for visit in visit_of.values() if _LIKE_MADE.fullmatch(visit)})
    found = records.rows("visit", asked) if asked else {}
    made = {key for key, row in found.items() if is_made(key, row.body)}
    return {key for key, visit in visit_of.items() if visit in made}
