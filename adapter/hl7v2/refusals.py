"""Why a message is refused, as its acknowledgement says it (HL7 v2.5.1, chapter 2: MSA, ERR, table 0357)."""

from dataclasses import dataclass
from typing import Final, Literal

from adapter.errors import MessageRefused

__all__ = [
    "BAD_VALUE",
    "DUPLICATE",
    "INTERNAL",
    "MISSING_FIELD",
    "MISSING_SEGMENT",
    "UNKNOWN_CODE",
    "UNKNOWN_TYPE",
    "UNKNOWN_VERSION",
    "AckCode",
    "SegmentPlace",
    "refusal",
]

AckCode = Literal["AA", "AE", "AR"]

# Codes of table 0357.
MISSING_SEGMENT: Final = 100  # or one that is out of its order
MISSING_FIELD: Final = 101
BAD_VALUE: Final = 102
UNKNOWN_CODE: Final = 103
UNKNOWN_TYPE: Final = 200  # of the message, or its event
UNKNOWN_VERSION: Final = 203
DUPLICATE: Final = 205
INTERNAL: Final = 207


@dataclass(frozen=True, slots=True)
class SegmentPlace:
    """Where in a message: the segment's name, its number among those of that name, the field, from 1."""

    segment: str
    number: int = 1
    field: int | None = None

    def __str__(self) -> str:
        """`OBX^3^5`, as ERR-2 has it."""
        parts = (self.segment, self.number, self.field)
        return "^".join(str(part) for part in parts if part is not None)


def refusal(
    ack: AckCode, condition: int, text: str, /, place: SegmentPlace | None = None, **params: str | int
) -> MessageRefused:
    """A refusal for one reason: MSA-1, a code of table 0357, a text of the area `hl7v2`, and where."""
    said = {"place": str(place).replace("^", "-") if place else "", **params}
    return MessageRefused(ack, condition, f"hl7v2.{text}", str(place) if place else "", **said)
