"""How slow a hospital may be asked to be sent to."""

import pytest
from pydantic import ValidationError

from adapter.settings import HospitalSettings


@pytest.mark.parametrize("rate", [0, 0.05, 1, 10_000])
def test_a_rate_at_which_something_arrives_is_taken(rate: float) -> None:
    hospital = HospitalSettings(
        display="BV", level="central", base_url="https://bv.example/fhir", requests_per_second=rate
    )
    assert hospital.requests_per_second == rate


@pytest.mark.parametrize("rate", [0.0001, 0.049, -1, 10_001])
def test_a_rate_at_which_nothing_arrives_is_refused(rate: float) -> None:
    with pytest.raises(ValidationError, match="requests_per_second"):
        HospitalSettings(
            display="BV", level="central", base_url="https://bv.example/fhir", requests_per_second=rate
        )
