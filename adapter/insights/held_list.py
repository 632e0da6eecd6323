"""Rows of imports that hardly can be true, as they may be listed."""

from dataclasses import dataclass
from datetime import datetime

from adapter.errors import UsageError
from adapter.pipeline.application import Adapter
from adapter.records.held_rows import HeldRow, HeldState
from adapter.records.sheets.field_labels import problem_words

__all__ = ["ListedCell", "ListedHeldRow", "held_list"]


@dataclass(frozen=True, slots=True)
class ListedCell:
    """A cell that looks wrong, and why, in the language in use."""

    column: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class ListedHeldRow:
    """One row: from which file (digest), where it stood, what it says, what looks wrong, who decided."""

    id: int
    state: str
    kind: str
    key: str
    cadre: str
    source: str
    file_digest: str
    sheet: str
    row: int
    cells: tuple[tuple[str, str], ...]
    findings: tuple[ListedCell, ...]
    held_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


def held_list(adapter: Adapter, state: str) -> tuple[ListedHeldRow, ...]:
    """Those in a state, or "all". Raises UsageError for a word that is no state."""
    if state not in (*HeldState, "all"):
        raise UsageError("held.unknown_state", state=state, known=", ".join((*HeldState, "all")))
    return tuple(_listed(one) for one in adapter.held_rows.rows(None if state == "all" else HeldState(state)))


def _listed(row: HeldRow) -> ListedHeldRow:
    return ListedHeldRow(
        id=row.id,
        state=row.state.value,
        kind=row.kind,
        key=row.key,
        cadre=row.cadre,
        source=row.source,
        file_digest=row.file_digest,
        sheet=row.sheet,
        row=row.row,
        cells=row.cells,
        findings=tuple(
            ListedCell(one.column, one.value, problem_words(one.text, one.params)) for one in row.findings
        ),
        held_at=row.held_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        reason=row.reason,
    )
