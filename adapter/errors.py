"""Everything the adapter raises on purpose.

::

    AdapterError
    ├── UsageError            the command or its arguments are wrong              exit 2
    ├── SettingsError         a settings file or variable is wrong                exit 2
    ├── MappingError          a mapping, code table or policy file is wrong       exit 2
    │   └── PolicyError       the disclosure policy is wrong: nothing is sent     exit 2
    ├── ImportRefused         a file as a whole cannot be imported                exit 1
    ├── SourceError           a database that records come from cannot be read    exit 1
    │   ├── SourceDisconnected  its connection was lost; it is tried again        exit 1
    │   └── SourceReplaced    the store changed meanwhile; all is read again      exit 1
    ├── HospitalError         a hospital cannot be asked                          exit 1
    │   └── ServerChanged     its server is another, or was set back              exit 1
    ├── Busy                  another process holds the lock                      exit 1
    ├── Outdated              what was decided on has changed since it was seen   exit 1
    ├── SchemaNewer           a newer adapter has taken the database over         exit 2
    ├── LeaseLost             another worker owns this shipment now               (internal)
    ├── PlanChanged           a newer plan was written for this shipment          (internal)
    ├── MessageRefused        an HL7 v2 message is refused with its answer        (AE or AR)
    └── FhirError             an interaction is refused with an OperationOutcome  (HTTP status)

An error names a text (`adapter.texts`) and its parameters, so that it can be said in
Vietnamese or English. No parameter may hold personal data: names, numbers, dates of birth,
clinical values. Record keys are allowed on a terminal, never in a log.
"""

from typing import Any, ClassVar

__all__ = [
    "AdapterError",
    "Busy",
    "FhirError",
    "HospitalError",
    "ImportRefused",
    "LeaseLost",
    "MappingError",
    "MessageRefused",
    "Outdated",
    "PlanChanged",
    "PolicyError",
    "SchemaNewer",
    "ServerChanged",
    "SettingsError",
    "SourceDisconnected",
    "SourceError",
    "UsageError",
]


class AdapterError(Exception):
    """Something the user can act on. `text` is a key of the text catalogue, `params` fill it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, text: str, /, **params: Any) -> None:
        self.text = text
        self.params = params
        super().__init__(text, params)

    def __str__(self) -> str:
        from adapter.texts import say

        return say(self.text, **self.params)


class UsageError(AdapterError):
    """The command or its arguments are wrong."""

    exit_code = 2


class SettingsError(AdapterError):
    """A settings file or variable is wrong."""

    exit_code = 2


class MappingError(AdapterError):
    """A mapping, code table or policy file is wrong. `problems` lists every one found."""

    exit_code = 2

    def __init__(self, text: str, /, problems: tuple[str, ...] = (), **params: Any) -> None:
        super().__init__(text, **params)
        self.problems = problems


class PolicyError(MappingError):
    """The disclosure policy is wrong. Nothing is sent until it is repaired: there is no last good one,
    since what a newer policy closes must never leave under an older one.
    """


class ImportRefused(AdapterError):
    """The file as a whole cannot be imported; nothing was changed. `problems` may hold what its cells say:
    they are for the person at the terminal, and in no message that is logged.
    """

    def __init__(self, text: str, /, problems: tuple[str, ...] = (), **params: Any) -> None:
        super().__init__(text, **params)
        self.problems = problems


class SourceError(AdapterError):
    """A database that records come from cannot be read; nothing was changed. `problems` lists every one."""

    def __init__(self, text: str, /, problems: tuple[str, ...] = (), **params: Any) -> None:
        super().__init__(text, **params)
        self.problems = problems


class SourceDisconnected(SourceError):
    """Its connection cannot be made or was lost."""


class SourceReplaced(SourceError):
    """While it was read, the store became another, so that too little was read or too late."""


class HospitalError(AdapterError):
    """A hospital's server cannot be asked, or its answer cannot be trusted."""


class ServerChanged(HospitalError):
    """A hospital's server is not the one that the ledger was made with, or not where we left it: nothing is
    written there until a person has decided.
    """


class Busy(AdapterError):
    """Another process is doing the same thing."""


class Outdated(AdapterError):
    """What a person decided on has changed since it was seen; nothing was done."""


class SchemaNewer(AdapterError):
    """The database's schema is that of a newer adapter; this one may not write to it."""

    exit_code = 2


class LeaseLost(AdapterError):
    """The shipment's lease ended and another worker may own it; nothing was settled."""


class PlanChanged(AdapterError):
    """A newer plan was written for the shipment since it was claimed: what was read of it may be
    superseded, so nothing was started. Give it back; it is due at once.
    """


class MessageRefused(AdapterError):
    """An HL7 v2 message is refused: `ack` is its MSA-1 (AE, AR), `condition` a code of table 0357, `where`
    is where, as ERR-2 has it ("OBX^3^5"; "": of the whole).
    """

    def __init__(self, ack: str, condition: int, text: str, /, where: str = "", **params: Any) -> None:
        super().__init__(text, **params)
        self.ack = ack
        self.condition = condition
        self.where = where


class PdfRefused(AdapterError):
    """A PDF cannot be taken: `why` is a word of the texts `pdf.refused_…`."""

    def __init__(self, why: str, /, **params: Any) -> None:
        super().__init__(f"pdf.refused_{why}", **params)
        self.why = why


class FhirError(AdapterError):
    """An interaction is refused. `status` is HTTP's, `code` an issue-type of FHIR R4,
    `expression` FHIRPath of the element (section http://hl7.org/fhir/R4/operationoutcome.html).
    """

    def __init__(
        self, status: int, code: str, text: str, /, expression: str | None = None, **params: Any
    ) -> None:
        super().__init__(text, **params)
        self.status = status
        self.code = code
        self.expression = expression
