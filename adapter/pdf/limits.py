"""How much of a PDF is looked at, and at what cost."""

from typing import Final

__all__ = [
    "CPU_SECONDS",
    "LONGEST_CODE",
    "LONGEST_PDF",
    "MEMORY_BYTES",
    "MOST_CODES",
    "MOST_PAGES",
    "MOST_PIXELS",
    "MOST_SIGNATURES",
    "MOST_TEXT",
    "MOST_WORDS",
    "OUTPUT_BYTES",
    "SECONDS",
]

LONGEST_PDF: Final = 10_000_000  # bytes
MOST_PAGES: Final = 20  # whose codes and text are read; the first ones
MOST_PIXELS: Final = 9_000_000  # of a page as it is drawn: A4 at 300 dpi
MOST_TEXT: Final = 200_000  # characters, of all pages
MOST_WORDS: Final = 2_000  # with a figure in them
MOST_CODES: Final = 50
LONGEST_CODE: Final = 500  # characters
MOST_SIGNATURES: Final = 20
MEMORY_BYTES: Final = 1_500_000_000  # of address space: what is in use is a fraction
SECONDS: Final = 30.0  # by the clock
CPU_SECONDS: Final = 20
OUTPUT_BYTES: Final = 1_000_000
