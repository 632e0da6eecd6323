"""The files that one starts with: settings and key, an empty workbook, a sample year."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from adapter.errors import UsageError

if TYPE_CHECKING:
    from adapter.settings import Settings

__all__ = ["write_key", "write_sample", "write_settings", "write_template"]

_TEMPLATES = Path(__file__).parent / "templates"


def write_settings(file: Path, lang: str) -> None:
    """Write the commented settings. Raises UsageError when `file` is there already."""
    text = (_TEMPLATES / f"adapter.{lang}.toml").read_text("utf-8")
    text = text.replace('#lang = "en"', f'lang = "{lang}"')
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError("cli.init_exists", path=str(file)) from None


def write_key(file: Path) -> bool:
    """Make the identity key, readable by this account alone; False when there is one, which stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_hex(32) + "\n")
    return True


def write_template(file: Path, lang: str, settings: "Settings", *, wide: bool = False) -> None:
    """Write an empty workbook with a sheet for each kind of record, explained in that language, and the lists
    of codes with their names. `wide`: a row for each visit and a column for each measure.
    """
    from adapter.pipeline.template_lists import code_lists, wide_template
    from adapter.records.sheets.template import write_template as write

    write(file, lang, code_lists(settings, lang), wide_template(settings, lang) if wide else None)


def write_sample(path: Path, *, seed: int, cadres: int, year: int) -> dict[str, int]:
    """Write a sample year of wholly fictitious people as a workbook, or as CSVs where `path` has no suffix;
    the rows written, by kind.
    """
    from adapter.records.synthetic import write_csv, write_workbook

    write = write_workbook if path.suffix else write_csv
    return write(path, seed=seed, cadres=cadres, year=year)
