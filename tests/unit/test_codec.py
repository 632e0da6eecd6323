"""Numbers go through JSON digit for digit, whatever a hospital writes."""

import pytest

from adapter.fhir import codec

HUGE = ["5.30", "0", "-0", "-0.0", "9" * 18, "1" + "0" * 30, "-" + "9" * 19, "0.000000001"]
HUGE += ["1.000000000000000000E-245", "-1.000000000000000000E+245"]  # of HL7's example Observation/decimal


@pytest.mark.parametrize("number", HUGE)
def test_a_number_keeps_its_digits(number: str) -> None:
    body = b'{"value":' + number.encode() + b"}"
    assert codec.dumps(codec.loads(body)) == body


def test_an_exponent_is_written_out_and_one_beyond_all_reason_is_bad_json() -> None:
    assert codec.dumps(codec.loads("[1E+2]")) == b"[100]"
    for number in ("1e999999999", "-1E-999999999"):
        with pytest.raises(ValueError, match="too large"):
            codec.loads(f"[{number}]")
