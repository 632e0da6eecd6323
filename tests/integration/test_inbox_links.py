"""What a person decides about an item: a link holds for the whole result, and never makes a record poorer."""

from datetime import timedelta
from typing import Any

import pytest
from inbox_centre import NOW, OURS, Centre
from sqlalchemy import Engine

from adapter.audit import verify_chain
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
