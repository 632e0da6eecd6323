"""What is stored under a key beside its person: who takes the key over must not take that over too."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from adapter.records.model import Cadre, Result
from adapter.records.tables import held_row, record, record_merge

__all__ = ["StoredUnder", "stored_under"]

_PAGE = 500


@dataclass(frozen=True, slots=True)
class StoredUnder:
    """Counts. `records` that imports made, rows that are `held`, `results` that hospitals sent, and people
    who were `merged` into this one.
    """

    records: int = 0
    held: int = 0
    results: int = 0
    merged: int = 0

    @property
    def can_be_removed(self) -> bool:
        """Whether an import may remove it: what a hospital sent, or a person said, a person moves."""
        return not (self.results or self.merged)


def stored_under(connection: Connection, keys: Collection[str]) -> Mapping[str, StoredUnder]:
    """By key of a person, of those under whom anything is stored beside the person."""
    counts: dict[str, dict[str, int]] = {}
    listed = sorted(keys)
    for start in range(0, len(listed), _PAGE):
        page = listed[start : start + _PAGE]
        live = record.c.cadre.in_(page) & (record.c.kind != Cadre.kind) & record.c.deleted.is_(False)
        queries = {
            "results": (record.c.cadre, live & (record.c.kind == Result.kind)),
            "records": (record.c.cadre, live & (record.c.kind != Result.kind)),
            "held": (held_row.c.cadre, held_row.c.cadre.in_(page) & held_row.c.replaced_at.is_(None)),
            "merged": (record_merge.c.survivor, record_merge.c.survivor.in_(page)),
        }
        for name, (owner, condition) in queries.items():
            query = select(owner, func.count()).where(condition).group_by(owner)
            for key, count in connection.execute(query):
                counts.setdefault(key, {})[name] = count
    return {key: StoredUnder(**found) for key, found in counts.items()}
