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
from adapter.ledger.alarms import Bell, weigh
from adapter.ledger.card import Card
from adapter.ledger.cards import StoredCard
from adapter.ledger.model import HospitalState
from adapter.ledger.pace import Breaker, Mode
from adapter.ledger.parking import Group
from adapter.ledger.waiting import Aged
from adapter.pipeline.problems import AtHospital, Facts, Problem, expires, judged
from adapter.settings import Alarm
from adapter.texts import catalogue

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
LIMITS = Alarm()
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WELL = HospitalState("bv", last_contact=NOW - MINUTE)
GOOD_CARD = StoredCard(Card(tls_until="2027-11-22T08:00:00+00:00"), NOW - DAY, None)
GOOD = AtHospital(row=WELL, holds=True, card=GOOD_CARD)
OLD = Aged(3, NOW - 9 * DAY)


def failing(since: timedelta, error: str = "timeout") -> HospitalState:
    return replace(WELL, failures=9, failing_since=NOW - since, last_error=error, breaker=Breaker.OPEN)


def stopped(since: timedelta, mode: Mode = Mode.PAUSED) -> HospitalState:
    return replace(WELL, mode=mode, mode_at=NOW - since)


CASES: list[tuple[str | None, AtHospital]] = [
    (None, GOOD),
    ("unreachable", replace(GOOD, row=failing(61 * MINUTE))),
    (None, replace(GOOD, row=failing(59 * MINUTE))),
    ("auth", replace(GOOD, row=failing(MINUTE, "auth"))),
    ("paused", replace(GOOD, row=stopped(25 * HOUR))),
    ("paused", replace(GOOD, row=stopped(25 * HOUR, Mode.DRAINING))),
    (None, replace(GOOD, row=stopped(23 * HOUR))),
    (None, replace(GOOD, row=replace(stopped(HOUR), failing_since=NOW - 9 * DAY), idle=OLD)),
    ("parked", replace(GOOD, parked=(Group("bv", "refused", 2, 0, NOW),))),
    ("unknown", replace(GOOD, unknown=OLD)),
    ("leaving", replace(GOOD, leaving=OLD)),
    ("referrals", replace(GOOD, referrals=OLD)),
    ("unmatched", replace(GOOD, unmatched=OLD)),
    ("unanswered", replace(GOOD, unanswered=OLD)),
    ("idle", replace(GOOD, idle=OLD, row=replace(WELL, last_contact=NOW - 3 * HOUR))),
    ("idle", replace(GOOD, idle=OLD, row=replace(WELL, last_contact=None))),
    (None, replace(GOOD, idle=OLD)),  # much is due, and it is being sent
    (None, replace(GOOD, idle=OLD, row=replace(failing(MINUTE), last_contact=None))),
    ("mapping", replace(GOOD, mapping="unaccepted")),
    ("no-token", replace(GOOD, no_token=True)),
    ("token", replace(GOOD, token=NOW + 6 * DAY)),
    ("token", replace(GOOD, token=NOW - DAY)),
    (None, replace(GOOD, token=NOW + 8 * DAY)),
    ("no-card", replace(GOOD, card=None)),
    (None, replace(GOOD, card=None, holds=False)),
    (
        "card-drift",
        replace(GOOD, card=replace(GOOD_CARD, drift="paging: true -> false; batch: true -> false")),
    ),
    ("certificate", replace(GOOD, card=replace(GOOD_CARD, card=Card(tls_until="2026-12-01T00:00:00+00:00")))),
    (None, replace(GOOD, card=replace(GOOD_CARD, card=Card(tls_until="not a date")))),
]


@pytest.mark.parametrize(("code", "there"), CASES)
def test_a_hospital_is_judged(code: str | None, there: AtHospital) -> None:
    found = judged(Facts({"bv": there}), LIMITS, NOW)
    assert [one.code for one in found] == ([code] if code else [])
    assert all(one.hospital == "bv" for one in found)


AT_HOME: list[tuple[str | None, Facts]] = [
    (None, Facts(disk_free_mb=1001)),
    ("disk", Facts(disk_free_mb=999)),
    ("policy", Facts(policy_wrong=True)),
    ("worker", Facts(silent=OLD)),
    ("read-only", Facts(read_only=True)),
    ("merged", Facts(headless=1)),
    ("way", Facts(ways_failed=("mail",))),
]


@pytest.mark.parametrize(("code", "known"), AT_HOME)
def test_the_adapter_itself_is_judged(code: str | None, known: Facts) -> None:
    found = judged(known, LIMITS, NOW)
    assert [(one.code, one.hospital) for one in found] == ([(code, "")] if code else [])


def test_what_waits_for_a_hospital_that_left_the_settings_is_told() -> None:
    found = judged(Facts({"bv": GOOD}, removed={"bv-gone": OLD}), LIMITS, NOW)
    assert [(one.code, one.hospital, one.count, one.since) for one in found] == [
        ("removed", "bv-gone", OLD.count, OLD.since)
    ]


def test_each_cause_of_what_is_parked_is_a_problem_of_its_own_with_its_command() -> None:
    words = ("refused", "invalid", "multiple-matches", "duplicates")
    groups = tuple(Group("bv", word, 1, 0, NOW) for word in words)
    found = judged(Facts({"bv": replace(GOOD, parked=groups)}), LIMITS, NOW)
    assert [(one.key, one.command) for one in found] == [
        (("bv", "parked-refused"), "adapter release bv --reason refused"),
        (("bv", "parked-invalid"), "adapter import"),
        (("bv", "parked-multiple-matches"), "adapter reconcile bv --repair"),
        (("bv", "parked-duplicates"), "adapter reconcile bv --repair"),
    ]


def _all() -> list[Problem]:
    hospital = [one for _, there in CASES for one in judged(Facts({"bv": there}), LIMITS, NOW)]
    removed = judged(Facts(removed={"bv-gone": OLD}), LIMITS, NOW)
    return hospital + removed + [one for _, known in AT_HOME for one in judged(known, LIMITS, NOW)]


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
    assert expires(token) == ends


KEY = ("bv", "unreachable")
TOLD = Bell(NOW - HOUR, 4, NOW - HOUR, 4)


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
def test_what_is_told(before: dict[tuple[str, str], Bell], count: int | None, what: str) -> None:
    troubles = {} if count is None else {KEY: (None, count)}
    news = weigh(before, troubles, NOW, DAY)
    assert {name for name in ("began", "again", "ended") if getattr(news, name)} == ({what} - {""})
    assert news.is_news == bool(what)
    after = news.told(NOW)
    assert set(after) == set(troubles)
    assert not weigh(after, troubles, NOW + HOUR, DAY).is_news


def test_since_when_is_the_earliest_that_is_known() -> None:
    assert weigh({}, {KEY: (None, 1)}, NOW, DAY).bells[KEY].since == NOW
    assert weigh({}, {KEY: (NOW - DAY, 1)}, NOW, DAY).bells[KEY].since == NOW - DAY
    assert weigh({KEY: TOLD}, {KEY: (None, 1)}, NOW, DAY).bells[KEY].since == TOLD.since


def test_what_ended_and_could_not_be_told_is_told_next_time() -> None:
    news = weigh({KEY: TOLD}, {}, NOW, DAY)
    assert weigh(news.untold({KEY: TOLD}), {}, NOW, DAY).ended == (KEY,)
