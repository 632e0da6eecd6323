"""What a settled outcome makes of a line, above all when a newer wish was planned meanwhile."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapter.ledger.entries.comparison import PlannedAction, compare
from adapter.ledger.entries.row_values import SettlementRow, desired_row, retraction_row, settlement_row
from adapter.ledger.schema.states import EntryEvent, EntryState
from adapter.ledger.schema.transitions import (
    MAX_HISTORY_CHARS,
    Transition,
    pack_transition,
    unpack_transitions,
)
from adapter.ledger.schema.values import DeliveryOutcome, DesiredResource, LedgerEntry

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
_COLUMNS = LedgerEntry.__dataclass_fields__


def wish(content: str, problem: str | None = None) -> DesiredResource:
    return DesiredResource("i1", "Observation", 2, "measurement", "k1", content, content.encode(), problem)


def written(row: dict[str, object], before: LedgerEntry | None = None) -> LedgerEntry:
    """The line after a row was written, as the database would give it."""
    empty = dict.fromkeys(_COLUMNS)
    start = {name: getattr(before, name) for name in _COLUMNS} if before else {**empty, "lookups": 0}
    named = {name: value for name, value in row.items() if name in _COLUMNS}
    if not row.get("b_keep", True):
        named["body"] = None
    return LedgerEntry(**{**start, "hospital": "bv", "cadre": "c1", **named})  # type: ignore[arg-type]


def planned(one: DesiredResource, before: LedgerEntry | None = None) -> LedgerEntry:
    return written(desired_row(before, one, "m1", NOW), before)


def started(entry: LedgerEntry) -> LedgerEntry:
    assert entry.state is EntryState.PENDING
    return replace(
        entry, state=EntryState.SENDING, sent_digest=entry.desired_digest, delivered_digest=None, sent_at=NOW
    )


def after(entry: LedgerEntry, event: EntryEvent, **outcome: object) -> LedgerEntry:
    return written(settlement_row(line(entry), DeliveryOutcome("i1", event, **outcome), NOW), entry)  # type: ignore[arg-type]


def line(entry: LedgerEntry) -> SettlementRow:
    return SettlementRow(*(getattr(entry, name) for name in SettlementRow._fields))


def sending(content: str = "v1") -> LedgerEntry:
    return started(planned(wish(content)))


def delivered(content: str = "v1") -> LedgerEntry:
    return after(sending(content), EntryEvent.CONFIRM, remote_id="7", etag='W/"1"')


OUTCOMES = [EntryEvent.CONFIRM, EntryEvent.RETRY, EntryEvent.REFUSE, EntryEvent.ABSENT]


@pytest.mark.parametrize("lost", [False, True], ids=["sending", "unknown"])
@pytest.mark.parametrize("event", OUTCOMES)
def test_a_newer_wish_survives_every_outcome_of_the_older(event: EntryEvent, lost: bool) -> None:
    entry = after(sending(), EntryEvent.LOSE, reason="timeout") if lost else sending()
    newer = planned(wish("v2"), entry)
    assert newer.state is entry.state  # nothing moves while the older is under way
    done = after(newer, event, digest="v1" if event is EntryEvent.CONFIRM else None, counts_as_attempt=True)
    if lost and event is EntryEvent.REFUSE:
        assert (done.state, done.body) == (
            EntryState.PARKED,
            b"v2",
        )  # found twice: that is no matter of content
        return
    assert (done.state, done.desired_digest, done.body) == (EntryState.PENDING, "v2", b"v2")
    assert done.attempts <= 1
    assert compare([done], [wish("v2")])[0].action is PlannedAction.WAITING
    assert after(started(done), EntryEvent.CONFIRM).delivered_digest == "v2"


@pytest.mark.parametrize("event", OUTCOMES)
@pytest.mark.parametrize("lost", [False, True], ids=["sending", "unknown"])
def test_a_newer_wish_that_is_not_valid_is_parked_and_never_sent(event: EntryEvent, lost: bool) -> None:
    newer = planned(wish("v2", "no code"), sending())
    if lost:
        newer = after(newer, EntryEvent.LOSE, reason="timeout")
    done = after(newer, event, reason="busy", digest="v1" if event is EntryEvent.CONFIRM else None)
    assert done.state is EntryState.PARKED
    if not (lost and event is EntryEvent.REFUSE):
        assert (done.reason, done.detail) == ("invalid", "no code")


def test_an_older_version_that_was_delivered_is_told_in_the_history() -> None:
    newer = planned(wish("v2"), sending())
    steps = unpack_transitions(
        settlement_row(line(newer), DeliveryOutcome("i1", EntryEvent.CONFIRM), NOW)["b_step"]
    )
    assert [one.after for one in steps] == [EntryState.DELIVERED, EntryState.PENDING]


def test_a_wish_that_goes_back_to_what_is_under_way_needs_nothing_more() -> None:
    there_and_back = planned(wish("v1"), planned(wish("v2"), sending()))
    assert after(there_and_back, EntryEvent.CONFIRM).state is EntryState.DELIVERED


def test_what_is_retracted_while_it_is_sent_stays_to_be_retracted() -> None:
    leaving = written(retraction_row(sending(), "m1", NOW), sending())
    for event in (*OUTCOMES, EntryEvent.LOSE):
        assert after(leaving, event).state is EntryState.RETRACTING
    assert after(leaving, EntryEvent.GONE).state is EntryState.RETRACTED


def test_attempts_before_a_retraction_do_not_count_for_it() -> None:
    tired = replace(delivered(), attempts=4, reason="conflict")
    leaving = written(retraction_row(tired, "m1", NOW), tired)
    assert (leaving.attempts, leaving.reason) == (0, None)


def test_what_is_wished_for_again_while_it_is_deleted_is_looked_up_first() -> None:
    leaving = written(retraction_row(delivered(), "m1", NOW), delivered())
    again = planned(wish("v1"), leaving)
    assert (again.state, again.sent_at) == (EntryState.UNKNOWN, NOW)
    gone = after(again, EntryEvent.GONE)
    assert (gone.state, gone.remote_id, gone.delivered_digest, gone.body) == (
        EntryState.PENDING,
        None,
        None,
        b"v1",
    )
    kept = after(again, EntryEvent.CONFIRM, digest="v1", remote_id="7")
    assert (kept.state, kept.remote_id) == (EntryState.DELIVERED, "7")
    refused = after(again, EntryEvent.RETRY, reason="still-there")
    assert refused.state is EntryState.PENDING
    changed = after(again, EntryEvent.ABSENT, remote_id="7")
    assert (changed.state, changed.delivered_digest) == (EntryState.PENDING, None)
    assert planned(wish("v1"), changed).state is EntryState.PENDING  # not taken for delivered


def test_what_is_wished_for_again_and_is_not_valid_is_parked_once_it_is_gone() -> None:
    leaving = written(retraction_row(delivered(), "m1", NOW), delivered())
    again = planned(wish("v2", "no code"), leaving)
    assert again.state is EntryState.RETRACTING
    tried = after(again, EntryEvent.RETRY, reason="still-there", counts_as_attempt=True)
    done = after(tried, EntryEvent.GONE)
    assert (done.state, done.reason, done.detail) == (EntryState.PARKED, "invalid", "no code")
    unwished = compare([tried], [])[0]
    assert unwished.action is PlannedAction.RETRACT
    assert (
        after(written(retraction_row(tried, "m1", NOW), tried), EntryEvent.GONE).state is EntryState.RETRACTED
    )


def test_what_was_not_valid_and_is_now_is_planned_anew_though_its_content_is_the_same() -> None:
    parked = planned(wish("v1", "no code"))
    assert compare([parked], [wish("v1", "no code")])[0].action is PlannedAction.WAITING
    assert compare([parked], [wish("v1")])[0].action is PlannedAction.CREATE
    assert planned(wish("v1"), parked).state is EntryState.PENDING


def test_what_was_read_back_as_lost_is_planned_anew_with_its_body() -> None:
    lost = after(delivered(), EntryEvent.ABSENT, clear_remote_id=True)
    assert (lost.state, lost.body, lost.remote_id) == (EntryState.PENDING, None, None)
    assert compare([lost], [wish("v1")])[0].action is PlannedAction.CREATE
    again = planned(wish("v1"), lost)
    assert (again.state, again.body) == (EntryState.PENDING, b"v1")


def test_looks_that_decide_nothing_are_counted_until_one_does() -> None:
    lost = after(sending(), EntryEvent.LOSE, reason="timeout")
    assert lost.lookups == 0
    twice = after(after(lost, EntryEvent.LOSE, reason="timeout"), EntryEvent.LOSE, reason="HTTP 500")
    assert (twice.lookups, twice.sent_at) == (2, NOW)
    assert after(twice, EntryEvent.CONFIRM).lookups == 0


def test_a_refusal_met_before_anything_was_sent_parks() -> None:
    there_twice = after(planned(wish("v1")), EntryEvent.REFUSE, reason="duplicates")
    assert (there_twice.state, there_twice.reason) == (EntryState.PARKED, "duplicates")


def test_every_outcome_that_may_come_for_what_is_under_way_can_be_settled() -> None:
    """Whatever was planned between start and settle, in any order of three."""
    plans = {
        "v2": lambda entry: planned(wish("v2"), entry),
        "bad": lambda entry: planned(wish("v3", "no code"), entry),
        "none": lambda entry: (
            written(retraction_row(entry, "m1", NOW), entry) if entry.desired_digest else entry
        ),
    }
    for lost, chain in itertools.product((False, True), itertools.product(plans, repeat=3)):
        entry = after(sending(), EntryEvent.LOSE) if lost else sending()
        for name in chain:
            entry = plans[name](entry)
        for event in (*OUTCOMES, EntryEvent.LOSE):
            done = after(entry, event, reason="busy")
            if entry.desired_digest is None:
                assert done.state is EntryState.RETRACTING, chain
            elif chain[-1] == "v2":
                assert done.state in (EntryState.PENDING, EntryState.UNKNOWN, EntryState.PARKED), chain
                assert done.desired_digest == "v2"
            else:
                assert done.state not in (EntryState.PENDING, EntryState.DELIVERED, EntryState.RETRACTED), (
                    chain
                )
                assert done.reason == "invalid" or event is EntryEvent.REFUSE, chain


def test_a_history_is_unpacked_as_it_was_packed() -> None:
    steps = [
        (EntryState.PENDING, None),
        (EntryState.SENDING, None),
        (EntryState.PARKED, "refused"),
        (EntryState.RETRACTED, None),
    ]
    packed = "".join(
        pack_transition(state, NOW + timedelta(minutes=index), why)
        for index, (state, why) in enumerate(steps)
    )
    assert len(packed) < 45
    assert unpack_transitions(packed)[2] == Transition(
        NOW + timedelta(minutes=2), EntryState.SENDING, EntryState.PARKED, "refused"
    )
    assert [(one.after, one.reason) for one in unpack_transitions(packed)] == steps
    assert unpack_transitions(packed)[0].before is None
    assert unpack_transitions(None) == unpack_transitions("") == ()


def test_every_state_has_a_letter_and_no_reason_breaks_the_next_step() -> None:
    packed = "".join(pack_transition(state, NOW, "a;b;tbn4k2P" * 9) for state in EntryState)
    assert [one.after for one in unpack_transitions(packed)] == list(EntryState)
    assert len(packed) < MAX_HISTORY_CHARS


@pytest.mark.parametrize("cut", range(12))
def test_a_history_cut_at_its_beginning_loses_whole_steps_only(cut: int) -> None:
    packed = (
        pack_transition(EntryState.PENDING, NOW)
        + pack_transition(EntryState.SENDING, NOW)
        + pack_transition(EntryState.PARKED, NOW, "refused")
    )
    found = unpack_transitions(packed[cut:])
    assert found[-1].after is EntryState.PARKED
    assert {one.at for one in found} == {NOW}
    assert len(found) == (3 if cut == 0 else 2 if cut <= 8 else 1)
