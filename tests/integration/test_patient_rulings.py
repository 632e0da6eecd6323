"""A link teaches the patient's number at the hospital, "never" rules somebody out; both can be undone."""

from typing import Any

import pytest
from inbox_centre import CCCD, NOW, Centre
from sqlalchemy import Engine, select

from adapter.audit import audit
from adapter.database import read_transaction, write_transaction
from adapter.errors import UsageError
from adapter.inbox import erasure, patient_rulings
from adapter.inbox.item_reading import decide_item
from adapter.inbox.rulings import PatientRuling, all_rulings
from adapter.inbox.store import InboxItem

MRN = "urn:his:mrn"
AN = {"name": [{"text": "NGUYEN VAN AN"}], "birthDate": "1955-03-14", "gender": "male"}


@pytest.fixture
def centre(engine: Engine) -> Centre:
    return Centre(engine)


def of(number: str | None, result: str, hospital: str = "bv-tinh", **person: Any) -> dict[str, Any]:
    """A report whose Patient is contained, with that number at the hospital."""
    identifiers = [] if number is None else [{"system": MRN, "value": number}]
    patient = {"resourceType": "Patient", "id": "p", "identifier": identifiers, **(person or AN)}
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:his:report", "value": result}],
        "status": "final",
        "code": {"text": "Sinh hoá máu"},
        "conclusion": result,
        "contained": [patient],
        "subject": {"reference": "#p"},
    }


def never(centre: Centre, item: InboxItem, cadre: str, *, undo: bool = False) -> None:
    act = patient_rulings.unrule_out if undo else patient_rulings.rule_out
    act(
        centre.inbox,
        item.id,
        cadre,
        directory_of=centre.directory,
        by="bs.hoa",
        now=NOW,
        unchanged=lambda: None,
    )


def rulings(centre: Centre) -> list[PatientRuling]:
    with read_transaction(centre.engine) as connection:
        return list(all_rulings(connection))


def actions(centre: Centre) -> list[str]:
    with read_transaction(centre.engine) as connection:
        return list(connection.execute(select(audit.c.action).order_by(audit.c.seq)).scalars())


def test_a_number_that_was_linked_is_a_witness(centre: Centre) -> None:
    first = centre.send(of("BN-77", "1"), "r1")
    waiting = centre.send(of("BN-77", "2"), "r2")
    assert (first.state, first.reasons) == ("unmatched", ("name-and-birth-date-only",))
    centre.link(first.id, "CB-1")
    assert [(one.cadre, one.is_never, one.item) for one in rulings(centre)] == [("CB-1", False, first.id)]
    centre.process()  # what waited with that number is looked at again
    assert (centre.item(waiting.id).state, centre.item(waiting.id).cadre) == ("applied", "CB-1")
    later = centre.send(of("BN-77", "3", name=[{"text": "An Nguyễn Văn"}]), "r3")
    assert (later.state, later.cadre) == ("applied", "CB-1")
    assert centre.send(of("BN-78", "4"), "r4").state == "unmatched"
    assert centre.send(of("BN-77", "5"), "r5", hospital="bv-trung-uong").state == "unmatched"


def test_a_remembered_number_does_not_outweigh_what_contradicts(centre: Centre) -> None:
    centre.link(centre.send(of("BN-77", "1"), "r1").id, "CB-1")
    other = centre.send(of("BN-77", "2", name=[{"text": "Trần Thị Bình"}], birthDate="1960-07-01"), "r2")
    assert (other.state, set(other.reasons)) == ("unmatched", {"name-differs", "birth-date-differs"})
    citizen = of("BN-77", "3", name=AN["name"])
    citizen["contained"][0]["identifier"].append({"system": CCCD, "value": "024060000222"})
    assert centre.send(citizen, "r3").state == "applied"  # a number that the record lacks contradicts nothing


def test_what_is_linked_despite_a_contradiction_teaches_nothing(centre: Centre) -> None:
    item = centre.send(of("BN-77", "1"), "r1")
    centre.link(item.id, "CB-2", despite=True)
    assert rulings(centre) == []


@pytest.mark.parametrize("number", ["000000000", "123456789", "0", "chưa có"])
def test_what_only_fills_the_field_is_not_remembered(centre: Centre, number: str) -> None:
    centre.link(centre.send(of(number, "1"), "r1").id, "CB-1")
    assert rulings(centre) == []
    assert centre.send(of(number, "2"), "r2").state == "unmatched"


def test_unlinking_forgets_the_number_and_so_does_linking_to_another(centre: Centre) -> None:
    plain = {"name": []}
    first = centre.send(of("BN-77", "1", **plain), "r1")
    centre.link(first.id, "CB-1")
    centre.unlink(first.id)
    assert rulings(centre) == []
    assert centre.send(of("BN-77", "2", **plain), "r2").state == "unmatched"
    centre.link(first.id, "CB-1")
    centre.link(first.id, "CB-2")
    assert [(one.cadre, one.is_never) for one in rulings(centre)] == [("CB-2", False)]
    assert centre.send(of("BN-77", "3", **plain), "r3").cadre == "CB-2"


def test_what_a_wrong_link_taught_goes_with_it(centre: Centre) -> None:
    plain = {"name": []}
    first = centre.send(of("BN-77", "1", **plain), "r1")
    centre.link(first.id, "CB-1")
    taught = [centre.send(of("BN-77", str(number), **plain), f"r{number}") for number in (2, 3)]
    witness = of("BN-77", "4", **plain)
    witness["contained"][0]["identifier"].append({"system": CCCD, "value": "024055000111"})
    certain = centre.send(witness, "r4")
    assert {one.cadre for one in (*taught, certain)} == {"CB-1"}
    centre.unlink(first.id)
    centre.process()
    assert [(centre.item(one.id).state, centre.item(one.id).cadre) for one in taught] == [
        ("unmatched", None)
    ] * 2
    assert (centre.item(certain.id).state, centre.item(certain.id).cadre) == ("applied", "CB-1")
    centre.link(first.id, "CB-1")
    centre.process()
    assert {centre.item(one.id).cadre for one in taught} == {"CB-1"}
    centre.link(first.id, "CB-2")
    centre.process()
    assert {centre.item(one.id).cadre for one in taught} == {"CB-2"}
    assert centre.item(certain.id).cadre == "CB-1"


def test_never_rules_out_and_can_be_taken_back(centre: Centre) -> None:
    item = centre.send(of("BN-77", "1"), "r1")
    never(centre, item, "CB-1")
    centre.process(again=True)
    assert centre.item(item.id).candidates == ()
    reading = decide_item(centre.inbox, centre.item(item.id), centre.directory("bv-tinh"))
    assert reading.found.never == {"CB-1"}
    with pytest.raises(UsageError, match="never this one"):
        centre.link(item.id, "CB-1")
    witness = of("BN-77", "2")
    witness["contained"][0]["identifier"].append({"system": CCCD, "value": "024055000111"})
    waits = centre.send(witness, "r2")
    assert (waits.state, waits.reasons, waits.candidates) == ("unmatched", ("said-never",), ())
    never(centre, item, "CB-1", undo=True)
    assert rulings(centre) == []
    centre.process()
    assert centre.item(waits.id).cadre == "CB-1"
    assert centre.link(item.id, "CB-1") == "linked"
    assert [one for one in actions(centre) if "ruled" in one] == ["inbox.ruled_out", "inbox.unruled_out"]
    with pytest.raises(UsageError, match="Nobody said"):
        never(centre, item, "CB-1", undo=True)
    with pytest.raises(UsageError, match="unlink it first"):
        never(centre, item, "CB-1")
    with pytest.raises(UsageError, match="no person"):
        never(centre, item, "CB-9")


def test_never_holds_for_a_result_whose_patient_has_no_number(centre: Centre) -> None:
    item, other = centre.send(of(None, "1"), "r1"), centre.send(of(None, "2"), "r2")
    never(centre, item, "CB-1")
    centre.process(again=True)
    assert centre.item(item.id).candidates == ()
    assert [one.cadre for one in centre.item(other.id).candidates] == ["CB-1"]


def test_a_link_despite_a_never_takes_it_back(centre: Centre) -> None:
    item = centre.send(of("BN-77", "1"), "r1")
    never(centre, item, "CB-1")
    centre.link(item.id, "CB-1", despite=True)
    assert rulings(centre) == []
    with read_transaction(centre.engine) as connection:
        details = connection.execute(select(audit.c.details).order_by(audit.c.seq.desc())).scalars().first()
    assert "said-never" in str(details)


def test_one_ruling_is_forgotten_by_its_number(centre: Centre) -> None:
    item = centre.send(of("BN-77", "1"), "r1")
    centre.link(item.id, "CB-1")
    (one,) = rulings(centre)

    def forget(number: int) -> None:
        patient_rulings.forget_ruling(
            centre.inbox,
            number,
            directory_of=centre.directory,
            by="bs.hoa",
            now=NOW,
            unchanged=lambda: None,
        )

    forget(one.id)
    assert rulings(centre) == []
    assert centre.item(item.id).state == "linked"
    assert centre.send(of("BN-77", "2"), "r2").state == "unmatched"
    assert "inbox.ruling_forgotten" in actions(centre)
    with pytest.raises(UsageError, match=str(one.id)):
        forget(one.id)


def test_nothing_of_it_stays_of_somebody_who_is_erased(centre: Centre) -> None:
    mine = centre.send(of("BN-77", "1"), "r1")
    centre.link(mine.id, "CB-1")
    never(centre, mine, "CB-2")  # said of her number, and so of her
    other = centre.send(of("BN-78", "2"), "r2")
    never(centre, other, "CB-1")
    never(centre, other, "CB-2")
    with write_transaction(centre.engine) as connection:
        erasure.erase_cadre(connection, "CB-1")
    assert {(one.cadre, one.item) for one in rulings(centre)} == {("CB-2", other.id)}
    for row in rulings(centre):
        assert "BN-7" not in str(row)
