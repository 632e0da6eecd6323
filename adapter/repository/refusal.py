"""Refusals: why an interaction does not happen, as OperationOutcome says it.

`Refusal` is a FhirError that can carry several issues, each with the FHIRPath of its element
(http://hl7.org/fhir/R4/operationoutcome.html).
"""

from collections.abc import Sequence
from typing import Any

from adapter.errors import FhirError
from adapter.fhir.outcome import Issue

__all__ = ["Refusal", "issues_from", "refusal"]


class Refusal(FhirError):
    """An interaction refused for one or more issues; the first gives the error's own text."""

    def __init__(self, status: int, issues: Sequence[Issue]) -> None:
        self.issues = tuple(issues)
        first = self.issues[0]
        super().__init__(status, first.code, "fhir.said", expression=first.expression, said=first.text)


def refusal(status: int, code: str, text: str, /, expression: str | None = None, **params: Any) -> FhirError:
    """A refusal for one reason: HTTP status, issue-type code, text key, FHIRPath."""
    return FhirError(status, code, f"fhir.{text}", expression=expression or None, **params)


def issues_from(error: FhirError) -> tuple[Issue, ...]:
    """What an OperationOutcome says of an error."""
    if isinstance(error, Refusal):
        return error.issues
    return (Issue("error", error.code, str(error), error.expression),)
