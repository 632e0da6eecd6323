"""What the adapter says to people, in Vietnamese and English.

Texts live in `adapter/locale/<language>/*.toml`, one file per area, as `key = "text with {param}"`
in a table of the area's name: the text `bad_cell` in `import.toml` is `import.bad_cell`.
A test holds both languages to the same keys and parameters.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["LANGUAGES", "catalogue", "current_language", "say", "set_language"]

LANGUAGES = ("en", "vi")
_LOCALE = Path(__file__).parent / "locale"
_current = "en"


def set_language(name: str) -> None:
    """Choose the language of this process: "en" or "vi" (anything else is "en")."""
    global _current  # noqa: PLW0603 - one process speaks one language, chosen once by the CLI
    _current = name if name in LANGUAGES else "en"


def current_language() -> str:
    """The language in use, "en" or "vi"."""
    return _current


@cache
def catalogue(name: str) -> dict[str, str]:
    """All texts of a language, by key."""
    texts: dict[str, str] = {}
    for path in sorted((_LOCALE / name).glob("*.toml")):
        for key, text in tomllib.loads(path.read_text("utf-8")).items():
            texts[f"{path.stem}.{key}"] = text
    return texts


def say(key: str, /, **params: Any) -> str:
    """The text `key` in the language in use, filled with `params`."""
    text = catalogue(_current).get(key) or catalogue("en").get(key)
    if text is None:
        return f"{key} {params}" if params else key
    return text.format(**params)
