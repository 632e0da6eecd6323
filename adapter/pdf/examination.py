"""What was found in a PDF, as it passes between the process that looked and who asked. Pure. Plain classes:
the process is there for one document, and would load whatever checks others for longer than it looks.
"""

import json
from dataclasses import asdict, dataclass

__all__ = ["FoundPages", "FoundSignature", "FoundSignatures", "as_line"]


@dataclass(frozen=True, slots=True)
class FoundPages:
    """`refused`: why nothing can be made of it (a word of `pdf.refused_…`), "" where something can. `codes`
    are the texts of QR codes, `words` the words of its text that have a figure in them.
    """

    refused: str = ""
    pages: int = 0
    is_signed: bool = False
    remarks: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundSignature:
    """See `adapter.fhir.document_facts.DocumentSignature`."""

    state: str
    signer: str = ""
    issuer: str = ""
    signed_at: str = ""
    is_stamped: bool = False
    trust: str = ""


@dataclass(frozen=True, slots=True)
class FoundSignatures:
    """In the order in which they were made. `is_whole` is False where not all could be read."""

    signatures: tuple[FoundSignature, ...] = ()
    is_whole: bool = True


def as_line(found: FoundPages | FoundSignatures) -> str:
    """As a line of JSON, in ASCII: half of a surrogate pair may stand in a document."""
    return json.dumps(asdict(found))
