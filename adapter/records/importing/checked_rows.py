"""The rows of a chunk by what becomes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.records.importing.parsed_row import ParsedRow
from adapter.records.importing.stored_records import StoredRow

__all__ = ["CheckedRows"]


@dataclass
class CheckedRows:
    """The rows of a chunk by what becomes of them; `bad` with the reasons for the rejects file."""

    good: list[ParsedRow] = field(default_factory=list)
    marked: list[ParsedRow] = field(default_factory=list)
    bad: list[tuple[ParsedRow, list[str]]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    deleted: int = 0
    keys_readable: bool = True
    rows: int = 0
    stored: Mapping[str, StoredRow] = field(default_factory=dict)

    def plus(self, other: "CheckedRows") -> "CheckedRows":
        """The counts of both."""
        return CheckedRows(
            deleted=self.deleted + other.deleted,
            keys_readable=self.keys_readable and other.keys_readable,
            rows=self.rows + other.rows,
        )

    def drop_rows(self) -> None:
        """Let the rows go, keep the counts."""
        self.good, self.marked, self.bad, self.refused, self.stored = [], [], [], [], {}
