"""A clerk of the centre takes in a PDF that a hospital sent by mail or on paper."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from adapter.fhir.document_facts import DocumentFacts
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.pdf_documents import look_at_pdf, said_referral
from adapter.pipeline.inbound.pdf_reception import receive_pdf

__all__ = ["AddPdf", "AddedPdf", "SeenPdf"]


@dataclass(frozen=True, slots=True)
class SeenPdf:
    """What a PDF is. `by`: how its referral is known: said, code, nothing; known where it came before."""

    hospital: str
    document: str
    by: str
    referrals: tuple[str, ...]
    facts: DocumentFacts


@dataclass(frozen=True, slots=True)
class AddedPdf:
    """What became of it: `is_new` is False where it was there already; the inbox item, its state, and whose
    it is.
    """

    hospital: str
    document: str
    is_new: bool
    by: str
    facts: DocumentFacts
    item: int | None = None
    state: str | None = None
    reasons: tuple[str, ...] = ()
    cadre: str | None = None
    referral: str | None = None


@dataclass(frozen=True)
class AddPdf(Operation[SeenPdf, AddedPdf]):
    """Take in `data` as a result of `hospital`, of `referral` (its key, or the number on its sheet) where
    somebody says. Raises UsageError for a referral that is none of that hospital's, PdfRefused for what
    cannot be taken: it is kept with what else was refused. Nothing undoes it: its item is unlinked or
    discarded.
    """

    name: ClassVar[str] = "inbox.add_pdf"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.pdf-taken",)
    hospital: str
    data: bytes
    referral: str | None = None
    is_final: bool = False

    def look(self, context: OperationContext) -> SeenPdf:
        """What it is, and which referral it answers."""
        found = look_at_pdf(context.adapter, self.hospital, self.data, self._said(context))
        return SeenPdf(self.hospital, found.id, found.by, found.referrals, found.facts)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> AddedPdf:
        """Take it in, and match it."""
        adapter = context.adapter
        said = self._said(context)
        unchanged()
        taken = receive_pdf(
            adapter,
            self.hospital,
            self.data,
            said=said,
            is_final=self.is_final,
            by=context.by,
            now=context.clock(),
        )
        process_inbox(adapter, context.clock)
        looked = taken.looked_at
        added = (self.hospital, looked.id, taken.is_new, looked.by, looked.facts)
        items = adapter.inbox.newest_items_named(self.hospital, (taken.resource,))
        if not items:
            return AddedPdf(*added)
        item = items[0]
        return AddedPdf(*added, item.id, item.state, tuple(item.reasons), item.cadre, item.referral)

    def _said(self, context: OperationContext) -> str | None:
        context.adapter.settings.hospital(self.hospital)
        return said_referral(context.adapter, self.hospital, self.referral) if self.referral else None
