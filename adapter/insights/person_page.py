"""A person as a doctor looks at one: the loop of each referral on a line, check-ups by year, what is new,
what each hospital holds and why, and how values went over years and hospitals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from adapter.database import read_transaction, shared_read_transaction
from adapter.insights.checkup_years import NextCheckup, YearlyCheckup, checkup_years, next_checkup
from adapter.insights.hospital_holdings import HospitalHolding, hospital_holdings
from adapter.insights.measure_trends import MeasureTrend, measure_trends
from adapter.insights.person_record import ShownResult, shown_results
from adapter.insights.referral_loops import ReferralLoop, referral_loop
from adapter.insights.result_titles import worded_result
from adapter.ledger.named_lines import PersonLine, lines_of_person
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.inbox import order_statements
from adapter.pipeline.inbound.result_parts import known_measures
from adapter.records.merges import MergeStore
from adapter.records.model import Cadre, Diagnosis, Record, Referral, Tier, Visit
from adapter.records.partial_dates import centre_day
from adapter.records.referral_answers import ReferralMoment, course_of

__all__ = [
    "ListedPerson",
    "PeopleFound",
    "PersonPage",
    "found_people",
    "person_page",
    "person_trend",
    "service_names",
]


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """A line of a list of people. `birth_date` as the record has it: a day, a month or a year."""

    key: str
    name: str
    sex: str
    birth_date: str
    tier: Tier
    is_deceased: bool


@dataclass(frozen=True, slots=True)
class PeopleFound:
    """A page of those who were found, and of how many."""

    people: tuple[ListedPerson, ...]
    total: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class PersonPage:
    """One person. Results newest first; `loops` those that wait first; a `centre_visits` count by kind."""

    person: ListedPerson
    deceased_on: date | None
    next_checkup: NextCheckup | None
    years: tuple[YearlyCheckup, ...]
    loops: tuple[ReferralLoop, ...]
    results: tuple[ShownResult, ...]
    holdings: tuple[HospitalHolding, ...]
    trends: tuple[MeasureTrend, ...]
    visits: tuple[Visit, ...]


def found_people(adapter: Adapter, typed: str, *, sees_t1: bool, page: int, size: int) -> PeopleFound:
    """Whom somebody means by a key, a part of a name, a year of birth, a birthday, a number or its end;
    everybody, by name, of nothing. To who does not see people of T1, there are none.
    """
    people = adapter.people_index.view()
    found = people.meant(typed) if typed.strip() else people.everybody
    seen = found if sees_t1 else [one for one in found if one.tier is not Tier.T1]
    start = (page - 1) * size
    return PeopleFound(
        tuple(
            ListedPerson(one.key, one.name, one.sex, one.birth_date, one.tier, one.is_deceased)
            for one in seen[start : start + size]
        ),
        len(seen),
        start + size >= len(seen),
    )


def person_page(adapter: Adapter, key: str, *, sees_t1: bool, now: datetime) -> PersonPage | None:
    """None where nobody has that key, or it is of a person of T1 and `sees_t1` is not so."""
    with shared_read_transaction(adapter.engine):
        return _read_page(adapter, key, sees_t1=sees_t1, now=now)


def _read_page(adapter: Adapter, key: str, *, sees_t1: bool, now: datetime) -> PersonPage | None:
    records = adapter.records.of_cadre(key)
    person = _person(records)
    if person is None or (person.tier is Tier.T1 and not sees_t1):
        return None
    known = known_measures(adapter)
    results = _results(adapter, key, records, known)
    trends = measure_trends(records, results, known)
    visits: tuple[Visit, ...] = _of(records, Visit)
    referrals: tuple[Referral, ...] = _of(records, Referral)
    entries = _entries(adapter, key, referrals)
    return PersonPage(
        person=_listed(person),
        deceased_on=person.deceased_on,
        next_checkup=next_checkup(person, visits, adapter.settings.centre.checkup_months, centre_day(now)),
        years=checkup_years(visits, _of(records, Diagnosis), trends),
        loops=_loops(adapter, referrals, entries, known),
        results=tuple(reversed(results)),
        holdings=hospital_holdings(adapter, key, records, entries),
        trends=trends,
        visits=tuple(sorted(visits, key=lambda one: centre_day(one.started_at), reverse=True)),
    )


def person_trend(
    adapter: Adapter, key: str, measure: str, *, sees_t1: bool
) -> tuple[ListedPerson, MeasureTrend] | None:
    """How one measure (its code, or the title of what has none) went; None as for `person_page`, or where it
    was never measured.
    """
    records = adapter.records.of_cadre(key)
    person = _person(records)
    if person is None or (person.tier is Tier.T1 and not sees_t1):
        return None
    known = known_measures(adapter)
    trends = measure_trends(records, _results(adapter, key, records, known), known)
    found = next((one for one in trends if (one.measure or one.name) == measure), None)
    return None if found is None else (_listed(person), found)


def _results(
    adapter: Adapter, key: str, records: Sequence[Record], known: KnownMeasures
) -> tuple[ShownResult, ...]:
    return tuple(map(worded_result, shown_results(adapter, key, records, known)))


def _person(records: Sequence[Record]) -> Cadre | None:
    return next((one for one in records if isinstance(one, Cadre)), None)


def _of(records: Sequence[Record], type_: type[Any]) -> tuple[Any, ...]:
    return tuple(one for one in records if isinstance(one, type_))


def _listed(one: Cadre) -> ListedPerson:
    is_deceased = one.deceased_on is not None
    return ListedPerson(one.key, one.name, one.sex.value, str(one.birth_date), one.tier, is_deceased)


def _entries(adapter: Adapter, key: str, referrals: Sequence[Referral]) -> Mapping[str, Sequence[PersonLine]]:
    hospitals = dict.fromkeys([*adapter.settings.hospitals, *(one.hospital for one in referrals)])
    with read_transaction(adapter.engine) as connection:
        names = MergeStore.recorded_names(connection, [key])[key]
        return lines_of_person(connection, tuple(hospitals), names)


def _loops(
    adapter: Adapter,
    referrals: Sequence[Referral],
    entries: Mapping[str, Sequence[PersonLine]],
    known: KnownMeasures,
) -> tuple[ReferralLoop, ...]:
    if not referrals:
        return ()
    lines = {(one.kind, one.key): one for listed in entries.values() for one in listed}
    services = service_names(known)
    found = []
    with read_transaction(adapter.engine) as connection:
        for one in referrals:
            moments: Sequence[ReferralMoment] = course_of(connection, one, partial(order_statements, adapter))
            line = lines.get((Referral.kind, one.key))
            found.append(
                referral_loop(
                    one,
                    moments,
                    service=services.get(one.service, one.service),
                    sent_at=line.sent_at if line else None,
                    delivered_at=line.delivered_at if line else None,
                )
            )
    return tuple(sorted(found, key=lambda one: (one.waiting is None, str(one.steps[0].at))))


def service_names(known: KnownMeasures) -> Mapping[str, str]:
    """What services are called, by code."""
    table = known.tables.tables.get("services")
    return {} if table is None else {code: one.display for code, one in table.concepts.items()}
