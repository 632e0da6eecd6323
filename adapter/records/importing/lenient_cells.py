"""What was stored stays where a cell could not be read: an empty field would clear it."""

from collections.abc import Sequence

from adapter.records.importing.import_writer import ImportWriter
from adapter.records.importing.parsed_row import ParsedRow
from adapter.records.serialisation import parse_record

__all__ = ["keep_stored_values"]


def keep_stored_values(changes: ImportWriter, kind: str, rows: Sequence[ParsedRow]) -> None:
    """Give the fields of cells that were left out what the store has of them. One query, if any was."""
    lost = {str(row.key): row for row in rows if row.remarks and row.remarks.lost and not row.is_anothers}
    for key, body in changes.stored.live_bodies(kind, list(lost)):
        row, stored = lost[key], parse_record(kind, body)
        for name in row.remarks.lost if row.remarks else ():
            if (value := getattr(stored, name)) not in (None, ()):
                row.fields[name] = value
