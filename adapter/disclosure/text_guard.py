"""The guard over all text of what is about to leave."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from adapter.bounded_cache import BoundedCache
from adapter.disclosure.identifying_terms import IdentifyingTerms, PositionTerm, expand_abbreviations
from adapter.disclosure.personal_numbers import has_personal_number
from adapter.disclosure.policy import WithholdReason
from adapter.disclosure.pseudonymisation import pseudonym
from adapter.fhir.codec import Resource, SerialisedElements, is_worth_caching
from adapter.text_folding import fold_text, word_sequence

__all__ = ["ResourceTexts", "TextGuard"]

_REMEMBERED = 20_000  # texts, or elements
_NO_WORDS = frozenset(("resourceType", "id", "meta", "identifier"))
# What the engine itself makes, and what names no person: most strings of a resource.
_LONG_NUMBER = 100_000  # from here on a number may be somebody's, or a date
_MADE = frozenset(("resourceType", "system", "reference", "status", "intent", "use", "type"))


@dataclass(frozen=True, slots=True)
class _Text:
    """A text that no phrase forbids, in the forms in which it is looked at."""

    text: str
    folded: str
    words: str
    digits: int
    has_personal_number: bool


@dataclass(frozen=True, slots=True)
class ResourceTexts:
    """The texts of a resource: `all_texts` one that the engine does not make itself, and `written`, those
    that may tell of a sensitive group: all but its identity, its labels and the names of those it points to.
    """

    all_texts: list[str]
    written: list[str]

    @staticmethod
    def of(resource: Resource, parts: SerialisedElements | None = None) -> "ResourceTexts":
        """Collect them in one walk. With `parts`, the resource's elements as bytes, not again in those that
        came before.
        """
        every: list[str] = []
        written: list[str] = []
        for name, value in resource.items():
            if parts is None or not is_worth_caching(name, value):
                found = _texts_of(name, value)
            else:
                found = _again(name, value, parts[name])
            every += found.all_texts
            written += found.written
        return ResourceTexts(every, written)


_collected: BoundedCache[tuple[str, bytes], ResourceTexts] = BoundedCache(_REMEMBERED)


def _again(name: str, value: Any, part: bytes) -> ResourceTexts:
    return _collected.get((name, part)) or _collected.put((name, part), _texts_of(name, value))


def _texts_of(name: str, value: Any) -> ResourceTexts:
    """The texts of one element of a resource."""
    part, found = {name: value}, ResourceTexts([], [])
    _collect(part, found.all_texts, None if name in _NO_WORDS or _refers(part) else found.written)
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
    elif isinstance(node, int | Decimal) and not -_LONG_NUMBER < node < _LONG_NUMBER:
        _collect(format(node, "f" if isinstance(node, Decimal) else "d"), every, written)


def _refers(node: dict[str, Any]) -> bool:
    return "reference" in node or isinstance(node.get("type"), str)


class TextGuard:
    """Reads every text of a mapped resource for what may not leave, `phrases` first of all. One per
    hospital; not shared between threads: it remembers texts that hold no forbidden phrase, since most
    are codes and displays that come back in every resource.
    """

    def __init__(self, phrases: re.Pattern[str] | None) -> None:
        self._phrases = phrases
        self._known: BoundedCache[str, _Text] = BoundedCache(_REMEMBERED)

    def withhold_reason(
        self,
        texts: ResourceTexts,
        *,
        position: PositionTerm | None = None,
        identity: IdentifyingTerms | None = None,
        opaque: str | None = None,
    ) -> WithholdReason | None:
        """Why a resource with these texts may not leave, or None.

        `position` never leaves; `identity` is what a pseudonym hides, None for a person who goes out
        by name. `opaque` is the resource's own identity, a keyed hash in which nothing can be read: a
        text that is no more than it is passed over, as it would be the one text of each that is new.
        """
        secret = position.words if position else ""
        made = (opaque, pseudonym(opaque)) if opaque else ()
        if identity is not None and any(
            self._is_somebodys(text) for text in texts.written if text not in made
        ):
            return WithholdReason.TEXT_IDENTIFIES
        for text in texts.all_texts:
            if text in made:
                continue
            known = self._known.get(text) or self._read(text)
            if known is None or (secret and secret in known.words):
                return WithholdReason.TEXT_CLASSIFIES
            if identity is not None and _identifies(known, identity):
                return WithholdReason.TEXT_IDENTIFIES
        return None

    def _is_somebodys(self, text: str) -> bool:
        known = self._known.get(text) or self._read(text)
        return known is not None and known.has_personal_number

    def _read(self, text: str) -> _Text | None:
        """The text in its forms; None when a phrase forbids it."""
        folded = fold_text(text)
        in_words = expand_abbreviations(word_sequence(folded))
        if self._phrases is not None and (self._phrases.search(folded) or self._phrases.search(in_words)):
            return None
        digits = sum(map(str.isdigit, folded))
        return self._known.put(text, _Text(text, folded, in_words, digits, has_personal_number(folded)))


def _identifies(known: _Text, identity: IdentifyingTerms) -> bool:
    return (
        any(phrase in known.words for phrase in identity.phrases)
        or (known.digits >= 8 and identity.has_number(known.folded))
        or (known.digits >= 2 and identity.has_birth_date(known.folded))
        or identity.has_title_and_name(known.text, known.words)
    )
