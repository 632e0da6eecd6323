"""A person takes in a file of the insurer's XML that a hospital handed over, or looks what it says."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from adapter import audit
from adapter.database import write_transaction
from adapter.fhir.codec import Resource, digest
from adapter.national_xml.refusals import file_refusal
from adapter.operations.operation import Operation, OperationContext
from adapter.pipeline.inbound.inbox import process_inbox
from adapter.pipeline.inbound.national_xml import TakenFile, converted_file, take_file
from adapter.pipeline.inbound.reception import check_received

__all__ = ["FilePreview", "TakeNationalXml"]


@dataclass(frozen=True, slots=True)
class FilePreview:
    """What a file would become. `unread` are the sheets that are not converted."""

    hospital: str
    visits: int
    resources: tuple[Resource, ...]
    unread: tuple[str, ...]
    strangers: int = 0


@dataclass(frozen=True)
class TakeNationalXml(Operation[FilePreview, TakenFile]):
    """Take it in as if the hospital had sent it now. Nothing undoes it, as nothing undoes what a hospital
    sends. Raises FhirError for what is refused; it is not kept: who brought it has it.
    """

    name: ClassVar[str] = "hospital.xml"
    audited_as: ClassVar[tuple[str, ...]] = ("inbox.file_taken",)
    hospital: str
    data: bytes = field(repr=False)

    def look(self, context: OperationContext) -> FilePreview:
        """What it would become. Raises FhirError for what would be refused."""
        settings = context.adapter.settings
        converted = converted_file(context.adapter, self.hospital, self.data)
        entries = converted.transaction.bundle["entry"]
        resources = tuple(one["resource"] for one in entries)
        for resource, place in zip(resources, converted.transaction.places, strict=True):
            for issue in check_received(resource):
                if issue.is_error:
                    raise file_refusal(422, issue.code, "refused", place, said=issue.text)
        name = settings.hospital(self.hospital).name
        return FilePreview(name, converted.visits, resources, converted.unread, converted.strangers)

    def act(self, context: OperationContext, unchanged: Callable[[], None]) -> TakenFile:
        """Take it in, and match it."""
        adapter, now = context.adapter, context.clock()
        unchanged()
        hospital = adapter.settings.hospital(self.hospital).name
        taken = take_file(adapter, hospital, self.data, now)
        with write_transaction(adapter.engine) as connection:
            audit.append(
                connection,
                at=now,
                actor=context.by,
                action="inbox.file_taken",
                hospital=hospital,
                details={"digest": digest(self.data), "entries": taken.entries},
            )
        process_inbox(adapter, context.clock)
        return taken
