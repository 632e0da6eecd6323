"""Where a referral's loop stands, on one line."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.insights.referral_loops import ReferralLoop, StepName, StepState, referral_loop
from adapter.records.model import Referral
from adapter.records.referral_answers import ReferralMoment
from adapter.referrals.lifecycle import ReferralState

DAY = timedelta(days=1)
ORDERED = datetime(2026, 11, 2, 8, tzinfo=UTC)
SENT = ORDERED + timedelta(hours=1)
S = ReferralState
DONE, UNTOLD, WAITING, AHEAD, STOPPED = StepState


def loop(state: ReferralState, *moments: ReferralMoment, **more: Any) -> ReferralLoop:
    delivered = more.pop("delivered_at", SENT)
    one = Referral(
        key="GT-1",
        cadre="CB-1",
        hospital="bv-tinh",
        service="WORKUP-CARD",
        ordered_at=ORDERED,
        state=state,
        **more,
    )
    return referral_loop(one, moments, service="Khám tim mạch", sent_at=delivered, delivered_at=delivered)


def told(state: ReferralState, days: int, *, is_odd: bool = False) -> ReferralMoment:
    return ReferralMoment(ORDERED + days * DAY, "Task", "accepted", state, is_odd)


def states(found: ReferralLoop) -> list[StepState]:
    return [one.state for one in found.steps]


def test_what_is_not_sent_waits_to_be_sent_since_it_was_ordered() -> None:
    found = loop(S.RECEIVED, delivered_at=None)
    assert states(found) == [DONE, WAITING, AHEAD, AHEAD, AHEAD, AHEAD, AHEAD]
    assert found.waiting is not None
    assert (found.waiting.name, found.waiting.at) == (StepName.SENT, ORDERED)


def test_each_step_has_its_date_and_the_next_says_since_when_it_is_waited_for() -> None:
    found = loop(S.SCHEDULED, told(S.ACCEPTED, 1), told(S.SCHEDULED, 2), appointment_at=ORDERED + 9 * DAY)
    assert states(found) == [DONE, DONE, DONE, DONE, WAITING, AHEAD, AHEAD]
    dates = [one.at for one in found.steps[:5]]
    assert dates == [ORDERED, SENT, ORDERED + DAY, ORDERED + 2 * DAY, ORDERED + 2 * DAY]
    assert found.steps[3].planned == ORDERED + 9 * DAY


def test_an_answer_without_an_appointment_leaves_steps_of_which_nobody_said_when() -> None:
    found = loop(S.COMPLETED, told(S.COMPLETED, 3), fulfilled_by="R-1")
    assert states(found) == [DONE, DONE, DONE, UNTOLD, UNTOLD, DONE, WAITING]
    assert (found.waiting is not None and found.waiting.at, found.result) == (ORDERED + 3 * DAY, "R-1")
    seen = loop(S.COMPLETED, told(S.COMPLETED, 3), acknowledged_at=ORDERED + 4 * DAY)
    assert (states(seen)[-1], seen.waiting) == (DONE, None)


def test_who_did_not_come_waits_for_another_appointment() -> None:
    found = loop(S.NO_SHOW, told(S.ACCEPTED, 1), told(S.SCHEDULED, 2), told(S.NO_SHOW, 5))
    assert (found.waiting is not None and found.waiting.name) is StepName.SCHEDULED


@pytest.mark.parametrize("state", [S.DECLINED, S.CANCELLED])
def test_what_is_over_waits_for_nothing_and_says_why(state: ReferralState) -> None:
    found = loop(state, told(S.ACCEPTED, 1), told(state, 2), said="hết giường")
    assert found.waiting is None
    assert states(found)[3:] == [STOPPED] * 4
    assert found.reason == "hết giường"


def test_what_fits_nowhere_gives_no_date() -> None:
    found = loop(S.RECEIVED, told(S.SCHEDULED, 2, is_odd=True))
    assert states(found) == [DONE, DONE, WAITING, AHEAD, AHEAD, AHEAD, AHEAD]
