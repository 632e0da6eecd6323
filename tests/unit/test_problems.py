"""What a person must know, judged from facts; and when he is told it again."""

import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.main import get_command

from adapter.cli.app import app
from adapter.inbox.quarantine.store import RefusedBacklog
from adapter.insights.problems import HospitalFacts, Problem, ProblemFacts, find_problems, token_expiry
from adapter.ledger.hospitals.circuit_breaker import BreakerState, HospitalMode
from adapter.ledger.hospitals.values import HospitalState
from adapter.ledger.monitoring.alarms import AlarmState, compare_alarms
from adapter.ledger.monitoring.overdue import Backlog
from adapter.ledger.parking import ParkedGroup
from adapter.ledger.server_cards.card import ServerCard
from adapter.ledger.server_cards.store import StoredCard
from adapter.settings import AlarmSettings
from adapter.texts import catalogue

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
LIMITS = AlarmSettings()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WELL = HospitalState("bv", last_contact=NOW - MINUTE)
GOOD_CARD = StoredCard(ServerCard(tls_until="2027-11-22T08:00:00+00:00"), NOW - DAY, None)
GOOD = HospitalFacts(row=WELL, holds=True, card=GOOD_CARD)
OLD = Backlog(3, NOW - 9 * DAY)


def failing(since: timedelta, error: str = "timeout") -> HospitalState:
    return replace(WELL, failures=9, failing_since=NOW - since, last_error=error, breaker=BreakerState.OPEN)


def stopped(since: timedelta, mode: HospitalMode = HospitalMode.PAUSED) -> HospitalState:
    return replace(WELL, mode=mode, mode_at=NOW - since)


CASES: list[tuple[str | None, HospitalFacts]] = [
    (None, GOOD),
    ("unreachable", replace(GOOD, row=failing(61 * MINUTE))),
    (None, replace(GOOD, row=failing(59 * MINUTE))),
    ("auth", replace(GOOD, row=failing(MINUTE, "auth"))),
    ("tls", replace(GOOD, row=failing(MINUTE, "tls"))),
    ("not-fhir", replace(GOOD, row=failing(MINUTE, "not-fhir"))),
    ("other-server", replace(GOOD, halted="other-server")),
    ("restored", replace(GOOD, halted="restored", row=replace(WELL, halted_at=NOW - MINUTE))),
    ("restored", replace(GOOD, halted="restored", row=failing(9 * DAY))),
    ("other-key", replace(GOOD, other_key=True)),
    ("former-key", replace(GOOD, former_key=3)),
    ("paused", replace(GOOD, row=stopped(25 * HOUR))),
    ("paused", replace(GOOD, row=stopped(25 * HOUR, HospitalMode.DRAINING))),
    (None, replace(GOOD, row=stopped(23 * HOUR))),
    (None, replace(GOOD, row=replace(stopped(HOUR), failing_since=NOW - 9 * DAY), idle=OLD)),
    ("parked", replace(GOOD, parked=(ParkedGroup("bv", "refused", 2, 0, NOW),))),
    ("unknown", replace(GOOD, unknown=OLD)),
    ("leaving", replace(GOOD, retracting=OLD)),
    ("referrals", replace(GOOD, referrals=OLD)),
    ("unmatched", replace(GOOD, unmatched=OLD)),
    ("unseen", replace(GOOD, unseen=OLD)),
    ("refused", replace(GOOD, refused=RefusedBacklog(12, NOW, 3))),
    ("subscription", replace(GOOD, subscriptions=OLD)),
    ("files", replace(GOOD, files=OLD)),
    ("files", replace(GOOD, files=Backlog(1, None))),
    ("poll", replace(GOOD, polls=OLD)),
    ("late", replace(GOOD, late=(("not-accepted", OLD),))),
    ("idle", replace(GOOD, idle=OLD, row=replace(WELL, last_contact=NOW - 3 * HOUR))),
    ("idle", replace(GOOD, idle=OLD, row=replace(WELL, last_contact=None))),
    (None, replace(GOOD, idle=OLD)),  # much is due, and it is being sent
    (None, replace(GOOD, idle=OLD, row=replace(failing(MINUTE), last_contact=None))),
    ("mapping", replace(GOOD, mapping="unaccepted")),
    ("disclosures", replace(GOOD, disclosures=7)),
    ("no-token", replace(GOOD, token_unreadable=True)),
    ("token", replace(GOOD, token_expires_at=NOW + 6 * DAY)),
    ("token", replace(GOOD, token_expires_at=NOW - DAY)),
    (None, replace(GOOD, token_expires_at=NOW + 8 * DAY)),
    ("redirected", replace(GOOD, row=failing(MINUTE, "redirected https://other.example/fhir"))),
    ("no-card", replace(GOOD, card=None)),
    (None, replace(GOOD, card=None, holds=False)),
    (
        "card-drift",
        replace(GOOD, card=replace(GOOD_CARD, drift="paging: true -> false; batch: true -> false")),
    ),
    (
        "certificate",
        replace(GOOD, card=replace(GOOD_CARD, card=ServerCard(tls_until="2026-12-01T00:00:00+00:00"))),
    ),
    (None, replace(GOOD, card=replace(GOOD_CARD, card=ServerCard(tls_until="not a date")))),
]


@pytest.mark.parametrize(("code", "there"), CASES)
def test_a_hospital_is_judged(code: str | None, there: HospitalFacts) -> None:
    found = find_problems(ProblemFacts({"bv": there}), LIMITS, NOW)
    assert [one.code for one in found] == ([code] if code else [])
    assert all(one.hospital == "bv" for one in found)


AT_HOME: list[tuple[str | None, ProblemFacts]] = [
    (None, ProblemFacts(disk_free_mb=1001)),
    ("disk", ProblemFacts(disk_free_mb=999)),
    ("policy", ProblemFacts(policy_wrong=True)),
    ("no-key", ProblemFacts(key_unreadable=True)),
    ("weak-key", ProblemFacts(weak_key=True)),
    ("worker", ProblemFacts(silent_workers=OLD)),
    ("read-only", ProblemFacts(read_only=True)),
    ("audit", ProblemFacts(audit_trouble="back")),
    ("open-files", ProblemFacts(readable_by_others=2)),
    ("merged", ProblemFacts(orphaned_merges=1)),
    ("doubles", ProblemFacts(shared_numbers=1)),
    ("held", ProblemFacts(held=OLD)),
    ("way", ProblemFacts(failed_channels=("mail",))),
]


@pytest.mark.parametrize(("code", "known"), AT_HOME)
def test_the_adapter_itself_is_judged(code: str | None, known: ProblemFacts) -> None:
    found = find_problems(known, LIMITS, NOW)
    assert [(one.code, one.hospital) for one in found] == ([(code, "")] if code else [])


def test_what_waits_for_a_hospital_that_left_the_settings_is_told() -> None:
    found = find_problems(ProblemFacts({"bv": GOOD}, removed={"bv-gone": OLD}), LIMITS, NOW)
    assert [(one.code, one.hospital, one.count, one.since) for one in found] == [
        ("removed", "bv-gone", OLD.count, OLD.since)
    ]


def test_each_cause_of_what_is_parked_is_a_problem_of_its_own_with_its_command() -> None:
    words = ("refused", "invalid", "multiple-matches", "duplicates")
    groups = tuple(ParkedGroup("bv", word, 1, 0, NOW) for word in words)
    found = find_problems(ProblemFacts({"bv": replace(GOOD, parked=groups)}), LIMITS, NOW)
    assert [(one.key, one.command) for one in found] == [
        (("bv", "parked-refused"), "adapter release bv --reason refused"),
        (("bv", "parked-invalid"), "adapter import"),
        (("bv", "parked-multiple-matches"), "adapter reconcile bv --repair"),
        (("bv", "parked-duplicates"), "adapter reconcile bv --repair"),
    ]


def _all() -> list[Problem]:
    hospital = [one for _, there in CASES for one in find_problems(ProblemFacts({"bv": there}), LIMITS, NOW)]
    removed = find_problems(ProblemFacts(removed={"bv-gone": OLD}), LIMITS, NOW)
    halted = replace(GOOD, nameless=Backlog(2, NOW), halted="restored")
    hospital += find_problems(ProblemFacts({"bv": halted}), LIMITS, NOW)
    return hospital + removed + [one for _, known in AT_HOME for one in find_problems(known, LIMITS, NOW)]


def test_every_problem_has_words_a_line_in_the_manual_and_a_command_that_exists() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
    table = manual.partition("## What a person must know")[2].partition("\n## ")[0]
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    told = {one.code for one in _all()}
    assert told == set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.M))))
    for one in _all():
        assert f"problems.{one.code}" in catalogue("vi"), one.code
        assert "{" not in one.words
        first, *rest = one.command.split()
        assert first == "df" or (first == "adapter" and rest[0] in commands), one.command


def _token(claims: object) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    ("token", "ends"),
    [
        (_token({"exp": NOW.timestamp()}), NOW),
        (_token({"sub": "x"}), None),
        (_token({"exp": "soon"}), None),
        (_token({"exp": 1e300}), None),
        (_token([1]), None),
        ("opaque", None),
        ("a.b.c", None),
        ("a.\u00e9.c", None),
    ],
)
def test_when_a_token_ends(token: str, ends: datetime | None) -> None:
    assert token_expiry(token) == ends


KEY = ("bv", "unreachable")
TOLD = AlarmState(NOW - HOUR, 4, NOW - HOUR, 4)


@pytest.mark.parametrize(
    ("before", "count", "what"),
    [
        ({}, 4, "began"),
        ({KEY: replace(TOLD, told_at=None, told_count=None)}, 4, "began"),  # nobody could be told
        ({KEY: TOLD}, 4, ""),
        ({KEY: TOLD}, 13, ""),
        ({KEY: TOLD}, 14, "again"),
        ({KEY: replace(TOLD, told_at=NOW - DAY)}, 4, "again"),
        ({KEY: replace(TOLD, told_at=NOW + 2 * DAY)}, 4, "again"),  # told by a clock that was wrong
        ({KEY: TOLD}, None, "ended"),
        ({KEY: replace(TOLD, told_at=None)}, None, ""),
    ],
)
def test_what_is_told(before: dict[tuple[str, str], AlarmState], count: int | None, what: str) -> None:
    troubles = {} if count is None else {KEY: (None, count)}
    news = compare_alarms(before, troubles, NOW, DAY)
    assert {name for name in ("began", "again", "ended") if getattr(news, name)} == ({what} - {""})
    assert news.is_news == bool(what)
    after = news.after_sending(NOW)
    assert set(after) == set(troubles)
    assert not compare_alarms(after, troubles, NOW + HOUR, DAY).is_news


def test_since_when_is_the_earliest_that_is_known() -> None:
    assert compare_alarms({}, {KEY: (None, 1)}, NOW, DAY).alarms[KEY].since == NOW
    assert compare_alarms({}, {KEY: (NOW - DAY, 1)}, NOW, DAY).alarms[KEY].since == NOW - DAY
    assert compare_alarms({KEY: TOLD}, {KEY: (None, 1)}, NOW, DAY).alarms[KEY].since == TOLD.since


def test_what_ended_and_could_not_be_told_is_told_next_time() -> None:
    news = compare_alarms({KEY: TOLD}, {}, NOW, DAY)
    assert compare_alarms(news.after_failed_sending({KEY: TOLD}), {}, NOW, DAY).ended == (KEY,)


@pytest.mark.parametrize("halted", ["restored", None])
def test_withdrawals_wait_where_nothing_can_be_written(halted: str | None) -> None:
    there = replace(GOOD, nameless=Backlog(2, NOW), halted=halted)
    found = find_problems(ProblemFacts({"bv": there}), LIMITS, NOW)
    counts = {one.code: one.count for one in found}
    assert counts == ({"restored": 1, "withdrawals": 2} if halted else {})
