"""The values of each measure of a person over years and hospitals, in one unit. Pure.

No range of ours stands in for a laboratory's: where a value came without one, nothing is shaded.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from adapter.insights.person_record import ShownResult, result_parts
from adapter.mapping.result_extraction import moment_of
from adapter.mapping.result_reading.measures import KnownMeasures
from adapter.records.model import Measurement, Record, Visit
from adapter.records.partial_dates import centre_day
from adapter.result_content import WITHDRAWN, Amount, ResultPart, between

__all__ = ["MeasureTrend", "TrendPoint", "measure_trends"]

_USUAL = frozenset(("N", "NEG", "ND", "NR"))


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One value. `number`, `low`, `high` are in the trend's unit, None where they are not known in it;
    `words` and `range` are as they were written. `hospital` None: the centre's own, of the visit `visit`;
    else `result` is the key of the result that has it.
    """

    at: date | datetime | None
    number: Decimal | None
    words: str
    range: str
    flag: str
    low: Decimal | None
    high: Decimal | None
    is_abnormal: bool
    hospital: str | None
    visit: str | None = None
    result: str | None = None

    @property
    def local_day(self) -> date:
        """The day at the centre. ValueError of a value without a time."""
        if self.at is None:
            raise ValueError(self.words)
        return centre_day(self.at)


@dataclass(frozen=True, slots=True)
class MeasureTrend:
    """All values of one measure, oldest first. `measure` None: we have none, it goes by its title."""

    measure: str | None
    name: str
    unit: str
    points: tuple[TrendPoint, ...]

    @property
    def last(self) -> TrendPoint:
        """The newest."""
        return self.points[-1]

    @property
    def before(self) -> TrendPoint | None:
        """The one before it."""
        return self.points[-2] if len(self.points) > 1 else None


def measure_trends(
    records: Sequence[Record], results: Sequence[ShownResult], known: KnownMeasures
) -> tuple[MeasureTrend, ...]:
    """What a person's records and results hold, by measure; those with an abnormal newest value first, then
    by name. A pressure written as one value is two measures.
    """
    series: dict[tuple[str | None, str], list[TrendPoint]] = defaultdict(list)
    for measure, name, point in (*_measured(records, known), *_came(results, known)):
        series[measure, known.name(measure) or name].append(point)
    found = (
        MeasureTrend(measure, name, known.unit(measure), tuple(sorted(points, key=_time_order)))
        for (measure, name), points in series.items()
    )
    return tuple(sorted(found, key=lambda one: (not one.last.is_abnormal, one.name.casefold())))


def _time_order(one: TrendPoint) -> tuple[date, float]:
    if one.at is None:
        return date.min, 0.0
    return centre_day(one.at), one.at.timestamp() if isinstance(one.at, datetime) else 0.0


def _measured(
    records: Iterable[Record], known: KnownMeasures
) -> Iterator[tuple[str | None, str, TrendPoint]]:
    records = list(records)
    visits = {one.key: one for one in records if isinstance(one, Visit)}
    for one in records:
        if isinstance(one, Measurement) and one.status != WITHDRAWN:
            visit = visits.get(one.visit)
            at = one.taken_at or (visit.started_at if visit else None)
            name = one.name or one.measure
            parts = _in_parts(one, known.components(one.measure))
            for measure, value in parts or ((one.measure, one.value),):
                yield measure, name, _measured_point(one, measure, value, at, known, is_whole=not parts)


def _in_parts(one: Measurement, components: Sequence[str]) -> Sequence[tuple[str, str]]:
    """A value such as "120/80" by the measures that it is made of; empty where it is none."""
    values = [each.strip() for each in one.value.split("/")]
    is_panel = len(components) > 1 and len(values) == len(components)
    return tuple(zip(components, values, strict=True)) if is_panel else ()


def _measured_point(
    one: Measurement,
    measure: str,
    value: str,
    at: date | datetime | None,
    known: KnownMeasures,
    *,
    is_whole: bool,
) -> TrendPoint:
    number = known.number(measure, _amount(value, one.unit))
    ends = (one.low, one.high) if is_whole else (None, None)
    low, high = (
        known.number(measure, _amount(str(end), one.unit)) if end is not None else None for end in ends
    )
    range_ = between(
        str(one.low) if one.low is not None else "", str(one.high) if one.high is not None else ""
    )
    return TrendPoint(
        at=at,
        number=number,
        words=f"{value} {one.unit}" if one.unit else value,
        range=range_ if is_whole else "",
        flag=one.flag or "",
        low=low,
        high=high,
        is_abnormal=one.flag not in _USUAL if one.flag else _is_beyond(_decimal(value), *ends),
        hospital=None,
        visit=one.visit,
    )


def _amount(value: str, unit: str | None) -> Amount | None:
    return None if _decimal(value) is None else Amount(value=value, unit=unit)


def _decimal(value: str | None) -> Decimal | None:
    try:
        found = Decimal(value or "")
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _came(
    results: Sequence[ShownResult], known: KnownMeasures
) -> Iterator[tuple[str | None, str, TrendPoint]]:
    for result, title, part, time in result_parts(results):
        if result.status != WITHDRAWN:
            at = moment_of((time or "").partition(" - ")[0]) or result.issued_at
            yield part.measure, title, _came_point(part, result, at, known)


def _came_point(
    part: ResultPart, result: ShownResult, at: date | datetime | None, known: KnownMeasures
) -> TrendPoint:
    amount = part.value.amount if part.value else None
    only = part.ranges[0] if len(part.ranges) == 1 else None  # of several a person has to choose
    ends = [_in_unit_of(amount, end) for end in ((only.low, only.high) if only else (None, None))]
    number, low, high = (known.number(part.measure, one) for one in (amount, *ends))
    is_beyond = _is_beyond(number, low, high) or _is_beyond(*(_bare(one, amount) for one in (amount, *ends)))
    codes = {one.code for flag in part.flags for one in flag.codings if one.code}
    flagged = bool(part.flags) and not (codes and codes <= _USUAL)
    return TrendPoint(
        at=at,
        number=number,
        words=part.value_words,
        range=part.range_words,
        flag=part.flag_words,
        low=low,
        high=high,
        is_abnormal=flagged if part.flags else is_beyond,
        hospital=result.hospital,
        result=result.key,
    )


def _in_unit_of(amount: Amount | None, end: Amount | None) -> Amount | None:
    """An end of a range; where it names no unit it has that of the value."""
    if amount is None or end is None or end.unit or end.code:
        return end
    return amount.model_copy(update={"value": end.value, "comparator": None})


def _bare(one: Amount | None, amount: Amount | None) -> Decimal | None:
    """A number to be compared with the value as both were written; None in another unit, or of a limit."""
    if one is None or amount is None or one.comparator or one.contradicts:
        return None
    return _decimal(one.value) if (one.unit, one.code) == (amount.unit, amount.code) else None


def _is_beyond(number: Decimal | None, low: Decimal | None, high: Decimal | None) -> bool:
    return number is not None and ((low is not None and number < low) or (high is not None and number > high))
