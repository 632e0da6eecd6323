"""What the adapter says to people, in Vietnamese and English.

Texts live in `adapter/locale/<language>/*.toml`, one file per area, as `key = "text with {param}"`
in a table of the area's name: the text `bad_cell` in `import.toml` is `import.bad_cell`.
A test holds both languages to the same keys and parameters.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

__all__ = [
    "LANGUAGES",
    "OBEYED",
    "catalogue",
    "current_language",
    "escaped_json",
    "has_text",
    "markdown_words",
    "printable",
    "say",
    "say_in",
    "set_language",
    "speaking",
    "write_line",
]

LANGUAGES = ("en", "vi")
_LOCALE = Path(__file__).parent / "locale"
_current = "en"
_spoken: ContextVar[str] = ContextVar("spoken", default="")  # for one reader, where a process has several
# What a terminal obeys, or what turns what is read around: C0 and C1 without tab and line feed, DEL, the
# separators of lines and paragraphs, Unicode's marks of direction, notes and tags; and half surrogate pairs,
# which no stream takes.
OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>|&#~]")
_PICTURES = 0x2400  # ESC is shown as one sign that looks like it


def set_language(name: str) -> None:
    """Choose the language of this process: "en" or "vi" (anything else is "en")."""
    global _current  # noqa: PLW0603 - one process speaks one language, chosen once by the CLI
    _current = name if name in LANGUAGES else "en"


def current_language() -> str:
    """The language in use, "en" or "vi"."""
    return _spoken.get() or _current


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """All that is said in here is said in that language, "en" or "vi", whatever the process speaks."""
    before = _spoken.set(name if name in LANGUAGES else "en")
    try:
        yield
    finally:
        _spoken.reset(before)


def has_text(key: str) -> bool:
    """Whether there is a text of that key."""
    return _text("en", key) is not None


def catalogue(name: str) -> dict[str, str]:
    """All texts of a language, by key."""
    return {f"{area}.{key}": text for area in sorted(_areas()) for key, text in _area(name, area).items()}


def _text(language: str, key: str) -> str | None:
    area, _, name = key.partition(".")
    return _area(language, area).get(name) if area in _areas() else None


@cache
def _areas() -> frozenset[str]:
    return frozenset(path.stem for path in (_LOCALE / "en").glob("*.toml"))


@cache
def _area(language: str, area: str) -> dict[str, str]:
    """A command reads the files of what it says, not all."""
    return tomllib.loads((_LOCALE / language / f"{area}.toml").read_text("utf-8"))


def printable(text: str) -> str:
    """`text` as it may be shown: cells, file names and servers' words may hold what moves the cursor, forges
    lines or hides what is there.
    """
    return OBEYED.sub(_shown, text)


def escaped_json(document: str) -> str:
    """The same JSON, in which what a terminal obeys stands as \\uXXXX."""
    if document.isascii():
        return document
    import json

    return OBEYED.sub(lambda found: json.dumps(found[0])[1:-1], document)


def markdown_words(text: str) -> str:
    """Others' words as one line of Markdown or a cell of its table: no link, image, HTML or new cell."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(printable(text).split()))


def write_line(text: str, *, to_errors: bool = False, end: str = "\n") -> None:
    """Write to standard output, or standard error: the one way there beside a console's own drawing, so that
    nothing that is written moves a terminal.
    """
    stream = sys.stderr if to_errors else sys.stdout
    stream.write(printable(text) + end)
    stream.flush()


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(_PICTURES + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def say(key: str, /, **params: Any) -> str:
    """The text `key` in the language in use, filled with `params`, of which nothing moves a terminal."""
    return say_in(current_language(), key, **params)


def say_in(language: str, key: str, /, **params: Any) -> str:
    """The same in a language of its own, for a reader who is not who runs the process."""
    text = _text(language, key) or _text("en", key)
    if text is None:
        return f"{key} {params}" if params else key
    return text.format(**{name: _clean(value) for name, value in params.items()})


def _clean(value: Any) -> Any:
    """Numbers keep their type: a text may format them."""
    if isinstance(value, int | float):
        return value
    return printable(value if type(value) is str else str(value))
