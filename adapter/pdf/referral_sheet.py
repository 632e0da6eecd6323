"""A referral on A4, with its QR code. The same content gives the same bytes.

The font (fonts/LICENSE) is embedded, as far as its letters are needed.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import segno
from fpdf import FPDF
from fpdf.enums import XPos, YPos

__all__ = ["ReferralSheet", "sheet_bytes"]

_FONTS: Final = Path(__file__).parent / "fonts"
_FONT: Final = "DejaVu"
_MARGIN: Final = 18.0  # mm, as all lengths
_CODE_SIDE: Final = 40.0
_QUIET_MODULES: Final = 4  # white around the code (ISO/IEC 18004)
_LABEL_WIDTH: Final = 42.0
_LINE: Final = 5.6
_GREY: Final = 110
_MOST_LINES: Final = 400  # of what a sheet says; a referral has some twenty
_LONGEST: Final = 2_000  # characters of one of them


@dataclass(frozen=True, slots=True)
class ReferralSheet:
    """What stands on it, in words. `code` is the text of the QR code and `number` what can be read of it;
    `head` are lines about the centre, `facts` what is said of referral and person, `values` measurements with
    value and day. `made_at` is the moment that the file names.
    """

    language: str
    title: str
    head: Sequence[str]
    addressed_to: str
    facts: Sequence[tuple[str, str]]
    values_title: str
    values: Sequence[tuple[str, str, str]]
    code: str
    number_title: str
    number: str
    code_hint: str
    made_at: datetime


def sheet_bytes(sheet: ReferralSheet) -> bytes:
    """The PDF."""
    pdf = _Page(format="A4")
    pdf.set_creation_date(sheet.made_at)
    pdf.set_title(sheet.title)
    pdf.set_lang(sheet.language)
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(auto=True, margin=_MARGIN)
    for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
        pdf.add_font(_FONT, style, _FONTS / name)
    pdf.add_page()
    _draw_code(pdf, sheet)
    _draw_head(pdf, sheet)
    for label, words in sheet.facts[:_MOST_LINES]:
        pdf.fact(label, words)
    if sheet.values:
        pdf.heading(sheet.values_title)
        for name, value, day in sheet.values[:_MOST_LINES]:
            pdf.fact(name, "   ".join(filter(None, (value, day))))
    return bytes(pdf.output())


class _Page(FPDF):
    def line_of(self, words: str, *, width: float = 0, size: float = 10, style: str = "") -> None:
        """Words from where the cursor is, wrapped within the width (0: to the margin)."""
        self.set_font(_FONT, style, size)
        self.multi_cell(width, size * 0.52, _plain(words), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def heading(self, words: str) -> None:
        """A line above what follows."""
        self.ln(3)
        self.line_of(words, size=11, style="B")
        self.ln(1)

    def fact(self, label: str, words: str) -> None:
        """What it is on the left, its words on the right."""
        if self.will_page_break(2 * _LINE):
            self.add_page()
        top, page = self.get_y(), self.page
        self.set_text_color(_GREY)
        self.line_of(label, width=_LABEL_WIDTH - 3, size=9)
        below = self.get_y()
        self.set_text_color(0)
        self.set_xy(self.l_margin + _LABEL_WIDTH, top)
        self.line_of(words, size=10)
        if self.page == page:
            self.set_y(max(below, self.get_y()) + 1)


def _draw_head(pdf: _Page, sheet: ReferralSheet) -> None:
    """The centre, the title and the addressee, beside the code; then what is below both."""
    width = pdf.epw - _CODE_SIDE - 6
    name, *lines = sheet.head
    pdf.line_of(name, width=width, size=11, style="B")
    for line in lines:
        pdf.line_of(line, width=width, size=9)
    pdf.ln(8)
    pdf.line_of(sheet.title, width=width, size=17, style="B")
    pdf.ln(1)
    pdf.line_of(sheet.addressed_to, width=width, size=11)
    pdf.set_y(max(pdf.get_y() + 4, _MARGIN + _CODE_SIDE + 3))
    pdf.line_of(f"{sheet.number_title}: {sheet.number}", size=11, style="B")
    pdf.set_text_color(_GREY)
    pdf.line_of(sheet.code, size=7)
    pdf.line_of(sheet.code_hint, size=8)
    pdf.set_text_color(0)
    pdf.ln(3)
    pdf.set_draw_color(_GREY)
    pdf.line(pdf.l_margin, pdf.get_y(), pdf.w - pdf.r_margin, pdf.get_y())
    pdf.ln(4)


def _draw_code(pdf: _Page, sheet: ReferralSheet) -> None:
    """The QR code in the upper right corner, as rectangles: sharp at any size."""
    rows = list(segno.make_qr(sheet.code, error="q", boost_error=False).matrix)
    module = _CODE_SIDE / (len(rows) + 2 * _QUIET_MODULES)
    left = pdf.w - _MARGIN - _CODE_SIDE + _QUIET_MODULES * module
    top = _MARGIN - 6 + _QUIET_MODULES * module
    pdf.set_fill_color(0)
    for y, row in enumerate(rows):
        for begin, end in _dark_runs(row):
            pdf.rect(left + begin * module, top + y * module, (end - begin) * module, module, style="F")


def _dark_runs(row: Sequence[int]) -> Sequence[tuple[int, int]]:
    """Where dark modules begin and end, so that no seam shows between them."""
    runs: list[tuple[int, int]] = []
    for place, module in enumerate(row):
        if not module:
            continue
        if runs and runs[-1][1] == place:
            runs[-1] = runs[-1][0], place + 1
        else:
            runs.append((place, place + 1))
    return runs


def _plain(words: str) -> str:
    """Composed letters, in one line, and no longer than a sheet can hold."""
    return unicodedata.normalize("NFC", " ".join(words.split()))[:_LONGEST] or "-"
