"""The process that looks at a PDF: `python -m adapter.pdf.child`.

It gets the length of the trusted roots (a line), these, and the PDF on standard input, and says what it found
as two lines of JSON. It bounds itself before it reads anything, and whoever started it may end it at any
moment: what it said until then counts.
"""

import resource
import sys

from adapter.pdf.examination import FoundSignatures, as_line
from adapter.pdf.limits import CPU_SECONDS, LONGEST_PDF, MEMORY_BYTES

__all__ = ["main"]


def _bound() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # nor leaves what it read


def main() -> None:
    """Look at one."""
    _bound()
    length = int(sys.stdin.buffer.readline())
    roots = sys.stdin.buffer.read(length)
    data = sys.stdin.buffer.read(LONGEST_PDF + 1)
    from adapter.pdf.pages import look_at_pages

    found = look_at_pages(data)
    _say(as_line(found))
    if found.refused or not (
        found.is_signed or b"/ByteRange" in data
    ):  # what reads signatures takes a second to load
        _say(as_line(FoundSignatures()))
        return
    from adapter.pdf.signatures import look_at_signatures

    _say(as_line(look_at_signatures(data, roots)))


def _say(line: str) -> None:
    sys.stdout.buffer.write(f"{line}\n".encode("ascii"))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
