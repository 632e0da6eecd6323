"""What went wrong outside the adapter (files, folders, the database), said in words."""

import errno
import sys

from adapter.texts import say

__all__ = ["in_words"]

_FILE_TROUBLE = {
    errno.ENOENT: "not_there",
    errno.EACCES: "not_allowed",
    errno.EPERM: "not_allowed",
    errno.EEXIST: "in_the_way",
    errno.ENOTDIR: "no_folder",
    errno.EISDIR: "is_folder",
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "read_only",
}


def in_words(error: Exception) -> str | None:
    """One line for a problem of the file system, of the database or of a word in no encoding; None for one
    that is our own fault.
    """
    if isinstance(error, OSError):
        return _of_a_file(error)
    if isinstance(error, UnicodeEncodeError):  # a word of the command that no database takes
        return say("cli.not_text")
    database = sys.modules.get("sqlalchemy.exc")  # not imported: then it cannot be its error
    if database is None:
        return None
    if isinstance(error, database.OperationalError) or type(error) is database.DatabaseError:
        return _of_the_database(str(getattr(error, "orig", "") or ""))
    return None


def _of_a_file(error: OSError) -> str:
    problem = error.strerror or type(error).__name__
    if (known := _FILE_TROUBLE.get(error.errno or 0)) is not None:
        problem = say(f"cli.file_{known}")
    if error.filename is None:
        return say("cli.system_trouble", problem=problem)
    return say("cli.file_trouble", path=error.filename, problem=problem)


def _of_the_database(said: str) -> str:
    if "database is locked" in said:
        return say("cli.database_busy")
    first = next((line.strip() for line in said.splitlines() if line.strip()), "-")
    return say("cli.database_trouble", problem=first)
