"""Refusals: why an interaction does not happen, as OperationOutcome says it.

`InteractionRefused` is a FhirError that can carry several issues, each with the FHIRPath of its element
(http://hl7.org/fhir/R4/operationoutcome.html).
"""

from collections.abc import Sequence
from typing import Any

from adapter.errors import FhirError
from adapter.fhir.operation_outcome import Issue

__all__ = ["InteractionRefused", "interaction_error", "issues_of_error"]


class InteractionRefused(FhirError):
    """An interaction refused for one or more issues; the first gives the error's own text."""

    def __init__(self, status: int, issues: Sequence[Issue]) -> None:
        self.issues = tuple(issues)
        first = self.issues[0]
        super().__init__(status, first.code, "fhir.said", expression=first.expression, said=first.text)


def interaction_error(
    status: int, code: str, text: str, /, expression: str | None = None, **params: Any
) -> FhirError:
    """A refusal for one reason: HTTP status, issue-type code, text key, FHIRPath."""
    return FhirError(status, code, f"fhir.{text}", expression=expression or None, **params)


def issues_of_error(error: FhirError) -> tuple[Issue, ...]:
    """What an OperationOutcome says of an error."""
    if isinstance(error, InteractionRefused):
        return error.issues
    return (Issue("error", error.code, str(error), error.expression),)
