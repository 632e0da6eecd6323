"""Digital signatures of a PDF (PAdES, ETSI EN 319 142-1), as facts: who signed, when, and whether the
document is still what was signed. Read without network. Only the process that may be ended does this.
"""

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any, Final

from asn1crypto import pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from adapter.pdf.examination import FoundSignature, FoundSignatures
from adapter.pdf.limits import MOST_SIGNATURES

__all__ = ["look_at_signatures"]

_ALLOWED: Final = (ModificationLevel.NONE, ModificationLevel.LTA_UPDATES, ModificationLevel.FORM_FILLING)
_LONGEST_NAME: Final = 200


def look_at_signatures(data: bytes, roots: bytes) -> FoundSignatures:
    """Its signatures. `roots` are certificates (PEM) that a signer's must lead to; none: nobody is trusted,
    and nothing is said of trust.
    """
    trusted = _certificates(roots)
    reader = PdfFileReader(BytesIO(data), strict=False)
    found = list(reader.embedded_regular_signatures)
    return FoundSignatures(
        signatures=tuple(_signature(one, trusted) for one in found[:MOST_SIGNATURES]),
        is_whole=len(found) <= MOST_SIGNATURES,
    )


def _certificates(roots: bytes) -> Sequence[x509.Certificate]:
    if not roots.strip():
        return ()
    return [x509.Certificate.load(der) for _, _, der in pem.unarmor(roots, multiple=True)]


def _signature(one: EmbeddedPdfSignature, trusted: Sequence[x509.Certificate]) -> FoundSignature:
    try:
        # without roots of ours it would take those of this machine
        context = ValidationContext(trust_roots=trusted, allow_fetching=False)
        status: Any = validate_pdf_signature(one, context, ts_validation_context=context)
    except Exception:  # noqa: BLE001 - whatever it is, the others are read
        return FoundSignature(state="unreadable")
    stamp = status.timestamp_validity
    stamped = stamp is not None and stamp.intact and stamp.valid
    at: datetime | None = stamp.timestamp if stamped else status.signer_reported_dt
    return FoundSignature(
        state=_state(status),
        signer=_name(status.signing_cert.subject),
        issuer=_name(status.signing_cert.issuer),
        signed_at=at.isoformat(timespec="seconds") if at is not None and at.tzinfo is not None else "",
        is_stamped=stamped,
        trust=("trusted" if status.trusted else "untrusted") if trusted else "",
    )


def _state(status: Any) -> str:
    if not (status.intact and status.valid):
        return "broken"
    if status.coverage is SignatureCoverageLevel.ENTIRE_FILE:
        return "whole"
    is_revision = status.coverage is SignatureCoverageLevel.ENTIRE_REVISION
    return "extended" if is_revision and status.modification_level in _ALLOWED else "changed"


def _name(name: x509.Name) -> str:
    """What a certificate calls somebody, in its own words."""
    said = name.native.get("common_name") or name.native.get("organization_name") or name.human_friendly
    return " ".join(str(said if isinstance(said, str) else " ".join(said)).split())[:_LONGEST_NAME]
