"""Whom somebody means, and one person as a doctor looks at one."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from inbox_centre import put_records
from person_centre import looks, person_centre, push
from sqlalchemy import select

from adapter import audit
from adapter.database import read_transaction, write_transaction
from adapter.insights.insights import Insights
from adapter.insights.referral_loops import StepName
from adapter.insights.seen_people import seen_people
from adapter.operations.merge import MergeCadres
from adapter.operations.operation import OperationContext
from adapter.pipeline.application import Adapter
from adapter.records.erasure import erase_person, lock_erasures
from adapter.records.hidden_words import HiddenWords
from adapter.records.model import Cadre, Measurement, Referral, Sex, Tier, Visit, VisitKind
from adapter.records.people_index import sought_person

NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Adapter]:
    with person_centre(tmp_path / "centre") as made, made.open() as adapter:
        people = [
            made_person("P-1", "Trần Thị Ẩn", 1948, national_id="001148004821"),
            made_person("P-2", "Trần Văn An", 1952, phone="0912001948"),
            made_person("P-3", "Lê Đình An", 1948, insurance=("GD4010123456789",)),
            made_person("P-4", "Mạc Thị Kín", 1940, tier=Tier.T1),
        ]
        put_records(adapter.engine, people)
        yield adapter


def made_person(key: str, name: str, year: int, tier: Tier = Tier.T4, **more: Any) -> Cadre:
    return Cadre(key=key, name=name, sex=Sex.FEMALE, birth_date=date(year, 3, 5), tier=tier, **more)


def insights(adapter: Adapter) -> Insights:
    return Insights(adapter, "staff:hoa", lambda: NOW)


def found(adapter: Adapter, typed: str, *, sees_t1: bool = True) -> list[str]:
    return [one.key for one in insights(adapter).people(typed, sees_t1=sees_t1).people]


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("an", ["P-3", "P-2", "P-1"]),  # by the given name without accents, then the family name
        ("ẩn", ["P-1", "P-3", "P-2"]),  # who has these very accents is first
        ("TRAN VAN", ["P-2"]),
        ("tran van a", ["P-2"]),  # half a word
        ("đình an", ["P-3"]),
        ("dinh an", ["P-3"]),
        ("4821", ["P-1"]),
        ("1948", ["P-3", "P-2", "P-1"]),  # a year of birth, or the end of a number
        ("an 1952", ["P-2"]),
        ("05/03/1940", ["P-4"]),
        ("001 148 004 821", ["P-1"]),
        ("0123456789", ["P-3"]),  # the end of an insurance card that new cards show alone
        ("P-3", ["P-3"]),
        ("12", []),
        ("xyz", []),
        ("%", []),
    ],
)
def test_who_is_meant(opened: Adapter, typed: str, keys: list[str]) -> None:
    if typed == "12":
        assert sought_person(typed).is_empty
    assert found(opened, typed) == keys


def test_nobody_of_t1_is_there_for_who_does_not_see_them(opened: Adapter) -> None:
    assert found(opened, "kín") == ["P-4"]
    assert found(opened, "kín", sees_t1=False) == found(opened, "P-4", sees_t1=False) == []
    everybody = insights(opened).people("", sees_t1=True)
    hidden = sum(one.tier is Tier.T1 for one in everybody.people)
    assert hidden > 0
    assert insights(opened).people("", sees_t1=False).total == everybody.total - hidden
    for key in ("P-4", "nobody"):
        assert insights(opened).person_page(key, "care", sees_t1=False) is None
    assert looks(opened) == [], "who saw nothing is in no audit"
    page = insights(opened).person_page("P-4", "care", sees_t1=True)
    assert page is not None
    assert page.person.name == "Mạc Thị Kín"


def test_a_list_comes_in_pages(opened: Adapter) -> None:
    first = insights(opened).people("an", sees_t1=True, size=2)
    last = insights(opened).people("an", sees_t1=True, page=2, size=2)
    assert [len(first.people), first.total, first.is_last] == [2, 3, False]
    assert [one.key for one in last.people] == ["P-1"]
    assert last.is_last


def test_who_changed_is_found_as_he_is_now(opened: Adapter) -> None:
    assert found(opened, "dinh") == ["P-3"]
    with write_transaction(opened.engine) as connection:
        from adapter.records.change_feed import ChangeFeed
        from adapter.records.serialisation import serialise_record
        from adapter.records.tables import record

        body = serialise_record(made_person("P-3", "Lê Hồng Vân", 1948))
        feed = ChangeFeed(connection)
        changed = {"body": body, "position": feed.next()}
        connection.execute(record.update().where(record.c.key == "P-3").values(changed))
        feed.close()
    assert (found(opened, "dinh"), found(opened, "hong van")) == ([], ["P-3"])


def test_of_who_was_merged_the_strictest_tier_holds(opened: Adapter) -> None:
    sees = seen_people(opened, sees_t1=False)
    assert sees("P-3")
    assert not sees("P-4")
    merge = MergeCadres("P-4", "P-3")  # P-4 is of T1
    context = OperationContext(opened, "lan", lambda: NOW)
    merge.perform(context, merge.preview(context).version)
    sees = seen_people(opened, sees_t1=False)
    assert not any(sees(one) for one in ("P-3", "P-4"))
    assert found(opened, "an", sees_t1=False) == ["P-2", "P-1"]
    assert found(opened, "P-3", sees_t1=False) == []
    assert found(opened, "an") == ["P-3", "P-2", "P-1"]
    assert insights(opened).people("P-4", sees_t1=True).people[0].tier is Tier.T1


def test_who_was_merged_leads_to_whom_and_who_was_erased_to_nobody(opened: Adapter) -> None:
    MergeCadres("P-3", "P-2").perform(OperationContext(opened, "test", lambda: NOW))
    assert found(opened, "dinh an") == ["P-2"]
    assert found(opened, "P-3") == ["P-2"]
    assert found(opened, "an") == ["P-2", "P-1"], "once"
    with write_transaction(opened.engine) as connection:
        lock_erasures(connection)
        erase_person(connection, "P-1", HiddenWords())
    assert (found(opened, "4821"), found(opened, "ẩn")) == ([], ["P-2"])


def test_a_look_at_a_person_is_in_the_audit_with_who_and_why(opened: Adapter) -> None:
    assert insights(opened).person_page("P-1", "phone call", sees_t1=False) is not None
    [(action, subject, details)] = looks(opened)
    assert (action, subject) == ("record.read", opened.audit_subject("P-1"))
    assert json.loads(details) == {"command": "console person", "why": "phone call"}
    found(opened, "tran thi an")
    with read_transaction(opened.engine) as connection:
        rows = connection.execute(select(audit.audit).order_by(audit.audit.c.seq)).all()
    assert rows[-1].action == "people.listed"
    assert "tran" not in rows[-1].details


def test_a_person_has_the_loop_of_each_referral_the_years_and_the_trends(opened: Adapter) -> None:
    visits = [
        Visit(key=f"K-{year}", cadre="P-1", type=VisitKind.CHECKUP, started_at=date(year, 4, 1))
        for year in (2025, 2026)
    ]
    values = [
        Measurement(
            key=f"M-{year}", cadre="P-1", visit=f"K-{year}", measure="BIO-GLUF", value=value, unit="mmol/L",
            flag=flag,  # type: ignore[arg-type] # as the table says
        )
        for year, value, flag in ((2025, "5.6", None), (2026, "7.9", "H"))
    ]  # fmt: skip
    order = Referral(
        key="GT-1", cadre="P-1", hospital="bv-tinh", service="WORKUP-CARD", ordered_at=date(2026, 4, 2)
    )
    put_records(opened.engine, [*visits, *values, order])
    page = insights(opened).person_page("P-1", "care", sees_t1=False)
    assert page is not None
    assert [one.year for one in page.years] == [2026, 2025]
    assert [one.now.words for one in page.years[0].new_values] == ["7.9 mmol/L"]
    assert page.next_checkup is not None
    assert page.next_checkup.due == date(2027, 4, 1)
    [loop] = page.loops
    assert loop.waiting is not None
    assert (loop.waiting.name, loop.waiting.at) == (StepName.SENT, date(2026, 4, 2))
    assert loop.service not in ("", "WORKUP-CARD"), "in words"
    assert {one.hospital: one.is_nothing for one in page.holdings} == {"bv-tinh": True, "bv-trung-uong": True}
    trend = insights(opened).person_trend("P-1", "BIO-GLUF", "result", sees_t1=False)
    assert trend is not None
    assert [one.words for one in trend[1].points] == ["5.6 mmol/L", "7.9 mmol/L"]
    assert insights(opened).person_trend("P-1", "BIO-ALB", "result", sees_t1=False) is None


def test_what_a_hospital_measured_joins_the_centres_own(opened: Adapter) -> None:
    from person_centre import people

    cadre = next(one for one in people(opened) if one.key.startswith("CB-"))
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "issued": "2026-11-02T10:00:00+07:00",
        "code": {"coding": [{"system": "http://loinc.org", "code": "14771-0"}]},
        "valueQuantity": {"value": 7, "unit": "mmol/L"},
    }
    push(opened, cadre, resource)
    trend = insights(opened).person_trend(cadre.key, "BIO-GLUF", "result", sees_t1=True)
    assert trend is not None
    assert [one.hospital for one in trend[1].points] == [None, "bv-tinh"]


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("an", ["P-3", "P-2", "P-1"]),
        ("ẩn", ["P-1", "P-3", "P-2"]),
        ("tran van", ["P-2"]),
        ("tran van a", []),  # nobody is guessed from half a word, where one person is to be named
        ("4821", ["P-1"]),
        ("an 1952", ["P-2"]),
        ("GD4010123456789", ["P-3"]),
        ("HT4790123456789", ["P-3"]),  # a newer card with the same last ten digits
        ("P-3", ["P-3"]),
        ("", []),
        ("%", []),
    ],
)
def test_the_command_line_looks_for_people_as_the_console_does(
    opened: Adapter, typed: str, keys: list[str]
) -> None:
    assert [one.key for one in insights(opened).find_people(typed)] == keys
