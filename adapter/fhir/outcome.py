"""OperationOutcome, out and in (http://hl7.org/fhir/R4/operationoutcome.html)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from adapter.fhir.codec import Resource

__all__ = ["Issue", "issues_of", "operation_outcome"]

# HAPI: `Line[1] Col[20]`, `line 1, col 20`, `(line 1, col20)`
_LINE = re.compile(r"\(?\s*(?:line|row)\b", re.IGNORECASE)

Severity = Literal["fatal", "error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue. `code` is of the issue-type value set, `expression` a FHIRPath such as
    `Bundle.entry[2].resource.status`, `text` plain words without personal data.
    """

    severity: Severity
    code: str
    text: str
    expression: str | None = None

    @property
    def is_error(self) -> bool:
        """True for fatal and error."""
        return self.severity in ("fatal", "error")


def operation_outcome(issues: Iterable[Issue]) -> Resource:
    """The resource that says `issues` (at least one; an empty iterable gives "All OK")."""
    listed: list[dict[str, Any]] = []
    for issue in issues:
        item: dict[str, Any] = {
            "severity": issue.severity,
            "code": issue.code,
            "details": {"text": issue.text},
            "diagnostics": issue.text,
        }
        if issue.expression:
            item["expression"] = [issue.expression]
        listed.append(item)
    if not listed:
        listed.append({"severity": "information", "code": "informational", "details": {"text": "All OK"}})
    return {"resourceType": "OperationOutcome", "issue": listed}


def issues_of(outcome: object) -> tuple[Issue, ...]:
    """The issues of a received OperationOutcome; () for anything that is not one. Never raises."""
    if not isinstance(outcome, dict) or outcome.get("resourceType") != "OperationOutcome":
        return ()
    found = []
    listed = outcome.get("issue")
    for item in listed if isinstance(listed, list) else ():
        if not isinstance(item, dict):
            continue
        severity = item.get("severity")
        details = item.get("details")
        text = item.get("diagnostics") or (details.get("text") if isinstance(details, dict) else None)
        found.append(
            Issue(
                severity=severity if severity in ("fatal", "error", "warning", "information") else "error",
                code=str(item.get("code") or "unknown"),
                text=str(text or ""),
                expression=_where(item),
            )
        )
    return tuple(found)


def _where(item: dict[str, Any]) -> str | None:
    """The first path of an issue. Servers that parse text add `Line 1, Col 20`, which names no element."""
    named = [place for name in ("expression", "location") for place in _listed(item.get(name))]
    return next((place for place in named if not _LINE.match(place)), None)


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
