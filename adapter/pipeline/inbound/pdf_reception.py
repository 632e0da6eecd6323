"""PDFs as they come, whatever brings them: what is refused is kept."""

from datetime import datetime
from urllib.parse import urlencode

from adapter.errors import PdfRefused
from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.pdf_documents import TakenPdf, take_pdf
from adapter.pipeline.inbound.quarantine import PDF_STATUS, PDF_URL, keep_refused, pdf_issue

__all__ = ["receive_pdf"]

_TOO_LARGE = 413


def receive_pdf(
    adapter: Adapter,
    hospital: str,
    data: bytes,
    *,
    said: str | None = None,
    is_final: bool = False,
    by: str,
    now: datetime,
) -> TakenPdf:
    """As `take_pdf`; what it refuses is kept in the quarantine, unless it is too large for anything, or of
    somebody of whom nothing may be kept (`not_kept`). Raises PdfRefused then.
    """
    try:
        return take_pdf(adapter, hospital, data, said=said, is_final=is_final, by=by, now=now)
    except PdfRefused as error:
        if error.why == "not_kept":
            raise
        query = urlencode(
            [*([("referral", said)] if said else []), *([("final", "true")] if is_final else [])]
        )
        url = f"{PDF_URL}?{query}" if query else PDF_URL
        status = _TOO_LARGE if error.why == "too_large" else PDF_STATUS
        keep_refused(adapter, RefusedRequest(hospital, "POST", url, data, status, (pdf_issue(error),)), now)
        raise
