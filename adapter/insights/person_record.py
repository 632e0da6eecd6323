"""Everything that the records hold of one person, as it is read: visits, values over the years, results with
their versions, referrals.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapter.inbox.store import InboxItem
from adapter.insights.person_search import FoundPerson, found_person
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

__all__ = ["PersonRecord", "RecordedValue", "ResultVersion", "ShownResult", "ValueSeries", "person_record"]


@dataclass(frozen=True, slots=True)
class RecordedValue:
    """One value on one day. `local` is the value in our unit where it came in another and that is exact;
    `record` is the key of the measurement or result that has it, `hospital` None for the centre's own.
    """

    at: datetime | None
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
    """A result with all that it says."""

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
        visits=tuple(sorted(_of(records, Visit), key=lambda one: one.started_at)),
        diagnoses=_of(records, Diagnosis),
        procedures=tuple(sorted(_of(records, Procedure), key=lambda one: one.started_at)),
        immunizations=_of(records, Immunization),
        values=value_series(records, results, known),
        results=results,
        referrals=tuple(sorted(_of(records, Referral), key=lambda one: one.ordered_at)),
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
    return (one.issued_at.timestamp() if one.issued_at else float("-inf"), one.key)


def _shown(result: Result, content: ResultContent, versions: Sequence[InboxItem]) -> ShownResult:
    return ShownResult(
        key=result.key,
        hospital=result.hospital,
        type=result.type,
        status=result.status,
        title=content.title or result.title or "",
        value=content.summary,
        conclusion=content.conclusion_words,
        issued_at=result.issued_at,
        referral=result.referral,
        content=content,
        versions=tuple(
            ResultVersion(
                one.id, one.received_at, str(one.resource.get("status", "")), one.state, one.settled_by
            )
            for one in versions
        ),
    )


def value_series(
    records: Sequence[Record], results: Sequence[ShownResult], known: KnownMeasures
) -> tuple[ValueSeries, ...]:
    """Every value of the person by measure: what the centre measured, and what hospitals did."""
    series: dict[tuple[str | None, str], list[RecordedValue]] = defaultdict(list)
    visits = {one.key: one for one in records if isinstance(one, Visit)}
    for one in records:
        if isinstance(one, Measurement) and one.status != WITHDRAWN:
            visit = visits.get(one.visit)
            at = one.taken_at or (visit.started_at if visit else None)
            name = known.name(one.measure) or one.name or one.measure
            series[one.measure, name].append(_measured(one, at))
    own = {(one.hospital, one.content.source) for one in results}
    for result in results:
        if result.status != WITHDRAWN:
            for title, part in _parts(result.content, result.hospital, own):
                series[part.measure, known.name(part.measure) or title].append(_came(part, result))
    return tuple(
        ValueSeries(measure, name, tuple(sorted(values, key=_value_order)))
        for (measure, name), values in sorted(series.items(), key=lambda item: item[0][1].casefold())
    )


def _value_order(one: RecordedValue) -> float:
    return one.at.timestamp() if one.at else float("-inf")


def _parts(
    content: ResultContent, hospital: str, own: set[tuple[str, str | None]]
) -> Iterator[tuple[str, ResultPart]]:
    """Its values, without those of members that are results of the person themselves."""
    members = tuple(
        one for one in content.members if one.content and (hospital, one.content.source) not in own
    )
    for title, part in content.model_copy(update={"members": members}).parts():
        if part.value_words:
            yield title, part


def _measured(one: Measurement, at: datetime | None) -> RecordedValue:
    range_ = between(
        str(one.low) if one.low is not None else "", str(one.high) if one.high is not None else ""
    )
    value = f"{one.value} {one.unit}" if one.unit else one.value
    return RecordedValue(at, value, "", range_, one.flag or "", None, one.key, status=one.status)


def _came(part: ResultPart, result: ShownResult) -> RecordedValue:
    return RecordedValue(
        at=result.issued_at,
        value=part.value_words,
        local=part.local.words if part.local else "",
        range=part.range_words,
        flag=part.flag_words,
        hospital=result.hospital,
        record=result.key,
        contradictions=part.contradictions,
        status=result.status,
    )
