"""Where records come from besides workbooks, and how far each source was read."""

from dataclasses import dataclass
from datetime import datetime

from adapter.database import read_transaction
from adapter.pipeline.application import Adapter
from adapter.records.sources.sql import source_cursor
from adapter.records.sources.sql.source_file import load_source

__all__ = ["SourceState", "source_list"]


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source, and one of its queries as far as it was read: `changes_up_to` the newest change met, `whole`
    whether all of it was read the last time.
    """

    name: str
    file: str
    schedule: str
    kind: str | None = None
    read_at: datetime | None = None
    rows: int | None = None
    whole: bool | None = None
    changes_up_to: source_cursor.ChangeValue | None = None


def source_list(adapter: Adapter) -> list[SourceState]:
    """A line for each source of the settings and kind of record."""
    lines = []
    for name, source in adapter.settings.sources.items():
        about = (name, str(source.file), source.schedule)
        path = adapter.settings.folder / source.file
        cursors: dict[tuple[str, str], source_cursor.SourceCursor] = {}
        if path.suffix.lower() in (".yaml", ".yml"):
            with read_transaction(adapter.engine) as connection:
                cursors = source_cursor.load_cursors(connection, load_source(path).source)
        lines += [
            SourceState(*about, one.kind, one.read_at, one.rows, one.whole, one.value)
            for one in cursors.values()
        ] or [SourceState(*about)]
    return lines
