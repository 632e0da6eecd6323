"""Findings that a clerk sent, shown to be corrected; and what a form corrects of them. Pure.

A correction is the next version of the same resource: an Observation or DiagnosticReport `corrected`, or
`entered-in-error` where it should never have been sent (http://hl7.org/fhir/R4/observation.html#status).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from adapter.fhir.codec import Resource, plain_decimal
from adapter.web.hospital_page.answers import FormProblem, as_moment
from adapter.web.hospital_page.measures import PageMeasures, WrongValueError
from adapter.web.sent_forms import SentForm

__all__ = ["MOVED", "ShownFinding", "read_corrections", "shown_findings"]

_MOST: Final = 60  # of a referral, on one page
_LONGEST_CONCLUSION: Final = 10_000
_VALUES: Final = (
    "valueQuantity",
    "valueString",
    "valueCodeableConcept",
    "valueRange",
    "valueRatio",
    "component",
)
MOVED: Final = FormProblem("correction", "moved")
"""The form was made of findings that are not those any more."""


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A value, or (`is_report`) a conclusion with its documents. `code` is a local code of a measure; `value`
    and `unit` are as a clerk would write them.
    """

    resource: Resource
    name: str
    code: str = ""
    value: str = ""
    unit: str = ""
    is_report: bool = False
    documents: int = 0

    @property
    def mark(self) -> str:
        """Names it as it is shown: a form that was made of another version of it has another."""
        shown = "\x1f".join((self.resource["id"], self.value, self.unit))
        return f"{self.resource['id']}.{sha256(shown.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def shown_findings(resources: Sequence[Resource], measures: PageMeasures) -> Sequence[ShownFinding]:
    """Those of these that a clerk can correct, in their order."""
    return [_shown(one, measures) for one in resources if not _is_bare(one)][:_MOST]


def _is_bare(one: Resource) -> bool:
    """A report that only lists values: these are shown themselves."""
    is_report = one["resourceType"] == "DiagnosticReport"
    return is_report and not (one.get("conclusion") or one.get("presentedForm"))


def _shown(one: Resource, measures: PageMeasures) -> ShownFinding:
    words = str((one.get("code") or {}).get("text") or "")
    if one["resourceType"] == "DiagnosticReport":
        documents = len(one.get("presentedForm", ()))
        return ShownFinding(
            one, words, value=str(one.get("conclusion", "")), is_report=True, documents=documents
        )
    code = measures.code_of(one)
    parts = [_written(part) for part in one.get("component", ())]
    value, unit = _written(one)
    if parts:
        value, unit = "/".join(part for part, _ in parts), next((unit for _, unit in parts if unit), "")
    return ShownFinding(one, measures.name_of(code) or words, code, value, unit)


def _written(one: Resource) -> tuple[str, str]:
    """Value and unit of an Observation or a part of it."""
    quantity = one.get("valueQuantity")
    if isinstance(quantity, dict):
        return f"{quantity.get('comparator', '')}{_number(quantity.get('value'))}", str(
            quantity.get("unit", "")
        )
    concept = one.get("valueCodeableConcept") or {}
    coded: list[Any] = [each.get("display") for each in concept.get("coding", ())]
    return str(one.get("valueString") or concept.get("text") or next(filter(None, coded), "")), ""


def _number(value: Any) -> str:
    return plain_decimal(value) if isinstance(value, Decimal) else str(value)


def read_corrections(
    form: SentForm, findings: Sequence[ShownFinding], measures: PageMeasures, now: datetime
) -> tuple[Sequence[Resource], Sequence[FormProblem]]:
    """The next versions of what the form changes, and all that is wrong with it. The fields of a row are
    `id-N` (the finding's mark), `value-N`, `unit-N`, and `withdrawn-N`; N counts from 1. What somebody else
    corrected since the form was shown is never written over: then `MOVED` is all that is wrong.
    """
    made: list[Resource] = []
    problems: list[FormProblem] = []
    for row, finding in enumerate(findings, 1):
        if form.get(f"id-{row}") != finding.mark:
            return [], [MOVED]
        value, unit = form.get(f"value-{row}"), form.get(f"unit-{row}")
        if form.get(f"withdrawn-{row}"):
            made.append({**_without(finding.resource, "meta"), "status": "entered-in-error"})
        elif (value, unit) != (finding.value, finding.unit):
            try:
                made.append(_corrected(finding, value, unit, measures, now))
            except WrongValueError as error:
                field = "value" if error.why == "range" else error.why
                problems.append(FormProblem(field, f"bad_{error.why}", row, error.expected))
    if not made and not problems:
        problems.append(FormProblem("correction", "nothing_changed"))
    return made, problems


def _corrected(
    finding: ShownFinding, value: str, unit: str, measures: PageMeasures, now: datetime
) -> Resource:
    """Raises WrongValueError."""
    if not finding.is_report:
        words = " ".join(value.split()), " ".join(unit.split())
        kept = _without(finding.resource, "meta", *_VALUES)
        changed = measures.observation(measures.read(finding.code, *words))
        return {**kept, **changed, "status": "corrected", "issued": as_moment(now)}
    if len(value) > _LONGEST_CONCLUSION or not (value or finding.documents):
        raise WrongValueError("value")
    kept = _without(finding.resource, "meta", "conclusion")
    is_interim = kept["status"] == "preliminary"  # the findings are not all there yet, be it corrected
    status = "preliminary" if is_interim else "corrected"
    return {**kept, **({"conclusion": value} if value else {}), "status": status, "issued": as_moment(now)}


def _without(resource: Resource, *names: str) -> Resource:
    return {name: value for name, value in resource.items() if name not in names}
