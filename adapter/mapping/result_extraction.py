"""The way back: what a hospital's DiagnosticReport, Observation or Procedure says, as a result's fields.

`content` has all of it in its parts, and the whole resource is kept beside, digit for digit; title, value
and conclusion are what lists show, made of the parts and never cut. Nothing here trusts the shape of what
came: an element of the wrong kind counts as absent.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

from adapter.fhir import codec
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.mapping.result_reading.reading import SiblingLookup, read_content
from adapter.result_content import ResultContent, joined_words

__all__ = ["EXTRACTED_TYPES", "ResultFields", "extract_result", "moment_of"]

ResultType = Literal["DiagnosticReport", "Observation", "Procedure"]
EXTRACTED_TYPES: tuple[ResultType, ...] = ("DiagnosticReport", "Observation", "Procedure")

_VIETNAM = timezone(timedelta(hours=7))
_TIMES = ("issued", "effectiveDateTime", "effectiveInstant", "performedDateTime")
_PERIODS = ("effectivePeriod", "performedPeriod")


@dataclass(frozen=True, slots=True)
class ResultFields:
    """The fields of `records.model.Result`. `resource` is the FHIR JSON of what was given."""

    key: str
    cadre: str
    hospital: str
    referral: str | None
    type: ResultType
    status: str
    code: str | None
    title: str | None
    conclusion: str | None
    value: str | None
    content: ResultContent
    issued_at: datetime
    resource: str


def extract_result(
    resource: codec.Resource,
    *,
    hospital: str,
    key: str,
    cadre: str,
    referral: str | None,
    received_at: datetime,
    known: KnownMeasures | None = None,
    siblings: SiblingLookup = lambda _: None,
) -> ResultFields:
    """The fields of one received resource. Without a time of its own, it was issued when it came. `siblings`
    finds what the same hospital sent, `known` our measures.

    Raises ValueError for a resource of another type; no shape of one of the three raises.
    """
    type_ = next((name for name in EXTRACTED_TYPES if name == resource.get("resourceType")), None)
    if type_ is None:
        raise ValueError("only DiagnosticReport, Observation and Procedure are results")
    content = read_content(resource, known=known, siblings=siblings)
    return ResultFields(
        key=key,
        cadre=cadre,
        hospital=hospital,
        referral=referral,
        type=type_,
        status=content.status,
        code=_code(content),
        title=content.title or None,
        conclusion=_conclusion(content),
        value=content.summary or None,
        content=content,
        issued_at=_issued(resource) or received_at,
        resource=codec.dumps(resource).decode(),
    )


def _code(content: ResultContent) -> str | None:
    """The first code, with its system."""
    codings = content.code.codings if content.code else ()
    return next((f"{one.system or ''}|{one.code}" for one in codings if one.code), None)


def _conclusion(content: ResultContent) -> str | None:
    """What is concluded; of what is a document alone, that, so that nobody takes it for nothing."""
    flags = [one.coded for one in content.flags] if content.type == "Observation" else []
    said = joined_words([*flags, content.conclusion_words], "; ")
    if said or content.summary:
        return said or None
    documents = (one.text or one.words for one in content.attachments)
    return content.narrative or joined_words(documents, "; ") or None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _issued(resource: codec.Resource) -> datetime | None:
    times = [resource.get(name) for name in _TIMES]
    for name in _PERIODS:
        period = _object(resource.get(name))
        times += [period.get("end"), period.get("start")]
    return next((moment for time in times if (moment := moment_of(time)) is not None), None)


def moment_of(value: object) -> datetime | None:
    """A FHIR dateTime, for its order; a date without a time means its first moment in Viet Nam."""
    if not isinstance(value, str):
        return None
    text = value + "-01" * (2 - value.count("-")) if len(value) in (4, 7) else value
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=_VIETNAM)
    try:
        moment.astimezone(UTC)  # the first and last hours of the calendar have no UTC
    except OverflowError:
        return None
    return moment
