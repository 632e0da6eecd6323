"""How long a server asks to be left alone, in every form that servers have for it."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.delivery.http.retry_after import retry_after_seconds

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90))}, 90),
        ({"retry-after": "Sunday, 22-Nov-26 08:00:30 GMT"}, 30),  # RFC 850
        ({"retry-after": "Sun Nov 22 08:00:30 2026"}, 30),  # asctime
        ({"retry-after": format_datetime(NOW - timedelta(hours=1))}, 0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"x-ms-retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"x-ms-retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"ratelimit-reset": "30"}, 30),
        ({"x-ratelimit-reset": str(EPOCH + 45)}, 45),
        ({"x-ratelimit-reset": str((EPOCH + 45) * 1000)}, 45),
        ({"x-rate-limit-reset": str(EPOCH - 5)}, None),
        ({"ratelimit": '"fhirInteractions";r=0;t=12'}, 12),
        ({"ratelimit-reset": "30", "retry-after": "2"}, 2),
        ({"retry-after": "soon", "ratelimit-reset": "3"}, 3),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "99999999"}, None),
        ({"retry-after": "Sun, 22 Nov 9999 08:00:30 GMT"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_every_form_is_read_and_nonsense_is_not(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers, NOW) == seconds


@given(
    name=st.sampled_from(["retry-after", "retry-after-ms", "ratelimit", "x-ratelimit-reset"]), value=st.text()
)
def test_whatever_a_server_writes_is_a_span_or_nothing(name: str, value: str) -> None:
    found = retry_after_seconds({name: value}, NOW)
    assert found is None or 0 <= found <= 30 * 86_400
