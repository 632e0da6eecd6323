"""What a person decides about an item: a link holds for the whole result, and never makes a record poorer."""

from datetime import timedelta
from json import loads
from typing import Any

import pytest
from inbox_centre import NOW, OURS, Centre
from sqlalchemy import Engine, select

from adapter.audit import audit, verify_chain
from adapter.database import read_transaction
from adapter.errors import UsageError
from adapter.records.model import Fulfilment

AN = {"subject": {"identifier": {"system": OURS, "value": "idan"}}}
SOMEBODY: dict[str, Any] = {}


@pytest.fixture
def centre(engine: Engine) -> Centre:
    return Centre(engine)


def report(status: str = "final", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:his:report", "value": "17"}],
        "status": status,
        "code": {"text": "Sinh hoá máu"},
        "conclusion": "A",
        **more,
    }


def value(number: int, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "urn:his:value", "value": str(number)}],
        "status": "final",
        "code": {"text": "Kali"},
        **more,
    }


def held(centre: Centre) -> list[tuple[str, str | None]]:
    return sorted((one.cadre, one.conclusion) for one in centre.results())


@pytest.mark.parametrize("first", [SOMEBODY, AN], ids=["both wait", "the older was applied"])
@pytest.mark.parametrize("named", ["first", "second"])
def test_a_link_holds_for_all_versions_and_the_newest_is_in_the_record(
    centre: Centre, first: dict[str, Any], named: str
) -> None:
    older = centre.send(report(**first), "r1")
    newer = centre.send(report("corrected", conclusion="B", **SOMEBODY), "r1")
    assert centre.link((older if named == "first" else newer).id, "CB-2", despite=True) == "linked"
    assert held(centre) == [("CB-2", "B")]
    assert {centre.item(one.id).state for one in (older, newer)} == {"linked"}
    later = centre.send(report("amended", conclusion="C", **SOMEBODY), "r1")
    assert (later.state, later.cadre) == ("applied", "CB-2")
    assert held(centre) == [("CB-2", "C")]
    assert verify_chain(centre.engine) is None


def test_an_older_version_takes_nothing_out_of_the_record(centre: Centre) -> None:
    """The correction answers a referral: it still does."""
    older = centre.send(report(subject={"display": "Trần Thị Bình"}, **{"basedOn": []}), "r1")
    based = {"basedOn": [{"identifier": {"system": OURS, "value": "idref1"}}]}
    centre.send(report("corrected", conclusion="B", **based), "r1")
    assert held(centre) == [("CB-1", "B")]
    assert centre.link(older.id, "CB-1", despite=True) == "linked"
    assert held(centre) == [("CB-1", "B")]
    assert centre.referral("GT-1").fulfilment is Fulfilment.COMPLETED


def test_moving_an_older_version_moves_the_result_whole(centre: Centre) -> None:
    older = centre.send(report(**AN), "r1")
    centre.send(report("corrected", conclusion="B", **AN), "r1")
    with pytest.raises(UsageError) as raised:  # what stands in the newest speaks against it
        centre.link(older.id, "CB-2")
    assert raised.value.text == "inbox.contradicts"
    assert held(centre) == [("CB-1", "B")]
    assert centre.link(older.id, "CB-2", despite=True) == "linked"
    assert held(centre) == [("CB-2", "B")]
    centre.unlink(older.id)
    assert held(centre) == []


def panel(centre: Centre) -> list[int]:
    """Three values that nobody has, one of somebody else's, and the report that lists them."""
    numbers = [centre.receive(value(n), f"o{n}") for n in range(3)]
    numbers.append(
        centre.receive(value(3, subject={"identifier": {"system": OURS, "value": "idbinh"}}), "o3")
    )
    numbers.append(centre.receive(value(4, modifierExtension=[{"url": "urn:x", "valueBoolean": True}]), "o4"))
    members = [{"reference": f"Observation/o{n}"} for n in range(5)]
    numbers.append(centre.receive(report(result=members, **SOMEBODY), "r1"))
    centre.process()
    assert [centre.item(one).state for one in numbers] == [*["unmatched"] * 3, "applied", *["unmatched"] * 2]
    return numbers


def test_what_a_report_lists_is_linked_along_and_unlinked_along(centre: Centre) -> None:
    numbers = panel(centre)
    assert centre.link(numbers[-1], "CB-1") == "linked"
    items = [centre.item(one) for one in numbers]
    assert [one.state for one in items] == ["linked"] * 3 + ["applied", "unmatched", "linked"]
    assert [one.cadre for one in items] == ["CB-1"] * 3 + ["CB-2", None, "CB-1"]
    assert sorted(one.cadre for one in centre.results()) == ["CB-1"] * 4 + ["CB-2"]
    later = centre.send(value(0, status="corrected"), "o0")
    assert (later.state, later.cadre) == ("applied", "CB-1")
    centre.unlink(numbers[-1])
    assert [one.cadre for one in centre.results()] == ["CB-2"]
    assert centre.process(again=True, now=NOW + timedelta(days=9)) == {"unmatched": 1}  # the modified one


def test_what_is_discarded_is_not_looked_at_until_it_is_reopened(centre: Centre) -> None:
    item = centre.send(report(**SOMEBODY), "r1")
    centre.discard(item.id)
    assert (centre.item(item.id).state, centre.item(item.id).reasons[:2]) == (
        "ignored",
        ("discarded", "thử nghiệm"),
    )
    assert centre.process(again=True, now=NOW + timedelta(days=9)) == {}
    with pytest.raises(UsageError):
        centre.discard(item.id)
    centre.reopen(item.id)
    assert centre.item(item.id).reasons == item.reasons
    assert centre.process() == {"unmatched": 1}
    with pytest.raises(UsageError):
        centre.reopen(item.id)
    centre.discard(item.id)
    newer = centre.send(report("corrected", conclusion="B", **AN), "r1")
    assert (newer.state, held(centre)) == ("applied", [("CB-1", "B")])
    assert verify_chain(centre.engine) is None


def test_what_is_in_the_record_is_not_discarded(centre: Centre) -> None:
    item = centre.send(report(**AN), "r1")
    with pytest.raises(UsageError) as raised:
        centre.discard(item.id)
    assert raised.value.text == "inbox.not_waiting"
    assert held(centre) == [("CB-1", "A")]


def listing(*numbers: int, **more: Any) -> dict[str, Any]:
    return report(result=[{"reference": f"Observation/o{number}"} for number in numbers], **more)


def states(centre: Centre, *numbers: int) -> list[tuple[str, str | None]]:
    return [(one.state, one.cadre) for one in map(centre.item, numbers)]


def test_what_a_linked_report_lists_follows_whenever_it_comes(centre: Centre) -> None:
    """Before the link, after it, listed by a later version only, and in a panel within the report."""
    before = centre.receive(value(0), "o0")
    listed_late = centre.receive(value(2), "o2")
    in_panel = centre.receive(value(3), "o3")
    centre.process()
    linked = centre.send(listing(0, 1), "r1")
    assert states(centre, before, listed_late, in_panel) == [("unmatched", None)] * 3
    centre.link(linked.id, "CB-1")
    after = centre.send(value(1), "o1")
    assert (after.state, after.cadre, after.reasons) == ("applied", "CB-1", ("follows-report",))
    amended = centre.send(listing(0, 1, 2, 4, status="amended"), "r1")
    centre.process()
    assert states(centre, amended.id, listed_late) == [("applied", "CB-1")] * 2
    panel = value(4, hasMember=[{"reference": "Observation/o3"}])
    assert centre.send(panel, "o4").state == "applied"
    centre.process()
    assert states(centre, in_panel) == [("applied", "CB-1")]
    assert {one.cadre for one in centre.results()} == {"CB-1"}
    everything = [before, listed_late, in_panel, linked.id, after.id, amended.id]
    assert set(everything) < set(centre.unlink(amended.id))  # whichever version is named
    assert centre.results() == []
    assert centre.process(again=True, now=NOW + timedelta(days=9)) == {}
    assert verify_chain(centre.engine) is None


@pytest.mark.parametrize(
    "more",
    [
        {"subject": {"identifier": {"system": OURS, "value": "idbinh"}}},
        {"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]},
        {"subject": {"display": "Trần Thị Bình"}},
    ],
    ids=["another's", "with a mark", "another's name"],
)
def test_what_speaks_against_it_follows_no_report(centre: Centre, more: dict[str, Any]) -> None:
    linked = centre.send(listing(0), "r1")
    centre.link(linked.id, "CB-1")
    assert centre.send(value(0, **more), "o0").cadre != "CB-1"


def test_what_two_reports_of_two_people_list_waits(centre: Centre) -> None:
    first = centre.send(listing(0), "r1")
    second = centre.send(listing(0, identifier=[{"system": "urn:his:report", "value": "18"}]), "r2")
    centre.link(first.id, "CB-1")
    centre.link(second.id, "CB-2")
    assert centre.send(value(0), "o0").state == "unmatched"


def test_another_hospitals_list_decides_nothing(centre: Centre) -> None:
    linked = centre.send(listing(0), "r1", hospital="bv-khac")
    centre.link(linked.id, "CB-1")
    assert centre.send(value(0), "o0").state == "unmatched"


def test_moving_a_report_moves_what_was_linked_along(centre: Centre) -> None:
    values = [centre.receive(value(n), f"o{n}") for n in range(2)]
    linked = centre.send(listing(0, 1, 2), "r1")
    centre.link(linked.id, "CB-1")
    values.append(centre.send(value(2), "o2").id)
    assert states(centre, *values) == [("linked", "CB-1")] * 2 + [("applied", "CB-1")]
    centre.link(linked.id, "CB-2")
    assert states(centre, *values) == [("linked", "CB-2")] * 3
    assert {one.cadre for one in centre.results()} == {"CB-2"}


def test_who_is_told_of_an_unlink_is_told_of_all_that_went(centre: Centre) -> None:
    older = centre.send(report(**AN), "r1")
    newer = centre.send(report("corrected", conclusion="B", **AN), "r1")
    assert centre.unlink(older.id) == (older.id, newer.id)
    with read_transaction(centre.engine) as connection:
        rows = connection.execute(select(audit.c.details).where(audit.c.action == "inbox.unlinked")).scalars()
        assert sorted(loads(one)["item"] for one in rows) == [older.id, newer.id]
