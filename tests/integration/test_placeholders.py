"""Numbers that only fill a field say nothing of anybody, even where people have them in the records."""

from datetime import date

import pytest
from inbox_centre import CCCD, Centre
from sqlalchemy import Engine

from adapter.database import read_transaction
from adapter.records.doubles import shared_numbers
from adapter.records.lookups import cadres_by_identifiers
from adapter.records.model import Cadre, Sex, Tier

FILLED = ("000000000000", "123456789012", "GD4019999999999")


@pytest.fixture
def centre(engine: Engine) -> Centre:
    centre = Centre(engine)
    born = {"sex": Sex.MALE, "birth_date": date(1950, 5, 5), "tier": Tier.T5}
    for number, filled in enumerate((*FILLED, *FILLED, "024050000777", "024050000777"), 1):
        name = f"Lê Văn {'ABCDEFGH'[number - 1]}ng"
        centre.add(Cadre(key=f"CB-2{number}", name=name, national_id=filled, **born))
    return centre


@pytest.mark.parametrize("number", FILLED)
def test_nobody_is_linked_by_one(centre: Centre, number: str) -> None:
    person = {"resourceType": "Patient", "id": "p", "identifier": [{"system": CCCD, "value": number}]}
    item = centre.send(
        {
            "resourceType": "DiagnosticReport",
            "status": "final",
            "code": {"text": "Sinh hoá máu"},
            "contained": [person],
            "subject": {"reference": "#p"},
        }
    )
    assert (item.state, item.candidates) == ("unmatched", ())
    assert item.reasons == ("person-unknown",)


def test_nobody_is_found_or_taken_for_a_double_by_one(centre: Centre) -> None:
    with read_transaction(centre.engine) as connection:
        found = cadres_by_identifiers(connection, [*FILLED, "GD4010000000000", "024050000777"])
        assert [one.number for one in shared_numbers(connection)] == ["024050000777"]
    assert {number for number, cadres in found.items() if cadres} == {"024050000777"}
    assert found["024050000777"] == ["CB-27", "CB-28"]
