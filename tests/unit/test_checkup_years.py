"""Check-ups by year: what is new against the one before, and when the next is due."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from adapter.insights.checkup_years import checkup_years, next_checkup
from adapter.insights.measure_trends import MeasureTrend, TrendPoint
from adapter.records.model import Cadre, Diagnosis, Sex, Tier, Visit, VisitKind


def checkup(year: int, **more: Any) -> Visit:
    return Visit(key=f"V-{year}", cadre="C", type=VisitKind.CHECKUP, started_at=date(year, 4, 30), **more)


def disease(year: int, icd10: str, *, is_new: bool = False) -> Diagnosis:
    return Diagnosis(key=f"D-{year}-{icd10}", cadre="C", visit=f"V-{year}", icd10=icd10, is_new=is_new)


def glucose(*values: tuple[int, str, bool]) -> MeasureTrend:
    points = tuple(
        TrendPoint(
            at=date(year, 4, 30),
            number=Decimal(value),
            words=f"{value} mmol/L",
            range="",
            flag="",
            low=None,
            high=None,
            is_abnormal=is_abnormal,
            hospital=None,
            visit=f"V-{year}",
        )
        for year, value, is_abnormal in values
    )
    return MeasureTrend("LAB-GLU", "Glucose", "mmol/L", points)


def test_the_newest_year_comes_first_and_says_what_no_year_before_had() -> None:
    said = [disease(2024, "I10"), disease(2025, "E11"), disease(2026, "I10"), disease(2026, "K76.0")]
    years = checkup_years([checkup(2024), checkup(2026), checkup(2025)], said, ())
    assert [one.year for one in years] == [2026, 2025, 2024]
    assert [(one.icd10, one.is_new) for one in years[0].diseases] == [("K76.0", True), ("I10", False)]
    assert [one.is_new for one in years[2].diseases] == [False], "nothing is new at a first check-up"
    first = checkup_years([checkup(2024)], [disease(2024, "I10", is_new=True)], ())
    assert first[0].diseases[0].is_new, "but what the doctor said is new"


@pytest.mark.parametrize(
    ("before", "now", "is_worse"),
    [("II", "III", True), ("III", "II", False), ("V", "I", False), ("IV", "V", True), (None, "V", False)],
)
def test_a_class_is_worse_by_its_own_scale(before: str | None, now: str, *, is_worse: bool) -> None:
    years = checkup_years([checkup(2025, health_class=before), checkup(2026, health_class=now)], (), ())
    assert years[0].is_worse is is_worse


@pytest.mark.parametrize(
    ("before", "now", "is_worse"), [("B1", "B2", True), ("B", "B1", False), ("A", "C", True)]
)
def test_a_bare_b_is_neither_better_nor_worse(before: str, now: str, *, is_worse: bool) -> None:
    years = checkup_years([checkup(2025, cadre_class=before), checkup(2026, cadre_class=now)], (), ())
    assert years[0].is_worse is is_worse
    assert (years[0].cadre_class, years[0].cadre_before) == (now, before)


def test_the_two_scales_are_never_compared() -> None:
    years = checkup_years([checkup(2025, health_class="I"), checkup(2026, cadre_class="D")], (), ())
    assert not years[0].is_worse


def test_a_value_is_new_that_was_not_abnormal_the_time_before() -> None:
    visits = [checkup(2025), checkup(2026)]
    [year, first] = checkup_years(visits, (), [glucose((2025, "5.0", False), (2026, "7.9", True))])
    assert [(one.name, one.now.words, one.before and one.before.words) for one in year.new_values] == [
        ("Glucose", "7.9 mmol/L", "5.0 mmol/L")
    ]
    assert first.new_values == ()
    [year, _] = checkup_years(visits, (), [glucose((2025, "7.8", True), (2026, "7.9", True))])
    assert year.new_values == ()
    [year, _] = checkup_years(visits, (), [glucose((2026, "7.9", True))])
    assert [one.before for one in year.new_values] == [None], "it was not measured then"


def person(tier: Tier, **more: Any) -> Cadre:
    return Cadre(key="C", name="Trần Văn Thử", sex=Sex.MALE, birth_date=date(1950, 1, 1), tier=tier, **more)


def test_the_next_checkup_is_due_by_tier() -> None:
    today, visits = date(2026, 12, 1), [checkup(2025), checkup(2026)]
    yearly = next_checkup(person(Tier.T3), visits, {"T1": 6}, today)
    assert yearly is not None
    assert (yearly.due, yearly.is_overdue, yearly.last) == (date(2027, 4, 30), False, date(2026, 4, 30))
    half = next_checkup(person(Tier.T1), visits, {"T1": 6}, today)
    assert half is not None
    assert (half.due, half.is_overdue) == (date(2026, 10, 30), True)
    never = next_checkup(person(Tier.T3), [], {}, today)
    assert never is not None
    assert (never.due, never.is_overdue, never.last) == (today, True, None)
    assert next_checkup(person(Tier.T3, deceased_on=date(2026, 6, 1)), visits, {}, today) is None


def test_a_month_that_is_shorter_ends_the_time() -> None:
    visit = Visit(key="V", cadre="C", type=VisitKind.CONGRESS, started_at=date(2026, 8, 31))
    found = next_checkup(person(Tier.T1), [visit], {"T1": 6}, date(2026, 12, 1))
    assert found is not None
    assert found.due == date(2027, 2, 28)
