"""The year's figures from a handful of records, and what outsiders may not work out of them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from adapter.records.model import Cadre, Diagnosis, Record, Referral, Result, Sex, Tier, Visit
from adapter.referrals.lifecycle import ReferralState
from adapter.report import latest_year, year_report
from adapter.report.figures import ReferralFigures

HANOI = timezone(timedelta(hours=7))
TODAY = date(2026, 12, 31)
LEVELS = {"bv-tinh": "provincial", "bv-trung-uong": "central"}


class Records:
    """A list of records behind the port of the report."""

    def __init__(self, *records: Record) -> None:
        self._records = records

    def iterate(self, kind: str) -> Iterator[Any]:
        return (one for one in self._records if one.kind == kind)


def _cadre(number: int, tier: Tier = Tier.T4, **more: Any) -> Cadre:
    name = f"Nguyễn Văn {number}"
    return Cadre(key=f"CB{number}", name=name, sex=Sex.MALE, birth_date=date(1960, 1, 1), tier=tier, **more)


def _visit(
    key: str, number: int, type_: str = "checkup", at: tuple[int, ...] = (2026, 3, 1, 8), **more: Any
) -> Visit:
    started = datetime(*at, tzinfo=HANOI)  # type: ignore[misc,arg-type] # year, month, day, hour
    return Visit(key=key, cadre=f"CB{number}", type=type_, started_at=started, **more)


def _referral(key: str, number: int, hospital: str = "bv-tinh", **more: Any) -> Referral:
    given = {"ordered_at": datetime(2026, 3, 2, tzinfo=HANOI), "service": "WORKUP-CARD", **more}
    return Referral(key=key, cadre=f"CB{number}", hospital=hospital, **given)


def _result(
    key: str, number: int, referral: str | None, type_: str = "DiagnosticReport", status: str = "final"
) -> Result:
    return Result(
        key=key,
        cadre=f"CB{number}",
        hospital="bv-tinh",
        referral=referral,
        type=type_,
        status=status,
        resource="{}",
    )


def _figures(*records: Record, **more: Any) -> Any:
    return year_report(Records(*records), 2026, levels=LEVELS, today=TODAY, **more)


def test_people_by_tier() -> None:
    report = _figures(
        _cadre(1, Tier.T1),
        _cadre(2),
        _cadre(3),
        _cadre(4, deceased_on=date(2025, 12, 31)),
        _cadre(5, deceased_on=date(2026, 1, 2)),
        _cadre(6, deceased_on=date(2026, 6, 1)),
        _visit("a", 2),
        _visit("b", 2),
        _visit("c", 6),
        _visit("d", 3, at=(2025, 3, 1, 8)),
    )
    assert report.managed == {"T1": 1, "T4": 4}
    assert report.due == {"T1": 1, "T4": 3}
    assert report.examined == {"T1": 0, "T4": 2}
    assert (report.managed_total, report.due_total, report.examined_total) == (5, 4, 2)


def test_the_year_is_viet_nams() -> None:
    late = _visit("a", 1, "outpatient", at=(2026, 1, 1, 0))
    assert late.started_at.astimezone(UTC).year == 2025
    assert _figures(_cadre(1), late).visits["outpatient"] == 1
    assert latest_year(Records(late), TODAY) == 2026
    assert latest_year(Records(), TODAY) is None


def test_abnormal_worked_up_treated_are_people() -> None:
    people = [_cadre(number) for number in range(1, 8)]
    checkups = [_visit(f"v{number}", number, advice="refer") for number in range(1, 7)]
    referrals = [
        *(_referral(f"w{number}", number) for number in range(1, 8)),
        _referral("w1-again", 1),
        *(_referral(f"t{number}", number, category="treatment") for number in (1, 2, 3)),
        _referral("old", 6, ordered_at=datetime(2025, 3, 2, tzinfo=HANOI)),
    ]
    results = [
        _result("r1", 1, "w1"),
        _result("r1b", 1, "w1-again"),
        _result("r2", 2, "w2", status="preliminary"),
        _result("r3", 3, "w3", status="entered-in-error"),
        _result("r4", 4, "w4", "Observation"),
        _result("r5", 5, "w5", status="amended"),
        _result("r6", 6, "old"),
        _result("r6b", 6, None),
        _result("r7", 7, "w7"),  # whose check-up said nothing
        _result("p1", 1, "t1", "Procedure", "completed"),
        _result("p2", 2, "t2", "Procedure", "not-done"),
        _result("p3", 3, "t3", "DiagnosticReport"),
    ]
    report = _figures(*people, *checkups, *referrals, *results)
    assert (report.abnormal, report.worked_up, report.treated) == (6, 2, 1)


def test_referrals_by_level() -> None:
    due = {"due_on": date(2026, 4, 1)}
    report = _figures(
        _referral("a", 1, state=ReferralState.COMPLETED, **due),
        _referral("b", 1, state=ReferralState.ACCEPTED, **due),
        _referral("c", 1, state=ReferralState.DECLINED, **due),
        _referral("d", 1, **due),
        _referral("e", 1, due_on=TODAY),
        _referral("f", 1, status="revoked", **due),
        _referral("g", 1, status="entered-in-error", **due),
        _referral("h", 1, "bv-trung-uong"),
        _referral("i", 1, "bv-khac"),
    )
    assert report.referrals == {
        "provincial": ReferralFigures(made=6, completed=1, in_progress=1, failed=1, overdue=2),
        "central": ReferralFigures(made=1),
        "other": ReferralFigures(made=1),
    }


def test_visits_trips_and_samples() -> None:
    report = _figures(
        _cadre(1),
        _visit("a", 1, "home", specimens=2),
        _visit("b", 1, "home", specimens=0),
        _visit("c", 1, "home"),
        _visit("d", 1, "trip", hospital="bv-trung-uong"),
        _visit("e", 1, "trip", hospital="bv-trung-uong"),
    )
    assert (report.home_visits, report.home_visits_with_samples, report.specimens) == (3, 1, 2)
    assert (report.trips, report.trip_people) == (2, 1)


def test_classes_keep_their_scale_and_count_people_once() -> None:
    report = _figures(
        _visit("a", 1, health_class="III", cadre_class="B", at=(2026, 2, 1, 8)),
        _visit("b", 1, health_class="II", at=(2026, 5, 1, 8)),
        _visit("c", 2, health_class="II", at=(2025, 2, 1, 8)),
    )
    assert report.classes == {"health_class": {"II": 1}, "cadre_class": {"B": 1}}
    assert report.classes_before == {"health_class": {"II": 1}, "cadre_class": {}}


def test_new_diseases_are_people_by_code() -> None:
    def diagnosis(key: str, number: int, code: str, **more: Any) -> Diagnosis:
        return Diagnosis(key=key, cadre=f"CB{number}", icd10=code, **{"is_new": True, **more})

    report = _figures(
        _visit("v", 1),
        diagnosis("a", 1, "I10", visit="v"),
        diagnosis("b", 1, "I10", recorded_on=date(2026, 5, 1)),
        diagnosis("c", 2, "I10", recorded_on=date(2026, 5, 1)),
        diagnosis("d", 2, "E11", recorded_on=date(2025, 5, 1)),
        diagnosis("e", 2, "K29", recorded_on=date(2026, 5, 1), is_new=False),
        diagnosis("f", 2, "K25", recorded_on=date(2026, 5, 1), certainty="provisional"),
        diagnosis("g", 2, "E78", visit="elsewhere"),
    )
    assert report.new_diseases == {"I10": 2}


def test_outsiders_see_no_small_cell() -> None:
    people = [_cadre(number, Tier.T1 if number < 4 else Tier.T4) for number in range(20)]
    records = [*people, *(_visit(f"v{number}", number, advice="refer") for number in range(4))]
    report = _figures(*records, for_outsiders=True)
    assert report.managed_total == 20
    assert report.managed == {"T1": None, "T4": None}  # with the total, one hidden cell could be worked out
    assert report.abnormal is None
    assert report.worked_up == 0
