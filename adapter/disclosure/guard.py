"""The guard over all text of what is about to leave."""

import re
from dataclasses import dataclass
from typing import Any

from adapter.disclosure.folding import fold, words
from adapter.disclosure.identity import Identity, Position, spelled_out
from adapter.disclosure.policy import Reason
from adapter.fhir.codec import Resource

__all__ = ["Guard", "written"]

_REMEMBERED = 20_000  # texts; keeps memory bounded
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


def _collect(node: Any, texts: list[str], *, within_references: bool = True) -> None:
    if isinstance(node, dict):
        if not within_references and _refers(node):
            return
        for name, value in node.items():
            if isinstance(value, str):
                if name not in _MADE:
                    texts.append(value)
            else:
                _collect(value, texts, within_references=within_references)
    elif isinstance(node, list):
        for value in node:
            _collect(value, texts, within_references=within_references)
    elif isinstance(node, str):
        texts.append(node)


def written(resource: Resource) -> list[str]:
    """Every text of a resource that may tell of a sensitive group: all but its identity, its labels and
    the names of those that it points to.
    """
    texts: list[str] = []
    for name, value in resource.items():
        if name not in _NO_WORDS:
            _collect({name: value}, texts, within_references=False)
    return texts


def _refers(node: dict[str, Any]) -> bool:
    return "reference" in node or isinstance(node.get("type"), str)


class Guard:
    """Reads every text of a mapped resource for what may not leave, `phrases` first of all. One per
    hospital; not shared between threads: it remembers texts that hold no forbidden phrase, since most
    are codes and displays that come back in every resource.
    """

    def __init__(self, phrases: re.Pattern[str] | None) -> None:
        self._phrases = phrases
        self._known: dict[str, _Text] = {}

    def reason(
        self,
        resource: Resource,
        *,
        position: Position | None = None,
        identity: Identity | None = None,
        opaque: str | None = None,
    ) -> Reason | None:
        """Why the resource may not leave, or None.

        `position` never leaves; `identity` is what a pseudonym hides, None for a person who goes out
        by name. `opaque` is the resource's own identity, a keyed hash in which nothing can be read: a
        text that is no more than it is passed over, as it would be the one text of each that is new.
        """
        texts: list[str] = []
        _collect(resource, texts)
        secret = position.words if position else ""
        for text in texts:
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
        read = _Text(text, folded, in_words, sum(map(str.isdigit, folded)) >= 8)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()  # what comes back in every resource is soon there again
        self._known[text] = read
        return read


def _identifies(known: _Text, identity: Identity) -> bool:
    return (
        any(phrase in known.words for phrase in identity.phrases)
        or (known.has_number and identity.in_digits(known.folded))
        or identity.named_by_title(known.text, known.words)
    )
