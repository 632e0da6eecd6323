"""Has a PDF looked at by a process of its own, which may fail, hang or fill its memory: this one does not."""

import os
import subprocess
import sys
from dataclasses import asdict, replace
from threading import BoundedSemaphore, Timer
from typing import Final

from pydantic import TypeAdapter, ValidationError

from adapter.errors import PdfRefused
from adapter.fhir.document_facts import DocumentFacts, DocumentSignature
from adapter.pdf.examination import FoundPages, FoundSignatures
from adapter.pdf.limits import LONGEST_PDF, OUTPUT_BYTES, SECONDS

__all__ = ["ExaminedPdf", "examine_pdf"]

_MARK: Final = b"%PDF-"
_MARK_WITHIN: Final = 1024  # bytes; ISO 32000-1, annex H.3
_PAGES: Final = TypeAdapter(FoundPages)
_SIGNATURES: Final = TypeAdapter(FoundSignatures)
_AT_ONCE: Final = BoundedSemaphore(2)  # of one process


class ExaminedPdf:
    """What was found. `codes` are the texts of its QR codes, `words` those of its words that have figures."""

    __slots__ = ("codes", "facts", "words")

    def __init__(self, facts: DocumentFacts, codes: tuple[str, ...], words: frozenset[str]) -> None:
        self.facts = facts
        self.codes = codes
        self.words = words


def examine_pdf(data: bytes, roots: bytes = b"", *, seconds: float = SECONDS) -> ExaminedPdf:
    """Look at a PDF, for `seconds` at most. Raises PdfRefused for what is none, is locked, or cannot be
    opened within the limits.
    """
    if len(data) > LONGEST_PDF:
        raise PdfRefused("too_large", most=LONGEST_PDF // 1_000_000)
    if _MARK not in data[:_MARK_WITHIN]:
        raise PdfRefused("not_pdf")
    with _AT_ONCE:
        lines = _ask(b"%d\n%b%b" % (len(roots), roots, data), seconds)
    try:
        pages = _PAGES.validate_json(lines[0])
    except (IndexError, ValidationError):
        raise PdfRefused("unreadable", seconds=int(seconds)) from None
    if pages.refused:
        raise PdfRefused(pages.refused)
    facts = DocumentFacts(pages.pages, pages.remarks)
    return ExaminedPdf(_signed(facts, lines[1:]), pages.codes, frozenset(pages.words))


def _signed(facts: DocumentFacts, lines: list[bytes]) -> DocumentFacts:
    try:
        found = _SIGNATURES.validate_json(lines[0])
    except (IndexError, ValidationError):
        return replace(facts, remarks=(*facts.remarks, "signatures-unreadable"))
    remarks = () if found.is_whole else ("signatures-unreadable",)
    signatures = tuple(DocumentSignature(**asdict(one)) for one in found.signatures)
    return replace(facts, remarks=(*facts.remarks, *remarks), signatures=signatures)


def _ask(said: bytes, seconds: float) -> list[bytes]:
    """The lines that the process said until it ended, or was ended."""
    kept = {
        name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH") if name in os.environ
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "adapter.pdf.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=kept,
        close_fds=True,
    )
    alarm = Timer(seconds, child.kill)
    alarm.start()
    try:
        answer = _exchange(child, said)
    finally:
        alarm.cancel()
        child.kill()
        child.wait()
    *lines, _ = answer.split(b"\n")  # what has no end was not said
    return lines


def _exchange(child: "subprocess.Popen[bytes]", said: bytes) -> bytes:
    """It reads all before it says anything, so neither waits for the other."""
    if child.stdin is None or child.stdout is None:
        return b"\n"
    with child.stdin, child.stdout:
        try:
            child.stdin.write(said)
            child.stdin.close()
        except BrokenPipeError:
            pass
        return child.stdout.read(OUTPUT_BYTES)
