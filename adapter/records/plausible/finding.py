"""What looks wrong in one cell of a row that can otherwise be read."""

import dataclasses
from collections.abc import Mapping
from enum import StrEnum

__all__ = ["Finding", "FindingOutcome"]


class FindingOutcome(StrEnum):
    """What becomes of the row."""

    REFUSED = "refused"  # it cannot be
    HELD = "held"  # it hardly can be: a person decides
    NOTED = "noted"  # it comes in, and the report says so


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """`field` is the record's; `text` a key of area `import`."""

    field: str
    text: str
    params: Mapping[str, object] = dataclasses.field(default_factory=dict)
    outcome: FindingOutcome = FindingOutcome.HELD
