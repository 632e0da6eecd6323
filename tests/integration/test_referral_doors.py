"""Every transition of a referral, through every door: the same states."""

from datetime import timedelta
from typing import Any

import inbox_centre
import pytest
from hl7v2_door import EVENT_MESSAGES, IDENTITY, resources_of
from referral_courses import COURSES, ReferralCourse
from sqlalchemy import Engine

from adapter.records.referral_answers import asked_to_cancel
from adapter.referrals.lifecycle import (
    BUSINESS_STATUS_SYSTEM,
    TRANSITIONS,
    ReferralEvent,
    ReferralState,
    business_status,
    next_state,
)
from adapter.referrals.sayings import task_status

E = ReferralEvent


class TaskDoor:
    """A hospital with a FHIR server: it changes its Task, again and again."""

    def __init__(self, engine: Engine) -> None:
        self.people = inbox_centre.Centre(engine)
        self.now = inbox_centre.NOW

    def happens(self, event: ReferralEvent, leads_to: ReferralState) -> None:
        self.now += timedelta(hours=1)
        if event is E.ASK_TO_CANCEL:
            self.people.store.amend_referral(
                "GT-1",
                lambda one: asked_to_cancel(one, self.now),
            )
            return
        self.says(event, leads_to)

    def says(self, event: ReferralEvent, leads_to: ReferralState) -> None:
        """What the hospital sends."""
        self.people.receive(self.task(leads_to), "t1", now=self.now)
        self.people.process(now=self.now)

    def task(self, state: ReferralState) -> dict[str, Any]:
        coding = {"system": BUSINESS_STATUS_SYSTEM, "code": business_status(state)}
        return {
            "resourceType": "Task",
            "intent": "order",
            "identifier": [{"system": "urn:his:task", "value": "T-1"}],
            "status": task_status(state),
            "businessStatus": {"coding": [coding]},
            "focus": {"identifier": {"system": inbox_centre.OURS, "value": "idref1"}},
            "lastModified": self.now.isoformat(),
        }


class MessageDoor(TaskDoor):
    """A hospital that speaks HL7 v2, in the first of the ways in which it can say each."""

    way = 0

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.people.referral_identities = {IDENTITY: "GT-1"}  # type: ignore[misc] # of this one alone

    def says(self, event: ReferralEvent, leads_to: ReferralState) -> None:
        kind, *segments = EVENT_MESSAGES[event][self.way]
        for number, one in enumerate(resources_of(kind, *segments, ours=inbox_centre.OURS, at=self.now)):
            self.people.receive(one, f"{one['resourceType']}-{number}", now=self.now)
            self.people.process(now=self.now)


class OtherMessageDoor(MessageDoor):
    """The same, in the last of the ways."""

    way = -1


def test_there_is_a_course_for_each() -> None:
    assert len(COURSES) == len(TRANSITIONS) - 1


@pytest.mark.parametrize("made", [TaskDoor, MessageDoor, OtherMessageDoor])
@pytest.mark.parametrize("course", COURSES, ids=str)
def test_a_course_leads_where_the_guide_says(
    engine: Engine, course: ReferralCourse, made: type[TaskDoor]
) -> None:
    door, state = made(engine), ReferralState.RECEIVED
    for event in course.events:
        state = next_state(state, event) or state
        door.happens(event, state)
    assert door.people.referral("GT-1").state is course.after
