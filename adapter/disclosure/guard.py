"""The guard over all text of what is about to leave."""

import re
from dataclasses import dataclass
from typing import Any

from adapter.disclosure.folding import fold, words
from adapter.disclosure.identity import Identity, Position, spelled_out
from adapter.disclosure.policy import Reason
from adapter.fhir.codec import Parts, Resource, comes_back
from adapter.memory import Memory

__all__ = ["Guard", "Texts"]

_REMEMBERED = 20_000  # texts, or elements
_NO_WORDS = frozenset(("resourceType", "id", "meta", "identifier"))
# What the engine itself makes, and what names no person: most strings of a resource.
_MADE = frozenset(("resourceType", "system", "reference", "status", "intent", "use", "type"))


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that no phrase forbids, in the forms in which it is looked at."""

    text: str
    folded: str
    words: str
    has_number: bool


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a resource: `every` one that the engine does not make itself, and `written`, those that
    may tell of a sensitive group: all but its identity, its labels and the names of those it points to.
    """

    every: list[str]
    written: list[str]

    @staticmethod
    def of(resource: Resource, parts: Parts | None = None) -> "Texts":
        """Collect them in one walk. With `parts`, the resource's elements as bytes, not again in those that
        came before.
        """
        every: list[str] = []
        written: list[str] = []
        for name, value in resource.items():
            if parts is None or not comes_back(name, value):
                found = _texts_of(name, value)
            else:
                found = _again(name, value, parts[name])
            every += found.every
            written += found.written
        return Texts(every, written)


_collected: Memory[tuple[str, bytes], Texts] = Memory(_REMEMBERED)


def _again(name: str, value: Any, part: bytes) -> Texts:
    return _collected.get((name, part)) or _collected.keep((name, part), _texts_of(name, value))


def _texts_of(name: str, value: Any) -> Texts:
    """The texts of one element of a resource."""
    part, found = {name: value}, Texts([], [])
    _collect(part, found.every, None if name in _NO_WORDS or _refers(part) else found.written)
    return found


def _collect(node: Any, every: list[str], written: list[str] | None) -> None:
    """Below one element; `written` is None where it is not for what may tell of a sensitive group."""
    if isinstance(node, dict):
        told = None if written is None or _refers(node) else written
        for name, value in node.items():
            if not isinstance(value, str) or name not in _MADE:
                _collect(value, every, told)
    elif isinstance(node, list):
        for value in node:
            _collect(value, every, written)
    elif isinstance(node, str):
        every.append(node)
        if written is not None:
            written.append(node)


def _refers(node: dict[str, Any]) -> bool:
    return "reference" in node or isinstance(node.get("type"), str)


class Guard:
    """Reads every text of a mapped resource for what may not leave, `phrases` first of all. One per
    hospital; not shared between threads: it remembers texts that hold no forbidden phrase, since most
    are codes and displays that come back in every resource.
    """

    def __init__(self, phrases: re.Pattern[str] | None) -> None:
        self._phrases = phrases
        self._known: Memory[str, _Text] = Memory(_REMEMBERED)

    def reason(
        self,
        texts: Texts,
        *,
        position: Position | None = None,
        identity: Identity | None = None,
        opaque: str | None = None,
    ) -> Reason | None:
        """Why a resource with these texts may not leave, or None.

        `position` never leaves; `identity` is what a pseudonym hides, None for a person who goes out
        by name. `opaque` is the resource's own identity, a keyed hash in which nothing can be read: a
        text that is no more than it is passed over, as it would be the one text of each that is new.
        """
        secret = position.words if position else ""
        for text in texts.every:
            if text == opaque:
                continue
            known = self._known.get(text) or self._read(text)
            if known is None or (secret and secret in known.words):
                return Reason.TEXT_CLASSIFIES
            if identity is not None and _identifies(known, identity):
                return Reason.TEXT_IDENTIFIES
        return None

    def _read(self, text: str) -> _Text | None:
        """The text in its forms; None when a phrase forbids it."""
        folded = fold(text)
        in_words = spelled_out(words(folded))
        if self._phrases is not None and (self._phrases.search(folded) or self._phrases.search(in_words)):
            return None
        return self._known.keep(text, _Text(text, folded, in_words, sum(map(str.isdigit, folded)) >= 8))


def _identifies(known: _Text, identity: Identity) -> bool:
    return (
        any(phrase in known.words for phrase in identity.phrases)
        or (known.has_number and identity.in_digits(known.folded))
        or identity.named_by_title(known.text, known.words)
    )
