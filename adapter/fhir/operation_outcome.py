"""OperationOutcome, out and in (http://hl7.org/fhir/R4/operationoutcome.html)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from adapter.fhir.codec import Resource
from adapter.texts import OBEYED

__all__ = ["Issue", "operation_outcome", "parse_issues"]

# HAPI: `Line[1] Col[20]`, `line 1, col 20`, `(line 1, col20)`
_MAX_ISSUES = 1_000  # of one outcome: what is beyond says nothing new
_MAX_PATHS = 20  # of one issue
_MAX_TEXT = 2_000  # characters
_LINE = re.compile(r"\(?\s*(?:line|row)\b", re.IGNORECASE)
_RULE = re.compile(r"\[([a-z0-9-]{1,40})\] ")  # how `diagnostics` begins where a rule is named
Severity = Literal["fatal", "error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue. `code` is of the issue-type value set, `expression` a FHIRPath such as
    `Bundle.entry[2].resource.status` (a choice goes without its type), `text` plain words without
    personal data. `rule` is the key of R4's invariant ("obs-6"), or one of structure, cardinality,
    format, binding, reference, identifier, second-opinion.
    """

    severity: Severity
    code: str
    text: str
    expression: str | None = None
    rule: str | None = None

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
            "diagnostics": f"[{issue.rule}] {issue.text}" if issue.rule else issue.text,
        }
        if issue.expression:
            item["expression"] = [issue.expression]
        listed.append(item)
    if not listed:
        listed.append({"severity": "information", "code": "informational", "details": {"text": "All OK"}})
    return {"resourceType": "OperationOutcome", "issue": listed}


def parse_issues(outcome: object) -> tuple[Issue, ...]:
    """The issues of a received OperationOutcome; () for anything that is not one, and the first 1,000 of a
    flood. Never raises."""
    if not isinstance(outcome, dict) or outcome.get("resourceType") != "OperationOutcome":
        return ()
    found = []
    listed = outcome.get("issue")
    for item in listed[:_MAX_ISSUES] if isinstance(listed, list) else ():
        if not isinstance(item, dict):
            continue
        severity = item.get("severity")
        details = item.get("details")
        said = item.get("diagnostics") or (details.get("text") if isinstance(details, dict) else None)
        text = _plain(said or "")
        rule = _RULE.match(text)
        found.append(
            Issue(
                severity=severity if severity in ("fatal", "error", "warning", "information") else "error",
                code=_plain(item.get("code") or "unknown"),
                text=text[rule.end() if rule else 0 :],
                expression=_where(item),
                rule=rule[1] if rule else None,
            )
        )
    return tuple(found)


def _where(item: dict[str, Any]) -> str | None:
    """The most exact path of an issue. Servers that parse text add `Line 1, Col 20`, which names no
    element.
    """
    named = [place for name in ("expression", "location") for place in _listed(item.get(name))]
    paths = [place for place in named if not _LINE.match(place)]
    return max(paths, key=lambda path: path.count("."), default=None)


def _listed(value: object) -> list[str]:
    return [_plain(one) for one in value[:_MAX_PATHS]] if isinstance(value, list) else []


def _plain(value: object) -> str:
    """As one line, not too long, that every database and terminal takes: no control characters, no half
    surrogate pairs.
    """
    return OBEYED.sub(" ", (value if isinstance(value, str) else str(value))[:_MAX_TEXT]).replace("\n", " ")
