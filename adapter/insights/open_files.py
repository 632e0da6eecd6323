"""Which files of ours other accounts of this machine can get at: keys, tokens, database, data folder."""

from collections.abc import Iterator
from pathlib import Path

from adapter.settings import Settings

__all__ = ["readable_by_others"]

_OTHERS = 0o077  # the group too: others may be in it
_PASSING = 0o011  # what a folder must grant for anything in it to be reached


def readable_by_others(settings: Settings) -> list[Path]:
    """Those that somebody else can read, list or write, by their own permissions and those of all folders
    that they are in.
    """
    return [path for path in dict.fromkeys(_ours(settings)) if _is_open(path)]


def _ours(settings: Settings) -> Iterator[Path]:
    alarm = settings.alarm
    references = [settings.identity_key, settings.audit_key, alarm.webhook, alarm.webhook_token]
    references += [alarm.mail.password] if alarm.mail else []
    references += [hospital.token for hospital in settings.hospitals.values()]
    for reference in references:
        if reference and reference.startswith("file:"):
            yield settings.folder / reference.removeprefix("file:")
    yield settings.data_folder
    if settings.database_file is not None:
        yield settings.database_file


def _is_open(path: Path) -> bool:
    try:
        path = path.resolve()
        reached = all(folder.stat().st_mode & _PASSING for folder in path.parents)
        return reached and bool(path.stat().st_mode & _OTHERS)
    except OSError:
        return False
