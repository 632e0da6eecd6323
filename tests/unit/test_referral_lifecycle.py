"""A referral's states: the guides' table, and nothing besides."""

from itertools import product

import pytest

from adapter.referrals import lifecycle
from adapter.referrals.course import take_step
from adapter.referrals.lifecycle import (
    BUSINESS_STATUS_SYSTEM,
    FINAL,
    TRANSITIONS,
    ReferralEvent,
    ReferralState,
    business_status,
    next_state,
)
from adapter.referrals.sayings import ReferralSaying, saying_in_status, saying_of, task_status

S, E = ReferralState, ReferralEvent
# As the guide (BSeR, harmonised with IHE 360X) numbers them: from, event, to.
GUIDE = {
    "01": ("", E.SEND, "2.0"),
    "02": ("2.0", E.ACCEPT, "3.0"),
    "03": ("2.0", E.DECLINE, "4.0"),
    "04": ("2.0", E.ASK_TO_CANCEL, "5.2"),
    "05": ("3.0", E.DECLINE, "4.0"),
    "06": ("3.0", E.SCHEDULE, "5.1.1"),
    "07": ("3.0", E.ASK_TO_CANCEL, "5.2"),
    "08": ("3.0", E.INTERIM_NOTE, "5.1.4"),
    "09": ("3.0", E.OUTCOME, "7.0"),
    "10": ("5.1.1", E.DECLINE, "4.0"),
    "11": ("5.1.1", E.SCHEDULE, "5.1.1"),
    "12": ("5.1.1", E.NO_SHOW, "5.1.2"),
    "13": ("5.1.1", E.CANCEL_APPOINTMENT, "5.1.3"),
    "14": ("5.1.1", E.ASK_TO_CANCEL, "5.2"),
    "15": ("5.1.1", E.INTERIM_NOTE, "5.1.4"),
    "16": ("5.1.1", E.OUTCOME, "7.0"),
    "17": ("5.1.2", E.DECLINE, "4.0"),
    "18": ("5.1.2", E.SCHEDULE, "5.1.1"),
    "19": ("5.1.2", E.CANCEL_APPOINTMENT, "5.1.3"),
    "20": ("5.1.2", E.ASK_TO_CANCEL, "5.2"),
    "21": ("5.1.3", E.SCHEDULE, "5.1.1"),
    "22": ("5.1.3", E.ASK_TO_CANCEL, "5.2"),
    "23": ("5.2", E.CONFIRM_CANCELLATION, "6.0"),
    "24": ("5.2", E.OUTCOME, "7.0"),
    "25": ("5.1.4", E.DECLINE, "4.0"),
    "26": ("5.1.4", E.SCHEDULE, "5.1.1"),
    "27": ("5.1.4", E.CANCEL_APPOINTMENT, "5.1.3"),
    "28": ("5.1.4", E.ASK_TO_CANCEL, "5.2"),
    "29": ("5.1.4", E.INTERIM_NOTE, "5.1.4"),
    "30": ("5.1.4", E.OUTCOME, "7.0"),
    "33": ("5.1.3", E.DECLINE, "4.0"),
}
STATES = {business_status(one) or "": one for one in ReferralState}


@pytest.mark.parametrize("number", GUIDE)
def test_each_transition_of_the_guide_is_there(number: str) -> None:
    before, event, after = GUIDE[number]
    assert next_state(STATES[before], event) is STATES[after]


def test_there_are_no_others() -> None:
    known = {(STATES[before], event) for before, event, _ in GUIDE.values()}
    assert known == TRANSITIONS.keys()
    assert not {before for before, _ in known} & FINAL
    others = [pair for pair in product(S, E) if pair not in known]
    assert all(next_state(*pair) is None for pair in others)
    assert all(f" {number}" in lifecycle.__doc__ or f"--{number}--" in lifecycle.__doc__ for number in GUIDE)


@pytest.mark.parametrize("state", ReferralState)
@pytest.mark.parametrize("event", [one for one in ReferralEvent if one is not E.SEND])
def test_what_the_table_does_not_have_changes_nothing_and_is_odd(
    state: ReferralState, event: ReferralEvent
) -> None:
    step = take_step(state, ReferralSaying((event,), explicit=True))
    if (after := next_state(state, event)) is not None:
        assert (step.after, step.events, step.is_odd) == (after, (event,), False)
    elif state is S.RECEIVED and event in (E.SCHEDULE, E.INTERIM_NOTE, E.OUTCOME):
        assert step.events == (E.ACCEPT, event), "whoever answers has accepted"
        assert step.after is next_state(S.ACCEPTED, event)
    else:
        assert (step.after, step.events) == (state, ())
        leads = {one for (_, known), one in TRANSITIONS.items() if known is event}
        again = state in leads or (state is S.COMPLETED and event in (E.OUTCOME, E.INTERIM_NOTE))
        assert step.is_odd is not again


@pytest.mark.parametrize("state", [one for one in ReferralState if one is not S.DRAFT])
def test_a_task_says_its_state_both_ways(state: ReferralState) -> None:
    """What our Task says of a state is understood as that state."""
    coding = {"system": BUSINESS_STATUS_SYSTEM, "code": business_status(state)}
    task = {
        "resourceType": "Task",
        "status": task_status(state),
        "businessStatus": {"coding": [{"system": "urn:own", "code": "9"}, coding]},
    }
    saying = saying_of(task)
    if state in (S.RECEIVED, S.CANCELLATION_ASKED):  # the centre's own
        assert saying == saying_in_status("Task", str(task["status"]))
        return
    assert saying is not None
    assert {take_step(one, saying).after for one in S} >= {state}
    assert take_step(state, saying).after is state


@pytest.mark.parametrize(
    ("type_", "statuses", "state"),
    [
        ("Observation", ("final",), S.VISIT_DONE),
        ("Observation", ("entered-in-error",), S.RECEIVED),
        ("DiagnosticReport", ("registered", "preliminary", "preliminary"), S.VISIT_DONE),
        ("DiagnosticReport", ("preliminary", "final", "preliminary"), S.COMPLETED),
        ("Procedure", ("completed",), S.COMPLETED),
        ("Procedure", ("preparation", "not-done"), S.DECLINED),
        ("Task", ("received",), S.RECEIVED),
        ("Task", ("accepted", "in-progress", "completed"), S.COMPLETED),
        ("Task", ("accepted", "failed", "accepted"), S.DECLINED),
        ("Task", ("in-progress", "cancelled"), S.DECLINED),
        ("ServiceRequest", ("active", "completed"), S.COMPLETED),
        ("ServiceRequest", ("revoked",), S.DECLINED),
        ("Patient", ("final",), S.RECEIVED),
    ],
)
def test_statuses_alone_say_what_they_can(
    type_: str, statuses: tuple[str, ...], state: ReferralState
) -> None:
    found = S.RECEIVED
    for status in statuses:
        if (saying := saying_in_status(type_, status)) is not None:
            found = take_step(found, saying).after
    assert found is state


def test_an_outcome_after_we_asked_to_cancel_completes() -> None:
    outcome = saying_in_status("DiagnosticReport", "final")
    cancelled = saying_in_status("Task", "cancelled")
    assert outcome is not None
    assert cancelled is not None
    assert take_step(S.CANCELLATION_ASKED, outcome).after is S.COMPLETED
    assert take_step(S.CANCELLATION_ASKED, cancelled).after is S.CANCELLED
    assert take_step(S.CANCELLED, outcome).is_odd
