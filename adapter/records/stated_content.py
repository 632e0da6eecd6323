"""What a result tells a doctor, cut down to what must be looked at again when it changes. Pure.

A hospital sends a result again with another version number, another identifier or another moment of issue:
that is nothing to be seen again. Another value, flag, range, conclusion or document is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from hashlib import blake2b
from typing import Final

import orjson

from adapter.records.model import Result
from adapter.result_content import (
    WITHDRAWN,
    Amount,
    CodedConcept,
    ReferenceRange,
    ResultContent,
    ResultPart,
    joined_words,
)
from adapter.text_folding import fold_text

__all__ = [
    "Decision",
    "StatedChange",
    "StatedContent",
    "StatedLine",
    "Urgency",
    "changed_lines",
    "part_urgency",
    "stated",
    "strictest",
    "urgency",
]

_CRITICAL: Final = frozenset(("HH", "LL", "AA", "HU", "LU"))
# Of http://hl7.org/fhir/R4/valueset-observation-interpretation.html what asks for nobody.
_USUAL: Final = frozenset(("N", "NEG", "ND", "NR", "S", "W", "B", "EXP", "WR"))
_USUAL_WORDS: Final = frozenset(("normal", "binh thuong", "am tinh", "negative", "trong gioi han"))


class Urgency(StrEnum):
    """How soon a doctor must see it."""

    CRITICAL = "critical"
    ABNORMAL = "abnormal"
    NORMAL = "normal"


class Decision(StrEnum):
    """What a doctor says is to follow."""

    NOTHING = "nothing"
    RECALL = "recall"  # the person is to come
    REFER = "refer"


@dataclass(frozen=True, slots=True)
class StatedLine:
    """What was measured or said (empty of a conclusion), and what came out."""

    title: str
    words: str


@dataclass(frozen=True, slots=True)
class StatedContent:
    """What a version of a result tells. `is_withdrawn`: that nothing of it holds."""

    lines: tuple[StatedLine, ...] = ()
    is_withdrawn: bool = False

    @property
    def digest(self) -> str:
        """The same for what tells the same, in whatever order."""
        said = sorted((one.title, one.words) for one in self.lines)
        return blake2b(orjson.dumps([said, self.is_withdrawn]), digest_size=16).hexdigest()

    def as_text(self) -> str:
        """As it is stored."""
        return orjson.dumps([[[one.title, one.words] for one in self.lines], self.is_withdrawn]).decode()

    @classmethod
    def from_text(cls, text: str) -> "StatedContent":
        """What was stored."""
        lines, is_withdrawn = orjson.loads(text)
        return cls(tuple(StatedLine(title, words) for title, words in lines), is_withdrawn)


@dataclass(frozen=True, slots=True)
class StatedChange:
    """A line that is another now; `before` or `after` is empty where it was, or is, not there."""

    title: str
    before: str
    after: str


def stated(result: Result, content: ResultContent | None) -> StatedContent:
    """What a result tells; of one that was recorded before results had parts, what its record says."""
    is_withdrawn = result.status == WITHDRAWN
    if content is None:
        said = [StatedLine(result.title or "", result.value or ""), StatedLine("", result.conclusion or "")]
    else:
        said = [*_values(content), *(StatedLine("", one) for one in _remarks(content))]
    return StatedContent(tuple(dict.fromkeys(one for one in said if one.words)), is_withdrawn)


def changed_lines(before: StatedContent, after: StatedContent) -> Sequence[StatedChange]:
    """What is said now and was not said before, and the reverse: what has one title side by side."""
    gone = [one for one in before.lines if one not in after.lines]
    found: list[StatedChange] = []
    for one in after.lines:
        if one not in before.lines:
            was = next((each for each in gone if each.title == one.title), None)
            if was is not None:
                gone.remove(was)
            found.append(StatedChange(one.title, was.words if was else "", one.words))
    return [*found, *(StatedChange(one.title, one.words, "") for one in gone)]


def urgency(content: ResultContent | None) -> Urgency:
    """By the hospital's flags, and where it sets none by its own range; what says neither is NORMAL: no range
    of ours stands in for a laboratory's.
    """
    return strictest(map(part_urgency, _parts(content)) if content else ())


def _values(content: ResultContent) -> Iterator[StatedLine]:
    for title, part, _ in content.parts():
        words = joined_words([part.line, f"({part.range_words})" if part.range_words else ""], " ")
        yield StatedLine(title, words)


def _remarks(content: ResultContent) -> Iterator[str]:
    yield content.conclusion_words
    for one in content.attachments:
        yield joined_words([one.title or one.content_type, one.digest, one.text], " ")
    for member in content.members:
        if member.content is not None:
            yield from _remarks(member.content)


def _parts(content: ResultContent) -> Iterator[ResultPart]:
    """Every part that may have a flag, with a value or without."""
    yield content
    yield from content.components
    for member in content.members:
        if member.content is not None and member.content.status != WITHDRAWN:
            yield from _parts(member.content)


def part_urgency(part: ResultPart) -> Urgency:
    """Of one value, as `urgency`."""
    codes = {code.upper() for one in part.flags for code in _codes(one)}
    if codes & _CRITICAL:
        return Urgency.CRITICAL
    if part.flags:
        return Urgency.NORMAL if all(map(_is_usual, part.flags)) else Urgency.ABNORMAL
    return Urgency.ABNORMAL if _is_outside(part) else Urgency.NORMAL


def _codes(flag: CodedConcept) -> Iterator[str]:
    yield from (one.code for one in flag.codings if one.code)
    if not flag.codings and flag.text:
        yield flag.text


def _is_usual(flag: CodedConcept) -> bool:
    said = {one.upper() for one in _codes(flag)}
    return said <= _USUAL or fold_text(flag.words) in _USUAL_WORDS


def _is_outside(part: ResultPart) -> bool:
    """Whether its number is beyond the one range that it came with; several (by age, by sex) are for a person
    to choose from.
    """
    amount = part.value.amount if part.value else None
    if amount is None or amount.contradicts or len(part.ranges) != 1:
        return False
    return _is_beyond(amount, part.ranges[0])


def _is_beyond(amount: Amount, range_: ReferenceRange) -> bool:
    value = _number(amount)
    low, high = (_number(end) if _alike(amount, end) else None for end in (range_.low, range_.high))
    if value is None:
        return False
    # "<0.5" may be anything below: it is above nothing that is higher.
    too_low = low is not None and value < low and not (amount.comparator or "").startswith(">")
    too_high = high is not None and value > high and not (amount.comparator or "").startswith("<")
    return too_low or too_high


def _alike(one: Amount, end: Amount | None) -> bool:
    """Whether both are in one unit, as far as the range names one."""
    if end is None:
        return False
    units = {each.code or each.unit for each in (one, end)} - {None, ""}
    return len(units) <= 1


def _number(amount: Amount | None) -> Decimal | None:
    if amount is None or amount.value is None:
        return None
    try:
        return Decimal(amount.value)
    except InvalidOperation:
        return None


def strictest(found: Iterable[Urgency]) -> Urgency:
    """The most urgent of these; NORMAL of none."""
    return min(found, key=list(Urgency).index, default=Urgency.NORMAL)
