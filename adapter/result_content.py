"""What a hospital's result says, in its parts, as a record holds it. Pure; knows nothing of FHIR's JSON.

Numbers are text, digit for digit as they came. Nothing is cut: what a result embeds of other resources has a
stated bound (`mapping.result_reading`), and `unread` names what came and has no place here; the resource
beside it has that whole. `words` is for people, the same in every language.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

__all__ = [
    "WITHDRAWN",
    "Amount",
    "CodedConcept",
    "Coding",
    "DocumentSignature",
    "ReferenceRange",
    "ResultAttachment",
    "ResultContent",
    "ResultMember",
    "ResultNote",
    "ResultPart",
    "ResultSpecimen",
    "ResultValue",
    "SampledValues",
    "between",
    "joined_words",
]

WITHDRAWN = "entered-in-error"


class _Piece(BaseModel):
    """What all of these have: frozen, and without what is not there when written down."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_serializer(mode="wrap")
    def _only_what_is_there(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said, fields = handler(self).items(), type(self).model_fields
        return {
            name: value
            for name, value in said
            if value or (value == 0 and value is not False) or fields[name].is_required()
        }


class Coding(_Piece):
    """One code of one system."""

    system: str | None = None
    code: str | None = None
    display: str | None = None
    version: str | None = None


class CodedConcept(_Piece):
    """Something said in words, in codes, or both."""

    text: str | None = None
    codings: tuple[Coding, ...] = ()

    @property
    def words(self) -> str:
        """The text and what every coding says otherwise: its display, or its code where it has none."""
        return joined_words([self.text, *(one.display or one.code for one in self.codings)], " / ")

    @property
    def coded(self) -> str:
        """The words and every code that is not among them."""
        codes = joined_words((one.code for one in self.codings if one.display), ", ")
        return f"{self.words} [{codes}]" if codes else self.words


class Amount(_Piece):
    """A quantity. `contradicts`: the unit's text says another unit than its code."""

    value: str | None = None
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None
    contradicts: bool = False

    @property
    def words(self) -> str:
        """Comparator, number, unit; both units where they contradict each other; a question mark for a number
        that is not there.
        """
        unit = self.unit or self.code
        if self.contradicts:
            unit = f"{self.unit} ≠ {self.code}"
        return f"{self.comparator or ''}{self.value or '?'}{f' {unit}' if unit and unit != '1' else ''}"


def between(low: str, high: str) -> str:
    """Both ends of a range, or the one that there is: never a high that looks like a negative number."""
    if low and high:
        dash = " – " if " " in f"{low}{high}" or "-" in f"{low}{high}" else "-"
        return f"{low}{dash}{high}"
    return f"≥{low}" if low else f"≤{high}" if high else ""


class ReferenceRange(_Piece):
    """What counts as usual, for whom."""

    low: Amount | None = None
    high: Amount | None = None
    text: str | None = None
    type: CodedConcept | None = None
    applies_to: tuple[CodedConcept, ...] = ()
    age_low: Amount | None = None
    age_high: Amount | None = None

    @property
    def words(self) -> str:
        """The limits, the text where it says more, and for whom."""
        limits = between(_words(self.low), _words(self.high))
        age = between(_words(self.age_low), _words(self.age_high))
        whom = joined_words([_words(self.type), *(one.words for one in self.applies_to), age], ", ")
        return joined_words([limits, self.text, f"({whom})" if whom else ""], " ")


class SampledValues(_Piece):
    """A series of samples, as FHIR's SampledData."""

    origin: Amount | None = None
    period: str | None = None
    factor: str | None = None
    lower_limit: str | None = None
    upper_limit: str | None = None
    dimensions: str | None = None
    data: str | None = None


class ResultValue(_Piece):
    """A value of any type. `type` is FHIR's: Quantity, CodeableConcept, string, Range, …"""

    type: str
    text: str | None = None  # of a string, boolean, number or time
    amount: Amount | None = None
    concept: CodedConcept | None = None
    low: Amount | None = None
    high: Amount | None = None
    numerator: Amount | None = None
    denominator: Amount | None = None
    start: str | None = None
    end: str | None = None
    samples: SampledValues | None = None

    @property
    def words(self) -> str:
        """The value as one line."""
        if self.type == "Range":
            return between(_words(self.low), _words(self.high))
        if self.type == "Ratio":
            return f"{_words(self.numerator) or '?'}/{_words(self.denominator) or '?'}"
        if self.type == "Period":
            return f"{self.start or ''} - {self.end or ''}"
        if self.samples is not None:
            return joined_words([_words(self.samples.origin), self.samples.data], " + ")
        return self.text or _words(self.amount) or _words(self.concept)


class ResultNote(_Piece):
    """A remark, with who made it and when as far as that is said."""

    text: str
    author: str | None = None
    time: str | None = None


class ResultPart(_Piece):
    """One value with all that it means nothing without: a component, or the middle of a result.

    `measure` is our own code where the codes are known; `local` the value in our unit, only where that is
    exact. `contradictions` has one code for each thing that does not agree: unit, specimen, code,
    property (the kind of unit, with the code).
    """

    code: CodedConcept | None = None
    measure: str | None = None
    value: ResultValue | None = None
    local: Amount | None = None
    absent: CodedConcept | None = None
    ranges: tuple[ReferenceRange, ...] = ()
    flags: tuple[CodedConcept, ...] = ()
    contradictions: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What was measured."""
        return _words(self.code)

    @property
    def value_words(self) -> str:
        """The value, or in brackets why there is none."""
        said = _words(self.value)
        return joined_words([said, f"({self.absent.coded})" if self.absent else ""], " ")

    @property
    def flag_words(self) -> str:
        """The flags, by their codes where they have some."""
        return joined_words((_flag(one) for one in self.flags), ", ")

    @property
    def range_words(self) -> str:
        """All ranges."""
        return joined_words((one.words for one in self.ranges), "; ")

    @property
    def line(self) -> str:
        """Value and flag."""
        flags = self.flag_words
        return joined_words([self.value_words, f"[{flags}]" if flags else ""], " ")


class ResultSpecimen(_Piece):
    """What was examined. `reference` is there where nothing of it is known."""

    reference: str | None = None
    type: CodedConcept | None = None
    body_site: CodedConcept | None = None
    method: CodedConcept | None = None
    collected: str | None = None
    conditions: tuple[CodedConcept, ...] = ()
    notes: tuple[ResultNote, ...] = ()
    identifiers: tuple[str, ...] = ()
    display: str | None = None

    @property
    def words(self) -> str:
        """What it is, from where, how it was taken, in which condition."""
        said = [_words(self.type) or self.display or self.reference, _words(self.body_site)]
        said += [_words(self.method), *(one.words for one in self.conditions)]
        return joined_words([*said, *(one.text for one in self.notes)], ", ")


class DocumentSignature(_Piece):
    """A digital signature of a document, as the centre found it when the document came: see
    `adapter.fhir.document_facts.DocumentSignature`.
    """

    state: str
    signer: str | None = None
    issuer: str | None = None
    signed_at: str | None = None
    is_stamped: bool = False
    trust: str | None = None


class ResultAttachment(_Piece):
    """A document or picture. The bytes are in the resource, at `place` (a path into it), or at `url`.

    `size` counts the bytes that came, `digest` is of them; `text` is there where the document is text.
    """

    place: str
    content_type: str | None = None
    title: str | None = None
    language: str | None = None
    created: str | None = None
    url: str | None = None
    size: int | None = None
    digest: str | None = None
    text: str | None = None
    unreadable: bool = False  # the bytes are no base64
    remarks: tuple[str, ...] = ()  # what the centre found in it, as words `pdf.remark_…`
    signatures: tuple[DocumentSignature, ...] = ()

    @property
    def words(self) -> str:
        """What it is called, its type and size."""
        size = f"{self.size} B" if self.size is not None else None
        return joined_words([self.title, self.content_type, size, self.url], ", ")


class ResultContent(ResultPart):
    """All of one result. `source` is its `Type/id` here, `version` the version of that which was read."""

    type: str
    status: str
    source: str | None = None
    version: str | None = None
    identifiers: tuple[str, ...] = ()
    categories: tuple[CodedConcept, ...] = ()
    issued: str | None = None
    effective: str | None = None
    components: tuple[ResultPart, ...] = ()
    members: tuple["ResultMember", ...] = ()
    specimens: tuple[ResultSpecimen, ...] = ()
    body_sites: tuple[CodedConcept, ...] = ()
    method: CodedConcept | None = None
    device: str | None = None
    reasons: tuple[CodedConcept, ...] = ()
    status_reason: CodedConcept | None = None
    conclusion: str | None = None
    conclusion_codes: tuple[CodedConcept, ...] = ()
    outcome: CodedConcept | None = None
    complications: tuple[CodedConcept, ...] = ()
    follow_up: tuple[CodedConcept, ...] = ()
    notes: tuple[ResultNote, ...] = ()
    attachments: tuple[ResultAttachment, ...] = ()
    narrative: str | None = None
    senders: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What was measured or done, and what distinguishes it: specimen, site, method."""
        by = [*(one.words for one in self.specimens), *(one.words for one in self.body_sites)]
        said = joined_words([*by, _words(self.method)], "; ")
        return f"{_words(self.code)} ({said})".strip() if said else _words(self.code)

    @property
    def summary(self) -> str:
        """Its value, those of its parts and members, each with its flag."""
        said = [self.line, *(f"{one.title} {one.line}".strip() for one in self.components if one.line)]
        return joined_words([*said, *(one.words for one in self.members)], "; ")

    @property
    def conclusion_words(self) -> str:
        """Everything that is concluded or remarked, in words and codes; nothing hides behind another."""
        said = [self.conclusion, *(one.coded for one in self.conclusion_codes), _coded(self.outcome)]
        said += [one.coded for one in (*self.complications, *self.follow_up)]
        said += [_coded(self.status_reason), *(one.text for one in self.notes)]
        return joined_words(said, "; ")

    def parts(self) -> Iterator[tuple[str, ResultPart, str | None]]:
        """Every value in it, with the title of what it is a part of and when that was; members too, as long
        as they were not withdrawn.
        """
        if self.value is not None or self.absent is not None or not (self.components or self.members):
            yield self.title, self, self.effective
        for one in self.components:
            yield joined_words([self.title, one.title], ": "), one, self.effective
        for member in self.members:
            if member.content is not None and member.content.status != WITHDRAWN:
                yield from member.content.parts()


class ResultMember(_Piece):
    """A result that belongs to another. `content` is there where it was contained or had come before;
    `relation` says by which element: result, hasMember, derivedFrom, partOf, report, contained. What names
    another subject than the result does is not read: `other_subject`.
    """

    relation: str
    reference: str | None = None
    display: str | None = None
    other_subject: bool = False
    content: ResultContent | None = None

    @property
    def words(self) -> str:
        """Title and value as far as they are known here."""
        if self.content is None:
            return self.display or ""
        status = f"({WITHDRAWN})" if self.content.status == WITHDRAWN else ""
        said = joined_words([self.content.title, status, self.content.summary], " ")
        return joined_words([said, self.content.conclusion_words], "; ")


def joined_words(said: Iterable[str | None], between: str) -> str:
    """What is said, each once, in its order."""
    return between.join(dict.fromkeys(one for one in said if one))


def _words(one: Any) -> str:
    return one.words if one is not None else ""


def _coded(one: CodedConcept | None) -> str | None:
    return one.coded if one else None


def _flag(flag: CodedConcept) -> str:
    """Codes first, then what is said in words."""
    codes = joined_words((one.code for one in flag.codings), "/")
    return joined_words([codes, flag.text, *(one.display for one in flag.codings)], " ")


ResultContent.model_rebuild()  # its members hold such content themselves
