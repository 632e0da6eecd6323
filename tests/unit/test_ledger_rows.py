"""What a settled outcome makes of a line, above all when a newer wish was planned meanwhile."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapter.ledger.diff import Action, compare
from adapter.ledger.history import LIMIT, Transition, step, unpack
from adapter.ledger.model import Desired, Entry, Settled
from adapter.ledger.rows import Line, retracted, settled, wished
from adapter.ledger.state import Event, State

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
_COLUMNS = Entry.__dataclass_fields__


def wish(content: str, problem: str | None = None) -> Desired:
    return Desired("i1", "Observation", 2, "measurement", "k1", content, content.encode(), problem)


def written(row: dict[str, object], before: Entry | None = None) -> Entry:
    """The line after a row was written, as the database would give it."""
    empty = dict.fromkeys(_COLUMNS)
    start = {name: getattr(before, name) for name in _COLUMNS} if before else {**empty, "lookups": 0}
    named = {name: value for name, value in row.items() if name in _COLUMNS}
    if not row.get("b_keep", True):
        named["body"] = None
    return Entry(**{**start, "hospital": "bv", "cadre": "c1", **named})  # type: ignore[arg-type]


def planned(one: Desired, before: Entry | None = None) -> Entry:
    return written(wished(before, one, "m1", NOW), before)


def started(entry: Entry) -> Entry:
    assert entry.state is State.PENDING
    return replace(
        entry, state=State.SENDING, sent_digest=entry.desired_digest, delivered_digest=None, sent_at=NOW
    )


def after(entry: Entry, event: Event, **outcome: object) -> Entry:
    return written(settled(line(entry), Settled("i1", event, **outcome), NOW), entry)  # type: ignore[arg-type]


def line(entry: Entry) -> Line:
    return Line(*(getattr(entry, name) for name in Line._fields))


def sending(content: str = "v1") -> Entry:
    return started(planned(wish(content)))


def delivered(content: str = "v1") -> Entry:
    return after(sending(content), Event.CONFIRM, remote_id="7", etag='W/"1"')


OUTCOMES = [Event.CONFIRM, Event.RETRY, Event.REFUSE, Event.ABSENT]


@pytest.mark.parametrize("lost", [False, True], ids=["sending", "unknown"])
@pytest.mark.parametrize("event", OUTCOMES)
def test_a_newer_wish_survives_every_outcome_of_the_older(event: Event, lost: bool) -> None:
    entry = after(sending(), Event.LOSE, reason="timeout") if lost else sending()
    newer = planned(wish("v2"), entry)
    assert newer.state is entry.state  # nothing moves while the older is under way
    done = after(newer, event, digest="v1" if event is Event.CONFIRM else None, burn=True)
    if lost and event is Event.REFUSE:
        assert (done.state, done.body) == (State.PARKED, b"v2")  # found twice: that is no matter of content
        return
    assert (done.state, done.desired_digest, done.body) == (State.PENDING, "v2", b"v2")
    assert done.attempts <= 1
    assert compare([done], [wish("v2")])[0].action is Action.WAITING
    assert after(started(done), Event.CONFIRM).delivered_digest == "v2"


@pytest.mark.parametrize("event", OUTCOMES)
@pytest.mark.parametrize("lost", [False, True], ids=["sending", "unknown"])
def test_a_newer_wish_that_is_not_valid_is_parked_and_never_sent(event: Event, lost: bool) -> None:
    newer = planned(wish("v2", "no code"), sending())
    if lost:
        newer = after(newer, Event.LOSE, reason="timeout")
    done = after(newer, event, reason="busy", digest="v1" if event is Event.CONFIRM else None)
    assert done.state is State.PARKED
    if not (lost and event is Event.REFUSE):
        assert (done.reason, done.detail) == ("invalid", "no code")


def test_an_older_version_that_was_delivered_is_told_in_the_history() -> None:
    newer = planned(wish("v2"), sending())
    steps = unpack(settled(line(newer), Settled("i1", Event.CONFIRM), NOW)["b_step"])
    assert [one.after for one in steps] == [State.DELIVERED, State.PENDING]


def test_a_wish_that_goes_back_to_what_is_under_way_needs_nothing_more() -> None:
    there_and_back = planned(wish("v1"), planned(wish("v2"), sending()))
    assert after(there_and_back, Event.CONFIRM).state is State.DELIVERED


def test_what_is_retracted_while_it_is_sent_stays_to_be_retracted() -> None:
    leaving = written(retracted(sending(), "m1", NOW), sending())
    for event in (*OUTCOMES, Event.LOSE):
        assert after(leaving, event).state is State.RETRACTING
    assert after(leaving, Event.GONE).state is State.RETRACTED


def test_attempts_before_a_retraction_do_not_count_for_it() -> None:
    tired = replace(delivered(), attempts=4, reason="conflict")
    leaving = written(retracted(tired, "m1", NOW), tired)
    assert (leaving.attempts, leaving.reason) == (0, None)


def test_what_is_wished_for_again_while_it_is_deleted_is_looked_up_first() -> None:
    leaving = written(retracted(delivered(), "m1", NOW), delivered())
    again = planned(wish("v1"), leaving)
    assert (again.state, again.sent_at) == (State.UNKNOWN, NOW)
    gone = after(again, Event.GONE)
    assert (gone.state, gone.remote_id, gone.delivered_digest, gone.body) == (
        State.PENDING,
        None,
        None,
        b"v1",
    )
    kept = after(again, Event.CONFIRM, digest="v1", remote_id="7")
    assert (kept.state, kept.remote_id) == (State.DELIVERED, "7")
    refused = after(again, Event.RETRY, reason="still-there")
    assert refused.state is State.PENDING
    changed = after(again, Event.ABSENT, remote_id="7")
    assert (changed.state, changed.delivered_digest) == (State.PENDING, None)
    assert planned(wish("v1"), changed).state is State.PENDING  # not taken for delivered


def test_what_is_wished_for_again_and_is_not_valid_is_parked_once_it_is_gone() -> None:
    leaving = written(retracted(delivered(), "m1", NOW), delivered())
    again = planned(wish("v2", "no code"), leaving)
    assert again.state is State.RETRACTING
    tried = after(again, Event.RETRY, reason="still-there", burn=True)
    done = after(tried, Event.GONE)
    assert (done.state, done.reason, done.detail) == (State.PARKED, "invalid", "no code")
    unwished = compare([tried], [])[0]
    assert unwished.action is Action.RETRACT
    assert after(written(retracted(tried, "m1", NOW), tried), Event.GONE).state is State.RETRACTED


def test_what_was_not_valid_and_is_now_is_planned_anew_though_its_content_is_the_same() -> None:
    parked = planned(wish("v1", "no code"))
    assert compare([parked], [wish("v1", "no code")])[0].action is Action.WAITING
    assert compare([parked], [wish("v1")])[0].action is Action.CREATE
    assert planned(wish("v1"), parked).state is State.PENDING


def test_what_was_read_back_as_lost_is_planned_anew_with_its_body() -> None:
    lost = after(delivered(), Event.ABSENT, forget=True)
    assert (lost.state, lost.body, lost.remote_id) == (State.PENDING, None, None)
    assert compare([lost], [wish("v1")])[0].action is Action.CREATE
    again = planned(wish("v1"), lost)
    assert (again.state, again.body) == (State.PENDING, b"v1")


def test_looks_that_decide_nothing_are_counted_until_one_does() -> None:
    lost = after(sending(), Event.LOSE, reason="timeout")
    assert lost.lookups == 0
    twice = after(after(lost, Event.LOSE, reason="timeout"), Event.LOSE, reason="HTTP 500")
    assert (twice.lookups, twice.sent_at) == (2, NOW)
    assert after(twice, Event.CONFIRM).lookups == 0


def test_a_refusal_met_before_anything_was_sent_parks() -> None:
    there_twice = after(planned(wish("v1")), Event.REFUSE, reason="duplicates")
    assert (there_twice.state, there_twice.reason) == (State.PARKED, "duplicates")


def test_every_outcome_that_may_come_for_what_is_under_way_can_be_settled() -> None:
    """Whatever was planned between start and settle, in any order of three."""
    plans = {
        "v2": lambda entry: planned(wish("v2"), entry),
        "bad": lambda entry: planned(wish("v3", "no code"), entry),
        "none": lambda entry: written(retracted(entry, "m1", NOW), entry) if entry.desired_digest else entry,
    }
    for lost, chain in itertools.product((False, True), itertools.product(plans, repeat=3)):
        entry = after(sending(), Event.LOSE) if lost else sending()
        for name in chain:
            entry = plans[name](entry)
        for event in (*OUTCOMES, Event.LOSE):
            done = after(entry, event, reason="busy")
            if entry.desired_digest is None:
                assert done.state is State.RETRACTING, chain
            elif chain[-1] == "v2":
                assert done.state in (State.PENDING, State.UNKNOWN, State.PARKED), chain
                assert done.desired_digest == "v2"
            else:
                assert done.state not in (State.PENDING, State.DELIVERED, State.RETRACTED), chain
                assert done.reason == "invalid" or event is Event.REFUSE, chain


def test_a_history_is_unpacked_as_it_was_packed() -> None:
    steps = [(State.PENDING, None), (State.SENDING, None), (State.PARKED, "refused"), (State.RETRACTED, None)]
    packed = "".join(
        step(state, NOW + timedelta(minutes=index), why) for index, (state, why) in enumerate(steps)
    )
    assert len(packed) < 45
    assert unpack(packed)[2] == Transition(NOW + timedelta(minutes=2), State.SENDING, State.PARKED, "refused")
    assert [(one.after, one.reason) for one in unpack(packed)] == steps
    assert unpack(packed)[0].before is None
    assert unpack(None) == unpack("") == ()


def test_every_state_has_a_letter_and_no_reason_breaks_the_next_step() -> None:
    packed = "".join(step(state, NOW, "a;b;tbn4k2P" * 9) for state in State)
    assert [one.after for one in unpack(packed)] == list(State)
    assert len(packed) < LIMIT


@pytest.mark.parametrize("cut", range(12))
def test_a_history_cut_at_its_beginning_loses_whole_steps_only(cut: int) -> None:
    packed = step(State.PENDING, NOW) + step(State.SENDING, NOW) + step(State.PARKED, NOW, "refused")
    found = unpack(packed[cut:])
    assert found[-1].after is State.PARKED
    assert {one.at for one in found} == {NOW}
    assert len(found) == (3 if cut == 0 else 2 if cut <= 8 else 1)
