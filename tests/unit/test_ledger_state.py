"""Every pair of state and event."""

import itertools

import pytest

from adapter.ledger.schema.states import EntryEvent, EntryState, next_state

# A line per state, a column per event: the state after it, or - for what cannot happen.
TABLE = """
            desire   invalid    start    confirm    retry      lose       absent     refuse     release  retract    gone
pending     pending  parked     sending  delivered  pending    -          pending    parked     -        retracting -
sending     sending  sending    -        delivered  pending    unknown    pending    parked     -        retracting -
delivered   pending  parked     -        delivered  -          -          pending    -          -        retracting -
unknown     unknown  unknown    -        delivered  pending    unknown    pending    parked     -        retracting pending
parked      pending  parked     -        delivered  -          -          -          -          pending  retracting -
retracting  unknown  retracting -        retracting retracting retracting retracting retracting -        retracting retracted
retracted   pending  parked     -        retracting -          -          -          -          -        retracted  -
"""  # noqa: E501 - a table reads best whole
_HEAD, *_LINES = [line.split() for line in TABLE.strip().splitlines()]
CASES = [
    (EntryState(state), EntryEvent(event), None if after == "-" else EntryState(after))
    for state, *cells in _LINES
    for event, after in zip(_HEAD, cells, strict=True)
]


@pytest.mark.parametrize(("state", "event", "after"), CASES)
def test_transition(state: EntryState, event: EntryEvent, after: EntryState | None) -> None:
    if after is None:
        with pytest.raises(ValueError, match="cannot happen"):
            next_state(state, event)
    else:
        assert next_state(state, event) is after


def test_the_table_is_whole() -> None:
    assert {(state, event) for state, event, _ in CASES} == set(itertools.product(EntryState, EntryEvent))
