"""Pages of a PDF: drawn for their codes, read for their words. Only the process that may be ended does this
(`adapter.pdf.child`); nothing that a document brings along is run.
"""

import re
from collections.abc import Iterator
from typing import Final

import pypdfium2
import pypdfium2.raw as pdfium
import zxingcpp
from PIL.Image import Image

from adapter.pdf.examination import FoundPages
from adapter.pdf.limits import LONGEST_CODE, MOST_CODES, MOST_PAGES, MOST_PIXELS, MOST_TEXT, MOST_WORDS

__all__ = ["look_at_pages"]

_PASSWORD: Final = 4  # FPDF_ERR_PASSWORD
_POINT: Final = 1 / 72  # inch
_RESOLUTIONS: Final = (150, 300)  # dpi; the finer one where the coarser found nothing
_FORMATS: Final = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
_LONGEST_WORD: Final = 60
_WORD: Final = re.compile(r"[^\s|:;,()\[\]{}<>\"']*\d[^\s|:;,()\[\]{}<>\"']*")
_GROUPED: Final = re.compile(r"\b[0-9a-f]{4}(?: [0-9a-f]{4}){7}\b", re.IGNORECASE)


def look_at_pages(data: bytes) -> FoundPages:
    """Codes and words of the first pages, and what the document carries beside them."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = getattr(error, "err_code", None) == _PASSWORD
        return FoundPages(refused="locked" if locked else "broken")
    pages = len(document)
    if not pages:
        return FoundPages(refused="empty")
    remarks = dict.fromkeys(_remarks(document))
    if pages > MOST_PAGES:
        remarks["many-pages"] = None
    codes: dict[str, None] = {}
    words: dict[str, None] = {}
    left = MOST_TEXT
    for number in range(min(pages, MOST_PAGES)):
        try:
            page = document[number]
            text = page.get_textpage().get_text_bounded()[:left] if left else ""
            codes.update(dict.fromkeys(_codes(page)))
        except pypdfium2.PdfiumError:
            remarks["page-unreadable"] = None
            continue
        left -= min(left, len(text))
        words.update(dict.fromkeys(_words(text)))
    return FoundPages(
        pages=pages,
        is_signed=pdfium.FPDF_GetSignatureCount(document) > 0,
        remarks=tuple(remarks),
        codes=tuple(list(codes)[:MOST_CODES]),
        words=tuple(list(words)[:MOST_WORDS]),
    )


def _remarks(document: pypdfium2.PdfDocument) -> Iterator[str]:
    if pdfium.FPDFDoc_GetJavaScriptActionCount(document) > 0:
        yield "script"
    if pdfium.FPDFDoc_GetAttachmentCount(document) > 0:
        yield "files-inside"
    if pdfium.FPDF_GetFormType(document) in (pdfium.FORMTYPE_XFA_FULL, pdfium.FORMTYPE_XFA_FOREGROUND):
        yield "dynamic-form"
    if pdfium.FPDF_GetSecurityHandlerRevision(document) >= 0:
        yield "protected"


def _codes(page: pypdfium2.PdfPage) -> list[str]:
    for resolution in _RESOLUTIONS:
        found = zxingcpp.read_barcodes(_drawn(page, resolution), formats=_FORMATS)
        texts = [one.text for one in found if one.valid and 0 < len(one.text) <= LONGEST_CODE]
        if texts:
            return texts
    return []


def _drawn(page: pypdfium2.PdfPage, resolution: int) -> Image:
    """In grey, however large the page says that it is, with no more pixels than may be."""
    width, height = page.get_size()
    scale = resolution * _POINT
    pixels = max(1.0, width * scale) * max(1.0, height * scale)
    if pixels > MOST_PIXELS:
        scale *= (MOST_PIXELS / pixels) ** 0.5
    if max(width, height) * scale > MOST_PIXELS**0.5 * 4:  # a ribbon
        scale = MOST_PIXELS**0.5 * 4 / max(width, height)
    drawn: Image = page.render(scale=scale, grayscale=True, may_draw_forms=False).to_pil()
    return drawn


def _words(text: str) -> Iterator[str]:
    for found in _GROUPED.finditer(text):
        yield found[0].replace(" ", "").casefold()
    for found in _WORD.finditer(text):
        if 3 <= len(found[0]) <= _LONGEST_WORD:
            yield found[0].strip(".").casefold()
