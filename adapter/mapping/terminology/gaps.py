"""What the code tables do not know, counted, with the nearest codes that they do know (pure).

A text that could be a person's is never shown: a word that a laboratory wrote only when several people
have it, any other code only when it looks like one.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from adapter.mapping.terminology.code_tables import UNFIT_UNIT, CodeTables, normalise_text

__all__ = ["Gap", "GapCounter", "Suggestion"]

_ENOUGH_PEOPLE = 5
# Nine digits can be somebody's number, unless they have the form of a national service code.
_CODE = re.compile(r"[0-9]{2}\.[0-9]{4}\.[0-9]{4}|(?!.*(?:[0-9][ .-]?){9})\S{1,40}")
_ALIKE = 0.55
_SUGGESTED = 3


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A code that the table knows, and how it is called there."""

    code: str
    display: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A code that `table` does not know; None stands for all texts that are not shown."""

    table: str
    code: str | None
    count: int
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(slots=True)
class _Seen:
    count: int = 0
    people: set[str] = field(default_factory=set)
    name: str | None = None


class GapCounter:
    """Counts unknown codes, by table and code, and the people who have them."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}

    def add(self, unknown: Mapping[tuple[str, str], int], person: str, name: str | None = None) -> None:
        """Add what one record's mapping did not know; `name` is what the source calls the thing."""
        for key, count in unknown.items():
            seen = self._seen.setdefault(key, _Seen())
            seen.count += count
            seen.people.add(person)
            seen.name = seen.name or name

    def gaps(self, codes: CodeTables) -> tuple[Gap, ...]:
        """Most frequent first."""
        hidden: Counter[str] = Counter()
        found = []
        for (table, code), seen in self._seen.items():
            if _may_be_shown(table, code, len(seen.people)):
                found.append(Gap(table, code, seen.count, _suggestions(codes, table, code, seen.name)))
            else:
                hidden[table] += seen.count
        found += [Gap(table, None, count) for table, count in hidden.items()]
        return tuple(sorted(found, key=lambda gap: (-gap.count, gap.table, gap.code or "")))


def _may_be_shown(table: str, code: str, people: int) -> bool:
    if table == UNFIT_UNIT or people >= _ENOUGH_PEOPLE:
        return True
    return table != "qualitative" and _CODE.fullmatch(code) is not None


def _suggestions(codes: CodeTables, table: str, code: str, name: str | None) -> tuple[Suggestion, ...]:
    if table == UNFIT_UNIT:
        concept = codes.tables["measures"].find(code.split(" ", 1)[0])
        ucum = concept.more.get("ucum") if concept else None
        return (Suggestion(ucum, concept.display),) if concept and ucum else ()
    alike = _alike(code, normalise_text)
    named = _named(name) if name else lambda _: 0.0
    scored = [
        (max(score(text) for score in (alike, named) for text in texts), suggestion)
        for suggestion, texts in _candidates(codes, table)
    ]
    close = sorted((one for one in scored if one[0] >= _ALIKE), key=lambda one: (-one[0], one[1].code))
    return tuple(dict.fromkeys(suggestion for _, suggestion in close))[:_SUGGESTED]


def _candidates(codes: CodeTables, table: str) -> Iterator[tuple[Suggestion, tuple[str, ...]]]:
    """What the table knows, each with the texts that it is compared by."""
    if table == "units":
        for written, unit in codes.units.items():
            if not written.startswith("\0"):
                yield Suggestion(written, unit.ucum), (written,)
        return
    known = codes.tables.get(table)
    for concept in known.concepts.values() if known else ():
        texts = (concept.code, concept.display, concept.more.get("display_en", ""))
        spelled = concept.more.get("spellings", "").split("|")
        yield Suggestion(concept.code, concept.display), tuple(filter(None, (*texts, *spelled)))


def _named(name: str) -> Callable[[str], float]:
    """How much a source's own name of a thing is like a text, or holds it: "Định lượng Creatinin (máu)"."""
    alike, words = _alike(name, normalise_text), _words(name)

    def score(other: str) -> float:
        held = _words(other)
        contained = len(held) > 4 and held in words  # the spaces around it count
        return max(alike(other), min(1.0, _ALIKE + len(held) / 100) if contained else 0.0)

    return score


def _words(text: str) -> str:
    """The words alone, each between spaces."""
    return " ".join(("", *re.findall(r"[^\W_]+", normalise_text(text)), ""))


def _alike(text: str, form: Callable[[str], str]) -> Callable[[str], float]:
    """How much another text is like this one, 0 to 1; what cannot be close is not compared in full."""
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(form(text))

    def score(other: str) -> float:
        matcher.set_seq1(form(other))
        likely = matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE
        return matcher.ratio() if likely else 0.0

    return score
