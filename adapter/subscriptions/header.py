"""Header lines that go with a notification. They may hold a hospital's secret (pure)."""

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["MAX_HEADERS", "header_problem", "header_values", "is_masked", "masked", "unmasked"]

MAX_HEADERS: Final = 20
_LONGEST: Final = 4_000  # characters of one
_LINE: Final = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)[ \t]*"
)
_NAME: Final = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:")
_MASK: Final = "(not shown)"
# What the request says of itself, or what would make another request of it.
_OURS: Final = frozenset(
    {
        *("accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type"),
        *("expect", "host", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding"),
        "upgrade",
    }
)


def header_problem(lines: Sequence[object]) -> str | None:
    """What is wrong with these lines, in a word (`bad`, `ours`, `many`); None: nothing."""
    if len(lines) > MAX_HEADERS:
        return "many"
    for line in lines:
        if not isinstance(line, str) or len(line) > _LONGEST or not (found := _LINE.fullmatch(line)):
            return "bad"
        if found[1].lower() in _OURS:
            return "ours"
    return None


def header_values(lines: Sequence[str]) -> dict[str, str]:
    """The headers of lines that are right, the last of a name."""
    return {found[1]: found[2] for line in lines if (found := _LINE.fullmatch(line))}


def masked(line: str) -> str:
    """A line as it is shown to whoever reads the resource; of what is no header line, nothing."""
    name = _NAME.match(line)
    return f"{name[1]}: {_MASK}" if name else _MASK


def is_masked(line: str) -> bool:
    """Whether a line says only that its value is not shown."""
    return line.rpartition(":")[2].strip().casefold() == _MASK


def unmasked(lines: Sequence[str], stored: Sequence[str]) -> list[str]:
    """Lines that were read masked and come back so keep the value that is stored, in their order."""
    left = list(stored)
    found = []
    for line in lines:
        kept = next((one for one in left if masked(one) == line), None)
        if kept is not None:
            left.remove(kept)
        found.append(line if kept is None else kept)
    return found
