"""Which settings, database and folders a command works with: said without opening any of them."""

from dataclasses import dataclass

from sqlalchemy.engine import make_url

from adapter.insights.open_files import readable_by_others
from adapter.settings import Settings

__all__ = ["SettingsInUse", "settings_in_use"]


@dataclass(frozen=True, slots=True)
class SettingsInUse:
    """`settings_found` is false where the environment alone says which database is meant; `database` is a
    path, or a URL without its password, and `database_found` None where only its server knows.
    """

    settings: str
    settings_found: bool
    database: str
    database_found: bool | None
    mappings: str
    data_folder: str
    readable_by_others: tuple[str, ...]


def settings_in_use(settings: Settings) -> SettingsInUse:
    """What these settings lead to."""
    file = settings.database_file
    return SettingsInUse(
        settings=str(settings.file),
        settings_found=settings.file.is_file(),
        database=str(file) if file else make_url(settings.database_url).render_as_string(hide_password=True),
        database_found=file.exists() if file else None,
        mappings=str(settings.mappings_folder),
        data_folder=str(settings.data_folder),
        readable_by_others=tuple(str(path) for path in readable_by_others(settings)),
    )
