"""A message in its parts: segments, fields, repetitions, components, subcomponents (HL7 v2.5.1, chapter 2).
Pure.

Held against python-hl7 by tests; decision 27 says why it is not used.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from adapter.hl7v2.charsets import Charset, MessageText, decode_message
from adapter.hl7v2.escapes import unescaped
from adapter.hl7v2.refusals import (
    BAD_VALUE,
    MISSING_FIELD,
    MISSING_SEGMENT,
    UNKNOWN_TYPE,
    UNKNOWN_VERSION,
    SegmentPlace,
    refusal,
)

__all__ = ["Element", "Message", "MessageHeader", "Segment", "parse_header", "parse_message"]

VERSIONS: Final = ("2.3", "2.3.1", "2.4", "2.5", "2.5.1")
_MOST_SEGMENTS: Final = 5_000
_MOST_PARTS: Final = 200_000  # fields, components and repetitions of all segments
_LONGEST_HEADER: Final = 4_000
_LONGEST_ID: Final = 199  # of MSH-10, which has 20 in the standard
_SEGMENT: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_HEADER: Final = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(MSH[!-/:-@\[-`{-~].*)", re.DOTALL)
_MARKS: Final = re.compile(r"[!-/:-@\[-`{-~]+")
_NULL: Final = '""'


@dataclass(frozen=True, slots=True)
class Delimiters:
    """MSH-1 and MSH-2. `escape` and `subcomponent` are "" where the sender has none."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str

    @property
    def escapes(self) -> dict[str, str]:
        """The letter of each escape sequence, and what it stands for."""
        return {
            "F": self.field,
            "S": self.component,
            "R": self.repetition,
            "E": self.escape,
            "T": self.subcomponent,
        }


@dataclass(frozen=True, slots=True)
class Element:
    """One repetition of a field, as it is written. Numbers of components begin at 1."""

    raw: str
    delimiters: Delimiters
    source: MessageText

    def component(self, number: int, sub: int = 1) -> str:
        """What a component says, without its escapes and white space around it; "" where there is none."""
        parts = self.raw.split(self.delimiters.component) if self.delimiters.component else [self.raw]
        if number > len(parts):
            return ""
        if not self.delimiters.subcomponent:
            return self._read(parts[number - 1]) if sub == 1 else ""
        inner = parts[number - 1].split(self.delimiters.subcomponent)
        return self._read(inner[sub - 1]) if sub <= len(inner) else ""

    def components(self) -> list[str]:
        """All components, each as it reads whole."""
        parts = self.raw.split(self.delimiters.component) if self.delimiters.component else [self.raw]
        return [self._read(one) for one in parts]

    def text(self) -> str:
        """The whole as text: of a data type that has no components. A null (two quotes) says nothing."""
        read = self.source.read(
            unescaped(self.raw, self.delimiters.escape, self.delimiters.escapes, self.source.decode)
        )
        return "" if read == _NULL else read

    def _read(self, raw: str) -> str:
        found = unescaped(raw, self.delimiters.escape, self.delimiters.escapes, self.source.decode).strip()
        return "" if found == _NULL else self.source.read(found)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; `number` is its place among those of its name, from 1."""

    name: str
    number: int
    fields: tuple[str, ...]  # the first is the name; of MSH the second is the field separator
    delimiters: Delimiters
    source: MessageText

    def raw(self, field: int) -> str:
        """A field as it is written, with all its repetitions."""
        return self.fields[field] if field < len(self.fields) else ""

    def elements(self, field: int) -> list[Element]:
        """Its repetitions; none where the field is empty or null."""
        raw = self.raw(field)
        if not raw or raw == _NULL:
            return []
        mark = self.delimiters.repetition
        return [Element(one, self.delimiters, self.source) for one in (raw.split(mark) if mark else [raw])]

    def first(self, field: int, component: int = 1, sub: int = 1) -> str:
        """A component of the field's first repetition."""
        found = self.elements(field)
        return found[0].component(component, sub) if found else ""

    def at(self, field: int | None = None) -> SegmentPlace:
        """This segment, or a field of it."""
        return SegmentPlace(self.name, self.number, field)

    def required(self, field: int, component: int = 1) -> str:
        """The same as `first`, or the next component: a code, or the words of who has none. Raises
        MessageRefused where neither says anything.
        """
        if found := self.first(field, component) or self.first(field, component + 1):
            return found
        raise refusal("AE", MISSING_FIELD, "missing_field", self.at(field))


@dataclass(frozen=True, slots=True)
class MessageHeader:
    """What MSH says of a message, and of its sender."""

    application: str  # MSH-3, as it is written
    facility: str  # MSH-4
    receiving_application: str
    receiving_facility: str
    sent: str  # MSH-7, as it is written
    type: str  # "ORU"
    event: str  # "R01"
    control_id: str
    processing: str
    version: str
    charset: str  # MSH-18, its first repetition
    accept_answer: str  # MSH-15: when the sender wants to hear that it was taken (table 0155)
    application_answer: str  # MSH-16: when that it was understood
    delimiters: Delimiters

    @property
    def sender(self) -> tuple[str, str]:
        """The namespaces of MSH-3 and MSH-4."""
        mark = self.delimiters.component
        return self.application.partition(mark)[0].strip(), self.facility.partition(mark)[0].strip()


@dataclass(frozen=True)
class Message:
    """A parsed message; its first segment is MSH."""

    header: MessageHeader
    segments: tuple[Segment, ...]

    @cached_property
    def msh(self) -> Segment:
        """The header's segment."""
        return self.segments[0]

    def named(self, name: str) -> Iterator[Segment]:
        """All segments of a name."""
        return (one for one in self.segments if one.name == name)

    def one(self, name: str) -> Segment | None:
        """The first of a name."""
        return next(self.named(name), None)

    def required(self, name: str) -> Segment:
        """The first of a name. Raises MessageRefused."""
        if found := self.one(name):
            return found
        raise refusal("AE", MISSING_SEGMENT, "missing_segment", SegmentPlace(name))


def parse_header(data: bytes) -> MessageHeader:
    """What a message says of itself, before its characters are known. Raises MessageRefused, AR: what has no
    header, and so no control id, cannot be answered for.
    """
    found = _HEADER.match(data[:_LONGEST_HEADER])
    if found is None:
        raise refusal("AR", MISSING_SEGMENT, "no_header")
    line = _header_text(re.split(rb"[\r\n]", found[1], maxsplit=1)[0])
    delimiters = _delimiters(line)
    fields = line.split(delimiters.field)
    fields.insert(1, delimiters.field)

    def field(number: int) -> str:
        return fields[number].strip() if number < len(fields) else ""

    def part(number: int, place: int) -> str:
        parts = field(number).split(delimiters.component)
        return parts[place].strip() if place < len(parts) else ""

    control_id = field(10)
    header = MessageHeader(
        application=field(3),
        facility=field(4),
        receiving_application=field(5),
        receiving_facility=field(6),
        sent=field(7),
        type=part(9, 0).upper(),
        event=part(9, 1).upper(),
        control_id=control_id,
        processing=part(11, 0),
        version=part(12, 0),
        accept_answer=field(15).upper(),
        application_answer=field(16).upper(),
        charset=field(18).split(delimiters.repetition or None, 1)[0] if field(18) else "",
        delimiters=delimiters,
    )
    if not control_id or len(control_id) > _LONGEST_ID:
        raise refusal("AR", MISSING_FIELD, "missing_field", SegmentPlace("MSH", 1, 10))
    return header


def parse_message(data: bytes, header: MessageHeader, default: Charset) -> Message:
    """The message in its parts. `default` is in which characters it is where it does not say. Raises
    MessageRefused: AR for a version that is not known, AE for what is not well made.
    """
    if header.version not in VERSIONS:
        known = ", ".join(VERSIONS)
        raise refusal("AR", UNKNOWN_VERSION, "unknown_version", SegmentPlace("MSH", 1, 12), known=known)
    if not header.type:
        raise refusal("AR", UNKNOWN_TYPE, "missing_field", SegmentPlace("MSH", 1, 9))
    source = decode_message(data.strip(b"\x00"), header.charset, default)
    lines = _lines(source.text.strip())
    if len(lines) > _MOST_SEGMENTS:
        raise refusal("AE", BAD_VALUE, "too_many_parts", most=_MOST_SEGMENTS)
    parts = sum(map(source.text.count, filter(None, _marks(header.delimiters))))
    if parts > _MOST_PARTS:
        raise refusal("AE", BAD_VALUE, "too_many_parts", most=_MOST_PARTS)
    return Message(header, tuple(_segments(lines, header.delimiters, source)))


def _marks(delimiters: Delimiters) -> tuple[str, ...]:
    return delimiters.field, delimiters.component, delimiters.repetition, delimiters.subcomponent


def _delimiters(line: str) -> Delimiters:
    separator = line[3:4]
    marks = line[4:].partition(separator)[0]
    if (
        not 1 <= len(marks) <= 5
        or len(set(separator + marks)) != len(marks) + 1
        or not _MARKS.fullmatch(marks)
    ):
        raise refusal("AR", BAD_VALUE, "bad_delimiters", SegmentPlace("MSH", 1, 2))
    padded = [*marks[:4], *[""] * (4 - len(marks))]
    component, repetition, escape, subcomponent = padded
    return Delimiters(separator, component, repetition, escape, subcomponent)


def _header_text(line: bytes) -> str:
    """Its characters are said in it: what it echoes is mostly ASCII."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _lines(text: str) -> list[str]:
    """Segments end in CR. What has none in it was saved as lines; beside CR, an LF is within a text."""
    lines = text.split("\r") if "\r" in text else text.split("\n")
    return [line for one in lines if (line := one.strip("\n")).strip()]


def _segments(lines: list[str], delimiters: Delimiters, source: MessageText) -> Iterator[Segment]:
    counted: dict[str, int] = {}
    for line in lines:
        name, mark, _ = line.partition(delimiters.field)
        name = name.strip().upper()
        if not _SEGMENT.fullmatch(name) or (not mark and len(line.strip()) != 3):
            raise refusal("AE", MISSING_SEGMENT, "bad_segment", number=sum(counted.values()) + 1)
        counted[name] = counted.get(name, 0) + 1
        fields = line.split(delimiters.field)
        if name == "MSH":
            fields.insert(1, delimiters.field)
        yield Segment(name, counted[name], tuple(fields), delimiters, source)
