"""Everything that the records hold of one person, as it is read: visits, values over the years, results with
their versions, referrals.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapter.inbox.matching import READ_TYPES
from adapter.inbox.store import InboxItem
from adapter.insights.person_search import FoundPerson, found_person
from adapter.mapping.result_extraction import moment_of
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.result_parts import current_content, known_measures
from adapter.records.model import (
    Cadre,
    Diagnosis,
    Immunization,
    Measurement,
    Procedure,
    Record,
    Referral,
    Result,
    Visit,
)
from adapter.result_content import WITHDRAWN, ResultContent, ResultPart, between

__all__ = [
    "LinkedPaper",
    "PersonRecord",
    "RecordedValue",
    "ResultVersion",
    "ShownResult",
    "ValueSeries",
    "local_time",
    "person_record",
    "result_parts",
    "shown_results",
    "taken_at",
]

_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass(frozen=True, slots=True)
class RecordedValue:
    """One value. `at` says when it was taken, as exactly as that is known; `local` is the value in our unit
    where it came in another and that is exact; `record` is the key of the measurement or result that has it,
    `hospital` None for the centre's own.
    """

    at: str
    value: str
    local: str
    range: str
    flag: str
    hospital: str | None
    record: str
    contradictions: tuple[str, ...] = ()
    status: str = ""


@dataclass(frozen=True, slots=True)
class ValueSeries:
    """All values of one measure, oldest first; of what we have no measure for, by its title."""

    measure: str | None
    name: str
    values: tuple[RecordedValue, ...]


@dataclass(frozen=True, slots=True)
class ResultVersion:
    """A version of a result that was written into the record, with the number of its inbox item."""

    item: int
    received_at: datetime
    status: str
    state: str
    settled_by: str | None


@dataclass(frozen=True, slots=True)
class ShownResult:
    """A result with all that it says. One that does not say when it was issued was when it came."""

    key: str
    hospital: str
    type: str
    status: str
    title: str
    value: str
    conclusion: str
    issued_at: datetime | None
    referral: str | None
    content: ResultContent
    versions: tuple[ResultVersion, ...]


@dataclass(frozen=True, slots=True)
class LinkedPaper:
    """What the records have no place for and a person linked, to be read by its number in the inbox."""

    item: int
    type: str
    hospital: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """One person. The record's own values are kept as they are."""

    person: FoundPerson
    deceased_on: str | None
    visits: tuple[Visit, ...]
    diagnoses: tuple[Diagnosis, ...]
    procedures: tuple[Procedure, ...]
    immunizations: tuple[Immunization, ...]
    values: tuple[ValueSeries, ...]
    results: tuple[ShownResult, ...]
    referrals: tuple[Referral, ...]
    papers: tuple[LinkedPaper, ...]


def local_time(at: date) -> str:
    """A moment as a clock here shows it; a day as it is."""
    if not isinstance(at, datetime):
        return str(at)
    return at.astimezone(_ZONE).strftime("%Y-%m-%d %H:%M:%S")


def person_record(adapter: Adapter, cadre: str) -> PersonRecord | None:
    """What the records hold of a person; None where nobody has that key."""
    records = adapter.records.of_cadre(cadre)
    person = next((one for one in records if isinstance(one, Cadre)), None)
    if person is None:
        return None
    known = known_measures(adapter)
    results = shown_results(adapter, cadre, records, known)
    return PersonRecord(
        person=found_person(person),
        deceased_on=str(person.deceased_on) if person.deceased_on else None,
        visits=tuple(sorted(_of(records, Visit), key=lambda one: _time_order(one.started_at))),
        diagnoses=_of(records, Diagnosis),
        procedures=tuple(sorted(_of(records, Procedure), key=lambda one: _time_order(one.started_at))),
        immunizations=_of(records, Immunization),
        values=_value_series(records, results, known),
        results=results,
        referrals=tuple(sorted(_of(records, Referral), key=lambda one: _time_order(one.ordered_at))),
        papers=tuple(
            LinkedPaper(one.id, one.type, one.hospital, one.received_at)
            for one in adapter.inbox.of_cadre(cadre)
            if one.type in READ_TYPES
        ),
    )


def _of(records: Sequence[Record], type_: type[Any]) -> tuple[Any, ...]:
    return tuple(one for one in records if isinstance(one, type_))


def shown_results(
    adapter: Adapter, cadre: str, records: Sequence[Record], known: KnownMeasures
) -> tuple[ShownResult, ...]:
    """The person's results, oldest first. What a report lists is as it is now, be it corrected since."""
    versions: dict[str, list[InboxItem]] = defaultdict(list)
    for item in adapter.inbox.of_cadre(cadre):
        if item.result_key:
            versions[item.result_key].append(item)
    found = [
        _shown(one, current_content(adapter, one, known), versions[one.key]) for one in _of(records, Result)
    ]
    return tuple(sorted(found, key=_result_order))


def _result_order(one: ShownResult) -> tuple[float, str]:
    return (_time_order(one.issued_at), one.key)


def _shown(result: Result, content: ResultContent, versions: Sequence[InboxItem]) -> ShownResult:
    return ShownResult(
        key=result.key,
        hospital=result.hospital,
        type=result.type,
        status=result.status,
        title=content.title or result.title or "",
        value=content.summary,
        conclusion=content.conclusion_words,
        issued_at=result.issued_at or (versions[-1].received_at if versions else None),
        referral=result.referral,
        content=content,
        versions=tuple(
            ResultVersion(
                one.id, one.received_at, str(one.resource.get("status", "")), one.state, one.settled_by
            )
            for one in versions
        ),
    )


def _value_series(
    records: Sequence[Record], results: Sequence[ShownResult], known: KnownMeasures
) -> tuple[ValueSeries, ...]:
    """Every value of the person by measure: what the centre measured, and what hospitals did."""
    series: dict[tuple[str | None, str], list[tuple[date | None, RecordedValue]]] = defaultdict(list)
    visits = {one.key: one for one in records if isinstance(one, Visit)}
    for one in records:
        if isinstance(one, Measurement) and one.status != WITHDRAWN:
            visit = visits.get(one.visit)
            at = one.taken_at or (visit.started_at if visit else None)
            name = known.name(one.measure) or one.name or one.measure
            series[one.measure, name].append((at, _measured(one, local_time(at) if at else "")))
    for result, title, part, time in result_parts(results):
        if result.status != WITHDRAWN:
            name = known.name(part.measure) or title
            at = moment_of((time or "").partition(" - ")[0]) or result.issued_at
            series[part.measure, name].append((at, _came(part, result, taken_at(time, result))))
    return tuple(
        ValueSeries(measure, name, tuple(one for _, one in sorted(values, key=_value_order)))
        for (measure, name), values in sorted(series.items(), key=lambda item: item[0][1].casefold())
    )


def _value_order(one: tuple[date | None, RecordedValue]) -> float:
    return _time_order(one[0])


def _time_order(at: date | None) -> float:
    """Where something stands in time: a day at its beginning, what has no time before all."""
    if at is None:
        return float("-inf")
    if isinstance(at, datetime):
        return at.timestamp()
    return datetime(at.year, at.month, at.day, tzinfo=_ZONE).timestamp()


def taken_at(said: str | None, result: ShownResult) -> str:
    """When it was measured, as exactly as the hospital said: no time is made up for a day."""
    moment = moment_of(said)
    if said is None or moment is None:
        return said or (local_time(result.issued_at) if result.issued_at else "")
    return local_time(moment) if "T" in said else said


def result_parts(
    results: Sequence[ShownResult],
) -> Iterator[tuple[ShownResult, str, ResultPart, str | None]]:
    """Every value in these results, each once: what a report lists is not repeated where it is a result of
    its own.
    """
    own = {(one.hospital, one.content.source) for one in results}
    for result in results:
        members = tuple(
            one
            for one in result.content.members
            if one.content is not None and (result.hospital, one.content.source) not in own
        )
        for title, part, time in result.content.model_copy(update={"members": members}).parts():
            if part.value_words:
                yield result, title, part, time


def _measured(one: Measurement, at: str) -> RecordedValue:
    range_ = between(
        str(one.low) if one.low is not None else "", str(one.high) if one.high is not None else ""
    )
    value = f"{one.value} {one.unit}" if one.unit else one.value
    return RecordedValue(at, value, "", range_, one.flag or "", None, one.key, status=one.status)


def _came(part: ResultPart, result: ShownResult, at: str) -> RecordedValue:
    return RecordedValue(
        at=at,
        value=part.value_words,
        local=part.local.words if part.local else "",
        range=part.range_words,
        flag=part.flag_words,
        hospital=result.hospital,
        record=result.key,
        contradictions=part.contradictions,
        status=result.status,
    )
