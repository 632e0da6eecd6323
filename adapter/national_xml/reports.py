"""What all reports of one visit share. Pure."""

from dataclasses import dataclass
from typing import Final

from adapter.fhir.codec import Resource
from adapter.fhir.transaction_entries import TransactionEntries
from adapter.national_xml.conventions import FileConventions
from adapter.national_xml.refusals import FilePlace

__all__ = ["NOTE_EXTENSION", "ReportContext"]

NOTE_EXTENSION: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note"


@dataclass(frozen=True, slots=True)
class ReportContext:
    """`visit` is MA_LK, `order` the referral's number or "", `patient` and `encounter` are references."""

    visit: str
    order: str
    patient: Resource
    encounter: Resource
    conventions: FileConventions
    entries: TransactionEntries[FilePlace]

    def shared(self) -> Resource:
        """Referral, person and visit, as each of its resources names them."""
        found: Resource = {"subject": self.patient, "encounter": self.encounter}
        if self.order:
            order = self.conventions.order_identifier(self.order)
            found["basedOn"] = [{"type": "ServiceRequest", "identifier": order}]
        return found
