"""The insurer's XML as it comes, whatever brings it: each file is answered, and what is refused is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.database import read_transaction
from adapter.errors import FhirError
from adapter.fhir.operation_outcome import Issue
from adapter.inbox.quarantine.refused_request import RefusedRequest
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.national_xml import TakenFile, take_file
from adapter.pipeline.inbound.quarantine import NATIONAL_XML_URL, keep_refused
from adapter.pipeline.inbound.refusal import names_erased
from adapter.repository.interaction_errors import issues_of_error
from adapter.telemetry import get_logger

__all__ = ["FileReception", "FileReply"]

_SERVER_FAULT = 500
_log = get_logger("national_xml")


@dataclass(frozen=True, slots=True)
class FileReply:
    """`taken` is None where it was refused; `status` is HTTP's. `hidden`: it names somebody of whom nothing
    may be kept.
    """

    status: int
    taken: TakenFile | None
    issues: tuple[Issue, ...] = ()
    hidden: bool = False


@dataclass(frozen=True)
class FileReception:
    """Takes files in; `received` is called after each that was, and only wakes whoever matches."""

    adapter: Adapter
    clock: Callable[[], datetime]
    received: Callable[[], None] = lambda: None

    def receive(self, hospital: str, data: bytes) -> FileReply:
        """The answer to a file, after its transaction. Whatever else goes wrong than with the file (the
        database is away) is raised: then it must come again.
        """
        now = self.clock()
        try:
            taken = take_file(self.adapter, hospital, data, now)
        except FhirError as error:
            if error.status >= _SERVER_FAULT:
                raise
            return self._refuse(hospital, data, error, now)
        self.received()
        _log.info("national_xml.taken", hospital=hospital, bytes=len(data), entries=taken.entries)
        return FileReply(200, taken)

    def _refuse(self, hospital: str, data: bytes, error: FhirError, now: datetime) -> FileReply:
        issues = issues_of_error(error)
        refused = RefusedRequest(hospital, "POST", NATIONAL_XML_URL, data, error.status, issues)
        hidden = False
        if not keep_refused(self.adapter, refused, now):
            with read_transaction(self.adapter.engine) as connection:
                hidden = names_erased(self.adapter, connection, hospital, "", data)
        return FileReply(error.status, None, issues, hidden)
