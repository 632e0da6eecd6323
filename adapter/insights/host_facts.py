"""What this host and its folders say, for whoever must know: room on the disk, whether the database can be
written, files that hospitals put here and nobody picks up. Writes nothing.
"""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from adapter.database import read_transaction
from adapter.ledger.monitoring.overdue import Backlog
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.dropped_files import drop_path

__all__ = ["disk_free_mb", "files_left", "is_read_only"]


def disk_free_mb(adapter: Adapter) -> float | None:
    """Of the folder with the database; None where it is not this host's to know."""
    try:
        return shutil.disk_usage(adapter.settings.data_folder).free / 1_000_000
    except OSError:
        return None


def is_read_only(adapter: Adapter) -> bool:
    """Whether the database can only be read: a standby, or a file system that is mounted so."""
    if adapter.engine.dialect.name == "postgresql":
        with read_transaction(adapter.engine) as connection:
            return bool(connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on")
    folder = adapter.settings.data_folder
    return folder.exists() and not os.access(folder, os.W_OK)


def files_left(adapter: Adapter, hospital: str, before: datetime) -> Backlog:
    """Files in the hospital's folders that nobody touched since before that moment, uploads that were given
    up too; one, of no known time, for a folder that is not there.
    """
    settings = adapter.settings
    pdf = settings.hospital(hospital).pdf.folder
    paths = (drop_path(settings, hospital), None if pdf is None else settings.folder / pdf)
    found = [_left_in(path, before) for path in paths if path is not None]
    times = [one.since for one in found if one.since is not None]
    return Backlog(sum(one.count for one in found), min(times, default=None))


def _left_in(path: Path, before: datetime) -> Backlog:
    try:
        with os.scandir(path) as entries:
            plain = [one for one in entries if one.is_file(follow_symlinks=False)]
            written = [one.stat(follow_symlinks=False).st_mtime for one in plain]
    except OSError:
        return Backlog(1, None)
    old = [moment for moment in written if moment < before.timestamp()]
    return Backlog(len(old), datetime.fromtimestamp(min(old), UTC) if old else None)
