"""One result as a doctor reads it: all its versions as one item, what it lists, what of it is still to come,
what is another since it was seen, and the earlier values of the same measures.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from adapter.database import read_transaction
from adapter.errors import UsageError
from adapter.insights.measure_trends import MeasureTrend, measure_trends
from adapter.insights.person_record import PersonRecord, ShownResult, ValueSeries, person_record, result_parts
from adapter.insights.person_search import FoundPerson
from adapter.insights.result_titles import worded, worded_result
from adapter.pipeline.application import Adapter
from adapter.pipeline.inbound.result_parts import known_measures
from adapter.records.model import Cadre, Result, Tier
from adapter.records.result_views import ResultView, attention_of, views_of
from adapter.records.stated_content import StatedChange, Urgency, changed_lines, part_urgency, stated, urgency
from adapter.result_content import ResultContent

__all__ = ["AwaitedParts", "ResultItem", "ResultLine", "result_item"]

Series = TypeVar("Series", ValueSeries, MeasureTrend)

_TO_COME = frozenset(("registered", "preliminary", "partial"))
_UNFINISHED = frozenset(("registered", "partial", "preliminary"))


@dataclass(frozen=True, slots=True)
class AwaitedParts:
    """Of what a report lists, how much is still to come."""

    to_come: int
    of: int


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One value of it, with what is unusual about it."""

    title: str
    value: str
    local: str
    range: str
    flag: str
    urgency: Urgency
    contradictions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResultItem:
    """All of it. `waits_since` None: a doctor has seen it as it is, or it came before that was asked. `view`
    is the newest that holds, `changes` what is another since. `earlier` are the values of each measure in it,
    of all hospitals and the centre, its own among them; `trends` are the same as what a curve is drawn of.
    """

    person: FoundPerson
    tier: Tier
    shown: ShownResult
    lines: tuple[ResultLine, ...]
    urgency: Urgency
    awaited: AwaitedParts | None
    waits_since: datetime | None
    due: datetime | None
    view: ResultView | None
    views: tuple[ResultView, ...]
    changes: tuple[StatedChange, ...]
    earlier: tuple[ValueSeries, ...]
    trends: tuple[MeasureTrend, ...]


def result_item(adapter: Adapter, key: str) -> ResultItem:
    """Raises UsageError where there is no result of that key."""
    result = adapter.records.get(Result.kind, key)
    record = person_record(adapter, result.cadre) if isinstance(result, Result) else None
    shown = next((one for one in record.results if one.key == key), None) if record else None
    person = adapter.records.get(Cadre.kind, result.cadre) if isinstance(result, Result) else None
    if not isinstance(result, Result) or record is None or shown is None or not isinstance(person, Cadre):
        raise UsageError("result.unknown", key=key)
    with read_transaction(adapter.engine) as connection:
        attention = attention_of(connection, [key]).get(key)
        views = tuple(views_of(connection, [key]))
    tells = stated(result, result.content)
    pressing = urgency(shown.content) if attention is None else attention.urgency
    waits = attention.waits_since if attention else None
    return ResultItem(
        person=record.person,
        tier=_tier(adapter, person),
        shown=replace(shown, title=worded_result(shown).title),
        lines=tuple(_lines(shown)),
        urgency=pressing,
        awaited=awaited_parts(shown.content),
        waits_since=waits,
        due=_due(adapter, waits, pressing),
        view=views[0] if views else None,
        views=views,
        changes=tuple(changed_lines(views[0].stated, tells)) if views and waits else (),
        earlier=_of_measures(shown, record.values),
        trends=_of_measures(worded_result(shown), _trends(adapter, record)),
    )


def awaited_parts(content: ResultContent) -> AwaitedParts | None:
    """None of what is finished, or lists nothing; of a panel in a report its parts count."""
    if content.status not in _UNFINISHED or not content.members:
        return None
    contents = [one.content for one in content.members if not one.other_subject]
    to_come = sum(one is None or one.status in _TO_COME for one in contents)
    return AwaitedParts(to_come, len(contents)) if to_come else None


def _tier(adapter: Adapter, person: Cadre) -> Tier:
    """Of several people who were merged the strictest."""
    names = adapter.records.merges.losers_of([person.key])[person.key]
    others = (adapter.records.get(Cadre.kind, name) for name in names)
    return min([person.tier, *(one.tier for one in others if isinstance(one, Cadre))])


def _lines(shown: ShownResult) -> Iterator[ResultLine]:
    for title, part, _ in worded(shown.content).parts():
        if part.value_words or part.flags or part.ranges:
            yield ResultLine(
                title=title,
                value=part.value_words,
                local=part.local.words if part.local else "",
                range=part.range_words,
                flag=part.flag_words,
                urgency=part_urgency(part),
                contradictions=part.contradictions,
            )


def _due(adapter: Adapter, waits_since: datetime | None, pressing: Urgency) -> datetime | None:
    if waits_since is None or pressing is Urgency.NORMAL:
        return None
    return waits_since + adapter.settings.alarm.unseen_time


def _trends(adapter: Adapter, record: PersonRecord) -> tuple[MeasureTrend, ...]:
    records = adapter.records.of_cadre(record.person.key)
    return measure_trends(records, [worded_result(one) for one in record.results], known_measures(adapter))


def _of_measures(shown: ShownResult, among: Sequence[Series]) -> tuple[Series, ...]:
    """Of what was measured in this result, in its order; of what we have no measure for, by its title."""
    wanted: dict[tuple[str | None, str], None] = {}
    for _, title, part, _ in result_parts([shown]):
        wanted[part.measure, "" if part.measure else title] = None
    by_name = {(one.measure, "" if one.measure else one.name): one for one in among}
    return tuple(by_name[name] for name in wanted if name in by_name)
