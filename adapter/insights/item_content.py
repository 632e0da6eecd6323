"""What a resource says that is no result but tells of a person (a Condition, a document, an order), in lines
that can be read before somebody decides whose it is. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from adapter.fhir.codec import Resource
from adapter.mapping.result_reading.documents import as_attachment, narrative_text
from adapter.mapping.result_reading.elements import as_concepts, as_notes, as_objects, as_text, as_time

__all__ = ["ItemStatement", "content_lines"]

_CODES = ("code", "type", "class", "category", "vaccineCode", "medicationCodeableConcept")
_TEXTS = ("description", "patientInstruction", "title")
_CONCEPTS = (
    *(
        "reasonCode",
        "statusReason",
        "bodySite",
        "clinicalStatus",
        "verificationStatus",
        "severity",
        "modality",
    ),
    *("outcome", "orderDetail"),
)
_MOMENTS = ("effective", "performed", "onset", "occurrence")
_INSTANTS = ("created", "issued", "date", "authoredOn", "lastModified", "recordedDate", "started")


@dataclass(frozen=True, slots=True)
class ItemStatement:
    """One thing that is said. `kind`: conclusion, note, attachment, moment, detail or narrative."""

    kind: str
    label: str
    value: str


def content_lines(resource: Resource) -> Iterator[ItemStatement]:
    """What it says."""
    for name in (*_CODES, *_CONCEPTS):
        for concept in as_concepts(resource.get(name)):
            yield ItemStatement("detail", name, concept.coded)
    for name in _TEXTS:
        if text := as_text(resource.get(name)):
            yield ItemStatement("conclusion", name, text)
    for note in as_notes(resource.get("note")):
        yield ItemStatement("note", "note", note.text)
    moments = {name: as_time(resource, name) for name in _MOMENTS}
    moments |= {name: as_text(resource.get(name)) for name in _INSTANTS}
    yield from (ItemStatement("moment", name, moment) for name, moment in moments.items() if moment)
    yield from _attachments(resource)
    if narrative := narrative_text(resource):
        yield ItemStatement("narrative", "text", narrative)


def _attachments(resource: Resource) -> Iterator[ItemStatement]:
    """Of a DocumentReference, or of Media itself."""
    for content in as_objects(resource.get("content")):
        for one in tuple(as_objects(content.get("attachment"))) or (content,):
            if made := as_attachment(one, "content"):
                said = (made.words, made.text)
                yield ItemStatement("attachment", made.title or "", "; ".join(filter(None, said)))
